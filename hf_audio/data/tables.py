"""Tables of text: CSVs and TSVs, read and written."""

import csv
import itertools
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DataError
from ..files import written_whole
from .metadata_tables import is_metadata_table, read_metadata_table

if TYPE_CHECKING:
    import pandas as pd

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
    """A CSV, or a TSV by its name, as strings; cells that are missing at the end of a row are empty.

    The cells of a CSV may be quoted, and semicolons may stand between them, as spreadsheets write it in countries with
    a decimal comma. In a TSV a tab is a border and a quote is a letter; what a row has more of than the header belongs
    to its `sentence`. An apostrophe of `write_rows`, see `escape_formula`, is taken off.

    Raises:
        DataError: the table is missing, empty, not UTF-8 text, lacks a column or has a row with too many cells.
    """
    path = Path(path)
    try:
        if is_metadata_table(path):
            table = read_metadata_table(path)
        else:
            table = _read_tabs(path) if path.suffix.lower() in TAB_SUFFIXES else _read_commas(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): check the path.") from error
    except ValueError as error:  # of pandas, and UnicodeDecodeError
        if isinstance(error, DataError):
            raise
        reason = " ".join(str(error).split())
        raise DataError(f"{path} is not a UTF-8 table with a header ({reason}): repair or export it again.") from error
    for column in needed_columns:
        if column not in table:
            remedy = ""
            if len(table.columns) == 1 and path.suffix.lower() in TAB_SUFFIXES:
                remedy = "; export it with tabs between the columns"
            raise DataError(f"{path} has no column {column!r}: its columns are {', '.join(table.columns)}{remedy}.")
    return table


def _read_commas(path: Path) -> "pd.DataFrame":
    import pandas as pd  # whoever writes tables, or reads none, need not wait for it

    with path.open(encoding="utf-8-sig") as file:
        header = file.readline()
    table = pd.read_csv(
        path,
        sep=";" if ";" in header and "," not in header else ",",
        dtype=str,
        keep_default_na=False,
        index_col=False,  # or a comma at each line's end would shift all columns by one
    )
    for name, column in table.items():
        if column.str.startswith("'").any():
            table[name] = column.map(unescape_formula)
    return table.rename(columns=unescape_formula)


def _read_tabs(path: Path) -> "pd.DataFrame":
    import pandas as pd

    lines = path.read_text(encoding="utf-8-sig").split("\n")
    header, *rows = [line.rstrip("\r").split("\t") for line in lines if line.strip()] or [[]]
    if not header:
        raise ValueError("it is empty")
    text = header.index(TEXT_COLUMN) if TEXT_COLUMN in header else None
    for number, row in enumerate(rows, start=2):
        surplus = len(row) - len(header)
        if surplus > 0 and text is not None:
            row[text : text + surplus + 1] = ["\t".join(row[text : text + surplus + 1])]
        elif surplus > 0 and not any(row[len(header) :]):
            del row[len(header) :]
        elif surplus > 0 or (surplus < 0 and text is not None):
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
