"""Files of annotations in a folder, or given by themselves, and which recordings they are of."""

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import DataError
from ..files import FolderSearch, search_folder
from .annotation_tables import AnnotationRow, AnnotationTable, has_times, read_annotation_table
from .clip_tables import find_named
from .columns import Columns
from .label_tracks import TRACK_SUFFIXES, read_label_track
from .layouts import TABLE_LAYOUTS
from .tables import is_table
from .text_grids import SUFFIX as GRID_SUFFIX
from .text_grids import choose_tiers, read_text_grid
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
    said: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

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
    warnings: list[str] = field(default_factory=list)


def may_be_annotations(path: Path) -> bool:
    """Whether a file is, by its name, of a kind in which annotations come."""
    return is_table(path) or path.suffix.lower() in (*TRACK_SUFFIXES, GRID_SUFFIX)


def read_sheets(source: Path, wanted: Columns, audio_dir: str | os.PathLike | None) -> Sheets | None:
    """The files of annotations in a folder, or that one file; `None` where there are none.

    Raises:
        DataError: a file that is given by itself, or the only one of a folder, cannot be read, or its recordings are
            not there.
    """
    if source.is_dir():
        searched = search_folder(source)
        candidates = [path for path in searched.others if may_be_annotations(path)]
    elif source.is_file() and may_be_annotations(source):
        searched, candidates = FolderSearch(), [source]
    else:
        return None
    place = source if source.is_dir() else source.parent
    audio = searched.audio if source.is_dir() and audio_dir is None else None
    sheets, errors = [], []
    for path in candidates:
        try:
            sheet = read_sheet(path, wanted)
        except DataError as error:
            errors.append(error)
            continue
        if sheet is not None:
            sheets.append(sheet)
    if not sheets:
        if errors and not source.is_dir() and has_times(source):
            raise errors[0]
        return None
    if audio is None:
        audio = search_folder(place if audio_dir is None else audio_dir).audio
    found = Sheets([], audio)
    for sheet in sheets:
        _find_recordings(sheet, audio, place if audio_dir is None else Path(audio_dir), audio_dir)
        if sheet.files:
            found.sheets.append(sheet)
        elif not source.is_dir():
            raise DataError(_explain_missing(sheet))
        else:
            found.warnings.append(f"{sheet.path} is left out: {_explain_missing(sheet)}")
    if not found.sheets:
        return None
    found.warnings += [f"{error} It is left out." for error in errors if _is_grid_or_timed(error, candidates)]
    return found


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
    if is_table(path) or has_times(path):
        table = read_annotation_table(path, wanted) if has_times(path) else None
        if table is None:
            return None
        return Sheet(path, table.rows, table.unit, table.named, table, said=table.said, warnings=table.warnings)
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
        sheet.said.append(
            f"{path} has annotations in the tiers {', '.join(map(repr, filled))}, and all are read: name some with "
            "--label_column."
        )
    return sheet


def _is_grid_or_timed(error: DataError, candidates: Sequence[Path]) -> bool:
    """Whether a refusal is of a file that is of annotations for certain."""
    path = next((path for path in candidates if str(error).startswith(str(path))), None)
    return path is not None and (path.suffix.lower() == GRID_SUFFIX or has_times(path))


def _find_recordings(sheet: Sheet, audio: Sequence[Path], place: Path, audio_dir: str | os.PathLike | None) -> None:
    """Note the files of the recordings that a file of annotations names, or beside which it lies."""
    names = sheet.names
    if names:
        folder = sheet.path.parent if audio_dir is None else place
        files = find_named(sheet.path, names, folder, place)
        sheet.files = {name: file for name, file in zip(names, files, strict=True) if file.is_file()}
        return
    own = find_beside(sheet.path, audio)
    if own is not None:
        sheet.files = {"": own}


def find_beside(path: Path, audio: Sequence[Path]) -> Path | None:
    """The recording that a file of annotations is called after: `a.Table.1.selections.txt` after `a.wav`.

    In the same folder, or else the only one that is called so; or the only recording there is.
    """
    fitting: dict[int, list[Path]] = defaultdict(list)
    for file in audio:
        for stem in (file.name, file.stem):
            if _begins_with(path.name, stem):
                fitting[len(stem)].append(file)
                break
    if fitting:
        longest = fitting[max(fitting)]
        own = [file for file in longest if file.parent == path.parent] or longest
        return own[0] if len(own) == 1 else _nearest(path, own)
    beside = [file for file in audio if file.parent == path.parent]
    return beside[0] if len(audio) == 1 or (len(beside) == 1 and not audio[1:]) else None


def _begins_with(name: str, stem: str) -> bool:
    rest = name[len(stem) :]
    return name.casefold().startswith(stem.casefold()) and (not rest or not rest[0].isalnum())


def _nearest(path: Path, files: Sequence[Path]) -> Path | None:
    """The one of several recordings whose folders are called as those of a file; `None` where several are."""
    own = {part.casefold() for part in path.parent.parts}
    alike = [sum(part.casefold() in own for part in file.parent.parts) for file in files]
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
