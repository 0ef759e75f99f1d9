"""Normal recordings, and anomalies to test on where there are some: what names, folders or a table tell of each."""

import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import DataError
from ..folders import RealPaths, search_folder
from ..models.configuration_audio_cnn import ANOMALY, NORMAL
from ..remote.paths import as_path
from .collection import Collection, name_groups, read_parts_of
from .layouts.part_names import read_part_name
from .layouts.reading import read_recordings
from .rows import from_rows, report_left_out
from .tables.clip_tables import ClipTable
from .tables.columns import TEST, TRAIN, Columns, guess_label
from .tables.text_tables import is_table

logger = logging.getLogger(__name__)

# What folders, files and labels call them.
NORMAL_WORDS = frozenset({"normal", "normals"})
ANOMALY_WORDS = frozenset({"abnormal", "anomalies", "anomalous", "anomaly"})
TRUE_CELLS, FALSE_CELLS = ("1", "1.0", "true", "yes"), ("0", "0.0", "false", "no", "")
WORD = re.compile(r"[^\W\d_]+")  # without a number, as of normal12
# A machine, or what differs of one: `section_00` of DCASE 2021 and later, `id_00` of DCASE 2020 and MIMII.
SECTION = re.compile(r"(?<![^\W_])(?:section|id)_?\d+(?![^\W_])", re.IGNORECASE)
SECTION_COLUMN = "section"
SECTION_NAMES = (SECTION_COLUMN, "machine", "machine_id", "machine_type")  # of tables


@dataclass
class NormalRecordings:
    """Recordings with what they are: `NORMAL` or `ANOMALY`."""

    name: str
    paths: list[str]
    labels: list[str]
    """Of each, "" where nothing tells it."""
    parts: list[str]
    sections: list[str]
    """Machines, or parts of one, "" where nothing tells them."""
    groups: list[str] | None
    """Recordings or sessions, by the user's column."""
    columns: Columns
    messages: list[str]

    def select(self, rows: Sequence[int] | np.ndarray) -> "NormalRecordings":
        """These alone."""
        return replace(
            self,
            paths=[self.paths[row] for row in rows],
            labels=[self.labels[row] for row in rows],
            parts=[self.parts[row] for row in rows],
            sections=[self.sections[row] for row in rows],
            groups=None if self.groups is None else [self.groups[row] for row in rows],
        )


def read_normal_recordings(
    source: str | os.PathLike, columns: Columns | None = None, audio_dir: str | os.PathLike | None = None
) -> NormalRecordings:
    """The recordings of a folder or of a table, and which are normal.

    Of a folder, names tell it: those of folders, as `test/anomaly`, or of files, as DCASE's task 2 has them,
    `section_00_source_test_anomaly_0001.wav`. Recordings that nothing is said of are normal where nothing is said of
    any, in a part to train on, or else anomalies, if folders of others are called normal. A table tells it by its
    labels, all others than normal being anomalies, or by a column of 0 and 1 that is called anomaly.

    Args:
        source: the folder, or the CSV or TSV.
        columns: of the table, those that the user has named.
        audio_dir: where the table's files are.

    Raises:
        DataError: there are no recordings, or no normal ones to train on.
    """
    source, columns = as_path(source), columns or Columns()
    if is_table(source) and not source.is_dir():
        return _read_table(source, columns, audio_dir)
    if not source.is_dir():
        raise DataError(f"{source} is neither a folder nor a CSV or TSV: give what holds or names the recordings.")
    if columns != Columns() or audio_dir is not None:
        return _read_table(source, columns, audio_dir)
    return _read_folder(source)


def load_normal_collection(
    source: str | os.PathLike, columns: Columns | None = None, audio_dir: str | os.PathLike | None = None
) -> Collection:
    """The collection of two classes of `read_normal_recordings`; all anomalies are to test on.

    Raises:
        DataError: as there.
    """
    found = read_normal_recordings(source, columns, audio_dir)
    for sentence in found.messages:
        logger.info("%s", sentence)
    if ANOMALY not in found.labels:
        logger.info("Nothing in %s is called an anomaly: %d recordings count as normal.", source, len(found.paths))
    labels, parts = np.array(found.labels, dtype=object), np.array(found.parts, dtype=object)
    kept = labels != ""
    if not kept.all():
        logger.warning(
            "%d recordings are left out: nothing tells whether they are normal, %s for one.",
            int((~kept).sum()),
            found.paths[int(np.flatnonzero(~kept)[0])],
        )
    strays = kept & (labels == ANOMALY) & (parts != TEST)
    if strays.any() and (parts == TEST).any():
        logger.warning("%d anomalies are not in the test part, and are left out.", int(strays.sum()))
        kept &= ~strays
    parts[strays] = TEST
    parts[parts != TEST] = TRAIN  # nothing is chosen by validation clips: they are trained on
    rows = np.flatnonzero(kept)
    if not ((labels == NORMAL) & (parts == TRAIN) & kept).any():
        raise DataError(f"{found.name} has no normal recording to train on: call their folder, say, normal.")
    found = found.select(rows)
    further = {SECTION_COLUMN: found.sections} if len(set(found.sections)) > 1 else {}
    group = found.columns.group
    if group is not None and found.groups is not None and group != SECTION_COLUMN:
        further[group] = found.groups
    dataset = from_rows(found.paths, found.labels, further, classes=[NORMAL, ANOMALY])
    by_path = dict(zip(found.paths, parts[rows], strict=True))
    row_parts = np.array([by_path[path] for path in dataset["path"][:]], dtype=object)
    split = "The test clips are those that the data came with." if (row_parts == TEST).any() else ""
    return Collection(found.name, dataset, row_parts, split, found.columns)


