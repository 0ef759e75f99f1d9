"""Tables of text: CSVs and TSVs, read and written."""

import codecs
import csv
import io
import itertools
import logging
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import DataError
from ...files import written_whole
from ...remote.paths import as_path
from .metadata_tables import is_metadata_table, read_metadata_table

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

TAB = "\t"
DELIMITERS = (",", ";", TAB, "|")
REMARK = "#"
ROWS_LOOKED_AT = 100  # to tell one from the other
# What text begins with that says how it is coded; the longer ones first.
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# What people give the name of a table to.
FOREIGN_STARTS = {b"PK\x03\x04": "a workbook or a zip", b"\xd0\xcf\x11\xe0": "a workbook", b"<!DOCTYPE": "a web page"}
# Three in a row are no western word, and the others are no letters of one, but for a rare one.
UNKNOWN_CODES = re.compile(rb"[\x80-\xff]{3}|[\x81\x8d\x8f\x90\x9d\xff]")
TAB_SUFFIXES = (".tsv", ".tab")
TABLE_SUFFIXES = (".csv", *TAB_SUFFIXES)
# Of TSVs the column that people have filled with text: Common Voice's sentences hold quotes, tabs and line breaks.
TEXT_COLUMN = "sentence"
# What a spreadsheet would run rather than show. A sign alone is none.
FORMULA = re.compile(r"'*[=+\-@\t\r\n].", re.DOTALL)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def is_table(path: str | os.PathLike) -> bool:
    """Whether a path is that of a table, by its name."""
    return Path(path).suffix.lower() in TABLE_SUFFIXES or is_metadata_table(Path(path))


def read_table(path: str | os.PathLike, needed_columns: Sequence[str] = ()) -> "pd.DataFrame":
    """A CSV or TSV as strings; cells that are missing at the end of a row are empty.

    Text is UTF-8, UTF-16, or of Windows in western Europe, which is warned of. Between the cells of a CSV are commas,
    semicolons, tabs or bars, as spreadsheets write them in different countries; rows and columns with nothing in them
    are left out, as are remarks, see `without_remarks`. In a TSV a tab is a border and a quote is a letter; what a row
    has more of than the header belongs to its `sentence`. A TSV without tabs is read as a CSV. An apostrophe of
    `write_rows`, see `escape_formula`, is taken off.

    Raises:
        DataError: the table is missing, empty, no text, lacks a column or has a row with too many cells.
    """
    path = as_path(path)
    try:
        if is_metadata_table(path):
            table = read_metadata_table(path)
        else:
            text = without_remarks(read_text(path))
            table = _read_tabs(path, text) if _has_bare_tabs(path, text) else _read_cells(path, text)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): check the path.") from error
    except (ValueError, csv.Error) as error:  # ValueError: of pandas
        if isinstance(error, DataError):
            raise
        reason = " ".join(str(error).split())
        raise DataError(f"{path} is not a UTF-8 table with a header ({reason}): repair or export it again.") from error
    for column in needed_columns:
        if column not in table:
            raise DataError(f"{path} has no column {column!r}: its columns are {', '.join(table.columns)}.")
    return table


def read_text(path: Path) -> str:
    """A file's text, whatever it is coded in.

    Raises:
        DataError: it is none, or its coding cannot be told.
    """
    content = path.read_bytes()
    for start, what in FOREIGN_STARTS.items():
        if content.startswith(start):
            raise DataError(f"{path} is {what} by its contents: export the table as CSV.")
    coding = next((coding for mark, coding in MARKS.items() if content.startswith(mark)), None)
    if coding is None and b"\0" in content[:2]:
        coding = "utf-16-le" if content[1:2] == b"\0" else "utf-16-be"
    try:
        return content.decode(coding or "utf-8")
    except UnicodeDecodeError as error:
        # Words of other scripts have many such letters in a row, and broken UTF-8 has whole letters beside it.
        whole = any(letter not in "\ufffd" and not letter.isascii() for letter in content.decode("utf-8", "replace"))
        if coding is not None or b"\0" in content or whole or UNKNOWN_CODES.search(content):
            raise DataError(
                f"{path} is not a UTF-8 table, nor of another coding that can be told: export it in UTF-8."
            ) from error
    text = content.decode("cp1252")
    word = next((word for word in re.findall(r'[^\s,;|"]+', text) if not word.isascii()), "a blank")
    logger.warning(
        "%s is not UTF-8 and is read as text of Windows in western Europe, %r for one: if that is wrong, export the "
        "table as CSV in UTF-8.",
        path,
        word,
    )
    return text


def without_remarks(text: str) -> str:
    """A table's text without the lines above its header that begin with `#`.

    The last one of these is the header itself if it has as many cells as the line below it.
    """
    lines = text.splitlines(keepends=True)
    filled = [number for number, line in enumerate(lines) if line.strip()]
    marked = list(itertools.takewhile(lambda number: lines[number].lstrip().startswith(REMARK), filled))
    if not marked or len(marked) == len(filled):
        return text
    rest = "".join(lines[filled[len(marked)] :])
    delimiter, rest = find_delimiter(rest)
    below, last = rest.splitlines()[0], lines[marked[-1]]
    is_header = _count_cells(last, delimiter) == _count_cells(below, delimiter)
    return "".join(lines[marked[-1] :]) if is_header else rest


def _count_cells(line: str, delimiter: str) -> int:
    """How many cells a line has, up to the last one in which something stands."""
    cells = next(csv.reader([line], delimiter=delimiter), [])
    return max((number for number, cell in enumerate(cells, start=1) if cell.strip()), default=0)


