"""A user's own recordings, loaded and divided, out of each kind of place: folders, tables, annotations, shards."""

import logging
from typing import cast

from transformers.trainer_utils import IntervalStrategy

from ...data.annotations.annotated_rows import choose_row_seconds, cut_rows
from ...data.annotations.finding import AnnotatedRecordings, Unannotated, find_annotations
from ...data.collection import Collection, load_collection
from ...data.hub_datasets import load_hub_collection
from ...data.normal_recordings import load_normal_collection
from ...data.shards import Split, load_shards
from ...data.tables.columns import TEST, VALIDATION
from ...division.annotated import VALIDATION_FRACTION, can_validate, divide_annotated
from ...division.division import Division, divide_by_folds, divide_collection, divide_normal
from ...division.earlier_run import find_held_out
from ...division.recording_groups import Wishes
from ...errors import ArgumentError
from ..general_sounds.presets import GeneralSoundsArguments
from .arguments import RecordingsArguments

logger = logging.getLogger(__name__)


def load_stream(args: RecordingsArguments) -> tuple[Split, Division]:
    """The shards that are trained on, and the recordings of the others."""
    columns = args.columns._replace(path=args.audio_column)
    with args.main_process_first(desc="shards"):
        stream, collection = load_shards(str(args.dataset_name or args.data_dir), args.dataset_config, columns)
    return stream, Division(collection, hears_known=collection.columns.group is None)


def load_recordings(args: RecordingsArguments) -> Division:
    """Clips or annotated recordings, divided; the columns that were found are noted in the arguments."""
    columns, several = args.columns, args.multi_label
    if args.dataset_name is not None:
        columns = columns._replace(path=args.audio_column)
        with args.main_process_first(desc="data set"):
            collection = load_hub_collection(
                args.dataset_name, args.dataset_config, columns, several=several, seed=None
            )
        args.audio_column = collection.columns.path
    else:
        data_dir = str(args.data_dir)
        unannotated = cast(Unannotated | None, args.unannotated)
        annotated = find_annotations(data_dir, columns, audio_dir=args.audio_dir, unannotated=unannotated)
        if annotated is not None:
            return load_annotated(args, annotated)
        if args.unannotated is not None:
            raise ArgumentError(
                f"--unannotated is of annotations with times, and {data_dir} holds none that can be read: leave "
                "it out, or see docs/annotations.md."
            )
        collection = load_collection(data_dir, columns, audio_dir=args.audio_dir, several=several, seed=None)
        args.path_column = collection.columns.path
    args.label_column, args.split_column = list(collection.columns.labels) or None, collection.columns.split
    return divide(args, collection)


def load_normal(args: RecordingsArguments) -> Division:
    """Normal recordings, and what anomalies there are to test on."""
    collection = load_normal_collection(str(args.data_dir), args.columns, args.audio_dir)
    return divide_normal(collection, Wishes(args.group_pattern, args.group_by, refits=False, may_refit=False))


def load_annotated(args: RecordingsArguments, annotated: AnnotatedRecordings) -> Division:
    """Annotated recordings, cut into rows and divided; a row may have several tags, or none.

    Raises:
        ArgumentError: an argument is of clips with one label.
    """
    for sentence in annotated.messages:
        logger.info("%s", sentence)
    for sentence in annotated.warnings:
        logger.warning("%s", sentence)
    for name, given in (("--refit", args.refit), ("--pseudo_labels", args.pseudo_labels is not None)):
        if given:
            raise ArgumentError(
                f"{name} is of clips with one label, and these recordings are annotated: leave it out."
            )
    args.multi_label, args.refit = True, False
    if args.label_smoothing_factor == GeneralSoundsArguments.label_smoothing_factor:
        args.label_smoothing_factor = 0.0  # frames without a sound, which are most, say nothing of any
    if args.clip_seconds is None:
        args.clip_seconds, why = choose_row_seconds(annotated)
        logger.info("clip_seconds %g: %s.", args.clip_seconds, why)
    collection = cut_rows(annotated, args.clip_seconds, args.columns)
    if args.folds:
        division = divide_by_folds(collection)
        if args.validation_fraction == 0 and can_validate(division):
            args.validation_fraction, args.eval_strategy = VALIDATION_FRACTION, IntervalStrategy.EPOCH
        return division
    paths = collection.dataset["path"][:]
    tested = collection.rows(TEST) if collection.rows(TEST).any() else None
    kept = find_held_out(args.model_name_or_path, str(args.data_dir), paths, tested)
    return divide_annotated(collection, Wishes(args.group_pattern, args.group_by), kept=kept)


def divide(args: RecordingsArguments, collection: Collection) -> Division:
    """A collection divided as its recordings and the arguments say.

    Raises:
        ArgumentError: --refit does not go with another argument, or with the parts that the data came with.
    """
    if args.folds:
        return divide_by_folds(collection)
    validates = bool(args.validation_fraction > 0 or collection.rows(VALIDATION).any())
    kept = find_held_out(
        args.model_name_or_path,
        str(args.data_dir or args.dataset_name),
        collection.dataset["path"][:],
        collection.rows(TEST) if collection.rows(TEST).any() else None,
    )
    against = {
        "--multi_label": args.multi_label,
        "--background": args.background is not None,
        "--pseudo_labels": args.pseudo_labels is not None,
        "--teacher": args.teacher is not None,
        "--search": bool(args.search),
        "--baseline": args.baseline,
        "--max_train_samples": args.max_train_samples is not None,
        "--max_eval_samples": args.max_eval_samples is not None,
    }
    hindering = [name for name, given in against.items() if given]
    refits = None if args.refit and validates else args.refit  # then it is of the validation clips
    if refits and hindering:
        raise ArgumentError(f"--refit trains several networks, and {hindering[0]} is of one: leave one of them out.")
    if args.refit is None and args.max_minutes is not None:
        refits = False  # a few minutes that six trainings share make six bad networks
    wishes = Wishes(args.group_pattern, args.group_by, refits, may_refit=not hindering and not validates)
    with args.main_process_first(desc="division"):
        division = divide_collection(collection, wishes, kept=kept)
    if refits and division.folds is None:
        raise ArgumentError(
            "--refit trains on test clips too, and these are given: leave it out, or add --validation_fraction 0.1, "
            "whose clips it trains on then."
        )
    return division
