"""A user's own recordings, in folders or named by a table, with what trains, validates and tests."""

import logging
import os
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from datasets import Dataset

from ..errors import DataError
from ..files import FOREIGN_REMEDY, FolderSearch, find_folders, name_some, search_folder
from .clip_tables import ClipTable, read_clip_table
from .columns import PARTS, TEST, TRAIN, VALIDATION, Columns, read_labels, read_parts
from .rows import class_names, from_rows, from_tagged_rows, report_left_out
from .splits import split_off
from .tables import is_table

logger = logging.getLogger(__name__)

TEST_FRACTION = 0.2
PART_COLUMN = "_part"


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
    columns: Columns
    """Those of the table."""
    is_drawn: bool = False
    """Whether the test clips were drawn from the training clips, and did not come with the data."""
    group_column: str | None = None
    """Column of the data set whose clips stay on one side of a split; by default that of `columns`."""

    def __post_init__(self) -> None:
        """Group by the table's column, where nothing else groups."""
        self.group_column = self.group_column or self.columns.group

    def rows(self, part: str) -> np.ndarray:
        """Which rows are of a part, (rows,) of bool."""
        return self.parts == part

    @property
    def untested(self) -> list[str]:
        """Classes that are trained on and have no test clip, so that no figure tells of them."""
        found: dict[str, set[int]] = defaultdict(set)
        for part, tags in zip(self.parts, self.dataset["label"], strict=True):
            found[part] |= set(tags) if isinstance(tags, list) else {tags}
        names = class_names(self.dataset) or []
        return [names[number] for number in sorted(found[TRAIN] - found[TEST])]


class _Recording(NamedTuple):
    part: str
    label: str | Sequence[str]
    path: Path
    group: str | None = None


def load_collection(
    source: str | os.PathLike,
    columns: Columns | None = None,
    *,
    audio_dir: str | os.PathLike | None = None,
    several: bool = False,
    seed: int | None = 0,
) -> Collection:
    """The recordings that a folder or a table holds; of those that are not divided, a fifth is drawn to test on.

    A folder has a folder of recordings a class, or `train/`, `validation/` and `test/` with such folders in them, or
    else one table that names the recordings. Files that are there twice, by links, count once.

    Args:
        source: the folder, or the CSV or TSV.
        columns: of the table, those that the user has named; the others go by their names, see `settle_columns`.
        audio_dir: where the table's files are, by default in the folder, or beside the table.
        several: whether a recording may have several tags; only a table tells them.
        seed: of the draw; `None`: nothing is drawn, which is `draw_test`'s.

    Raises:
        DataError: there are no recordings, fewer than two classes or too few clips, a recording is of two classes, or
            a column is not there.
    """
    source, columns = Path(source), columns or Columns()
    if is_table(source) and not source.is_dir():
        table = read_clip_table(source, columns, audio_dir=audio_dir, several=several, needs_labels=True)
        return _load_listed(table, several, seed)
    if not source.is_dir():
        raise DataError(f"{source} is neither a folder nor a CSV or TSV: give what holds or names the recordings.")
    searched = search_folder(source)
    tables = [file for file in searched.others if is_table(file)]
    found = _find_recordings(source)
    one_class = len({recording.label for recording in found}) < 2
    if one_class and len(tables) == 1:
        table = read_clip_table(
            tables[0], columns, audio_dir=audio_dir, search_in=source, several=several, needs_labels=True
        )
        return _load_listed(table, several, seed)
    if not found:
        raise DataError(_explain_nothing(source, searched, tables))
    folders = find_folders(source)
    if one_class and len(folders) == 1 and len(inner := find_folders(folders[0])) > 1:
        raise DataError(
            f"{source} holds one folder: if the classes are {inner[0].name}, {inner[1].name} and so on, pass "
            f"{folders[0]} as --data_dir."
        )
    if several or columns != Columns() or audio_dir is not None:
        raise DataError(f"{source} holds class folders, which have no columns and one label a clip: give a table.")
    if tables:
        logger.info("The folders are the classes; to go by %s instead, pass it as --data_dir.", tables[0])
    report_left_out(searched)
    name = source.resolve().name
    return hold_out(name, *_as_rows(found, columns, several), seed)


