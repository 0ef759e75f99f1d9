"""What a recipe returns: the data and the facts of one task, and nothing of how networks are trained."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from datasets import Dataset

from ..arguments import RecipeArguments
from ..data.shards import Split
from ..models import AudioCNNConfig
from ..runs.card import TaskFacts
from ..runs.predictions import AnyPredictions

if TYPE_CHECKING:
    from .search import SearchSpace
    from .validated import Validated

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
    """Rows of `path` and `label`, as the functions of `data.rows` give them."""
    held_out: np.ndarray
    """Which rows are the test set, (rows,) of bool; they are judged once, after training, and choose nothing."""
    facts: TaskFacts
    """What the card says about the task."""
    folds: Mapping[str, np.ndarray] | None = None
    """For a cross-validation, in the place of `held_out`: name of each fold -> which rows it holds out."""
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
    stream: Split | None = None
    """What is trained on instead, read anew in every epoch and never decoded as a whole. All rows of `dataset` are
    then held out, and its classes are those of the stream."""
    search_space: "SearchSpace | None" = None
    """From where `--search` takes what it tries."""
    label_rounds: int = 0
    """Rounds in which networks judge unverified labels out of fold, before training."""
    pretraining: Pretraining | None = None

    # What the runs before a training hand on to it; a recipe leaves these as they are.
    begins_with: str | None = None
    """Folder of the weights that training begins with, unless `--model_name_or_path` says."""
    preceding_seconds: Mapping[str, float] = field(default_factory=dict)
    """How long the trainings before this one took, by their names in the results."""
    validated: "Validated | None" = None
    """The run that precedes this one by `--refit`."""
