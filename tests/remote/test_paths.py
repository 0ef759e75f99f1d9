"""Addresses in the place of paths."""

import os
from pathlib import Path

from hf_audio.remote.paths import as_path


def test_the_parts_of_an_address_are_those_of_a_path():
    path = as_path("s3://b/x/a.wav")
    assert (str(path), os.fspath(path.parent), path.name, path.suffix) == (
        "s3://b/x/a.wav",
        "s3://b/x",
        "a.wav",
        ".wav",
    )
    assert str(path.with_name("c.csv")) == "s3://b/x/c.csv" and str(path.parent / "y" / "z") == "s3://b/x/y/z"
    assert as_path("a/b.wav") == Path("a/b.wav") and type(as_path("a")) is type(Path("a"))


def test_files_and_folders_of_a_store_are_told_apart_read_and_deleted(memory):
    memory.pipe({"/b/x/a.txt": "ä".encode(), "/b/x/y/c.txt": b""})
    folder = as_path("memory://b/x")
    assert folder.is_dir() and not folder.is_file() and (folder / "a.txt").is_file()
    assert [str(path) for path in folder.iterdir()] == ["memory://b/x/a.txt", "memory://b/x/y"]
    assert (folder / "a.txt").read_text() == "ä"
    (folder / "a.txt").unlink()
    assert not (folder / "a.txt").exists()
