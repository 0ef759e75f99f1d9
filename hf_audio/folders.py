"""Folders searched to any depth, the same on every version of Python."""

import os
from collections.abc import Iterator
from pathlib import Path


def find_files(directory: str | os.PathLike) -> Iterator[Path]:
    """The files below a folder, sorted within each folder; names that begin with a point are left out.

    Links to folders are followed, but for one that leads back to a folder above it.
    """
    yield from _walk(Path(directory), frozenset())


def find_folders(directory: str | os.PathLike) -> list[Path]:
    """The folders in a folder, sorted; names that begin with a point are left out."""
    return [path for path in _list(Path(directory)) if path.is_dir()]


def _walk(folder: Path, above: frozenset[str]) -> Iterator[Path]:
    real = os.path.realpath(folder)
    if real in above:
        return
    for path in _list(folder):
        if path.is_dir():
            yield from _walk(path, above | {real})
        elif path.is_file():
            yield path


def _list(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
