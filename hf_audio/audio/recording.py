"""A recording as its file has it: what the file says of itself, and its samples, block after block or a section."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import soundfile

from ..errors import AudioError, LongAudioError
from .foreign import ForeignFile
from .levels import LevelMeter
from .parts import Part

# Values, channels together, that a recording of limited length may hold a second: stereo at 96 kHz.
DENSEST = 2 * 96_000
# What libsndfile says where a header does not tell how long it is; it can then not read it.
UNKNOWN_FRAMES = 2**63 - 1
# Of a file, decoded at once: what is shorter is resampled in one go. Of more than two channels, fewer.
BLOCK_FRAMES = 1 << 20
UNDECODABLE = (soundfile.LibsndfileError, RuntimeError, ValueError)  # what soundfile raises
FLOAT_CODINGS = ("FLOAT", "DOUBLE")


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
                    raise cut_off(self.name)
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


def cut_off(name: str) -> AudioError:
    """The refusal of a file that ends too soon."""
    return AudioError(f"{name} is cut off, its header promises more samples than it holds: copy it again.")
