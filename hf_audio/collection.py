"""A user's own recordings, in whichever layout, as one data set with its training, validation and test clips."""

import logging
import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from datasets import Dataset

from .audio import EXTENSIONS
from .data import DataError, from_rows
from .folders import find_files, find_folders
from .splits import split_off
from .tables import TABLE_SUFFIXES, read_table

logger = logging.getLogger(__name__)

TRAIN, VALIDATION, TEST = "train", "validation", "test"
# What people call the parts of a data set.
PARTS = {
    **dict.fromkeys(["train", "training"], TRAIN),
    **dict.fromkeys(["validation", "valid", "val", "dev"], VALIDATION),
    **dict.fromkeys(["test", "testing", "eval"], TEST),
}
TEST_FRACTION = 0.2
# What people call a table's columns, the likeliest first.
PATH_COLUMNS = ("path", "file", "filename", "file_name", "fname", "audio")
LABEL_COLUMNS = ("label", "category", "class", "tag", "tags", "labels")


class Columns(NamedTuple):
    """Those of a table, by their names; what is `None` is guessed."""

    path: str | None = None
    label: str | None = None
    group: str | None = None
    """Clips that share its value (recording, speaker) stay on one side of a split."""


@dataclass
class Collection:
    """Recordings, and what they are for."""

    name: str
    """Of the folder, the table or the data set."""
    dataset: Dataset
    """Rows of `path`, `label` and perhaps of what groups clips."""
    parts: np.ndarray
    """`TRAIN`, `VALIDATION` or `TEST`, (rows,)."""
    split: str
    """Where the parts come from, in a sentence."""

    def rows(self, part: str) -> np.ndarray:
        """Which rows are of a part, (rows,) of bool."""
        return self.parts == part


def load_collection(source: str | os.PathLike, columns: Columns | None = None, seed: int = 0) -> Collection:
    """The recordings that a folder or a table holds; of those that are not divided, a fifth is drawn to test on.

    A folder has a folder of recordings a class, or `train/`, `validation/` and `test/` with such folders in them, or
    exactly one table that names them. Files that are there twice, by links, count once.

    Args:
        source: the folder, or the CSV or TSV.
        columns: of the table.
        seed: of the draw.

    Raises:
        DataError: there are no recordings, fewer than two classes or too few clips, a recording is of two classes, or
            a column is not there.
    """
    source, columns = Path(source), columns or Columns()
    if source.suffix.lower() in TABLE_SUFFIXES:
        return _load_listed(source, source.parent, columns, seed)
    if not source.is_dir():
        raise DataError(f"{source} is neither a folder nor a CSV or TSV: give one that holds or names recordings.")
    found = _find_recordings(source)
    if len({label for _, label, _ in found}) < 2:
        tables = [file for file in find_files(source) if file.suffix.lower() in TABLE_SUFFIXES]
        if len(tables) == 1:
            return _load_listed(tables[0], source, columns, seed)
    if not found:
        raise DataError(f"{source} holds no audio files in class folders, such as {source / 'dog' / '1.wav'}.")
    parts, labels, paths = zip(*_without_repeats(found), strict=True)
    dataset = from_rows(paths, [unicodedata.normalize("NFC", label) for label in labels])
    return hold_out(source.resolve().name, dataset, parts, seed, columns.group)


def hold_out(
    name: str, dataset: Dataset, parts: Sequence[str], seed: int, group_column: str | None = None
) -> Collection:
    """The collection; where it has no test clips, a fifth of the training clips are drawn for that, by `seed`.

    Args:
        name: of the collection.
        dataset: its rows.
        parts: of every row.
        seed: of the draw.
        group_column: clips that share its value (recording, speaker) are all drawn, or none of them.

    Raises:
        DataError: there are too few clips or groups.
    """
    divided = np.array(parts, dtype=object)
    if (divided == TEST).any():
        return Collection(name, dataset, divided, "The test clips are those that the data came with.")
    candidates = np.flatnonzero(divided == TRAIN)
    drawn = split_off(dataset.select(candidates), TEST_FRACTION, seed, group_column, TEST)
    divided[candidates[drawn]] = TEST
    whole = "" if group_column is None else f", no `{group_column}` on both sides"
    sentence = (
        f"A fifth of the clips, drawn at random in every class{whole}, was held out; the draw does not depend on "
        "`--seed`."
    )
    return Collection(name, dataset, divided, sentence)


