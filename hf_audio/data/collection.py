"""A user's own recordings, in folders or named by a table, with what trains, validates and tests."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from datasets import Dataset

from ..errors import DataError
from ..folders import RealPaths
from ..remote.paths import is_file
from .classes import find_alike
from .excerpts import cut_recordings
from .layouts.part_names import read_part_name
from .layouts.reading import read_recordings
from .layouts.recordings import PART_CELLS, Recordings
from .rows import OWN_COLUMNS, class_names, from_rows, from_tagged_rows, report_left_out
from .splits import split_off
from .tables.clip_tables import ClipTable
from .tables.columns import TEST, TRAIN, VALIDATION, Columns, read_class_order, read_labels, read_parts

logger = logging.getLogger(__name__)

TEST_FRACTION = 0.2
PART_COLUMN = "_part"
MOST_KINDS = 20  # of clips, that a column tells apart


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


class _Recording(NamedTuple):
    part: str
    label: str | Sequence[str]
    path: Path
    group: str | None = None
    further: tuple[str, ...] = ()
    """Cells of further columns."""


def load_collection(
    source: str | os.PathLike,
    columns: Columns | None = None,
    *,
    audio_dir: str | os.PathLike | None = None,
    several: bool = False,
    seed: int | None = 0,
) -> Collection:
    """The recordings that a folder or a table holds; of those that are not divided, a fifth is drawn to test on.

    What a folder means is said by `read_recordings`. Files that are there twice, by links, count once.

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
    found = read_recordings(source, columns, audio_dir=audio_dir, several=several)
    if found.problem is not None:
        raise DataError(found.problem)
    _report(found)
    further = name_further(found.table.cells, found.table.columns)
    listed, classes = _list_recordings(found.table, several, further)
    columns, split = found.table.columns, found.split
    if columns.split is None and columns.group is None and not several:
        listed, split = _cut_long_recordings(listed)
        further = further if listed and listed[0].further else []
    rows = _as_rows(listed, columns, several, classes, further)
    for names in find_alike(class_names(rows[0]) or ()):
        logger.warning(
            "The classes %s differ in case, spaces or marks alone, or are one number, and are trained as several: "
            "give one class one name.",
            " and ".join(map(repr, names)),
        )
    collection = hold_out(found.name, *rows, seed, columns)
    return replace(collection, columns=found.columns, split=split or collection.split)


def _cut_long_recordings(listed: list[_Recording]) -> tuple[list[_Recording], str]:
    """Excerpts with their parts, and a sentence on them, where hardly a class has a recording to hold out."""
    excerpts = cut_recordings([(recording.path, str(recording.label)) for recording in listed])
    if excerpts is None:
        return listed, ""
    logger.warning("%s", excerpts.sentence)
    return [_Recording(piece.part, piece.label, piece.path) for piece in excerpts.pieces], excerpts.sentence


def _report(found: Recordings) -> None:
    """Say how the recordings were read, and what of them is left out."""
    for sentence in found.messages:
        logger.info("%s", sentence)
    for sentence in found.warnings:
        logger.warning("%s", sentence)
    if found.searched is not None:
        report_left_out(found.searched)
    if found.outside:
        place = "no class folder" if found.is_sorted else "no row of the table"
        logger.warning(
            "%d recordings are left out, because they are in %s, %s for one.",
            len(found.outside),
            place,
            found.outside[0],
        )


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
        groups = np.asarray(collection.dataset[column][:])
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


def name_further(cells: Mapping[str, Sequence[Any]], columns: Columns) -> list[str]:
    """Columns of a table that tell a few kinds of clips apart (sex, microphone), and are used for nothing else.

    cells: text by column; columns of anything else do not count.
    """
    used = {columns.path, *columns.labels, columns.group, columns.split, PART_CELLS, PART_COLUMN, *OWN_COLUMNS}
    return [
        name
        for name, values in cells.items()
        if name not in used and all(isinstance(cell, str) for cell in values) and 2 <= len(set(values)) <= MOST_KINDS
    ]


def _list_recordings(
    table: ClipTable, several: bool, further: Sequence[str] = ()
) -> tuple[list[_Recording], list[str] | None]:
    """The recordings of a table that have a label, and the order of the classes, where the table tells one."""
    path, cells, columns = table.path, table.cells, table.columns
    n_rows = len(table.files)
    if n_rows and not any(map(is_file, table.files)):
        raise DataError(
            f"None of the {n_rows} files that {path} names is there, {table.files[0]} for one: put the table into "
            "the folder from which its names count."
        )
    labels: Sequence[str | list[str]]
    if path.is_dir():  # names of folders
        labels = table.cells[columns.labels[0]]
    else:
        labels = read_labels(str(path), cells, columns.labels, several=several)
    groups = [None] * n_rows if columns.group is None else name_groups(cells[columns.group])
    others = list(zip(*(table.column(name) for name in further), strict=True)) if further else [()] * n_rows
    rows = [_Recording(*row) for row in zip(read_parts_of(table), labels, table.files, groups, others, strict=True)]
    labelled = [row for row in rows if several or row.label]
    if len(labelled) < n_rows:
        logger.warning("%d rows of %s have no label; they are left out.", n_rows - len(labelled), path)
    return labelled, read_class_order(cells, columns.labels, labels)


