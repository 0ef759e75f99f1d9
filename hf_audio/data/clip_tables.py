"""Tables of clips: which files a table names, wherever they lie, and what it says of them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import DataError
from ..files import search_folder
from .columns import Columns, settle_columns
from .tables import read_table


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
        """The cells of a column, without the blanks around them; of none, nothing in every row."""
        return [""] * len(self.files) if name is None else [cell.strip() for cell in self.cells[name]]


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
    path = Path(path)
    cells = {str(name): column.tolist() for name, column in read_table(path).items()}
    settled = settle_columns(
        str(path), cells, columns or Columns(), several=several, needs_labels=needs_labels, path_flag="path_column"
    )
    assert settled.path is not None
    if audio_dir is None:
        folder, search_in = path.parent, search_in or path.parent
    else:
        folder = search_in = Path(audio_dir)
    names = [name.strip() for name in cells[settled.path]]
    return ClipTable(path, cells, settled, _find_named(path, names, folder, search_in))


def _find_named(table: Path, names: Sequence[str], folder: Path, search_in: Path) -> list[Path]:
    """Files by the names that a table has for them."""
    paths = [folder / name for name in names]
    if any(map(os.path.isfile, paths)) or not search_in.is_dir():
        return paths
    names = [name.replace("\\", "/") for name in names]  # as Windows writes paths
    if any(os.path.isfile(folder / name) for name in names):
        return [folder / name for name in names]
    below: dict[str, list[Path]] = {}
    for file in search_folder(search_in).files:
        below.setdefault(file.name, []).append(file)
    found = [[file for file in below.get(Path(name).name, []) if _ends(file, name)] for name in names]
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
