"""What a store does not answer is asked again, but not for ever."""

import errno
import time
from collections.abc import Callable
from typing import TypeVar

from ..errors import DataError, Refusal
from .addresses import public_name
from .stores import check_bucket

# So often something is asked for, with pauses of so many seconds that double from time to time.
TRIES, PAUSE = 4, 0.5

T = TypeVar("T")


def retried(address: str, call: Callable[[], T]) -> T:
    """What a call gives, tried again while the store does not answer.

    Raises:
        OSError: the file is not there, or may not be used.
        DataError: the store does not answer, or its bucket is gone.
    """
    kind = ""
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE * 2 ** (attempt - 1))
        try:
            return call()
        except (NotImplementedError, Refusal):
            raise
        except Exception as error:  # of whatever the store's package raises
            kind = _kind(error)
            if isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError) or kind == "404":
                check_bucket(address)
                raise FileNotFoundError(errno.ENOENT, "it is not there") from None
            if isinstance(error, PermissionError) or kind in ("401", "403") or "Credential" in kind:
                raise PermissionError(errno.EACCES, "it may not be used with these credentials") from None
            if isinstance(error, FileExistsError) or kind == "412":
                raise FileExistsError(errno.EEXIST, "it is there already") from None
            if getattr(error, "errno", None) == errno.EINVAL or kind == "416":
                raise OSError(errno.EINVAL, "the store refuses what is asked for") from None
    raise DataError(
        f"{public_name(address)} is not reached ({kind}, {TRIES} times): check the network and the store, and go on "
        "with --resume if something was begun."
    ) from None


def _kind(error: Exception) -> str:
    """What an error is, in a word; its text may hold a signature."""
    status = getattr(error, "status", None) or getattr(getattr(error, "response", None), "status_code", None)
    return str(status or type(error).__name__)
