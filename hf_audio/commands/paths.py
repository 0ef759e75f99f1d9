"""Arguments that name files, as every command takes them."""

import os
from collections.abc import Sequence
from pathlib import Path

from ..errors import ArgumentError
from ..remote.addresses import is_remote
from ..remote.writing import check_output

File = str | os.PathLike[str]


def check_folder(output: File, option: str = "--output") -> None:
    """Before the work rather than after it."""
    if is_remote(output):
        check_output(os.fspath(output))
        return
    if not Path(output).parent.is_dir():
        raise ArgumentError(f"{option} {output} is in no folder that exists: make it first.")


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
        check_folder(output)
    return several(paths)
