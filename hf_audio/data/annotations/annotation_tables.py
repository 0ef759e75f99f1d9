"""Tables of annotations: a row for what sounds from one moment of a recording to another."""

import logging
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ...errors import DataError
from ..classes import simple_name
from ..tables.columns import (
    FURTHER_PATH_NAMES,
    PATH_NAMES,
    Columns,
    find_confidences,
    guess_label,
    holds_sounds,
    is_indicator,
    read_labels,
)
from ..tables.metadata_tables import is_metadata_table
from ..tables.tags import holds_lists, split_tags, unquote
from ..tables.text_tables import read_table, read_text, without_remarks
from .times import (
    FRAMES,
    KILOHERTZ,
    MILLISECONDS,
    MINUTES,
    SAMPLES,
    SECONDS,
    are_mostly_times,
    are_times,
    is_blank,
    is_clock,
    read_name,
    read_number,
    read_time,
    without_thousands,
)

logger = logging.getLogger(__name__)

# What people call columns, the likeliest name first; capitals, blanks, signs and units do not count.
ONSET_NAMES = (
    *("fileoffset", "onset", "start", "starttime", "begin", "begintime", "starts", "begins", "timestart", "tstart"),
    *(
        "tmin",
        "xmin",
        "starttimes",
        "eventstart",
        "eventonset",
        "segmentstart",
        "callstart",
        "startsec",
        "startseconds",
    ),
    *("onsettime", "timebegin", "tbegin", "from", "startoffset", "left", "beginning"),
)
OFFSET_NAMES = (
    *("end", "endtime", "offset", "stop", "stoptime", "finish", "ends", "stops", "timeend", "tend", "tmax", "xmax"),
    *(
        "endtimes",
        "eventend",
        "eventoffset",
        "segmentend",
        "callend",
        "endsec",
        "endseconds",
        "offsettime",
        "timestop",
    ),
    *("to", "until", "endoffset", "right"),
)
DURATION_NAMES = ("duration", "deltatime", "dur", "length", "eventduration", "callduration", "segmentduration")
LOW_NAMES = (
    *(
        "lowfreq",
        "lowf",
        "minfreq",
        "freqlow",
        "freqmin",
        "fmin",
        "flow",
        "bottomfreq",
        "lowfrequency",
        "minfrequency",
    ),
    *("frequencymin", "frequencylow", "minimumfreq", "lowerfrequency", "lowestfreq"),
)
HIGH_NAMES = (
    *("highfreq", "highf", "maxfreq", "freqhigh", "freqmax", "fmax", "fhigh", "topfreq", "highfrequency"),
    *("maxfrequency", "frequencymax", "frequencyhigh", "maximumfreq", "upperfrequency", "highestfreq"),
)
# What people add to the name of a column that says how many minutes or hours of a time there are, in seconds.
PARTS_OF_TIMES = {
    **dict.fromkeys(["min", "mins", "minute", "minutes"], 60),
    **dict.fromkeys(["h", "hr", "hour", "hours"], 3600),
}
WARBLER_NAMES = ("bottomfreq", "topfreq")  # which are in kHz
# Of recordings, beside the names that all tables use; Raven's path says more than its name.
RECORDING_NAMES = (
    "beginpath",
    "beginfile",
    "infile",
    "recording",
    "soundfiles",
    "soundfile",
    "recordingname",
    "recordingid",
    "source",
)
LABEL_NAMES = (
    *("annotation", "annotations", "eventlabel", "calltype", "behavior", "behaviour", "speciescode", "ebirdcode"),
    *("manualid", "autoid", "speciesid", "labelid", "classid"),
)
# Parts of the names of columns of labels that somebody has made up.
LABEL_WORDS = ("annotation", "species", "label", "call", "class", "sound", "vocal", "tag", "event")
MARKER_NAME = "name"  # of Audition's and Reaper's markers, whose `Type` says of which kind a marker is
FURTHER_LABEL_WORDS = ("code", "type", "name")
# Raven's own measurements, which no person has written.
MEASURED = ("selec", "view", "channel", "freq", "time", "power", "energy", "entropy", "file", "path", "date", "hz")


class UnusableTimesError(DataError):
    """A table whose times cannot be used, and that is none of clips, as it counts frames or names files repeatedly."""


