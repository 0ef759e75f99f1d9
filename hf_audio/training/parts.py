"""What a run trains on, validates by and is judged on, decoded: the parts of a data set, a stream, a background."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np
from datasets import ClassLabel, Dataset, concatenate_datasets

from ..arguments import RecipeArguments
from ..data.background import Background, add_none, load_background
from ..data.cache import cache_audio
from ..data.readable import check_readable
from ..data.rows import BELIEVED_COLUMN, UNLABELLED_COLUMN, add_guessed, add_unlabelled, class_names, has_tags
from ..data.shards import Split
from ..data.splits import check_classes, split_held_out, split_validation
from ..errors import ArgumentError, DataError
from ..folders import search_folder
from ..models import AudioCNNConfig
from ..models.configuration_audio_cnn import ANOMALY
from ..problems import count_problems
from ..runs.folder.contents import SKIPPED_NAME
from .task import TEST, Task

logger = logging.getLogger(__name__)


@dataclass
class Parts:
    """The clips that a run trains on, validates by and is judged on, decoded at the network's rate."""

    train: Dataset | Split
    """Clips, those of a background behind them; or shards, which are decoded while they are trained on."""
    validation: Dataset | None
    tests: dict[str, Dataset]
    """Held-out clips by the names of the test sets, the first of which is `TEST`; none, where a cross-validation has
    judged the task already."""
    names: list[str] | None
    """Of the classes or tags; `None` of numbers."""
    skipped: list[dict[str, str]] = field(default_factory=list)
    """Files that cannot be used, as `{"path", "reason"}`."""
    background: Background | None = None

    @property
    def test(self) -> Dataset:
        """The clips that the run's metrics are of."""
        return self.tests[TEST]

    @property
    def clips(self) -> Dataset:
        """Those that are trained on.

        Raises:
            TypeError: they come as a stream.
        """
        if isinstance(self.train, Split):
            raise TypeError("A stream is not at hand as a whole.")
        return self.train

    def class_counts(self) -> dict[str, int]:
        """Training clips of every class or tag, by their names; none of numbers."""
        if self.names is None:
            return {}
        if isinstance(self.train, Split):
            return {name: self.train.counts[name] for name in self.train.names}
        labels = self.train.with_format(None)["label"][:]
        counts = Counter(chain.from_iterable(labels) if self.n_tags is not None else labels)
        return {name: counts[number] for number, name in enumerate(self.names)}

    @property
    def n_tags(self) -> int | None:
        """How many tags there are, where a clip may have several."""
        clips = self.train if isinstance(self.train, Dataset) else self.test
        return len(self.names) if self.names is not None and has_tags(clips) else None


