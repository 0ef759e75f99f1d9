"""The one rule for levels and channels: whatever samples are counted in, full scale becomes 1, and channels one.

**Levels.** Training, `predict`, the pipeline, the service and the page all hear a recording by this rule:

1. Integers of 8 and 16 bits are divided by their type's full scale. Wider ones, as JSON lists and careless casts give
   them, are taken for what they hold: for samples of 16 bits up to 2**15, of 24 up to 2**23, else of 32 (also where
   all are multiples of 256, as 24 bits are that stand on the left of 32).
2. Floats up to 1 are taken as they are, however faint.
3. Floats beyond 1 that are whole numbers are such integers. Others, such as pascals, are divided by the recording's
   peak. A file's peak is that of the whole file, found by reading it once more, also where it is heard in blocks.
4. What is beyond any scale (2**32) or not finite is refused.
5. What MP3, Vorbis, Opus and AAC decode to beyond full scale, and what a resampler swings beyond it, is clipped at
   the network's rate, as a 16-bit file would have it.

A live stream cannot be asked for its peak: up to twice full scale is clipped there, and beyond it is refused.

**Channels** are averaged, but for those that would spoil the mean: a channel 50 dB below the loudest is left out, and
where two channels are each other's opposite, one is heard alone: the first of those within 3 dB of the loudest. Which,
is found once, in the first block of the recording that is not silent (`FRAMES_JUDGED`, half a minute and more).
"""

from typing import NamedTuple

import numpy as np

from ..errors import AudioError

# What 16-bit samples are divided by. `to_int16` alone, the form in which training keeps its clips, has a scale of its
# own: another one would change what networks are trained on.
INT16_FULL_SCALE = 32768
INTEGER_SCALES = (2.0**15, 2.0**23, 2.0**31)
LOUDEST = 2.0**32
# Of a stream: what a resampler or a codec may swing to.
OVERSHOOT = 2.0
# Frames of one or two channels by which it is decided which channels are heard; of more channels, fewer.
FRAMES_JUDGED = 1 << 20
# Powers relative to the loudest channel's, and a correlation.
DEAD, NEARLY_AS_LOUD, OPPOSED = 1e-5, 0.5, -0.9


class LevelMeter:
    """What the samples of a recording are counted in, by all of its blocks.

    Args:
        name: of the recording, for errors.
    """

    def __init__(self, name: str):
        self.name = name
        self.peak = 0.0
        self._is_whole = True
        self._is_shifted = True  # multiples of 256

    def add(self, samples: np.ndarray) -> None:
        """Take in signed integers or floats of any shape.

        Raises:
            AudioError: they are not finite, or beyond any scale.
        """
        if samples.size == 0:
            return
        self.peak = max(self.peak, find_peak(samples, self.name))
        if self._is_whole:
            self._is_whole = samples.dtype.kind == "i" or bool((samples == np.rint(samples)).all())
        if self._is_shifted and self._is_whole:
            self._is_shifted = not (samples.astype(np.int64) & 0xFF).any()

    @property
    def full_scale(self) -> float:
        """What the samples are divided by; `integers` are never taken for floats up to 1."""
        if self.peak <= 1:
            return 1.0
        return self.integer_scale if self._is_whole else self.peak

    @property
    def integer_scale(self) -> float:
        """The full scale of the integers that hold such values."""
        is_left_of_32 = self._is_shifted and self.peak > INTEGER_SCALES[0]
        scales = INTEGER_SCALES[2:] if is_left_of_32 else INTEGER_SCALES
        return next((scale for scale in scales if self.peak <= scale), LOUDEST)


def find_peak(samples: np.ndarray, name: str) -> float:
    """The largest absolute value of signed integers or floats, (1, ...) or more.

    Raises:
        AudioError: they are not finite, or beyond any scale.
    """
    peak = max(float(samples.max()), -float(samples.min()))
    if not np.isfinite(peak):
        raise AudioError(f"{name} contains NaN or infinite samples: repair it or leave it out.")
    if peak > LOUDEST:
        raise AudioError(
            f"{name} holds samples as large as {peak:.3g}, where full scale is 1: repair it or leave it out."
        )
    return peak


