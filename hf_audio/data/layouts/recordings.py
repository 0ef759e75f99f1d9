"""What a folder or a table of recordings means: one reading for training, inspection and whatever else."""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...errors import DataError
from ...folders import FOREIGN_REMEDY, FolderSearch, RealPaths, find_folders, name_some, search_folder
from ...remote.addresses import is_remote
from ...remote.paths import as_path, is_file
from ..tables.clip_tables import ClipTable, read_clip_table
from ..tables.columns import TEST, TRAIN, Columns
from ..tables.text_tables import is_table
from .class_folders import ClassFolders, read_class_folders
from .known_layouts import NOISE_FOLDER, TABLE_LAYOUTS, TableLayout, find_name_layout
from .part_names import name_parts, read_part_name

# Cells that no table has: the part of a recording by its folder, its table's name, a list or a fold.
PART_CELLS = "_part"
# The Hub's name of the table beside files, see https://huggingface.co/docs/datasets/audio_dataset.
METADATA = "metadata"
LIST_SUFFIXES = (".txt", ".lst")
FOLD_NAMES = ("fold", "folds", "cv_fold")
MOST_FOLDS = 20


@dataclass
class Recordings:
    """The recordings that a folder or a table holds, and how it was read."""

    name: str
    table: ClipTable
    """A row a recording, without columns of labels where nothing tells them. In the column `PART_CELLS`, names as
    `read_part_name` knows them."""
    searched: FolderSearch | None = None
    """What else lies in the folder."""
    outside: list[Path] = field(default_factory=list)
    """Recordings that are left out, because they are in no class folder, or not in the folder's table."""
    said: list[str] = field(default_factory=list)
    """What was done that nobody asked for, in sentences."""
    warnings: list[str] = field(default_factory=list)
    problem: str | None = None
    """Why nothing can be trained on these, in a sentence."""
    split: str = ""
    """Where the parts come from, in a sentence, where more is to be said than that the data came with them."""

    @property
    def columns(self) -> Columns:
        """The columns of the user's table, as flags could name them, and what groups the recordings."""
        columns = self.table.columns
        if self.is_sorted:
            return Columns(group=columns.group)
        return columns if columns.split != PART_CELLS else columns._replace(split=None)

    @property
    def is_sorted(self) -> bool:
        """Whether folders or names of files tell the labels, and no table."""
        return self.table.path.is_dir()


@dataclass(frozen=True)
class _Asked:
    """How the user wants tables to be read."""

    wanted: Columns
    audio_dir: str | os.PathLike | None
    several: bool
    needs_labels: bool

    @property
    def names_columns(self) -> bool:
        """Whether what was asked for is in tables alone."""
        return self.several or self.wanted != Columns() or self.audio_dir is not None

    def strict(self) -> "_Asked":
        """The same, of tables that have labels."""
        return replace(self, needs_labels=True)

    def read(self, table: Path, search_in: Path | None = None, **columns: Any) -> ClipTable:
        """A table; columns: in the place of those that the user has named."""
        return read_clip_table(
            table,
            self.wanted._replace(**columns),
            audio_dir=self.audio_dir,
            search_in=search_in,
            several=self.several,
            needs_labels=self.needs_labels,
        )


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
    asked = _Asked(columns or Columns(), audio_dir, several, needs_labels)
    if is_table(source) and not source.is_dir():
        return _read_one_table(source, asked)
    if not source.is_dir():
        raise DataError(f"{source} is neither a folder nor a CSV or TSV: give what holds or names the recordings.")
    searched = search_folder(source)
    tables = [file for file in searched.others if is_table(file)]
    by_names: Sequence[Callable[[Path, FolderSearch, Sequence[Path], _Asked], Recordings | None]] = (
        _read_known_table,
        _read_tables_by_part,
        _read_known_names,
    )
    for read in by_names:
        found = read(source, searched, tables, asked)
        if found is not None:
            return found
    return _read_by_folders(source, searched, tables, asked)


def _read_one_table(path: Path, asked: _Asked, source: Path | None = None) -> Recordings:
    """A table, given by itself or as the one of a folder."""
    layout = next((layout for layout in TABLE_LAYOUTS if layout.table == path.name.casefold()), None)
    table = None if layout is None else _read_as_known(path, layout, source or path.parent.parent, asked)
    said = []
    if table is None:
        table = asked.read(path, source)
    elif layout is not None:
        said = [f"{path} is read as {layout.name}'s{layout.note and ': ' + layout.note}."]
    if source is None and len(beside := _tables_of_parts_beside(path)) > 1:
        said.append(
            f"{', '.join(beside)} lie side by side and {path.name} alone is read: give the folder for all parts."
        )
    found = Recordings(path.stem, table, said=said)
    return _take_parts(found, source or path.parent, asked)


