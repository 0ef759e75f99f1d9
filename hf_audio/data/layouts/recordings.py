"""The recordings that a folder or a table was found to hold, and how the user wants tables to be read."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...folders import FolderSearch, RealPaths
from ..tables.clip_tables import ClipTable, read_clip_table
from ..tables.columns import Columns

# Cells that no table has: the part of a recording by its folder, its table's name, a list or a fold.
PART_CELLS = "_part"


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
    messages: list[str] = field(default_factory=list)
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
class Asked:
    """How the user wants tables to be read."""

    wanted: Columns
    audio_dir: str | os.PathLike | None
    several: bool
    needs_labels: bool

    @property
    def names_columns(self) -> bool:
        """Whether what was asked for is in tables alone."""
        return self.several or self.wanted != Columns() or self.audio_dir is not None

    def strict(self) -> "Asked":
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


def with_parts(found: Recordings, parts: Sequence[str]) -> Recordings:
    """The recordings with the name of the part of each, as `read_part_name` knows them."""
    table = found.table
    cells = {**table.cells, PART_CELLS: list(parts)}
    return replace(found, table=replace(table, cells=cells, columns=table.columns._replace(split=PART_CELLS)))


def without_unnamed(found: Recordings, searched: FolderSearch) -> Recordings:
    """With the recordings of the folder that its table does not name."""
    real_path = RealPaths()
    named = set(map(real_path, found.table.files))
    outside = [file for file in searched.audio if real_path(file) not in named]
    return replace(found, outside=outside)


def upper_folders(directory: Path, audio: Iterable[Path]) -> list[str]:
    """The folders in a directory that hold recordings of those in the directory."""
    depth = len(directory.parts)
    return sorted({file.parts[depth] for file in audio if len(file.parts) > depth + 1})
