"""Where in the spectrum the sounds of recordings lie, told apart from the noise that they lie in."""

import os
from collections.abc import Iterator

import numpy as np
import scipy.fft

from ..audio.loading import open_audio

# Samples, and how many windows are looked at together.
WINDOW, WINDOWS_TOGETHER = 2048, 64
_TAPER = np.hanning(WINDOW).astype(np.float32)
# Of every bin, 0 to 7: the lowest ones together, and the last one with those below it.
_OCTAVES = np.frexp(np.clip(np.arange(WINDOW // 2 + 1), 7, WINDOW // 2 - 1))[1] - 3
_OFFSET_BINS = 2  # an offset fills the first bin and, by the taper, the second
# Thirds of octaves, Hz: half of the usual sampling rates are among their borders.
BORDERS = 11025 * 2 ** (np.arange(-36, 27) / 3)
# A sound stands out in time, with ten times the power that most windows have there. Noise does so in one of a thousand
# windows, which hold 1 % of its energy, and by chance more where an octave has few bins: an octave that has less than
# these shares is taken for noise.
STANDS_OUT = 10
LEAST_EXCESS = 0.04 + 4 / np.bincount(_OCTAVES)
# A steady tone is a sound, too: it stands out among the frequencies of its octave.
TONE = 4
# Below, wind and hands are louder than what is recorded: it does not count for how high sounds reach.
RUMBLE = 1000
# Hz, below which a network for sounds of any kind has few bands.
DEEP = 11025 / 2 ** (17 / 3)  # 217 Hz
MOST, NEXT_TO_ALL = 0.7, 0.98
MOST_CHANNELS = 2
TINY = np.finfo(float).tiny


class Spectrum:
    """The power of a recording's sounds, added up piece by piece.

    Args:
        rate: of the recording, in Hz.
    """

    def __init__(self, rate: int):
        self.rate = rate
        self._sound = np.zeros(WINDOW // 2 + 1)
        self._noise = np.zeros(WINDOW // 2 + 1)
        self._power = np.zeros(WINDOW // 2 + 1)

    def add(self, power: np.ndarray) -> None:
        """Add a few windows that follow one another, (windows, bins) of power."""
        lasting = np.median(power, axis=0)
        floor = np.convolve(np.pad(lasting, 4, mode="edge"), np.full(9, 1 / 9), mode="valid")
        usual = np.array([np.median(lasting[octave == _OCTAVES]) for octave in range(_OCTAVES.max() + 1)])
        floor = np.minimum(floor, TONE * usual[_OCTAVES])
        self._sound += np.where(power > STANDS_OUT * floor, power, 0).sum(axis=0)
        self._noise += floor * len(power)
        self._power[1:] += power.sum(axis=0)[1:]

    def bands(self) -> np.ndarray:
        """The shares of the bands between `BORDERS` in the energy of the sounds, (bands,); 0 where there is none."""
        sound, noise = (np.bincount(_OCTAVES, power) for power in (self._sound, self._noise))
        kept = np.where((sound > LEAST_EXCESS * noise)[_OCTAVES], self._sound, 0)
        kept[:_OFFSET_BINS] = 0
        hertz = np.clip(np.arange(len(kept)) * self.rate / WINDOW, BORDERS[0], BORDERS[-1])
        energy = np.histogram(hertz, BORDERS, weights=kept)[0]
        if not energy.any():
            # What is so deep fills a few bins, and nothing is beside it by which it could stand out.
            energy = np.histogram(hertz, BORDERS, weights=self._power)[0]
            is_deep = deep(energy[None] / max(energy.sum(), TINY))[0]
            energy = np.where(is_deep & (BORDERS[1:] <= DEEP * 1.001), energy, 0)
        return energy / max(energy.sum(), TINY)


def spectra(samples: np.ndarray) -> Iterator[np.ndarray]:
    """Power of the windows of a recording, (samples,), a few of them at a time, (windows, bins), without the rest."""
    # A window that is full in part would hold a jump, which has all frequencies.
    if len(samples) < WINDOW:
        samples = np.pad(samples, (0, WINDOW - len(samples)))
    windows = samples[: len(samples) // WINDOW * WINDOW].reshape(-1, WINDOW)
    for start in range(0, len(windows), WINDOWS_TOGETHER):
        yield np.square(np.abs(scipy.fft.rfft(windows[start : start + WINDOWS_TOGETHER] * _TAPER)))


def measure_bands(source: str | os.PathLike | bytes, part: tuple[float, float] | None = None) -> np.ndarray:
    """The shares of `Spectrum.bands` in the first block of a recording, or from one second to another, (bands,).

    Raises:
        AudioError: it cannot be read.
    """
    with open_audio(source) as recording:
        spectrum = Spectrum(recording.rate)
        if part is None:
            block = next(recording.blocks())
        else:
            block = recording.section(*(round(seconds * recording.rate) for seconds in part))
        for channel in block.T[:MOST_CHANNELS]:
            for power in spectra(channel):
                spectrum.add(power)
        return spectrum.bands()


def share_above(bands: np.ndarray, hertz: float) -> np.ndarray:
    """The share of the energy above `RUMBLE` that lies above so many Hz: (recordings, bands) -> (recordings,)."""
    lower = BORDERS[:-1] * 1.001
    counted = bands[:, lower >= RUMBLE].sum(axis=1)
    return bands[:, lower >= max(hertz, RUMBLE)].sum(axis=1) / np.maximum(counted, TINY)


def unheard(bands: np.ndarray, hertz: float) -> np.ndarray:
    """Which recordings have most of their sound above so many Hz: (recordings, bands) -> (recordings,) of bool."""
    return share_above(bands, hertz) > MOST


def deep(bands: np.ndarray) -> np.ndarray:
    """Which recordings have next to all of their sound below `DEEP`: (recordings, bands) -> (recordings,) of bool."""
    return bands[:, BORDERS[1:] <= DEEP * 1.001].sum(axis=1) > NEXT_TO_ALL


def upper_end(bands: np.ndarray, share: float, lowest: float = 0) -> np.ndarray:
    """The Hz below which such a share of the energy above `lowest` Hz lies: (recordings, bands) -> (recordings,).

    0 where there is none.
    """
    bands = np.where(BORDERS[:-1] * 1.001 >= lowest, bands, 0)
    energy = bands.sum(axis=1, keepdims=True)
    place = np.argmax(np.cumsum(bands, axis=1) >= share * energy * (1 - 1e-9), axis=1)
    return np.where(energy[:, 0] > 0, BORDERS[1:][place], 0)
