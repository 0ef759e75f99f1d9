"""Recordings made on the spot that every way to run a checkpoint must answer alike."""

import io

import numpy as np
import soundfile

SEED = 0
OTHER_RATES = (8000, 44100, 48000)


def make_golden_clips(sampling_rate: int, clip_seconds: float | None) -> dict[str, bytes]:
    """WAV files by their names: short, long, changing, silent, loud, stereo, at other rates, of 24 bits and of floats.

    sampling_rate: of the checkpoint, in Hz; clip_seconds: its window, or `None`.
    """
    clip_seconds = clip_seconds or 3.0
    sounds = {
        "window": _sound(clip_seconds, sampling_rate),
        "short": _sound(0.05 * clip_seconds, sampling_rate),
        "shorter": _sound(0.4 * clip_seconds, sampling_rate),
        "long": _sound(2.3 * clip_seconds, sampling_rate),
        "changing": np.concatenate(  # no window is like the mean of all
            [
                _sound(1.4 * clip_seconds, sampling_rate),
                _sound(1.3 * clip_seconds, sampling_rate, seed=2) * 1e-2,
                np.zeros(round(0.4 * clip_seconds * sampling_rate)),
                np.clip(_sound(1.2 * clip_seconds, sampling_rate, seed=3) * 20, -1, 1),
            ]
        ),
        "silent": np.zeros(round(clip_seconds * sampling_rate)),
        "faint": _sound(clip_seconds, sampling_rate) * 1e-3,
        "loud": np.clip(_sound(clip_seconds, sampling_rate) * 20, -1, 1),
        "click": np.eye(1, round(clip_seconds * sampling_rate), sampling_rate // 10)[0],
    }
    clips = {name: _wav(sound, sampling_rate) for name, sound in sounds.items()}
    for rate in OTHER_RATES:
        clips[f"{rate}_hz"] = _wav(_sound(clip_seconds, rate), rate)
    sides = np.stack([_sound(clip_seconds, sampling_rate), _sound(clip_seconds, sampling_rate, seed=1)], 1)
    clips["stereo"] = _wav(sides, sampling_rate)
    clips["24_bit"] = _wav(sounds["window"], sampling_rate, "PCM_24")
    clips["float"] = _wav(sounds["window"], sampling_rate, "FLOAT")
    return clips


def _sound(seconds: float, rate: int, seed: int = SEED) -> np.ndarray:
    """A gliding harmonic tone that comes and goes in noise: (samples,)."""
    generator = np.random.default_rng(seed)
    time = np.arange(max(round(seconds * rate), 1)) / rate
    pitch = generator.uniform(150, 400) * (1 + 0.3 * np.sin(2 * np.pi * 0.7 * time))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    tone = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 5))
    return 0.2 * tone * np.sin(np.pi * 2 * time) ** 2 + 0.02 * generator.standard_normal(len(time))


def _wav(samples: np.ndarray, rate: int, subtype: str = "PCM_16") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="WAV", subtype=subtype)
    return buffer.getvalue()
