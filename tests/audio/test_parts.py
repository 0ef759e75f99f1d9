"""A view of a part of a file is read like a file."""

import io

from hypothesis import given
from hypothesis import strategies as st

from hf_audio.audio.parts import Part, PartFile, patched, read_at

FILE = bytes(range(100))


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 3)), min_size=1, max_size=12))
def test_it_is_the_pieces_one_behind_the_other(steps):
    part = Part((b"head", range(10, 30), b"", b"middle", range(5, 6), range(50, 50)), padding=20)
    view = PartFile(io.BytesIO(FILE), part)
    expected = io.BytesIO(b"head" + FILE[10:30] + b"middle" + FILE[5:6] + bytes(20))
    for size, whence in steps:
        if whence < 3:
            offset = -min(size, 51) if whence == 2 else 0 if whence == 1 else size
            assert view.seek(offset, whence) == expected.seek(offset, whence)
        else:
            assert view.read(size) == expected.read(size)
        assert view.tell() == expected.tell()


def test_a_file_that_has_become_shorter_ends_earlier():
    view = PartFile(io.BytesIO(FILE[:20]), Part((range(10, 30), b"tail")))
    assert view.read(100) == FILE[10:20]


def test_bytes_are_patched_in_their_places():
    view = PartFile(io.BytesIO(FILE), patched(10, 20, {12: b"ab", 17: b"c"}))
    assert view.read() == FILE[10:12] + b"ab" + FILE[14:17] + b"c" + FILE[18:20]
    assert read_at(io.BytesIO(FILE), 98, 5) == FILE[98:]
