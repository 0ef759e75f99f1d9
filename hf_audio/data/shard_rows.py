"""One shard, a Parquet file or a tar in WebDataset's layout: its rows counted, and read row after row."""

import json
import os
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import ClassLabel

from ..errors import DataError
from ..folders import AUDIO_SUFFIXES
from ..remote.addresses import is_remote, public_name
from ..remote.reading import open_remote
from .classes import is_numbering
from .tables.columns import LABEL_NAMES, Columns, guess_label

# Files beside a recording in a tar that hold its label; a .json has it among its fields.
LABEL_MEMBERS = ("cls", "txt")
AUDIO_COLUMN = "audio"
# A few rows at a time, so that memory does not grow with the size of a row group.
ROWS_READ_TOGETHER = 16
# What a shard that is damaged, or a server that does not answer, can cause.
UNREADABLE = (OSError, EOFError, ValueError, tarfile.TarError, pa.ArrowException)


class Row(NamedTuple):
    """A recording as a shard holds it."""

    name: str
    """SHARD#ROW, or SHARD#KEY of a tar."""
    number: int
    """Its number among the rows of its split."""
    audio: bytes | None
    """Encoded."""
    label: str | None
    file: str
    """The recording's own name, or none."""


@dataclass(frozen=True)
class Block:
    """Rows of a shard that lie together: a row group of a Parquet file, or all of a tar."""

    shard: str
    group: int
    first: int
    """Number of its first row among those of the shard."""
    start: int
    """Number of its first row among those of the split."""
    rows: int


class Count(NamedTuple):
    """What a shard holds."""

    groups: list[int]
    """Rows of each block."""
    counts: Mapping[str, int]
    classes: list[str] | None
    problem: str | None
    numberings: Mapping[str, list[list[str]]] = {}
    """Of columns that may number the labels, the pairs of number and label that occur."""


def count_shard(shard: str, columns: Columns) -> Count:
    """Count the rows of a shard and of each label, without reading any audio.

    Of a Parquet file the metadata and the label column are read, of a tar the names of the files in it and the labels.

    Raises:
        DataError: a column is not there or cannot be guessed, or there are no labels.
        One of `UNREADABLE`: the shard is damaged or not reached.
    """
    with _open(shard) as file:
        return _count_parquet(file, shard, columns) if _is_parquet(shard) else _count_tar(file, shard, columns)


def read_block(block: Block, first: int, stop: int, columns: Columns) -> Iterator[Row]:
    """The rows from number `first` of a block on, up to and without number `stop`.

    Raises:
        One of `UNREADABLE`: the shard is damaged or not reached.
    """
    read = _parquet_rows if _is_parquet(block.shard) else _tar_rows
    with _open(block.shard) as file:
        for number, row in enumerate(read(file, block, first, stop, columns), start=first):
            yield row._replace(number=block.start + number)


def read_sounds(shard: str, group: int) -> Iterator[tuple[str, bytes | None, dict[str, str]]]:
    """The recordings of a shard, or of a row group of one, whether they have labels or not.

    Of each its name, as in `Row` or its own, its bytes, and further cells as text: of a tar its `label`.

    Raises:
        DataError: a Parquet file has no column of encoded audio.
        One of `UNREADABLE`: the shard is damaged or not reached.
    """
    with _open(shard) as file:
        if not _is_parquet(shard):
            with tarfile.open(fileobj=file, mode="r:") as archive:
                for key, members in _examples(archive):
                    found = _sound_of(members)
                    audio = None if found is None else _content(archive, members[found])
                    yield f"{shard}#{key}", audio, {"label": _tar_label(archive, members, Columns()) or ""}
            return
        parquet = pq.ParquetFile(file, pre_buffer=False)
        schema = parquet.schema_arrow
        audio_column = _find_audio(schema, shard, None)
        columns = [audio_column, *_text_columns(schema)]
        number = sum(parquet.metadata.row_group(before).num_rows for before in range(group))
        for batch in parquet.iter_batches(ROWS_READ_TOGETHER, row_groups=[group], columns=columns):
            for row in batch.to_pylist():
                recording, path = row.pop(audio_column), None
                if isinstance(recording, dict):
                    recording, path = recording["bytes"], recording.get("path")
                cells = {name: "" if value is None else str(value) for name, value in row.items()}
                yield path or f"{shard}#{number}", recording, cells
                number += 1


def describe_shard(shard: str) -> tuple[int, list[str]]:
    """How many row groups a shard has, of a tar one, and the names of the further cells of `read_sounds`.

    Raises:
        DataError: a Parquet file has no column of encoded audio.
        One of `UNREADABLE`: the shard is damaged or not reached.
    """
    if not _is_parquet(shard):
        return 1, ["label"]
    with _open(shard) as file:
        parquet = pq.ParquetFile(file, pre_buffer=False)
        _find_audio(parquet.schema_arrow, shard, None)
        return parquet.num_row_groups, _text_columns(parquet.schema_arrow)


