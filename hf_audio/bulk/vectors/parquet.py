"""Embeddings as a Parquet file."""

import itertools
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..answers import Row
from .heading import (
    METADATA,
    OWN_COLUMNS,
    ROWS_PER_GROUP,
    UNREADABLE,
    Part,
    VectorHeading,
    check_columns,
    mixed_checkpoints,
    read_object,
)

if TYPE_CHECKING:
    import pyarrow
    from pyarrow.parquet import ParquetFile


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


def read_parquet(path: Path) -> Part:
    """What `write_parquet` has written, or another program out of it.

    Raises:
        KeyError: there is no such column.
        ValueError: it holds no embeddings.
        DataError: it mixes those of several checkpoints.
    """
    import pyarrow
    from pyarrow.parquet import ParquetFile

    with path.open("rb") as content, closing(ParquetFile(content)) as file:
        check_columns(file.schema_arrow.names)
        table = file.read(columns=[name for name in OWN_COLUMNS if name != "vector"])
        for name in ("file", "start", "end", "checkpoint"):
            if table[name].null_count:
                raise ValueError(f"{name!r} is missing in a row")
        vectors = _read_vectors(file, path)
        stored = {**(file.schema_arrow.metadata or {}), **(file.metadata.metadata or {})}
    columns = {
        name: table[name].fill_null(-1).to_numpy().astype(np.int64) for name in ("file_bytes", "file_modified_ns")
    }
    columns |= {name: table[name].to_numpy().astype(np.float64) for name in ("start", "end")}
    texts = {name: table[name].cast(pyarrow.large_string()) for name in ("file", "checkpoint")}
    columns |= {name: text.to_numpy(zero_copy_only=False) for name, text in texts.items()}
    metadata, unreadable = (read_object(stored.get(name.encode(), b"{}")) for name in (METADATA, UNREADABLE))
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
                raise mixed_checkpoints(path, 2)
            vectors[first : first + len(lists)] = (
                lists.flatten().to_numpy(zero_copy_only=False).reshape(len(lists), -1)
            )
            first += len(lists)
    return vectors
