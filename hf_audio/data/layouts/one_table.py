"""One table of recordings, given by itself or as the one of a folder: known or not, with parts by folds or folders."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...errors import DataError
from ...folders import FolderSearch
from ...remote.addresses import is_remote
from ...remote.paths import is_file
from ..tables.clip_tables import ClipTable
from ..tables.columns import TEST, TRAIN, find_confidences
from ..tables.text_tables import is_table
from .known_layouts import TABLE_LAYOUTS, TableLayout
from .part_names import name_parts
from .recordings import Asked, Recordings, with_parts, without_unnamed

# The Hub's name of the table beside files, see https://huggingface.co/docs/datasets/audio_dataset.
METADATA = "metadata"
FOLD_NAMES = ("fold", "folds", "cv_fold")
MOST_FOLDS = 20


def read_one_table(path: Path, asked: Asked, source: Path | None = None) -> Recordings:
    """A table, given by itself or as the one of a folder."""
    layout = next((layout for layout in TABLE_LAYOUTS if layout.table == path.name.casefold()), None)
    table = None if layout is None else _read_as_known(path, layout, source or path.parent.parent, asked)
    messages = []
    if table is None:
        table = asked.read(path, source)
    elif layout is not None:
        messages = [f"{path} is read as {layout.name}'s{layout.note and ': ' + layout.note}."]
    if source is None and len(beside := _tables_of_parts_beside(path)) > 1:
        messages.append(
            f"{', '.join(beside)} lie side by side and {path.name} alone is read: give the folder for all parts."
        )
    found = Recordings(path.stem, table, messages=messages, warnings=_doubt_labels(table, asked))
    return _take_parts(found, source or path.parent, asked)


def _doubt_labels(table: ClipTable, asked: Asked) -> list[str]:
    """What is said of a table that a network may have written, where the user has named no labels."""
    column = find_confidences(table.cells)
    if column is None or not table.columns.labels or asked.wanted.labels:
        return []
    label = table.columns.labels[0]
    remedy = f"name what somebody has heard, {f'true_{label}'!r}," if f"true_{label}" in table.cells else "name others"
    return [
        f"{table.path} tells a confidence in {column!r}, as networks do, so {label!r} may be a network's answers: if "
        f"so, {remedy} with --label_column."
    ]


def _tables_of_parts_beside(path: Path) -> list[str]:
    """The names of a table and of those beside it, if their names are those of parts."""
    if is_remote(path):  # whose folder a server may not tell
        return []
    beside = {file.stem: file.name for file in sorted(path.parent.iterdir()) if is_table(file)}
    parts = name_parts(beside)
    return [beside[stem] for stem in parts] if path.stem in parts else []


def _read_as_known(path: Path, layout: TableLayout, search_in: Path, asked: Asked) -> ClipTable | None:
    """A table of a known data set, if it has that one's columns and the user has not named other ones."""
    layout_columns, wanted = layout.columns, asked.wanted
    try:
        return asked.read(
            path,
            search_in,
            path=wanted.path or layout_columns.path,
            labels=wanted.labels or layout_columns.labels,
            group=wanted.group or layout_columns.group,
        )
    except DataError:
        return None


def _take_parts(found: Recordings, root: Path, asked: Asked) -> Recordings:
    """The parts of a table without a column of them: by its folds, or by the folders of its files."""
    table = found.table
    if table.columns.split is not None:
        return found
    by_folder = _parts_by_folder(table, root)
    if by_folder is not None:
        sentence = f"The parts of {table.path} go by the folders of its files."
        return replace(with_parts(found, by_folder), messages=[*found.messages, sentence])
    column = next((name for name in table.cells if name.strip().casefold() in FOLD_NAMES), None)
    folds = {cell.strip() for cell in table.cells[column]} if column is not None else set()
    numbers = sorted({int(fold) for fold in folds if re.fullmatch(r"\d+", fold)})
    if asked.wanted.group is not None or len(numbers) < len(folds) or not 2 <= len(numbers) <= MOST_FOLDS:
        return found
    parts = [TEST if int(cell) == numbers[-1] else TRAIN for cell in table.column(column)]
    sentence = f"Fold {numbers[-1]} of {len(numbers)}, by the column {column} of its table, was held out."
    message = (
        f"{found.name}: {sentence} --folds all holds out each of them once; name another column with --split_column, "
        "or one of groups with --group_column."
    )
    return replace(with_parts(found, parts), split=sentence, messages=[*found.messages, message])


def _parts_by_folder(table: ClipTable, root: Path) -> list[str] | None:
    """The names of the folders `train`, `test` and so on that a table's files lie in, a name a row."""
    places = []
    for file in table.files:
        if not file.is_relative_to(root):
            return None
        places.append(file.relative_to(root).parts[:-1])
    while places and min(map(len, places)) > 1 and len({place[0] for place in places}) == 1:
        places = [place[1:] for place in places]
    if not places or not all(places):
        return None
    names = [place[0] for place in places]
    parts = name_parts(names)
    return names if len(parts) == len(set(names)) > 1 and len(set(parts.values())) > 1 else None


def read_known_table(source: Path, searched: FolderSearch, tables: Sequence[Path], asked: Asked) -> Recordings | None:
    """Read the table of a known data set, in the folder or, of a folder of recordings alone, above it."""
    above = source.resolve().parent
    for layout in TABLE_LAYOUTS:
        candidates = [table for table in tables if table.name.casefold() == layout.table]
        if not candidates and not tables and searched.audio:
            candidates = [file for folder in ("", "meta", "metadata") for file in _named(above / folder, layout.table)]
        if len(candidates) != 1:
            continue
        found = read_one_table(candidates[0], asked, source)
        if found.messages and any(map(is_file, found.table.files)):
            return without_unnamed(found, searched)
    return None


def _named(folder: Path, name: str) -> list[Path]:
    """The files of a folder that have a name, in capitals or not."""
    return [path for path in folder.iterdir() if path.name.casefold() == name] if folder.is_dir() else []


def find_usable(source: Path, tables: Sequence[Path], asked: Asked) -> list[Recordings]:
    """The tables that name recordings of a folder and their labels; of several, the one that the Hub would take."""
    usable = []
    for table in tables:
        try:
            found = read_one_table(table, asked.strict(), source)
        except DataError:
            continue
        if any(map(is_file, found.table.files)):
            usable.append(found)
    named = [found for found in usable if found.table.path.stem.casefold() == METADATA]
    return named if len(named) == 1 else usable
