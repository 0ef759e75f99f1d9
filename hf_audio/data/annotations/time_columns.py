"""The columns of a table that say from when to when something sounds, and their units."""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ...errors import DataError
from ..tables.metadata_tables import is_metadata_table
from ..tables.text_tables import read_text, without_remarks
from .times import (
    FRAMES,
    MILLISECONDS,
    MINUTES,
    SAMPLES,
    SECONDS,
    are_mostly_times,
    are_numbers,
    are_times,
    is_blank,
    is_clock,
    read_name,
    read_number,
    read_time,
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
# What people add to the name of a column that says how many minutes or hours of a time there are, in seconds.
PARTS_OF_TIMES = {
    **dict.fromkeys(["min", "mins", "minute", "minutes"], 60),
    **dict.fromkeys(["h", "hr", "hour", "hours"], 3600),
}


class UnusableTimesError(DataError):
    """A table whose times cannot be used, and that is none of clips, as it counts frames or names files repeatedly."""


class TimeColumns(NamedTuple):
    """The columns that say from when to when."""

    onset: str
    offset: str | None
    duration: str | None
    begin: str | None
    """Of a sequence of files in Raven, where the offset counts from, while the onset counts from the file."""


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


def guess_times(cells: Mapping[str, Sequence[str]]) -> TimeColumns | None:
    """The columns that say from when to when, where there are such and they hold times."""
    keys = {name: read_name(name).key for name in cells}
    usual_names = {*ONSET_NAMES, *OFFSET_NAMES, *DURATION_NAMES}
    named = [name for name in cells if keys[name] in usual_names]
    usable = [name for name in named if are_mostly_times(cells[name]) or all(map(is_blank, cells[name]))]

    def find(usual: Iterable[str], but: Iterable[str | None] = ()) -> str | None:
        return next((name for key in usual for name in usable if keys[name] == key and name not in but), None)

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
    return TimeColumns(onset, offset, duration, begin)


def refuse_unusable_times(path: Path, cells: Mapping[str, Sequence[str]], recording: str | None) -> None:
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


def find_unit(path: Path, cells: Mapping[str, Sequence[str]], times: TimeColumns) -> str:
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
    wanted = read_name(column)
    for name in cells:
        named = read_name(name)
        scale = PARTS_OF_TIMES.get(named.key.removeprefix(wanted.key)) if named.key.startswith(wanted.key) else None
        if named.key == wanted.key and {named.unit, wanted.unit} == {MINUTES, SECONDS}:
            scale = 60 if named.unit == MINUTES else 1
        if name == column or scale is None or not all(are_numbers(cells[one]) for one in (name, column)):
            continue
        pairs = [
            (read_number(cell) * scale, read_number(other) * (60 if wanted.unit == MINUTES else 1))
            for cell, other in zip(cells[name], cells[column], strict=True)
            if not is_blank(cell) and not is_blank(other)
        ]
        if any(part for part, _ in pairs) and not all(abs(part - rest) <= 0.01 * rest + 1 for part, rest in pairs):
            return name
    return None


def times_of_row(cells: Mapping[str, Sequence[str]], times: TimeColumns, row: int) -> TimeColumns:
    """The columns that count in a row: its end, or how long it lasts where no end is said."""
    if times.offset is None or times.duration is None:
        return times
    if is_blank(cells[times.offset][row]):
        return times._replace(offset=None, begin=None)
    return times._replace(duration=None)


def read_span(cells: Mapping[str, Sequence[str]], times: TimeColumns, row: int) -> tuple[float, float]:
    """The onset and the offset of a row, in seconds, or in samples where its columns have these."""
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
