"""Ogg files: the streams that are joined in one, and whether the last one comes to its end (RFC 3533)."""

from typing import IO

from .chunks import begins_recording
from .parts import CutOffError, Part, read_at

BEGINS, ENDS = 2, 4
# Streams with sound, by how their first packet begins; others, such as pictures, are libsndfile's to pass over.
SOUND = (b"\x01vorbis", b"OpusHead", b"Speex   ", b"\x7fFLAC")
# Pages that carry next to nothing: more of them than this are hostile.
LITTLE, MAX_SMALL_PAGES = 16, 10_000


def find_ogg_part(file: IO[bytes], begin: int, end: int) -> tuple[Part | None, int]:
    """The recording whose pages begin at `begin`, `None` if it holds no sound, and where the next one begins.

    Raises:
        CutOffError: a page is cut off or damaged, or none is marked as the last one.
    """
    position, small_pages = begin, 0
    sounding: set[bytes] = set()  # streams, by their serial numbers
    ended: set[bytes] = set()
    is_begun, stop = False, end
    while position < end:
        head = read_at(file, position, 27 + 255)
        if head[:4] != b"OggS" or len(head) < 27:
            stop = position if begins_recording(file, position) else end
            break
        body = 27 + head[26]
        size = body + sum(head[27:body])
        if position + size > end or len(head) < body:
            break
        if head[5] & BEGINS:
            if is_begun:
                stop = position
                break
            if read_at(file, position + body, 8).startswith(SOUND):
                sounding.add(head[14:18])
        else:
            is_begun = True
        if head[5] & ENDS:
            ended.add(head[14:18])
        small_pages += size - body < LITTLE
        if small_pages > MAX_SMALL_PAGES:
            return None, end
        position += size
    if not sounding:
        return None, end
    if sounding - ended:
        raise CutOffError
    return Part((range(begin, position),)), stop
