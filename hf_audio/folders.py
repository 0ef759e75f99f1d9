"""Folders searched to any depth, the same on every version of Python."""

import os
from collections.abc import Iterator
from pathlib import Path


def find_files(directory: str | os.PathLike) -> Iterator[Path]:
    """The files below a folder, in the order of their names; names that begin with a point are left out.

    Links to folders are followed, and of one folder that can be reached on two ways, or in a circle, each file comes
    once.
    """
    yield from _walk(str(directory), set())


def find_folders(directory: str | os.PathLike) -> list[Path]:
    """The folders in a folder, in the order of their names; names that begin with a point are left out."""
    return [Path(entry.path) for entry in _list(str(directory)) if entry.is_dir()]


def _walk(folder: str, seen: set[str]) -> Iterator[Path]:
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    for entry in _list(folder):
        if entry.is_dir():
            yield from _walk(entry.path, seen)
        elif entry.is_file():
            yield Path(entry.path)


def _list(folder: str) -> list[os.DirEntry]:
    with os.scandir(folder) as entries:
        return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
