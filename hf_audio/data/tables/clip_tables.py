"""Tables of clips: which files a table names, wherever they lie, and what it says of them."""

import itertools
import logging
import os
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ...errors import DataError
from ...folders import SOUND_SUFFIXES, search_folder
from ...remote.paths import as_path, is_file, join
from .columns import Columns, settle_columns
from .tags import unquote
from .text_tables import read_table

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClipTable:
    """A table as it was read, a clip a row; nothing says that the files are there."""

    path: Path
    """Of the table."""
    cells: dict[str, list[str]]
    """By column."""
    columns: Columns
    """Those that are meant; `path` is one of them."""
    files: list[Path]
    """Of every row."""

    def column(self, name: str | None) -> list[str]:
        """The cells of a column, without the blanks and quotes around them; of none, nothing in every row."""
        return [""] * len(self.files) if name is None else [unquote(cell) for cell in self.cells[name]]


def read_clip_table(
    path: str | os.PathLike,
    columns: Columns | None = None,
    *,
    audio_dir: str | os.PathLike | None = None,
    search_in: Path | None = None,
    several: bool = False,
    needs_labels: bool = False,
) -> ClipTable:
    """Read a CSV or TSV whose rows are clips.

    The names of files count from `audio_dir`, or from the table's folder. Where none of them is a file there,
    backslashes in them are taken for slashes, and they are looked for at any depth below `audio_dir` or `search_in`.

    Args:
        path: of the table.
        columns: that the user has named; the others go by their names, see `settle_columns`.
        audio_dir: where the user has said that the files are.
        search_in: where else they may be, without `audio_dir`; by default the table's folder.
        several: whether a clip may have several tags.
        needs_labels: whether a table without labels is refused.

    Raises:
        DataError: the table cannot be read, a column is not there or cannot be guessed, or a name that is looked for
            is that of several files.
    """
    path = as_path(path)
    cells = {str(name): column.tolist() for name, column in read_table(path).items()}
    settled = settle_columns(
        str(path), cells, columns or Columns(), several=several, needs_labels=needs_labels, path_flag="path_column"
    )
    assert settled.path is not None
    if audio_dir is None:
        folder, search_in = path.parent, search_in or path.parent
    else:
        folder = search_in = as_path(audio_dir)
    names = [name.strip() for name in cells[settled.path]]
    return ClipTable(path, cells, settled, find_named(path, names, folder, search_in))


def find_named(table: Path, names: Sequence[str], folder: Path, search_in: Path) -> list[Path]:
    """Files by the names that a table has for them.

    Names that lead to no file, while others do, are those of files that Windows and macOS would take for the same; of
    other names that lead nowhere, files are looked for at any depth where no name leads to one.
    """
    paths = [join(folder, name) for name in names]
    there = list(map(is_file, paths))
    if not all(there):
        plain = [folder / _plain_path(name) for name in names]  # as Windows writes paths, or a table in a table
        paths = [
            path if found or not os.path.isfile(unresolved) else unresolved
            for path, found, unresolved in zip(paths, there, plain, strict=True)
        ]
    there = list(map(is_file, paths))
    if all(there) or not search_in.is_dir():
        return paths
    if any(there):
        return _find_alike(table, paths, there, search_in)
    below: dict[str, list[Path]] = {}
    for file in search_folder(search_in).files:
        for key in {_key(file.name), _key(file.stem)} if file.suffix.lower() in SOUND_SUFFIXES else {_key(file.name)}:
            below.setdefault(key, []).append(file)
    found = [_find_below(table, name, below) for name in map(_plain_path, names)]
    pairs = enumerate(zip(names, found, strict=True))
    moved = next((row for row, (name, file) in pairs if file is not None and not str(file).endswith(f"/{name}")), None)
    if moved is not None:
        n_found = sum(file is not None for file in found)
        logger.info(
            "%d of the %d names in %s are of files below %s: %s is taken for %s.",
            n_found,
            len(names),
            table,
            search_in,
            found[moved],
            names[moved],
        )
    return [path if file is None else file for file, path in zip(found, paths, strict=True)]


def _find_alike(table: Path, paths: Sequence[Path], there: Sequence[bool], search_in: Path) -> list[Path]:
    """Paths with those that lead to no file as the only file is written that they may mean, but for capitals.

    A file that another path leads to is not meant.
    """
    named = {os.path.abspath(path) for path, found in zip(paths, there, strict=True) if found}
    files: dict[str, list[Path]] = {}
    for file in search_folder(search_in).files:
        if os.path.abspath(file) not in named:
            files.setdefault(_key(os.path.abspath(file)), []).append(file)
    meant: dict[Path, Path] = {}
    for path in {path for path, found in zip(paths, there, strict=True) if not found}:
        alike = files.get(_key(os.path.abspath(_plain_path(str(path)))), [])
        if len(alike) == 1:
            meant[path] = alike[0]
    if meant:
        path, file = min(meant.items())
        logger.info(
            "%d names in %s differ from those of files in capitals or the form of Unicode: %s is taken for %s.",
            len(meant),
            table,
            file,
            path,
        )
    return [meant.get(path, path) for path in paths]


def _plain_path(name: str) -> str:
    """A name without the quotes around it, with slashes."""
    return unquote(name).replace("\\", "/")


def _key(name: str) -> str:
    """A file's name as it is compared: Windows and macOS take capitals and small letters for one."""
    return unicodedata.normalize("NFC", name).casefold()


def _find_below(table: Path, name: str, below: Mapping[str, Sequence[Path]]) -> Path | None:
    """The file whose path ends most as a name does, which may begin with folders of another machine.

    Raises:
        DataError: several do.
    """
    parts = [_key(part) for part in PurePosixPath(name).parts]
    found = below.get(parts[-1], []) if parts else []
    if not found:
        return None
    alike = [_count_alike(file, parts) for file in found]
    best = [file for file, number in zip(found, alike, strict=True) if number == max(alike)]
    if len(best) > 1:
        raise DataError(
            f"{table} names {name}, which may be {best[0]} or {best[1]}: put the table into the folder from which its "
            "names count, and name the folders below."
        )
    return best[0]


def _count_alike(file: Path, parts: Sequence[str]) -> int:
    """How many folders above a file are called as those above a name, from the file upwards."""
    folders = [_key(part) for part in file.parent.parts]
    pairs = zip(reversed(folders), reversed(parts[:-1]), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
