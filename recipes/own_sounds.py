"""Own sounds: a recording in, one of the user's own classes out; whatever else is needed is chosen by the recordings.

Data: a folder with a folder of recordings a class, or `train/`, `validation/` and `test/` with such folders in them,
or a CSV or TSV that names the recordings, or a layout that is known (docs/own_sounds.md), or annotations with times
(docs/annotations.md); or, with `--dataset_name`, a data set of the Hub. Of recordings that nobody has divided, a fifth
is held out. With `--streaming`, Parquet files or tars (WebDataset), told apart by `train` and `test` in their names.
Metric: accuracy of the weights' average at the last epoch; with `--multi_label`, label-weighted label-ranking average
precision.

    accelerate launch --config_file accelerate_config.yaml recipes/own_sounds.py --data_dir DIR --output_dir OUT
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from transformers.trainer_utils import IntervalStrategy

from hf_audio import AudioCNNConfig
from hf_audio.arguments import Group
from hf_audio.corpora.synthetic_sounds import make_environmental_sounds
from hf_audio.data.annotated_rows import choose_row_seconds, cut_rows
from hf_audio.data.annotations import UNANNOTATED, AnnotatedRecordings, find_annotations
from hf_audio.data.collection import Collection, load_collection
from hf_audio.data.columns import TEST, TRAIN, VALIDATION, Columns
from hf_audio.data.hub_datasets import load_hub_collection
from hf_audio.data.normal_recordings import load_normal_collection
from hf_audio.data.rows import EVENTS_COLUMN
from hf_audio.data.shards import Split, load_shards
from hf_audio.data.survey import Survey, survey_recordings, survey_stream
from hf_audio.encoders.names import find_checkpoint
from hf_audio.errors import ArgumentError
from hf_audio.remote import as_path, public_name
from hf_audio.runs.card import TaskFacts, hub_id
from hf_audio.runs.markdown import code
from hf_audio.training.annotated_division import VALIDATION_FRACTION, can_validate, divide_annotated
from hf_audio.training.defaults import Choice, choose_defaults, describe_unheard
from hf_audio.training.division import Division, divide_by_folds, divide_collection, divide_normal
from hf_audio.training.earlier_run import find_held_out
from hf_audio.training.encoders import is_audio_cnn
from hf_audio.training.general_sounds import (
    ONE_CLASS,
    PRESETS,
    SEARCH_SPACE,
    SHORTEST_HEARD,
    TINY,
    GeneralSoundsArguments,
    fit_signal,
    hear_frames,
    hear_statistics,
    slow_transforms,
    slow_unmoved_transforms,
    unmoved_transforms,
    waveform_transforms,
)
from hf_audio.training.recording_groups import GROUP_BY, Wishes
from hf_audio.training.start import find_recordings, run_recipe
from hf_audio.training.task import Task

logger = logging.getLogger(__name__)

NETWORKS = {**PRESETS, "tiny": TINY}
HEARD = ("sampling_rate", "clip_seconds")  # of these, by a network that is not trained
# What is chosen by the recordings, where the user has not given it.
CHOSEN = (
    "sampling_rate",
    "clip_seconds",
    "excerpt_seconds",
    "per_device_train_batch_size",
    "per_device_eval_batch_size",
    "num_train_epochs",
)


@dataclass
class OwnSoundsArguments(GeneralSoundsArguments):
    """The task's flags; what is `None` is chosen by the recordings, or guessed by the names of columns."""

    output_dir: str = field(default="outputs/own_sounds", metadata={"help": "Folder of the finished checkpoint."})
    model: str = field(
        default="default",
        metadata={
            "help": "Which network; `tiny` is for microcontrollers.",
            "choices": list(NETWORKS),
        },
    )
    data_dir: str | None = field(
        default=None,
        metadata={"help": "Folder of class folders, or a CSV or TSV. Without it, a demo corpus is made on the spot."},
    )
    dataset_name: str | None = field(
        default=None,
        metadata={"help": "Instead of --data_dir, a data set of the Hub, or a folder of one's Parquet files."},
    )
    dataset_config: str | None = field(default=None, metadata={"help": "Which one, where a data set has several."})
    audio_column: str | None = field(default=None, metadata={"help": "Column of a data set that holds recordings."})
    streaming: bool = field(
        default=False,
        metadata={
            "help": "Read Parquet files or tars row by row, never all at once. They are those of --data_dir or "
            "--dataset_name."
        },
    )
    multi_label: bool = field(default=False, metadata={"help": "A recording may have several tags, or none."})
    path_column: str | None = field(default=None, metadata={"help": "Column of a table that names the files."})
    audio_dir: str | None = field(default=None, metadata={"help": "Where the files of a table are, if not beside it."})
    label_column: list[str] | None = field(
        default=None,
        metadata={"help": "Column of the labels. With --multi_label also several, of 0 and 1, named as their tags."},
    )
    group_column: str | None = field(
        default=None,
        metadata={"help": "Column whose clips stay on one side of a split: recording, speaker, patient."},
    )
    group_pattern: str | None = field(
        default=None,
        metadata={
            "help": "Regular expression that finds the recording or the speaker in a file's name. Clips of one "
            "stay on one side. Its first group counts, or all that it matches.",
            "metavar": "REGEX",
        },
    )
    group_by: str | None = field(
        default=None,
        metadata={
            "help": "What says which clips stay together: the folder below the class, or the name. By default, "
            "where no column says so, names, where every class then has several recordings; `none`: nothing.",
            "choices": list(GROUP_BY),
        },
    )
    split_column: str | None = field(
        default=None, metadata={"help": "Column that says train, validation or test of every recording."}
    )
    folds: str | None = field(
        default=None,
        metadata={
            "help": "Hold out each fold once, by a column `fold` or the folders of a known data set.",
            "choices": ["all"],
        },
    )
    only_normal: bool = field(
        default=False,
        metadata={
            "help": "Learn from normal recordings alone, what is unlike them being an anomaly. Anomalies are tested "
            "on, where there are some."
        },
    )
    unannotated: str | None = field(
        default=None,
        metadata={
            "help": "What lies between annotations with times: `background`, or `ignore` it. By default background, "
            "but where that is doubtful.",
            "metavar": "WHAT",
            "choices": list(UNANNOTATED),
        },
    )
    sampling_rate: int | None = field(
        default=None, metadata={"help": "Samples per second that the network hears. Chosen by the recordings."}
    )
    f_min: float | None = field(
        default=None, metadata={"help": "Lowest frequency that the network hears, in Hz. 20 by default."}
    )
    f_max: float | None = field(
        default=None, metadata={"help": "Highest frequency, in Hz. Half of --sampling_rate by default."}
    )
    clip_seconds: float | None = field(
        default=None, metadata={"help": "Longer recordings are judged in windows of this. Chosen by the recordings."}
    )
    excerpt_seconds: float | None = field(
        default=None, metadata={"help": "Length of the random excerpts trained on. Chosen by the recordings."}
    )
    per_device_train_batch_size: int | None = field(  # type: ignore[assignment]
        default=None, metadata={"help": "Training clips a device and step. Chosen by their number."}
    )
    per_device_eval_batch_size: int | None = field(  # type: ignore[assignment]
        default=None, metadata={"help": "Test clips a device and step. Chosen by the longest recording."}
    )
    num_train_epochs: float | None = field(  # type: ignore[assignment]
        default=None, metadata={"help": "Epochs. Chosen by the number of training clips, as the most there may be."}
    )
    stop_when_settled: bool | None = field(
        default=None,
        metadata={
            "help": "End before the last epoch where nothing more is gained. By default, where neither "
            "--num_train_epochs nor --max_steps is given.",
            "metavar": "BOOL",
        },
    )

    refit: bool | None = field(  # type: ignore[assignment]
        default=None,
        metadata={
            "help": "Leave a network that is trained on all clips, the test clips too. It is judged by others, from "
            "which a fifth of the recordings is held out in turn, in six times the time; by default, where few "
            "recordings could be tested on and no --max_minutes is given. With --validation_fraction, the test clips "
            "stay held out.",
            "group": Group.VALIDATION,
            "metavar": "BOOL",
        },
    )

    def __post_init__(self):
        for name in CHOSEN:
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ArgumentError(f"--{name} {value} must be above 0.")
        if self.dataset_name is not None and self.data_dir is not None:
            raise ArgumentError("--data_dir and --dataset_name exclude each other: give one of them.")
        if self.multi_label and self.pseudo_labels is not None:
            raise ArgumentError("--pseudo_labels knows one label a clip: leave it or --multi_label out.")
        if self.data_dir is not None and public_name(self.data_dir) != self.data_dir:
            raise ArgumentError(
                "--data_dir holds credentials, and cards tell where data lie: give them as the store's own tools take "
                "them, as in the environment."
            )
        if self.streaming and self.data_dir is not None and not as_path(self.data_dir).is_dir():
            raise ArgumentError(f"--data_dir {self.data_dir} is not a folder: give the one that holds the shards.")
        if self.dataset_name is not None and self.pseudo_labels is not None:
            raise ArgumentError(
                "--pseudo_labels names files, which --dataset_name has none of: leave one of them out."
            )
        if self.streaming and self.data_dir is None and self.dataset_name is None:
            raise ArgumentError("--streaming reads shards: say where they are, with --data_dir or --dataset_name.")
        grouping = [name for name in ("group_column", "group_pattern", "group_by") if getattr(self, name) is not None]
        if len(grouping) > 1:
            raise ArgumentError(f"--{grouping[0]} and --{grouping[1]} exclude each other: give one of them.")
        if self.group_by not in (None, *GROUP_BY):
            raise ArgumentError(f"--group_by {self.group_by} must be one of {', '.join(GROUP_BY)}.")
        if self.streaming and (self.group_pattern is not None or self.group_by is not None):
            raise ArgumentError("--streaming goes by --group_column alone: leave --group_pattern and --group_by out.")
        if self.streaming and self.multi_label:
            raise ArgumentError("--streaming knows one label a clip: leave --multi_label out, or read all at once.")
        if self.unannotated is not None and (self.data_dir is None or self.streaming):
            raise ArgumentError("--unannotated is of annotated recordings: say where they are, with --data_dir alone.")
        if self.unannotated not in (None, *UNANNOTATED):
            raise ArgumentError(f"--unannotated {self.unannotated} must be one of {', '.join(UNANNOTATED)}.")
        if self.folds not in (None, "all"):
            raise ArgumentError(f"--folds {self.folds} must be `all`.")
        if self.only_normal:
            self._check_only_normal()
        if self.folds and (self.streaming or self.refit):
            raise ArgumentError("--folds all does not go with --streaming or --refit: leave one of them out.")
        if self.stop_when_settled is None:
            given = self.num_train_epochs is not None or self.max_steps > 0 or self.lr_scheduler_type != "cosine"
            chooses = self.search or self.refit or self.load_best_model_at_end or self.early_stopping_patience
            self.stop_when_settled = not given and not chooses
        super().__post_init__()

    def _check_only_normal(self) -> None:
        """Refuse what asks for several classes, and settle what follows."""
        against = {
            "--dataset_name": self.dataset_name is not None,
            "--streaming": self.streaming,
            "--multi_label": self.multi_label,
            "--folds": self.folds is not None,
            "--refit": bool(self.refit),
            "--background": self.background is not None,
            "--pseudo_labels": self.pseudo_labels is not None,
            "--baseline": self.baseline,
            "--validation_fraction": self.validation_fraction > 0,
            "--balance": self.balance != "none",
            "--unannotated": self.unannotated is not None,
        }
        for flag, given in against.items():
            if given:
                raise ArgumentError(f"--only_normal knows one class, in a folder or a table: leave it or {flag} out.")
        if self.data_dir is None:
            raise ArgumentError("--only_normal needs normal recordings: say where they are, with --data_dir.")
        self.refit = False
        if self.model_name_or_path is not None:
            self.freeze = "encoder"

    @property
    def data_may_validate(self) -> bool:
        """Whether the recordings may come with a validation part; then its share need not be given."""
        return self.data_dir is not None or self.dataset_name is not None


