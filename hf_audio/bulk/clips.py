"""Which clips a command line means: files, folders, patterns, tables and standard input."""

import glob
import itertools
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..data.annotations.time_columns import has_times
from ..data.layouts.reading import read_recordings
from ..data.layouts.recordings import PART_CELLS
from ..data.tables.columns import NUMBER_NAMES, Columns, read_label
from ..data.tables.text_tables import is_table
from ..data.tables.voice_tables import SPEAKER_COLUMN, is_voice_table, read_voice_table
from ..errors import DataError
from ..folders import SOUND_SUFFIXES, RealPaths, is_hidden, is_readable, name_some, search_folder
from ..remote.addresses import is_remote, public_name
from ..remote.listing import find_remote, list_remote
from ..remote.paths import as_path
from .answers import TRUTH_COLUMNS, free_name

logger = logging.getLogger(__name__)

STANDARD_INPUT = "-"


def find_clips(
    source: str | os.PathLike,
    columns: Columns | None = None,
    *,
    audio_dir: str | os.PathLike | None = None,
    unlabelled: bool = False,
) -> list[dict[str, str]]:
    """The recordings of a folder, at any depth, or those that a table names, or the one file given.

    Of a folder, what is sound by its name, whether it can be read or not. A name that is no file's may be a pattern,
    as `recordings/**/*.wav`, whose folders are searched too. Every clip has its file's full name as `path`, and
    whatever else a table says, `client_id` of Common Voice's tables as `speaker`.

    Args:
        source: a folder, a table, a file, a pattern or `STANDARD_INPUT`.
        columns: of a table, those that the user has named; the others go by their names, see `settle_columns`.
        audio_dir: where a table's files are, by default beside it.
        unlabelled: of a table, only the rows whose labels are empty, without the columns of labels and of names; all
            rows, where it has no labels.

    Raises:
        DataError: there is no such folder, table or file, or no such clip in it, or columns are named of what is no
            table.
    """
    if _is_table(source):
        clips, labels = _read_table(as_path(source), columns, audio_dir, unlabelled)
        if unlabelled and labels is not None:
            clips = [clip for clip, label in zip(clips, labels, strict=True) if not label]
    else:
        _refuse_columns([source], columns, audio_dir)
        clips = [{"path": file} for file in _find_files(source)]
    if not clips:
        kind = "unlabelled clips" if unlabelled else "audio files"
        raise DataError(f"{source} holds no {kind}: give a folder, a table that names files, or a file.")
    return clips


def find_all_clips(
    sources: Sequence[str | os.PathLike],
    columns: Columns | None = None,
    *,
    audio_dir: str | os.PathLike | None = None,
) -> list[dict[str, str]]:
    """The clips of several sources, see `find_clips`, in their order; what comes again is left out.

    Raises:
        DataError: a source holds none, or columns are named and no source is a table.
    """
    _refuse_columns(sources, columns, audio_dir)
    clips: dict[tuple, dict[str, str]] = {}
    real_path = RealPaths()
    for source in sources:
        found = find_clips(source, columns, audio_dir=audio_dir) if _is_table(source) else find_clips(source)
        for clip in found:
            clips.setdefault(tuple(sorted({**clip, "path": real_path(clip["path"])}.items())), clip)
    return list(clips.values())


def is_searched(source: str | os.PathLike) -> bool:
    """Whether a source is a folder or a pattern, which may hold other clips another time."""
    if os.path.isdir(source):
        return True
    if _is_table(source) or str(source) == STANDARD_INPUT or os.path.exists(source):
        return False
    return glob.has_magic(str(source)) or as_path(source).suffix.lower() not in SOUND_SUFFIXES


def find_examples(
    source: str | os.PathLike, columns: Columns | None = None, *, audio_dir: str | os.PathLike | None = None
) -> tuple[list[str], list[str] | None]:
    """The files to check an export on, and what a table says of each, "" where nothing; nothing of other sources.

    Of a folder or a pattern, recordings of kinds that are not read are left out, with a warning.

    Raises:
        DataError: as `find_clips`.
    """
    if _is_table(source):
        clips, labels = _read_table(Path(source), columns, audio_dir)
        if not clips:
            raise DataError(f"{source} has no rows: give a table that names files.")
        return [clip["path"] for clip in clips], labels
    files = [clip["path"] for clip in find_clips(source, columns, audio_dir=audio_dir)]
    read = [file for file in files if is_readable(file) or Path(file).suffix.lower() not in SOUND_SUFFIXES]
    if 0 < len(read) < len(files):  # of none that is read, it is told when one of them is
        left_out = [Path(file) for file in files if file not in read]
        logger.warning("Of a kind that is not read, and left out: %s.", name_some(left_out))
    return read or files, None


