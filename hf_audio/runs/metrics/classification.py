"""Metrics of one label a clip."""

from collections.abc import Sequence

import datasets
import numpy as np
from sklearn.metrics import accuracy_score, f1_score, recall_score

from .clip_metric import ClipMetric


class _ClassMetric(ClipMetric):
    inputs = "predictions, references: class indices."
    predictions = datasets.Value("int64")
    references = datasets.Value("int64")


class Accuracy(_ClassMetric):
    """The share of clips whose label is right: `compute` returns `{"accuracy": float}`."""

    def _compute(self, predictions: Sequence[int], references: Sequence[int]) -> dict[str, float]:
        return {"accuracy": float(accuracy_score(references, predictions))}


class BalancedAccuracy(_ClassMetric):
    """The mean recall of the classes: `compute` returns `{"balanced_accuracy": float}`.

    As scikit-learn's `balanced_accuracy_score`, over the classes that clips are of. Whoever always answers the same
    class has 1 / classes, however large that class is.
    """

    def _compute(self, predictions: Sequence[int], references: Sequence[int]) -> dict[str, float]:
        tested = np.unique(references)  # scikit-learn's balanced_accuracy_score warns of others that are answered
        recall = recall_score(references, predictions, labels=tested, average="macro", zero_division=0)
        return {"balanced_accuracy": float(recall)}


class F1Macro(_ClassMetric):
    """The mean of the classes' F1: `compute` returns `{"f1_macro": float}`.

    As scikit-learn's `f1_score(average="macro")`, over the classes that clips are of or were taken for.
    """

    def _compute(self, predictions: Sequence[int], references: Sequence[int]) -> dict[str, float]:
        return {"f1_macro": float(f1_score(references, predictions, average="macro", zero_division=0))}
