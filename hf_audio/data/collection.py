"""A user's own recordings, in folders or named by a table, with what trains, validates and tests."""

import logging
import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from datasets import Dataset

from ..errors import DataError
from ..files import AUDIO_SUFFIXES, find_files, find_folders
from .columns import PARTS, TEST, TRAIN, VALIDATION, Columns, read_labels, read_parts, settle_columns
from .rows import from_rows, from_tagged_rows
from .splits import split_off
from .tables import TABLE_SUFFIXES, read_table

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

    def rows(self, part: str) -> np.ndarray:
        """Which rows are of a part, (rows,) of bool."""
        return self.parts == part


class _Recording(NamedTuple):
    part: str
    label: str | Sequence[str]
    path: Path
    group: str | None = None


def load_collection(
    source: str | os.PathLike, columns: Columns | None = None, *, several: bool = False, seed: int = 0
) -> Collection:
    """The recordings that a folder or a table holds; of those that are not divided, a fifth is drawn to test on.

    A folder has a folder of recordings a class, or `train/`, `validation/` and `test/` with such folders in them, or
    else one table that names the recordings. Files that are there twice, by links, count once.

    Args:
        source: the folder, or the CSV or TSV.
        columns: of the table.
        several: whether a recording may have several tags; only a table tells them.
        seed: of the draw.

    Raises:
        DataError: there are no recordings, fewer than two classes or too few clips, a recording is of two classes, or
            a column is not there.
    """
    source, columns = Path(source), columns or Columns()
    if source.suffix.lower() in TABLE_SUFFIXES and not source.is_dir():
        return _load_listed(source, source.parent, columns, several, seed)
    if not source.is_dir():
        raise DataError(f"{source} is neither a folder nor a CSV or TSV: give what holds or names the recordings.")
    files = list(find_files(source))
    tables = [file for file in files if file.suffix.lower() in TABLE_SUFFIXES]
    found = _find_recordings(source)
    one_class = len({recording.label for recording in found}) < 2
    if one_class and len(tables) == 1:
        return _load_listed(tables[0], source, columns, several, seed)
    if not found:
        raise DataError(_explain_nothing(source, files, tables))
    folders = find_folders(source)
    if one_class and len(folders) == 1 and len(inner := find_folders(folders[0])) > 1:
        raise DataError(
            f"{source} holds one folder: if the classes are {inner[0].name}, {inner[1].name} and so on, pass "
            f"{folders[0]} as --data_dir."
        )
    if several or columns != Columns():
        raise DataError(f"{source} holds class folders, which have no columns and one label a clip: give a table.")
    _report_other_files(files, tables)
    name = source.resolve().name
    return hold_out(name, *_as_rows(found, columns, several), seed)


