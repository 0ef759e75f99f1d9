"""Metrics of two classes, of which a clip's score is the probability of the second."""

from collections.abc import Sequence

import datasets
import numpy as np
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score

from .clip_metric import ClipMetric


class TwoClassScores(ClipMetric):
    """How well scores tell two classes apart: `compute` returns `{"roc_auc", "equal_error_rate"}`.

    Of clips that are all of one class, nothing.
    """

    inputs = "predictions: probabilities of class 1; references: 0 or 1."
    predictions = datasets.Value("float64")
    references = datasets.Value("int64")

    def _compute(self, predictions: Sequence[float], references: Sequence[int]) -> dict[str, float]:
        scores, labels = np.asarray(predictions), np.asarray(references)
        if not 0 < labels.sum() < len(labels):
            return {}
        return {"roc_auc": roc_auc(labels, scores), "equal_error_rate": equal_error_rate(labels, scores)}


def roc_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """How probably a clip of class 1 has a higher score than one of class 0; equal scores count half.

    labels, scores: (clips,). Source: Hanley and McNeil 1982, https://doi.org/10.1148/radiology.143.1.7063747.
    """
    n_ones = labels.sum()
    rank_sum = rankdata(scores)[labels == 1].sum()
    return float((rank_sum - n_ones * (n_ones + 1) / 2) / (n_ones * (len(labels) - n_ones)))


def partial_auc(labels: np.ndarray, scores: np.ndarray, most: float = 0.1) -> float:
    """The area under the ROC curve up to a false alarm rate of `most`, scaled so that chance is 0.5 and the best is 1.

    As task 2 of DCASE computes its pAUC, by scikit-learn's `roc_auc_score` with `max_fpr`; labels, scores: (clips,).
    Source: McClish 1989, https://doi.org/10.1177/0272989X8900900307.
    """
    return float(roc_auc_score(labels, scores, max_fpr=most))


def roc_curve(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares of class 0 and of class 1 that are taken for class 1, at every threshold, from none to all.

    labels, scores: (clips,) -> two of (thresholds,), rising.
    """
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.diff(scores[order], append=-np.inf))  # of equal scores, which fall to one side together
    ones = np.cumsum(labels[order])[last]
    zeros = 1 + last - ones
    return np.append(0, zeros / zeros[-1]), np.append(0, ones / ones[-1])


def equal_error_rate(labels: np.ndarray, scores: np.ndarray) -> float:
    """The error rate of either class at the threshold where both are equal, between two thresholds if need be.

    labels, scores: (clips,).
    """
    false_alarms, hits = roc_curve(labels, scores)
    misses = 1 - hits
    # They cross once: false alarms rise from 0 and misses fall to 0.
    after = int(np.argmax(false_alarms >= misses))
    before = after - 1
    gap_before, gap_after = (misses - false_alarms)[[before, after]]
    share = gap_before / (gap_before - gap_after)
    return float(false_alarms[before] + share * (false_alarms[after] - false_alarms[before]))
