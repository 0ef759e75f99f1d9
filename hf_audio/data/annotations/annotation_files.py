"""Files of annotations in a folder, or given by themselves, and which recordings they are of."""

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import DataError
from ...folders import FolderSearch, search_folder
from ..layouts.foreign_annotations import explain_foreign, is_of_label_studio
from ..layouts.known_layouts import TABLE_LAYOUTS
from ..tables.clip_tables import find_named
from ..tables.columns import Columns
from ..tables.text_tables import is_table
from .annotation_tables import AnnotationRow, AnnotationTable, read_annotation_table
from .label_tracks import TRACK_SUFFIXES, BrokenTrackError, read_label_track
from .notices import Notice
from .text_grids import SUFFIX as GRID_SUFFIX
from .text_grids import choose_tiers, read_text_grid
from .time_columns import UnusableTimesError, has_times
from .times import SECONDS


@dataclass
class Sheet:
    """A file of annotations."""

    path: Path
    rows: list[AnnotationRow]
    unit: str = SECONDS
    named: str = "its times"
    """How it names them, for sentences."""
    table: AnnotationTable | None = None
    files: dict[str, Path] = field(default_factory=dict)
    """Of the names of recordings; of a file that is of one recording, that of the empty name."""
    start: float = 0.0
    """What its times count from where its recording is a part of a longer one."""
    length: float | None = None
    """How long what it is of lasts, where it tells."""
    notices: list[Notice] = field(default_factory=list)
    warnings: list[Notice] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """Of recordings, each once."""
        silent = [] if self.table is None else self.table.silent
        named = [name for row in self.rows for name in (row.name, row.end_name) if name]
        return list(dict.fromkeys([*named, *filter(None, silent)]))


@dataclass
class Sheets:
    """All files of annotations of a source, with the recordings they are of."""

    sheets: list[Sheet]
    audio: list[Path]
    """Recordings that lie there, annotated or not."""
    warnings: list[Notice] = field(default_factory=list)


def may_be_annotations(path: Path) -> bool:
    """Whether a file is, by its name, of a kind in which annotations come."""
    return is_table(path) or path.suffix.lower() in (*TRACK_SUFFIXES, GRID_SUFFIX)


def read_sheets(source: Path, wanted: Columns, audio_dir: str | os.PathLike | None) -> Sheets | None:
    """The files of annotations in a folder, or that one file; `None` where there are none.

    Raises:
        DataError: a file that is given by itself, or the only one of a folder, cannot be read, or its recordings are
            not there; or it is of a kind that is not read.
    """
    if source.is_dir():
        searched = search_folder(source)
        candidates = [path for path in searched.others if may_be_annotations(path)]
    elif source.is_file() and (foreign := explain_foreign(source)) is not None:
        raise DataError(foreign)
    elif source.is_file() and may_be_annotations(source):
        searched, candidates = FolderSearch(), [source]
    else:
        return None
    sheets, errors = [], {}
    for path in candidates:
        try:
            sheet = read_sheet(path, wanted)
        except DataError as error:
            errors[path] = error
            continue
        except OSError as error:
            errors[path] = DataError(f"{path} cannot be read ({error.strerror or error}): check its rights.")
            continue
        if sheet is not None:
            sheets.append(sheet)
    place = source if source.is_dir() else source.parent
    audio = searched.audio if source.is_dir() and audio_dir is None else None
    if audio is None and (sheets or errors):
        audio = search_folder(place if audio_dir is None else audio_dir).audio
    beside = Recordings(audio or [])
    sure = BrokenTrackError, UnusableTimesError
    timed = {path: error for path, error in errors.items() if isinstance(error, sure) or _is_certain(path)}
    for path, refusal in timed.items() if not any(sheet.rows for sheet in sheets) else ():
        if not source.is_dir() or beside.find(path) is not None or isinstance(refusal, UnusableTimesError):
            raise refusal
    # What is annotated, and cannot be read, is no recording in which nothing is annotated.
    doubtful = {beside.find(path) for path in timed}
    found = Sheets([], [file for file in beside.files if file not in doubtful])
    for sheet in sheets:
        _find_recordings(sheet, beside, place if audio_dir is None else Path(audio_dir), audio_dir is not None)
        if sheet.files:
            found.sheets.append(sheet)
        elif not source.is_dir():
            raise DataError(_explain_missing(sheet))
        elif sheet.rows:
            found.warnings.append(Notice("files of annotations are left out", _explain_missing(sheet)))
    if not any(sheet.rows for sheet in found.sheets):
        return None if source.is_dir() or not found.sheets else found
    found.warnings += [
        Notice("files of annotations cannot be read and are left out", str(error).rstrip("."))
        for error in timed.values()
    ]
    return found