class Notice(NamedTuple):
    """What is to be said of a file of annotations, and of others like it in one sentence."""

    kind: str
    """Words that follow a number of files or of whatever it is."""
    case: str
    remedy: str = ""


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
    said: list[Notice] = field(default_factory=list)
    warnings: list[Notice] = field(default_factory=list)

    @property
    def has_clocks(self) -> bool:
        """Whether times are written with minutes and seconds."""
        times = _guess_times(self.cells)
        return times is not None and all(is_clock(cell) or is_blank(cell) for cell in self.cells[times.onset])

    @property
    def is_of_sequence(self) -> bool:
        """Whether times may count from the beginning of a sequence of files, as Raven opens them together."""
        return _find(self.cells, "begintime") is not None and _find(self.cells, "beginfile", "beginpath") is not None


class _Times(NamedTuple):
    """The columns that say from when to when."""

    onset: str
    offset: str | None
    duration: str | None
    begin: str | None
    """Of a sequence of files in Raven, where the offset counts from, while the onset counts from the file."""


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
    times = _guess_times(cells)
    for name in () if times is None else times[:3]:
        if name is not None and read_name(name).unit in (MILLISECONDS, SAMPLES):
            cells[name] = without_thousands(cells[name])
    if times is None:
        _check_clips(path, cells, wanted.path if wanted.path in cells else _guess_recording(cells))
        return None
    for name in (wanted.path, *wanted.labels, wanted.group, wanted.split):
        if name is not None and name not in cells:
            raise DataError(f"{path} has no column {name!r}: its columns are {', '.join(cells)}.")
    recording = wanted.path or _guess_recording(cells)
    is_empty = all(not own for own in cells.values())
    labels = (
        ()
        if is_empty
        else wanted.labels or _guess_labels(path, cells, {*times, recording, wanted.group, wanted.split})
    )
    columns = wanted._replace(path=recording, labels=labels)
    named = f"{times.onset} and {times.offset or times.duration}"
    table = AnnotationTable(path, cells, columns, [], _unit(path, cells, times), named)
    _read_rows(table, times)
    _tell_of_confidences(table)
    return table


def has_times(path: Path, *, with_ends: bool = True) -> bool:
    """Whether the first line of a file names columns that say from when to when, as Raven's does.

    with_ends: otherwise, from when is enough.
    """
    if is_metadata_table(path):
        return False
    try:
        lines = (line for line in without_remarks(read_text(path)).splitlines() if line.strip())
        header = next((line for line in lines if not line.strip('"').startswith("sep=")), "")  # as Excel writes it
    except (OSError, DataError):
        return False
    keys = {read_name(cell.strip().strip("\"'")).key for cell in re.split(r"[\t,;|]", header)}
    begins, ends = {*ONSET_NAMES} & keys, {*OFFSET_NAMES, *DURATION_NAMES} & keys
    return bool(begins and (ends or not with_ends)) or ("offset" in keys and bool(keys & {*DURATION_NAMES}))


def _guess_times(cells: Mapping[str, Sequence[str]]) -> _Times | None:
    """The columns that say from when to when, where there are such and they hold times."""
    keys = {name: read_name(name).key for name in cells}
    usual_names = {*ONSET_NAMES, *OFFSET_NAMES, *DURATION_NAMES}
    named = [name for name in cells if keys[name] in usual_names]
    known = [name for name in named if are_mostly_times(cells[name]) or all(map(is_blank, cells[name]))]

    def find(usual: Iterable[str], but: Iterable[str | None] = ()) -> str | None:
        return next((name for key in usual for name in known if keys[name] == key and name not in but), None)

    onset = find(ONSET_NAMES)
    offset = find(OFFSET_NAMES, [onset])
    duration = find(DURATION_NAMES)
    if onset is None and offset is not None and duration is not None and keys[offset] == "offset":
        onset, offset = offset, None  # Kaleidoscope's, which is where a call begins
    if onset is None or (offset is None and duration is None):
        return None
    begin = find(ONSET_NAMES[1:]) if keys[onset] == "fileoffset" else None
    if keys[onset] == "fileoffset" and (begin is None or offset is None) and duration is None:
        return None
    return _Times(onset, offset, duration, begin)


