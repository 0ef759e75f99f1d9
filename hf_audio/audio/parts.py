"""A recording within a file: where its bytes lie, and a view of them that libsndfile can read."""

import io
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import IO, Any, cast

READ_AT_ONCE = 1 << 24  # bytes


class CutOffError(Exception):
    """A file that ends before its recording does."""


@dataclass(frozen=True)
class Part:
    """A recording that libsndfile can read, made of ranges of a file and of bytes that take the place of others."""

    pieces: tuple[bytes | range, ...]
    frames: int | None = None
    """How many there are, where they were counted; `None` where libsndfile knows it."""
    padding: int = 0
    """Zeros to follow, so many that libsndfile does not estimate less than `frames`; they are never decoded."""


def read_at(file: IO[bytes], position: int, size: int) -> bytes:
    """Bytes of a file, fewer at its end."""
    file.seek(position)
    return file.read(size)


def patched(begin: int, end: int, patches: Mapping[int, bytes]) -> Part:
    """Bytes `begin` to `end` of a file, with others from some positions on."""
    pieces: list[bytes | range] = []
    position = begin
    for at, patch in sorted(patches.items()):
        pieces += [range(position, at), patch]
        position = at + len(patch)
    return Part((*pieces, range(position, end)))


def joined(ranges: Iterable[range]) -> tuple[range, ...]:
    """Ranges of a file, those that follow on each other as one."""
    pieces: list[range] = []
    for piece in ranges:
        if pieces and pieces[-1].stop == piece.start:
            pieces[-1] = range(pieces[-1].start, piece.stop)
        else:
            pieces.append(piece)
    return tuple(pieces)


def open_part(file: IO[bytes], part: Part) -> IO[bytes]:
    """A part as a file; a small one is read at once, for libsndfile asks for a few hundred bytes at a time."""
    opened = PartFile(file, part)
    return io.BytesIO(opened.read()) if opened.size <= READ_AT_ONCE else cast(IO[bytes], opened)


class PartFile(io.RawIOBase):
    """A part as a file that can be read and sought in.

    Args:
        file: that the part is of.
        part: which.
    """

    def __init__(self, file: IO[bytes], part: Part):
        self._file = file
        self._pieces = [piece for piece in part.pieces if len(piece)]
        self._ends = list(accumulate(map(len, self._pieces)))
        self.size = (self._ends[-1] if self._ends else 0) + part.padding
        """In bytes."""
        self._position = 0

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """And sought in."""
        return True

    def tell(self) -> int:
        """The position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a place in the part; see `io.RawIOBase.seek`."""
        self._position = max(offset + (0, self._position, self.size)[whence], 0)
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer, which is filled unless the part ends; see `io.RawIOBase.readinto`."""
        view = memoryview(buffer).cast("B")
        filled = 0
        while filled < len(view) and self._position < self.size:
            content = self._read_piece(len(view) - filled)
            if not content:  # the file has become shorter
                break
            view[filled : filled + len(content)] = content
            filled += len(content)
            self._position += len(content)
        return filled

    def _read_piece(self, size: int) -> bytes:
        """At most so many bytes from the position on, of one piece."""
        number = bisect_right(self._ends, self._position)
        if number == len(self._pieces):
            return bytes(min(size, self.size - self._position))
        piece = self._pieces[number]
        inside = self._position - (self._ends[number - 1] if number else 0)
        size = min(size, len(piece) - inside)
        if isinstance(piece, bytes):
            return piece[inside : inside + size]
        return read_at(self._file, piece.start + inside, size)
