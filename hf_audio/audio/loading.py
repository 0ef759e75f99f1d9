"""Audio files and bytes to mono float32 at a rate, and every error bad audio can cause.

How loud samples are taken to be, whatever they are counted in, and which channels are heard, is said in `levels`: the
same for training and for every use.
"""

import io
import numbers
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import IO, NamedTuple

import numpy as np
import soundfile
import soxr

from ..errors import AudioError, LongAudioError, Refusal, UndecodableAudioError
from ..remote.addresses import is_remote, public_name
from ..remote.reading import keeps_quiet, open_remote, trouble_of
from .containers import MAX_PARTS, find_cut_out_stream, find_parts
from .foreign import ForeignFile, open_foreign, remedy
from .levels import LevelMeter, Mixer, clip, rescale, to_floats
from .parts import CutOffError, Part, open_part

# Samples per second that a recording may claim; beyond, a header is broken, and resampling would never end.
RATES = range(100, 10_000_001)
# Values, channels together, that a recording of limited length may hold a second: stereo at 96 kHz.
DENSEST = 2 * 96_000
# What libsndfile says where a header does not tell how long it is; it can then not read it.
UNKNOWN_FRAMES = 2**63 - 1
# Of a file, decoded at once: what is shorter is resampled in one go. Of more than two channels, fewer.
BLOCK_FRAMES = 1 << 20
# What 16-bit samples are divided by. `to_int16` alone, the form in which training keeps its clips, has a scale of its
# own: another one would change what networks are trained on.
INT16_FULL_SCALE = 32768
UNDECODABLE = (soundfile.LibsndfileError, RuntimeError, ValueError)  # what soundfile raises
# -60 dB of full scale, where rounding to 16 bits is heard.
FAINT = 1e-3
FLOAT_CODINGS = ("FLOAT", "DOUBLE")

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
            raise _cut_off(name) from error
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


@dataclass(frozen=True)
class Track:
    """One of the recordings that a file is joined of; mostly there is one."""

    file: soundfile.SoundFile | ForeignFile
    part: Part | None = None

    @property
    def is_counted(self) -> bool:
        """Whether its frames were counted, and not told by libsndfile."""
        return self.part is not None and self.part.frames is not None

    @property
    def frames(self) -> int | None:
        """How many it should have, `None` where nothing tells."""
        known = self.part.frames if self.part is not None and self.is_counted else self.file.frames
        return None if known is None or known >= UNKNOWN_FRAMES else known


