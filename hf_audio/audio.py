"""Audio files and bytes to mono float32 at a rate, and every error bad audio can cause."""

import io
import numbers
import os
from pathlib import Path

import numpy as np
import soundfile
import soxr

# Programs that stream cannot know the size of what they will write: they put zero or something huge into the header.
LARGEST_KNOWN_RIFF_SIZE = 0x7FFF0000 - 1
# Samples per second that a recording may claim; beyond, a header is broken, and resampling would never end.
RATES = range(100, 10_000_001)
# Values, channels together, that a recording of limited length may hold a second: stereo at 96 kHz.
DENSEST = 2 * 96_000
# What libsndfile says where a header, such as that of a FLAC written into a pipe, does not tell how long it is.
UNKNOWN_FRAMES = 2**63 - 1
EXTENSIONS = frozenset(
    [
        ".wav",
        ".flac",
        ".ogg",
        ".oga",
        ".opus",
        ".mp3",
        ".aif",
        ".aiff",
        ".aifc",
        ".au",
        ".snd",
        ".caf",
        ".w64",
        ".rf64",
    ]
)


class AudioError(ValueError):
    """Audio that cannot be used; the message is one sentence with the file's name and the remedy."""


class UndecodableAudioError(AudioError):
    """Bytes that are no audio, or of a kind that libsndfile does not know."""


class LongAudioError(AudioError):
    """A recording longer than the caller allows."""


def load_audio(source: str | os.PathLike | bytes, sampling_rate: int, max_seconds: float | None = None) -> np.ndarray:
    """Decode a file or its bytes, average its channels and resample: (samples,) float32, full scale being 1.

    Reads what libsndfile reads, whatever the file's extension says: WAV, FLAC, Ogg Vorbis, Opus, MP3, AIFF, ...
    That a file is cut off is noticed for WAV and for compressed formats. Of a recording longer than `max_seconds`, no
    more than so much is decoded, however small its file is and whatever its header promises.

    Raises:
        LongAudioError: it is longer than `max_seconds`.
        UndecodableAudioError: it is not audio.
        AudioError: the file is missing, empty, cut off, without samples, or contains NaN.
    """
    if not isinstance(source, str | os.PathLike | bytes):
        raise AudioError(f"Audio cannot be read from a {type(source).__name__}: give a path, bytes or an array.")
    name = "the audio bytes" if isinstance(source, bytes) else str(source)
    try:
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
    except (OSError, ValueError) as error:  # a ValueError is a path with a zero byte
        reason = getattr(error, "strerror", None) or error
        raise AudioError(f"{unreadable(name)} ({reason}): check the path.") from error
    if not data:
        raise AudioError(f"{name} is empty (0 bytes): record or download it again, or leave it out.")
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            rate, channels = file.samplerate, file.channels
            promised = 0 if file.frames == UNKNOWN_FRAMES else file.frames
            limit = None if max_seconds is None else int(max_seconds * min(rate, DENSEST // channels))
            if limit is None:
                samples = file.read(dtype="float32", always_2d=True)  # (frames, channels)
            else:  # one too many shows that there are more
                samples = file.read(0 if promised > limit else limit + 1, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError, ValueError) as error:
        raise UndecodableAudioError(
            f"{name} is not audio that libsndfile can decode: convert it to WAV or FLAC, or leave it out."
        ) from error
    if limit is not None and max(promised, len(samples)) > limit:
        dense = " of so many samples a second" if rate * channels > DENSEST else ""
        raise LongAudioError(f"{name} is longer than {limit / rate:g} s, the most{dense}: cut it into shorter ones.")
    if _riff_is_cut_off(data) or len(samples) < promised:
        raise AudioError(f"{name} is cut off, its header promises more samples than it holds: copy it again.")
    return to_mono(samples.T, rate, sampling_rate, name)


def unreadable(name: str | os.PathLike) -> str:
    """How the sentence about a file that the system will not read begins."""
    return f"{name} cannot be read"


def to_mono(samples: np.ndarray, rate: int, sampling_rate: int, name: str = "the array") -> np.ndarray:
    """Samples at `rate`, (samples,) or with channels on the shorter of two axes -> (samples,) float32.

    Integers are scaled to [-1, 1] by their type's range; the middle of an unsigned type's range is zero.

    Raises:
        AudioError: no samples, more than two dimensions, NaN or infinite values, values that are no numbers, or a rate
            that no recording has.
    """
    samples = np.asarray(samples)
    if samples.ndim > 2:
        raise AudioError(f"{name} has the shape {samples.shape}: give (samples,) or (channels, samples).")
    if samples.size == 0:
        raise AudioError(f"{name} contains no samples: leave it out.")
    if not isinstance(rate, numbers.Real) or not RATES.start <= rate < RATES.stop:
        raise AudioError(f"{name} has the sampling rate {rate}: give samples per second, {RATES.start} or more.")
    if samples.dtype.kind not in "iuf":
        raise AudioError(f"{name} holds {samples.dtype} values: give numbers, integers or floats.")
    if samples.dtype.kind in "iu":
        half = 2.0 ** (8 * samples.dtype.itemsize - 1)
        samples = ((samples.astype(np.float64) - half * (samples.dtype.kind == "u")) / half).astype(np.float32)
    samples = samples.astype(np.float32, copy=False)
    if samples.ndim == 2:
        samples = samples.mean(axis=int(samples.shape[0] > samples.shape[1]))
    if not np.isfinite(samples).all():
        raise AudioError(f"{name} contains NaN or infinite samples: repair it or leave it out.")
    if rate != sampling_rate:
        samples = soxr.resample(samples, rate, sampling_rate)
        if samples.size == 0:
            raise AudioError(f"{name} is shorter than one sample at {sampling_rate} Hz: leave it out.")
    return np.ascontiguousarray(samples)


def to_int16(waveform: np.ndarray) -> np.ndarray:
    """(samples,) in [-1, 1], what lies outside clipped -> 16-bit integers."""
    return np.rint(np.clip(waveform, -1, 1) * 32767).astype("<i2")


def from_int16(samples: np.ndarray) -> np.ndarray:
    """The inverse of `to_int16`, but for the rounding: (samples,) float32."""
    return np.multiply(samples, np.float32(1 / 32767), dtype=np.float32)


def _riff_is_cut_off(data: bytes) -> bool:
    # libsndfile plays what is left of a cut WAV without a word, and half a clip has half a clip's content.
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return False
    position = 12
    while position + 8 <= len(data):
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        if data[position : position + 4] == b"data":
            return 0 < size <= LARGEST_KNOWN_RIFF_SIZE and position + 8 + size > len(data)
        position += 8 + size + size % 2
    return False