def load_stream(args: OwnSoundsArguments) -> tuple[Split, Collection]:
    """The shards that are trained on, and the recordings of the others."""
    columns = Columns(args.audio_column, tuple(args.label_column or ()), args.group_column, args.split_column)
    with args.main_process_first(desc="shards"):
        return load_shards(str(args.dataset_name or args.data_dir), args.dataset_config, columns)


def load_recordings(args: OwnSoundsArguments) -> Division:
    """The user's recordings, or a demo corpus, divided; the columns that were found are noted in the arguments."""
    several = args.multi_label
    columns = Columns(args.path_column, tuple(args.label_column or ()), args.group_column, args.split_column)
    if args.dataset_name is not None:
        columns = columns._replace(path=args.audio_column)
        with args.main_process_first(desc="data set"):
            collection = load_hub_collection(
                args.dataset_name, args.dataset_config, columns, several=several, seed=None
            )
        args.audio_column = collection.columns.path
    elif args.data_dir is not None:
        annotated = find_annotations(args.data_dir, columns, audio_dir=args.audio_dir, unannotated=args.unannotated)
        if annotated is not None:
            return load_annotated(args, annotated, columns)
        if args.unannotated is not None:
            raise ArgumentError(
                f"--unannotated is of annotations with times, and {args.data_dir} holds none that can be read: leave "
                "it out, or see docs/annotations.md."
            )
        collection = load_collection(args.data_dir, columns, audio_dir=args.audio_dir, several=several, seed=None)
        args.path_column = collection.columns.path
    else:
        source = find_recordings(args, demo=make_environmental_sounds, demo_words="sounds made out of formulas")
        return Division(load_collection(source, Columns(group="src_file")), hears_known=False)
    args.label_column, args.split_column = list(collection.columns.labels) or None, collection.columns.split
    return divide(args, collection)


