"""Sharded collections, Parquet files or tars in WebDataset's layout: their splits found, counted and loaded."""

import hashlib
import json
import logging
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from typing import Any

import datasets
import numpy as np
from datasets import Dataset, Features, Value, concatenate_datasets

from ..errors import DataError
from ..files import write_text
from ..folders import SHARD_SUFFIXES
from ..remote.addresses import is_remote, public_name
from ..remote.listing import list_remote, stamp
from ..remote.paths import as_path
from .classes import order_by_numbers, order_classes
from .collection import Collection
from .rows import ENCODED_COLUMN, from_rows
from .shard_rows import UNREADABLE, Block, Count, count_shard, read_block
from .tables.columns import PARTS, TEST, TRAIN, VALIDATION, Columns

logger = logging.getLogger(__name__)

# Raised whenever the same shards would be counted otherwise.
INDEX_VERSION = 3
INDEXED_TOGETHER = 8


@dataclass
class Split:
    """The shards of a split, counted."""

    columns: Columns
    blocks: list[Block] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    """Rows of each label."""
    classes: list[str] | None = None
    """That the shards declare (`ClassLabel`) or number in a further column, in that order."""
    unreadable: list[dict[str, str]] = field(default_factory=list)
    """Shards that cannot be used, as `{"path", "reason"}`."""

    @cached_property
    def rows(self) -> int:
        """How many there are, labelled or not."""
        return sum(block.rows for block in self.blocks)

    @cached_property
    def names(self) -> list[str]:
        """The classes: those that are declared, or else the labels that occur, as `order_classes` has them."""
        if self.classes is not None:
            return self.classes
        return order_classes(self.counts)

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
    found = _find_splits(source, config)
    if TEST not in found and VALIDATION in found:
        found[TEST] = found.pop(VALIDATION)
    for needed in (TRAIN, TEST):
        if needed not in found:
            raise DataError(
                f"{source} has no {needed} split among its shards: name some of them {needed}-00000.parquet, say."
            )
    return {part: found[part] for part in (TRAIN, TEST, VALIDATION) if part in found}


def _find_splits(source: str | os.PathLike, config: str | None) -> dict[str, list[str]]:
    """Paths or addresses of the shards of each split, by `TRAIN`, `TEST` and `VALIDATION` or another name.

    Raises:
        DataError: there is no such folder or data set, it is not reached, or its files are no shards.
    """
    if is_remote(source):
        return _of_shards(source, _find_remote_shards(str(source)))
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
    return _of_shards(source, found)


def _find_remote_shards(folder: str) -> dict[str, list[str]]:
    """The shards of a store by part, named as `datasets` has it: words of a path between signs and digits."""
    found: dict[str, list[str]] = {}
    for shard in list_remote(folder):
        words = re.split(r"[-._ 0-9/]+", shard[len(folder) :].lower())
        part = next((PARTS[word] for word in words if word in PARTS), None)
        if part is not None and shard.endswith(SHARD_SUFFIXES):
            found.setdefault(part, []).append(shard)
    return found


def _of_shards(source: str | os.PathLike, found: dict[str, list[str]]) -> dict[str, list[str]]:
    """What was found, if it is shards.

    Raises:
        DataError: it is not.
    """
    strange = next((file for files in found.values() for file in files if not file.endswith(SHARD_SUFFIXES)), None)
    if strange is not None or not found:
        raise DataError(
            f"{source} holds {strange or 'no files'} and not shards: a stream is read from Parquet files or from tars."
        )
    return found


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
    numberings: dict[str, set[tuple[str, str]]] = {}
    for shard, (groups, counts, classes, problem, numbering) in zip(shards, counted, strict=True):
        if problem is not None:
            logger.warning("%s", problem)
            split.unreadable.append({"path": shard, "reason": problem})
        first = 0
        for group, rows in enumerate(groups):
            start = split.blocks[-1].start + split.blocks[-1].rows if split.blocks else 0
            split.blocks.append(Block(shard, group, first, start, rows))
            first += rows
        split.counts.update(counts)
        for column, pairs in numbering.items():
            numberings.setdefault(column, set()).update((number, label) for number, label in pairs)
        if groups:
            declared.add(None if classes is None else tuple(classes))
    if split.rows == 0:
        reason = split.unreadable[0]["reason"] if split.unreadable else "they are empty"
        raise DataError(f"None of the {len(shards)} shards holds a row that can be read; the first: {reason}")
    if len(declared) > 1:
        raise DataError(f"{shards[0]} and the shards beside it declare different classes: write them again alike.")
    names = declared.pop()
    orders = filter(None, map(order_by_numbers, numberings.values()))
    split.classes = next(orders, None) if names is None else list(names)
    return split


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
        as_path(source).resolve().name,
        concatenate_datasets(list(held_out.values())),
        np.repeat(np.array(list(held_out), dtype=object), [len(rows) for rows in held_out.values()]),
        "The test clips are those of the shards that are named so.",
        columns,
    )