def divide(args: RecipeArguments, config: AudioCNNConfig, task: Task) -> Parts:
    """Decode the clips of a task at the network's rate, and divide them as the task and the arguments say.

    Raises:
        ArgumentError: an argument does not go with such data.
        DataError: the data cannot be trained on.
    """
    dataset, stream = task.dataset, task.stream
    # Where a cross-validation has judged the task already, all clips are trained on.
    masks = {TEST: task.held_out, **task.further_tests} if task.crossed is None else {}
    if task.validation_rows is not None and args.validation_fraction > 0:
        masks["validation"] = task.validation_rows
    if args.background is not None:
        dataset = _expect_background(args, config, dataset)
    labelled = len(dataset)
    if args.pseudo_labels is not None:
        dataset = add_guessed(dataset, args.pseudo_labels)
    if args.teacher is not None and (files := _find_unlabelled(args, task)):
        dataset = add_unlabelled(dataset, files)
    masks = {name: np.pad(rows, (0, len(dataset) - labelled)) for name, rows in masks.items()}
    if args.max_train_samples is not None or args.max_eval_samples is not None:
        dataset, masks = choose_samples(args, dataset, masks, task.group_column)
    cached, masks, skipped = _decode(args, config, dataset, masks)
    doubt = None if stream is not None else check_readable(dataset, cached["index"][:], skipped)
    if not task.is_retold:
        for sentence in (*count_problems(skipped, str(Path(args.output_dir) / SKIPPED_NAME)), *filter(None, [doubt])):
            logger.warning("%s", sentence)
    train: Dataset | Split
    if stream is None:
        unheard = (ANOMALY,) if config.normal_centers else ()
        train, *others = split_held_out(cached, list(masks.values()), task.group_column, unheard)
    else:
        train, others = stream, [cached.select(np.flatnonzero(rows)) for rows in masks.values()]
        check_classes({name: stream.counts[name] for name in stream.names}, others)
    tests = dict(zip(masks, others, strict=True))
    groups = task.validation_group_column or task.group_column
    validation = tests.pop("validation", None)
    if validation is None and args.validation_fraction > 0 and not args.baseline and isinstance(train, Dataset):
        train, validation = split_validation(train, args.validation_fraction, args.seed, groups)
        if args.max_eval_samples is not None:
            everything = np.ones(len(validation), dtype=bool)
            chosen = _draw(everything, _classes(validation), args.max_eval_samples, args.seed)
            validation = validation.select(np.flatnonzero(chosen))
    # What is believed and what has no label is trained on, and nothing is judged by it.
    if learnt := [name for name in (BELIEVED_COLUMN, UNLABELLED_COLUMN) if name in cached.column_names]:
        tests = {name: clips.remove_columns(learnt) for name, clips in tests.items()}
        validation = None if validation is None else validation.remove_columns(learnt)
    parts = Parts(train, validation, tests, class_names(cached), skipped)
    if args.balance != "none" and (parts.names is None or parts.n_tags is not None):
        raise ArgumentError("--balance is of one class a clip, and this task has several answers: leave it out.")
    if args.background is not None:
        with args.main_process_first(desc="background"):
            parts.background = load_background(
                args.background, config.sampling_rate, config.clip_seconds, cached, args.seed
            )
        parts.train = concatenate_datasets([parts.clips, parts.background.train])
    return parts


def _find_unlabelled(args: RecipeArguments, task: Task) -> list[str]:
    """The files without a label of a task and of the folders of `--unlabelled`."""
    files = [str(file) for file in task.unlabelled]
    for folder in args.unlabelled or ():
        if not Path(folder).is_dir():
            raise ArgumentError(f"--unlabelled {folder} is not a folder: give one of recordings.")
        searched = search_folder(folder)
        for sentence in searched.left_out():
            logger.warning("%s", sentence)
        if not searched.audio:
            raise ArgumentError(f"--unlabelled {folder} holds no recordings: give another folder.")
        files += map(str, searched.audio)
    if files and not isinstance(task.dataset.features["label"], ClassLabel):
        raise ArgumentError("--unlabelled is of one class a clip, and this task has several answers: leave it out.")
    return files


def choose_samples(
    args: RecipeArguments, dataset: Dataset, masks: Mapping[str, np.ndarray], group_column: str | None
) -> tuple[Dataset, dict[str, np.ndarray]]:
    """For a dry run, the rows that `--max_train_samples` and `--max_eval_samples` leave, and which of them masks mean.

    Rows are drawn by the seed, of every class one before any second one.

    Args:
        args: with either of them.
        dataset: all rows.
        masks: name of a part that is held out -> its rows, (rows,) of bool; and so what is returned.
        group_column: training clips that share its value with a held-out one are not drawn.

    Raises:
        ArgumentError: classes would be left without a training clip.
    """
    classes = _classes(dataset)
    trained = ~np.any(list(masks.values()), axis=0)
    masks = {name: _draw(rows, classes, args.max_eval_samples, args.seed) for name, rows in masks.items()}
    held_out = np.any(list(masks.values()), axis=0)
    if group_column is not None and trained.any():
        groups = np.asarray(dataset[group_column])
        trained &= ~np.isin(groups, groups[held_out])
    n_classes = len(np.unique(classes[trained]))
    if args.max_train_samples is not None and args.max_train_samples < n_classes:
        raise ArgumentError(
            f"--max_train_samples {args.max_train_samples} leaves some of {n_classes} classes without a clip: give "
            f"{n_classes} or more."
        )
    kept = np.flatnonzero(held_out | _draw(trained, classes, args.max_train_samples, args.seed))
    return dataset.select(kept), {name: rows[kept] for name, rows in masks.items()}


