"""Common Voice's tables: which clips there are, who speaks in them and of which gender."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ...remote.paths import as_path
from .text_tables import TAB_SUFFIXES, read_table

if TYPE_CHECKING:
    import pandas as pd

# As older and newer releases write it. Whatever else stands there, or nothing, is no label.
GENDERS = {"female": "female", "female_feminine": "female", "male": "male", "male_masculine": "male"}
SPEAKER_COLUMN = "speaker"  # of data sets; `client_id` in the tables
NEEDED_COLUMNS = ("client_id", "path", "gender")


def read_voice_table(path: str | os.PathLike, audio_dir: str | os.PathLike | None = None) -> "pd.DataFrame":
    """A table of Common Voice as strings, each file's full name as `path`; `gender` is "female", "male" or empty.

    The files lie in `audio_dir`, by default the folder `clips` beside the table.

    Sentences may hold quotes, which are letters here, and tabs, see `read_table`.

    Raises:
        DataError: the table is missing, empty or not UTF-8 text, lacks a column, or has a row with too few cells.
    """
    table = read_table(path, NEEDED_COLUMNS)
    folder = as_path(path).parent / "clips" if audio_dir is None else as_path(audio_dir)
    table["path"] = [str(folder / name.strip()) for name in table["path"]]
    table["gender"] = table["gender"].str.strip().str.lower().map(GENDERS).fillna("")
    return table


def is_voice_table(path: Path) -> bool:
    """Whether a table is one of Common Voice's, by its name and header."""
    if path.suffix.lower() not in TAB_SUFFIXES:
        return False
    try:
        with path.open(encoding="utf-8-sig") as file:
            header = file.readline().rstrip("\r\n").split("\t")
    except (OSError, UnicodeDecodeError):
        return False
    return set(NEEDED_COLUMNS) <= set(header)