def hold_out(
    name: str, dataset: Dataset, parts: Sequence[str] | np.ndarray, seed: int | None, columns: Columns | None = None
) -> Collection:
    """The collection; where it has no test clips, a fifth of the training clips are drawn for that, by `seed`.

    Args:
        name: of the collection.
        dataset: its rows.
        parts: of every row.
        seed: of the draw; `None`: nothing is drawn, which is `draw_test`'s.
        columns: whose `group` keeps its clips together.

    Raises:
        DataError: there are too few clips or groups.
    """
    columns = columns or Columns()
    divided = np.array(parts, dtype=object)
    if not (divided == TRAIN).any():
        raise DataError(f"{name} has no clip to train on, by its split: say `train` of some, or name another column.")
    if (divided == TEST).any():
        sentence = "The test clips are those that the data came with."
        return Collection(name, dataset, divided, sentence, columns)
    collection = Collection(name, dataset, divided, "", columns)
    return collection if seed is None else draw_test(collection, seed)


def draw_test(
    collection: Collection, seed: int, usable: np.ndarray | None = None, kept: np.ndarray | None = None
) -> Collection:
    """The collection with a fifth of its training clips drawn to test on, groups staying whole.

    Args:
        collection: without test clips.
        seed: of the draw.
        usable: which rows can be read and may be drawn, (rows,) of bool; by default all.
        kept: rows that are test clips, instead of any draw, (rows,) of bool.

    Raises:
        DataError: there are too few clips or groups.
    """
    divided, column = collection.parts.copy(), collection.group_column
    if kept is not None:
        divided[kept] = TEST
        return replace(collection, parts=divided, is_drawn=True)
    candidates = np.flatnonzero((divided == TRAIN) & (True if usable is None else usable))
    if len(candidates) == 0:
        raise DataError(f"{collection.name} has no clip that can be read: convert the files to WAV or FLAC.")
    if column is not None and (divided == VALIDATION).any():
        groups = np.asarray(collection.dataset[column])
        candidates = candidates[~np.isin(groups[candidates], groups[divided == VALIDATION])]
        if len(candidates) == 0:
            raise DataError(f"Every {column} has validation clips, so none is left to test on: say so of some.")
    drawn = split_off(collection.dataset.select(candidates), TEST_FRACTION, seed, column, TEST)
    divided[candidates[drawn]] = TEST
    whole = "" if column is None else f", none that share their `{column}` with training clips"
    sentence = (
        f"A fifth of the clips, drawn at random in every class{whole}, was held out; the draw does not depend on "
        "`--seed`."
    )
    return replace(collection, parts=divided, split=sentence, is_drawn=True)


def _load_listed(table: ClipTable, several: bool, seed: int | None) -> Collection:
    """The recordings of a table."""
    path, cells, columns = table.path, table.cells, table.columns
    n_rows = len(table.files)
    if n_rows and not any(map(os.path.isfile, table.files)):
        raise DataError(
            f"None of the {n_rows} files that {path} names is there, {table.files[0]} for one: put the table into "
            "the folder from which its names count."
        )
    parts = [TRAIN] * n_rows if columns.split is None else read_parts(str(path), columns.split, cells[columns.split])
    labels = read_labels(str(path), cells, columns.labels, several=several)
    groups = [None] * n_rows if columns.group is None else name_groups(cells[columns.group])
    rows = [_Recording(*row) for row in zip(parts, labels, table.files, groups, strict=True)]
    labelled = [row for row in rows if several or row.label]
    if len(labelled) < n_rows:
        logger.warning("%d rows of %s have no label; they are left out.", n_rows - len(labelled), path)
    return hold_out(path.stem, *_as_rows(labelled, columns, several), seed, columns)


def name_groups(cells: Sequence[str]) -> list[str]:
    """Every clip's group; one of which none is told is a group of its own."""
    return [cell if cell.strip() else f"(none, row {row})" for row, cell in enumerate(map(str, cells), start=1)]