def load_annotated(args: OwnSoundsArguments, annotated: AnnotatedRecordings, columns: Columns) -> Division:
    """Annotated recordings, cut into rows and divided; a row may have several tags, or none.

    Raises:
        ArgumentError: an argument is of clips with one label.
    """
    for sentence in annotated.said:
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
    collection = cut_rows(annotated, args.clip_seconds, columns)
    if args.folds:
        division = divide_by_folds(collection)
        if args.validation_fraction == 0 and can_validate(division):
            args.validation_fraction, args.eval_strategy = VALIDATION_FRACTION, IntervalStrategy.EPOCH
        return division
    paths = collection.dataset["path"][:]
    tested = collection.rows(TEST) if collection.rows(TEST).any() else None
    kept = find_held_out(args.model_name_or_path, str(args.data_dir), paths, tested)
    return divide_annotated(collection, Wishes(args.group_pattern, args.group_by), kept=kept)


def divide(args: OwnSoundsArguments, collection: Collection) -> Division:
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


def choose(args: OwnSoundsArguments, survey: Survey, drawn: int | None = None) -> Mapping[str, Choice]:
    """Fill in what the user has left open, and say why so.

    drawn: clips of an epoch, where some of them come several times.

    Raises:
        ArgumentError: excerpts would be longer than clips, or shorter than the network can hear.
    """
    if args.model == "tiny":
        args.sampling_rate = args.sampling_rate or TINY["sampling_rate"]
        args.clip_seconds = args.clip_seconds or TINY["clip_seconds"]
    known = (*CHOSEN, "f_max", "optim")
    given = {name: getattr(args, name) for name in known if getattr(args, name) is not None}
    choices = choose_defaults(survey, given, drawn)
    for name, (value, why) in choices.items():
        setattr(args, name, value)
        if name in HEARD or not args.only_normal:
            logger.info("%s %s: %s.", name, value, why)
    if not SHORTEST_HEARD <= args.excerpt_seconds <= args.clip_seconds:
        raise ArgumentError(
            f"--excerpt_seconds {args.excerpt_seconds:g} must lie between {SHORTEST_HEARD:g} and --clip_seconds "
            f"{args.clip_seconds:g}: give another one, or leave it out."
        )
    check_band(args, survey)
    return choices


