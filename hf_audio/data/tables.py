"""Tables of text: CSVs and TSVs, read and written."""

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DataError
from ..files import written_whole

if TYPE_CHECKING:
    import pandas as pd

TAB_SUFFIXES = (".tsv", ".tab")
TABLE_SUFFIXES = (".csv", *TAB_SUFFIXES)


def read_table(path: str | os.PathLike, needed_columns: Sequence[str] = ()) -> "pd.DataFrame":
    """A CSV, or a TSV by its name, as strings.

    Raises:
        DataError: the table is missing, empty, not UTF-8 text or lacks a column.
    """
    import pandas as pd  # whoever writes tables, or reads none, need not wait for it

    path = Path(path)
    # TSVs as Common Voice writes them hold sentences with stray quotes: a tab is a border and a quote is a letter.
    tabs = path.suffix.lower() in TAB_SUFFIXES
    try:
        table = pd.read_csv(
            path,
            sep="\t" if tabs else ",",
            quoting=csv.QUOTE_NONE if tabs else csv.QUOTE_MINIMAL,
            dtype=str,
            keep_default_na=False,
            index_col=False,  # or a comma at each line's end would shift all columns by one
        )
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): check the path.") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path} is not a UTF-8 table with a header ({reason}): repair or export it again.") from error
    for column in needed_columns:
        if column not in table:
            raise DataError(f"{path} has no column {column!r}: its columns are {', '.join(table.columns)}.")
    return table


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """A CSV of dictionaries with the same keys, whole or not at all."""
    with written_whole(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
