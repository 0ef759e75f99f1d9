"""Calibration: of answers with a confidence of 0.9, nine in ten should be right."""

from collections.abc import Sequence

import datasets
import numpy as np

from .clip_metric import ClipMetric

N_BINS = 15  # of equal width, as Guo et al. have them
NORMAL_95 = 1.645  # above it lies one in twenty of a normal distribution


class CalibrationError(ClipMetric):
    """How far the confidence of answers is from coming true: `compute` returns `{"calibration_error": float}`."""

    inputs = "predictions: the confidence of each answer, 0 to 1; references: 1 where it is right, else 0."
    predictions = datasets.Value("float64")
    references = datasets.Value("int64")

    def _compute(self, predictions: Sequence[float], references: Sequence[int]) -> dict[str, float]:
        return {"calibration_error": calibration_error(np.asarray(predictions), np.asarray(references))}


def calibration_figure(confidence: np.ndarray, right: np.ndarray) -> dict[str, float]:
    """The metric of `CalibrationError`, by its name; confidence: (clips,), 0 to 1; right: (clips,) of bool."""
    return CalibrationError(keep_in_memory=True).compute(predictions=confidence, references=right.astype(int))


def calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """Expected calibration error: mean distance between confidence and share of right answers, in 15 bins.

    The bins are of equal width, and each counts by its clips. Of few clips it is above 0 also where confidence comes
    true: see `chance_error`.

    confidence: (clips,), 0 to 1; right: (clips,) of 0 and 1. Source: Guo et al. 2017,
    https://arxiv.org/abs/1706.04599, equation 3.
    """
    bins = _bins(confidence)
    gaps = np.bincount(bins, right, N_BINS) - np.bincount(bins, confidence, N_BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def chance_error(confidence: np.ndarray) -> tuple[float, float]:
    """The calibration error of answers whose confidence comes true exactly: what chance makes of so many clips.

    Each answer is then right with the probability that was told, whatever the others are, and the gap of a bin is
    about normal around zero.

    Args:
        confidence: (clips,), 0 to 1.

    Returns:
        Its mean, and what it exceeds in one case of twenty.
    """
    variances = np.bincount(_bins(confidence), confidence * (1 - confidence), N_BINS)
    # Mean and variance of the absolute value of a normal number.
    mean = float(np.sqrt(2 / np.pi * variances).sum() / len(confidence))
    deviation = float(np.sqrt((1 - 2 / np.pi) * variances.sum()) / len(confidence))
    return mean, mean + NORMAL_95 * deviation


def _bins(confidence: np.ndarray) -> np.ndarray:
    return np.minimum((confidence * N_BINS).astype(int), N_BINS - 1)
