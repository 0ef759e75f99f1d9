"""Files of embeddings, a row a clip or a window: Parquet or NumPy's arrays, written as they come and read back."""

import itertools
import json
import os
import zipfile
from array import array
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..errors import DataError, NoSpeechError
from ..remote.addresses import is_remote
from ..remote.paths import as_path
from .answers import Row, Writer, free_name, shown_name, written_at_once
from .clips import STANDARD_INPUT

if TYPE_CHECKING:
    import pyarrow
    from pyarrow.parquet import ParquetFile

# Keys in a Parquet file's metadata, and arrays of an .npz file; their values are JSON.
METADATA, UNREADABLE = "hf_audio", "hf_audio_unreadable"
ROWS_PER_GROUP = 8192  # of Parquet, and of what is copied at once
OWN_COLUMNS = ("file", "start", "end", "vector", "checkpoint", "file_bytes", "file_modified_ns")
PART_PATTERN = "part-*-of-*.parquet"  # of a folder that several processes have written

Part: TypeAlias = tuple[dict[str, np.ndarray], dict[str, Any], dict[str, str]]
"""The columns of a file, what is told of all its rows, and the clips without one."""


@dataclass
class VectorHeading:
    """What the columns are, and what is known of all rows, which Parquet's metadata has as JSON by `hf_audio`.

    | column | type | |
    |---|---|---|
    | `file` | string | the clip's file, as it was named |
    | `start`, `end` | float64 | of what was embedded, in seconds |
    | `vector` | fixed-size list of float32 | the embedding |
    | `checkpoint` | string | fingerprint of the checkpoint, see `fingerprint` |
    | `file_bytes`, `file_modified_ns` | int64 | of the file when it was embedded, nanoseconds since 1970; else null |

    Behind them are the further columns of a table that named the clips, as strings, one of these names as `table_...`.
    An .npz file has an array a column, `vector` of (rows, size), -1 in the place of null, and the metadata as further
    arrays. Clips without a row, which cannot be read or in which nobody speaks, stand in the metadata as
    `hf_audio_unreadable`.
    """

    further: Sequence[str]
    """Further columns of the clips."""
    size: int
    """Numbers of a vector."""
    checkpoint: str
    """Its fingerprint."""
    metadata: dict[str, Any]
    """What else is told of all rows: the checkpoint's name, its `sampling_rate`, ..."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """Clips without a row, and why; filled while rows are written."""
    _written: str = ""
    """The clip of the last row."""

    @property
    def columns(self) -> list[str]:
        """All names in their order."""
        return [*OWN_COLUMNS, *self.clip_columns.values()]

    @cached_property
    def clip_columns(self) -> dict[str, str]:
        """The further columns' names, and those by which they stand beside the embeddings."""
        taken = {*OWN_COLUMNS, *self.further, "path"}
        names = {}
        for name in self.further:
            names[name] = name if name not in (*OWN_COLUMNS, "path") else free_name(f"table_{name}", taken)
            taken.add(names[name])
        return names

    def rows(
        self,
        clip: Mapping[str, str],
        spans: Iterable[Sequence[float]],
        answers: Iterable[Any],
        problem: str | None,
    ) -> Iterator[Row]:
        """Of one clip; none of what cannot be read."""
        name = shown_name(clip["path"])
        if problem is not None:
            self.unreadable[name] = problem
            return
        spans = list(spans)
        if spans:
            self.unreadable.pop(name, None)
            self._written = name
        elif name != self._written:  # all parts of a clip come one behind the other
            self.unreadable[name] = str(NoSpeechError(name, 0.0))
        further = {new: clip.get(old, "") for old, new in self.clip_columns.items()}
        for (start, end), (text, n_bytes, modified) in zip(spans, answers, strict=True):
            if clip["path"] == STANDARD_INPUT:
                n_bytes = modified = None
            own = (name, round(start, 6), round(end, 6), unpack(text), self.checkpoint, n_bytes, modified)
            yield {**dict(zip(OWN_COLUMNS, own, strict=True)), **further}

    @property
    def written_metadata(self) -> str:
        """What is told of all rows, as JSON."""
        return json.dumps({"checkpoint": self.checkpoint, "size": self.size, **self.metadata}, ensure_ascii=False)

    @property
    def written_complaints(self) -> str:
        """Clips without a row, and why, as JSON; whole when the rows are written."""
        return json.dumps(self.unreadable, ensure_ascii=False)


