"""What one process at a time holds, however that ends: an open file or folder, which its forked children let go."""

import os
import weakref

try:
    import fcntl
except ImportError:  # of Windows, where two runs are not kept apart
    fcntl = None  # type: ignore[assignment]

CAN_LOCK = fcntl is not None


class Lock:
    """Hold an open file or folder until `release`, or until nobody has this object or the process ends.

    It is that of the file itself, so nothing is left behind, and nothing is in the way of who is killed. A file system
    without locks keeps nobody apart.

    Args:
        descriptor: of the file or folder; whoever lets go of the lock closes it.

    Raises:
        BlockingIOError: another process holds it, or another lock of this one; the descriptor is closed then.
    """

    def __init__(self, descriptor: int):
        self.descriptor = descriptor
        self._close = weakref.finalize(self, os.close, descriptor)
        if fcntl is not None:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._close()
                raise
            except OSError:  # a file system without locks
                pass
        _held.add(self)

    @property
    def is_held(self) -> bool:
        """Whether it has not been let go of."""
        return self._close.alive

    def release(self) -> None:
        """Let others have it; once more does nothing."""
        self._close()


_held: "weakref.WeakSet[Lock]" = weakref.WeakSet()


def _let_go_in_child() -> None:
    # Processes that decode or load may outlive a run that was killed, and shall not keep others from what it held.
    for lock in list(_held):
        lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_in_child)
