"""Audio files and bytes to mono float32 at a rate, and every error bad audio can cause."""

import io
import numbers
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO

import numpy as np
import soundfile
import soxr

from ..errors import AudioError, LongAudioError, UndecodableAudioError

# Programs that stream cannot know the size of what they will write: they put zero or something huge into the header.
LARGEST_KNOWN_RIFF_SIZE = 0x7FFF0000 - 1
# Samples per second that a recording may claim; beyond, a header is broken, and resampling would never end.
RATES = range(100, 10_000_001)
# Values, channels together, that a recording of limited length may hold a second: stereo at 96 kHz.
DENSEST = 2 * 96_000
# What libsndfile says where a header, such as that of a FLAC written into a pipe, does not tell how long it is; it can
# then not read it.
UNKNOWN_FRAMES = 2**63 - 1
# Of a file, decoded at once: what is shorter is resampled in one go.
BLOCK_FRAMES = 1 << 20
# What 16-bit samples are divided by. `to_int16` alone, the form in which training keeps its clips, has a scale of its
# own: another one would change what networks are trained on.
INT16_FULL_SCALE = 32768
UNDECODABLE = (soundfile.LibsndfileError, RuntimeError, ValueError)  # what soundfile raises


def load_audio(
    source: str | os.PathLike | bytes,
    sampling_rate: int,
    max_seconds: float | None = None,
    *,
    name: str | None = None,
) -> np.ndarray:
    """Decode a file or its bytes, average its channels and resample: (samples,) float32, full scale being 1.

    Reads what libsndfile reads, whatever the file's extension says: WAV, FLAC, Ogg Vorbis, Opus, MP3, AIFF, ...
    That a file is cut off is noticed for WAV and for compressed formats. Of a recording longer than `max_seconds`, no
    more than so much is decoded, however small its file is and whatever its header promises. Errors tell its `name`,
    by default the path.

    Raises:
        LongAudioError: it is longer than `max_seconds`.
        UndecodableAudioError: it is not audio.
        AudioError: the file is missing, empty, cut off, without samples, or contains NaN.
    """
    blocks = list(stream_audio(source, sampling_rate, max_seconds, name=name))
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def stream_audio(
    source: str | os.PathLike | bytes,
    sampling_rate: int,
    max_seconds: float | None = None,
    *,
    name: str | None = None,
) -> Iterator[np.ndarray]:
    """What `load_audio` gives, block after block, so that a recording of hours takes no more memory than a short one.

    Raises:
        AudioError: as `load_audio`; that a file is cut off may turn out at its end only.
    """
    with open_audio(source, name) as (file, blocks):
        name = name or _name(source)
        if max_seconds is not None:
            limit = int(max_seconds * min(file.samplerate, DENSEST // file.channels))
            if limit < file.frames < UNKNOWN_FRAMES:  # no more frames than these are read
                seconds = limit / file.samplerate
                raise LongAudioError(f"{name} is longer than {seconds:g} s, the most at its rate: cut it.")
        yield from resample_blocks(blocks, file.samplerate, sampling_rate, name)


@contextmanager
def open_audio(
    source: str | os.PathLike | bytes, name: str | None = None
) -> Iterator[tuple[soundfile.SoundFile, Iterator[np.ndarray]]]:
    """What libsndfile says of a recording, and its samples as they are, in blocks of (frames, channels) float32.

    Every block but the last one has `BLOCK_FRAMES` frames; the last one may have none. Errors tell its `name`, by
    default the path.

    Raises:
        AudioError: it is missing, empty or not audio, at once; it is cut off or broken in its middle, as it is read.
    """
    if not isinstance(source, str | os.PathLike | bytes):
        raise AudioError(f"Audio cannot be read from a {type(source).__name__}: give a path, bytes or an array.")
    name = name or _name(source)
    with _open(source, name) as data:
        if not data.read(1):
            raise AudioError(f"{name} is empty (0 bytes): record or download it again, or leave it out.")
        cut_off = _riff_is_cut_off(data)
        data.seek(0)
        try:
            file = soundfile.SoundFile(data)
        except UNDECODABLE as error:
            raise _not_audio(name) from error
        with file:
            yield file, _decode(file, cut_off, name)


def resample_blocks(
    blocks: Iterable[np.ndarray], rate: int, sampling_rate: int, name: str = "the array"
) -> Iterator[np.ndarray]:
    """The blocks of `open_audio`, at `rate`, to mono blocks, (samples,) float32 at `sampling_rate`.

    Raises:
        AudioError: see `to_mono`.
    """
    resampler = None
    for number, block in enumerate(blocks):
        is_first, is_last = number == 0, len(block) < BLOCK_FRAMES
        block = block.mean(axis=1) if block.shape[1] > 1 else block[:, 0]
        if is_first and is_last:
            yield to_mono(block, rate, sampling_rate, name)
            return
        if is_first:
            to_mono(block, rate, rate, name)  # the rate is one that a resampler takes
            resampler = None if rate == sampling_rate else soxr.ResampleStream(rate, sampling_rate, 1)
        if len(block):
            block = to_mono(block, rate, rate, name)
        if resampler is not None:
            block = resampler.resample_chunk(block, last=is_last)
        if len(block):
            yield block


def _name(source: str | os.PathLike | bytes) -> str:
    return "the audio bytes" if isinstance(source, bytes) else str(source)


def _open(source: str | os.PathLike | bytes, name: str) -> IO[bytes]:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        # Opened by its number, the file has no name by which soundfile would judge what it holds.
        file = os.fdopen(os.open(source, os.O_RDONLY | getattr(os, "O_BINARY", 0)), "rb")
        if file.seekable():
            return file
        with file:
            return io.BytesIO(file.read())  # a pipe
    except (OSError, ValueError) as error:  # a ValueError is a path with a zero byte
        reason = getattr(error, "strerror", None) or error
        raise AudioError(f"{unreadable(name)} ({reason}): check the path.") from error


def _decode(file: soundfile.SoundFile, cut_off: bool, name: str) -> Iterator[np.ndarray]:
    n_frames = 0
    is_last = False
    while not is_last:
        try:
            block = file.read(BLOCK_FRAMES, dtype="float32", always_2d=True)  # (frames, channels)
        except UNDECODABLE as error:
            raise _not_audio(name) from error
        is_last = len(block) < BLOCK_FRAMES
        n_frames += len(block)
        if cut_off or (is_last and n_frames < file.frames):
            raise AudioError(f"{name} is cut off, its header promises more samples than it holds: copy it again.")
        yield block


def _not_audio(name: str) -> AudioError:
    return UndecodableAudioError(
        f"{name} is not audio that libsndfile can decode: convert it to WAV or FLAC, or leave it out."
    )


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


def _riff_is_cut_off(file: IO[bytes]) -> bool:
    # libsndfile plays what is left of a cut WAV without a word, and half a clip has half a clip's content.
    size_of_file = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return False
    position = 12
    while position + 8 <= size_of_file:
        file.seek(position)
        head = file.read(8)
        size = int.from_bytes(head[4:], "little")
        if head[:4] == b"data":
            return 0 < size <= LARGEST_KNOWN_RIFF_SIZE and position + 8 + size > size_of_file
        position += 8 + size + size % 2
    return False
