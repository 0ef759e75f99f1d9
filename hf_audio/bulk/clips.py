"""Which clips a command line means: files, folders, patterns, tables and standard input."""

import glob
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..data.columns import LABEL_COLUMNS
from ..data.tables import TABLE_SUFFIXES, read_table
from ..errors import DataError
from ..files import AUDIO_SUFFIXES

STANDARD_INPUT = "-"


def find_clips(source: str | os.PathLike, *, unlabelled: bool = False) -> list[dict[str, str]]:
    """The audio files of a folder, at any depth, or the rows of a table with a column `path`, or the one file given.

    A name that is no file's may be a pattern, as `recordings/**/*.wav`, whose folders are searched too. With
    `unlabelled`, only a table's rows whose `number` or `label` is empty; all, where it has no such column. Every row
    has its file's full name as `path`, and whatever else the table says; of Common Voice's tables, whose label is the
    gender, the speaker alone.

    Raises:
        DataError: there is no such folder, table or file, or no such clip in it.
    """
    path = Path(source)
    if not str(source):
        raise DataError("An empty name is no file: give a folder, a table with a column `path`, or a file.")
    if path.is_dir():
        clips = [{"path": file} for file in _search(path)]
    elif path.suffix.lower() == ".tsv" and (voices := _read_voices(path, unlabelled)) is not None:
        clips = voices
    elif path.suffix.lower() in TABLE_SUFFIXES:
        table = read_table(path, ["path"])
        labels = [column for column in LABEL_COLUMNS if column in table]
        if unlabelled:
            for column in labels:
                table = table[table[column].str.strip() == ""]
        rows = table.drop(columns=labels).to_dict("records")
        clips = [{**row, "path": str(path.parent / row["path"].strip())} for row in rows]
    elif str(source) == STANDARD_INPUT or path.exists():
        clips = [{"path": str(source)}]
    else:
        found = (Path(name) for name in sorted(glob.glob(str(source), recursive=True)))
        files = (name for file in found for name in (_search(file) if file.is_dir() else [str(file)]))
        clips = [{"path": name} for name in dict.fromkeys(files) if Path(name).suffix.lower() in AUDIO_SUFFIXES]
    if not clips:
        kind = "unlabelled clips" if unlabelled else "audio files"
        raise DataError(f"{source} holds no {kind}: give a folder, a table with a column `path`, or a file.")
    return clips


def read_labels(source: str | os.PathLike) -> list[str] | None:
    """What a table says of the clips that `find_clips` finds in it; of anything else, nothing.

    Raises:
        DataError: the table cannot be read.
    """
    path = Path(source)
    if path.suffix.lower() not in TABLE_SUFFIXES or not path.is_file():
        return None
    table = read_table(path, ["path"])
    column = next((column for column in LABEL_COLUMNS if column in table), None)
    if column is None:
        return None
    labels = [label.strip() for label in table[column]]
    if column == "label":
        return labels
    return [str(int(float(label))) if label else "" for label in labels]  # pandas writes 14.0 beside empty cells


def _read_voices(path: Path, unlabelled: bool) -> list[dict[str, str]] | None:
    """Of a table of Common Voice, else nothing."""
    from ..corpora.common_voice import SPEAKER_COLUMN, is_common_voice, read_clips  # loads datasets

    if not is_common_voice(path):
        return None
    voices = read_clips(path)
    if unlabelled:
        voices = voices[voices["gender"] == ""]
    return voices.rename(columns={"client_id": SPEAKER_COLUMN})[["path", SPEAKER_COLUMN]].to_dict("records")


def find_all_clips(sources: Sequence[str | os.PathLike]) -> list[dict[str, str]]:
    """The clips of several sources, see `find_clips`, in their order; what comes again is left out.

    Raises:
        DataError: a source holds none.
    """
    clips: dict[tuple, dict[str, str]] = {}
    for source in sources:
        for clip in find_clips(source):
            clips.setdefault(tuple(sorted({**clip, "path": os.path.realpath(clip["path"])}.items())), clip)
    return list(clips.values())


def _search(folder: Path) -> list[str]:
    # Names that begin with a point are not recordings but what systems note about them.
    files = (file for file in folder.rglob("[!.]*") if file.suffix.lower() in AUDIO_SUFFIXES and file.is_file())
    return sorted(map(str, files))


@contextmanager
def open_clips(clips: Sequence[dict[str, str]]) -> Iterator[list[str]]:
    """The names by which the clips can be read: their own, and for standard input that of a copy, while it lasts."""
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "standard input")
        if any(clip["path"] == STANDARD_INPUT for clip in clips):
            with open(copy, "wb") as file:
                shutil.copyfileobj(sys.stdin.buffer, file)
        yield [copy if clip["path"] == STANDARD_INPUT else clip["path"] for clip in clips]