def _is_table(source: str | os.PathLike) -> bool:
    return is_table(as_path(source)) and not os.path.isdir(source)


def _refuse_columns(
    sources: Sequence[str | os.PathLike], columns: Columns | None, audio_dir: str | os.PathLike | None
) -> None:
    """Refuse columns where none of the sources is a table."""
    if (columns not in (None, Columns()) or audio_dir is not None) and not any(map(_is_table, sources)):
        raise DataError(f"{sources[0]} is no table, and columns are of a table: give the table, or leave them out.")


def _read_table(
    path: Path, columns: Columns | None, audio_dir: str | os.PathLike | None, unlabelled: bool = False
) -> tuple[list[dict[str, str]], list[str] | None]:
    """The clips of a table, and the label of each, or none where it has no labels."""
    if columns in (None, Columns()) and is_voice_table(path):
        voices = read_voice_table(path, audio_dir).rename(columns={"client_id": SPEAKER_COLUMN})
        kept = voices[["path", SPEAKER_COLUMN]] if unlabelled else voices
        return kept.to_dict("records"), voices["gender"].tolist()
    table = read_recordings(path, columns, audio_dir=audio_dir, needs_labels=False).table
    n_files = len(set(table.files))
    if n_files < len(table.files) and has_times(path):
        logger.warning(
            "%s names %d recordings in %d rows with times: each row is judged as the whole recording, whatever its "
            "times.",
            path,
            n_files,
            len(table.files),
        )
    label_columns = table.columns.labels
    if unlabelled:
        dropped = {"path", table.columns.path, *TRUTH_COLUMNS, *label_columns}
        further = {name: cells for name, cells in table.cells.items() if name not in dropped}
    else:
        further = dict(table.cells)
    further.pop(PART_CELLS, None)
    if not unlabelled:
        path_cells = further.pop("path", None)
        if path_cells is not None and table.columns.path != "path":
            further[free_name("table_path", further)] = path_cells
    rows = zip(table.files, *further.values(), strict=True)
    clips = [dict(zip(("path", *further), map(str, row), strict=True)) for row in rows]
    if not label_columns:
        return clips, None
    rows_of_labels = zip(*map(table.column, label_columns), strict=True)
    labels = [next(filter(None, map(read_label, cells)), "") for cells in rows_of_labels]
    if label_columns[0].casefold() in NUMBER_NAMES:
        labels = [_plain_number(label) for label in labels]
    return clips, labels


def _plain_number(text: str) -> str:
    try:
        return str(int(float(text)))  # pandas writes 14.0 beside empty cells
    except (ValueError, OverflowError):
        return text


def _find_files(source: str | os.PathLike) -> list[str]:
    """Names of the files of a folder or of a pattern, or the one file."""
    if not str(source):
        raise DataError("An empty name is no file: give a folder, a table or a file.")
    if is_remote(source):
        return _find_remote(str(source))
    if os.path.isdir(source):
        found = search_folder(source)
        for sentence in found.losses():
            logger.warning("%s", sentence)
        return [str(file) for file in found.files if file.suffix.lower() in SOUND_SUFFIXES]
    if str(source) == STANDARD_INPUT or os.path.exists(source):
        return [str(source)]
    names = sorted(glob.glob(str(source), recursive=True))
    files = (file for name in names for file in (_find_files(name) if os.path.isdir(name) else [name]))
    return [file for file in dict.fromkeys(files) if Path(file).suffix.lower() in SOUND_SUFFIXES]


def _find_remote(address: str) -> list[str]:
    """Addresses of the files below one, or of a pattern, or the one file, which then is not looked for."""
    if glob.has_magic(address.partition("?")[0] if address.lower().startswith("http") else address):
        found = find_remote(address)
    elif as_path(public_name(address)).suffix.lower() in SOUND_SUFFIXES:
        return [address]
    else:
        found = list_remote(address)
    # What was asked for by name may be hidden: the parts before the first one of a pattern.
    depth = sum(1 for _ in itertools.takewhile(lambda part: not glob.has_magic(part), as_path(address).parts))
    named = [file for file in found if as_path(file).suffix.lower() in SOUND_SUFFIXES]
    return [file for file in named if not any(map(is_hidden, as_path(file).parts[depth:]))]


@contextmanager
def open_clips(clips: Sequence[dict[str, str]]) -> Iterator[list[str]]:
    """The names by which the clips can be read: their own, and for standard input that of a copy, while it lasts."""
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "standard input")
        if any(clip["path"] == STANDARD_INPUT for clip in clips):
            with open(copy, "wb") as file:
                shutil.copyfileobj(sys.stdin.buffer, file)
        yield [copy if clip["path"] == STANDARD_INPUT else clip["path"] for clip in clips]