def _as_rows(found: Sequence[_Recording], columns: Columns, several: bool) -> tuple[Dataset, list[str]]:
    """Each recording once, and its part."""
    recordings = _without_repeats(found)
    further = {PART_COLUMN: [recording.part for recording in recordings]}
    if columns.group is not None:
        further[columns.group] = [str(recording.group) for recording in recordings]
    paths = [recording.path for recording in recordings]
    labels = [recording.label for recording in recordings]
    dataset = from_tagged_rows(paths, labels, further) if several else from_rows(paths, labels, further)
    return dataset.remove_columns(PART_COLUMN), dataset[PART_COLUMN][:]


def _without_repeats(found: Sequence[_Recording]) -> list[_Recording]:
    """Each file once, wherever links let it appear again: as a test clip, or else to validate."""
    kept: dict[str, _Recording] = {}
    repeated = []
    for recording in sorted(found, key=lambda recording: (TEST, VALIDATION, TRAIN).index(recording.part)):
        first = kept.setdefault(os.path.realpath(recording.path), recording)
        if first is recording:
            continue
        if _as_set(first.label) != _as_set(recording.label):
            raise DataError(
                f"{recording.path} is labelled {_in_words(recording.label)}, and {first.path}, the same file, "
                f"{_in_words(first.label)}: keep one of them."
            )
        repeated.append((recording, first))
    if repeated:
        recording, first = repeated[0]
        logger.warning(
            "%d files are left out, because they are there twice: %s is %s.",
            len(repeated),
            recording.path,
            first.path,
        )
    return sorted(kept.values(), key=lambda recording: str(recording.path))


def _as_set(label: str | Sequence[str]) -> set[str]:
    return {label} if isinstance(label, str) else {tag.strip() for tag in label} - {""}


def _in_words(label: str | Sequence[str]) -> str:
    return repr(label) if isinstance(label, str) else ", ".join(map(repr, label)) or "with nothing"


def _find_recordings(directory: Path) -> list[_Recording]:
    """Whatever lies in class folders and is audio by its name."""
    return [
        _Recording(part, unicodedata.normalize("NFC", folder.name), file)  # of which macOS and Linux write two forms
        for part, parent in _find_parts(directory)
        for folder in find_folders(parent)
        for file in search_folder(folder).audio
    ]


def _find_parts(directory: Path) -> list[tuple[str, Path]]:
    """The folders of class folders with the part each is; the folder itself, where it is not divided."""
    folders = find_folders(directory)
    named = [(PARTS.get(folder.name.casefold()), folder) for folder in folders]
    parts = [(part, folder) for part, folder in named if part is not None and find_folders(folder)]
    # A class may be called train, after the vehicle: it then has neighbours, or holds recordings itself.
    if len(parts) == len(folders) and any(part == TRAIN for part, _ in parts):
        return parts
    divided = [folder for part, folder in parts if part == TRAIN and len(find_folders(folder)) > 1]
    if divided and sum(part is not None for part, _ in named) > 1:
        other = next(folder for folder in folders if folder not in [own for _, own in parts])
        raise DataError(
            f"{directory} holds {divided[0].name}/ with class folders, and {other.name}, which is no such part: move "
            f"{other.name} elsewhere, or sort its recordings into class folders."
        )
    return [(TRAIN, directory)]


def _explain_nothing(directory: Path, searched: FolderSearch, tables: Sequence[Path]) -> str:
    if len(tables) > 1:
        return f"{directory} holds {len(tables)} tables, {tables[0]} for one: pass the one to read as --data_dir."
    if searched.audio:
        return (
            f"{directory} holds {searched.audio[0].name} and no class folders: put the recordings of each class into "
            f"a folder of its own, such as {directory / 'dog' / searched.audio[0].name}."
        )
    if searched.unreadable:
        return (
            f"{directory} holds recordings of kinds that are not read, {name_some(searched.unreadable)}: "
            f"{FOREIGN_REMEDY}."
        )
    if searched.others:
        return (
            f"{directory} holds nothing that is audio by its name, {searched.others[0]} for one: give a folder with a "
            "folder of recordings a class."
        )
    return f"{directory} holds no files: give a folder with a folder of recordings a class."
