"""Arguments that name files, as every command takes them."""

import os
from collections.abc import Sequence
from pathlib import Path

from ..errors import ArgumentError
from ..remote.addresses import is_remote
from ..remote.writing import check_output

File = str | os.PathLike[str]


def check_writable(output: File, option: str = "--output", read: Sequence[File | None] = ()) -> None:
    """Before the work rather than after it: there is a folder for an output, which replaces nothing that is read.

    read: the files and folders that the command reads.

    Raises:
        ArgumentError: there is none, or it does.
    """
    if any(file is not None and _are_one(output, file) for file in read):
        raise ArgumentError(f"{option} {output} is what is read, and would be replaced: choose another file.")
    if is_remote(output):
        check_output(os.fspath(output))
    elif not Path(output).parent.is_dir():
        raise ArgumentError(f"{option} {output} is in no folder that exists: make it first.")


def _are_one(output: File, file: File) -> bool:
    """Whether two names are of one file; in a folder that is read, there is room for an output."""
    if is_remote(output) or is_remote(file):
        return os.fspath(output) == os.fspath(file)
    try:
        return not os.path.isdir(output) and os.path.samefile(output, file)
    except OSError:  # one of them is not there, or a pattern
        return False


def several(values: File | Sequence[File]) -> tuple[str, ...]:
    """What may be given alone."""
    several = (values,) if isinstance(values, str | os.PathLike) else values
    return tuple(os.fspath(value) for value in several)


def check_sources(
    paths: Sequence[File], output: File | None, num_workers: int | None, *, kept: bool
) -> tuple[str, ...]:
    """What clips are read from, as texts.

    kept: whether something is asked for that an output keeps.
    """
    if num_workers is not None and num_workers < 0:
        raise ArgumentError(f"--num_workers {num_workers} must be 0 or more.")
    if output is None and kept:
        raise ArgumentError("Without --output nothing is kept: add it.")
    if output is not None:
        check_writable(output, read=several(paths))
    return several(paths)