def _text_columns(schema: pa.Schema) -> list[str]:
    """Columns of anything but bytes."""
    return [name for name in schema.names if not _holds_bytes(schema.field(name).type)]


def _sound_of(members: Mapping[str, tarfile.TarInfo]) -> str | None:
    """Which of the files of an example is the recording."""
    return next((extension for extension in members if f".{extension.rpartition('.')[2]}" in AUDIO_SUFFIXES), None)


def _open(shard: str) -> IO[bytes]:
    # A local path, or an address, as `datasets` gives one of a file on the Hub.
    return open_remote(shard) if is_remote(shard) else open(shard, "rb")


def _is_parquet(shard: str) -> bool:
    return shard.endswith(".parquet")


def _count_parquet(file: IO[bytes], shard: str, columns: Columns) -> Count:
    parquet = pq.ParquetFile(file, pre_buffer=False)
    _, label = _find_columns(parquet.schema_arrow, shard, columns)
    classes = _declared_classes(parquet.schema_arrow, label)
    groups = [parquet.metadata.row_group(group).num_rows for group in range(parquet.num_row_groups)]
    numbering = [] if classes is not None else _numbering_columns(parquet.schema_arrow, label)
    counts: Counter[str] = Counter()
    pairs: dict[str, set[tuple[str, str]]] = {name: set() for name in numbering}
    for batch in parquet.iter_batches(columns=[label, *numbering]):
        for value in batch[label].value_counts().to_pylist():
            text = _label_text(value["values"], classes)
            if text is not None:
                counts[text] += value["counts"]
        for name, distinct in pairs.items():
            cells = zip(batch[name].to_pylist(), batch[label].to_pylist(), strict=True)
            distinct |= {
                (str(number), text) for number, value in cells if (text := _label_text(value, None)) is not None
            }
    return Count(
        groups, counts, classes, None, {name: sorted(map(list, distinct)) for name, distinct in pairs.items()}
    )


def _numbering_columns(schema: pa.Schema, label: str) -> list[str]:
    """Columns of whole numbers or texts that are called as such which number the labels."""
    named = [name for name in schema.names if name != label and is_numbering(name)]
    kinds = (pa.types.is_integer, pa.types.is_string, pa.types.is_large_string)
    return [name for name in named if any(is_kind(schema.field(name).type) for is_kind in kinds)]