def read_shards(source: str | os.PathLike, config: str | None = None, columns: Columns | None = None) -> Dataset:
    """The rows to judge by of a folder of shards or of a data set on the Hub: `path`, `label` and `ENCODED_COLUMN`.

    They are those to test on, or those to validate by, or else all there are; `label` is a text.

    Raises:
        DataError: as `find_shards` and `index_shards`, or a shard breaks off.
    """
    found = _find_splits(source, config)
    chosen = next((found[part] for part in (TEST, VALIDATION) if part in found), None)
    return _read_split(
        index_shards(chosen or [shard for shards in found.values() for shard in shards], columns or Columns())
    )


def _load_split(split: Split, stream: Split) -> Dataset:
    """Rows of `path`, `label` and `ENCODED_COLUMN`, of the classes of what is trained on."""
    rows = _read_split(split)
    named = from_rows(rows["path"][:], rows["label"][:], classes=stream.names)
    return concatenate_datasets([named, rows.select_columns(ENCODED_COLUMN)], axis=1)


def _read_split(split: Split) -> Dataset:
    """Rows of `path`, `label` and `ENCODED_COLUMN`; those without a label are left out."""
    stamps = tuple(tuple(_stamp(shard)) for shard in split.shards)  # of a list, `datasets` would make parts
    features = Features({"path": Value("string"), "label": Value("string"), ENCODED_COLUMN: Value("large_binary")})
    try:
        return Dataset.from_generator(
            _labelled_rows, features=features, gen_kwargs={"split": split, "stamps": stamps}, writer_batch_size=100
        )
    except (*UNREADABLE, datasets.exceptions.DatasetGenerationError) as error:
        reason = " ".join(str(error.__cause__ or error).split()).rstrip(".")
        raise DataError(f"{split.shards[0]} and the shards beside it cannot be read as a whole: {reason}.") from error


def _labelled_rows(split: Split, stamps: tuple[tuple[int, ...], ...]) -> Iterator[dict[str, Any]]:
    # The stamps are there for the cache: it knows the rows by what they are made from.
    for block in split.blocks:
        for row in read_block(block, 0, block.rows, split.columns):
            if not row.audio or row.label is None:
                logger.warning("Left out: %s has no %s.", public_name(row.name), "label" if row.audio else "audio")
                continue
            path = f"{PurePosixPath(block.shard).stem}#{row.number}-{row.file}".removesuffix("-")
            yield {"path": path, "label": row.label, ENCODED_COLUMN: row.audio}


def _cache_folder() -> Path:
    return Path(datasets.config.HF_DATASETS_CACHE) / "hf_audio" / "shards"


def _stamp(shard: str) -> list[Any]:
    if is_remote(shard):
        return [] if shard.startswith("hf://") else stamp(shard)  # an address on the Hub has its revision in it
    with suppress(OSError):
        status = os.stat(shard)
        return [status.st_size, status.st_mtime_ns]
    return []


def _count(shard: str, columns: Columns) -> Count:
    key = repr((INDEX_VERSION, shard, _stamp(shard), columns))
    cached = _cache_folder() / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
    with suppress(OSError, ValueError, TypeError):
        return Count(*json.loads(cached.read_text(encoding="utf-8")))
    try:
        counted = count_shard(shard, columns)
    except DataError:
        raise
    except UNREADABLE as error:
        reason = " ".join(str(error).split()).rstrip(".")
        return Count(
            [],
            {},
            None,
            f"{public_name(shard)} cannot be read ({reason}), and all its rows are left out: copy it again.",
        )
    if counted.problem is None:
        cached.parent.mkdir(parents=True, exist_ok=True)
        write_text(cached, json.dumps(counted))
    return counted