def read_parts_of(table: ClipTable) -> list[str]:
    """`TRAIN`, `VALIDATION` or `TEST` of every row.

    Raises:
        DataError: a cell of the user's column says something else.
    """
    column = table.columns.split
    if column is None:
        return [TRAIN] * len(table.files)
    if column != PART_CELLS:
        return read_parts(str(table.path), column, table.cells[column])
    read = [read_part_name(name) for name in table.cells[column]]
    return [TRAIN if found is None else found[0] for found in read]


def name_groups(cells: Sequence[str]) -> list[str]:
    """Every clip's group; one of which none is told is a group of its own."""
    return [cell if cell.strip() else f"(none, row {row})" for row, cell in enumerate(map(str, cells), start=1)]


def _as_rows(
    found: Sequence[_Recording],
    columns: Columns,
    several: bool,
    classes: Sequence[str] | None = None,
    names: Sequence[str] = (),
) -> tuple[Dataset, list[str]]:
    """Each recording once, and its part; names: of its further columns."""
    recordings = _without_repeats(found, several)
    further = {name: [recording.further[place] for recording in recordings] for place, name in enumerate(names)}
    further[PART_COLUMN] = [recording.part for recording in recordings]
    if columns.group is not None:
        further[columns.group] = [str(recording.group) for recording in recordings]
    paths = [recording.path for recording in recordings]
    labels = [recording.label for recording in recordings]
    make = from_tagged_rows if several else from_rows
    dataset = make(paths, labels, further, classes)
    return dataset.remove_columns(PART_COLUMN), dataset[PART_COLUMN][:]


def _without_repeats(found: Sequence[_Recording], several: bool) -> list[_Recording]:
    """Each file once, wherever links let it appear again: as a test clip, or else to validate.

    With `several`, rows of one part that name the same file are a tag or more of it each.
    """
    kept: dict[str, _Recording] = {}
    repeated: list[tuple[_Recording, _Recording]] = []
    n_joined, real_path = 0, RealPaths()
    for recording in sorted(found, key=lambda recording: (TEST, VALIDATION, TRAIN).index(recording.part)):
        key = real_path(recording.path)
        first = kept.setdefault(key, recording)
        if first is recording:
            continue
        labels, other_labels = _as_set(first.label), _as_set(recording.label)
        if several and labels != other_labels and first.part == recording.part:
            n_joined += 1
            kept[key] = first._replace(label=sorted(labels | other_labels))
            continue
        if labels != other_labels:
            raise DataError(_explain_two_labels(found, first, recording, several))
        repeated.append((recording, first))
    if n_joined:
        logger.info("%d rows name a file that is named before: their tags are joined.", n_joined)
    if repeated:
        recording, first = repeated[0]
        logger.warning(
            "%d files are left out, because they are there twice: %s is %s.",
            len(repeated),
            recording.path,
            first.path,
        )
    return sorted(kept.values(), key=lambda recording: str(recording.path))


def _explain_two_labels(found: Sequence[_Recording], first: _Recording, recording: _Recording, several: bool) -> str:
    """Why one file cannot have two labels, or two sets of tags in two parts."""
    labels: dict[Path, set[str]] = {}
    for row in found:
        labels.setdefault(row.path, set()).update(_as_set(row.label))
    n_files = sum(len(distinct) > 1 for distinct in labels.values())
    remedy = "keep one of them"
    if not several and recording.path == first.path:
        remedy = "add --multi_label if a recording may have several labels, or keep one row of each file"
        if n_files > 1:
            remedy += f" ({n_files} files have several)"
    return (
        f"{recording.path} is labelled {_in_words(recording.label)}, and {first.path}, the same file, "
        f"{_in_words(first.label)}: {remedy}."
    )


def _as_set(label: str | Sequence[str]) -> set[str]:
    return {label} if isinstance(label, str) else {tag.strip() for tag in label} - {""}


def _in_words(label: str | Sequence[str]) -> str:
    return repr(label) if isinstance(label, str) else ", ".join(map(repr, label)) or "with nothing"