def _find_columns(schema: pa.Schema, shard: str, columns: Columns) -> tuple[str, str]:
    """Names of the column of audio and of that of labels."""
    there = ", ".join(schema.names)
    for wanted in (columns.path, *columns.labels):
        if wanted is not None and wanted not in schema.names:
            raise DataError(f"{shard} has no column {wanted!r}: its columns are {there}.")
    audio = _find_audio(schema, shard, columns.path)
    label = columns.labels[0] if columns.labels else _guess_label(schema, audio)
    if label is None:
        raise DataError(f"{shard} has no column that is called {' or '.join(LABEL_NAMES)}: name one of {there}.")
    kind = schema.field(label).type
    if not (pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise DataError(f"{shard} has {kind} values in the column {label!r}: labels are texts or whole numbers.")
    return audio, label


def _find_audio(schema: pa.Schema, shard: str, wanted: str | None) -> str:
    """Name of the column of encoded audio, which may be named."""
    if wanted is None:
        there = ", ".join(schema.names)
        holding = [name for name in schema.names if _holds_bytes(schema.field(name).type)]
        if AUDIO_COLUMN not in holding and len(holding) != 1:
            name = public_name(shard)
            raise DataError(f"{name} has {len(holding)} columns of bytes among {there}: name the audio's one.")
        return AUDIO_COLUMN if AUDIO_COLUMN in holding else holding[0]
    if not _holds_bytes(schema.field(wanted).type):
        raise DataError(f"{shard} holds no encoded audio in the column {wanted!r}: give one of bytes.")
    return wanted


def _guess_label(schema: pa.Schema, audio: str) -> str | None:
    """The column with the likeliest name, or else the only one whose classes are declared."""
    others = [name for name in schema.names if name != audio]
    classed = [name for name in others if _declared_classes(schema, name) is not None]
    return guess_label(others) or (classed[0] if len(classed) == 1 else None)


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        place = kind.get_field_index("bytes")
        return place >= 0 and _holds_bytes(kind.field(place).type)
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _declared_classes(schema: pa.Schema, label: str) -> list[str] | None:
    # As text: `datasets` would build the audio's feature too, and that wants torchcodec.
    with suppress(KeyError, TypeError, ValueError):
        declared = json.loads(schema.metadata[b"huggingface"])["info"]["features"][label]
        if declared["_type"] == ClassLabel.__name__:
            return [str(name) for name in declared["names"]]
    return None


def _label_text(value: Any, classes: Sequence[str] | None) -> str | None:
    if classes is not None and isinstance(value, int):
        return classes[value] if 0 <= value < len(classes) else None  # -1: unlabelled
    return str(value).strip() or None if isinstance(value, str | int) else None


def _parquet_rows(file: IO[bytes], block: Block, first: int, stop: int, columns: Columns) -> Iterator[Row]:
    parquet = pq.ParquetFile(file, pre_buffer=False)
    audio, label = _find_columns(parquet.schema_arrow, block.shard, columns)
    classes = _declared_classes(parquet.schema_arrow, label)
    number = 0
    for batch in parquet.iter_batches(ROWS_READ_TOGETHER, row_groups=[block.group], columns=[audio, label]):
        begin, end = (min(max(place - number, 0), len(batch)) for place in (first, stop))
        wanted = batch.slice(begin, end - begin)
        values = zip(wanted[audio].to_pylist(), wanted[label].to_pylist(), strict=True)
        for place, (recording, value) in enumerate(values, start=block.first + number + begin):
            path = None
            if isinstance(recording, dict):
                recording, path = recording["bytes"], recording.get("path")
            name = PurePosixPath(path or "").name
            yield Row(f"{block.shard}#{place}", 0, recording, _label_text(value, classes), name)
        number += len(batch)
        if number >= stop:
            return


def _count_tar(file: IO[bytes], shard: str, columns: Columns) -> Count:
    counts: Counter[str] = Counter()
    rows, problem = 0, None
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            for _, members in _examples(archive):
                text = _tar_label(archive, members, columns)
                rows += 1
                if text is not None:
                    counts[text] += 1
            file.seek(archive.offset)
            if not file.read(tarfile.BLOCKSIZE).startswith(tarfile.NUL):  # cut off between two files, it just stops
                raise tarfile.ReadError("unexpected end of data")
    except tarfile.TarError as error:
        if rows == 0:
            raise
        name = public_name(shard)
        problem = f"{name} is damaged ({error}), and only its first {rows} rows are read: copy it again."
    if rows and not counts:
        raise DataError(f"{shard} has no labels: beside 000.wav, put 000.cls, 000.txt or, with a field, 000.json.")
    return Count([rows] if rows else [], counts, None, problem)


def _examples(archive: tarfile.TarFile) -> Iterator[tuple[str, dict[str, tarfile.TarInfo]]]:
    """Files that share a name up to its first dot, with what comes behind the dot: WebDataset's examples."""
    key = ""
    members: dict[str, tarfile.TarInfo] = {}
    while (member := archive.next()) is not None:
        archive.members.clear()  # type: ignore[attr-defined]  # it would keep every header
        if member.issparse():  # it may claim terabytes of zeros
            raise tarfile.ReadError(f"{member.name} is a sparse file")
        folder, name = os.path.split(member.name)
        stem, _, extension = name.partition(".")
        if not member.isfile() or not stem:
            continue
        if members and f"{folder}/{stem}" != key:
            yield key.removeprefix("/"), members
            members = {}
        key = f"{folder}/{stem}"
        members[extension.lower()] = member
    if members:
        yield key.removeprefix("/"), members


def _tar_label(archive: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo], columns: Columns) -> str | None:
    if not columns.labels:
        for extension in LABEL_MEMBERS:
            if extension in members:
                return _content(archive, members[extension]).decode("utf-8", "replace").strip() or None
    if "json" not in members:
        return None
    with suppress(ValueError, UnicodeDecodeError):
        fields = json.loads(_content(archive, members["json"]))
        if isinstance(fields, dict):
            name = columns.labels[0] if columns.labels else guess_label(list(fields))
            return _label_text(fields.get(name), None)
    return None


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    content = archive.extractfile(member)
    assert content is not None, "it is a file"
    return content.read()


def _tar_rows(file: IO[bytes], block: Block, first: int, stop: int, columns: Columns) -> Iterator[Row]:
    with tarfile.open(fileobj=file, mode="r:") as archive:
        for number, (key, members) in enumerate(_examples(archive)):
            if number >= stop:
                return
            if number >= first:
                found = _sound_of(members)
                audio = None if found is None else _content(archive, members[found])
                label = _tar_label(archive, members, columns)
                yield Row(f"{block.shard}#{key}", 0, audio, label, f"{key}.{found or ''}")
