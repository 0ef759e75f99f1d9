"""What a run says about the clips it held out: scores, intervals, classes, confusions, and the clips one by one."""

import csv
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix, f1_score, precision_recall_fscore_support
from transformers import PreTrainedConfig

from .metrics import Accuracy, CharacterErrorRate, F1Macro
from .metrics.cer import edit_distance
from .plots import plot_confusion_matrix

PREDICTIONS_NAME = "predictions.csv"
CONFUSION_NAME = "confusion_matrix.png"


@dataclass
class Table:
    """Of a card."""

    intro: str
    """The sentence above it, or nothing."""
    header: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass
class Predictions:
    """Held-out clips with what they are and what they were taken for."""

    paths: Sequence[str]
    """Of the files, (clips,)."""
    names: Sequence[str]
    """Of the classes."""
    references: np.ndarray
    """True class indices, (clips,)."""
    predictions: np.ndarray
    """Predicted class indices, (clips,)."""
    scores: np.ndarray
    """Probabilities of the predicted classes, (clips,)."""

    @classmethod
    def from_probabilities(
        cls, paths: Sequence[str], names: Sequence[str], references: np.ndarray, probabilities: np.ndarray
    ) -> "Predictions":
        """probabilities: (clips, classes)."""
        return cls(paths, names, np.asarray(references), probabilities.argmax(-1), probabilities.max(-1))

    @classmethod
    def read(cls, file: Path, names: Sequence[str]) -> "Predictions":
        """What `write` has left in a `predictions.csv`."""
        with file.open(newline="", encoding="utf-8") as opened:
            rows = list(csv.DictReader(opened))
        numbers = {name: number for number, name in enumerate(names)}
        return cls(
            [row["path"] for row in rows],
            names,
            np.array([numbers[row["label"]] for row in rows]),
            np.array([numbers[row["prediction"]] for row in rows]),
            np.array([float(row["score"]) for row in rows]),
        )

    @classmethod
    def concatenate(cls, parts: Sequence["Predictions"]) -> "Predictions":
        """Several parts, of the same classes, as one."""
        return cls(
            [path for part in parts for path in part.paths],
            parts[0].names,
            np.concatenate([part.references for part in parts]),
            np.concatenate([part.predictions for part in parts]),
            np.concatenate([part.scores for part in parts]),
        )

    def rows(self) -> list[dict[str, Any]]:
        """Of `predictions.csv`, paths relative to the folder that holds all files."""
        return [
            {
                "path": path,
                "label": self.names[reference],
                "prediction": self.names[prediction],
                "score": f"{score:.4f}",
            }
            for path, reference, prediction, score in zip(
                relative_paths(self.paths), self.references, self.predictions, self.scores, strict=True
            )
        ]

    def per_class(self) -> list[dict[str, Any]]:
        """Precision, recall, F1 and number of clips of every class."""
        columns = precision_recall_fscore_support(
            self.references, self.predictions, labels=range(len(self.names)), zero_division=0
        )
        rows = zip(self.names, *columns, strict=True)
        return [{"label": name, "precision": p, "recall": r, "f1": f, "clips": int(n)} for name, p, r, f, n in rows]

    def hardest_pairs(self, n: int = 10) -> list[dict[str, Any]]:
        """The pairs of classes that are most often taken for one another, most frequent first."""
        counts = confusion_matrix(self.references, self.predictions, labels=range(len(self.names)))
        both = np.triu(counts + counts.T, 1)
        order = np.argsort(-both, axis=None, kind="stable")[:n]
        pairs = [np.unravel_index(place, both.shape) for place in order if both.flat[place] > 0]
        return [
            {
                "pair": f"{self.names[a]} and {self.names[b]}",
                "confused": int(both[a, b]),
                "clips": int(counts[a].sum() + counts[b].sum()),
            }
            for a, b in pairs
        ]

    def metrics(self) -> dict[str, float]:
        """Accuracy and macro F1."""
        results: dict[str, float] = {}
        for metric in (Accuracy(keep_in_memory=True), F1Macro(keep_in_memory=True)):
            results |= metric.compute(predictions=self.predictions, references=self.references)
        return results

    def tables(self) -> list[Table]:
        """Of the card."""
        pairs = [[row["pair"], row["confused"], row["clips"]] for row in self.hardest_pairs()]
        classes = [
            [row["label"], *(f"{row[name]:.3f}" for name in ("precision", "recall", "f1")), row["clips"]]
            for row in self.per_class()
        ]
        intro = "The pairs of classes that are taken for one another most often:"
        return [
            *([Table(intro, ["Pair", "Clips confused", "Clips of the two"], pairs)] if pairs else []),
            Table("", ["Class", "Precision", "Recall", "F1", "Clips"], classes),
        ]

    def intervals(self) -> dict[str, tuple[float, float]]:
        """95 % intervals of accuracy and macro F1 over clips."""
        right = self.references == self.predictions

        def f1(clips: np.ndarray) -> float:
            return f1_score(self.references[clips], self.predictions[clips], average="macro", zero_division=0)

        scores = {"accuracy": lambda clips: right[clips].mean(), "f1_macro": f1}
        return {name: bootstrap_interval(score, len(right)) for name, score in scores.items()}

    def write(self, folder: Path) -> None:
        """Leave `predictions.csv`, `per_class.csv` and `confusion_matrix.png` in a folder."""
        write_rows(folder / PREDICTIONS_NAME, self.rows())
        write_rows(folder / "per_class.csv", self.per_class())
        plot_confusion_matrix(self.references, self.predictions, self.names, folder / CONFUSION_NAME)


