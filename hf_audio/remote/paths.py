"""Addresses in the place of paths."""

import io
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from .addresses import is_remote, public_name
from .listing import exists, find_remote, is_folder, list_folder
from .reading import open_remote
from .writing import delete


class RemotePath(PurePosixPath):
    """An address in the place of a `Path`: its parts as of any path, and of the file system what is needed here."""

    def __str__(self) -> str:
        return re.sub(r"^([a-z][a-z0-9+.-]+):/(?=[^/])", r"\1://", super().__str__(), flags=re.IGNORECASE)

    def __fspath__(self) -> str:
        return str(self)

    def __format__(self, _: str) -> str:
        return public_name(str(self))  # in sentences

    def absolute(self) -> "RemotePath":
        """Itself."""
        return self

    def resolve(self) -> "RemotePath":
        """Itself."""
        return self

    def is_symlink(self) -> bool:
        """Never."""
        return False

    def exists(self) -> bool:
        """Whether there is a file or a folder."""
        return exists(str(self))

    def is_file(self) -> bool:
        """Whether there is a file."""
        return self.exists() and not self.is_dir()

    def is_dir(self) -> bool:
        """Whether it is a folder, or what files' names begin with."""
        if not is_remote(self):  # above the first part
            return False
        return is_folder(str(self))

    def mkdir(self, *_: Any, **__: Any) -> None:
        """Nothing: stores have no folders."""

    def unlink(self, missing_ok: bool = False) -> None:
        """Delete the file."""
        try:
            delete(str(self))
        except FileNotFoundError:
            if not missing_ok:
                raise

    def open(self, mode: str = "r", encoding: str = "utf-8") -> IO[Any]:
        """The file to read from."""
        file = open_remote(str(self))
        return file if "b" in mode else io.TextIOWrapper(file, encoding=encoding)

    def read_bytes(self) -> bytes:
        """All that is in it."""
        with open_remote(str(self)) as file:
            return file.read()

    def read_text(self, encoding: str = "utf-8") -> str:
        """All that is in it."""
        return self.read_bytes().decode(encoding)

    def iterdir(self) -> Iterator["RemotePath"]:
        """What lies in the folder itself."""
        return (RemotePath(name) for name in list_folder(str(self)))

    def glob(self, pattern: str) -> Iterator["RemotePath"]:
        """What the names of fit a pattern."""
        return (RemotePath(name) for name in find_remote(str(self / pattern)))


def as_path(path: str | os.PathLike) -> Path:
    """A path as `Path`, or of an address, as something that behaves like one."""
    return cast(Path, RemotePath(str(path))) if is_remote(path) else Path(path)


def join(folder: Path, name: str) -> Path:
    """A name as a folder's table has it, which may be an address or a path of its own."""
    return as_path(name) if is_remote(name) else folder / name


def is_file(path: str | os.PathLike) -> bool:
    """Whether a file is there; of addresses, that is found out when they are read."""
    return is_remote(path) or os.path.isfile(path)
