"""What lies in a store: the files of a folder or of a pattern, whether there is one, and which version of it."""

from collections.abc import Iterator
from typing import Any

from ..errors import DataError
from .addresses import address_like, public_name
from .retries import retried
from .stores import file_system, fresh


def list_remote(folder: str) -> list[str]:
    """Addresses of all files below a folder, in the order of their names; nothing of them is read.

    Raises:
        DataError: the folder is not there, or may not be listed.
    """
    system, place = file_system(folder)
    try:
        found = retried(folder, lambda: fresh(system).find(place))
    except OSError as error:
        raise DataError(f"{public_name(folder)} cannot be searched ({error.strerror}): check the address.") from None
    return [address_like(folder, name) for name in sorted(found)]


def find_remote(pattern: str) -> list[str]:
    """Addresses that fit a pattern, in the order of their names."""
    system, place = file_system(pattern)
    try:
        return [address_like(pattern, name) for name in sorted(retried(pattern, lambda: fresh(system).glob(place)))]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DataError(f"{public_name(pattern)} cannot be searched ({error.strerror}): check the address.") from None


def exists(address: str) -> bool:
    """Whether there is something at an address.

    Raises:
        OSError: it may not be asked for.
        DataError: the store does not answer.
    """
    system, place = file_system(address)
    try:
        retried(address, lambda: fresh(system).info(place))
    except FileNotFoundError:
        return False
    return True


def stamp(address: str) -> list[Any]:
    """What changes when the file at an address does: its size, and what the store tells of the version."""
    system, place = file_system(address)
    about = retried(address, lambda: fresh(system).info(place))
    names = ("ETag", "etag", "md5Hash", "content_md5", "LastModified", "mtime", "last_modified", "blob_id")
    return [about.get("size"), *(str(about[name]) for name in names if about.get(name) is not None)]


def is_folder(address: str) -> bool:
    """Whether there is a folder at an address, or what files' names begin with."""
    system, place = file_system(address)
    return bool(retried(address, lambda: system.isdir(place)))


def list_folder(folder: str) -> Iterator[str]:
    """Addresses of what lies in a folder itself, in the order of their names."""
    system, place = file_system(folder)
    for name in sorted(retried(folder, lambda: fresh(system).ls(place, detail=False))):
        yield address_like(folder, name.rstrip("/"))
