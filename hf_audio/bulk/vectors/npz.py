"""Embeddings as NumPy's arrays, in one .npz file."""

import zipfile
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from ..answers import Row
from .heading import METADATA, OWN_COLUMNS, ROWS_PER_GROUP, UNREADABLE, Part, VectorHeading, check_columns, read_object


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
                scalar = np.array(text)
                _write_array(archive, name, scalar.dtype.str, (), [scalar.tobytes()])


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


def read_npz(path: Path) -> Part:
    """What `write_npz` has written, or another program out of it.

    Raises:
        KeyError: there is no such array.
        ValueError: it holds no embeddings.
    """
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):  # of which NumPy would make one array, or an error of its own
            raise ValueError("it is no zip file of arrays, or cut off")
        file.seek(0)
        with np.load(file, allow_pickle=False) as arrays:
            check_columns(arrays)
            columns = {name: arrays[name] for name in OWN_COLUMNS}
            texts = {name: str(arrays[name]) for name in (METADATA, UNREADABLE) if name in arrays}
    if columns["vector"].ndim != 2 or len({len(column) for column in columns.values()}) > 1:
        raise ValueError("its arrays have other numbers of rows")
    columns |= {name: columns[name].astype(str, copy=False) for name in ("file", "checkpoint")}
    metadata, unreadable = (read_object(texts.get(name, "{}")) for name in (METADATA, UNREADABLE))
    return {**columns, "vector": columns["vector"].astype(np.float32, copy=False)}, metadata, unreadable
