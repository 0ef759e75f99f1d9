"""What a folder or a table of recordings means: one reading for training, inspection and whatever else."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ...errors import DataError
from ...folders import FOREIGN_REMEDY, SHARD_SUFFIXES, FolderSearch, find_folders, name_some, search_folder
from ...remote.paths import as_path
from ..tables.clip_tables import ClipTable
from ..tables.columns import TEST, TRAIN, Columns
from ..tables.text_tables import is_table
from .class_folders import ClassFolders, read_class_folders
from .foreign_annotations import explain_foreign
from .known_layouts import NOISE_FOLDER, find_name_layout
from .one_table import FOLD_NAMES, find_usable, read_known_table, read_one_table
from .part_lists import take_lists
from .part_names import name_parts
from .recordings import Asked, Recordings, upper_folders, with_parts, without_unnamed
from .tables_of_parts import read_tables_by_part, read_tables_of_parts


def read_recordings(
    source: str | os.PathLike,
    columns: Columns | None = None,
    *,
    audio_dir: str | os.PathLike | None = None,
    several: bool = False,
    needs_labels: bool = True,
) -> Recordings:
    """Which recordings a folder or a table holds, what they are labelled, and which parts they are of.

    A folder is read, in this order: as a data set that is known (see `layouts`); by `train.csv`, `test.csv` and the
    like; by the Hub's `train/metadata.csv`; by class folders, with parts above or below them, and lists of files such
    as `testing_list.txt`; by the one table that names its recordings. What is read without having been asked for is
    said, and what is not understood is a `problem`.

    Args:
        source: the folder, or the table.
        columns: of the table, those that the user has named; the others go by their names, see `settle_columns`.
        audio_dir: where the table's files are, by default in the folder, or beside the table.
        several: whether a recording may have several tags; only a table tells them.
        needs_labels: whether a table without labels is refused.

    Raises:
        DataError: there is no such folder or table, or a table cannot be read.
    """
    source = as_path(source)
    asked = Asked(columns or Columns(), audio_dir, several, needs_labels)
    if is_table(source) and not source.is_dir():
        return read_one_table(source, asked)
    if not source.is_dir():
        raise DataError(f"{source} is neither a folder nor a CSV or TSV: give what holds or names the recordings.")
    searched = search_folder(source)
    tables = [file for file in searched.others if is_table(file)]
    by_names: Sequence[Callable[[Path, FolderSearch, Sequence[Path], Asked], Recordings | None]] = (
        read_known_table,
        read_tables_by_part,
        _read_known_names,
    )
    for read in by_names:
        found = read(source, searched, tables, asked)
        if found is not None:
            return found
    return _read_by_folders(source, searched, tables, asked)


def _read_known_names(source: Path, searched: FolderSearch, tables: Sequence[Path], asked: Asked) -> Recordings | None:
    """By the names of files, where they are those of a known data set."""
    if asked.names_columns or tables:
        return None
    files = [file for file in searched.audio if NOISE_FOLDER not in file.parts]
    recognized = find_name_layout(source, files)
    if recognized is None:
        return None
    layout, matches = recognized
    labels = [layout.labels.get(match["label"], match["label"]) for match in matches]
    cells = {"label": labels, layout.group: [match["group"] for match in matches]}
    table = ClipTable(source, cells, Columns("path", ("label",), layout.group), files)
    message = (
        f"{source} is read as {layout.name}, by the names of its files; clips of one {layout.group} stay together."
    )
    found = Recordings(source.resolve().name, table, searched, messages=[message])
    if len(files) < len(searched.audio):
        found.messages += read_class_folders(source, searched.audio).messages
    if "fold" in layout.pattern.groupindex:
        folds = [int(match["fold"]) for match in matches]
        table.cells[FOLD_NAMES[0]] = list(map(str, folds))
        sentence = f"Fold {max(folds)}, by the names of the folders, was held out."
        found = with_parts(found, [TEST if fold == max(folds) else TRAIN for fold in folds])
        found.split = sentence
        found.messages.append(sentence)
    return take_lists(found, source)


def _read_by_folders(source: Path, searched: FolderSearch, tables: Sequence[Path], asked: Asked) -> Recordings:
    """By class folders, by the tables of parts, or by the one table of the folder."""
    directory = _find_parts_below(source, searched, tables)
    folders = read_class_folders(directory, searched.audio)
    found = read_tables_of_parts(source, directory, folders, searched, asked)
    if found is not None:
        return found
    is_clear = len(folders.classes) > 1 and folders.problem is None
    if not is_clear or asked.names_columns:
        usable = find_usable(source, tables, asked)
        if len(usable) == 1:
            found = without_unnamed(usable[0], searched)
            return found if len(tables) == 1 else _say_which(found)
        if len(tables) == 1 and len(folders.classes) < 2:
            try:
                found = read_one_table(tables[0], asked if asked.names_columns else asked.strict(), source)
                return without_unnamed(found, searched)
            except DataError as error:
                if asked.names_columns:
                    raise
                folders.problem = explain_foreign(tables[0]) or str(error)
        if len(usable) > 1 and folders.problem is None:
            folders.problem = (
                f"{source} holds {len(usable)} tables that name its recordings, {usable[0].table.path} for one: pass "
                "the one to read as --data_dir."
            )
    return _as_recordings(source, directory, folders, searched, tables, asked)


def _say_which(found: Recordings) -> Recordings:
    return replace(
        found, messages=[*found.messages, f"{found.table.path} names the recordings; other tables are not read."]
    )


def _find_parts_below(source: Path, searched: FolderSearch, tables: Sequence[Path]) -> Path:
    """The folder that holds `train/`, `test/` and so on: this one, or one that is all it holds, such as `data/`."""
    directory = source
    while True:
        tops = upper_folders(directory, searched.audio)
        if len(tops) != 1 or any(file.parent == directory for file in searched.audio):
            return directory if _is_divided(directory, searched) else source
        if any(table.parent == directory for table in tables) or name_parts(tops):
            return directory if name_parts(tops) else source
        directory /= tops[0]


def _is_divided(directory: Path, searched: FolderSearch) -> bool:
    tops = upper_folders(directory, searched.audio)
    return bool(tops) and len(name_parts(tops)) == len(tops)


def _as_recordings(
    source: Path,
    directory: Path,
    folders: ClassFolders,
    searched: FolderSearch,
    tables: Sequence[Path],
    asked: Asked,
) -> Recordings:
    """What class folders hold."""
    problem = folders.problem or _explain(source, folders, searched, tables)
    if asked.names_columns:
        raise DataError(
            problem or f"{source} holds class folders, which have no columns and one label a clip: give a table."
        )
    rows = folders.rows
    cells = {"label": [row.label for row in rows]}
    columns = Columns("path", ("label",) if rows else (), folders.group)
    if folders.group is not None:
        cells[folders.group] = [row.group for row in rows]
    found = Recordings(
        source.resolve().name,
        ClipTable(source, cells, columns, [row.path for row in rows]),
        searched,
        folders.outside,
        list(folders.messages),
        list(folders.warnings),
        problem,
    )
    doubled = [path for path, reason in searched.repeated if path.parent == directory and "another name" in reason]
    found.warnings += [f"{path} is searched by another name: its recordings count once." for path in doubled]
    if not rows:  # all of them are outside, and of no class
        found.table = replace(found.table, cells={}, files=folders.outside)
        found.outside = []
    elif folders.has_parts:
        return with_parts(found, [row.part for row in rows])
    if tables and rows:
        found.messages.append(f"The folders are the classes; to go by {tables[0]} instead, pass it as --data_dir.")
    return take_lists(found, directory)


def _explain(source: Path, folders: ClassFolders, searched: FolderSearch, tables: Sequence[Path]) -> str | None:
    """Why there are no classes in folders, or only one that holds some; `None` where there are."""
    if folders.rows:
        inner = find_folders(source)
        if len(folders.classes) > 1 or len(inner) != 1 or len(below := find_folders(inner[0])) < 2:
            return None
        return (
            f"{source} holds one folder: if the classes are {below[0].name}, {below[1].name} and so on, pass "
            f"{inner[0]} as --data_dir."
        )
    foreign = next(filter(None, map(explain_foreign, searched.others if searched.audio else ())), None)
    if foreign is not None:
        return foreign
    if len(tables) > 1:
        return f"{source} holds {len(tables)} tables, {tables[0]} for one: pass the one to read as --data_dir."
    if searched.audio:
        return (
            f"{source} holds {searched.audio[0].name} and no class folders: put the recordings of each class into "
            f"a folder of its own, such as {source / 'dog' / searched.audio[0].name}."
        )
    if searched.unreadable:
        return (
            f"{source} holds recordings of kinds that are not read, {name_some(searched.unreadable)}: "
            f"{FOREIGN_REMEDY}."
        )
    shards = [file for file in searched.others if file.suffix.lower() in SHARD_SUFFIXES]
    if shards:
        return (
            f"{source} holds shards, {name_some(shards)}, and no files of recordings: train on them with --streaming "
            f"true or, where they are Parquet files, with --dataset_name {source} in the place of --data_dir."
        )
    if searched.others:
        return (
            f"{source} holds nothing that is audio by its name, {searched.others[0]} for one: give a folder with a "
            "folder of recordings a class."
        )
    return f"{source} holds no files: give a folder with a folder of recordings a class."
