"""What a cross-validation hands on to a last training, which learns from all clips: how good it may be held to be."""

import json
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset

from ...runs.comparison import COMPARISONS
from ...runs.confidence import TEMPERATURE
from ...runs.folder.contents import RESULTS_NAME, training_seconds
from ...runs.scores import Scores, read_scores, relative_paths
from .event_fit import mean_rule
from .validated import FITTED_NAME, Validated


@dataclass(frozen=True)
class Crossed:
    """A finished cross-validation, each of whose networks was tested on the clips that it was not trained on."""

    folder: Path
    names: list[str]
    """Of the folds."""
    scores: Scores
    """Of every clip that a fold held out, by that fold's network; the paths are whole."""
    places: np.ndarray
    """Of those clips in the data set, (clips,) of int."""
    fold: np.ndarray
    """Which fold held each clip out, (clips,) of int."""
    has_groups: bool
    """Whether folds held out whole groups."""

    @classmethod
    def read(
        cls, folder: Path, dataset: Dataset, folds: Mapping[str, np.ndarray], group_column: str | None
    ) -> "Crossed":
        """What a cross-validation has left.

        Args:
            folder: of the cross-validation.
            dataset: all clips.
            folds: name -> which of them it holds out, (rows,) of bool.
            group_column: of the data set, or `None`.
        """
        parts = {name: read_scores(folder / f"fold_{name}")["test"] for name in folds}
        paths, rows = dataset["path"][:], []
        for name, mask in folds.items():
            # A run names clips from the folder on that holds all of them, and leaves out what cannot be read. Parts of
            # one recording have its name, and come in their order.
            held_out = np.flatnonzero(mask)
            by_name: dict[str, deque[int]] = defaultdict(deque)
            for path, row in zip(relative_paths([paths[row] for row in held_out]), held_out, strict=True):
                by_name[path].append(int(row))
            rows += [by_name[path].popleft() for path in parts[name].paths]
        scores = Scores(
            [paths[row] for row in rows],
            np.concatenate([part.references for part in parts.values()]),
            np.concatenate([part.probabilities for part in parts.values()]),
        )
        fold = np.repeat(np.arange(len(parts)), [len(part.paths) for part in parts.values()])
        return cls(folder, list(folds), scores, np.array(rows), fold, group_column is not None)

    @cached_property
    def results(self) -> dict[str, dict[str, Any]]:
        """What the runs of the folds have measured."""
        return {
            name: json.loads((self.folder / f"fold_{name}" / RESULTS_NAME).read_text(encoding="utf-8"))
            for name in self.names
        }

    @property
    def temperatures(self) -> np.ndarray:
        """The temperature by which the logits of each clip were divided, (clips,)."""
        return np.array([results.get(TEMPERATURE, 1.0) for results in self.results.values()])[self.fold]

    @property
    def seconds(self) -> float:
        """Seconds that the trainings of the folds took."""
        return sum(map(training_seconds, self.results.values()))

    @property
    def validated(self) -> Validated | None:
        """What the folds' own validation clips have chosen, in the mean; `None` where they had none."""
        fitted = [results[FITTED_NAME] for results in self.results.values() if FITTED_NAME in results]
        if not fitted:
            return None
        return Validated(
            str(self.folder / f"fold_{self.names[0]}"),
            0.0,
            epochs=round(float(np.mean([fit["epochs"] for fit in fitted])), 6),
            temperature=float(np.exp(np.mean([np.log(fit["temperature"]) for fit in fitted]))),
            rejection_margin=float(np.mean([fit["rejection_margin"] for fit in fitted])),
            event_rule=mean_rule([fit.get("event_rule") for fit in fitted]),
        )

    def note(self) -> str:
        """Whose figures they are, for the card."""
        without = "its recording" if self.has_groups else "it"
        return (
            f"Every clip was judged once, by one of {len(self.names)} networks that were trained like this one, but "
            f"without {without}; this one was trained on all clips afterwards."
        )

    def compared(self) -> dict[str, Any]:
        """How the folds compare with answers that need no hearing, and with their rivals, for the results."""
        results = json.loads((self.folder / RESULTS_NAME).read_text(encoding="utf-8"))
        return {name: results[name] for name in COMPARISONS if name in results}

    def rows(self, metrics: Mapping[str, str]) -> list[dict[str, Any]]:
        """A row a fold, for the card; metrics: name -> its words."""
        return [
            {"Fold": name, **{words: results[f"eval_{metric}"] for metric, words in metrics.items()}}
            for name, results in self.results.items()
        ]
