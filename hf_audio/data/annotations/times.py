"""Times in tables and labels: seconds, written in the ways in which people and programs write them."""

import math
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:(?:,\d{3})+|(?:\.\d{3})+)")  # as spreadsheets show whole numbers
# 1:23, 00:01:23.5, and 00:01:23,500 as subtitles have it.
CLOCK = re.compile(r"(?P<sign>-?)(?:(?P<hours>\d+):)?(?P<minutes>\d{1,3}):(?P<seconds>\d{1,2}(?:[.,]\d*)?)")
NOTHING = frozenset({"", "nan", "na", "n/a", "none", "null", "-"})
SECONDS, MILLISECONDS, MINUTES, SAMPLES, FRAMES = "seconds", "milliseconds", "minutes", "samples", "frames"
UNITS = {
    **dict.fromkeys(["s", "sec", "secs", "second", "seconds"], SECONDS),
    **dict.fromkeys(["ms", "msec", "msecs", "millis", "millisecond", "milliseconds"], MILLISECONDS),
    **dict.fromkeys(["samp", "samps", "sample", "samples"], SAMPLES),
    **dict.fromkeys(["frame", "frames"], FRAMES),
}
# Only in brackets: `t_min` is a time, and no minutes.
BRACKETED_UNITS = {**UNITS, **dict.fromkeys(["min", "mins", "minute", "minutes"], MINUTES)}
# Frequencies.
KILOHERTZ, HERTZ = "kilohertz", "hertz"
BRACKETED_UNITS |= {"hz": HERTZ, "khz": KILOHERTZ}
IN_BRACKETS = re.compile(r"[(\[{]([^)\]}]*)[)\]}]")
# Behind the names of ELAN's columns; of these two, cells are seconds, or clocks.
ELAN_FORMATS = re.compile(r" - (?:hh:mm:ss\.ms|ss\.msec)$")
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


class NamedQuantity(NamedTuple):
    """What the name of a column says."""

    key: str
    """Its words as one, in small letters, without the unit."""
    unit: str | None


@lru_cache  # asked for every cell of a column
def read_name(name: str) -> NamedQuantity:
    """`Begin Time (s)`, `start_ms` or `startTime` -> their words, and the unit that they name."""
    name, is_elan = ELAN_FORMATS.subn("", name.strip())
    bracketed = [text.strip().casefold() for text in IN_BRACKETS.findall(name)]
    unit = next((BRACKETED_UNITS[text] for text in bracketed if text in BRACKETED_UNITS), SECONDS if is_elan else None)
    words = [word.casefold() for word in WORD.findall(IN_BRACKETS.sub(" ", name))]
    if unit is None and len(words) > 1 and words[-1] in UNITS:
        unit = UNITS[words.pop()]
    return NamedQuantity("".join(words), unit)


def is_blank(cell: str) -> bool:
    """Whether a cell says nothing, as an empty one or pandas' `nan`."""
    return cell.strip().casefold() in NOTHING


def read_number(cell: str) -> float:
    """`83.5`, `83,5` or `1,083.5` -> a number.

    Raises:
        ValueError: it is none, or not finite.
    """
    text = cell.strip().strip("\"'").replace("\u2212", "-")
    if "," in text and "." in text:
        thousands = "," if text.rindex(".") > text.rindex(",") else "."
        text = text.replace(thousands, "")
    text = text.replace(",", ".")
    if not NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise ValueError(f"{cell!r} is no number")
    return float(text)


def without_thousands(cells: Sequence[str]) -> list[str]:
    """Cells of whole numbers without the signs between thousands: `1,083` beside `500` is no decimal.

    Cells are as they were where any has other decimals, or all might have three.
    """
    filled = [cell.strip() for cell in cells if not is_blank(cell)]
    whole = [cell for cell in filled if cell.isdecimal()]
    grouped = [cell for cell in filled if THOUSANDS.fullmatch(cell)]
    if not whole or not grouped or len(whole) + len(grouped) < len(filled) or max(map(len, whole)) > 3:
        return list(cells)
    return [re.sub(r"[.,]", "", cell) for cell in cells]


def read_time(cell: str) -> float:
    """`83.5`, `83,5`, `1:23.5` or `00:01:23,500` -> 83.5, in the unit of its column, or in seconds.

    Raises:
        ValueError: it is no such time.
    """
    clock = CLOCK.fullmatch(cell.strip())
    if clock is None:
        return read_number(cell)
    whole = 60 * (60 * int(clock["hours"] or 0) + int(clock["minutes"]))
    return (whole + float(clock["seconds"].replace(",", "."))) * (-1 if clock["sign"] else 1)


def is_clock(cell: str) -> bool:
    """Whether a time is written with minutes and seconds, whatever unit its column names."""
    return CLOCK.fullmatch(cell.strip()) is not None


def are_mostly_times(cells: Sequence[str]) -> bool:
    """Whether most cells that say something hold times: others may be slips of whoever has typed them."""
    filled = [cell for cell in cells if not is_blank(cell)]
    return 2 * sum(are_times([cell]) for cell in filled) > len(filled)


def are_times(cells: Sequence[str]) -> bool:
    """Whether cells hold times, but for those that say nothing."""
    filled = [cell for cell in cells if not is_blank(cell)]
    try:
        return bool(filled) and all(math.isfinite(read_time(cell)) for cell in filled)
    except ValueError:
        return False


def are_numbers(cells: Sequence[str]) -> bool:
    """Whether cells hold numbers, none of them written as minutes and seconds, but for those that say nothing."""
    return are_times(cells) and not any(map(is_clock, cells))
