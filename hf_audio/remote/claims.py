"""Claims on outputs: of the runs that would write to one address, on whatever machines, one does."""

import errno
import json
import os
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from ..errors import DataError, Refusal
from .addresses import public_name
from .paths import RemotePath
from .retries import retried
from .stores import file_system
from .writing import delete

# A claim is renewed as often as this, and is void when it has not been for so long; in seconds.
RENEWED, VOID = 20.0, 90.0
PAUSE = 0.5  # seconds after which whoever has found the same void claim has replaced it too


@contextmanager
def claimed(address: str) -> Iterator[None]:
    """While this lasts, no other run on any machine claims the output at an address.

    A file beside it says so. Who dies without taking it away is forgotten after `VOID` seconds.

    Raises:
        DataError: another run holds it, or nothing can be written there.
    """
    place, run = f"{address}.claim", uuid.uuid4().hex
    _take(address, place, run)
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(RENEWED):
            with suppress(Refusal, OSError):  # what is written itself will tell
                if _is_of(run, _claim_at(place)):
                    _claim(place, run)

    renewing = threading.Thread(target=renew, daemon=True)
    renewing.start()
    try:
        yield
    finally:
        ended.set()
        renewing.join()
        with suppress(Refusal, OSError):
            if _is_of(run, _claim_at(place)):
                delete(place)


def _take(address: str, place: str, run: str) -> None:
    """Claim an output by the file at a place.

    Raises:
        DataError: another run has, or nothing can be written there.
    """
    found = _claim_at(place)
    if found is None or not _lives(found):
        if found is not None:
            with suppress(FileNotFoundError):
                delete(place)
        with suppress(FileExistsError):
            _claim(place, run, mode="create")
        if found is not None:
            time.sleep(PAUSE)  # another run may have found the same, and have deleted this one's claim as that
        found = _claim_at(place)
    if not _is_of(run, found):
        host = (found or {}).get("host", "another machine")
        raise DataError(
            f"{public_name(address)} is being written by another run, on {host}: wait for its end or, if it was "
            f"killed, {VOID:.0f} seconds, or choose another output."
        )


def _claim_at(place: str) -> Mapping[str, Any] | None:
    """What a claim tells, which may be nothing; `None` where there is none."""
    try:
        claim = json.loads(RemotePath(place).read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    except OSError as error:
        raise DataError(f"{public_name(place)} cannot be read ({error.strerror}): choose another output.") from None
    return claim if isinstance(claim, dict) else {}


def _is_of(run: str, claim: Mapping[str, Any] | None) -> bool:
    return claim is not None and claim.get("run") == run


def _lives(claim: Mapping[str, Any]) -> bool:
    """Whether the run that made a claim may be alive."""
    import socket

    try:
        void = time.time() - float(claim["time"]) > VOID
        here = claim["host"] == socket.gethostname() and os.path.isdir("/proc")
    except (KeyError, TypeError, ValueError):
        return False
    return not void and not (here and not os.path.exists(f"/proc/{claim.get('process')}"))


def _claim(place: str, run: str, mode: str = "overwrite") -> None:
    """Write a claim; `create`: only where there is none.

    Raises:
        FileExistsError: there is one.
        DataError: nothing can be written there.
    """
    import socket

    claim = {"run": run, "host": socket.gethostname(), "process": os.getpid(), "time": time.time()}
    content = json.dumps(claim).encode()
    system, path = file_system(place)

    def write() -> None:
        try:
            system.pipe_file(path, content, mode=mode)
        except OSError as error:
            if mode == "overwrite" or error.errno != errno.ENOSYS:
                raise
            system.pipe_file(path, content)  # to a store that has no conditional writes

    try:
        retried(place, write)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or "nothing can be written there"
        raise DataError(f"{public_name(place)} cannot be written ({reason}): choose another output.") from None