def _check_clips(path: Path, cells: Mapping[str, Sequence[str]], recording: str | None) -> None:
    """Refuse a table that names recordings again and again, by times that cannot be used.

    One that names each once may be of clips; that its times are not read is warned of.

    Raises:
        DataError: it does.
    """
    keys = {name: read_name(name).key for name in cells}
    usual = [key for key in ONSET_NAMES if "start" in key or "begin" in key or "onset" in key]
    onset = next((name for key in usual for name in cells if keys[name] == key), None)
    if recording is None or onset is None:
        return
    if len(set(cells[recording])) == len(cells[recording]):
        if not all(map(is_blank, cells[onset])):
            logger.warning(
                "%s: its column %r is not read, as %s: each row is taken for a whole recording.",
                path,
                onset,
                "no column says when sounds end" if are_mostly_times(cells[onset]) else "its cells are no seconds",
            )
        return
    if len(set(zip(cells[recording], cells[onset], strict=True))) == len(set(cells[recording])):
        return  # of the whole recordings
    if not are_times(cells[onset]):
        cell = next(cell for cell in cells[onset] if not is_blank(cell) and not are_times([cell]))
        raise UnusableTimesError(
            f"{path} has {cell!r} in its column {onset!r}: give seconds, or 00:01:23.5, from the beginning of each "
            "recording."
        )
    raise UnusableTimesError(
        f"{path} says in {onset!r} when sounds begin, and in no column when they end, or not in seconds: add a column "
        "`end` or `duration`."
    )


def _guess_recording(cells: Mapping[str, Sequence[str]]) -> str | None:
    keys = {read_name(name).key: name for name in reversed(list(cells))}
    usual = (*RECORDING_NAMES[:3], *map(simple_name, (*PATH_NAMES, *FURTHER_PATH_NAMES)), *RECORDING_NAMES[3:])
    named = (keys[key] for key in usual if key in keys and not all(map(is_blank, cells[keys[key]])))
    return next(named, None) or next((name for name in cells if holds_sounds(cells[name])), None)


def _guess_labels(path: Path, cells: Mapping[str, Sequence[str]], used: set[str | None]) -> Sequence[str]:
    """The column of the labels, or columns of 0 and 1 that are named as what sounds.

    Raises:
        DataError: there is none.
    """
    left = [name for name in cells if name not in used and not all(map(is_blank, cells[name]))]
    usual = guess_label(left, several=True)
    if usual is not None:
        return [usual]
    keys = {read_name(name).key: name for name in reversed(left)}
    written = [name for key, name in keys.items() if not any(word in key for word in MEASURED)]
    exact = next((keys[key] for key in LABEL_NAMES if key in keys), None)
    if exact is not None:
        return [exact]
    marks = [name for name in written if is_indicator(cells[name])]
    spoken = [name for name in written if not _are_numbers(cells[name]) and name not in marks]
    if len(marks) > 1 or (marks and not spoken):
        return [name for name in cells if name in marks]
    likely = next((name for word in LABEL_WORDS for name in spoken if word in read_name(name).key), None)
    likely = likely or next((name for name in spoken if read_name(name).key == MARKER_NAME), None)
    likely = likely or next(
        (name for word in FURTHER_LABEL_WORDS for name in spoken if word in read_name(name).key), None
    )
    # A single column of 0 and 1 beside words may be what sounds, or tell what somebody has verified.
    if likely is None and (len(spoken) != 1 or marks):
        raise DataError(
            f"{path} says from when to when, and has no column that is called as one of labels usually is; its "
            f"columns are {', '.join(cells)}: add --label_column NAME, or a column `label`."
        )
    return [likely or spoken[0]]


def _are_numbers(cells: Sequence[str]) -> bool:
    return are_times(cells) and not any(map(is_clock, cells))


