"""Clips of one class each: scores, intervals, classes, confusions, and the clips one by one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from ...data.tables.text_tables import read_table, write_rows
from ...models.configuration_audio_cnn import NONE_OF_THESE
from ..intervals import balanced_accuracy_interval, f1_macro_interval, mean_interval
from ..markdown import Table
from ..metrics import Accuracy, BalancedAccuracy, F1Macro, MeanAveragePrecisionAt3
from ..metrics.calibration import calibration_figure
from ..metrics.map_at_3 import average_precision_at_3, rank_labels
from ..plots import CONFUSION_NAME, plot_confusion_matrix
from ..scores import relative_paths
from .columns import GROUP_COLUMN, OWN_COLUMNS, PREDICTIONS_NAME, RANKED_COLUMNS, with_columns

NOT_TESTED = "not tested"  # in the place of figures


@dataclass
class Predictions:
    """Held-out clips with what they are and what they were taken for."""

    answer: ClassVar[str] = "Accuracy"
    """What `right` is the share of, for a table's head."""
    paths: Sequence[str]
    """Of the files, (clips,)."""
    names: Sequence[str]
    """Of the classes."""
    references: np.ndarray
    """True class indices, (clips,)."""
    ranked: np.ndarray
    """The three best class indices, best first, (clips, 3); of two classes both."""
    scores: np.ndarray
    """Probabilities of the best class, (clips,)."""
    groups: np.ndarray | None = None
    """What clips belong together by (recording, speaker), (clips,); intervals count them together."""
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    """What else is known of each clip (sex, microphone), by columns of the data, (clips,) each."""

    @property
    def predictions(self) -> np.ndarray:
        """Predicted class indices, (clips,)."""
        return self.ranked[:, 0]

    @property
    def right(self) -> np.ndarray:
        """Whether each clip was taken for what it is, (clips,) of bool."""
        return self.references == self.predictions

    @property
    def confidence(self) -> np.ndarray:
        """The probability of each answer, (clips,)."""
        return self.scores

    @property
    def pictures(self) -> list[str]:
        """Files that `write` leaves for the card."""
        return [CONFUSION_NAME]

    @classmethod
    def from_probabilities(
        cls, paths: Sequence[str], names: Sequence[str], references: Any, probabilities: np.ndarray
    ) -> "Predictions":
        """references: (clips,); probabilities: (clips, classes)."""
        return cls(paths, names, np.asarray(references), rank_labels(probabilities), probabilities.max(-1))

    @classmethod
    def read(cls, file: Path, names: Sequence[str]) -> "Predictions":
        """What `write` has left in a `predictions.csv`."""
        rows = read_table(file).to_dict("records")
        numbers = {name: number for number, name in enumerate(names)}
        further = [name for name in (rows[0] if rows else ()) if name not in OWN_COLUMNS]
        return cls(
            [row["path"] for row in rows],
            names,
            np.array([numbers[row["label"]] for row in rows]),
            np.array([[numbers[row[name]] for name in RANKED_COLUMNS[: len(names)]] for row in rows]),
            np.array([float(row["score"]) for row in rows]),
            np.array([row[GROUP_COLUMN] for row in rows]) if rows and GROUP_COLUMN in rows[0] else None,
            {name: np.array([row[name] for row in rows]) for name in further},
        )

    def rows(self) -> list[dict[str, Any]]:
        """The rows of `predictions.csv`, with paths relative to the folder that holds all files."""
        rows = [
            {
                "path": path,
                "label": self.names[reference],
                "prediction": self.names[ranked[0]],
                "score": f"{score:.4f}",
                **{name: self.names[label] for name, label in zip(RANKED_COLUMNS[1:], ranked[1:], strict=False)},
            }
            for path, reference, ranked, score in zip(
                relative_paths(self.paths), self.references, self.ranked, self.scores, strict=True
            )
        ]
        return with_columns(rows, self.groups, self.columns)

    def untested(self) -> list[str]:
        """Names of the classes that no clip is of, so that no figure tells of them."""
        tested = set(self.references.tolist())
        return [name for number, name in enumerate(self.names) if number not in tested and name != NONE_OF_THESE]

    def per_class(self) -> list[dict[str, Any]]:
        """Precision, recall, F1 and number of clips of every class; of one without clips, `None` for all three."""
        columns = precision_recall_fscore_support(
            self.references, self.predictions, labels=range(len(self.names)), zero_division=0
        )
        rows = []
        for name, *scores, n in zip(self.names, *columns, strict=True):
            precision, recall, f1 = map(float, scores) if n else (None, None, None)
            rows.append({"label": name, "precision": precision, "recall": recall, "f1": f1, "clips": int(n)})
        return rows

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

    @staticmethod
    def metric_names(n_labels: int) -> list[str]:
        """What `metrics` tells of so many classes, the usual one first."""
        ranking = ["map_at_3"] if n_labels > 3 else []
        return ["accuracy", "balanced_accuracy", "f1_macro", *ranking, "calibration_error"]

    def metrics(self) -> dict[str, float]:
        """Accuracy, balanced accuracy, macro F1 and calibration error, and of more than three classes mAP@3."""
        results: dict[str, float] = {}
        for kind in (Accuracy, BalancedAccuracy, F1Macro):
            results |= kind(keep_in_memory=True).compute(predictions=self.predictions, references=self.references)
        if len(self.names) > 3:
            ranking = MeanAveragePrecisionAt3(keep_in_memory=True)
            results |= ranking.compute(predictions=self.ranked, references=self.references)
        return results | calibration_figure(self.confidence, self.right)

    def tables(self) -> list[Table]:
        """Tables of the card."""
        pairs = [[row["pair"], row["confused"], row["clips"]] for row in self.hardest_pairs()]
        classes = [
            [row["label"], *(_in_table(row[name]) for name in ("precision", "recall", "f1")), row["clips"]]
            for row in self.per_class()
        ]
        intro = "The pairs of classes that are taken for one another most often:"
        return [
            *([Table(intro, ["Pair", "Clips confused", "Clips of the two"], pairs)] if pairs else []),
            Table("", ["Class", "Precision", "Recall", "F1", "Clips"], classes),
        ]

    def intervals(self) -> dict[str, tuple[float, float]]:
        """95 % intervals of the metrics over clips, or groups of them."""
        references, predictions, groups = self.references, self.predictions, self.groups
        intervals = {
            "accuracy": mean_interval((references == predictions).astype(float), groups=groups),
            "balanced_accuracy": balanced_accuracy_interval(references, predictions, groups),
            "f1_macro": f1_macro_interval(references, predictions, groups),
        }
        if len(self.names) > 3:
            pairs = zip(self.ranked.tolist(), references.tolist(), strict=True)
            precision = np.array([average_precision_at_3(ranked, label) for ranked, label in pairs])
            intervals["map_at_3"] = mean_interval(precision, groups=groups)
        return intervals

    def write(self, folder: Path) -> None:
        """Leave `predictions.csv`, `per_class.csv` and `confusion_matrix.png` in a folder."""
        write_rows(folder / PREDICTIONS_NAME, self.rows())
        write_rows(folder / "per_class.csv", self.per_class())
        plot_confusion_matrix(self.references, self.predictions, self.names, folder / CONFUSION_NAME)


def _in_table(figure: float | None) -> str:
    return NOT_TESTED if figure is None else f"{figure:.3f}"