def to_floats(samples: np.ndarray, name: str) -> np.ndarray:
    """A whole recording of any shape and type of numbers -> float32 of the same shape, full scale being 1.

    Raises:
        AudioError: what is no number, not finite or beyond any scale.
    """
    kind, n_bytes = samples.dtype.kind, samples.dtype.itemsize
    if kind not in "iuf" or (kind == "u" and n_bytes > 2):
        raise AudioError(f"{name} holds {samples.dtype} values: give floats or signed integers.")
    if kind != "f" and n_bytes <= 2:
        half = 2.0 ** (8 * n_bytes - 1)
        return ((samples.astype(np.float64) - half * (kind == "u")) / half).astype(np.float32)
    if kind == "f" and find_peak(samples, name) <= 1:
        return samples.astype(np.float32, copy=False)
    meter = LevelMeter(name)
    meter.add(samples)
    full_scale = meter.integer_scale if kind == "i" else meter.full_scale
    return rescale(samples, full_scale)


def rescale(samples: np.ndarray, full_scale: float) -> np.ndarray:
    """Divide by full scale: float32, the same array where there is nothing to do."""
    if full_scale != 1:
        samples = samples.astype(np.float64) / full_scale
    return samples.astype(np.float32, copy=False)


def clip(samples: np.ndarray) -> np.ndarray:
    """Samples clipped to -1 to 1; the same array where nothing lies beyond. NaN stays."""
    if samples.size == 0 or (samples.min() >= -1 and samples.max() <= 1):
        return samples
    return np.clip(samples, -1, 1)


class Mixer:
    """Channels to one, block after block, by what the first block that is not silent shows of them."""

    def __init__(self) -> None:
        self._chosen: ChosenChannels | None = None

    def mix(self, block: np.ndarray) -> np.ndarray:
        """(frames, channels) float32 -> (frames,)."""
        if block.shape[1] == 1 or len(block) == 0:
            return block[:, 0]
        if self._chosen is None:
            chosen = choose_channels(block)
            self._chosen = None if chosen.is_silent else chosen
        if self._chosen is None or len(self._chosen.heard) == block.shape[1]:
            return _average(block)
        return _average(block[:, self._chosen.heard])


def _average(block: np.ndarray) -> np.ndarray:
    """(frames, channels) float32 -> (frames,): numpy's mean, of two channels in a tenth of its time."""
    return (block[:, 0] + block[:, 1]) / np.float32(2) if block.shape[1] == 2 else block.mean(axis=1)


def frames_judged(channels: int) -> int:
    """Frames by which it is decided which of so many channels are heard."""
    return FRAMES_JUDGED if channels <= 2 else max(2 * FRAMES_JUDGED // channels, 1)


class ChosenChannels(NamedTuple):
    """Which channels are heard, by their numbers from 0 on, and why."""

    heard: list[int]
    dead: list[int]
    is_opposed: bool
    is_silent: bool
    """Nothing is known yet: all are."""


def choose_channels(block: np.ndarray) -> ChosenChannels:
    """Which channels of a recording are heard, by its first block that is not silent, (frames, channels)."""
    judged = np.ascontiguousarray(block[: frames_judged(block.shape[1])].T, dtype=np.float64)  # (channels, frames)
    judged -= judged.mean(axis=1, keepdims=True)
    covariances = judged @ judged.T / judged.shape[1]
    powers = np.diag(covariances)
    channels, loudest = range(len(powers)), powers.max()
    if not loudest > 0:
        return ChosenChannels(list(channels), [], is_opposed=False, is_silent=True)
    alive = [channel for channel in channels if powers[channel] > DEAD * loudest]
    dead = [channel for channel in channels if powers[channel] <= DEAD * loudest]
    deviations = np.sqrt(powers)
    opposed = covariances < OPPOSED * np.outer(deviations, deviations)
    is_opposed = bool(opposed[np.ix_(alive, alive)].any())
    if is_opposed:
        alive = [next(channel for channel in alive if powers[channel] >= NEARLY_AS_LOUD * loudest)]
    return ChosenChannels(alive, dead, is_opposed, is_silent=False)