def _classes(dataset: Dataset) -> np.ndarray:
    """Class indices, (rows,); zeros where a clip has several tags or a number."""
    if isinstance(dataset.features["label"], ClassLabel):
        return np.asarray(dataset["label"][:])
    return np.zeros(len(dataset), dtype=int)


def _draw(rows: np.ndarray, classes: np.ndarray, n_most: int | None, seed: int) -> np.ndarray:
    """Some of the rows that a mask means, (rows,) of bool, of every class one before any second one."""
    if n_most is None:
        return rows
    places = np.random.default_rng(seed).permutation(np.flatnonzero(rows))
    firsts = np.zeros(len(places), dtype=bool)
    firsts[np.unique(classes[places], return_index=True)[1]] = True
    drawn = np.zeros_like(rows)
    drawn[np.concatenate([places[firsts], places[~firsts]])[:n_most]] = True
    return drawn


def check_streamable(args: RecipeArguments, task: Task) -> None:
    """Refuse arguments that ask for all clips at once, where they come as a stream, before any folder is made.

    Raises:
        ArgumentError: there is one.
        DataError: a shard cannot be used, and `args.strict`.
    """
    stream = task.stream
    if stream is None:
        return
    for given, why in {
        "--baseline": args.baseline and "takes statistics of all clips at once",
        "--balance sampler": args.balance == "sampler" and "chooses among all clips (--balance loss does not)",
        "--background": args.background is not None and "is trained on clip by clip beside the others",
        "--max_train_samples": args.max_train_samples is not None and "chooses among all clips (use --max_steps)",
        "--teacher": args.teacher is not None and "judges clips one by one beforehand",
        "--pseudo_labels": args.pseudo_labels is not None and "adds files to a table",
        "--refit": args.refit and "adds validation clips to a table",
        "--validation_fraction": args.validation_fraction > 0
        and task.validation_rows is None
        and "splits off clips that lie in no shards of their own: name some shards validation-00000.parquet, say",
    }.items():
        if why:
            raise ArgumentError(f"{given} {why}, and a stream is read row after row: leave one of the two out.")
    if args.strict and stream.unreadable:
        raise DataError(f"A shard cannot be used and --strict is on: {stream.unreadable[0]['reason']}")


def _decode(
    args: RecipeArguments, config: AudioCNNConfig, dataset: Dataset, masks: Mapping[str, np.ndarray]
) -> tuple[Dataset, dict[str, np.ndarray], list[dict[str, str]]]:
    """The data set, decoded; which of its rows each mask means; and what is left out.

    masks: (rows,) of bool, and so what is returned.
    """
    with args.main_process_first(desc="decoding"):
        # All rows together: every fold of a cross-validation then finds them decoded.
        cached, skipped = cache_audio(
            dataset, config.sampling_rate, strict=args.strict, speech_only=config.speech_only
        )
    kept = np.asarray(cached["index"][:], dtype=int)
    return cached, {name: np.asarray(rows, dtype=bool)[kept] for name, rows in masks.items()}, skipped


def _expect_background(args: RecipeArguments, config: AudioCNNConfig, dataset: Dataset) -> Dataset:
    if not isinstance(dataset.features["label"], ClassLabel):
        raise ArgumentError("--background is of one class a clip, and this task has several answers: leave it out.")
    if config.speech_only:
        raise ArgumentError("--background is not for a model of speech alone, which waits for speech: leave it out.")
    if BELIEVED_COLUMN in dataset.column_names:
        raise ArgumentError("--background does not go with --label_rounds: leave one of them out.")
    if args.teacher is not None:
        raise ArgumentError("--background is nothing that a --teacher has learnt: leave one of them out.")
    return add_none(dataset)
