"""`fine_tune`: the only path from data to a finished checkpoint folder."""

import copy
import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset
from threadpoolctl import threadpool_limits
from transformers import PreTrainedModel, set_seed

from ..arguments import ERROR_RATES, RecipeArguments
from ..data.cache import check_lengths
from ..data.shards import Split
from ..errors import ArgumentError
from ..inference.extractors import padding_arguments
from ..inference.kaldi_features import kaldi_features
from ..models import AudioCNNConfig
from ..runs.card import TaskFacts
from ..runs.folder import check_same_arguments, prepare_output_dir, prepare_preceding, run_unless_finished
from ..runs.hub import push, read_destination
from ..runs.predictions import AnyPredictions, predictions_class
from .amortized import Amortized, Occasional
from .batches import ClipTransform, WindowCollator
from .encoders import build_model, is_encoder, load_extractor
from .finish import describe_choice, write_baseline, write_run
from .judging import compute_metrics, fit_answers, judge, judge_crops
from .network_parts import freeze, weight_heights
from .parts import Parts, check_streamable, divide
from .refit import Validated, describe_fit, refitting, validate_nothing
from .search import SearchSpace, search_arguments
from .shard_loader import ClipStream
from .teacher import employ_teacher
from .trainer import AudioTrainer, keep_freed_memory

logger = logging.getLogger(__name__)

AUGMENTED_NAME = ".augmented"
SKIPPED_NAME = ".skipped.jsonl"  # rows of a stream, noted while it is trained on


@dataclass
class Pretraining:
    """A finished run whose weights another one begins with."""

    folder: str
    seconds: float
    """That it took."""


def pretrain(args: RecipeArguments, run: Callable[[RecipeArguments], Any], **changes: Any) -> Pretraining:
    """Have a first network trained, in `OUTPUT_DIR-pretrained`; after a kill, the same command goes on.

    Args:
        args: of the command, whose output folder is looked at before any time is spent.
        run: trains, given the first run's arguments, and leaves its folder finished. It has clips of its own, no
            teacher, validates nothing and is not uploaded.
        changes: further arguments of the first run that are not the command's.

    Raises:
        ArgumentError: either folder cannot be used, or the first run had other arguments.
    """
    read_destination(args)
    folder = prepare_preceding(args, "pretrained")
    first = copy.copy(args)
    first.output_dir = folder
    first.push_to_hub, first.teacher, first.pseudo_labels, first.search, first.refit = False, None, None, 0, False
    validate_nothing(first)
    for name, value in changes.items():
        setattr(first, name, value)
    check_same_arguments(first)
    results = run_unless_finished(first, Path(first.output_dir), run)
    return Pretraining(first.output_dir, results["train_runtime"])


