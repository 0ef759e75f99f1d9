"""Folders searched to any depth, the same on every version of Python."""

import os
from collections.abc import Iterator
from pathlib import Path


def find_files(directory: str | os.PathLike) -> Iterator[Path]:
    """The files below a folder, in the order of their names; names that begin with a point are left out.

    Links to folders are followed, but not up to a folder in which they lie themselves; of one folder that can be
    reached on two ways, each file comes once.
    """
    yield from _walk(str(directory), set())


def find_folders(directory: str | os.PathLike) -> list[Path]:
    """The folders in a folder, in the order of their names; names that begin with a point are left out."""
    return [Path(path) for path in _list(str(directory)) if os.path.isdir(path)]


def _walk(folder: str, seen: set[str]) -> Iterator[Path]:
    real = os.path.realpath(folder)
    parent = os.path.realpath(os.path.dirname(os.path.abspath(folder)))
    if real in seen or (parent != real and Path(parent).is_relative_to(real)):
        return
    seen.add(real)
    for path in _list(folder):
        if os.path.isdir(path):
            yield from _walk(path, seen)
        elif os.path.isfile(path):  # and not a link to nothing, or to itself
            yield Path(path)


def _list(folder: str) -> list[str]:
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if not name.startswith(".")]
