"""The augmentation of sounds of any kind: other sources, moments, distances and places."""

from collections.abc import Callable

import numpy as np
from audiomentations import Compose, Gain, OneOf, PitchShift, TimeStretch

from ...augmentation.transforms import AddFastGaussianSNR, RandomExcerpt
from .presets import EXCERPT_SECONDS


def slow_transforms() -> Callable[..., np.ndarray]:
    """Other sources: exact, and so slow that each result serves for several epochs."""
    return OneOf([PitchShift(-3, 3, p=1), TimeStretch(0.8, 1.25, p=1)], p=0.5)


def waveform_transforms(excerpt_seconds: float = EXCERPT_SECONDS) -> Callable[..., np.ndarray]:
    """Other moments, distances and places, drawn anew in every epoch."""
    return Compose([RandomExcerpt(excerpt_seconds), *_distances()])


def _distances() -> list[Callable[..., np.ndarray]]:
    return [Gain(-6, 6, p=1), AddFastGaussianSNR(min_snr_db=15, max_snr_db=50, p=0.25)]


def unmoved_transforms() -> Callable[..., np.ndarray]:
    """As `waveform_transforms`, of clips in which the time of every sound is known, and stays."""
    return Compose(_distances())


def slow_unmoved_transforms() -> Callable[..., np.ndarray]:
    """As `slow_transforms`, of such clips."""
    return PitchShift(-3, 3, p=0.5)
