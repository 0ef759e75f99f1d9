"""Recordings in containers, whole ones and such as recorders, pipes and accidents leave behind."""

import io
import struct

import numpy as np
import pytest
import soundfile

from hf_audio.audio.loading import load_audio
from hf_audio.errors import AudioError

from .recordings import encoded

RATE = 16000


def sound(seconds: float = 2.0, rate: int = RATE, channels: int = 1) -> np.ndarray:
    """Noise that is quiet first, so that a variable bit rate begins low: (samples,) or (samples, channels)."""
    rng = np.random.default_rng(0)
    n_samples = round(seconds * rate)
    noise = (
        rng.standard_normal((n_samples, channels))
        * np.where(np.arange(n_samples) < n_samples / 2, 0.002, 0.2)[:, None]
    )
    return (noise if channels > 1 else noise[:, 0]).astype(np.float32)


def encode(samples: np.ndarray, container: str, subtype: str | None = None, rate: int = RATE, **options) -> bytes:
    """A file as soundfile writes it."""
    return encoded(samples, rate, format=container, subtype=subtype, **options)


def decode(data: bytes) -> np.ndarray:
    """What libsndfile reads of an intact file: (samples,) float32 of one channel."""
    return soundfile.read(io.BytesIO(data), dtype="float32")[0]


def check_whole_and_cut(data: bytes) -> None:
    """A whole file is read as libsndfile reads it, and one that is cut off is refused."""
    np.testing.assert_array_equal(load_audio(data, RATE), np.clip(decode(data), -1, 1))
    for share in (0.3, 0.5, 0.9):
        with pytest.raises(AudioError, match="is cut off"):
            load_audio(data[: int(share * len(data))], RATE)


def wav(
    data_size: int, samples: bytes, riff_size: int | None = None, before: bytes = b"", after: bytes = b""
) -> bytes:
    """A WAV of 16-bit samples at `RATE`, with sizes that may be wrong, and chunks before and after the samples."""
    form = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    body = b"WAVE" + form + before + b"data" + struct.pack("<I", data_size) + samples + after
    return b"RIFF" + struct.pack("<I", len(body) if riff_size is None else riff_size) + body


def mp3(mode: str = "VARIABLE", seconds: float = 3.0, rate: int = 44100, channels: int = 1) -> bytes:
    """An MP3 with its tag."""
    options = {"bitrate_mode": mode, "compression_level": 0.3}
    return encode(sound(seconds, rate, channels), "MP3", "MPEG_LAYER_III", rate, **options)


def without_tag(data: bytes) -> bytes:
    """An MP3 as recorders and pipes write it: without the first frame, which holds the tag, and without titles."""
    start = 0
    if data[:3] == b"ID3":
        start = 10 + sum(byte << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=True))
    places = [data.find(name, start, start + 60) for name in (b"Xing", b"Info")]
    assert max(places) > 0, "no tag to remove"
    return data[data.index(data[start : start + 2], start + 60) :]
