"""Waveform transforms that audiomentations lacks, or that it does more slowly."""

import functools
import io
import random

import numpy as np
import soundfile
import soxr
from audiomentations import AddGaussianSNR
from audiomentations.core.transforms_interface import BaseWaveformTransform
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import butter, sosfilt

# Normal numbers that are drawn once: 16 MB, and minutes of noise at any usual rate.
N_NORMAL = 1 << 22


@functools.cache
def _pool() -> np.ndarray:
    pool = np.random.Generator(np.random.PCG64(0)).standard_normal(N_NORMAL, dtype=np.float32)
    pool.flags.writeable = False
    return pool


def normal_numbers(size: int) -> np.ndarray:
    """(size,) float32, normally distributed: a place in a pool of them, drawn by `random`; not to be written to.

    To draw each anew takes ten times longer than all else that is done to a clip.
    """
    pool = _pool()
    if size > N_NORMAL // 2:
        return np.resize(np.roll(pool, -random.randrange(N_NORMAL)), size)
    start = random.randrange(N_NORMAL - size)
    return pool[start : start + size]


class OfDuration(BaseWaveformTransform):
    """What takes or makes `duration` seconds of a clip: samples of any type, which it does not change."""

    supports_multichannel = True

    def __init__(self, duration: float, p: float = 1.0):
        super().__init__(p)
        if not duration > 0:
            raise ValueError(f"duration={duration} must be positive.")
        self.duration = duration


class RandomPlacement(OfDuration):
    """Puts a clip at a random place in a canvas of zeros; of a longer clip it takes a random excerpt.

    Args:
        duration: seconds of the canvas.
    """

    def randomize_parameters(self, samples: np.ndarray, sample_rate: int) -> None:
        """Draw where the clip begins on the canvas, or, negative, the canvas in the clip."""
        super().randomize_parameters(samples, sample_rate)
        if self.parameters["should_apply"]:
            free = round(self.duration * sample_rate) - samples.shape[-1]
            self.parameters["offset"] = random.randint(min(free, 0), max(free, 0))

    def apply(self, samples: np.ndarray, sample_rate: int) -> np.ndarray:
        """(..., samples) -> (..., canvas)."""
        size, offset = round(self.duration * sample_rate), self.parameters["offset"]
        if offset < 0 or samples.shape[-1] >= size:
            return samples[..., -offset : size - offset]
        canvas = np.zeros((*samples.shape[:-1], size), dtype=samples.dtype)
        canvas[..., offset : offset + samples.shape[-1]] = samples
        return canvas