def _has_bare_tabs(path: Path, text: str) -> bool:
    """Whether a table is a TSV whose quotes are letters, and not one whose cells are all quoted, or a CSV."""
    header = next((line for line in text.splitlines() if line.strip()), "").rstrip("\r").split("\t")
    quoted = all(len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in header)
    return path.suffix.lower() in (*TAB_SUFFIXES, ".txt") and len(header) > 1 and not quoted


def find_delimiter(text: str) -> tuple[str, str]:
    """What is between the cells of a table, and its text without a first line that says so, as Excel's `sep=;`.

    It is what gives the most columns that the rows have too.
    """
    declared = re.match(r'"?sep=(.)"?\s*[\r\n]+', text, re.IGNORECASE)
    if declared is not None:
        return declared.group(1), text[declared.end() :]
    found, most = "", 1
    for delimiter in DELIMITERS:
        with suppress(csv.Error):
            lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
            filled = (row for row in lines if any(map(str.strip, row)))
            header, *rows = list(itertools.islice(filled, ROWS_LOOKED_AT)) or [[]]
            n_full = sum(len(row) >= len(header) for row in rows)
            fits = 2 * n_full >= len(rows) and not any(any(row[len(header) :]) for row in rows)
            if fits and len(header) > most:
                found, most = delimiter, len(header)
    if not found:
        first = next((line for line in text.splitlines() if line.strip()), "")
        found = next((delimiter for delimiter in DELIMITERS if delimiter in first), ",")
    return found, text


def _read_cells(path: Path, text: str) -> "pd.DataFrame":
    import pandas as pd  # whoever writes tables, or reads none, need not wait for it

    delimiter, text = find_delimiter(text)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header = next((row for row in lines if any(map(str.strip, row))), [])
    if not header:
        raise ValueError("it is empty")
    width = len(header)
    for row in lines:
        if any(map(str.strip, row[len(header) :])):
            raise DataError(
                f"{path} has {len(row)} cells in line {lines.line_num} and {len(header)} columns: a cell holds "
                f"{'a tab' if delimiter == TAB else repr(delimiter)}; put quotes around that cell."
            )
        width = max(width, len(row))
    table = pd.read_csv(
        io.StringIO(text, newline=""),
        sep=delimiter,
        header=None,
        names=range(width),
        dtype=str,
        keep_default_na=False,
        index_col=False,  # or a comma at each line's end would shift all columns by one
    )
    table = table[table.map(str.strip).any(axis=1)].reset_index(drop=True)
    table, names = table.iloc[1:].reset_index(drop=True), table.iloc[0]
    for number, column in table.items():
        if not names[number].strip() and not column.map(str.strip).any():
            table = table.drop(columns=number)
        elif column.str.startswith("'").any():
            table[number] = column.map(unescape_formula)
    return table.set_axis(_distinct([unescape_formula(names[number]) for number in table]), axis=1)


def _distinct(names: Sequence[str]) -> list[str]:
    """Names of columns as pandas gives them: `label`, `label.1`, and one for those without."""
    counts: Counter[str] = Counter()
    found = []
    for number, name in enumerate(names):
        name = name if name.strip() else f"Unnamed: {number}"
        found.append(f"{name}.{counts[name]}" if counts[name] else name)
        counts[name] += 1
    return found


def _read_tabs(path: Path, text: str) -> "pd.DataFrame":
    import pandas as pd

    lines = text.split("\n" if "\n" in text else "\r")
    header, *rows = [line.rstrip("\r").split("\t") for line in lines if line.strip()] or [[]]
    if not header:
        raise ValueError("it is empty")
    place = header.index(TEXT_COLUMN) if TEXT_COLUMN in header else None
    for number, row in enumerate(rows, start=2):
        surplus = len(row) - len(header)
        if surplus > 0 and place is not None:
            row[place : place + surplus + 1] = ["\t".join(row[place : place + surplus + 1])]
        elif surplus > 0 and not any(row[len(header) :]):
            del row[len(header) :]
        elif surplus > 0 or (surplus < 0 and place is not None):
            raise DataError(
                f"{path} has {len(row)} cells in line {number} and {len(header)} columns: a cell holds a tab or a "
                "line break, or the file is cut off; mend that line."
            )
        row += [""] * -surplus
    table = pd.DataFrame(rows, columns=header, dtype=str)
    return table.loc[:, ~table.columns.duplicated()]


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """A CSV of dictionaries with the same keys, whole or not at all; see `escape_formula`."""
    with written_whole(path) as temporary:
        write_cells(temporary, list(rows[0]), (row.values() for row in rows))


def write_cells(path: Path, header: Sequence[str], rows: Iterable[Iterable[Any]]) -> None:
    """A CSV, row by row as they come; see `escape_formula`."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(map(escape_formula, cells) for cells in itertools.chain([header], rows))


def escape_formula(cell: Any) -> Any:
    """A cell of a CSV as a spreadsheet shows it: an apostrophe before text that it would take for a formula.

    So `=1+1`, `+x`, `-x`, `@x`, and what begins with a tab or a line break. Numbers stay as they are, also those that
    are text. `read_table` takes the apostrophe off again.
    Source: https://owasp.org/www-community/attacks/CSV_Injection.
    """
    if isinstance(cell, str) and FORMULA.match(cell) and not NUMBER.fullmatch(cell):
        return "'" + cell
    return cell


def unescape_formula(cell: str) -> str:
    """What `escape_formula` was given."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell
