"""What really lies in a file: the recordings that are joined in it, each with sizes that are true.

libsndfile believes headers, estimates the length of MPEG audio, hears the first of several files joined end to end,
and plays what is left of a file that was cut off. So containers are looked at here first. A file whose header is right
goes to libsndfile as it is.
"""

import os
from collections.abc import Callable
from typing import IO

from .flac import find_flac_part
from .headers import find_au_part, find_caf_part, find_iff_part, find_nist_part, find_voc_part
from .mpeg import find_mpeg_part, skip_tags
from .ogg import find_ogg_part
from .parts import Part, read_at
from .wav import RIFF_MAGICS, W64_MAGIC, find_wav_part

Finder = Callable[[IO[bytes], int, int], tuple[Part | None, int]]

FINDERS: dict[bytes, Finder] = {
    **dict.fromkeys((*RIFF_MAGICS, W64_MAGIC[:4]), find_wav_part),
    b"FORM": find_iff_part,
    b".snd": find_au_part,
    b"caff": find_caf_part,
    b"fLaC": find_flac_part,
    b"OggS": find_ogg_part,
    b"Crea": find_voc_part,
    b"NIST": find_nist_part,
}
# More files joined in one are hostile.
MAX_PARTS = 1000


def find_cut_out_stream(file: IO[bytes]) -> Part | None:
    """MPEG audio that was cut out of a stream, and so does not begin with a frame."""
    return find_mpeg_part(file, 0, file.seek(0, os.SEEK_END))[0]


def find_parts(file: IO[bytes]) -> list[Part]:
    """The recordings of a file, in their order; none where libsndfile alone can tell.

    Raises:
        CutOffError: the file ends before they do.
    """
    end = file.seek(0, os.SEEK_END)
    parts: list[Part] = []
    begin = 0
    while begin < end and len(parts) <= MAX_PARTS:
        place = skip_tags(file, begin, end)
        magic = read_at(file, place, 4)
        find = FINDERS.get(magic, find_mpeg_part)
        if find is find_mpeg_part and magic[:1] != b"\xff" and begin == place:
            break
        part, begin = find(file, place, end)
        if part is None:
            break
        parts.append(part)
    return parts
