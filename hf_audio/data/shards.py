"""Sharded collections, Parquet files or tars in WebDataset's layout: found, counted, and read row after row."""

import hashlib
import json
import logging
import os
import re
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

import datasets
import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from datasets import ClassLabel, Dataset, Features, Value, concatenate_datasets

from ..errors import DataError
from ..files import AUDIO_SUFFIXES, write_text
from .collection import Collection
from .columns import LABEL_NAMES, TEST, TRAIN, VALIDATION, Columns
from .rows import ENCODED_COLUMN, from_rows

logger = logging.getLogger(__name__)

# Raised whenever the same shards would be counted otherwise.
INDEX_VERSION = 1
SUFFIXES = (".parquet", ".tar")
# Files beside a recording in a tar that hold its label; a .json has it among its fields.
LABEL_MEMBERS = ("cls", "txt")
AUDIO_COLUMN = "audio"
# A few rows at a time, so that memory does not grow with the size of a row group.
ROWS_READ_TOGETHER = 16
INDEXED_TOGETHER = 8
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


@dataclass
class Split:
    """The shards of a split, counted."""

    columns: Columns
    blocks: list[Block] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    """Rows of each label."""
    classes: list[str] | None = None
    """That the shards declare (`ClassLabel`), in their order."""
    unreadable: list[dict[str, str]] = field(default_factory=list)
    """Shards that cannot be used, as `{"path", "reason"}`."""

    @cached_property
    def rows(self) -> int:
        """How many there are, labelled or not."""
        return sum(block.rows for block in self.blocks)

    @cached_property
    def names(self) -> list[str]:
        """The classes: those that are declared, or else the labels that occur, sorted, whole numbers by their size."""
        if self.classes is not None:
            return self.classes
        by_size = all(re.fullmatch(r"-?\d+", label) for label in self.counts)
        return sorted(self.counts, key=int if by_size else None)

    @property
    def shards(self) -> list[str]:
        """Each once, in their order."""
        return list(dict.fromkeys(block.shard for block in self.blocks))


def find_shards(source: str | os.PathLike, config: str | None = None) -> dict[str, list[str]]:
    """Paths or addresses of the shards of each split, as `datasets` tells the splits apart by the files' names.

    Args:
        source: a folder, with `train-00000.parquet` or `train/00000.tar`, say, or the name of a data set on the Hub.
        config: which of a data set's configurations.

    Returns:
        The shards under `train`, `test` and `validation`; a set with no test split is tested by its validation split.

    Raises:
        DataError: there is no such folder or data set, it is not reached, its files are no shards, or it has nothing
            to train on or to test by.
    """
    try:
        builder = datasets.load_dataset_builder(os.fspath(source), config)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise DataError(f"{source} cannot be read as shards ({reason}): check the name.") from error
    found: dict[str, list[str]] = {}
    for name, files in dict(builder.config.data_files or {}).items():
        split = str(name)
        split = next((part for part in (TRAIN, TEST, VALIDATION) if split.startswith(part)), split)
        found.setdefault(split, []).extend(map(str, files))
    strange = next((file for files in found.values() for file in files if not file.endswith(SUFFIXES)), None)
    if strange is not None or not found:
        raise DataError(
            f"{source} holds {strange or 'no files'} and not shards: a stream is read from Parquet files or from tars."
        )
    if TEST not in found and VALIDATION in found:
        found[TEST] = found.pop(VALIDATION)
    for needed in (TRAIN, TEST):
        if needed not in found:
            raise DataError(
                f"{source} has no {needed} split among its shards: name some of them {needed}-00000.parquet, say."
            )
    return {part: found[part] for part in (TRAIN, TEST, VALIDATION) if part in found}


def index_shards(shards: Sequence[str], columns: Columns) -> Split:
    """Count the rows of each shard and of each label, without reading any audio.

    Of Parquet files the metadata and the label column are read, of tars the names of the files in them and the labels.
    Kept in the `datasets` cache, by the shards' names, sizes and times. A shard that cannot be read is told of, and
    left out.

    Raises:
        DataError: a column is not there or cannot be guessed, no shard can be read, or two of them declare different
            classes.
    """
    split = Split(columns)
    with ThreadPoolExecutor(INDEXED_TOGETHER) as pool:
        counted = list(pool.map(partial(_count, columns=columns), shards))
    declared = set()
    for shard, (groups, counts, classes, problem) in zip(shards, counted, strict=True):
        if problem is not None:
            logger.warning("%s", problem)
            split.unreadable.append({"path": shard, "reason": problem})
        first = 0
        for group, rows in enumerate(groups):
            start = split.blocks[-1].start + split.blocks[-1].rows if split.blocks else 0
            split.blocks.append(Block(shard, group, first, start, rows))
            first += rows
        split.counts.update(counts)
        if groups:
            declared.add(None if classes is None else tuple(classes))
    if split.rows == 0:
        reason = split.unreadable[0]["reason"] if split.unreadable else "they are empty"
        raise DataError(f"None of the {len(shards)} shards holds a row that can be read; the first: {reason}")
    if len(declared) > 1:
        raise DataError(f"{shards[0]} and the shards beside it declare different classes: write them again alike.")
    names = declared.pop()
    split.classes = None if names is None else list(names)
    return split


