"""What a model must not answer to: recordings of a place's background, and the class "none of these" they train."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data.background import FITTED_SHARE
from ..models.configuration_audio_cnn import NONE_OF_THESE
from .markdown import Table
from .metrics.two_classes import roc_auc
from .plots import plot_trade_off

logger = logging.getLogger(__name__)

PICTURE_NAME = "rejection.png"
# Of `scores.npz`: background that was not trained on, and either fitted the margin or judged it.
FIT_PART, TEST_PART = "background-fit", "background-test"
ROUNDING = 1e-3  # of logits, from one runtime to another
TOLD_RATES = (0.1, 1, 10, 60, 360)  # of the card's table, false alarms per hour


def margins(logits: np.ndarray) -> np.ndarray:
    """How far the best class is above "none of these": (windows, classes and that one) -> (windows,)."""
    return logits[:, :-1].max(1) - logits[:, -1]


def fit_margin(background: np.ndarray, false_alarms_per_hour: float, hours: float) -> float:
    """Fit the rejection margin to a rate of false alarms on background.

    background: `margins`, (windows,), of so many hours that were not trained on. Every window that gets a class is a
    false alarm.
    """
    allowed = int(false_alarms_per_hour * hours)
    if allowed == 0:
        logger.warning(
            "%.2f hours of background are too few to tell %g false alarms per hour from none: the margin is such that "
            "they had none. Give %.1f hours or more of recordings.",
            hours,
            false_alarms_per_hour,
            1 / false_alarms_per_hour / FITTED_SHARE,
        )
    ordered = np.sort(background)[::-1]
    margin = float(ordered[min(allowed, len(ordered) - 1)]) + ROUNDING
    return margin if allowed else max(margin, 0.0)  # no less strict than the network is by itself


def sparing_margin(logits: np.ndarray, labels: np.ndarray) -> float:
    """Fit the rejection margin so that hardly any clip that is classified rightly is rejected.

    Three standard deviations below their mean, or below the lowest of them: few clips do not tell how low the next
    ones will lie, least of all where the training clips come from the same recordings.

    logits: (clips, classes and that one) of clips that were not trained on; labels: (clips,).
    """
    right = logits[:, :-1].argmax(1) == labels
    if not right.any():
        return 0.0
    above = margins(logits)[right]
    return float(min(above.mean() - 3 * above.std(), above.min() - ROUNDING))


@dataclass
class Rejection:
    """A rejection measured: the scores of held-out clips of the classes and of held-out background."""

    known: np.ndarray
    """`margins` of the test clips, (clips,), with what the config adds to them."""
    right: np.ndarray
    """Whether the best of the classes is the clip's, (clips,) of bool."""
    background: np.ndarray
    """`margins` of the background, (windows,)."""
    hours: float
    """Of the background."""
    margin: float
    """That the config has, and which is in the others already."""

    @classmethod
    def measure(
        cls, logits: np.ndarray, labels: np.ndarray, background: np.ndarray, hours: float, margin: float
    ) -> "Rejection":
        """By the logits of test clips (clips, labels), with their classes (clips,), and of background."""
        return cls(margins(logits), logits[:, :-1].argmax(1) == labels, margins(background), hours, margin)

    def metrics(self) -> dict[str, float]:
        """How well the scores separate known sounds from background, and the figures at the margin."""
        scores = np.concatenate([self.background, self.known])
        labels = np.repeat([0, 1], [len(self.background), len(self.known)])
        return {
            "rejection_auroc": roc_auc(labels, scores),
            "false_alarms_per_hour": float((self.background > 0).sum() / self.hours),
            "accuracy_unrejected": float(self.right.mean()),
        }

    def _at(self, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """False alarms per hour and accuracy were the margin larger by that, each as `shift`, (points,)."""
        alarms = (self.background > shift[:, None]).sum(1) / self.hours
        return alarms, ((self.known > shift[:, None]) & self.right).mean(1)

    def table(self) -> Table:
        """Table of the card: which `rejection_margin` gives how many false alarms, and what that costs."""
        ordered = np.sort(self.background)[::-1]
        allowed = [int(rate * self.hours) for rate in TOLD_RATES]
        shifts = np.unique([0.0, *(ordered[n] for n in allowed if n < len(ordered))])
        rows = [
            [f"{self.margin + shift:.2f}" + (" (as it is)" if shift == 0 else ""), f"{alarms:.1f}", f"{accuracy:.3f}"]
            for shift, alarms, accuracy in zip(shifts, *self._at(shifts), strict=True)
        ]
        intro = (
            f'What the margin does that is added to the logit of "{NONE_OF_THESE}" (`rejection_margin` in '
            f"`config.json`, or an encoder's last bias), on {self.hours:.2g} hours of background that was neither "
            "trained on nor used to fit it, a decision a window:"
        )
        return Table(intro, ["Margin", "False alarms per hour", "Accuracy on the test clips"], rows)

    def plot(self, path: Path) -> None:
        """Accuracy against false alarms, at every margin."""
        shifts = np.unique(np.concatenate([self.background, self.known]))
        (alarms,), (accuracy,) = self._at(np.zeros(1))
        plot_trade_off(*self._at(shifts), (alarms, accuracy), path)