def _is_certain(path: Path) -> bool:
    """Whether a file is one of annotations, whatever is wrong with it."""
    return path.suffix.lower() == GRID_SUFFIX or has_times(path, with_ends=False)


def read_sheet(path: Path, wanted: Columns) -> Sheet | None:
    """A file of annotations; `None` where it is something else.

    Raises:
        DataError: it cannot be read, though it is one.
    """
    suffix = path.suffix.lower()
    if suffix == GRID_SUFFIX:
        return _read_grid(path, wanted)
    if any(layout.table == path.name.casefold() for layout in TABLE_LAYOUTS):
        return None
    if is_of_label_studio(path):
        raise UnusableTimesError(explain_foreign(path))
    is_timed = has_times(path, with_ends=not is_table(path))
    if is_timed or is_table(path):
        table = read_annotation_table(path, wanted) if is_timed else None
        if table is None:
            return None
        return Sheet(path, table.rows, table.unit, table.named, table, notices=table.notices, warnings=table.warnings)
    track = read_label_track(path)
    if track is None:
        return None
    rows = [AnnotationRow("", *annotation, row=row) for row, annotation in enumerate(track)]
    return Sheet(path, rows)


def _read_grid(path: Path, wanted: Columns) -> Sheet:
    grid = read_text_grid(path)
    tiers = choose_tiers(path, grid, wanted.labels)
    labelled = [annotation for tier in tiers for annotation in tier.annotations]
    rows = [AnnotationRow("", *annotation, row=row) for row, annotation in enumerate(labelled)]
    sheet = Sheet(path, rows, start=grid.start, length=grid.end - grid.start)
    filled = [tier.name for tier in tiers if tier.annotations]
    if len(filled) > 1:
        kind, remedy = "TextGrids have annotations in several tiers, and all are read", "name some with --label_column"
        sheet.notices.append(Notice(kind, f"{path} in {', '.join(map(repr, filled))}", remedy))
    return sheet


def _find_recordings(sheet: Sheet, beside: "Recordings", place: Path, is_said: bool) -> None:
    """Note the files of the recordings that a file of annotations names, or beside which it lies.

    is_said: whether the user has said in which place recordings are.
    """
    names = sheet.names
    if names:
        files = find_named(sheet.path, names, place if is_said else sheet.path.parent, place)
        sheet.files = {name: file for name, file in zip(names, files, strict=True) if file.is_file()}
        return
    recording = beside.find(sheet.path)
    if recording is not None:
        sheet.files = {"": recording}


class Recordings:
    """Recordings by their names, for files of annotations that are called after them."""

    def __init__(self, files: Sequence[Path]):
        self.files = list(files)
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        for file in self.files:
            for name in {file.name.casefold(), file.stem.casefold()}:
                self._by_name[name].append(file)

    def find(self, path: Path) -> Path | None:
        """The recording that a file is called after: `a.wav`, of `a.txt` or `a.Table.1.selections.txt`.

        In the same folder, or else the only one that is called so; or the only recording there is.
        """
        name = path.name.casefold()
        for end in range(len(name), 0, -1):
            if end < len(name) and name[end].isalnum():
                continue  # in the middle of a word
            fitting = self._by_name.get(name[:end], [])
            nearest = [file for file in fitting if file.parent == path.parent] or fitting
            if nearest:
                return nearest[0] if len(nearest) == 1 else _nearest(path, nearest)
        return self.files[0] if len(self.files) == 1 else None


def _nearest(path: Path, files: Sequence[Path]) -> Path | None:
    """The one of several recordings whose folders are called as those of a file; `None` where several are."""
    folders = {part.casefold() for part in path.parent.parts}
    alike = [sum(part.casefold() in folders for part in file.parent.parts) for file in files]
    best = [file for file, number in zip(files, alike, strict=True) if number == max(alike)]
    return best[0] if len(best) == 1 else None


def _explain_missing(sheet: Sheet) -> str:
    names = sheet.names
    if names:
        return (
            f"none of the {len(names)} recordings that {sheet.path} names is there, {names[0]} for one: put it into "
            "the folder from which its names count, or say by --audio_dir where they are."
        )
    return (
        f"{sheet.path} names no recording, and none beside it is called as it is: call it as its recording, such as "
        f"{sheet.path.stem}.wav, or add a column `file`."
    )