def _load_listed(table: Path, folder: Path, columns: Columns, seed: int) -> Collection:
    rows = read_table(table)
    path_column = columns.path or _guess(table, rows.columns, PATH_COLUMNS, "files", "path_column")
    label_column = columns.label or _guess(table, rows.columns, LABEL_COLUMNS, "labels", "label_column")
    for column in (path_column, label_column, *([columns.group] if columns.group else [])):
        if column not in rows:
            raise DataError(f"{table} has no column {column!r}: its columns are {', '.join(rows.columns)}.")
    paths = _find_named(table, folder, [name.strip() for name in rows[path_column]])
    groups = {} if columns.group is None else {columns.group: rows[columns.group].tolist()}
    dataset = from_rows(paths, rows[label_column].tolist(), groups)
    return hold_out(table.stem, dataset, [TRAIN] * len(dataset), seed, columns.group)


def _guess(table: Path, names: Sequence[str], usual: Sequence[str], what: str, flag: str) -> str:
    by_name = {name.strip().casefold(): name for name in names}
    for name in usual:
        if name in by_name:
            logger.info("%s %s: a usual name for the column of %s.", flag, by_name[name], what)
            return by_name[name]
    raise DataError(
        f"{table} has no column that is called as one of {what} is ({', '.join(usual)}), its columns are "
        f"{', '.join(names)}: add --{flag} NAME."
    )


def _find_named(table: Path, folder: Path, names: Sequence[str]) -> list[Path]:
    """Files by the names that a table has for them: from its own folder on, or anywhere below the folder given."""
    paths = [table.parent / name for name in names]
    if all(path.is_file() for path in paths[:1]):
        return paths
    below: dict[str, Path] = {}
    for file in find_files(folder):
        below.setdefault(file.name, file)
    return [below.get(Path(name).name, path) for name, path in zip(names, paths, strict=True)]


def _find_recordings(directory: Path) -> list[tuple[str, str, Path]]:
    """Part, class and file of every recording in class folders."""
    found = [
        (part, folder.name, file)
        for part, parent in _find_parts(directory)
        for folder in find_folders(parent)
        for file in find_files(folder)
    ]
    recordings = [row for row in found if row[2].suffix.lower() in EXTENSIONS]
    if len(recordings) < len(found):
        other = next(file for _, _, file in found if file.suffix.lower() not in EXTENSIONS)
        logger.warning(
            "%d files are no audio by their names, %s for one; left out.", len(found) - len(recordings), other
        )
    return recordings


def _find_parts(directory: Path) -> list[tuple[str, Path]]:
    """The folders of class folders with the part each is; the folder itself, where it is not divided."""
    folders = find_folders(directory)
    named = [(PARTS.get(folder.name.casefold()), folder) for folder in folders]
    parts = [(part, folder) for part, folder in named if part is not None and find_folders(folder)]
    # A class may be called train, after the vehicle: it then has neighbours, or holds recordings itself.
    if len(parts) == len(folders) and any(part == TRAIN for part, _ in parts):
        return parts
    return [(TRAIN, directory)]


def _without_repeats(files: Sequence[tuple[str, str, Path]]) -> list[tuple[str, str, Path]]:
    """Each recording once, wherever links let it appear again: as a test clip, or else to validate."""
    kept: dict[str, tuple[str, str, Path]] = {}
    repeated = []
    for row in sorted(files, key=lambda row: (TEST, VALIDATION, TRAIN).index(row[0])):
        first = kept.setdefault(os.path.realpath(row[2]), row)
        if first is row:
            continue
        if first[1] != row[1]:
            raise DataError(f"{row[2]} is also {first[2]}, of another class: keep it in one of them.")
        repeated.append((first, row))
    if repeated:
        (_, _, file), (_, _, other) = repeated[0]
        logger.warning("%d files are left out, which are others too: %s is %s.", len(repeated), other, file)
    return sorted(kept.values(), key=lambda row: str(row[2]))