def read_block(block: Block, first: int, stop: int, columns: Columns) -> Iterator[Row]:
    """The rows from number `first` of a block on, up to and without number `stop`.

    Raises:
        One of `UNREADABLE`: the shard is damaged or not reached.
    """
    read = _parquet_rows if _is_parquet(block.shard) else _tar_rows
    with _open(block.shard) as file:
        for number, row in enumerate(read(file, block, first, stop, columns), start=first):
            yield row._replace(number=block.start + number)


def load_shards(
    source: str | os.PathLike, config: str | None = None, columns: Columns | None = None
) -> tuple[Split, Collection]:
    """Find and count the shards of a folder or of a data set on the Hub: what is trained on, and what is held out.

    What is trained on stays where it is. Test and validation splits are small, and are kept as any data set is.

    Args:
        source: as `find_shards` takes it, and `config` too.
        config: see there.
        columns: of the recordings (`path`) and of the labels.

    Raises:
        DataError: there are fewer than two classes, a held-out clip has a label that no training clip has, a shard of
            those breaks off, or there is no room for them; and as `find_shards` and `index_shards`.
    """
    columns = columns or Columns()
    if len(columns.labels) > 1 or columns.group is not None or columns.split is not None:
        raise DataError(f"{source} is read as a stream, and that is divided by its shards: name one column of labels.")
    found = find_shards(source, config)
    stream = index_shards(found[TRAIN], columns)
    if len(stream.names) < 2:
        raise DataError(f"The training shards of {source} have the labels {stream.names}: a classifier needs two.")
    held_out = {}
    for part in [part for part in found if part != TRAIN]:
        split = index_shards(found[part], columns)
        stream.unreadable += split.unreadable
        held_out[part] = _load_split(split, stream)
    return stream, Collection(
        Path(source).resolve().name,
        concatenate_datasets(list(held_out.values())),
        np.repeat(np.array(list(held_out), dtype=object), [len(rows) for rows in held_out.values()]),
        "The test clips are those of the shards that are named so.",
        columns,
    )


def _load_split(split: Split, stream: Split) -> Dataset:
    """Rows of `path`, `label` and `ENCODED_COLUMN`."""
    stamps = tuple(tuple(_stamp(shard)) for shard in split.shards)  # of a list, `datasets` would make parts
    features = Features({"path": Value("string"), "label": Value("string"), ENCODED_COLUMN: Value("large_binary")})
    try:
        rows = Dataset.from_generator(
            _labelled_rows, features=features, gen_kwargs={"split": split, "stamps": stamps}, writer_batch_size=100
        )
    except (*UNREADABLE, datasets.exceptions.DatasetGenerationError) as error:
        reason = " ".join(str(error.__cause__ or error).split()).rstrip(".")
        raise DataError(f"{split.shards[0]} and the shards beside it cannot be read as a whole: {reason}.") from error
    named = from_rows(rows["path"][:], rows["label"][:], classes=stream.names)
    return concatenate_datasets([named, rows.select_columns(ENCODED_COLUMN)], axis=1)


def _labelled_rows(split: Split, stamps: tuple[tuple[int, ...], ...]) -> Iterator[dict[str, Any]]:
    # The stamps are there for the cache: it knows the rows by what they are made from.
    for block in split.blocks:
        for row in read_block(block, 0, block.rows, split.columns):
            if not row.audio or row.label is None:
                logger.warning("Left out: %s has no %s.", row.name, "label" if row.audio else "audio")
                continue
            path = f"{PurePosixPath(block.shard).stem}#{row.number}-{row.file}".removesuffix("-")
            yield {"path": path, "label": row.label, ENCODED_COLUMN: row.audio}


def _open(shard: str) -> IO[bytes]:
    # A local path, or the address that `datasets` gives of a file on the Hub.
    return fsspec.open(shard, "rb").open()


def _is_parquet(shard: str) -> bool:
    return shard.endswith(".parquet")


def _cache_folder() -> Path:
    return Path(datasets.config.HF_DATASETS_CACHE) / "hf_audio" / "shards"