@refitting
def fine_tune(
    args: RecipeArguments,
    config: AudioCNNConfig,
    dataset: Dataset,
    held_out: np.ndarray,
    task: TaskFacts,
    *,
    augmentation: Callable[..., np.ndarray] | None = None,
    slow_augmentation: Callable[..., np.ndarray] | None = None,
    group_column: str | None = None,
    validation_group_column: str | None = None,
    validation_rows: np.ndarray | None = None,
    held_out_too: Mapping[str, np.ndarray] | None = None,
    judged_together: str | None = None,
    illustrate: Callable[[AnyPredictions, Path], Sequence[str]] | None = None,
    crop_seconds: tuple[float, float] | None = None,
    pretraining: Pretraining | None = None,
    audit_seconds: float = 0.0,
    stream: Split | None = None,
    search_space: SearchSpace | None = None,
    validated: Validated | None = None,
) -> dict[str, Any]:
    """Train a model and leave the finished folder `args.output_dir`; returns what `all_results.json` holds.

    Args:
        args: of the run.
        config: of the model; its labels are set from the data.
        dataset: rows of `path` and `label`, as the functions of `data.py` give them.
        held_out: which rows are test clips, (rows,) of bool; they are judged once, after training, and choose nothing.
        task: what the card says about the task.
        augmentation: an audiomentations transform for training clips, drawn anew in every epoch.
        slow_augmentation: another one, applied before it and drawn anew every `args.refresh_epochs` epochs.
        group_column: clips that share its value (recording, speaker) are never on two sides: those that share it with
            a held-out clip are not trained on, and a validation split keeps them together.
        validation_group_column: as `group_column`, for the validation split alone.
        validation_rows: which rows validate, (rows,) of bool, instead of a share of the training clips; so where
            `args.validation_fraction` is above 0.
        held_out_too: name -> rows, as `held_out`: further test clips, of other voices or places. Their metrics are
            told as `eval_<metric>_<name>`, and of error rates the harmonic mean with those of the first ones.
        judged_together: column (speaker) by whose values the test clips are judged as a whole too, by the mean of
            their probabilities. Those metrics are told as `eval_<metric>_<column>`.
        illustrate: draws further pictures of the test clips into a folder, and returns their names, for the card.
        crop_seconds: shortest and longest random crop of a training clip; every batch draws a length of its own
            between. By default, `config.clip_seconds`.
        pretraining: whose weights the model begins with, unless `args.model_name_or_path` says.
        audit_seconds: that the networks took whose beliefs the data set holds.
        stream: what is trained on instead, read anew in every epoch and never decoded as a whole. All rows of
            `dataset` are then held out, and its classes are those of the stream. `slow_augmentation` is not kept: in
            every epoch, one clip in `args.refresh_epochs` gets it.
        search_space: from where `args.search` takes what it tries, instead of one training; then the folder is what
            `search_arguments` leaves, and what is returned too.
        validated: the run that precedes this one by `args.refit`; nobody else gives it.

    Raises:
        ArgumentError: the output folder cannot be written or holds a run already, or an argument is not for streams.
        HubError: with `args.push_to_hub`, nobody may write there, or it does not take the folder, which is finished.
        DataError: the data cannot be trained on.
    """
    if stream is not None:
        check_streamable(args, stream, validation_rows)
    destination = read_destination(args)
    checkpoint = prepare_output_dir(args)
    if validated is not None:
        args = validated.arguments(args)
    args.push_to_hub = False  # Trainer would upload whatever the folder holds by then
    set_seed(args.seed)
    keep_freed_memory()
    begin_from = _find_weights(args, pretraining)
    extractor = load_extractor(begin_from, config)
    masks = {"": held_out, **(held_out_too or {})}
    groups = (group_column, validation_group_column or group_column)
    parts = divide(args, config, dataset, masks, validation_rows, groups, stream)
    if args.baseline:
        return write_baseline(args, task, parts, config.sampling_rate)
    _describe_task(args, config, parts)
    window = _choose_window(args, config, parts, crop_seconds)
    teacher = None
    if args.teacher is not None:
        if is_encoder(extractor):
            raise ArgumentError("--teacher teaches an AudioCNN, not an encoder of transformers: leave it out.")
        parts.train, teacher = employ_teacher(args, config, parts.clips, parts.test["path"][:])
    amortized = None if slow_augmentation is None else _amortize(args, slow_augmentation, stream, checkpoint is None)
    transform = ClipTransform(
        config.sampling_rate,
        augmentation=augmentation,
        amortized=amortized,
        clip_samples=window,
        background=None if parts.background is None else config.num_labels - 1,
        n_tags=parts.n_tags,
        unverified_weight=args.unverified_weight,
        seed=args.seed,
    )
    plain = ClipTransform(config.sampling_rate, n_tags=parts.n_tags)
    model = build_model(config, begin_from, extractor, args.freeze)
    frozen = freeze(model, args.freeze)
    if args.layer_decay < 1:
        weight_heights(model)  # which refuses what has no layers, before any time is spent
    features = kaldi_features(extractor)
    heard_by = extractor if is_encoder(extractor) and features is None else None
    collator = functools.partial(WindowCollator, extractor=heard_by, overlap=config.overlap)
    if heard_by and padding_arguments(heard_by) and not getattr(heard_by, "return_attention_mask", True):
        args.per_device_eval_batch_size = 1  # padding would change what it answers
    train_collator = collator(None if window is None else config.clip_samples)
    trained_clips = _trained_clips(args, config, parts, transform, train_collator, checkpoint is None)
    make_trainer = functools.partial(
        AudioTrainer,
        train_transform=transform,
        teacher=teacher,
        features=features,
        frozen=frozen,
        train_dataset=trained_clips,
        eval_dataset=None if parts.validation is None else parts.validation.with_transform(plain),
        data_collator=train_collator,
        processing_class=extractor,
        compute_metrics=functools.partial(compute_metrics, config=config),
    )
    if args.search:

        def build() -> PreTrainedModel:  # of every trial
            begun = build_model(config, begin_from, extractor, args.freeze)
            freeze(begun, args.freeze)
            return begun

        found = search_arguments(args, search_space, functools.partial(make_trainer, None, model_init=build))
        if isinstance(amortized, Amortized):
            amortized.clear()
        return found
    trainer = make_trainer(model, args)
    # The threads of numpy's and scipy's BLAS spin for milliseconds after each product, on the cores of the model's.
    with threadpool_limits(1, user_api="blas"):
        trained = trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    trainer.keep_average()
    fit = fit_answers(trainer, parts, plain, config, validated)
    judgement = judge(trainer, parts, plain, config, fit.rejection_margin, judged_together)
    results = {**judgement.metrics, **trained.metrics, "epoch": trainer.state.epoch}
    if args.tta > 0:
        results |= judge_crops(trainer, collator(config.clip_samples, crops=args.tta), parts.test, plain)
    skipped = [*parts.skipped]
    if isinstance(trained_clips, ClipStream):
        skipped += trained_clips.describe_skipped()
    results |= {"train_samples": _count(trained_clips), "chosen": describe_choice(trainer, validated)}
    if parts.validation is not None:
        results |= describe_fit(trainer, fit.temperature, fit.rejection_margin)
    if validated is not None:
        results["validated_runtime"] = validated.seconds
    if pretraining is not None:
        results["pretrain_runtime"] = pretraining.seconds
    if audit_seconds:
        results["audit_runtime"] = audit_seconds
    if trainer.is_world_process_zero():
        write_run(args, task, results, judgement, skipped, trainer, fit.validation, illustrate)
        if isinstance(amortized, Amortized):
            amortized.clear()
        _skipped_rows(args).unlink(missing_ok=True)
        if destination is not None:
            logger.info("%s", push(Path(args.output_dir), destination))
    trainer.accelerator.wait_for_everyone()
    return results


