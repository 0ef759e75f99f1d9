"""A data set of the Hub, or one of its files in a folder, with any columns, as a collection of recordings."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import datasets
import numpy as np
import pyarrow.compute as pc
from datasets import Audio, ClassLabel, Dataset, DatasetDict, Value, concatenate_datasets, load_dataset, load_from_disk
from datasets.exceptions import DatasetNotFoundError

from ..errors import DataError
from .collection import Collection, hold_out, name_further, name_groups
from .rows import ENCODED_COLUMN, from_rows, from_tagged_rows
from .tables.columns import (
    PARTS,
    TEST,
    TRAIN,
    VALIDATION,
    Columns,
    guess_label,
    read_class_order,
    read_labels,
    read_parts,
    settle_columns,
)
from .tables.tags import unquote

logger = logging.getLogger(__name__)

# Written by `save_to_disk`, of one data set and of one with splits.
SAVED_NAMES = ("state.json", "dataset_dict.json")


def load_hub_collection(
    name: str,
    config: str | None = None,
    columns: Columns | None = None,
    *,
    several: bool = False,
    seed: int | None = 0,
) -> Collection:
    """The recordings of a data set, whose contents stay where `datasets` keeps them, in `ENCODED_COLUMN`.

    Its splits called train, validation and test, or the like, are what they say; a data set without such a training
    split is one whole. Without a test split, a fifth of the training clips is drawn to test on.

    Args:
        name: of the data set on the Hub, or a folder of its files (Parquet), or one that `save_to_disk` has left.
        config: of a data set that has several.
        columns: which hold the recordings (`path`) and what is said of them.
        several: whether a recording may have several tags.
        seed: of the draw; `None`: nothing is drawn, which is `draw_test`'s.

    Raises:
        DataError: the data set cannot be had or read, or as `load_collection`.
    """
    found = read_hub_rows(name, config, columns, several=several)
    labels = found.labels
    labelled = np.flatnonzero([several or label != "" for label in labels])
    if len(labelled) == 0:
        raise DataError(
            f"No row of {name} has a label in its column {found.columns.labels[0]!r}: name another column."
        )
    if len(labelled) < len(labels):
        logger.warning("%d rows of %s have no label; they are left out.", len(labels) - len(labelled), name)
        # They get one until they are: to choose rows first would have all recordings copied, when joined to others.
        labels = [label or labels[labelled[0]] for label in labels]
    make = from_tagged_rows if several else from_rows
    rows = make(found.recordings["path"], labels, found.further, found.classes)
    rows = concatenate_datasets([rows, found.recordings.remove_columns("path")], axis=1).select(labelled)
    parts = np.array(found.parts, dtype=object)[labelled]
    return hold_out(Path(name).resolve().name, rows, parts, seed, found.columns)


class HubRows(NamedTuple):
    """The rows of a data set, without those that repeat a file, and what is said of each."""

    recordings: Dataset
    """Rows of `path` and, but for files, of `ENCODED_COLUMN`."""
    labels: list[Any]
    """The label of each, "" where it has none, or a list of tags."""
    parts: list[str]
    further: dict[str, list[str]]
    """Cells of the column of groups, and of others that tell kinds of clips apart."""
    columns: Columns
    classes: list[str] | None
    """In the order that the data set has, where it has one."""


def read_hub_rows(
    name: str, config: str | None = None, columns: Columns | None = None, *, several: bool = False
) -> HubRows:
    """The rows of a data set, see `load_hub_collection`; those without a label are among them.

    Raises:
        DataError: the data set cannot be had or read.
    """
    splits = _load(name, config)
    by_name = {split: PARTS.get(split.casefold()) for split in splits}
    if TRAIN not in by_name.values():
        by_name = dict.fromkeys(splits, TRAIN)
    ignored = [split for split, part in by_name.items() if part is None]
    if ignored:
        logger.warning("Left out, as neither for training nor for validation or test by their names: %s.", ignored)
    used = {split: part for split, part in by_name.items() if part is not None}
    dataset = _join(name, [splits[split] for split in used])
    wanted = _guess_by_features(dataset, columns or Columns(), several)
    cells = {column: _read_cells(dataset, column) for column in dataset.column_names}
    settled = settle_columns(name, cells, wanted, several=several, path_flag="audio_column")
    for column in (*settled.labels, settled.group, settled.split):
        if column is not None and not cells[column]:
            raise DataError(f"{name} holds {dataset.features[column]} in its column {column!r}: name another column.")
    parts_of_rows = [part for split, part in used.items() for _ in range(len(splits[split]))]
    if settled.split is not None and wanted.split is None and len(set(parts_of_rows)) > 1:
        logger.info("Column %s is not gone by: the data set comes in splits.", settled.split)
        settled = settled._replace(split=None)
    if settled.split is not None:
        parts_of_rows = read_parts(name, settled.split, cells[settled.split])
    labels = read_labels(name, cells, settled.labels, several=several)
    classes = _declared_classes(dataset, settled.labels) or read_class_order(cells, settled.labels, labels)
    groups = {} if settled.group is None else {settled.group: name_groups(cells[settled.group])}
    groups |= {column: cells[column] for column in name_further(cells, settled)}
    places = [(split, row) for split in used for row in range(len(splits[split]))]
    recordings = _read_recordings(name, dataset, str(settled.path), places)
    if several:
        labels = _join_tags(recordings["path"][:], labels, parts_of_rows)
    kept = _without_repeats(recordings["path"][:], labels, parts_of_rows)
    if len(kept) < len(parts_of_rows):
        logger.warning("%d rows repeat a file; they are left out.", len(parts_of_rows) - len(kept))
        recordings = recordings.select(kept)
        labels, parts_of_rows = [labels[row] for row in kept], [parts_of_rows[row] for row in kept]
        groups = {column: [values[row] for row in kept] for column, values in groups.items()}
    return HubRows(recordings, list(labels), parts_of_rows, groups, settled, classes)


def _join_tags(paths: Sequence[str], tags: Sequence[Sequence[str]], parts: Sequence[str]) -> list[list[str]]:
    """The tags of every row, with those of other rows that name its file for the same part."""
    joined: dict[tuple[str, str], set[str]] = {}
    for path, clip_tags, part in zip(paths, tags, parts, strict=True):
        joined.setdefault((path, part), set()).update(clip_tags)
    return [sorted(joined[path, part]) for path, part in zip(paths, parts, strict=True)]


def _without_repeats(paths: Sequence[str], labels: Sequence[Any], parts: Sequence[str]) -> list[int]:
    """Rows that tell of each file once: as a test clip, or else to validate."""
    first: dict[tuple[str, str], int] = {}
    for row in sorted(range(len(parts)), key=lambda row: (TEST, VALIDATION, TRAIN).index(parts[row])):
        first.setdefault((paths[row], str(labels[row])), row)
    return sorted(first.values())


def _load(name: str, config: str | None) -> dict[str, Dataset]:
    """The splits by their names."""
    try:
        if any((Path(name) / saved).is_file() for saved in SAVED_NAMES):
            loaded = load_from_disk(name)
        else:
            loaded = load_dataset(name, config)
    except DatasetNotFoundError as error:
        raise DataError(
            f"{name}: {_first_line(error)} Check the name; for a data set that asks for permission, accept "
            "its terms on its page and log in with `hf auth login`."
        ) from error
    except (ConnectionError, TimeoutError) as error:
        raise DataError(
            f"The data set {name} cannot be fetched ({_first_line(error)}): check the network, or give a folder "
            "that holds the data set."
        ) from error
    except Exception as error:  # load_dataset lets those of a dozen libraries through
        if isinstance(error.__cause__ or error, ImportError):
            fetch = f"fetch them with `hf download {name} --repo-type dataset --local-dir DIR` and "
            raise DataError(
                f"{name} is a data set of single audio files: "
                f"{'' if Path(name).is_dir() else fetch}give their folder, to a training as --data_dir."
            ) from error
        raise DataError(
            f"The data set {name} cannot be loaded ({_first_line(error)}): check the name and --dataset_config."
        ) from error
    return dict(loaded) if isinstance(loaded, DatasetDict) else {TRAIN: loaded}


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _join(name: str, parts: Sequence[Dataset]) -> Dataset:
    """One data set of the columns that all parts have; nothing is decoded or copied."""
    shared = [column for column in parts[0].column_names if all(column in part.column_names for part in parts)]
    plain = []
    for part in parts:
        part = part.select_columns(shared)
        for column, feature in part.features.items():
            if isinstance(feature, Audio):
                part = part.cast_column(column, Audio(decode=False))
        plain.append(part)
    try:
        return concatenate_datasets(plain).with_format(None)  # or it would go on to speak of columns by their names
    except ValueError as error:
        raise DataError(f"The splits of {name} have columns of different kinds: {_first_line(error)}") from error


def _guess_by_features(dataset: Dataset, wanted: Columns, several: bool) -> Columns:
    """The columns that are named, and the only one of audio, and of classes where no name tells the labels."""
    if wanted.path is None:
        audio_columns = [column for column, feature in dataset.features.items() if isinstance(feature, Audio)]
        if len(audio_columns) == 1:
            wanted = wanted._replace(path=audio_columns[0])
            logger.info("Column of the recordings: %s, the only one of audio.", audio_columns[0])
    others = [column for column in dataset.column_names if column != wanted.path]
    if not wanted.labels and guess_label(others, several=several) is None:
        classed = [column for column in others if _declared_classes(dataset, (column,)) is not None]
        if len(classed) == 1:
            wanted = wanted._replace(labels=tuple(classed))
            logger.info("Column of the labels: %s, the only one of classes.", classed[0])
    return wanted


def _declared_classes(dataset: Dataset, columns: Sequence[str]) -> list[str] | None:
    """The classes of a column of `ClassLabel`, in its order; of those without a clip, the ids are kept."""
    feature = dataset.features[columns[0]]
    feature = feature.feature if isinstance(feature, datasets.List) else feature
    if len(columns) > 1 or not isinstance(feature, ClassLabel):
        return None
    return [unquote(name) for name in feature.names]


def _read_cells(dataset: Dataset, column: str) -> list[Any]:
    """Text, numbers, names of classes, or lists of these; of columns of anything else, nothing."""
    feature = dataset.features[column]
    listed = isinstance(feature, datasets.List)
    inner = feature.feature if listed else feature
    if isinstance(inner, ClassLabel):
        names = dict(enumerate(inner.names))
        if listed:
            return [[names[number] for number in cell or []] for cell in dataset[column][:]]
        return [names.get(number, "") for number in dataset[column][:]]  # of a test split without labels, -1
    if not isinstance(inner, Value) or "binary" in inner.dtype or (listed and "string" not in inner.dtype):
        return []
    return ["" if cell is None else cell for cell in dataset[column][:]]


def _read_recordings(name: str, dataset: Dataset, column: str, places: Sequence[tuple[str, int]]) -> Dataset:
    """Rows of `path` and, but for files, of `ENCODED_COLUMN`.

    places: the split of each row, and its number there, which tell rows whose file has no name from one another.
    """
    feature = dataset.features[column]
    contents = dataset.select_columns(column)
    if isinstance(feature, Audio) or (isinstance(feature, dict) and set(feature) == {"bytes", "path"}):
        contents = contents.with_format(None).flatten()
        names = contents[f"{column}.path"][:]
        contents = contents.select_columns(f"{column}.bytes").rename_column(f"{column}.bytes", ENCODED_COLUMN)
    elif isinstance(feature, Value) and "binary" in feature.dtype:
        names = [None] * len(dataset)
        contents = contents.rename_column(column, ENCODED_COLUMN)
    elif isinstance(feature, Value) and "string" in feature.dtype:
        return Dataset.from_dict({"path": [os.path.join(name, file) for file in dataset[column][:]]})
    else:
        raise DataError(f"{name} holds no recordings in its column {column!r}: name another one with --audio_column.")
    empty = pc.is_null(contents.data.column(0)).to_numpy()
    files = [
        f"{split}/{row}" if file_name is None else f"{split}/{row}-{Path(file_name).name}"
        for (split, row), file_name in zip(places, names, strict=True)
    ]
    paths = [
        file_name if none and file_name else file for file, file_name, none in zip(files, names, empty, strict=True)
    ]
    return concatenate_datasets([Dataset.from_dict({"path": paths}), contents], axis=1)
