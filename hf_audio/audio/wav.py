"""WAV files and their kin, RIFX, RF64, BW64 and W64: how far their samples reach, and what else is joined to them."""

import struct
from typing import IO, Literal

from .chunks import RIFF, W64, Chunk, Layout, settle, walk_chunks
from .mpeg import find_mpeg_part
from .parts import Part, read_at

RIFF_MAGICS = (b"RIFF", b"RIFX", b"RF64", b"BW64")
W64_MAGIC = bytes.fromhex("726966662e91cf11a5d628db04c10000")
# What the samples of a WAV may be coded as.
MPEG, MP3 = 0x50, 0x55
# Headers of formats with longer ones are not written anew.
LONGEST_FORMAT = 1 << 16
LARGEST_RIFF = 2**32 - 1


def find_wav_part(file: IO[bytes], begin: int, end: int) -> tuple[Part | None, int]:
    """The recording whose header begins at `begin`, `None` if there is no telling, and where the next one begins.

    Raises:
        CutOffError: the file ends before its samples do.
    """
    head = read_at(file, begin, 40)
    if head[:16] == W64_MAGIC:
        return _find(file, begin, W64, begin + 40, begin + int.from_bytes(head[16:24], "little"), end)
    order: Literal["little", "big"] = "big" if head[:4] == b"RIFX" else "little"
    layout = RIFF._replace(order=order)
    return _find(file, begin, layout, begin + 12, begin + 8 + int.from_bytes(head[4:8], order), end)


def _find(
    file: IO[bytes], begin: int, layout: Layout, first: int, promised_end: int, end: int
) -> tuple[Part | None, int]:
    form = b""
    true_size: int | None = None
    for chunk in walk_chunks(file, layout, first, end):
        name = chunk.name[:4]
        if name == b"ds64":
            sizes = struct.unpack("<QQ", read_at(file, chunk.start, 16).ljust(16, b"\0"))
            promised_end, true_size = begin + 8 + sizes[0], min(sizes[1], LARGEST_RIFF if sizes[1] >> 62 else sizes[1])
        elif name == b"fmt " and chunk.size <= LONGEST_FORMAT:
            form = read_at(file, chunk.start, chunk.size)
        elif name == b"data" and len(form) >= 16:
            if true_size is not None and chunk.size == LARGEST_RIFF:
                chunk = chunk._replace(size=true_size, following=chunk.start + true_size + true_size % 2)
            return _settle(file, begin, layout, form, promised_end, chunk, end)
    return None, end


def _settle(
    file: IO[bytes], begin: int, layout: Layout, form: bytes, promised_end: int, samples: Chunk, end: int
) -> tuple[Part | None, int]:
    frame_bytes = max(int.from_bytes(form[12:14], layout.order), 1)
    declared = samples.size
    if declared % 2 and declared % frame_bytes and (declared + 1) % frame_bytes == 0:
        samples = samples._replace(size=declared + 1)  # one byte too few, no byte that fills up
    extent = settle(file, layout, begin, promised_end, samples, end)
    stop = samples.start + extent.size
    coding = int.from_bytes(form[:2], layout.order)
    if coding in (MPEG, MP3):
        return find_mpeg_part(file, samples.start, stop)[0], extent.stop
    is_bw64 = read_at(file, begin, 4) == b"BW64"
    if extent.size == declared and not is_bw64:
        return Part((range(begin, extent.stop),)), extent.stop
    return Part((_header(form, extent.size, layout.order), range(samples.start, stop))), extent.stop


def _header(form: bytes, size: int, order: Literal["little", "big"]) -> bytes:
    """The header of a WAV, or from 4 GiB on of an RF64, with so many bytes of samples."""
    mark = ">" if order == "big" else "<"
    form_chunk = b"fmt " + struct.pack(f"{mark}I", len(form)) + form + bytes(len(form) % 2)
    whole = 4 + len(form_chunk) + 8 + size
    if whole <= LARGEST_RIFF:
        magic = b"RIFX" if order == "big" else b"RIFF"
        return magic + struct.pack(f"{mark}I", whole) + b"WAVE" + form_chunk + b"data" + struct.pack(f"{mark}I", size)
    frame_bytes = max(int.from_bytes(form[12:14], "little"), 1)
    sizes = b"ds64" + struct.pack("<IQQQI", 28, whole + 36, size, size // frame_bytes, 0)
    unknown = struct.pack("<I", LARGEST_RIFF)
    return b"RF64" + unknown + b"WAVE" + sizes + form_chunk + b"data" + unknown