class RandomExcerpt(OfDuration):
    """Takes a random excerpt of a clip, which may reach over the clip's ends by an eighth, into zeros.

    Of a clip that ends in zeros (ESC-50 has been filled up with them to equal lengths), the excerpts are taken where
    something sounds: an excerpt of mere silence would teach that silence is a dog.

    Args:
        duration: seconds of the excerpt.
    """

    def randomize_parameters(self, samples: np.ndarray, sample_rate: int) -> None:
        """Draw where the excerpt begins, in samples, perhaps before the clip."""
        super().randomize_parameters(samples, sample_rate)
        if self.parameters["should_apply"]:
            size, length = round(self.duration * sample_rate), samples.shape[-1]
            end = length
            if not samples[..., -1].any():
                sounding = samples != 0 if samples.ndim == 1 else (samples != 0).any(axis=0)
                end = length - int(np.flip(sounding).argmax())  # the whole length where all is silent
            last = end - size // 2 if end < length else length - size
            self.parameters["start"] = random.randint(-(size // 8), max(last, 0) + size // 8)

    def apply(self, samples: np.ndarray, sample_rate: int) -> np.ndarray:
        """(..., samples) -> (..., excerpt)."""
        size, start = round(self.duration * sample_rate), self.parameters["start"]
        excerpt = np.zeros((*samples.shape[:-1], size), dtype=samples.dtype)
        kept = samples[..., max(start, 0) : max(start + size, 0)]
        offset = max(-start, 0)
        excerpt[..., offset : offset + kept.shape[-1]] = kept
        return excerpt


class Beginning(OfDuration):
    """Takes the beginning of a clip, from a random moment in its first eighth on.

    Args:
        duration: seconds of the beginning.
    """

    def randomize_parameters(self, samples: np.ndarray, sample_rate: int) -> None:
        """Draw the moment, in samples."""
        super().randomize_parameters(samples, sample_rate)
        if self.parameters["should_apply"]:
            longest = min(samples.shape[-1], round(self.duration * sample_rate))
            self.parameters["start"] = random.randint(0, longest // 8)

    def apply(self, samples: np.ndarray, sample_rate: int) -> np.ndarray:
        """(..., samples) -> (..., at most the duration)."""
        start = self.parameters["start"]
        return samples[..., start : start + round(self.duration * sample_rate)]


class AddFastGaussianSNR(AddGaussianSNR):
    """As its base class, with normal numbers out of a pool: to draw them costs more than all else that a clip gets."""

    def apply(self, samples: np.ndarray, sample_rate: int) -> np.ndarray:
        """(..., samples) -> (..., samples) float32."""
        noise = normal_numbers(samples.size).reshape(samples.shape) * np.float32(self.parameters["noise_std"])
        noise += samples
        return noise


class SyntheticRoom(BaseWaveformTransform):
    """Lets a clip sound in a room: its echoes are normal noise that decays exponentially, after Polack's model.

    The clip keeps its length and its loudness. audiomentations' own room wants a package that is compiled on
    installation.

    Args:
        min_decay_seconds, max_decay_seconds: until the echoes have lost 60 dB.
        min_direct_db, max_direct_db: energy of the direct sound over that of all echoes.
    """

    supports_multichannel = True

    def __init__(
        self,
        min_decay_seconds: float = 0.1,
        max_decay_seconds: float = 0.8,
        min_direct_db: float = -3.0,
        max_direct_db: float = 15.0,
        p: float = 0.5,
    ):
        super().__init__(p)
        if not 0 < min_decay_seconds <= max_decay_seconds:
            raise ValueError(f"{min_decay_seconds=} must be positive and not above {max_decay_seconds=}.")
        if min_direct_db > max_direct_db:
            raise ValueError(f"{min_direct_db=} must not be above {max_direct_db=}.")
        self.decay_seconds = min_decay_seconds, max_decay_seconds
        self.direct_db = min_direct_db, max_direct_db

    def randomize_parameters(self, samples: np.ndarray, sample_rate: int) -> None:
        """Draw the room's response."""
        super().randomize_parameters(samples, sample_rate)
        if self.parameters["should_apply"]:
            decay = random.uniform(*self.decay_seconds)
            size = round(decay * sample_rate)
            falling = np.float32(10 ** (-3 / (decay * sample_rate))) ** np.arange(1, size, dtype=np.float32)
            echoes = normal_numbers(size - 1) * falling
            ratio = 10 ** (random.uniform(*self.direct_db) / 20)
            echoes /= np.float32(ratio * np.linalg.norm(echoes))
            self.parameters["response"] = np.concatenate([np.ones(1, dtype=np.float32), echoes])

    def apply(self, samples: np.ndarray, sample_rate: int) -> np.ndarray:
        """(..., samples) -> (..., samples) float32."""
        response, n_samples = self.parameters["response"], samples.shape[-1]
        size = next_fast_len(n_samples + len(response) - 1, real=True)
        changed = irfft(rfft(samples, size) * rfft(response, size), size)[..., :n_samples]
        loudness = np.sqrt(np.mean(np.square(samples)) / max(np.mean(np.square(changed)), 1e-20))
        return (changed * loudness).astype(np.float32)


class TelephoneLine(BaseWaveformTransform):
    """Lets a clip be heard over a telephone: half its band, and what the line's codec leaves of it.

    Sampled 8000 times a second, filtered as lines and handsets do it, and coded by mu-law, A-law, GSM full rate or not
    at all, as G.711 and GSM 06.10 have it.

    Args:
        min_low_hz, max_low_hz: below where the line is silent.
        min_high_hz, max_high_hz: above where it is.
    """

    RATE = 8000  # Hz
    CODECS = ("PCM_16", "ULAW", "ALAW", "GSM610")  # of libsndfile

    def __init__(
        self,
        min_low_hz: float = 80.0,
        max_low_hz: float = 350.0,
        min_high_hz: float = 3000.0,
        max_high_hz: float = 3800.0,
        p: float = 0.5,
    ):
        super().__init__(p)
        if not 0 < min_low_hz <= max_low_hz < min_high_hz <= max_high_hz < self.RATE / 2:
            raise ValueError(f"{min_low_hz=}, {max_low_hz=}, {min_high_hz=}, {max_high_hz=} must rise, to 4000 Hz.")
        self.low_hz = min_low_hz, max_low_hz
        self.high_hz = min_high_hz, max_high_hz

    def randomize_parameters(self, samples: np.ndarray, sample_rate: int) -> None:
        """Draw the line."""
        super().randomize_parameters(samples, sample_rate)
        if self.parameters["should_apply"]:
            self.parameters["band"] = random.uniform(*self.low_hz), random.uniform(*self.high_hz)
            self.parameters["codec"] = random.choice(self.CODECS)

    def apply(self, samples: np.ndarray, sample_rate: int) -> np.ndarray:
        """(samples,) -> (samples,) float32, as loud as before."""
        peak = max(float(np.abs(samples).max(initial=0)), 1e-6)
        changed = soxr.resample(samples / peak, sample_rate, self.RATE)
        band = butter(2, self.parameters["band"], "bandpass", fs=self.RATE, output="sos")
        changed = np.clip(0.7 * sosfilt(band, changed), -1, 1)
        coded = io.BytesIO()
        soundfile.write(coded, changed, self.RATE, subtype=self.parameters["codec"], format="WAV")
        coded.seek(0)
        changed = soundfile.read(coded, dtype="float32")[0]
        back = soxr.resample(changed, self.RATE, sample_rate)[: len(samples)] * (peak / 0.7)
        return np.pad(back, (0, len(samples) - len(back))).astype(np.float32)


def vary_background(waveform: np.ndarray) -> np.ndarray:
    """A sound that is none of the classes, up to an octave faster or slower and perhaps backwards, which is another.

    What is none of the classes is far more than the recordings of a place hold. waveform: (samples,), and back another
    number of them, by draws of numpy's global generator.
    """
    speed = 2 ** np.random.uniform(-1, 1)
    places = np.arange(round(len(waveform) / speed)) * speed
    varied = np.interp(places, np.arange(len(waveform)), waveform).astype(np.float32)
    return varied if np.random.random() < 0.5 else varied[::-1]
