"""Tables of annotations: a row for what sounds from one moment of a recording to another."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ...errors import DataError
from ..tables.columns import Columns, find_confidences, read_labels
from ..tables.tags import holds_lists, split_tags, unquote
from ..tables.text_tables import read_table
from .annotation_columns import (
    HIGH_NAMES,
    LOW_NAMES,
    are_marks,
    find_column,
    guess_labels,
    guess_recording,
    read_frequencies,
)
from .notices import Notice
from .time_columns import TimeColumns, find_unit, guess_times, read_span, refuse_unusable_times, times_of_row
from .times import (
    MILLISECONDS,
    SAMPLES,
    are_times,
    is_blank,
    is_clock,
    read_name,
    without_thousands,
)


class AnnotationRow(NamedTuple):
    """A row of a table."""

    name: str
    """Of the recording, as the table has it; empty where it has none."""
    onset: float
    """In the table's unit, see `AnnotationTable.unit`."""
    offset: float
    label: str
    low_freq: float | None
    high_freq: float | None
    row: int
    """Its number in the table, from 0 on."""
    end_name: str = ""
    """Of the recording in which it ends, where that is another one."""


@dataclass
class AnnotationTable:
    """A table that says from when to when something sounds."""

    path: Path
    cells: dict[str, list[str]]
    columns: Columns
    rows: list[AnnotationRow]
    """In the order of the table."""
    unit: str
    """`SECONDS`, or `SAMPLES`, which are seconds only when the rate is known."""
    named: str
    """How it names the columns of times, for sentences."""
    silent: list[str] = field(default_factory=list)
    """Names of recordings that are listed without anything that sounds."""
    notices: list[Notice] = field(default_factory=list)
    warnings: list[Notice] = field(default_factory=list)

    @property
    def has_clocks(self) -> bool:
        """Whether times are written with minutes and seconds."""
        times = guess_times(self.cells)
        return times is not None and all(is_clock(cell) or is_blank(cell) for cell in self.cells[times.onset])

    @property
    def is_of_sequence(self) -> bool:
        """Whether times may count from the beginning of a sequence of files, as Raven opens them together."""
        return (
            find_column(self.cells, "begintime") is not None
            and find_column(self.cells, "beginfile", "beginpath") is not None
        )


def read_annotation_table(path: Path, wanted: Columns | None = None) -> AnnotationTable | None:
    """The rows of a CSV, a TSV or a selection table of Raven; `None` of a table that says no times.

    Args:
        path: of the table.
        wanted: columns that the user has named; the others go by their names.

    Raises:
        DataError: it cannot be read, has times that are none, or no labels.
    """
    wanted = wanted or Columns()
    cells = {str(name): column.tolist() for name, column in read_table(path).items()}
    times = guess_times(cells)
    for name in () if times is None else times[:3]:
        if name is not None and read_name(name).unit in (MILLISECONDS, SAMPLES):
            cells[name] = without_thousands(cells[name])
    if times is None:
        refuse_unusable_times(path, cells, wanted.path if wanted.path in cells else guess_recording(cells))
        return None
    for name in (wanted.path, *wanted.labels, wanted.group, wanted.split):
        if name is not None and name not in cells:
            raise DataError(f"{path} has no column {name!r}: its columns are {', '.join(cells)}.")
    recording = wanted.path or guess_recording(cells)
    is_empty = all(not column_cells for column_cells in cells.values())
    labels = (
        () if is_empty else wanted.labels or guess_labels(path, cells, {*times, recording, wanted.group, wanted.split})
    )
    columns = wanted._replace(path=recording, labels=labels)
    named = f"{times.onset} and {times.offset or times.duration}"
    table = AnnotationTable(path, cells, columns, [], find_unit(path, cells, times), named)
    _read_rows(table, times)
    _tell_of_confidences(table)
    return table


