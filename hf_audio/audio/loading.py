"""Audio files and bytes, wherever they lie, to mono float32 at a rate; and what is said of files that are no audio.

How loud samples are taken to be, whatever they are counted in, and which channels are heard, is said in `levels`: the
same for training and for every use.
"""

import io
import os
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import IO

import numpy as np
import soundfile

from ..errors import AudioError, Refusal, UndecodableAudioError
from ..remote.addresses import is_remote, public_name
from ..remote.reading import keeps_quiet, open_remote, trouble_of
from .containers import MAX_PARTS, find_cut_out_stream, find_parts
from .foreign import open_foreign, remedy
from .parts import CutOffError, Part, open_part
from .recording import UNDECODABLE, Recording, Track, cut_off
from .resampling import resample_blocks

Source = str | os.PathLike | bytes | Future[IO[bytes]]
"""A path or an address, the bytes of a file, or a file that is being opened."""


def load_audio(
    source: str | os.PathLike | bytes,
    sampling_rate: int,
    max_seconds: float | None = None,
    *,
    name: str | None = None,
) -> np.ndarray:
    """Decode a file or its bytes, mix its channels and resample: (samples,) float32, none beyond full scale, 1.

    Reads what libsndfile reads, whatever the file's extension says: WAV, FLAC, Ogg Vorbis, Opus, MP3, AIFF, ...; and,
    where PyAV or the ffmpeg program is installed, what phones and browsers write. Files joined end to end are heard
    to their end, and sizes that recorders could not write are found. Of a recording longer than `max_seconds`, no more
    than so much is decoded, however small its file is and whatever its header promises. Errors tell its `name`, by
    default the path.

    Raises:
        LongAudioError: it is longer than `max_seconds`.
        UndecodableAudioError: it is not audio.
        AudioError: the file is missing, empty, cut off, without samples, or contains NaN.
    """
    blocks = list(stream_audio(source, sampling_rate, max_seconds, name=name))
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def stream_audio(
    source: Source,
    sampling_rate: int,
    max_seconds: float | None = None,
    *,
    name: str | None = None,
) -> Iterator[np.ndarray]:
    """What `load_audio` gives, block after block, so that a recording of hours takes no more memory than a short one.

    Raises:
        AudioError: as `load_audio`; that a file is cut off may turn out at its end only.
    """
    with open_audio(source, name) as recording:
        if max_seconds is not None:
            recording.limit(max_seconds)
        yield from resample_blocks(
            recording.blocks(), recording.rate, sampling_rate, recording.name, recording.full_scale()
        )


@contextmanager
def open_audio(source: Source, name: str | None = None) -> Iterator["Recording"]:
    """A recording as its file has it, which may be remote. Errors tell its `name`, by default the path.

    Raises:
        AudioError: it is missing, empty, cut off or not audio.
    """
    if not isinstance(source, str | os.PathLike | bytes | Future):
        raise AudioError(f"Audio cannot be read from a {type(source).__name__}: give a path, bytes or an array.")
    name = name or _name(source)
    with ExitStack() as stack:
        data = stack.enter_context(_open(source, name))
        stack.push(partial(_raise_trouble, data, name))
        if not data.read(1):
            raise AudioError(f"{name} is empty (0 bytes): record or download it again, or leave it out.")
        try:
            tracks = [Track(stack.enter_context(file), part) for file, part in _open_parts(data, name)]
        except CutOffError as error:
            raise cut_off(name) from error
        except UNDECODABLE as error:
            if isinstance(error, Refusal) or trouble_of(data) is not None:
                raise
            foreign = open_foreign(data, b"" if isinstance(source, Future) else source, name)
            if foreign is None:
                raise _not_audio(name, data) from error
            tracks = [Track(stack.enter_context(foreign))]
        yield Recording(name, tracks)


def _open_parts(data: IO[bytes], name: str) -> Iterator[tuple[soundfile.SoundFile, Part | None]]:
    """What libsndfile opens of a file.

    Raises:
        CutOffError: it is cut off.
        One of `UNDECODABLE`: libsndfile does not know what it is.
    """
    parts = find_parts(data)
    if len(parts) > MAX_PARTS:
        raise AudioError(f"{name} is joined of more than {MAX_PARTS} recordings: split it.")
    size = data.seek(0, os.SEEK_END)
    if not parts or (len(parts) == 1 and parts[0].pieces == (range(size),) and parts[0].frames is None):
        data.seek(0)
        try:
            yield soundfile.SoundFile(_descriptor(data)), None
            return
        except UNDECODABLE:
            stream = find_cut_out_stream(data)
            if parts or stream is None:
                raise
            parts = [stream]
    keeps_quiet(data)
    for part in parts:
        yield soundfile.SoundFile(open_part(data, part)), part


def _descriptor(data: IO[bytes]) -> IO[bytes] | int:
    """A descriptor of a file on the disk, by which libsndfile reads it itself: half the time that calls back take."""
    if isinstance(data, io.BytesIO) or keeps_quiet(data):
        return data
    descriptor = os.dup(data.fileno())  # which `SoundFile` closes
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _name(source: object) -> str:
    return "the audio bytes" if isinstance(source, bytes | Future) else public_name(str(source))


def _raise_trouble(data: IO[bytes], name: str, *_: object) -> None:
    """Say why a file could not be read to its end, where libsndfile could not."""
    trouble = trouble_of(data)
    if isinstance(trouble, OSError):
        raise _not_opened(name, trouble) from trouble
    if trouble is not None:
        raise trouble


def _not_opened(name: str, error: Exception) -> AudioError:
    return AudioError(f"{unreadable(name)} ({getattr(error, 'strerror', None) or error}): check the path.")


def _open(source: Source, name: str) -> IO[bytes]:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        if isinstance(source, Future):
            return source.result()
        if is_remote(source):
            return open_remote(os.fspath(source))
        # Opened by its number, the file has no name by which soundfile would judge what it holds.
        file = os.fdopen(os.open(source, os.O_RDONLY | getattr(os, "O_BINARY", 0)), "rb")
        if file.seekable():
            return file
        with file:
            return io.BytesIO(file.read())  # a pipe
    except (OSError, ValueError) as error:  # a ValueError is a path with a zero byte
        if isinstance(error, Refusal):
            raise
        raise _not_opened(name, error) from error


def _not_audio(name: str, file: IO[bytes]) -> AudioError:
    return UndecodableAudioError(f"{name} is not audio that {remedy(file)}, or leave it out.")


def unreadable(name: str | os.PathLike) -> str:
    """How the sentence about a file that the system will not read begins."""
    return f"{name} cannot be read"
