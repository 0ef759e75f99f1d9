"""Made-up recordings that are as different from one another as recordings are, and what befalls their copies."""

from pathlib import Path

import numpy as np
import soundfile
import soxr

SCENE_RATE = 22050


def scene(seed: int, seconds: float = 3.0, rate: int = SCENE_RATE) -> np.ndarray:
    """Chirps and knocks at random over faint noise: (samples,) float32."""
    random = np.random.default_rng([seed, 12345])
    t = np.arange(round(seconds * rate)) / rate
    samples = 0.003 * random.standard_normal(len(t))
    for _ in range(round(8 * seconds)):
        begin, length = random.uniform(0, seconds), random.uniform(0.03, 0.4)
        low, high = random.uniform(200, 5000, 2)
        inside = (t >= begin) & (t < begin + length)
        u = (t[inside] - begin) / length
        chirp = np.sin(2 * np.pi * length * (low * u + (high - low) * u**2 / 2)) * np.sin(np.pi * u)
        knock = random.standard_normal(inside.sum()) * np.exp(-8 * u)
        samples[inside] += random.uniform(0.02, 0.2) * (chirp if random.random() < 0.7 else knock)
    return samples.astype(np.float32)


def call(seed: int, seconds: float = 1.0, rate: int = SCENE_RATE) -> np.ndarray:
    """What a bird may whistle, one to four glides over no noise at all: (samples,) float32."""
    random = np.random.default_rng([seed, 54321])
    t = np.arange(round(seconds * rate)) / rate
    samples = np.zeros_like(t)
    for _ in range(random.integers(1, 5)):
        begin, length = seconds * random.uniform(0, 0.6), seconds * random.uniform(0.1, 0.4)
        low, high = np.exp(random.uniform(np.log(800), np.log(7500), 2))
        inside = (t >= begin) & (t < begin + length)
        u = (t[inside] - begin) / length
        glide = np.sin(2 * np.pi * length * (low * u + (high - low) * u**2 / 2)) * np.sin(np.pi * u)
        samples[inside] += random.uniform(0.1, 0.5) * glide
    return samples.astype(np.float32)


def write_copy(kind: str, samples: np.ndarray, path: Path, seed: int = 0) -> Path:
    """A copy of samples at 22,050 Hz beside `path`, in another format, at another level, ...; its name."""
    random = np.random.default_rng(seed)
    rate = SCENE_RATE
    suffix = {"mp3": ".mp3", "ogg": ".ogg"}.get(kind, ".wav")
    if kind == "gain":
        samples = samples * 10 ** (random.uniform(-12, 6) / 20)
    elif kind == "rate":
        samples, rate = soxr.resample(samples, rate, 16000), 16000
    elif kind == "trim":
        samples = samples[round(min(random.uniform(0.3, 1), len(samples) / rate / 3) * rate) :]
    elif kind == "noise":
        deviation = np.sqrt(np.mean(np.square(samples))) * 10 ** (-30 / 20)
        samples = samples + random.standard_normal(len(samples)) * deviation
    path = path.with_suffix(suffix)
    soundfile.write(path, samples, rate)
    return path


COPIES = ("mp3", "ogg", "gain", "rate", "trim", "noise")
