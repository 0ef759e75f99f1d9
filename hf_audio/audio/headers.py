"""AIFF, AU, CAF, SVX, VOC and NIST files: how far their samples reach, and what else is joined to them."""

import math
from typing import IO

from .chunks import CAF, IFF, Chunk, settle, walk_chunks
from .parts import CutOffError, Part, patched, read_at

NIST_HEADER = 1024


def find_iff_part(file: IO[bytes], begin: int, end: int) -> tuple[Part | None, int]:
    """The AIFF, AIFC or SVX at `begin`, `None` if there is no telling, and where the next recording begins.

    Raises:
        CutOffError: the file ends before its samples do.
    """
    promised_end = begin + 8 + int.from_bytes(read_at(file, begin + 4, 4), "big")
    description: Chunk | None = None
    for chunk in walk_chunks(file, IFF, begin + 12, end):
        if chunk.name == b"COMM":
            description = chunk
        elif chunk.name in (b"SSND", b"BODY"):
            extent = settle(file, IFF, begin, promised_end, chunk, end)
            if extent.size == chunk.size:
                return Part((range(begin, extent.stop),)), extent.stop
            stop = chunk.start + extent.size
            patches = {begin + 4: _big(stop - begin - 8), chunk.start - 4: _big(extent.size)}
            if description is not None and chunk.name == b"SSND":
                common = read_at(file, description.start, 8).ljust(8, b"\0")
                channels, bits = int.from_bytes(common[:2], "big"), int.from_bytes(common[6:], "big")
                n_frames = max(extent.size - 8, 0) // max(channels * ((bits + 7) // 8), 1)
                patches[description.start + 2] = _big(n_frames)
            return patched(begin, stop, patches), extent.stop
    if read_at(file, begin + 8, 4) in (b"AIFF", b"AIFC", b"8SVX", b"16SV"):  # for libsndfile would look long for it
        raise CutOffError
    return None, end


def _big(number: int, n_bytes: int = 4) -> bytes:
    return min(number, 256**n_bytes - 1).to_bytes(n_bytes, "big")


def find_au_part(file: IO[bytes], begin: int, end: int) -> tuple[Part | None, int]:
    """As `find_iff_part`, of an AU."""
    head = read_at(file, begin, 12)
    start, size = begin + int.from_bytes(head[4:8], "big"), int.from_bytes(head[8:12], "big")
    if start > end:
        raise CutOffError
    extent = settle(file, None, begin, 0, Chunk(b"", start, size, start + size), end)
    if extent.size == size:
        return Part((range(begin, extent.stop),)), extent.stop
    return patched(begin, start + extent.size, {begin + 8: _big(extent.size)}), extent.stop


def find_caf_part(file: IO[bytes], begin: int, end: int) -> tuple[Part | None, int]:
    """As `find_iff_part`, of a CAF."""
    for chunk in walk_chunks(file, CAF, begin + 8, end):
        if chunk.name == b"data":
            extent = settle(file, CAF, begin, 0, chunk, end)
            if extent.size == chunk.size:
                return Part((range(begin, extent.stop),)), extent.stop
            stop = chunk.start + extent.size
            return patched(begin, stop, {chunk.start - 8: _big(extent.size, 8)}), extent.stop
    return None, end


def find_voc_part(file: IO[bytes], begin: int, end: int) -> tuple[Part | None, int]:
    """As `find_iff_part`, of a Creative Voice File."""
    position = begin + int.from_bytes(read_at(file, begin + 20, 2), "little")
    head = read_at(file, position, 4)
    if head[:1] in (b"\1", b"\x09") and position + 4 + int.from_bytes(head[1:], "little") > end:
        raise CutOffError
    return None, end


def find_nist_part(file: IO[bytes], begin: int, end: int) -> tuple[Part | None, int]:
    """As `find_iff_part`, of a NIST SPHERE file."""
    lines = read_at(file, begin, NIST_HEADER).decode("latin-1").splitlines()
    fields = {line.split()[0]: line.split()[-1] for line in lines[2:] if len(line.split()) == 3}
    try:
        header = int(lines[1])
        numbers = [int(fields[name]) for name in ("sample_count", "channel_count", "sample_n_bytes")]
    except (IndexError, KeyError, ValueError):
        return None, end
    if "," not in fields.get("sample_coding", "") and begin + header + math.prod(numbers) > end:
        raise CutOffError
    return None, end