def _tables_of_parts_beside(path: Path) -> list[str]:
    """The names of a table and of those beside it, if their names are those of parts."""
    if is_remote(path):  # whose folder a server may not tell
        return []
    beside = {file.stem: file.name for file in sorted(path.parent.iterdir()) if is_table(file)}
    parts = name_parts(beside)
    return [beside[stem] for stem in parts] if path.stem in parts else []


def _read_as_known(path: Path, layout: TableLayout, search_in: Path, asked: _Asked) -> ClipTable | None:
    """A table of a known data set, if it has that one's columns and the user has not named other ones."""
    known, wanted = layout.columns, asked.wanted
    try:
        return asked.read(
            path,
            search_in,
            path=wanted.path or known.path,
            labels=wanted.labels or known.labels,
            group=wanted.group or known.group,
        )
    except DataError:
        return None


def _take_parts(found: Recordings, root: Path, asked: _Asked) -> Recordings:
    """The parts of a table without a column of them: by its folds, or by the folders of its files."""
    table = found.table
    if table.columns.split is not None:
        return found
    by_folder = _parts_by_folder(table, root)
    if by_folder is not None:
        sentence = f"The parts of {table.path} go by the folders of its files."
        return replace(_with_parts(found, by_folder), said=[*found.said, sentence])
    column = next((name for name in table.cells if name.strip().casefold() in FOLD_NAMES), None)
    folds = {cell.strip() for cell in table.cells[column]} if column is not None else set()
    numbers = sorted({int(fold) for fold in folds if re.fullmatch(r"\d+", fold)})
    if asked.wanted.group is not None or len(numbers) < len(folds) or not 2 <= len(numbers) <= MOST_FOLDS:
        return found
    parts = [TEST if int(cell) == numbers[-1] else TRAIN for cell in table.column(column)]
    sentence = f"Fold {numbers[-1]} of {len(numbers)}, by the column {column} of its table, was held out."
    said = (
        f"{found.name}: {sentence} --folds all holds out each of them once; name another column with --split_column, "
        "or one of groups with --group_column."
    )
    return replace(_with_parts(found, parts), split=sentence, said=[*found.said, said])


def _with_parts(found: Recordings, parts: Sequence[str]) -> Recordings:
    table = found.table
    cells = {**table.cells, PART_CELLS: list(parts)}
    return replace(found, table=replace(table, cells=cells, columns=table.columns._replace(split=PART_CELLS)))


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


def _read_known_table(
    source: Path, searched: FolderSearch, tables: Sequence[Path], asked: _Asked
) -> Recordings | None:
    """By the table of a known data set, in the folder or, of a folder of recordings alone, above it."""
    above = source.resolve().parent
    for layout in TABLE_LAYOUTS:
        own = [table for table in tables if table.name.casefold() == layout.table]
        if not own and not tables and searched.audio:
            own = [file for folder in ("", "meta", "metadata") for file in _named(above / folder, layout.table)]
        if len(own) != 1:
            continue
        found = _read_one_table(own[0], asked, source)
        if found.said and any(map(is_file, found.table.files)):
            return _without_unnamed(found, searched)
    return None


def _named(folder: Path, name: str) -> list[Path]:
    """The files of a folder that have a name, in capitals or not."""
    return [path for path in folder.iterdir() if path.name.casefold() == name] if folder.is_dir() else []


def _without_unnamed(found: Recordings, searched: FolderSearch) -> Recordings:
    """With the recordings of the folder that its table does not name."""
    real_path = RealPaths()
    named = set(map(real_path, found.table.files))
    outside = [file for file in searched.audio if real_path(file) not in named]
    return replace(found, outside=outside)


def _read_tables_by_part(
    source: Path, searched: FolderSearch, tables: Sequence[Path], asked: _Asked
) -> Recordings | None:
    """By `train.csv`, `val.csv` and `test.csv` side by side."""
    for folder in sorted({table.parent for table in tables}):
        beside = {table.stem: table for table in tables if table.parent == folder}
        parts = name_parts(beside)
        if len(set(parts.values())) < 2:
            continue
        own_folders = name_parts(_tops(source, searched.audio))
        places = {part: source / name for name, part in own_folders.items()}
        pairs = [(part, beside[stem], places.get(part, source)) for stem, part in sorted(parts.items())]
        found = _join(source, searched, pairs, asked)
        if found is None:
            continue
        further = sorted(table.name for stem, table in beside.items() if stem not in parts)
        said = f"{', '.join(beside[stem].name for stem in sorted(parts))} of {folder} are its parts"
        found.said.append(f"{said}; not read: {', '.join(further)}." if further else f"{said}.")
        return found
    return None


