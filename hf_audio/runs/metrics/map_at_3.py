"""Mean average precision at 3, by which Freesound's tagging challenge ranked its solutions."""

from collections.abc import Iterable, Sequence
from typing import Any

import datasets
import numpy as np

from .clip_metric import ClipMetric

MISSING = ("-1", "")


def rank_labels(scores: np.ndarray, k: int = 3) -> np.ndarray:
    """The labels with the highest scores, best first: (clips, classes) -> (clips, at most k) indices.

    Of equal scores, the label that comes first in the class list, so that a ranking is the same everywhere.
    """
    return np.argsort(-np.asarray(scores), axis=-1, kind="stable")[:, :k]


class MeanAveragePrecisionAt3(ClipMetric):
    """The mean over clips of 1, 1/2 or 1/3 where a clip's label stands first, second or third, and 0 elsewhere.

    A clip has one label and up to three predictions, best first: indices, or names. Further ones are not looked at,
    and a repeated one counts at its first place. Clips without a label (-1 or an empty name) are left out of the mean.
    `compute` returns `{"map_at_3": float}`. Source: https://www.kaggle.com/c/freesound-audio-tagging/overview/evaluation

    Raises:
        ValueError: no clip has a label.
    """

    inputs = "predictions: lists of labels, best first; references: labels."
    # Names, which `add_batch` makes of indices: of two kinds, evaluate would choose by the first row alone.
    predictions = datasets.List(datasets.Value("string"))
    references = datasets.Value("string")

    def add_batch(self, *, predictions: Iterable[Iterable], references: Iterable, **kwargs: Any) -> None:
        """As of every metric; indices become names."""
        ranked = [[str(label) for label in row] for row in predictions]
        super().add_batch(predictions=ranked, references=[str(label) for label in references], **kwargs)

    def add(self, *, prediction: Iterable, reference: Any, **kwargs: Any) -> None:
        """As of every metric; indices become names."""
        self.add_batch(predictions=[prediction], references=[reference], **kwargs)

    def _compute(self, predictions: Sequence[Sequence[str]], references: Sequence[str]) -> dict[str, float]:
        pairs = zip(predictions, references, strict=True)
        values = [average_precision_at_3(ranked, label) for ranked, label in pairs if label not in MISSING]
        if not values:
            raise ValueError("No clip has a label: mAP@3 needs at least one.")
        return {"map_at_3": float(np.mean(values))}


def average_precision_at_3(ranked: Sequence[Any], label: Any) -> float:
    """The average precision of one clip, whose predictions are `ranked`, best first: 1, 1/2, 1/3 or 0."""
    first = list(ranked[:3])
    return 1 / (1 + first.index(label)) if label in first else 0.0
