"""Predictions of spoken numbers, digit by digit; a clip may hold none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ...data.rows import NO_DIGIT
from ...data.tables.text_tables import write_rows
from ...inference.facts import NO_NUMBER, no_number
from ..intervals import bootstrap_interval, mean_interval
from ..markdown import Table
from ..metrics import CharacterErrorRate
from ..metrics.calibration import calibration_figure
from ..metrics.cer import edit_distance
from ..metrics.two_classes import roc_auc
from ..plots import CONFUSION_NAME, plot_confusion_matrix
from ..scores import relative_paths
from .columns import PREDICTIONS_NAME, with_columns


@dataclass
class NumberPredictions:
    """Held-out clips of spoken numbers with what was said and what was read."""

    answer: ClassVar[str] = "Without an error"
    """What `right` is the share of, for a table's head."""
    paths: Sequence[str]
    """Of the files, (clips,)."""
    references: np.ndarray
    """The digits that were said, (clips, digits), and -1 of clips that hold no number."""
    predictions: np.ndarray
    """The most probable digits, (clips, digits); -1 where it is more probable that there is no number."""
    scores: np.ndarray
    """Probabilities that all digits of a number are right, (clips,)."""
    none_scores: np.ndarray | None = None
    """Probabilities that a clip holds no number, (clips,)."""
    groups: np.ndarray | None = None
    """As of `Predictions`."""
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    """As of `Predictions`."""

    @property
    def right(self) -> np.ndarray:
        """Whether each number was read without an error, (clips,) of bool."""
        return (self.references == self.predictions).all(1)

    @property
    def confidence(self) -> np.ndarray:
        """The probability of each answer, a number or that there is none, (clips,)."""
        if self.none_scores is None:
            return self.scores
        return np.where((self.predictions >= 0).all(1), self.scores, self.none_scores)

    @property
    def is_number(self) -> np.ndarray:
        """Which clips hold a number, (clips,) of bool."""
        return self.references.min(1) >= 0

    @property
    def names(self) -> Sequence[str]:
        """The ten digits."""
        return "0123456789"

    @property
    def pictures(self) -> list[str]:
        """Files that `write` leaves for the card."""
        return [CONFUSION_NAME]

    @classmethod
    def from_probabilities(
        cls, paths: Sequence[str], names: Sequence[str], references: Any, probabilities: np.ndarray
    ) -> "NumberPredictions":
        """references: (clips, digits); probabilities: (clips, digits x 10); the names of labels are not needed."""
        spoken = np.asarray(references)
        digits = probabilities.reshape(*spoken.shape, 10)
        none = no_number(digits)
        read = np.where(none[:, None] > 0.5, NO_DIGIT, digits.argmax(-1))
        return cls(paths, spoken, read, digits.max(-1).prod(-1), none)

    @staticmethod
    def metric_names(n_labels: int) -> list[str]:
        """What `metrics` tells, the usual one first."""
        return ["cer", "cer_corpus", "exact_match", "calibration_error"]

    def metrics(self) -> dict[str, float]:
        """Character error rate over clips and over the corpus, the share of numbers without an error, calibration.

        With clips that hold no number, how well these are told from numbers by the scores too.
        """
        is_number = self.is_number
        spoken, read = _as_texts(self.references[is_number]), _as_texts(self.predictions[is_number])
        metrics = CharacterErrorRate(keep_in_memory=True).compute(predictions=read, references=spoken)
        if not is_number.all():
            metrics["rejection_auroc"] = roc_auc(is_number.astype(int), self.scores)
        return metrics | calibration_figure(self.confidence, self.right)

    def intervals(self) -> dict[str, tuple[float, float]]:
        """95 % intervals of the error rates and of the share of numbers without an error, over clips."""
        is_number = self.is_number
        spoken, read = number_texts(self.references[is_number]), number_texts(self.predictions[is_number])
        errors = np.array([edit_distance(b, a) for a, b in zip(spoken, read, strict=True)])
        lengths = np.array([len(number) for number in spoken])
        rates, groups = errors / lengths, None if self.groups is None else self.groups[is_number]
        exact = mean_interval((errors == 0).astype(float), groups=groups)
        intervals = {
            "cer": bootstrap_interval(lambda clips: rates[clips].mean(), len(rates), groups=groups),
            "cer_corpus": bootstrap_interval(
                lambda clips: errors[clips].sum() / lengths[clips].sum(), len(rates), groups=groups
            ),
        }
        if not errors.any():  # so many clips may still have one
            share = 1 - exact[0]
            most = {"cer": share * (1 / lengths).mean(), "cer_corpus": share / lengths.mean()}
            intervals = {name: (0.0, float(rate)) for name, rate in most.items()}
        return {**intervals, "exact_match": exact}

    def rows(self) -> list[dict[str, Any]]:
        """The rows of `predictions.csv`, with paths relative to the folder that holds all files."""
        columns = (
            relative_paths(self.paths),
            number_texts(self.references),
            number_texts(self.predictions),
            self.scores,
        )
        rows = [
            {
                "path": path,
                "number": spoken or NO_NUMBER,
                "prediction": read or NO_NUMBER,
                "score": f"{score:.4f}",
            }
            for path, spoken, read, score in zip(*columns, strict=True)
        ]
        return with_columns(rows, self.groups, self.columns)

    def untested(self) -> list[str]:
        """No classes: of numbers, none are called untested."""
        return []

    def tables(self) -> list[Table]:
        """Tables of the card: errors by the digit's place, and the digits that are misheard most."""
        is_number = self.is_number
        wrong = (self.references != self.predictions)[is_number].mean(0)
        n_digits = len(wrong)
        places = [[f"10^{n_digits - 1 - i}", f"{share:.4f}"] for i, share in enumerate(wrong)]
        counts = np.zeros((10, 10), dtype=int)
        np.add.at(counts, self._digits(), 1)
        np.fill_diagonal(counts, 0)
        order = [place for place in np.argsort(-counts, axis=None, kind="stable")[:10] if counts.flat[place]]
        misheard = [[place // 10, place % 10, counts.flat[place]] for place in order]
        tables = [Table("", ["Place", "Share of digits misread"], places)]
        if misheard:
            tables.append(Table("The digits that are misread most often:", ["Said", "Read", "Times"], misheard))
        return tables

    def write(self, folder: Path) -> None:
        """Leave `predictions.csv` and the digits' `confusion_matrix.png` in a folder."""
        write_rows(folder / PREDICTIONS_NAME, self.rows())
        plot_confusion_matrix(*self._digits(), self.names, folder / CONFUSION_NAME)

    def _digits(self) -> tuple[np.ndarray, np.ndarray]:
        """The digits that were said, and what was read of them, (digits of all clips,) each."""
        both = self.is_number & (self.predictions >= 0).all(1)
        return self.references[both].ravel(), self.predictions[both].ravel()


def number_texts(digits: np.ndarray) -> list[str]:
    """(clips, digits) -> strings without leading zeros."""
    return [text and (text.lstrip("0") or "0") for text in _as_texts(digits)]


def _as_texts(digits: np.ndarray) -> list[str]:
    """(clips, digits) -> strings of so many digits, and empty ones where there is no number."""
    return ["" if min(row) < 0 else "".join(map(str, row)) for row in digits.tolist()]
