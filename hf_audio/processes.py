"""Work that is shared out among processes, which end with the one that started them."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def count_cores() -> int:
    """The cores that this process may run on, which can be fewer than the machine has (`taskset`, a container)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def work_off(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    description: str,
    unit: str = "clip",
    quiet_seconds: float = 0,
) -> Iterator[Result]:
    """What a function makes of each item, in their order, in as many processes as there are cores and work for.

    An error ends them all. A bar of progress is shown after `quiet_seconds`.
    """
    from tqdm.auto import tqdm  # not by whoever counts cores alone: a server of ONNX files goes without it

    with tqdm(total=len(items), desc=description, unit=unit, delay=quiet_seconds) as bar:
        # Threads would not do: they share the random numbers of the C library, from which eSpeak draws breath.
        workers = min(count_cores(), len(items) // 50)
        if workers < 2:
            for item in items:
                yield function(item)
                bar.update()
            return
        pool = ProcessPoolExecutor(workers, initializer=_follow_parent)
        try:
            for result in pool.map(function, items, chunksize=20):
                yield result
                bar.update()
        finally:
            pool.shutdown(cancel_futures=True)


def _follow_parent() -> None:
    """Leave interrupts to the parent process, and end with it even if it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None  # this is a worker

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