def _join(
    source: Path, searched: FolderSearch, pairs: Sequence[tuple[str, Path, Path]], asked: _Asked
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
    return _without_unnamed(found, searched)


def _part_cells(part: str, table: ClipTable) -> list[str]:
    """The part of every row: that of the table, but one to train on may say itself which rows validate."""
    if part == TRAIN and table.columns.split is not None:
        return table.column(table.columns.split)
    return [part] * len(table.files)


def _read_alike(path: Path, search_in: Path, first: ClipTable, asked: _Asked) -> ClipTable:
    """A further table, by the columns of the first one; without labels where it has no such column."""
    relaxed = replace(asked, needs_labels=False)
    columns = first.columns
    try:
        return relaxed.read(path, search_in, path=columns.path, labels=columns.labels, split=None)
    except DataError:
        table = relaxed.read(path, search_in, path=columns.path, labels=(), group=None, split=None)
        return replace(table, columns=table.columns._replace(labels=()))


def _tops(directory: Path, audio: Iterable[Path]) -> list[str]:
    """The folders in a directory that hold recordings of those in the directory."""
    depth = len(directory.parts)
    return sorted({file.parts[depth] for file in audio if len(file.parts) > depth + 1})


def _read_known_names(
    source: Path, searched: FolderSearch, tables: Sequence[Path], asked: _Asked
) -> Recordings | None:
    """By the names of files, where they are those of a known data set."""
    if asked.names_columns or tables:
        return None
    files = [file for file in searched.audio if NOISE_FOLDER not in file.parts]
    known = find_name_layout(source, files)
    if known is None:
        return None
    layout, matches = known
    labels = [layout.labels.get(match["label"], match["label"]) for match in matches]
    cells = {"label": labels, layout.group: [match["group"] for match in matches]}
    table = ClipTable(source, cells, Columns("path", ("label",), layout.group), files)
    said = f"{source} is read as {layout.name}, by the names of its files; clips of one {layout.group} stay together."
    found = Recordings(source.resolve().name, table, searched, said=[said])
    if len(files) < len(searched.audio):
        found.said += read_class_folders(source, searched.audio).said
    if "fold" in layout.pattern.groupindex:
        folds = [int(match["fold"]) for match in matches]
        table.cells[FOLD_NAMES[0]] = list(map(str, folds))
        sentence = f"Fold {max(folds)}, by the names of the folders, was held out."
        found = _with_parts(found, [TEST if fold == max(folds) else TRAIN for fold in folds])
        found.split = sentence
        found.said.append(sentence)
    return _take_lists(found, source)


def _read_by_folders(source: Path, searched: FolderSearch, tables: Sequence[Path], asked: _Asked) -> Recordings:
    """By class folders, by the tables of parts, or by the one table of the folder."""
    directory = _find_parts_below(source, searched, tables)
    folders = read_class_folders(directory, searched.audio)
    found = _read_tables_of_parts(source, directory, folders, searched, asked)
    if found is not None:
        return found
    is_clear = len(folders.classes) > 1 and folders.problem is None
    if not is_clear or asked.names_columns:
        usable = _find_usable(source, tables, asked)
        if len(usable) == 1:
            found = _without_unnamed(usable[0], searched)
            return found if len(tables) == 1 else _say_which(found)
        if len(tables) == 1 and len(folders.classes) < 2:
            try:
                found = _read_one_table(tables[0], asked if asked.names_columns else asked.strict(), source)
                return _without_unnamed(found, searched)
            except DataError as error:
                if asked.names_columns:
                    raise
                folders.problem = str(error)
        if len(usable) > 1 and folders.problem is None:
            folders.problem = (
                f"{source} holds {len(usable)} tables that name its recordings, {usable[0].table.path} for one: pass "
                "the one to read as --data_dir."
            )
    return _as_recordings(source, directory, folders, searched, tables, asked)


def _say_which(found: Recordings) -> Recordings:
    return replace(found, said=[*found.said, f"{found.table.path} names the recordings; other tables are not read."])


def _find_usable(source: Path, tables: Sequence[Path], asked: _Asked) -> list[Recordings]:
    """The tables that name recordings of a folder and their labels; of several, the one that the Hub would take."""
    usable = []
    for table in tables:
        try:
            found = _read_one_table(table, asked.strict(), source)
        except DataError:
            continue
        if any(map(is_file, found.table.files)):
            usable.append(found)
    named = [found for found in usable if found.table.path.stem.casefold() == METADATA]
    return named if len(named) == 1 else usable


def _find_parts_below(source: Path, searched: FolderSearch, tables: Sequence[Path]) -> Path:
    """The folder that holds `train/`, `test/` and so on: this one, or one that is all it holds, such as `data/`."""
    directory = source
    while True:
        tops = _tops(directory, searched.audio)
        if len(tops) != 1 or any(file.parent == directory for file in searched.audio):
            return directory if _is_divided(directory, searched) else source
        if any(table.parent == directory for table in tables) or name_parts(tops):
            return directory if name_parts(tops) else source
        directory /= tops[0]


def _is_divided(directory: Path, searched: FolderSearch) -> bool:
    tops = _tops(directory, searched.audio)
    return bool(tops) and len(name_parts(tops)) == len(tops)


def _read_tables_of_parts(
    source: Path, directory: Path, folders: ClassFolders, searched: FolderSearch, asked: _Asked
) -> Recordings | None:
    """By `train/metadata.csv`, `test/metadata.csv` and the like, beside the recordings."""
    tops = _tops(directory, searched.audio)
    parts = name_parts(tops)
    if not parts or len(parts) < len(tops):
        return None
    pairs, bare = [], []
    for top in tops:
        own = [file for file in searched.others if is_table(file) and file.parent == directory / top]
        named = [table for table in own if table.stem.casefold() == METADATA]
        one = named if named or len(folders.classes) > 1 else own
        if len(one) == 1:
            pairs.append((parts[top], one[0], directory / top))
        else:
            bare.append(top)
    if all(part != TRAIN for part, _, _ in pairs) or (bare and len(folders.classes) > 1):
        return None
    found = _join(source, searched, pairs, asked)
    if found is not None:
        found.said.append(f"The tables in {', '.join(sorted(set(tops) - set(bare)))} of {directory} tell the labels.")
        found.warnings += [f"{directory / top} holds no table: its recordings are left out." for top in bare]
    return found


def _as_recordings(
    source: Path,
    directory: Path,
    folders: ClassFolders,
    searched: FolderSearch,
    tables: Sequence[Path],
    asked: _Asked,
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
        list(folders.said),
        list(folders.warnings),
        problem,
    )
    doubled = [path for path, reason in searched.repeated if path.parent == directory and "another name" in reason]
    found.warnings += [f"{path} is searched by another name: its recordings count once." for path in doubled]
    if not rows:  # all of them are outside, and of no class
        found.table = replace(found.table, cells={}, files=folders.outside)
        found.outside = []
    elif folders.has_parts:
        return _with_parts(found, [row.part for row in rows])
    if tables and rows:
        found.said.append(f"The folders are the classes; to go by {tables[0]} instead, pass it as --data_dir.")
    return _take_lists(found, directory)


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
    if searched.others:
        return (
            f"{source} holds nothing that is audio by its name, {searched.others[0]} for one: give a folder with a "
            "folder of recordings a class."
        )
    return f"{source} holds no files: give a folder with a folder of recordings a class."


def _take_lists(found: Recordings, directory: Path) -> Recordings:
    """The parts that lists of files beside class folders say, such as Speech Commands' `testing_list.txt`."""
    if found.searched is None or found.table.columns.split is not None:
        return found
    lists = [file for file in found.searched.others if file.suffix.lower() in LIST_SUFFIXES]
    lists = [file for file in lists if file.parent == directory]
    known = {file.stem: read for file in lists if (read := read_part_name(file.stem)) is not None and not read[1]}
    names = {os.path.normpath(file): row for row, file in enumerate(found.table.files)}
    parts = [TRAIN] * len(found.table.files)
    read_from = []
    for file in lists:
        if file.stem not in known:
            continue
        rows = _listed_rows(file, directory, names)
        for row in rows:
            parts[row] = known[file.stem][0]
        if rows:
            read_from.append(file)
    if not read_from:
        return found
    found.searched.others = [file for file in found.searched.others if file not in read_from]
    sentence = f"The parts are those of {' and '.join(file.name for file in read_from)}."
    return replace(_with_parts(found, parts), split=sentence, said=[*found.said, f"{directory}: {sentence}"])


def _listed_rows(file: Path, directory: Path, names: dict[str, int]) -> list[int]:
    """The rows of the files that a list names, a line each; none where it is a text of another kind."""
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, ValueError):
        return []
    places = [directory / line.replace("\\", "/") for line in lines if line]
    return [names[name] for place in places if (name := os.path.normpath(place)) in names]