def _unit(path: Path, cells: Mapping[str, Sequence[str]], times: _Times) -> str:
    """The unit that names of columns tell.

    Raises:
        UnusableTimesError: it is frames, which nobody can know, or one of two columns alone names one, or a column is
            beside the seconds that says how many minutes or hours go before them.
    """
    ends = next((name for name in times[1:3] if name is not None and not all(map(is_blank, cells[name]))), None)
    used = [name for name in (times.onset, ends) if name is not None]
    units = [read_name(name).unit for name in used]
    for name, unit in zip(used, units, strict=True):
        if unit == FRAMES:
            raise UnusableTimesError(f"{path} counts frames in {name!r}: give seconds.")
        further = _find_further_part(cells, name)
        if further is not None:
            raise UnusableTimesError(
                f"{path} has a part of each time in {further!r} and another one in {name!r}: give the whole time in "
                "one column, in seconds or as 0:01:05."
            )
    named = next((place for place, unit in enumerate(units) if unit in (SAMPLES, MILLISECONDS, MINUTES)), None)
    if named is not None and len(used) == 2:
        other = used[1 - named]
        is_unsaid = units[1 - named] is None and not all(is_clock(cell) or is_blank(cell) for cell in cells[other])
        if is_unsaid or (units[1 - named] != SAMPLES) == (units[named] == SAMPLES):
            raise UnusableTimesError(
                f"{path} has {units[named]} in {used[named]!r}, and {units[1 - named] or 'no unit'} in the name of "
                f"{other!r}: give both in one unit, and name it in both, as in start_ms and duration_ms."
            )
    return SAMPLES if SAMPLES in units else SECONDS


def _find_further_part(cells: Mapping[str, Sequence[str]], column: str) -> str | None:
    """The column of the minutes or hours that go before the seconds of another, as `start_min` before `start_sec`.

    One that says the same time in another unit, as ELAN exports it, is none.
    """
    own = read_name(column)
    for name in cells:
        named = read_name(name)
        scale = PARTS_OF_TIMES.get(named.key.removeprefix(own.key)) if named.key.startswith(own.key) else None
        if named.key == own.key and {named.unit, own.unit} == {MINUTES, SECONDS}:
            scale = 60 if named.unit == MINUTES else 1
        if name == column or scale is None or not all(_are_numbers(cells[one]) for one in (name, column)):
            continue
        pairs = [
            (read_number(cell) * scale, read_number(other) * (60 if own.unit == MINUTES else 1))
            for cell, other in zip(cells[name], cells[column], strict=True)
            if not is_blank(cell) and not is_blank(other)
        ]
        if any(part for part, _ in pairs) and not all(abs(part - rest) <= 0.01 * rest + 1 for part, rest in pairs):
            return name
    return None


def _read_rows(table: AnnotationTable, times: _Times) -> None:
    """Put the rows of a table where they belong, each selection once."""
    cells, labels = table.cells, _labels_of_rows(table)
    names = [""] * len(labels) if table.columns.path is None else [unquote(cell) for cell in cells[table.columns.path]]
    marks = _are_marks(cells, table.columns.labels)
    low, high = (_frequencies(cells, usual) for usual in (LOW_NAMES, HIGH_NAMES))
    ends = _find(cells, "endfile")
    untimed = 0
    wrong: list[str] = []
    for row, own in enumerate(labels):
        own_times = _times_of(cells, times, row)
        spans = [cells[name][row] for name in own_times if name is not None]
        if any(map(is_blank, spans)):
            if all(map(is_blank, spans)) and not own:
                table.silent.append(names[row])
            else:
                untimed += 1
            continue
        slip = next((cell for cell in spans if not are_times([cell])), None)
        if slip is not None:
            wrong.append(f"{slip!r} in row {row + 1} of {table.path}")
            continue
        onset, offset = _span(cells, own_times, row)
        if marks and not own:
            table.silent.append(names[row])  # as far as this row goes
            continue
        end_name = "" if ends is None else unquote(cells[ends][row])
        end_name = end_name if end_name and end_name != Path(names[row].replace("\\", "/")).name else ""
        for label in own or [""]:
            table.rows.append(AnnotationRow(names[row], onset, offset, label, low[row], high[row], row, end_name))
    if untimed:
        table.warnings += [
            Notice("rows have a label and no times, and are left out", f"some of {table.path}")
        ] * untimed
    table.warnings += [Notice("rows have times that are none, and are left out", case) for case in wrong]
    _join_views(table)