def count_drawn(args: OwnSoundsArguments, collection: Collection) -> int | None:
    """How many clips an epoch of `--balance sampler` has: of every class as many as the largest one."""
    if args.balance != "sampler" or args.streaming or args.multi_label:
        return None
    counts = np.bincount(np.asarray(collection.dataset["label"])[collection.rows(TRAIN)])
    return int(counts.max() * (counts > 0).sum())


def check_band(args: OwnSoundsArguments, survey: Survey) -> None:
    """Warn where the network will not hear what there is to hear.

    Raises:
        ArgumentError: the band is none.
    """
    highest = args.sampling_rate / 2 if args.f_max is None else args.f_max
    lowest = AudioCNNConfig.f_min if args.f_min is None else args.f_min
    if not 0 <= lowest < highest <= args.sampling_rate / 2:
        raise ArgumentError(
            f"--f_min {lowest:g} and --f_max {highest:g} Hz must rise from 0 to half of --sampling_rate "
            f"{args.sampling_rate}: give others, or leave them out."
        )
    for sentence in describe_unheard(survey, args.sampling_rate, lowest, highest):
        logger.warning("%s", sentence)


def normal_facts(args: OwnSoundsArguments, division: Division, choices: Mapping[str, Choice]) -> TaskFacts:
    """What the card says of normal recordings alone."""
    collection = division.collection
    told = facts(args, division, choices)
    chosen = "".join(f"\n- `{name}` {value}: {why}" for name, (value, why) in choices.items() if name in HEARD)
    return replace(
        told,
        hears="A recording in, whether it is normal out, and how far it is from that; recordings of more than "
        f"{args.clip_seconds:g} s are judged in windows.",
        data=f"The normal recordings of {code(collection.name)}, as they are."
        + (f" Chosen by the recordings:\n{chosen}" if chosen else ""),
        limits=[limit for limit in told.limits if "One class" not in limit],
        tags=["sounds", "anomaly-detection"],
    )


