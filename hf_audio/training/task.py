"""What a recipe returns: the data and the facts of one task, and nothing of how networks are trained."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from datasets import Dataset

from ..arguments import RecipeArguments
from ..data.rows import as_rows
from ..data.shards import Split
from ..errors import DataError
from ..models import AudioCNNConfig
from ..runs.card import HARMONIC, METRIC_NAMES, TaskFacts
from ..runs.predictions.kinds import AnyPredictions

if TYPE_CHECKING:
    from .judgement.crossed import Crossed
    from .judgement.validated import Validated
    from .series.search import SearchSpace

TEST = "test"  # the held-out clips that a run's metrics are of; further ones have other names

Augmentation = Callable[..., np.ndarray]


@dataclass(frozen=True)
class Pretraining:
    """A first network of other clips, with whose weights the task's network begins."""

    make_task: Callable[[RecipeArguments], "Task"]
    """Of the first training, given its arguments; called only where that is not finished yet."""
    arguments: Mapping[str, Any]
    """What the first training has otherwise than the command."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """Recordings, a network's config, and what is particular about training the one on the other."""

    config: AudioCNNConfig
    """Of the network; its labels are set from the data."""
    dataset: Dataset
    """Rows of `path` and `label`, as the functions of `data.rows` give them; or of `audio` and `label`, as the Hub's
    data sets have them."""
    held_out: np.ndarray
    """Which rows are the test set, (rows,) of bool, or their indices, here and below; they are judged once, after
    training, and choose nothing."""
    facts: TaskFacts
    """What the card says about the task."""
    folds: Mapping[str, np.ndarray] | None = None
    """For a cross-validation, in the place of `held_out`: name of each fold -> which rows it holds out."""
    refits: bool = False
    """Whether a network that is trained on all clips follows the folds, which judge it."""
    augmentation: Augmentation | None = None
    """An audiomentations transform for training clips, drawn anew in every epoch."""
    slow_augmentation: Augmentation | None = None
    """Another one, applied before it and drawn anew every `refresh_epochs` epochs. Of a stream, nothing is kept: in
    every epoch, one clip in `refresh_epochs` gets it."""
    group_column: str | None = None
    """Clips that share its value (recording, speaker) are never on two sides: those that share it with a held-out clip
    are not trained on, and a validation split keeps them together."""
    validation_group_column: str | None = None
    """As `group_column`, for the validation split alone."""
    validation_rows: np.ndarray | None = None
    """Which rows validate, (rows,) of bool, instead of a share of the training clips; so where `validation_fraction`
    is above 0."""
    further_tests: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Name -> rows, as `held_out`: further test sets, of other voices or places. Their metrics are
    `eval_<metric>_<name>`, and of error rates the harmonic mean with those of the first one."""
    pooled_column: str | None = None
    """Column (speaker) by whose values test clips are judged as a whole too, by the mean of their probabilities. Those
    metrics are `eval_<metric>_<column>`."""
    plot: Callable[[AnyPredictions, Path], Sequence[str]] | None = None
    """Draws further pictures of the test clips into a folder, and returns their names, for the card."""
    crop_seconds: tuple[float, float] | None = None
    """Shortest and longest random crop of a training clip; every batch draws a length of its own between. By default,
    `config.clip_seconds`."""
    unlabelled: Sequence[str] = ()
    """Files without a label that came with the recordings; with a teacher, its answers to them are learnt."""
    stream: Split | None = None
    """What is trained on instead, read anew in every epoch and never decoded as a whole. All rows of `dataset` are
    then held out, and its classes are those of the stream."""
    stop_when_settled: bool = False
    """Whether training ends, before the epochs of the arguments, where inner validation says that nothing is gained.
    Its learning rate then stays until it falls at the end."""
    search_space: "SearchSpace | None" = None
    """From where `--search` takes what it tries."""
    label_rounds: int = 0
    """Rounds in which networks judge unverified labels out of fold, before training."""
    label_encoder: str | None = None
    """The pretrained encoder by whose embeddings they are judged, where no networks are to be trained for that."""
    pretraining: Pretraining | None = None

    # What the runs before a training hand on to it; a recipe leaves these as they are.
    begins_with: str | None = None
    """Folder of the weights that training begins with, unless `--model_name_or_path` says."""
    preceding_seconds: Mapping[str, float] = field(default_factory=dict)
    """How long the trainings before this one took, by their names in the results."""
    validated: "Validated | None" = None
    """The run that precedes this one by `--refit`."""
    crossed: "Crossed | None" = None
    """The cross-validation that judges this training, which has no test clips then."""
    is_retold: bool = False
    """Whether a training before this one has said what is to be said of the same clips."""
    purpose: Literal["result", "fold", "preparation"] = "result"
    """What the run is for: its figures are those that count, or a fold's, or of a training before the one that counts.
    """

    def __post_init__(self) -> None:
        """Take rows as indices too, and refuse a data set that a training cannot read.

        Raises:
            DataError: rows that the data set does not have, or a data set without `path` and `label`.
        """
        object.__setattr__(self, "dataset", as_rows(self.dataset))
        n_rows = len(self.dataset)
        object.__setattr__(self, "held_out", as_mask(self.held_out, n_rows, "held_out"))
        if self.validation_rows is not None:
            object.__setattr__(self, "validation_rows", as_mask(self.validation_rows, n_rows, "validation_rows"))
        for name in ("folds", "further_tests"):
            masks = getattr(self, name)
            if masks is not None:
                masks = {key: as_mask(rows, n_rows, f"{name}[{key!r}]") for key, rows in masks.items()}
                object.__setattr__(self, name, masks)
        for name in self.further_tests:
            taken = name in (TEST, "validation", HARMONIC, self.pooled_column) or _ends_a_metric(name)
            if taken or not re.fullmatch(r"[\w-]+", name):
                raise DataError(
                    f"further_tests: {name!r} cannot end the names of metrics: choose another word, of letters and "
                    "digits."
                )


def as_mask(rows: Any, n_rows: int, name: str) -> np.ndarray:
    """Rows of a data set, given as (n_rows,) of bool or as indices -> (n_rows,) of bool.

    Raises:
        DataError: they are neither, or not of so many rows; name: that the message has for them.
    """
    given = np.asarray(sorted(rows) if isinstance(rows, set | frozenset) else rows)
    holds = f"{name} holds"
    if given.ndim != 1:
        raise DataError(f"{holds} an array of the shape {given.shape}: give a bool for each row, or indices of rows.")
    if given.dtype == bool:
        if len(given) != n_rows:
            raise DataError(f"{holds} {len(given)} bools, and the data set has {n_rows} rows: give one for each row.")
        return given
    if len(given) == 0:
        return np.zeros(n_rows, dtype=bool)
    if not np.issubdtype(given.dtype, np.integer):
        raise DataError(f"{holds} values of the type {given.dtype}: give a bool for each row, or indices of rows.")
    wrong = given[(given < 0) | (given >= n_rows)]
    if len(wrong):
        raise DataError(f"{holds} the index {wrong[0]}, and the data set has {n_rows} rows, from 0: mend the indices.")
    if len(np.unique(given)) < len(given):
        raise DataError(
            f"{holds} an index twice: give each once; rows that are marked by 0 and 1 must be bools, as "
            "`.astype(bool)` makes them."
        )
    mask = np.zeros(n_rows, dtype=bool)
    mask[given] = True
    return mask


def _ends_a_metric(name: str) -> bool:
    """Whether a metric of one test set ends so, as `cer_corpus` does."""
    return any(metric.endswith(f"_{name}") for metric in METRIC_NAMES)