def _times_of(cells: Mapping[str, Sequence[str]], times: _Times, row: int) -> _Times:
    """The columns that count in a row: its end, or how long it lasts where no end is said."""
    if times.offset is None or times.duration is None:
        return times
    if is_blank(cells[times.offset][row]):
        return times._replace(offset=None, begin=None)
    return times._replace(duration=None)


def _labels_of_rows(table: AnnotationTable) -> list[list[str]]:
    """What sounds in every row, perhaps nothing."""
    cells, columns = table.cells, table.columns.labels
    if not columns:
        return []
    if _are_marks(cells, columns):
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


def _are_marks(cells: Mapping[str, Sequence[str]], columns: Sequence[str]) -> bool:
    """Whether columns say by 1 and 0 what sounds, by their names."""
    return all(is_indicator(cells[name]) for name in columns) and (
        len(columns) > 1 or (len(columns) == 1 and not _is_label_name(columns[0]))
    )


def _split_cell(table: AnnotationTable, cell: str, known: Collection[str]) -> list[str]:
    parts = split_label(cell, known)
    if len(parts) > 1:
        table.said.append(several_labels(cell, table.path))
    return parts


def split_label(label: str, known: Collection[str]) -> list[str]:
    """The labels in a cell: what stands between signs that are in no name, or between others where each is a label."""
    for sign in (";", "|", ",", "/", "+", "&"):
        parts = [part.strip() for part in label.split(sign)]
        if len(parts) > 1 and all(parts) and (sign in ";|" or all(part in known for part in parts)):
            return parts
    return [label]


def several_labels(cell: str, path: Path) -> Notice:
    """What is said of a cell, or a label of a track, that holds several labels."""
    return Notice("cells hold several labels each", f"{cell!r} in {path}")


def _is_label_name(column: str) -> bool:
    """Whether a column is called as one of labels, so that 0 and 1 in it are classes."""
    return guess_label([column], several=True) is not None or read_name(column).key in LABEL_NAMES


def _span(cells: Mapping[str, Sequence[str]], times: _Times, row: int) -> tuple[float, float]:
    onset = _in_seconds(cells, times.onset, row)
    if times.begin is not None and times.offset is not None:
        return onset, onset + _in_seconds(cells, times.offset, row) - _in_seconds(cells, times.begin, row)
    if times.offset is not None:
        return onset, _in_seconds(cells, times.offset, row)
    assert times.duration is not None
    return onset, onset + _in_seconds(cells, times.duration, row)


def _in_seconds(cells: Mapping[str, Sequence[str]], column: str, row: int) -> float:
    """A cell in seconds, or in samples where its column has these."""
    cell, unit = cells[column][row], read_name(column).unit
    scale = {MILLISECONDS: 0.001, MINUTES: 60.0}.get(unit or "", 1.0)
    return read_time(cell) * (1.0 if is_clock(cell) else scale)


def _frequencies(cells: Mapping[str, Sequence[str]], usual: Sequence[str]) -> list[float | None]:
    """The cells of a column of frequencies, in Hz; nothing where there is no such column."""
    column = _find(cells, *usual)
    n_rows = len(next(iter(cells.values()), []))
    if column is None:
        return [None] * n_rows
    named = read_name(column)
    scale = 1000 if named.unit == KILOHERTZ or named.key in WARBLER_NAMES else 1
    found: list[float | None] = []
    for cell in cells[column]:
        try:
            found.append(read_number(cell) * scale)
        except ValueError:
            found.append(None)
    return found


def _find(cells: Mapping[str, Sequence[str]], *usual: str) -> str | None:
    keys = {read_name(name).key: name for name in reversed(list(cells))}
    return next((keys[key] for key in usual if key in keys), None)


def _join_views(table: AnnotationTable) -> None:
    """Each selection once: Raven writes a row for every view of it, and not all of them know its label."""
    selection, view = _find(table.cells, "selection"), _find(table.cells, "view")
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
        table.said += [notice] * n_joined
    table.rows = sorted(kept.values(), key=lambda row: row.row)


def _tell_of_confidences(table: AnnotationTable) -> None:
    column = find_confidences(table.cells)
    if column is not None:
        told = "check what these make up and what they miss, or train with --unannotated ignore"
        table.warnings.append(Notice("files tell a confidence, as networks do", f"{table.path} in {column!r}", told))