class Recording:
    """What a file says of itself, and its samples as they are.

    Args:
        name: for errors.
        tracks: what it is joined of.

    Raises:
        AudioError: they cannot be heard as one.
    """

    def __init__(self, name: str, tracks: list[Track]):
        self.name = name
        self._tracks = tracks
        self._limit: int | None = None
        first = tracks[0].file
        self.rate: int = first.samplerate
        self.channels: int = first.channels
        self.kind = f"{first.format} {first.subtype}"
        """Container and coding, as libsndfile calls them."""
        if any((track.file.samplerate, track.file.channels) != (self.rate, self.channels) for track in tracks):
            raise AudioError(f"{name} is joined of recordings of several rates or channels: split it.")

    @property
    def frames(self) -> int | None:
        """How many it should have, `None` where nothing tells; the truth is what `blocks` gives."""
        known = [track.frames for track in self._tracks]
        return None if None in known else sum(frames for frames in known if frames is not None)

    def limit(self, max_seconds: float) -> None:
        """Decode no more than so much, or less where it has many channels or a rate beyond reason.

        Raises:
            LongAudioError: it is longer.
        """
        self._limit = int(max_seconds * min(self.rate, DENSEST // self.channels))
        if self.frames is not None:
            self._check_limit(self.frames)

    def _check_limit(self, n_frames: int) -> None:
        if self._limit is not None and n_frames > self._limit:
            seconds = self._limit / self.rate
            raise LongAudioError(f"{self.name} is longer than {seconds:g} s, the most at its rate: cut it.")

    def blocks(self) -> Iterator[np.ndarray]:
        """The samples, (frames, channels) float32, each block but the last of `block_frames(channels)`.

        The last one may have none. Once or, of a file that holds floats, again.

        Raises:
            AudioError: it is cut off, broken in its middle or longer than its limit, as it is read.
        """
        size = block_frames(self.channels)
        held = np.zeros((0, self.channels), dtype=np.float32)
        n_frames = 0
        for block in self._decoded():
            n_frames += len(block)
            self._check_limit(n_frames)
            held = np.concatenate([held, block]) if len(held) else block
            while len(held) >= size:
                yield held[:size]
                held = held[size:]
        yield held

    def _decoded(self) -> Iterator[np.ndarray]:
        for track in self._tracks:
            if isinstance(track.file, ForeignFile):
                yield from track.file.blocks()
            else:
                yield from self._decode(track.file, track)

    def _decode(self, file: soundfile.SoundFile, track: "Track") -> Iterator[np.ndarray]:
        n_frames, size, n_promised = 0, block_frames(self.channels), track.frames
        try:
            if self.kind.endswith(FLOAT_CODINGS):
                file.seek(0)
            is_last = False
            while not is_last:
                # Behind frames that were counted are no others, and libsndfile would look for them.
                wanted = min(size, n_promised - n_frames) if track.is_counted and n_promised is not None else size
                block = file.read(wanted, dtype="float32", always_2d=True)  # (frames, channels)
                n_frames += len(block)
                is_last = len(block) < size
                if is_last and n_promised is not None and n_frames < n_promised:
                    raise _cut_off(self.name)
                yield block
        except UNDECODABLE as error:
            if isinstance(error, AudioError):
                raise
            raise AudioError(
                f"{self.name} is cut off or damaged, it does not decode to its end: copy it again."
            ) from error

    @property
    def is_sought(self) -> bool:
        """Whether a section is found by seeking, and not by decoding all before it, and can be read again."""
        track = self._tracks[0]
        return len(self._tracks) == 1 and not isinstance(track.file, ForeignFile) and track.part is None

    def section(self, first: int, last: int) -> np.ndarray:
        """Some of the samples, from frame `first` to before `last` or the end, (frames, channels) float32.

        Raises:
            AudioError: as `blocks`.
        """
        file = self._tracks[0].file
        if not self.is_sought or isinstance(file, ForeignFile):
            return self._section_of_blocks(first, last)
        # A decoder of Vorbis needs some samples until it is where it was sought.
        lead = 0 if file.subtype.startswith(("PCM", *FLOAT_CODINGS)) else min(first, self.rate)
        try:
            file.seek(first - lead)
            return file.read(last - first + lead, dtype="float32", always_2d=True)[lead:]
        except UNDECODABLE as error:
            raise AudioError(f"{self.name} is damaged, it cannot be read at {first / self.rate:g} s.") from error

    def _section_of_blocks(self, first: int, last: int) -> np.ndarray:
        found, start = [np.zeros((0, self.channels), dtype=np.float32)], 0
        for block in self.blocks():
            found.append(block[max(first - start, 0) : max(last - start, 0)])
            start += len(block)
            if start >= last:
                break
        return np.concatenate(found)

    def full_scale(self) -> float:
        """What the samples are divided by: see `levels`. Files of floats are read for it, others have 1.

        Raises:
            AudioError: as `blocks`; or samples are not finite, or beyond any scale.
        """
        if not self.kind.endswith(FLOAT_CODINGS):
            return 1.0
        meter = LevelMeter(self.name)
        for block in self.blocks():
            meter.add(block)
        return meter.full_scale


def block_frames(channels: int) -> int:
    """Frames of a block of so many channels: all blocks take about the same memory."""
    return BLOCK_FRAMES if channels <= 2 else max(2 * BLOCK_FRAMES // channels, 1)


def resample_blocks(
    blocks: Iterable[np.ndarray],
    rate: int,
    sampling_rate: int,
    name: str = "the array",
    full_scale: float = 1.0,
) -> Iterator[np.ndarray]:
    """The blocks of a `Recording`, at `rate`, to mono blocks, (samples,) float32 at `sampling_rate`.

    full_scale: what they are divided by.

    Raises:
        AudioError: see `to_mono`.
    """
    resampler = None
    mixer = Mixer()
    for number, block in enumerate(blocks):
        is_first, is_last = number == 0, len(block) < block_frames(block.shape[1])
        if not np.isfinite(block).all():
            raise _not_finite(name)
        block = mixer.mix(rescale(block, full_scale))
        if is_first:
            _check_recording(block, rate, name)
        if is_first and is_last:
            yield _resample(block, rate, sampling_rate, name)
            return
        if is_first:
            resampler = None if rate == sampling_rate else soxr.ResampleStream(rate, sampling_rate, 1)
        if resampler is not None:
            block = resampler.resample_chunk(block, last=is_last)
        if len(block):
            yield clip(block)


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


def _cut_off(name: str) -> AudioError:
    return AudioError(f"{name} is cut off, its header promises more samples than it holds: copy it again.")


def _not_audio(name: str, file: IO[bytes]) -> AudioError:
    return UndecodableAudioError(f"{name} is not audio that {remedy(file)}, or leave it out.")


def _not_finite(name: str) -> AudioError:
    return AudioError(f"{name} contains NaN or infinite samples: repair it or leave it out.")


def unreadable(name: str | os.PathLike) -> str:
    """How the sentence about a file that the system will not read begins."""
    return f"{name} cannot be read"


def to_mono(samples: np.ndarray, rate: int, sampling_rate: int, name: str = "the array") -> np.ndarray:
    """A recording at `rate`, (samples,) or with channels on the shorter of two axes -> (samples,) float32.

    Levels and channels are those that `levels` tells: integers of any type and floats beyond full scale are scaled.

    Raises:
        AudioError: no samples, more than two dimensions, NaN or infinite values, values that are no numbers or beyond
            any scale, or a rate that no recording has.
    """
    samples = np.asarray(samples)
    if samples.ndim not in (1, 2):
        raise AudioError(f"{name} has the shape {samples.shape}: give (samples,) or (channels, samples).")
    _check_recording(samples, rate, name)
    samples = to_floats(samples, name)
    if samples.ndim == 2:
        samples = Mixer().mix(samples if samples.shape[0] > samples.shape[1] else samples.T)
    return _resample(samples, rate, sampling_rate, name)


def _check_recording(samples: np.ndarray, rate: float, name: str) -> None:
    if samples.size == 0:
        raise AudioError(f"{name} contains no samples: leave it out.")
    if not isinstance(rate, numbers.Real) or not RATES.start <= rate < RATES.stop:
        raise AudioError(f"{name} has the sampling rate {rate}: give samples per second, {RATES.start} or more.")


def _resample(samples: np.ndarray, rate: float, sampling_rate: int, name: str) -> np.ndarray:
    """(samples,) at `rate` to those at `sampling_rate`, none beyond full scale."""
    if rate != sampling_rate:
        samples = soxr.resample(samples, rate, sampling_rate)
        if samples.size == 0:
            raise AudioError(f"{name} is shorter than one sample at {sampling_rate} Hz: leave it out.")
    return clip(np.ascontiguousarray(samples))


def to_int16(waveform: np.ndarray) -> np.ndarray:
    """(samples,) in [-1, 1], what lies outside clipped -> 16-bit integers."""
    return np.rint(np.clip(waveform, -1, 1) * 32767).astype("<i2")


def from_int16(samples: np.ndarray) -> np.ndarray:
    """The inverse of `to_int16`, but for the rounding: (samples,) float32."""
    return np.multiply(samples, np.float32(1 / 32767), dtype=np.float32)


def pack_samples(waveform: np.ndarray) -> bytes:
    """(samples,) in [-1, 1] as training keeps it: 16 bits a sample, also where 16 bits of full scale would be too few.

    Behind the samples of a waveform whose peak is below `FAINT`, one byte tells by which power of two it was made
    louder before it was rounded.
    """
    peak = float(np.abs(waveform).max(initial=0.0))
    if peak == 0 or peak >= FAINT:
        return to_int16(waveform).tobytes()
    exponent = -int(np.frexp(peak)[1])
    return to_int16(np.ldexp(waveform, exponent)).tobytes() + bytes([exponent])


class Packed(NamedTuple):
    """What `pack_samples` gives, where it lies."""

    samples: np.ndarray
    """(samples,) of 16 bits, not to be written to."""
    exponent: int
    """Of two: by which power they were made louder."""

    def unpack(self) -> np.ndarray:
        """The inverse of `pack_samples`, but for the rounding: (samples,) float32."""
        samples = from_int16(self.samples)
        return np.ldexp(samples, -self.exponent) if self.exponent else samples


def open_packed(content: bytes | memoryview) -> Packed:
    """What `pack_samples` gives, without a copy."""
    samples = np.frombuffer(content, dtype="<i2", count=len(content) // 2)
    return Packed(samples, content[-1] if len(content) % 2 else 0)


def unpack_samples(content: bytes | memoryview) -> np.ndarray:
    """The inverse of `pack_samples`, but for the rounding: (samples,) float32."""
    return open_packed(content).unpack()