def hold_out(
    name: str, dataset: Dataset, parts: Sequence[str] | np.ndarray, seed: int, columns: Columns | None = None
) -> Collection:
    """The collection; where it has no test clips, a fifth of the training clips are drawn for that, by `seed`.

    Args:
        name: of the collection.
        dataset: its rows.
        parts: of every row.
        seed: of the draw.
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
    candidates = np.flatnonzero(divided == TRAIN)
    if columns.group is not None and (divided == VALIDATION).any():
        groups = np.asarray(dataset[columns.group])
        candidates = candidates[~np.isin(groups[candidates], groups[divided == VALIDATION])]
        if len(candidates) == 0:
            raise DataError(f"Every {columns.group} has validation clips, so none is left to test on: say so of some.")
    drawn = split_off(dataset.select(candidates), TEST_FRACTION, seed, columns.group, TEST)
    divided[candidates[drawn]] = TEST
    whole = "" if columns.group is None else f", none that share their `{columns.group}` with training clips"
    sentence = (
        f"A fifth of the clips, drawn at random in every class{whole}, was held out; the draw does not depend on "
        "`--seed`."
    )
    return Collection(name, dataset, divided, sentence, columns)


def _load_listed(table: Path, folder: Path, columns: Columns, several: bool, seed: int) -> Collection:
    """The recordings of a table, which lie somewhere below a folder."""
    cells = {name: column.tolist() for name, column in read_table(table).items()}
    columns = settle_columns(str(table), cells, columns, several=several, path_flag="path_column")
    n_rows = len(cells[columns.path])
    parts = [TRAIN] * n_rows if columns.split is None else read_parts(str(table), columns.split, cells[columns.split])
    labels = read_labels(str(table), cells, columns.labels, several=several)
    groups = [None] * n_rows if columns.group is None else name_groups(cells[columns.group])
    paths = _find_named(table, folder, [name.strip() for name in cells[columns.path]])
    rows = [_Recording(*row) for row in zip(parts, labels, paths, groups, strict=True)]
    labelled = [row for row in rows if several or row.label]
    if len(labelled) < n_rows:
        logger.warning("%d rows of %s have no label; they are left out.", n_rows - len(labelled), table)
    return hold_out(table.stem, *_as_rows(labelled, columns, several), seed, columns)


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


def _find_named(table: Path, folder: Path, names: Sequence[str]) -> list[Path]:
    """Files by the names that a table has for them: from its own folder on, or anywhere below the folder given."""
    paths = [table.parent / name for name in names]
    if any(path.is_file() for path in paths):
        return paths
    below: dict[str, list[Path]] = {}
    for file in find_files(folder):
        below.setdefault(file.name, []).append(file)
    found = [[file for file in below.get(Path(name).name, []) if _ends(file, name)] for name in names]
    if not any(found):
        raise DataError(
            f"None of the {len(names)} files that {table} names is there, {paths[0]} for one: put the table into "
            "the folder from which its names count."
        )
    several = next((files for files in found if len(files) > 1), None)
    if several is not None:
        raise DataError(
            f"{table} names {several[0].name}, which may be {several[0]} or {several[1]}: put the table into the "
            "folder from which its names count, and name the folders below."
        )
    return [files[0] if files else path for files, path in zip(found, paths, strict=True)]


def _ends(file: Path, name: str) -> bool:
    """Whether a file may be meant by a name, `Path("x/audio/1.wav")` by "audio/1.wav"."""
    parts = Path(name).parts
    return file.parts[-len(parts) :] == parts


def _find_recordings(directory: Path) -> list[_Recording]:
    """Whatever lies in class folders and is audio by its name."""
    return [
        _Recording(part, unicodedata.normalize("NFC", folder.name), file)  # of which macOS and Linux write two forms
        for part, parent in _find_parts(directory)
        for folder in find_folders(parent)
        for file in find_files(folder)
        if file.suffix.lower() in AUDIO_SUFFIXES
    ]


def _find_parts(directory: Path) -> list[tuple[str, Path]]:
    """The folders of class folders with the part each is; the folder itself, where it is not divided."""
    folders = [folder for folder in find_folders(directory) if folder.name != "__MACOSX"]  # which zips bring along
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


def _report_other_files(files: Sequence[Path], tables: Sequence[Path]) -> None:
    """Say what of a folder is not read, and how it could be."""
    if tables:
        logger.info("The folders are the classes; to go by %s instead, pass it as --data_dir.", tables[0])
    others = [file for file in files if file.suffix.lower() not in AUDIO_SUFFIXES | set(TABLE_SUFFIXES)]
    if others:
        logger.warning("%d files are no audio by their names, %s for one; left out.", len(others), others[0])


def _explain_nothing(directory: Path, files: Sequence[Path], tables: Sequence[Path]) -> str:
    if len(tables) > 1:
        return f"{directory} holds {len(tables)} tables, {tables[0]} for one: pass the one to read as --data_dir."
    recordings = [file for file in files if file.suffix.lower() in AUDIO_SUFFIXES]
    if recordings:
        return (
            f"{directory} holds {recordings[0].name} and no class folders: put the recordings of each class into a "
            f"folder of its own, such as {directory / 'dog' / recordings[0].name}."
        )
    if files:
        return (
            f"{directory} holds nothing that is audio by its name, {files[0]} for one: convert the recordings to "
            "WAV, FLAC, OGG or MP3."
        )
    return f"{directory} holds no files: give a folder with a folder of recordings a class."
