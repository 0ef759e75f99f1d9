"""What is measured of one recording, in one pass over its samples."""

import hashlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ..audio.levels import ChosenChannels, choose_channels, rescale
from ..audio.loading import open_audio
from ..audio.resampling import resample_blocks
from ..data.bands import WINDOW, Spectrum, spectra
from ..errors import AudioError
from .fingerprints import RATE, Fingerprint, take_fingerprint

# In what follows, full scale is 1.
SILENCE = 10 ** (-60 / 20)
FULL_SCALE = 1 - 1.5 / 32768
CLIPPED_RUN = 3
# A band ends where the spectrum rises so many dB above its level at the highest frequencies, and ends sharply, as a
# filter ends it and no sound by itself, where it lies so much higher just below, and above nothing is left but what
# rounding to 16 bits leaves. What lies so far below the strongest note counts as nothing.
BAND_RISE, SHARP_RISE = 12, 30
ROUNDING = -80
SPECTRUM_RANGE = 90


@dataclass(frozen=True)
class ClipMeasures:
    """What is measured in one recording; levels in dB of full scale, times in seconds."""

    rate: int
    channels: int
    format: str
    """Container and coding, as libsndfile calls them."""
    seconds: float
    peak: float
    level: float
    """Root of the mean square."""
    offset: float
    """Largest mean of a channel; full scale is 1."""
    n_clipped: int
    """Samples in runs at full scale."""
    full_scale: float
    """What its samples are counted in, where full scale is not 1: see `audio.levels`."""
    dead_channels: tuple[int, ...]
    """Channels, from 1 on, in which there is next to nothing beside the others."""
    is_opposed: bool
    """Whether channels are each other's opposite, so that their mean would be silence."""
    silent_start: float
    silent_end: float
    bandwidth: float
    """In Hz."""
    ends_sharply: bool
    """Whether a filter ends the band."""
    digest: str
    """Of the decoded samples and their rate."""
    fingerprint: Fingerprint
    bands: tuple[float, ...] = ()
    """Of what stands out from the noise, the shares that the bands of `data.bands` have."""

    @property
    def is_silent(self) -> bool:
        """Whether there is nothing to hear."""
        return self.level < 20 * math.log10(SILENCE)


def measure_clip(path: str) -> ClipMeasures | str:
    """What a recording is like, or the sentence that says why it cannot be read; memory does not grow with it."""
    try:
        with open_audio(path) as recording:
            full_scale = recording.full_scale()
            meter = _Meter(recording.rate, recording.channels, full_scale)
            blocks = meter.read(recording.blocks())
            fingerprint = take_fingerprint(resample_blocks(blocks, recording.rate, RATE, path, full_scale))
            return meter.tell(recording.kind, fingerprint)
    except AudioError as error:
        return str(error)
    except OSError as error:  # in the middle of a file
        return f"{path} cannot be read ({error.strerror or error}): copy it again."


class _Meter:
    def __init__(self, rate: int, channels: int, full_scale: float):
        self.rate = rate
        self.full_scale = full_scale
        self.channels: ChosenChannels | None = None
        self.n_frames = 0
        self.peak = 0.0
        self.sums = np.zeros(channels)
        self.square = 0.0
        self.n_clipped = 0
        self.first_sound: int | None = None
        self.last_sound = -1
        self.power = np.zeros(WINDOW // 2 + 1)
        self.spectrum = Spectrum(rate)
        self.digest = hashlib.sha256(f"{rate} {channels}".encode())

    def read(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The same blocks, each measured, (frames, channels)."""
        for block in blocks:
            self._add(rescale(block, self.full_scale))
            yield block

    def _add(self, block: np.ndarray) -> None:
        if len(block) == 0:
            return
        self.digest.update((block + np.float32(0)).tobytes())  # or -0 would differ from 0
        loudness = np.abs(block).max(axis=1)
        self.peak = max(self.peak, float(loudness.max()))
        self.sums += block.sum(axis=0, dtype=np.float64)
        self.square += float(np.square(block, dtype=np.float64).sum())
        self.n_clipped += sum(_count_runs(np.abs(channel) >= FULL_SCALE) for channel in block.T)
        sound = np.flatnonzero(loudness >= SILENCE)
        if len(sound):
            if self.first_sound is None:
                self.first_sound = self.n_frames + int(sound[0])
            self.last_sound = self.n_frames + int(sound[-1])
        self.n_frames += len(block)
        if self.channels is None and block.shape[1] > 1:
            chosen = choose_channels(block)
            self.channels = None if chosen.is_silent else chosen
        kept = slice(None) if self.channels is None else self.channels.heard
        mono = block[:, kept].mean(axis=1)
        for power in spectra(mono):
            self.power += power.sum(axis=0)
            self.spectrum.add(power)

    def tell(self, kind: str, fingerprint: Fingerprint) -> ClipMeasures:
        n_values = self.n_frames * len(self.sums)
        level = _decibels(math.sqrt(self.square / n_values))
        bandwidth, ends_sharply = _find_band(self.power, self.rate, level)
        first = self.n_frames if self.first_sound is None else self.first_sound
        return ClipMeasures(
            rate=self.rate,
            channels=len(self.sums),
            format=kind,
            seconds=self.n_frames / self.rate,
            peak=_decibels(self.peak),
            level=level,
            offset=float(np.abs(self.sums).max() / self.n_frames),
            n_clipped=self.n_clipped,
            full_scale=self.full_scale,
            dead_channels=() if self.channels is None else tuple(number + 1 for number in self.channels.dead),
            is_opposed=self.channels is not None and self.channels.is_opposed,
            silent_start=first / self.rate,
            silent_end=(self.n_frames - 1 - self.last_sound) / self.rate,
            bandwidth=bandwidth,
            ends_sharply=ends_sharply,
            bands=tuple(self.spectrum.bands().tolist()),
            digest=self.digest.hexdigest(),
            fingerprint=fingerprint,
        )


def _decibels(amplitude: float) -> float:
    return 20 * math.log10(max(amplitude, 1e-40))


def _count_runs(marks: np.ndarray) -> int:
    """How many marks stand in runs of three and more, (samples,) of bool."""
    if not marks.any():
        return 0
    edges = np.flatnonzero(np.diff(marks, prepend=False, append=False))
    lengths = edges[1::2] - edges[::2]
    return int(lengths[lengths >= CLIPPED_RUN].sum())


def _find_band(power: np.ndarray, rate: int, level: float) -> tuple[float, bool]:
    """Where the spectrum, (bins,), sinks to what is left at the highest frequencies, in Hz, and whether sharply.

    level: of the whole recording, in dB of full scale.
    """
    if not power.any():
        return 0.0, False
    levels = 10 * np.log10(np.maximum(power, power.max() * 10 ** (-SPECTRUM_RANGE / 10)))
    levels = np.convolve(np.pad(levels, 2, mode="edge"), np.full(5, 0.2), mode="valid")
    floor = np.median(levels[-len(levels) // 16 :])
    above = np.flatnonzero(levels > floor + BAND_RISE)
    if len(above) == 0:
        return rate / 2, False
    end = int(above[-1])
    below = levels[int(0.75 * end) : int(0.95 * end) + 1]
    left = level + 10 * math.log10(max(float(power[int(1.1 * end) :].sum() / power.sum()), 1e-20))
    ends_sharply = bool(np.median(below) > floor + SHARP_RISE and left < ROUNDING)
    return end * rate / 2 / (len(power) - 1), ends_sharply