def _stamp(shard: str) -> list[int]:
    with suppress(OSError):  # an address on the Hub has its revision in it
        status = os.stat(shard)
        return [status.st_size, status.st_mtime_ns]
    return []


class _Count(NamedTuple):
    groups: list[int]
    """Rows of each block."""
    counts: Mapping[str, int]
    classes: list[str] | None
    problem: str | None


def _count(shard: str, columns: Columns) -> _Count:
    key = repr((INDEX_VERSION, shard, _stamp(shard), columns))
    cached = _cache_folder() / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
    with suppress(OSError, ValueError, TypeError):
        return _Count(*json.loads(cached.read_text(encoding="utf-8")))
    try:
        with _open(shard) as file:
            counted = _count_parquet(file, shard, columns) if _is_parquet(shard) else _count_tar(file, shard, columns)
    except DataError:
        raise
    except UNREADABLE as error:
        reason = " ".join(str(error).split()).rstrip(".")
        return _Count(
            [], {}, None, f"{shard} cannot be read ({reason}), and all its rows are left out: copy it again."
        )
    if counted.problem is None:
        cached.parent.mkdir(parents=True, exist_ok=True)
        write_text(cached, json.dumps(counted))
    return counted


def _count_parquet(file: IO[bytes], shard: str, columns: Columns) -> _Count:
    parquet = pq.ParquetFile(file, pre_buffer=False)
    _, label = _find_columns(parquet.schema_arrow, shard, columns)
    classes = _declared_classes(parquet.schema_arrow, label)
    groups = [parquet.metadata.row_group(group).num_rows for group in range(parquet.num_row_groups)]
    counts: Counter[str] = Counter()
    for batch in parquet.iter_batches(columns=[label]):
        values = batch.column(0).value_counts().to_pylist()
        for value in values:
            text = _label_text(value["values"], classes)
            if text is not None:
                counts[text] += value["counts"]
    return _Count(groups, counts, classes, None)


def _find_columns(schema: pa.Schema, shard: str, columns: Columns) -> tuple[str, str]:
    """Names of the column of audio and of that of labels."""
    there = ", ".join(schema.names)
    for wanted in (columns.path, *columns.labels):
        if wanted is not None and wanted not in schema.names:
            raise DataError(f"{shard} has no column {wanted!r}: its columns are {there}.")
    audio = columns.path
    if audio is None:
        holding = [name for name in schema.names if _holds_bytes(schema.field(name).type)]
        if AUDIO_COLUMN not in holding and len(holding) != 1:
            raise DataError(f"{shard} has {len(holding)} columns of bytes among {there}: name the audio's one.")
        audio = AUDIO_COLUMN if AUDIO_COLUMN in holding else holding[0]
    elif not _holds_bytes(schema.field(audio).type):
        raise DataError(f"{shard} holds no encoded audio in the column {audio!r}: give one of bytes.")
    label = next((name for name in columns.labels or LABEL_NAMES if name in schema.names), None)
    if label is None:
        raise DataError(f"{shard} has no column that is called {' or '.join(LABEL_NAMES)}: name one of {there}.")
    kind = schema.field(label).type
    if not (pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise DataError(f"{shard} has {kind} values in the column {label!r}: labels are texts or whole numbers.")
    return audio, label


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
            own = PurePosixPath(path or "").name
            yield Row(f"{block.shard}#{place}", 0, recording, _label_text(value, classes), own)
        number += len(batch)
        if number >= stop:
            return


def _count_tar(file: IO[bytes], shard: str, columns: Columns) -> _Count:
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
        problem = f"{shard} is damaged ({error}), and only its first {rows} rows are read: copy it again."
    if rows and not counts:
        raise DataError(f"{shard} has no labels: beside 000.wav, put 000.cls, 000.txt or, with a field, 000.json.")
    return _Count([rows] if rows else [], counts, None, problem)


def _examples(archive: tarfile.TarFile) -> Iterator[tuple[str, dict[str, tarfile.TarInfo]]]:
    """Files that share a name up to its first dot, with what comes behind the dot: WebDataset's examples."""
    key = ""
    members: dict[str, tarfile.TarInfo] = {}
    while (member := archive.next()) is not None:
        archive.members.clear()  # type: ignore[attr-defined]  # it would keep every header
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
            wanted = columns.labels or LABEL_NAMES
            return next((_label_text(fields[name], None) for name in wanted if name in fields), None)
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
                kinds = (extension for extension in members if f".{extension.rpartition('.')[2]}" in AUDIO_SUFFIXES)
                found = next(kinds, None)
                audio = None if found is None else _content(archive, members[found])
                label = _tar_label(archive, members, columns)
                yield Row(f"{block.shard}#{key}", 0, audio, label, f"{key}.{found or ''}")