def make_normal_task(args: OwnSoundsArguments) -> Task:
    """What is normal, of the user's normal recordings alone."""
    columns = Columns(args.path_column, tuple(args.label_column or ()), args.group_column, args.split_column)
    collection = load_normal_collection(str(args.data_dir), columns, args.audio_dir)
    division = divide_normal(collection, Wishes(args.group_pattern, args.group_by, refits=False, may_refit=False))
    collection = division.collection
    name, config = args.model_name_or_path, None
    if name is not None and is_audio_cnn(name):
        config = AudioCNNConfig.from_pretrained(find_checkpoint(name), **ONE_CLASS)
        args.sampling_rate, args.clip_seconds = config.sampling_rate, config.clip_seconds
    choices = choose(args, survey_recordings(collection.dataset, collection.rows(TRAIN)))
    if config is None:
        signal = fit_signal(NETWORKS[args.model], args.sampling_rate, args.clip_seconds, args.excerpt_seconds)
        signal |= {name: value for name in ("f_min", "f_max") if (value := getattr(args, name)) is not None}
        config = AudioCNNConfig(**hear_statistics(signal))
    groups = collection.group_column if collection.is_drawn else None
    return Task(
        config=config,
        dataset=collection.dataset,
        held_out=collection.rows(TEST),
        facts=normal_facts(args, division, choices),
        group_column=groups,
        validation_group_column=groups,
    )


