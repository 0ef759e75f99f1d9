"""One run at a time in an output folder: the directory is locked while a run writes to it, however that ends."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import ArgumentError
from ...locks import CAN_LOCK, Lock

_held: dict[str, Lock] = {}  # of the folders that this process holds, by their real paths


def hold(folder: Path) -> None:
    """Keep the runs of other processes from a folder, until `let_go_after` ends or this process does.

    Raises:
        ArgumentError: the run of another process holds it.
        OSError: there is no such folder, or it cannot be read.
    """
    name = os.path.realpath(folder)
    if not CAN_LOCK or (name in _held and _held[name].is_held):
        return
    try:
        _held[name] = Lock(os.open(name, os.O_RDONLY))
    except BlockingIOError as error:
        raise ArgumentError(
            f"--output_dir {folder} is being written by another run: wait for its end, or choose another folder."
        ) from error


@contextmanager
def let_go_after() -> Iterator[None]:
    """Let others have the folders that are held from here on."""
    before = set(_held)
    try:
        yield
    finally:
        for name in _held.keys() - before:
            _held.pop(name).release()
