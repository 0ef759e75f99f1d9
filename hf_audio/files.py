"""Files and folders written whole or not at all."""

import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import NO_ROOM, DataError
from .remote.paths import RemotePath, as_path
from .remote.writing import upload

_own_folders: set[str] = set()  # names of the temporary folders of this process


@contextmanager
def written_whole(path: str | os.PathLike) -> Iterator[Path]:
    """A name to write to, which becomes `path` when all is written; otherwise nothing is left of it.

    What becomes an address lies in a temporary folder until then. Only a kill leaves something, until the next one
    writes there.

    Raises:
        DataError: it cannot be written, because the disk is full, say.
    """
    path = as_path(path)
    if isinstance(path, RemotePath):
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / path.name
            try:
                yield copy
            except OSError as error:
                raise unwritable(copy, error) from error
            upload(copy, str(path))
        return
    clear_abandoned(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())  # or the name could outlive a power cut, and the contents not
        os.replace(temporary, path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        with suppress(OSError):  # of a read-only disk or too long a name, which is told already
            temporary.unlink(missing_ok=True)


def unwritable(path: Path, error: OSError) -> DataError:
    """The refusal of a file or folder that the system would not write."""
    remedy = "make room there" if error.errno in NO_ROOM else "choose another place"
    return DataError(f"{path} cannot be written ({error.strerror or error}): {remedy}.")


def write_text(path: Path, text: str) -> None:
    """Write a text, in UTF-8, whole or not at all.

    Raises:
        DataError: it cannot be written.
    """
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def temporary_folder_beside(path: Path) -> Iterator[Path]:
    """A folder to prepare something in that is then renamed to `path`; what was not renamed is deleted.

    Beside it, because only there can it be renamed rather than copied. Its rights are those of any new folder.

    Raises:
        DataError: there is no folder to make it in.
    """
    folder = path.absolute().with_name(f".{path.name}-{os.getpid()}-{secrets.token_hex(4)}")
    clear_abandoned(path)
    try:
        folder.mkdir()
    except OSError as error:
        raise unwritable(path, error) from error
    _own_folders.add(folder.name)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _own_folders.discard(folder.name)


def clear_abandoned(path: Path) -> None:
    """Delete what processes that are no more had begun to write in the place of a file or folder."""
    own = re.compile(rf"\.{re.escape(path.name)}(?:\.(?P<file>\d+)|-(?P<folder>\d+)-[0-9a-f]{{8}})")
    with suppress(OSError):
        for entry in list(path.absolute().parent.iterdir()):
            found = own.fullmatch(entry.name)
            if found is None or entry.name in _own_folders:
                continue
            process = int(found["file"] or found["folder"])
            # A folder with this process's number that it has not made is of one before it that had the same.
            if _lives(process) and not (process == os.getpid() and found["folder"]):
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)


def _lives(process: int) -> bool:
    """Whether a process of this machine has this number; where that cannot be asked, yes."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # of another user
        return True
    return True


@contextmanager
def folder_written_whole(path: Path, is_whole: Callable[[], bool]) -> Iterator[Path]:
    """A folder to fill, which becomes `path` when all is written; otherwise nothing is left of it.

    Args:
        path: a new folder or an empty one; the folders above it are made.
        is_whole: whether `path` holds already what is written. So another process may finish first.

    Raises:
        OSError: it cannot be written, or `path` holds something else.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder_beside(path) as folder:
        yield folder
        try:
            os.replace(folder, path)
        except OSError:
            if not is_whole():
                raise
