"""Files of embeddings, a row a clip or a window: Parquet or NumPy's arrays, written as they come and read back."""

import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from ...remote.addresses import is_remote
from ...remote.paths import as_path
from ..answers import Writer, written_at_once
from .heading import OWN_COLUMNS, VectorHeading, mixed_checkpoints
from .npz import read_npz, write_npz
from .parquet import read_parquet, write_parquet

PART_PATTERN = "part-*-of-*.parquet"  # of a folder that several processes have written
WRITERS: dict[str, Writer[VectorHeading]] = {".parquet": write_parquet, ".npz": write_npz}


def choose_vector_writer(output: Path) -> Writer[VectorHeading]:
    """The writer of a file by the end of its name; it writes the file whole or not at all.

    Raises:
        DataError: a name that says nothing.
    """
    for suffix, write in WRITERS.items():
        if output.name.lower().endswith(suffix):
            return written_at_once(write)
    raise DataError(f"--output {output} must end in {' or '.join(WRITERS)}: vectors are written so.")


@dataclass(frozen=True)
class Vectors:
    """The rows of a file of embeddings, all by one checkpoint."""

    source: Path
    """The file, or the folder of parts."""
    files: np.ndarray
    """Names of the clips' files as they can be opened, (rows,) strings."""
    starts: np.ndarray
    """In seconds, (rows,) float64."""
    ends: np.ndarray
    """In seconds, (rows,) float64."""
    vectors: np.ndarray
    """(rows, size) float32."""
    checkpoint: str
    """The fingerprint of the checkpoint."""
    stamps: np.ndarray
    """Bytes of the files, and when they were last changed, in nanoseconds since 1970; -1 unknown. (rows, 2) int64."""
    metadata: dict[str, Any]
    """What is told of all rows, see `VectorHeading`; empty where another program has written the file anew."""
    without: list[str]
    """Names of further files as they can be opened, that were to be embedded and have no row."""


def is_vectors(path: str | os.PathLike) -> bool:
    """Whether a path is, by its name or by what a folder holds, one of embeddings rather than of recordings."""
    path = as_path(path)
    if path.is_dir():
        return any(path.glob(PART_PATTERN))
    return path.suffix.lower() in WRITERS


def read_vectors(path: str | os.PathLike) -> Vectors:
    """A file that `hf-audio embed` wrote, a folder of its parts, or what another program has made of some.

    Raises:
        DataError: it holds no embeddings or is damaged, those of several checkpoints, or some of several sizes.
    """
    path = as_path(path)
    files = _find_parts(path) if path.is_dir() else [path]
    try:
        parts = [read_npz(file) if file.suffix.lower() == ".npz" else read_parquet(file) for file in files]
    except KeyError as error:
        raise DataError(
            f"{path} has no column {error.args[0]!r}, so it holds no embeddings: write some by hf-audio embed."
        ) from error
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        if isinstance(error, FileNotFoundError):
            raise DataError(f"{path} is no file: give one that hf-audio embed wrote, or a folder.") from error
        reason = str(error).splitlines()[0].rstrip(".")
        raise DataError(f"{path} holds no embeddings that can be read ({reason}): write them anew.") from error
    checkpoints = sorted({checkpoint for columns, *_ in parts for checkpoint in np.unique(columns["checkpoint"])})
    if len(checkpoints) > 1 or len({columns["vector"].shape[1] for columns, *_ in parts}) > 1:
        raise mixed_checkpoints(path, max(len(checkpoints), 2))
    if not checkpoints:
        raise DataError(f"{path} holds no row: embed recordings that can be read.")
    columns = parts[0][0]
    if len(parts) > 1:  # one alone need not be copied
        columns = {name: np.concatenate([part[name] for part, *_ in parts]) for name in OWN_COLUMNS}
    if not np.isfinite(columns["vector"]).all():
        raise DataError(f"{path} holds vectors that are not finite: embed the recordings anew.")
    metadata = parts[0][1]
    names, inverse = np.unique(columns["file"], return_inverse=True)
    opened = np.array([name_from_here(name, metadata) for name in names], dtype=object)[inverse]
    stamps = np.stack([columns["file_bytes"], columns["file_modified_ns"]], 1)
    return Vectors(
        path,
        opened,
        columns["start"],
        columns["end"],
        columns["vector"],
        checkpoints[0],
        stamps,
        metadata,
        [name_from_here(name, metadata) for _, _, unreadable in parts for name in unreadable],
    )


def name_from_here(name: str, metadata: Mapping[str, Any]) -> str:
    """A name that was given when vectors were written, as it can be opened now."""
    folder = metadata.get("folder", "")
    if is_remote(name) or folder == os.getcwd():  # names that are as they were given are the easiest to read
        return name
    return os.path.join(folder, name)


def _find_parts(folder: Path) -> list[Path]:
    """All parts in a folder.

    Raises:
        DataError: some are missing, or they are of runs of different numbers of processes.
    """
    parts = sorted(folder.glob(PART_PATTERN))
    numbers = {part.stem.rpartition("-")[2] for part in parts}
    if len(numbers) > 1:
        raise DataError(f"{folder} holds parts of runs of {' and '.join(sorted(numbers))}: delete those of one.")
    if parts and (number := numbers.pop()).isdecimal() and int(number) != len(parts):
        raise DataError(
            f"{folder} holds {len(parts)} of {int(number)} parts: finish the run that writes them, by --resume if it "
            "was killed."
        )
    return parts
