"""One run at a time in an output folder: the directory is locked while a run writes to it, however that ends."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import ArgumentError

try:
    import fcntl
except ImportError:  # of Windows, where two runs are not kept apart
    fcntl = None  # type: ignore[assignment]

_held: dict[str, int] = {}  # descriptors of the folders that this process holds, by their real paths


def hold(folder: Path) -> None:
    """Keep the runs of other processes from a folder, until `let_go_after` ends or this process does.

    Raises:
        ArgumentError: the run of another process holds it.
        OSError: there is no such folder, or it cannot be read.
    """
    name = os.path.realpath(folder)
    if fcntl is None or name in _held:
        return
    descriptor = os.open(name, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            raise ArgumentError(
                f"--output_dir {folder} is being written by another run: wait for its end, or choose another folder."
            ) from error
        return  # a file system without locks
    _held[name] = descriptor


@contextmanager
def let_go_after() -> Iterator[None]:
    """Let others have the folders that are held from here on."""
    before = set(_held)
    try:
        yield
    finally:
        for name in _held.keys() - before:
            os.close(_held.pop(name))


def _let_go_in_child() -> None:
    # Loader workers may outlive a run that was killed, and shall not keep those from its folder who go on with it.
    while _held:
        os.close(_held.popitem()[1])


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_in_child)
