"""Samples at one rate to mono float32 at another: a whole recording, or block after block."""

import numbers
from collections.abc import Iterable, Iterator

import numpy as np
import soxr

from ..errors import AudioError
from .levels import Mixer, clip, rescale, to_floats
from .recording import block_frames

# Samples per second that a recording may claim; beyond, a header is broken, and resampling would never end.
RATES = range(100, 10_000_001)


def resample_blocks(
    blocks: Iterable[np.ndarray],
    rate: int,
    sampling_rate: int,
    name: str = "the array",
    full_scale: float = 1.0,
) -> Iterator[np.ndarray]:
    """The blocks of a `Recording`, at `rate`, to mono blocks, (samples,) float32 at `sampling_rate`.

    full_scale: what they are divided by.

    Raises:
        AudioError: see `to_mono`.
    """
    resampler = None
    mixer = Mixer()
    for number, block in enumerate(blocks):
        is_first, is_last = number == 0, len(block) < block_frames(block.shape[1])
        if not np.isfinite(block).all():
            raise _not_finite(name)
        block = mixer.mix(rescale(block, full_scale))
        if is_first:
            _check_recording(block, rate, name)
        if is_first and is_last:
            yield _resample(block, rate, sampling_rate, name)
            return
        if is_first:
            resampler = None if rate == sampling_rate else soxr.ResampleStream(rate, sampling_rate, 1)
        if resampler is not None:
            block = resampler.resample_chunk(block, last=is_last)
        if len(block):
            yield clip(block)


def _not_finite(name: str) -> AudioError:
    return AudioError(f"{name} contains NaN or infinite samples: repair it or leave it out.")


def to_mono(samples: np.ndarray, rate: int, sampling_rate: int, name: str = "the array") -> np.ndarray:
    """A recording at `rate`, (samples,) or with channels on the shorter of two axes -> (samples,) float32.

    Levels and channels are those that `levels` tells: integers of any type and floats beyond full scale are scaled.

    Raises:
        AudioError: no samples, more than two dimensions, NaN or infinite values, values that are no numbers or beyond
            any scale, or a rate that no recording has.
    """
    samples = np.asarray(samples)
    if samples.ndim not in (1, 2):
        raise AudioError(f"{name} has the shape {samples.shape}: give (samples,) or (channels, samples).")
    _check_recording(samples, rate, name)
    samples = to_floats(samples, name)
    if samples.ndim == 2:
        samples = Mixer().mix(samples if samples.shape[0] > samples.shape[1] else samples.T)
    return _resample(samples, rate, sampling_rate, name)


def _check_recording(samples: np.ndarray, rate: float, name: str) -> None:
    if samples.size == 0:
        raise AudioError(f"{name} contains no samples: leave it out.")
    if not isinstance(rate, numbers.Real) or not RATES.start <= rate < RATES.stop:
        raise AudioError(f"{name} has the sampling rate {rate!r}: give samples per second, {RATES.start} or more.")


def _resample(samples: np.ndarray, rate: float, sampling_rate: int, name: str) -> np.ndarray:
    """(samples,) at `rate` to those at `sampling_rate`, none beyond full scale."""
    if rate != sampling_rate:
        samples = soxr.resample(samples, rate, sampling_rate)
        if samples.size == 0:
            raise AudioError(f"{name} is shorter than one sample at {sampling_rate} Hz: leave it out.")
    return clip(np.ascontiguousarray(samples))
