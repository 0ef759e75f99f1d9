"""What is under way in a server, counted against its limits: in one process, or over all its workers."""

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # of Windows, where a server has one process
    fcntl = None  # type: ignore[assignment]

WAITING, STREAMS, HELD_BYTES, LOADED = range(4)
"""Requests with a place in the queue, streams that are open, bytes of bodies in memory, processes that can answer."""
N_KINDS = 4
NUMBER_BYTES = 8


class Tally:
    """Counts of what one process has under way. Each kind is counted from one thread alone."""

    def __init__(self) -> None:
        self._own: list[int] | memoryview = [0] * N_KINDS

    def own(self, kind: int) -> int:
        """How much of a kind this process has under way."""
        return self._own[kind]

    def total(self, kind: int) -> int:
        """How much of a kind is under way, in all workers."""
        return self._own[kind]

    def take(self, kind: int, amount: int, limit: int) -> bool:
        """Count something, unless all together would then be more than the limit; whether it was counted."""
        with self._alone():
            if self.total(kind) + amount > limit:
                return False
            self.add(kind, amount)
            return True

    def add(self, kind: int, amount: int) -> None:
        """Count something that has no limit."""
        self._own[kind] += amount

    def give_back(self, kind: int, amount: int) -> None:
        """What was taken has ended."""
        self._own[kind] -= amount

    def processes(self) -> dict[str, int]:
        """Workers by their numbers, and what has started them, -> number of the process."""
        return {}

    @contextmanager
    def _alone(self) -> Iterator[None]:
        yield


class SharedTally(Tally):
    """Counts that several processes keep in a file, a row each: their process's number, and what it has under way.

    Args:
        path: of the file.
        row: of this process; `None` writes a new file.
        n_rows: in all; the last one is of the process that starts the others.
    """

    def __init__(self, path: Path, row: int | None, n_rows: int):
        size = n_rows * (1 + N_KINDS) * NUMBER_BYTES
        if row is None:
            path.write_bytes(bytes(size))
        # A lock of the system's, which ends with its process, however that ends.
        self._file = os.open(path, os.O_RDWR)
        self._numbers = memoryview(mmap.mmap(self._file, size)).cast("q")
        self._n_rows = n_rows
        self._row = n_rows - 1 if row is None else row
        self._own = self._row_of(self._row)[1:]
        self.clear(self._row)
        self._row_of(self._row)[0] = os.getpid()

    def _row_of(self, row: int) -> memoryview:
        return self._numbers[row * (1 + N_KINDS) : (row + 1) * (1 + N_KINDS)]

    def clear(self, row: int) -> None:
        """Forget what a process had under way, which is no more."""
        numbers = self._row_of(row)
        for place in range(len(numbers)):
            numbers[place] = 0

    def total(self, kind: int) -> int:
        """See `Tally.total`."""
        return sum(self._row_of(row)[1 + kind] for row in range(self._n_rows))

    def processes(self) -> dict[str, int]:
        """See `Tally.processes`."""
        names = [*map(str, range(1, self._n_rows)), "supervisor"]
        numbers = {name: self._row_of(row)[0] for row, name in enumerate(names)}
        return {name: number for name, number in numbers.items() if number}

    @contextmanager
    def _alone(self) -> Iterator[None]:
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)