@dataclass
class NumberPredictions:
    """Held-out clips of spoken numbers with what was said and what was read."""

    paths: Sequence[str]
    """Of the files, (clips,)."""
    references: np.ndarray
    """The digits that were said, (clips, digits)."""
    predictions: np.ndarray
    """The digits that were read, (clips, digits)."""
    scores: np.ndarray
    """Probabilities that all digits of a number are right, (clips,)."""

    @property
    def names(self) -> Sequence[str]:
        """Of the digits."""
        return "0123456789"

    @classmethod
    def from_probabilities(
        cls, paths: Sequence[str], names: Sequence[str], references: np.ndarray, probabilities: np.ndarray
    ) -> "NumberPredictions":
        """probabilities: (clips, digits x 10); the names of so many labels are not needed."""
        references = np.asarray(references)
        digits = probabilities.reshape(*references.shape, 10)
        return cls(paths, references, digits.argmax(-1), digits.max(-1).prod(-1))

    def metrics(self) -> dict[str, float]:
        """Character error rate over clips and over the corpus, and the share of numbers without an error."""
        spoken, read = _as_texts(self.references), _as_texts(self.predictions)
        return CharacterErrorRate(keep_in_memory=True).compute(predictions=read, references=spoken)

    def intervals(self) -> dict[str, tuple[float, float]]:
        """95 % intervals of the error rate and of the share of numbers without an error, over clips."""
        spoken, read = _as_numbers(self.references), _as_numbers(self.predictions)
        rates = np.array([edit_distance(b, a) / len(a) for a, b in zip(spoken, read, strict=True)])
        return {
            "cer": bootstrap_interval(lambda clips: rates[clips].mean(), len(rates)),
            "exact_match": bootstrap_interval(lambda clips: (rates[clips] == 0).mean(), len(rates)),
        }

    def rows(self) -> list[dict[str, Any]]:
        """Of `predictions.csv`, paths relative to the folder that holds all files."""
        columns = relative_paths(self.paths), _as_numbers(self.references), _as_numbers(self.predictions), self.scores
        return [
            {"path": path, "number": spoken, "prediction": read, "score": f"{score:.4f}"}
            for path, spoken, read, score in zip(*columns, strict=True)
        ]

    def tables(self) -> list[Table]:
        """Of the card: errors by the digit's place and the digits that are misheard most."""
        wrong = (self.references != self.predictions).mean(0)
        n_digits = len(wrong)
        places = [[f"10^{n_digits - 1 - i}", f"{share:.4f}"] for i, share in enumerate(wrong)]
        counts = confusion_matrix(self.references.ravel(), self.predictions.ravel(), labels=range(10))
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
        digits = self.references.ravel(), self.predictions.ravel()
        plot_confusion_matrix(*digits, self.names, folder / CONFUSION_NAME)


def predictions_class(config: PreTrainedConfig) -> type[Predictions] | type[NumberPredictions]:
    """What a model of this config is judged by."""
    return NumberPredictions if getattr(config, "num_digits", 0) else Predictions


def _as_texts(digits: np.ndarray) -> list[str]:
    """(clips, digits) -> strings of so many digits."""
    return ["".join(map(str, row)) for row in digits]


def _as_numbers(digits: np.ndarray) -> list[str]:
    """(clips, digits) -> strings without leading zeros."""
    return [text.lstrip("0") or "0" for text in _as_texts(digits)]


def relative_paths(paths: Sequence[str]) -> list[str]:
    """The files' names below the folder that holds them all, with forward slashes."""
    absolute = [Path(path).absolute() for path in paths]
    try:
        root = Path(os.path.commonpath([path.parent for path in absolute]))
    except ValueError:  # two drives of Windows
        root = Path()
    return [path.relative_to(root).as_posix() for path in absolute]


def bootstrap_interval(
    score: Callable[[np.ndarray], float], n_clips: int, *, seed: int = 0, draws: int = 1000
) -> tuple[float, float]:
    """95 % percentile interval of a score over clips drawn with replacement.

    score: takes the drawn clips' indices (n_clips,). Source: Efron 1979, https://doi.org/10.1214/aos/1176344552.
    """
    generator = np.random.default_rng(seed)
    values = [score(generator.integers(n_clips, size=n_clips)) for _ in range(draws)]
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """A CSV of dictionaries with the same keys, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    os.replace(temporary, path)
