"""What lies in a store."""

import pytest

from hf_audio.errors import DataError
from hf_audio.remote.listing import exists, find_remote, list_remote, stamp


def test_files_are_found_in_the_order_of_their_names(memory):
    memory.pipe({f"/b/{name}": b"" for name in ("x/b.wav", "a.wav", "x/.c/d.flac")})
    assert list_remote("memory://b") == ["memory://b/a.wav", "memory://b/x/.c/d.flac", "memory://b/x/b.wav"]
    assert find_remote("memory://b/*/*.wav") == ["memory://b/x/b.wav"]
    assert find_remote("memory://b/*.mp3") == []
    assert exists("memory://b/a.wav") and not exists("memory://b/c.wav")
    with pytest.raises(DataError, match=r"^tapes://b is of no scheme that fsspec knows"):
        list_remote("tapes://b")


def test_a_file_that_changes_gets_another_stamp(memory):
    memory.pipe("/b/a.wav", b"one")
    before = stamp("memory://b/a.wav")
    assert stamp("memory://b/a.wav") == before
    memory.pipe("/b/a.wav", b"four")
    assert stamp("memory://b/a.wav") != before
