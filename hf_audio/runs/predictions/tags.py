"""Clips of several tags each, or of none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ...data.tables.tags import SEPARATOR
from ...data.tables.text_tables import read_table, write_rows
from ..intervals import mean_interval
from ..markdown import Table
from ..metrics.calibration import calibration_figure
from ..metrics.map_at_3 import rank_labels
from ..metrics.tagging import average_precision, label_ranking_precision, tagging_precision
from ..scores import read_scores, relative_paths
from .columns import GROUP_COLUMN, OWN_COLUMNS, PREDICTIONS_NAME, RANKED_COLUMNS, with_columns


@dataclass
class TagPredictions:
    """Held-out clips of several tags each, and how probable each tag was found."""

    answer: ClassVar[str] = "First tag right"
    """What `right` is the share of, for a table's head."""
    paths: Sequence[str]
    """Of the files, (clips,)."""
    names: Sequence[str]
    """Of the tags."""
    references: np.ndarray
    """1 for a clip's tags and 0 for others, (clips, tags)."""
    scores: np.ndarray
    """Probabilities, (clips, tags)."""
    groups: np.ndarray | None = None
    """As of `Predictions`."""
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    """As of `Predictions`."""

    @property
    def right(self) -> np.ndarray:
        """Whether the most probable tag is one of the clip's, (clips,) of bool."""
        return self.references[np.arange(len(self.scores)), self.scores.argmax(1)] == 1

    @property
    def confidence(self) -> np.ndarray:
        """The probability of the most probable tag, (clips,)."""
        return self.scores.max(1)

    @property
    def pictures(self) -> list[str]:
        """Files that `write` leaves for the card."""
        return []

    @classmethod
    def from_probabilities(
        cls, paths: Sequence[str], names: Sequence[str], references: Any, probabilities: np.ndarray
    ) -> "TagPredictions":
        """references: 1 and 0, (clips, tags); probabilities: (clips, tags)."""
        return cls(paths, names, np.asarray(references).astype(int), probabilities)

    @classmethod
    def read(cls, file: Path, names: Sequence[str]) -> "TagPredictions":
        """What `write` has left in a `predictions.csv`, with the scores that lie beside it."""
        scores, table = read_scores(file.parent)["test"], read_table(file)
        further = {name: np.array(table[name]) for name in table.columns if name not in OWN_COLUMNS}
        groups = np.array(table[GROUP_COLUMN]) if GROUP_COLUMN in table.columns else None
        return cls(scores.paths, names, scores.references.astype(int), scores.probabilities, groups, further)

    @staticmethod
    def metric_names(n_labels: int) -> list[str]:
        """What `metrics` tells, the usual one first."""
        return ["lwlrap", "map_macro", "map_micro", "calibration_error"]

    def metrics(self) -> dict[str, float]:
        """Label-weighted label-ranking average precision, mean average precision, and the best tag's calibration."""
        return tagging_precision(self.scores, self.references) | calibration_figure(self.confidence, self.right)

    def tag_precision(self) -> tuple[np.ndarray, np.ndarray]:
        """Label-ranking average precision of every clip that has tags, and how many it has; 0 and 0 of the others."""
        return label_ranking_precision(self.scores, self.references)

    def intervals(self) -> dict[str, tuple[float, float]]:
        """95 % interval of the label-weighted label-ranking average precision over the clips that have tags."""
        precision, n_tags = self.tag_precision()
        tagged = n_tags > 0
        groups = None if self.groups is None else self.groups[tagged]
        return {"lwlrap": mean_interval(precision[tagged], n_tags[tagged], groups)}

    def untested(self) -> list[str]:
        """Names of the tags that no clip has, so that no figure tells of them."""
        return [name for tag, name in enumerate(self.names) if not self.references[:, tag].any()]

    def rows(self) -> list[dict[str, Any]]:
        """The rows of `predictions.csv`: the tags, the three most probable ones, and the first one's probability."""
        columns = relative_paths(self.paths), self.references, rank_labels(self.scores), self.scores
        rows = [
            {
                "path": path,
                "labels": SEPARATOR.join(np.asarray(self.names)[tags == 1]),
                **{name: self.names[tag] for name, tag in zip(RANKED_COLUMNS, ranked, strict=False)},
                "score": f"{scores.max():.4f}",
            }
            for path, tags, ranked, scores in zip(*columns, strict=True)
        ]
        return with_columns(rows, self.groups, self.columns)

    def per_class(self) -> list[dict[str, Any]]:
        """Average precision and number of clips of every tag that a clip has."""
        return [
            {
                "label": name,
                "average_precision": average_precision(self.scores[:, tag], self.references[:, tag]),
                "clips": int(self.references[:, tag].sum()),
            }
            for tag, name in enumerate(self.names)
            if self.references[:, tag].any()
        ]

    def tables(self) -> list[Table]:
        """Tables of the card."""
        rows = [[row["label"], f"{row['average_precision']:.3f}", row["clips"]] for row in self.per_class()]
        return [Table("", ["Tag", "Average precision", "Clips"], rows)]

    def write(self, folder: Path) -> None:
        """Leave `predictions.csv` and `per_class.csv` in a folder."""
        write_rows(folder / PREDICTIONS_NAME, self.rows())
        write_rows(folder / "per_class.csv", self.per_class())