def unpack(text: str) -> np.ndarray:
    """A vector out of a journal, (size,) float32."""
    import base64

    return np.frombuffer(base64.b64decode(text), dtype="<f4")


def pack(vector: np.ndarray) -> str:
    """A vector, (size,), as a journal keeps it."""
    import base64

    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


def write_parquet(path: Path, heading: VectorHeading, rows: Iterable[Row]) -> None:
    """Whoever reads the file with pandas, Polars or DuckDB has a vector a row."""
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    types = dict.fromkeys(heading.columns, pyarrow.string())
    types |= {"start": pyarrow.float64(), "end": pyarrow.float64(), "vector": _vector_type(heading.size)}
    types |= {"file_bytes": pyarrow.int64(), "file_modified_ns": pyarrow.int64()}
    schema = pyarrow.schema(list(types.items()), metadata={METADATA: heading.written_metadata})
    plain = [name for name in types if name != "vector"]  # vectors repeat nothing, so there is nothing to compress
    options = {"use_dictionary": plain, "write_statistics": plain, "compression": dict.fromkeys(plain, "snappy")}
    rows = iter(rows)
    with path.open("wb") as file, ParquetWriter(file, schema, **options) as writer:
        while group := list(itertools.islice(rows, ROWS_PER_GROUP)):
            columns = [
                _vector_array(np.stack([row[name] for row in group]))
                if name == "vector"
                else pyarrow.array([row[name] for row in group], kind)
                for name, kind in types.items()
            ]
            writer.write_table(pyarrow.table(columns, schema=schema))
        writer.add_key_value_metadata({UNREADABLE: heading.written_complaints})  # known when the rows are


def _vector_type(size: int) -> "pyarrow.DataType":
    import pyarrow

    return pyarrow.list_(pyarrow.float32(), size)


def _vector_array(vectors: np.ndarray) -> "pyarrow.Array":
    import pyarrow

    return pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(vectors.ravel()), vectors.shape[1])


def write_npz(path: Path, heading: VectorHeading, rows: Iterable[Row]) -> None:
    """Uncompressed, array by array, so that no more than the times and the names of clips are in memory."""
    import tempfile

    numbers: dict[str, array] = {
        "start": array("d"),
        "end": array("d"),
        "file_bytes": array("q"),
        "file_modified_ns": array("q"),
    }
    text_columns = [name for name in heading.columns if name not in numbers and name != "vector"]
    clips: dict[tuple[str, ...], int] = {}
    places = array("q")
    with tempfile.TemporaryFile(dir=path.parent) as vectors:
        for row in rows:
            vectors.write(row["vector"].tobytes())
            for name, values in numbers.items():
                values.append(-1 if row[name] is None else row[name])
            places.append(clips.setdefault(tuple(row[name] for name in text_columns), len(clips)))
        vectors.seek(0)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            for name in heading.columns:
                if name == "vector":
                    parts = iter(lambda: vectors.read(ROWS_PER_GROUP * heading.size * 4), b"")
                    _write_array(archive, name, "<f4", (len(places), heading.size), parts)
                elif name in numbers:
                    kind = np.dtype(numbers[name].typecode).str
                    _write_array(archive, name, kind, (len(places),), [numbers[name].tobytes()])
                else:
                    texts = [clip[text_columns.index(name)] for clip in clips]
                    kind = f"<U{max(map(len, texts), default=0) or 1}"
                    _write_array(archive, name, kind, (len(places),), _text_parts(texts, places, kind))
            for name, text in ((METADATA, heading.written_metadata), (UNREADABLE, heading.written_complaints)):
                told = np.array(text)
                _write_array(archive, name, told.dtype.str, (), [told.tobytes()])


def _text_parts(texts: Sequence[str], places: "array[int]", kind: str) -> Iterator[bytes]:
    for first in range(0, len(places), ROWS_PER_GROUP):
        yield np.array([texts[place] for place in places[first : first + ROWS_PER_GROUP]], kind).tobytes()


def _write_array(
    archive: zipfile.ZipFile, name: str, kind: str, shape: tuple[int, ...], parts: Iterable[bytes]
) -> None:
    with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
        np.lib.format.write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": shape})
        for part in parts:
            file.write(part)


