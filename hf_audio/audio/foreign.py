"""What phones, browsers and video write, M4A, WebM, 3GP, AMR, ...: decoded by PyAV or the ffmpeg program.

libsndfile reads none of it. Both decode with FFmpeg's libraries and give the same samples. Which demuxer is to read a
file is said by how the file begins, and never guessed: some of FFmpeg's demuxers take any bytes for sound, and others
open what a file names.
"""

import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import IO, Any, Self

import numpy as np

from .. import folders
from ..errors import AudioError
from .mpeg import skip_tags
from .parts import read_at

# How files begin, at which byte, and FFmpeg's name for what they are.
MAGICS = (
    *((4, kind, "mov") for kind in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")),
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (0, b"#!AMR", "amr"),
    (0, bytes.fromhex("3026b2758e66cf11"), "asf"),
    (0, b"MAC ", "ape"),
    (0, b"wvpk", "wv"),
    (0, b".RMF", "rm"),
    (0, b".ra\xfd", "rm"),
    (0, b"FLV", "flv"),
    (8, b"AVI ", "avi"),
    (0, b"TTA1", "tta"),
)
# Those whose headers tell how long they are; what may be missing at the end, in seconds.
TELL_LENGTH = ("mov", "matroska", "asf", "ape", "wv", "tta")
TOLERANCE_SECONDS = 0.25
BLOCK_BYTES = 1 << 20
AU_FLOAT = 6
BROKEN = "{} is cut off or damaged, as FFmpeg finds: copy it again."


def find_demuxer(file: IO[bytes]) -> str | None:
    """FFmpeg's name for what a file is; `None` for what is not to be decoded by it."""
    place = skip_tags(file, 0, file.seek(0, os.SEEK_END))
    head = read_at(file, place, 16)
    for position, magic, demuxer in MAGICS:
        if head[position:].startswith(magic):
            return demuxer
    if head[:2] == b"\x0b\x77":
        return "eac3" if len(head) > 5 and head[5] >> 3 > 10 else "ac3"
    if len(head) > 6 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:  # AAC: a further frame must follow
        size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
        following = read_at(file, place + size, 2)
        if size > 7 and (not following or (following[0] == 0xFF and following[-1] & 0xF6 == 0xF0)):
            return "aac"
    return None


def remedy(file: IO[bytes]) -> str:
    """How the sentence ends about a file that cannot be decoded."""
    if find_demuxer(file) is None:
        return "libsndfile can decode: convert it to WAV or FLAC"
    return f"libsndfile can decode: {folders.FOREIGN_REMEDY}"


class ForeignFile:
    """A file that FFmpeg decodes, with the attributes of a `SoundFile`; subclasses know how it is asked.

    Args:
        demuxer: FFmpeg's name for what it is.
        name: for errors.
    """

    samplerate: int
    channels: int
    subtype = "FFMPEG"
    frames: int | None = None
    """How many its header tells, or `None`."""

    def __init__(self, demuxer: str, name: str):
        self.format = demuxer.upper()
        self.name = name
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._closing.close()

    def blocks(self) -> Iterator[np.ndarray]:
        """The samples, (frames, channels) float32, in blocks of any length.

        Raises:
            AudioError: the file is cut off or damaged.
        """
        raise NotImplementedError


def open_foreign(file: IO[bytes], source: str | os.PathLike | bytes, name: str) -> ForeignFile | None:
    """A file that libsndfile does not read, opened; `None` if it is no sound, or nothing that decodes it is installed.

    Raises:
        AudioError: it is damaged.
    """
    demuxer, decoder = find_demuxer(file), folders.foreign_decoder()
    if demuxer is None or decoder is None:
        return None
    return AvFile(file, demuxer, name) if decoder == "PyAV" else FfmpegFile(file, source, demuxer, name)


class AvFile(ForeignFile):
    """A file that PyAV decodes."""

    def __init__(self, file: IO[bytes], demuxer: str, name: str):
        import av

        super().__init__(demuxer, name)
        self._error = av.FFmpegError
        file.seek(0)
        try:
            container: Any = self._closing.enter_context(av.open(file, format=demuxer, metadata_errors="replace"))
            streams = container.streams.audio
            if not streams:
                raise AudioError(f"{name} holds no sound: leave it out.")
            self._frames = container.decode(streams[0])
            self._first = next(self._frames, None)
        except av.FFmpegError as error:
            self._closing.close()
            raise AudioError(BROKEN.format(name)) from error
        if self._first is None:
            raise AudioError(f"{name} contains no samples: leave it out.")
        self.samplerate = self._first.sample_rate
        self.channels = self._first.layout.nb_channels
        stream = streams[0]
        self._is_padded = demuxer == "mov" and stream.codec_context.name == "aac"
        if demuxer in TELL_LENGTH and stream.duration and stream.time_base:
            self.frames = int(stream.duration * stream.time_base * self.samplerate)
        elif demuxer in TELL_LENGTH and container.duration:
            self.frames = int(container.duration * self.samplerate / av.time_base)

    def blocks(self) -> Iterator[np.ndarray]:
        """See `ForeignFile`."""
        held: list[np.ndarray] = [self._read(self._first)]
        n_held = n_frames = len(held[0])
        try:
            for frame in self._frames:
                block = self._read(frame)
                if n_frames < self._padded_from < n_frames + len(block):
                    block = block[: self._padded_from - n_frames]
                held.append(block)
                n_frames += len(block)
                n_held += len(block)
                if n_held * self.channels * 4 >= BLOCK_BYTES:
                    yield np.concatenate(held)
                    held, n_held = [], 0
        except self._error as error:
            raise AudioError(BROKEN.format(self.name)) from error
        if self.frames is not None and n_frames < self.frames - TOLERANCE_SECONDS * self.samplerate:
            raise AudioError(BROKEN.format(self.name))
        if held:
            yield np.concatenate(held)

    @property
    def _padded_from(self) -> int:
        """Frames of AAC in MP4 before the padding of the last packet, which older FFmpegs decode; -1 if unknown."""
        return self.frames if self._is_padded and self.frames is not None else -1

    def _read(self, frame: Any) -> np.ndarray:
        """(frames, channels) float32."""
        if (frame.sample_rate, frame.layout.nb_channels) != (self.samplerate, self.channels):
            raise AudioError(f"{self.name} changes its rate or its channels in its middle: split it.")
        samples = frame.to_ndarray()
        samples = samples.T if frame.format.is_planar else samples.reshape(-1, self.channels)
        if samples.dtype.kind == "f":
            return samples.astype(np.float32)
        half = 2.0 ** (8 * samples.dtype.itemsize - 1)
        return ((samples.astype(np.float64) - half * (samples.dtype.kind == "u")) / half).astype(np.float32)


class FfmpegFile(ForeignFile):
    """A file that the ffmpeg program decodes."""

    def __init__(self, file: IO[bytes], source: str | os.PathLike | bytes, demuxer: str, name: str):
        super().__init__(demuxer, name)
        if isinstance(source, bytes) or not os.path.isfile(source):  # some kinds must be sought in
            copy: Any = tempfile.NamedTemporaryFile()  # noqa: SIM115
            self._closing.enter_context(copy)
            file.seek(0)
            shutil.copyfileobj(file, copy)
            copy.flush()
            path = copy.name
        else:
            path = os.path.abspath(os.fspath(source))
        reading = ["-protocol_whitelist", "file", "-f", demuxer, "-i", f"file:{os.fsdecode(path)}", "-map", "0:a:0"]
        writing = ["-c:a", "pcm_f32be", "-f", "au", "pipe:1"]
        self._process = subprocess.Popen(
            ["ffmpeg", "-nostdin", "-v", "quiet", "-xerror", *reading, *writing],
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )
        self._closing.callback(self._stop)
        assert self._process.stdout is not None
        self._output = self._process.stdout
        head = self._output.read(24)
        if len(head) < 24:
            self._closing.close()
            raise AudioError(BROKEN.format(name))
        _, start, _, coding, self.samplerate, self.channels = struct.unpack(">4s5I", head)
        assert coding == AU_FLOAT
        self._output.read(start - 24)

    def _stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._output.close()

    def blocks(self) -> Iterator[np.ndarray]:
        """See `ForeignFile`."""
        size = max(BLOCK_BYTES // (4 * self.channels), 1) * 4 * self.channels
        while content := self._output.read(size):
            whole = len(content) // (4 * self.channels) * 4 * self.channels
            yield np.frombuffer(content[:whole], dtype=">f4").astype(np.float32).reshape(-1, self.channels)
        if self._process.wait() != 0:
            raise AudioError(BROKEN.format(self.name))
