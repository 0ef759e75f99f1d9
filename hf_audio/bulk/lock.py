"""A file that one run at a time may write."""

import os
from pathlib import Path

from ..errors import DataError
from ..locks import Lock


class FileLock:
    """Hold a file, made where there is none, until `release` or the end of the process, however it ends.

    Args:
        path: of the file.

    Raises:
        DataError: another run holds it.
        OSError: it can be neither opened nor made.
    """

    def __init__(self, path: Path):
        self._lock = _hold(path)

    def release(self) -> None:
        """Let others have the file."""
        self._lock.release()


def _hold(path: Path) -> Lock:
    while True:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            lock = Lock(descriptor)
        except BlockingIOError as error:
            raise DataError(
                f"{path} is being written by another run with the same --output: wait for its end, or choose another "
                "file."
            ) from error
        try:
            # Who held it before may have deleted it, and others hold a new one of that name.
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return lock
        except FileNotFoundError:
            pass
        except BaseException:
            lock.release()
            raise
        lock.release()