WRITERS: dict[str, Writer[VectorHeading]] = {".parquet": write_parquet, ".npz": write_npz}


def choose_vector_writer(output: Path) -> Writer[VectorHeading]:
    """By the name's end, the writer of a file, which it writes whole or not at all.

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
        parts = [_read_npz(file) if file.suffix.lower() == ".npz" else _read_parquet(file) for file in files]
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
        raise _mixed(path, max(len(checkpoints), 2))
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


def _mixed(path: Path, n_checkpoints: int) -> DataError:
    return DataError(
        f"{path} mixes embeddings of {n_checkpoints} checkpoints, which cannot be compared: embed all clips by one."
    )


def _read_parquet(path: Path) -> Part:
    import pyarrow
    from pyarrow.parquet import ParquetFile

    with path.open("rb") as content, closing(ParquetFile(content)) as file:
        _check_columns(file.schema_arrow.names)
        table = file.read(columns=[name for name in OWN_COLUMNS if name != "vector"])
        for name in ("file", "start", "end", "checkpoint"):
            if table[name].null_count:
                raise ValueError(f"{name!r} is missing in a row")
        vectors = _read_vectors(file, path)
        told = {**(file.schema_arrow.metadata or {}), **(file.metadata.metadata or {})}
    columns = {
        name: table[name].fill_null(-1).to_numpy().astype(np.int64) for name in ("file_bytes", "file_modified_ns")
    }
    columns |= {name: table[name].to_numpy().astype(np.float64) for name in ("start", "end")}
    texts = {name: table[name].cast(pyarrow.large_string()) for name in ("file", "checkpoint")}
    columns |= {name: text.to_numpy(zero_copy_only=False) for name, text in texts.items()}
    metadata, unreadable = (_read_object(told.get(name.encode(), b"{}")) for name in (METADATA, UNREADABLE))
    return {**columns, "vector": vectors}, metadata, unreadable


def _read_vectors(file: "ParquetFile", path: Path) -> np.ndarray:
    """The column `vector`, (rows, size) float32, a group of rows at a time: so nothing is in memory twice."""
    vectors, first = np.empty((0, 0), dtype=np.float32), 0
    for group in range(file.num_row_groups):
        for lists in file.read_row_group(group, columns=["vector"])["vector"].chunks:
            if not hasattr(lists, "value_lengths"):
                raise ValueError("its vectors are no lists of numbers")
            if lists.null_count:
                raise ValueError("a vector is missing")
            lengths = lists.value_lengths().to_numpy(zero_copy_only=False)
            if not len(lengths):
                continue
            if not vectors.size:
                vectors = np.empty((file.metadata.num_rows, int(lengths[0])), dtype=np.float32)
            if (lengths != vectors.shape[1]).any():
                raise _mixed(path, 2)
            vectors[first : first + len(lists)] = (
                lists.flatten().to_numpy(zero_copy_only=False).reshape(len(lists), -1)
            )
            first += len(lists)
    return vectors


def _read_npz(path: Path) -> Part:
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):  # of which NumPy would make one array, or an error of its own
            raise ValueError("it is no zip file of arrays, or cut off")
        file.seek(0)
        with np.load(file, allow_pickle=False) as arrays:
            _check_columns(arrays)
            columns = {name: arrays[name] for name in OWN_COLUMNS}
            told = {name: str(arrays[name]) for name in (METADATA, UNREADABLE) if name in arrays}
    if columns["vector"].ndim != 2 or len({len(column) for column in columns.values()}) > 1:
        raise ValueError("its arrays have other numbers of rows")
    columns |= {name: columns[name].astype(str, copy=False) for name in ("file", "checkpoint")}
    metadata, unreadable = (_read_object(told.get(name, "{}")) for name in (METADATA, UNREADABLE))
    return {**columns, "vector": columns["vector"].astype(np.float32, copy=False)}, metadata, unreadable


def _read_object(told: str | bytes) -> dict[str, Any]:
    found = json.loads(told)
    if not isinstance(found, dict):
        raise ValueError("its metadata is no object of JSON")
    return found


def _check_columns(known: Container[str]) -> None:
    for name in OWN_COLUMNS:
        if name not in known:
            raise KeyError(name)
