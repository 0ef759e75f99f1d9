"""Files made of chunks, each with a name and a size: WAV, RF64, W64, AIFF, CAF, SVX; and how far their samples reach.

Recorders and programs that write into a pipe cannot go back to put the size in; some are killed; some count the header
too, or in 32 bits what needs more. `settle` finds the truth by what the file holds.
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import IO, Literal, NamedTuple

from .parts import CutOffError, read_at

# Headers that hold more chunks than these are hostile.
MAX_CHUNKS = 1000
# Sizes that programs write that do not know it: 0, and those within so many bytes of 2**31 and 2**32.
PLACEHOLDER_BELOW, PLACEHOLDER_ABOVE = 1 << 24, 1 << 16
# More than so much behind the samples that is no chunk and not zeros is sound, of a recorder that died later.
MUCH = 1 << 16
# What may be missing without a word: less than a hundredth of a second is.
LITTLE = 64
# Programs count the header among the samples, with its first eight bytes or without them.
HEAD_BYTES = 8
_LAST_CHUNKS = re.compile(rb"LIST|id3 |ID3 |bext|iXML|cue |fact|ANNO|NAME")
# What files begin with, at which offset; also where one follows another.
MAGICS = ((b"RIFF", b"WAVE"), (b"RIFX", b"WAVE"), (b"RF64", b"WAVE"), (b"FORM", b"AIFF"), (b"FORM", b"AIFC"))
SHORT_MAGICS = (b".snd\0\0", b"fLaC\0\0\0\x22", b"OggS\0\x02", b"caff\0\x01", b"riff\x2e\x91\xcf\x11", b"ID3")


class Layout(NamedTuple):
    """How a chunk begins."""

    name_bytes: int
    size_bytes: int
    order: Literal["little", "big"]
    alignment: int
    counts_head: bool
    """Whether the size counts name and size, too."""


RIFF = Layout(4, 4, "little", 2, False)
IFF = Layout(4, 4, "big", 2, False)
CAF = Layout(4, 8, "big", 1, False)
W64 = Layout(16, 8, "little", 8, True)


class Chunk(NamedTuple):
    """Where a chunk's content lies, and how much its head says it is."""

    name: bytes
    start: int
    size: int
    following: int
    """Where the next one begins."""


class Extent(NamedTuple):
    """How far samples reach."""

    size: int
    """In bytes."""
    stop: int
    """Where the file ends, or another recording begins."""


def walk_chunks(file: IO[bytes], layout: Layout, position: int, end: int) -> Iterator[Chunk]:
    """The chunks from a position on, as far as there are any, and at most `MAX_CHUNKS`."""
    head_bytes = layout.name_bytes + layout.size_bytes
    for _ in range(MAX_CHUNKS):
        head = read_at(file, position, head_bytes)
        if position + head_bytes > end or len(head) < head_bytes:
            return
        size = int.from_bytes(head[layout.name_bytes :], layout.order) - head_bytes * layout.counts_head
        if size < 0:
            return
        start = position + head_bytes
        position = start + size
        position += -position % layout.alignment if layout.counts_head else size % layout.alignment
        yield Chunk(head[: layout.name_bytes], start, size, position)


def is_placeholder(size: int, size_bytes: int = 4) -> bool:
    """Whether a size says that the program that wrote it did not know it."""
    if size_bytes == 8:
        return size == 0 or size >= 2**62
    return size == 0 or any(-PLACEHOLDER_BELOW <= size - limit <= PLACEHOLDER_ABOVE for limit in (2**31, 2**32))


def begins_recording(file: IO[bytes], position: int) -> bool:
    """Whether a further file begins there, joined to the one before."""
    head = read_at(file, position, 12)
    return (head[:4], head[8:12]) in MAGICS or head.startswith(SHORT_MAGICS)


def settle(file: IO[bytes], layout: Layout | None, begin: int, promised_end: int, samples: Chunk, end: int) -> Extent:
    """How far samples reach in truth.

    Args:
        file: that they are in.
        layout: of the chunks that may follow; `None`: there are none in such files.
        begin: of the recording's header.
        promised_end: where the header says that the whole ends.
        samples: by their own head.
        end: of the file.

    Raises:
        CutOffError: the file ends before they do.
    """
    if samples.size and samples.following == end:  # as mostly
        return Extent(samples.size, end)
    available = max(end - samples.start, 0)
    size_bytes = 4 if layout is None else layout.size_bytes
    after = _end_of_chunks(file, layout, samples.following, end) if samples.size <= available else end
    is_whole = after >= end - 1 or begins_recording(file, after)
    if samples.size <= available and is_whole:
        return Extent(samples.size, after if after < end - 1 else end)
    if is_placeholder(samples.size, size_bytes):
        return Extent(available - _chunks_at_end(file, layout, samples.start, end), end)
    missing = samples.size - available
    counts_header = abs(samples.start - begin - missing) <= HEAD_BYTES
    if missing > LITTLE and not counts_header:
        raise CutOffError
    if missing > 0:
        return Extent(available - _chunks_at_end(file, layout, samples.start, end), end)
    if after > samples.following:  # chunks, and then something
        return Extent(samples.size, end)
    wrapped = -missing >> 32 << 32
    if wrapped and size_bytes == 4:
        return Extent(samples.size + wrapped, end)
    follows = read_at(file, samples.start + samples.size, MUCH)
    if any(follows) and (promised_end >= end - 1 or -missing > MUCH):
        return Extent(available, end)
    return Extent(samples.size, end)


def _end_of_chunks(file: IO[bytes], layout: Layout | None, position: int, end: int) -> int:
    """Where the chunks end that begin at a position; with a missing byte before them, or without any."""
    if layout is None:
        return position
    for chunk in walk_chunks(file, layout, position, end):
        name = chunk.name[:4]
        if not name.isascii() or not name.decode().isprintable() or chunk.start + chunk.size > end:
            break
        if begins_recording(file, position):
            break
        position = chunk.following
    return min(position, end)


def _chunks_at_end(file: IO[bytes], layout: Layout | None, start: int, end: int) -> int:
    """Bytes of the chunks that end a file whose samples' size is not known, such as titles."""
    if layout is None:
        return 0
    first = max(end - MUCH, start)
    content = read_at(file, first, MUCH)
    for match in islice(_LAST_CHUNKS.finditer(content), MAX_CHUNKS):
        place = match.start()
        if _end_of_chunks(file, layout, first + place, end) >= end - 1:
            return end - first - place
    return 0
