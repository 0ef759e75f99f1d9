"""FLAC files: how many samples one holds whose header does not say, and files that are joined (RFC 9639)."""

import re
from functools import cache
from typing import IO

from .parts import CutOffError, Part, patched, read_at

MARK = b"fLaC\0\0\0\x22"  # with the head of the description that comes first
DESCRIPTION_BYTES = 34
MAX_BLOCKS = 1000
SHORTEST_FRAME = 10  # bytes, of silence in one channel of 8 bits
LONGEST_HEAD = 16  # of a frame, in bytes
SEARCH_BYTES = 1 << 20
_SYNC = re.compile(rb"\xff[\xf8\xf9]", re.DOTALL)


def find_flac_part(file: IO[bytes], begin: int, end: int) -> tuple[Part | None, int]:
    """The recording that begins at `begin`, `None` if there is no telling, and where the next one begins.

    Raises:
        CutOffError: its length is not known, and it does not end with a whole frame.
    """
    sound = _find_sound(file, begin, end)
    if sound is None:
        return None, end
    stop = _find_next(file, sound, end)
    tag = max(stop - 128, sound)  # of ID3v1
    last = tag if read_at(file, tag, 3) == b"TAG" else stop
    described = read_at(file, begin + 8, DESCRIPTION_BYTES)
    promised = int.from_bytes(described[13:18], "big") & (2**36 - 1)
    held = _count(file, sound, last, described, is_checked=False)
    if held != promised:
        held = _count(file, sound, last, described, is_checked=True)
    if (held is None and promised == 0) or (held is not None and held < promised):
        raise CutOffError
    if held in (None, promised):
        return Part((range(begin, stop),)), stop
    total = (int.from_bytes(described[13:18], "big") >> 36 << 36 | held).to_bytes(5, "big")
    return patched(begin, stop, {begin + 8 + 13: total}), stop


def _find_sound(file: IO[bytes], begin: int, end: int) -> int | None:
    """Where the blocks with descriptions, titles and pictures end and the frames begin."""
    position = begin + 4
    for _ in range(MAX_BLOCKS):
        head = read_at(file, position, 4)
        position += 4 + int.from_bytes(head[1:], "big")
        if len(head) < 4 or position > end:
            return None
        if head[0] & 0x80:
            return position
    return None


def _find_next(file: IO[bytes], position: int, end: int) -> int:
    """Where another file begins that is joined to this one, or the end."""
    while position < end:
        content = read_at(file, position, SEARCH_BYTES)
        place = content.find(MARK)
        if place >= 0:
            return position + place
        if len(content) < SEARCH_BYTES:
            break
        position += len(content) - len(MARK) + 1
    return end


def _count(file: IO[bytes], sound: int, end: int, described: bytes, is_checked: bool) -> int | None:
    """The samples up to the end of the last frame, `None` if none is found; is_checked: whether by its checksum."""
    largest = int.from_bytes(described[7:10], "big") or 1 << 16
    first = max(end - largest - 16, sound)
    content = read_at(file, first, end - first)
    for match in reversed(list(_SYNC.finditer(content))):
        frame = content[match.start() :]
        count = _read_frame(frame, described)
        if count is not None and (not is_checked or _crc(frame, 16, 0x8005) == 0):
            return count
    return None


def _read_frame(frame: bytes, described: bytes) -> int | None:
    """The samples of the recording up to a frame's end, by its header; `None` if it is none."""
    if len(frame) < SHORTEST_FRAME or frame[2] >> 4 == 0 or frame[2] & 15 == 15 or frame[3] >> 4 > 10 or frame[3] & 1:
        return None
    frame = frame[:LONGEST_HEAD].ljust(LONGEST_HEAD, b"\0")
    length = 1 if frame[4] < 0x80 else 8 - (frame[4] ^ 0xFF).bit_length()
    if frame[4] in (0xFF,) or 0x80 <= frame[4] < 0xC0:
        return None
    number = frame[4] & (0x7F if length == 1 else 0x7F >> length)
    for byte in frame[5 : 4 + length]:
        number = number << 6 | byte & 0x3F
    place, code = 4 + length, frame[2] >> 4
    if code in (6, 7):
        size = int.from_bytes(frame[place : place + code - 5], "big") + 1
        place += code - 5
    else:
        size = 192 if code == 1 else 576 << code - 2 if code < 6 else 256 << code - 8
    place += {12: 1, 13: 2, 14: 2}.get(frame[2] & 15, 0)
    if _crc(frame[: place + 1], 8, 0x07):
        return None
    return size + (number if frame[1] & 1 else number * int.from_bytes(described[:2], "big"))


@cache
def _crc_table(bits: int, polynomial: int) -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte << bits - 8
        for _ in range(8):
            value = (value << 1 ^ (polynomial if value >> bits - 1 else 0)) & (1 << bits) - 1
        table.append(value)
    return tuple(table)


def _crc(content: bytes, bits: int, polynomial: int) -> int:
    table, value, mask = _crc_table(bits, polynomial), 0, (1 << bits) - 1
    for byte in content:
        value = (value << 8 & mask) ^ table[value >> bits - 8 ^ byte]
    return value