def facts(args: OwnSoundsArguments, division: Division, choices: Mapping[str, Choice]) -> TaskFacts:
    """What the card says."""
    collection = division.collection
    demo = args.data_dir is None and args.dataset_name is None
    out = "tags of what sounds in it" if args.multi_label else "the class of the sound"
    chosen = "".join(f"\n- `{name}` {value}: {why}" for name, (value, why) in choices.items())
    apart = collection.columns.group
    whole = [] if apart is None else [f"No clip that shares its {code(apart)} with a held-out one was trained on."]
    return TaskFacts(
        title="Sounds (demo)" if demo else collection.name,
        hears=f"A recording in, {out} out; recordings of more than {args.clip_seconds:g} s are judged in windows.",
        dataset_name="Synthetic environmental sounds (demo)" if demo else collection.name,
        dataset_type="synthetic_environmental_sounds" if demo else "own_sounds",
        hub_dataset=hub_id(args.dataset_name),
        data=(
            "A demo corpus of sounds made on the spot out of formulas: the figures say that the tools work, and "
            "nothing about the world."
            if demo
            else f"The recordings of {code(collection.name)}; pitch, pace, shift, gain and noise were varied in "
            "training."
        )
        + (f" Chosen by the recordings:\n{chosen}" if chosen else ""),
        split=" ".join([collection.split, *whole, *([division.tells] if division.tells else [])]),
        limits=[
            *(["Synthetic sounds only."] if demo else []),
            *(
                ["Clips of one recording or place may be on both sides of the split, and new ones be judged worse."]
                if division.hears_known
                else []
            ),
            *([] if args.multi_label else ["One class a clip, also where several sound at once."]),
        ],
        license="apache-2.0" if demo else "unknown",
        tags=["sounds"],
    )


def make_task(args: OwnSoundsArguments) -> Task:
    """The user's own classes."""
    if args.only_normal:
        return make_normal_task(args)
    stream = None
    if args.streaming:
        stream, collection = load_stream(args)
        division = Division(collection, hears_known=collection.columns.group is None)
        survey = survey_stream(stream)
    else:
        division = load_recordings(args)
        collection = division.collection
        survey = survey_recordings(collection.dataset, collection.rows(TRAIN))
    validation = collection.rows(VALIDATION)
    if validation.any() and args.validation_fraction == 0:
        n_clips = len(validation) + (stream.rows if stream else 0)
        # More than nothing, so that it is used.
        args.validation_fraction = min(max(round(float(validation.sum() / n_clips), 4), 0.0001), 0.5)
        if args.eval_strategy == IntervalStrategy.NO:
            args.eval_strategy = IntervalStrategy.EPOCH
    choices = choose(args, survey, count_drawn(args, collection))
    signal = fit_signal(NETWORKS[args.model], args.sampling_rate, args.clip_seconds, args.excerpt_seconds)
    signal |= {name: value for name in ("f_min", "f_max") if (value := getattr(args, name)) is not None}
    has_times = EVENTS_COLUMN in collection.dataset.column_names
    if has_times:
        signal = hear_frames(signal)
    excerpt = args.excerpt_seconds
    return Task(
        config=AudioCNNConfig(**signal),
        dataset=collection.dataset,
        held_out=collection.rows(TEST),
        facts=facts(args, division, choices),
        folds=division.folds,
        refits=division.folds is not None and not args.folds,
        further_tests=division.further_tests,
        augmentation=unmoved_transforms() if has_times else waveform_transforms(excerpt),
        slow_augmentation=slow_unmoved_transforms() if has_times else slow_transforms(),
        crop_seconds=(excerpt, excerpt) if has_times else None,
        group_column=collection.group_column if division.keeps_groups else None,
        validation_group_column=collection.group_column,
        validation_rows=validation if validation.any() else None,
        stream=stream,
        stop_when_settled=bool(args.stop_when_settled),
        search_space=SEARCH_SPACE,
    )


if __name__ == "__main__":
    run_recipe(make_task, OwnSoundsArguments)
