"""Predictions of two classes, divided by a threshold of the score."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..intervals import bootstrap_interval, roc_auc_interval, wilson_interval
from ..metrics import TwoClassScores
from ..metrics.two_classes import equal_error_rate, roc_curve
from ..plots import CONFUSION_NAME, ROC_NAME, plot_roc_curve
from .classes import Predictions


@dataclass
class TwoClassPredictions(Predictions):
    """Held-out clips of two classes, and how well their scores tell these apart."""

    @property
    def pictures(self) -> list[str]:
        """Files that `write` leaves for the card."""
        return [CONFUSION_NAME, *([ROC_NAME] if self.has_both else [])]

    @property
    def has_both(self) -> bool:
        """Whether there are clips of both classes, without which there is nothing to tell apart."""
        return len(set(self.references.tolist())) == 2

    @property
    def second_scores(self) -> np.ndarray:
        """Probabilities of the second class, (clips,)."""
        return np.where(self.predictions == 1, self.scores, 1 - self.scores)

    @staticmethod
    def metric_names(n_labels: int) -> list[str]:
        """What `metrics` tells that can choose an epoch, the usual one first."""
        return ["accuracy", "f1_macro", "balanced_accuracy", "roc_auc", "equal_error_rate", "calibration_error"]

    def metrics(self) -> dict[str, float]:
        """Accuracy, F1 in the mean and of both classes, and the metrics of `TwoClassScores`."""
        scores = TwoClassScores(keep_in_memory=True)
        by_scores = scores.compute(predictions=self.second_scores, references=self.references)
        f1 = {f"f1_{row['label']}": row["f1"] for row in self.per_class() if row["f1"] is not None}
        return super().metrics() | by_scores | f1

    def intervals(self) -> dict[str, tuple[float, float]]:
        """95 % intervals of the metrics over clips, or groups of them."""
        intervals, labels, scores = super().intervals(), self.references, self.second_scores
        if not self.has_both:
            return intervals

        def error_rate(clips: np.ndarray) -> float:
            drawn = labels[clips]
            return equal_error_rate(drawn, scores[clips]) if 0 < drawn.sum() < len(drawn) else np.nan

        intervals["roc_auc"] = roc_auc_interval(labels, scores, self.groups)
        # Each class by itself: a draw without clips of one would have no such score.
        low, high = bootstrap_interval(error_rate, len(labels), strata=labels, groups=self.groups)
        # Where no clip is on the wrong side, so many of the smaller class may still be.
        least = wilson_interval(0, np.bincount(labels).min())[1]
        intervals["equal_error_rate"] = low, max(high, least)
        return intervals

    def write(self, folder: Path) -> None:
        """Leave the files of classes, and `roc_curve.png` where there are clips of both classes."""
        super().write(folder)
        if self.has_both:
            plot_roc_curve(*roc_curve(self.references, self.second_scores), self.names, folder / ROC_NAME)
