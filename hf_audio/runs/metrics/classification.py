"""Metrics of one label a clip."""

from collections.abc import Sequence

import datasets
import evaluate
import numpy as np
from sklearn.metrics import accuracy_score, f1_score

_FEATURES = datasets.Features({"predictions": datasets.Value("int64"), "references": datasets.Value("int64")})


class Accuracy(evaluate.Metric):
    """The share of clips whose label is right: `compute` returns `{"accuracy": float}`."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description="The share of clips whose label is right.",
            citation="",
            inputs_description="predictions, references: class indices.",
            features=_FEATURES,
        )

    def _compute(self, predictions: Sequence[int], references: Sequence[int]) -> dict[str, float]:
        return {"accuracy": float(accuracy_score(references, predictions))}


class BalancedAccuracy(evaluate.Metric):
    """The mean recall of the classes: `compute` returns `{"balanced_accuracy": float}`.

    As scikit-learn's `balanced_accuracy_score`, over the classes that clips are of. Whoever always answers the same
    class has 1 / classes, however large that class is.
    """

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description="The mean over classes of the share of their clips that is right.",
            citation="",
            inputs_description="predictions, references: class indices.",
            features=_FEATURES,
        )

    def _compute(self, predictions: Sequence[int], references: Sequence[int]) -> dict[str, float]:
        labels = np.asarray(references)
        right = np.asarray(predictions) == labels
        return {"balanced_accuracy": float(np.mean([right[labels == label].mean() for label in np.unique(labels)]))}


class F1Macro(evaluate.Metric):
    """The mean of the classes' F1: `compute` returns `{"f1_macro": float}`.

    As scikit-learn's `f1_score(average="macro")`, over the classes that clips are of or were taken for.
    """

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description="The mean over classes of the harmonic mean of precision and recall.",
            citation="",
            inputs_description="predictions, references: class indices.",
            features=_FEATURES,
        )

    def _compute(self, predictions: Sequence[int], references: Sequence[int]) -> dict[str, float]:
        return {"f1_macro": float(f1_score(references, predictions, average="macro", zero_division=0))}
