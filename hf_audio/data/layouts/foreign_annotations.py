"""Annotations in forms that are not read, and how they can be."""

import csv
import io
import itertools
import re
from pathlib import Path

from ...errors import DataError
from ...folders import SOUND_SUFFIXES
from ..tables.text_tables import TABLE_SUFFIXES, find_delimiter, read_text

ELAN_SUFFIX = ".eaf"
# Of an export, so much tells which program has written it.
LOOKED_AT, ROWS_LOOKED_AT = 100_000, 20
# Label Studio's regions, in JSON or in the cells of a CSV, whose quotes are doubled.
REGION = re.compile(r'"+start"+\s*:\s*[\d.]+.{0,500}?"+labels"+\s*:\s*\[', re.DOTALL)
NUMBER = re.compile(r"\s*\d+(\.\d+)?\s*")


def explain_foreign(path: Path) -> str | None:
    """How the annotations of a file can be read that is not read itself; `None` where it is no such file."""
    if path.suffix.lower() == ELAN_SUFFIX:
        return (
            f"{path} is a file of ELAN, which is not read: export it in ELAN as a Praat TextGrid, and call that as "
            f"the recording, such as {path.stem}.TextGrid."
        )
    if is_of_label_studio(path):
        return (
            f"{path} holds regions as Label Studio exports them, which are not read: write a table with a row for "
            "each region, file,start,end,label."
        )
    line = _find_headerless(path)
    if line is None:
        return None
    return (
        f"{path} has no header, its first line is {line!r}: if these are annotations, write the names of the columns "
        "above it, such as start,end,label, or start,value,duration,label for regions of Sonic Visualiser."
    )


def is_of_label_studio(path: Path) -> bool:
    """Whether a file has regions with times, as Label Studio exports them in JSON and CSV."""
    return path.suffix.lower() in (*TABLE_SUFFIXES, ".json") and REGION.search(_beginning(path)) is not None


def _find_headerless(path: Path) -> str | None:
    """The first line of a table without a header whose lines are a time, perhaps further numbers, and words."""
    if path.suffix.lower() not in TABLE_SUFFIXES:
        return None
    text = _beginning(path)
    delimiter, text = find_delimiter(text)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows = list(itertools.islice((row for row in lines if any(map(str.strip, row))), ROWS_LOOKED_AT))
    is_timed = all(len(row) > 1 and NUMBER.fullmatch(row[0]) and _is_in_words(row[-1]) for row in rows)
    return delimiter.join(rows[0]) if rows and is_timed else None


def _is_in_words(cell: str) -> bool:
    """Whether a cell may be a label, and names no file."""
    return re.search(r"[^\W\d_]", cell) is not None and not cell.strip().lower().endswith(tuple(SOUND_SUFFIXES))


def _beginning(path: Path) -> str:
    try:
        return read_text(path)[:LOOKED_AT]
    except (OSError, DataError):
        return ""
