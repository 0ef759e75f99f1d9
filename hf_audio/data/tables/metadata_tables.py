"""The Hub's `metadata.jsonl` and `metadata.parquet` as tables of text.

See https://huggingface.co/docs/datasets/audio_dataset.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import DataError

if TYPE_CHECKING:
    import pandas as pd

LINES_SUFFIX = ".jsonl"
# Other Parquet files hold sounds, and not the names of files.
PARQUET_NAME = "metadata.parquet"


def is_metadata_table(path: Path) -> bool:
    """Whether a file is such a table, by its name."""
    return path.suffix.lower() == LINES_SUFFIX or path.name.casefold() == PARQUET_NAME


def read_metadata_table(path: Path) -> "pd.DataFrame":
    """Objects of JSON, a line each, or the rows of a Parquet file, as strings; lists are written as JSON.

    Raises:
        DataError: a line is no such object, or it is no Parquet file.
        OSError: the file cannot be read.
    """
    import pandas as pd  # whoever writes tables, or reads none, need not wait for it

    rows = _read_lines(path) if path.suffix.lower() == LINES_SUFFIX else _read_parquet(path)
    if not rows:
        raise DataError(f"{path} holds no rows: give a row for each recording.")
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pd.DataFrame([[_as_text(row.get(name)) for name in names] for row in rows], columns=names, dtype=str)


def _read_lines(path: Path) -> list[dict[str, Any]]:
    rows = []
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text: export it again.") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise DataError(f'{path} has no JSON object in line {number}: write {{"file_name": ..., "label": ...}}.')
        rows.append(row)
    return rows


def _read_parquet(path: Path) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as file:
            return pq.read_table(file).to_pylist()
    except pa.ArrowInvalid as error:
        raise DataError(f"{path} is no Parquet file ({error}): export it again.") from error


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)
