"""A file that one run at a time may write."""

import os
import weakref
from io import FileIO
from pathlib import Path

from ..errors import DataError

try:
    import fcntl
except ImportError:  # of Windows, where two runs are not kept apart
    fcntl = None  # type: ignore[assignment]


class FileLock:
    """Hold a file, made where there is none, until `release` or the end of the process, however it ends.

    Args:
        path: of the file.

    Raises:
        DataError: another run holds it.
        OSError: it can be neither opened nor made.
    """

    def __init__(self, path: Path):
        self._file = _open(path)
        _held.add(self)

    def release(self) -> None:
        """Let others have the file."""
        self._file.close()


_held: "weakref.WeakSet[FileLock]" = weakref.WeakSet()


def _open(path: Path) -> FileIO:
    while True:
        file = path.open("ab", buffering=0)
        try:
            _lock(file, path)
            # Who held it before may have deleted it, and others hold a new one of that name.
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        except FileNotFoundError:
            pass
        except BaseException:
            file.close()
            raise
        file.close()


def _lock(file: FileIO, path: Path) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise DataError(
            f"{path} is being written by another run with the same --output: wait for its end, or choose another file."
        ) from error
    except OSError:  # a file system without locks
        return


def _let_go_in_child() -> None:
    # The processes that decode may outlive a run that was killed, and shall not hold its file.
    for lock in list(_held):
        lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_in_child)