def _read_rows(table: AnnotationTable, times: TimeColumns) -> None:
    """Put the rows of a table where they belong, each selection once."""
    cells, labels = table.cells, _labels_of_rows(table)
    names = [""] * len(labels) if table.columns.path is None else [unquote(cell) for cell in cells[table.columns.path]]
    marks = are_marks(cells, table.columns.labels)
    low, high = (read_frequencies(cells, usual) for usual in (LOW_NAMES, HIGH_NAMES))
    ends = find_column(cells, "endfile")
    untimed = 0
    wrong: list[str] = []
    for row, row_labels in enumerate(labels):
        own_times = times_of_row(cells, times, row)
        spans = [cells[name][row] for name in own_times if name is not None]
        if any(map(is_blank, spans)):
            if all(map(is_blank, spans)) and not row_labels:
                table.silent.append(names[row])
            else:
                untimed += 1
            continue
        slip = next((cell for cell in spans if not are_times([cell])), None)
        if slip is not None:
            wrong.append(f"{slip!r} in row {row + 1} of {table.path}")
            continue
        onset, offset = read_span(cells, own_times, row)
        if marks and not row_labels:
            table.silent.append(names[row])  # as far as this row goes
            continue
        end_name = "" if ends is None else unquote(cells[ends][row])
        end_name = end_name if end_name and end_name != Path(names[row].replace("\\", "/")).name else ""
        for label in row_labels or [""]:
            table.rows.append(AnnotationRow(names[row], onset, offset, label, low[row], high[row], row, end_name))
    if untimed:
        table.warnings += [
            Notice("rows have a label and no times, and are left out", f"some of {table.path}")
        ] * untimed
    table.warnings += [Notice("rows have times that are none, and are left out", case) for case in wrong]
    _join_views(table)


def _labels_of_rows(table: AnnotationTable) -> list[list[str]]:
    """What sounds in every row, perhaps nothing."""
    cells, columns = table.cells, table.columns.labels
    if not columns:
        return []
    if are_marks(cells, columns):
        return [list(row) for row in read_labels(str(table.path), cells, columns, several=True)]
    if len(columns) > 1:
        rows = zip(*(map(unquote, cells[name]) for name in columns), strict=True)
        return [[label for label in row if not is_blank(label)] for row in rows]
    (column,) = columns
    if holds_lists(cells[column]):
        return split_tags(str(table.path), column, cells[column])[0]
    found = [[] if is_blank(cell) else [unquote(cell)] for cell in cells[column]]
    single = {label for row in found for label in row}
    return [[part for label in row for part in _split_cell(table, label, single)] for row in found]


def _split_cell(table: AnnotationTable, cell: str, known_labels: Collection[str]) -> list[str]:
    parts = split_label(cell, known_labels)
    if len(parts) > 1:
        table.notices.append(several_labels(cell, table.path))
    return parts


def split_label(label: str, known_labels: Collection[str]) -> list[str]:
    """The labels in a cell: what stands between signs that are in no name, or between others where each is a label."""
    for sign in (";", "|", ",", "/", "+", "&"):
        parts = [part.strip() for part in label.split(sign)]
        if len(parts) > 1 and all(parts) and (sign in ";|" or all(part in known_labels for part in parts)):
            return parts
    return [label]


def several_labels(cell: str, path: Path) -> Notice:
    """What is said of a cell, or a label of a track, that holds several labels."""
    return Notice("cells hold several labels each", f"{cell!r} in {path}")


def _join_views(table: AnnotationTable) -> None:
    """Each selection once: Raven writes a row for every view of it, and not all of them know its label."""
    selection, view = find_column(table.cells, "selection"), find_column(table.cells, "view")
    if selection is None or view is None or len(set(table.cells[view])) < 2:
        return
    kept: dict[tuple[str, str, int], AnnotationRow] = {}
    seen: Counter[tuple[str, str, str]] = Counter()
    for row in table.rows:
        number, own_view = table.cells[selection][row.row], table.cells[view][row.row]
        # One view has a selection several times where it has several labels, or where tables were joined.
        key = row.name, number, seen[row.name, number, own_view]
        seen[row.name, number, own_view] += 1
        first = kept.setdefault(key, row)
        if first is not row:
            is_clearer = row.low_freq is not None and "spectrogram" in own_view.casefold()
            kept[key] = (row if is_clearer else first)._replace(label=first.label or row.label)
    n_joined = len(table.rows) - len(kept)
    if n_joined:
        notice = Notice("rows are further views of selections, which count once", f"some of {table.path}")
        table.notices += [notice] * n_joined
    table.rows = sorted(kept.values(), key=lambda row: row.row)


def _tell_of_confidences(table: AnnotationTable) -> None:
    column = find_confidences(table.cells)
    if column is not None:
        remedy = "check what these make up and what they miss, or train with --unannotated ignore"
        table.warnings.append(Notice("files tell a confidence, as networks do", f"{table.path} in {column!r}", remedy))
