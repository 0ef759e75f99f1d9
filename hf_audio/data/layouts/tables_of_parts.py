"""Tables side by side or folder by folder, one for each part of a data set, as one table."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...errors import DataError
from ...folders import FolderSearch
from ...remote.paths import is_file
from ..tables.clip_tables import ClipTable
from ..tables.columns import TRAIN
from ..tables.text_tables import is_table
from .class_folders import ClassFolders, read_class_folders
from .one_table import METADATA
from .part_names import name_parts
from .recordings import PART_CELLS, Asked, Recordings, upper_folders, without_unnamed


def read_tables_by_part(
    source: Path, searched: FolderSearch, tables: Sequence[Path], asked: Asked
) -> Recordings | None:
    """Read `train.csv`, `val.csv` and `test.csv` side by side."""
    for folder in sorted({table.parent for table in tables}):
        beside = {table.stem: table for table in tables if table.parent == folder}
        parts = name_parts(beside)
        if len(set(parts.values())) < 2:
            continue
        own_folders = name_parts(upper_folders(source, searched.audio))
        places = {part: source / name for name, part in own_folders.items()}
        pairs = [(part, beside[stem], places.get(part, source)) for stem, part in sorted(parts.items())]
        found = _join(source, searched, pairs, asked)
        if found is None:
            continue
        further = sorted(table.name for stem, table in beside.items() if stem not in parts)
        message = f"{', '.join(beside[stem].name for stem in sorted(parts))} of {folder} are its parts"
        found.messages.append(f"{message}; not read: {', '.join(further)}." if further else f"{message}.")
        return found
    return None


def _join(
    source: Path, searched: FolderSearch, pairs: Sequence[tuple[str, Path, Path]], asked: Asked
) -> Recordings | None:
    """Tables as one, with the part of each; `None` where those to train on name no file of the folder, or no label.

    Args:
        source: the folder.
        searched: what lies in it.
        pairs: the part, the table and the folder in which to look for its files.
        asked: how the user wants them read.
    """
    pairs = sorted(pairs, key=lambda pair: pair[0] != TRAIN)
    try:
        first = asked.read(pairs[0][1], pairs[0][2])
    except DataError:
        if len(read_class_folders(source, searched.audio).classes) > 1:
            return None
        raise
    if not any(map(is_file, first.files)):
        return None
    joined, warnings = [(pairs[0][0], first)], []
    for part, path, place in pairs[1:]:
        table = _read_alike(path, place, first, asked)
        if first.columns.labels and not table.columns.labels:
            warnings.append(f"{path} has no column {first.columns.labels[0]!r}: its recordings are left out.")
        else:
            joined.append((part, table))
    columns = first.columns._replace(split=PART_CELLS)
    names = [name for name in first.cells if all(name in table.cells for _, table in joined)]
    cells = {name: [cell for _, table in joined for cell in table.cells[name]] for name in names}
    cells[PART_CELLS] = [cell for part, table in joined for cell in _part_cells(part, table)]
    files = [file for _, table in joined for file in table.files]
    table = ClipTable(pairs[0][1], cells, columns, files)
    found = Recordings(source.resolve().name, table, searched=None, warnings=warnings)
    return without_unnamed(found, searched)


def _part_cells(part: str, table: ClipTable) -> list[str]:
    """The part of every row: that of the table, but one to train on may say itself which rows validate."""
    if part == TRAIN and table.columns.split is not None:
        return table.column(table.columns.split)
    return [part] * len(table.files)


def _read_alike(path: Path, search_in: Path, first: ClipTable, asked: Asked) -> ClipTable:
    """A further table, by the columns of the first one; without labels where it has no such column."""
    relaxed = replace(asked, needs_labels=False)
    columns = first.columns
    try:
        return relaxed.read(path, search_in, path=columns.path, labels=columns.labels, split=None)
    except DataError:
        table = relaxed.read(path, search_in, path=columns.path, labels=(), group=None, split=None)
        return replace(table, columns=table.columns._replace(labels=()))


def read_tables_of_parts(
    source: Path, directory: Path, folders: ClassFolders, searched: FolderSearch, asked: Asked
) -> Recordings | None:
    """Read `train/metadata.csv`, `test/metadata.csv` and the like, beside the recordings."""
    tops = upper_folders(directory, searched.audio)
    parts = name_parts(tops)
    if not parts or len(parts) < len(tops):
        return None
    pairs, bare = [], []
    for top in tops:
        part_tables = [file for file in searched.others if is_table(file) and file.parent == directory / top]
        named = [table for table in part_tables if table.stem.casefold() == METADATA]
        one = named if named or len(folders.classes) > 1 else part_tables
        if len(one) == 1:
            pairs.append((parts[top], one[0], directory / top))
        else:
            bare.append(top)
    if all(part != TRAIN for part, _, _ in pairs) or (bare and len(folders.classes) > 1):
        return None
    found = _join(source, searched, pairs, asked)
    if found is not None:
        found.messages.append(
            f"The tables in {', '.join(sorted(set(tops) - set(bare)))} of {directory} tell the labels."
        )
        found.warnings += [f"{directory / top} holds no table: its recordings are left out." for top in bare]
    return found