def _find_weights(args: RecipeArguments, pretraining: Pretraining | None) -> str | None:
    """Folder or Hub id of the weights to begin with; `None`: random ones."""
    if args.model_name_or_path is not None:
        return args.model_name_or_path
    if pretraining is not None:
        return pretraining.folder
    if args.freeze in ("encoder", "front") or args.layer_decay < 1:
        raise ArgumentError("--freeze and --layer_decay are of weights to begin with: give --model_name_or_path too.")
    return None


def _count(trained_clips: Dataset | ClipStream) -> int:
    """Of the clips that were trained on, those that could be read."""
    if isinstance(trained_clips, Dataset):
        return len(trained_clips)
    return trained_clips.split.rows - len(trained_clips.read_skipped())


def _describe_task(args: RecipeArguments, config: AudioCNNConfig, parts: Parts) -> None:
    """Put the classes into the config, and into the arguments what the best epoch is chosen by."""
    if parts.names is not None:
        config.id2label = dict(enumerate(parts.names))
        config.label2id = {name: number for number, name in enumerate(parts.names)}
    if parts.n_tags is not None:
        config.problem_type = "multi_label_classification"
    if args.load_best_model_at_end or args.search:
        args.metric_for_best_model = _choosing_metric(args, config)


def _choosing_metric(args: RecipeArguments, config: AudioCNNConfig) -> str:
    """The metric that the user or the recipe wants to choose the epoch by, or the task's first, where that is none."""
    wanted = str(args.metric_for_best_model).removeprefix("eval_")
    told = predictions_class(config).metric_names(config.num_labels)
    if wanted in ("loss", *told):
        return wanted
    logger.warning("--metric_for_best_model %s is not told of such clips: %s chooses the epoch.", wanted, told[0])
    args.greater_is_better = told[0] not in ERROR_RATES
    return told[0]


def _choose_window(
    args: RecipeArguments, config: AudioCNNConfig, parts: Parts, crop_seconds: tuple[float, float] | None
) -> int | tuple[int, int] | None:
    """Samples of a training clip, or the least and the most of them; `None` where clips stay whole."""
    if config.num_digits:  # half a number is another number
        for clips in (parts.clips, parts.validation, *parts.tests.values()):
            if clips is not None:
                check_lengths(clips, config.sampling_rate, config.clip_seconds)
        if args.tta:
            raise ArgumentError("--tta judges parts of clips, and a part of a number is another one: leave it out.")
        return None
    if crop_seconds is None:
        return config.clip_samples
    shortest, longest = (round(seconds * config.sampling_rate) for seconds in crop_seconds)
    return shortest, longest


def _amortize(
    args: RecipeArguments, augmentation: Callable[..., np.ndarray], stream: Split | None, begins: bool
) -> Amortized | Occasional:
    if stream is not None:
        return Occasional(augmentation, args.refresh_epochs)
    amortized = Amortized(augmentation, args.refresh_epochs, Path(args.output_dir) / AUGMENTED_NAME)
    if begins:
        with args.main_process_first(desc="augmented clips"):
            amortized.clear()  # of a run that was killed, and perhaps had another seed
    return amortized


def _trained_clips(
    args: RecipeArguments,
    config: AudioCNNConfig,
    parts: Parts,
    transform: ClipTransform,
    collator: WindowCollator,
    begins: bool,
) -> Dataset | ClipStream:
    if isinstance(parts.train, Dataset):
        return parts.train.with_transform(transform)
    if begins:
        with args.main_process_first(desc="skipped rows"):
            _skipped_rows(args).unlink(missing_ok=True)  # of a run that was killed
    return ClipStream(
        parts.train,
        transform,
        collator,
        batch_size=args.train_batch_size,
        process=(args.process_index, args.world_size),
        seed=args.seed,
        skipped=_skipped_rows(args),
        strict=args.strict,
        speech_only=config.speech_only,
    )


def _skipped_rows(args: RecipeArguments) -> Path:
    return Path(args.output_dir) / SKIPPED_NAME