def read_condition(text: str) -> str | None:
    """`NORMAL` or `ANOMALY`, where a name or a label says one of them."""
    words = {word.casefold() for word in WORD.findall(text)}
    labels = [
        label for label, label_words in ((NORMAL, NORMAL_WORDS), (ANOMALY, ANOMALY_WORDS)) if words & label_words
    ]
    return labels[0] if len(labels) == 1 else None


def _read_folder(source: Path) -> NormalRecordings:
    searched = search_folder(source)
    report_left_out(searched)
    real_path = RealPaths()
    files = sorted({real_path(file): file for file in reversed(searched.audio)}.values())
    if not files:
        raise DataError(f"{source} holds no recordings that can be read: give a folder of WAV or FLAC files.")
    places = [file.relative_to(source) for file in files]
    named_labels = [_told_by(place) for place in places]
    parts = [_part_of(place) for place in places]
    messages = []
    trained = [place for place, part in zip(places, parts, strict=True) if part == TRAIN]
    named, train_named = (any(_is_named(place) for place in some) for some in (places, trained))
    if not any(named_labels):
        tables = [file for file in searched.others if is_table(file)]
        if len(tables) == 1:
            return _read_table(source, Columns(), None)
        named_labels = [NORMAL] * len(files)
    elif named and None in named_labels:
        other = sorted(
            {
                str(place.parent)
                for place, named_label, part in zip(places, named_labels, parts, strict=True)
                if not named_label and part != TRAIN
            }
        )
        messages.append(f"Recordings in {', '.join(other[:5])} count as anomalies, as others are called normal.")
    # What nothing is said of: to train on, it is normal, or else not the folder's that is called so.
    unsaid = ANOMALY if named else ""
    labels = [
        named_label or (NORMAL if part == TRAIN and not train_named else unsaid)
        for named_label, part in zip(named_labels, parts, strict=True)
    ]
    return NormalRecordings(
        source.name or str(source),
        [str(file) for file in files],
        labels,
        [part or TRAIN for part in parts],
        [_section_of(place) for place in places],
        None,
        Columns(),
        messages,
    )


def _is_named(place: Path) -> bool:
    """Whether a folder is called normal."""
    return any(read_condition(folder) == NORMAL for folder in place.parts[:-1])


def _told_by(place: Path) -> str | None:
    """By the file's name, or by the nearest folder that says it."""
    names = (place.stem, *reversed(place.parts[:-1]))
    return next((label for name in names if (label := read_condition(name)) is not None), None)


def _part_of(place: Path) -> str | None:
    for name in (*place.parts[:-1], place.stem):
        found = read_part_name(name)
        if found is not None:
            return found[0]
    return None


def _section_of(place: Path) -> str:
    """The folders that tell neither part nor condition, and the section in the file's name."""
    folders = [name for name in place.parts[:-1] if read_part_name(name) is None and read_condition(name) is None]
    folders = [name for name in folders if name.casefold() not in ("audio", "data", "wav")]
    found = SECTION.search(place.stem)
    return " ".join([*folders, *([found.group()] if found else [])])


def _read_table(source: Path, columns: Columns, audio_dir: str | os.PathLike | None) -> NormalRecordings:
    found = read_recordings(source, columns, audio_dir=audio_dir, needs_labels=False)
    table = found.table
    labels = _labels_of(table, columns)
    parts = read_parts_of(table)
    group = table.columns.group
    groups = None if group is None else name_groups(table.column(group))
    named = next((name for name in table.cells if name.strip().casefold() in SECTION_NAMES), None)
    if named is None and TEST in parts:  # machines that are trained on and tested on
        named = group
    sections = [""] * len(labels) if named is None else [str(cell) for cell in table.column(named)]
    files = [str(file) for file in table.files]
    return NormalRecordings(found.name, files, labels, parts, sections, groups, table.columns, list(found.messages))


def _labels_of(table: ClipTable, wanted: Columns) -> list[str]:
    """Of every row; where no column tells it, all are normal."""
    marked = next((name for name in table.cells if read_condition(name) == ANOMALY), None)
    column = wanted.labels[0] if wanted.labels else marked or guess_label(list(table.cells))
    if column is None and table.columns.labels:
        column = table.columns.labels[0]  # names of folders
    if column is None:
        return [NORMAL] * len(table.files)
    cells = [str(cell).strip() for cell in table.column(column)]
    plain = [cell.casefold() for cell in cells]
    if set(plain) <= {*TRUE_CELLS, *FALSE_CELLS}:
        flag = read_condition(column) != NORMAL  # a 1 says that it is so
        return [ANOMALY if (cell in TRUE_CELLS) == flag else NORMAL for cell in plain]
    conditions = [read_condition(cell) for cell in cells]
    if NORMAL not in conditions and ANOMALY not in conditions:
        return [NORMAL] * len(cells)  # names of machines
    return [condition or (ANOMALY if cell else "") for condition, cell in zip(conditions, cells, strict=True)]
