"""Tables and folders to `datasets.Dataset`: which clips there are, and what they are labelled."""

import logging
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
from datasets import ClassLabel, Dataset, concatenate_datasets

from ..audio.loading import load_audio
from ..errors import AudioError, DataError
from ..folders import FOREIGN_REMEDY, FolderSearch, find_folders, name_some, search_folder
from ..models.configuration_audio_cnn import NONE_OF_THESE
from .classes import composed, order_classes
from .tables.clip_tables import read_clip_table
from .tables.columns import Columns, read_class_order
from .tables.tags import SEPARATOR, unquote
from .tables.text_tables import is_table

logger = logging.getLogger(__name__)

# True where no person has checked the label, which a model or whoever uploaded the clip has given: nothing is judged
# by it.
UNVERIFIED_COLUMN = "unverified"
# Probabilities of every class, trained on in the place of the label where an audit has doubts about it.
BELIEVED_COLUMN = "believed"
# Probabilities that a teacher has given every class, learnt beside the label.
TAUGHT_COLUMN = "taught"
# True where there is no label at all, until a teacher has answered in its place.
UNLABELLED_COLUMN = "unlabelled"
# Contents of audio files, where a data set comes with them and not with files; `path` is then a name.
ENCODED_COLUMN = "encoded"
# Of rows that are parts of recordings: from which second of the file to which; what sounds there, as onset, offset and
# class from the row's start on; and up to which of the row's seconds all that sounds is told.
START_COLUMN, END_COLUMN, EVENTS_COLUMN, COMPLETE_COLUMN = "start", "end", "events", "complete"
NO_DIGIT = -1  # each digit of the label of a clip that holds no number; the loss of the models knows it
# What the functions below write; a table's own columns of these names would be overwritten.
OWN_COLUMNS = frozenset(
    {
        *("path", "label", "index", "audio", "problem"),
        *(UNVERIFIED_COLUMN, BELIEVED_COLUMN, TAUGHT_COLUMN, UNLABELLED_COLUMN, ENCODED_COLUMN),
    }
)


def from_rows(
    paths: Sequence[str | os.PathLike],
    labels: Sequence[Any],
    columns: Mapping[str, Sequence[Any]] | None = None,
    classes: Sequence[str] | None = None,
) -> Dataset:
    """A data set with the columns `path`, `label` (a `ClassLabel`) and any further ones.

    Rows that repeat a path and its label are dropped with a warning. classes: the names that exist, in their order; by
    default those that occur, as `order_classes` has them.

    Raises:
        DataError: no rows, fewer than two classes, one path under two labels, a label that is not among `classes`, or
            a further column with a name that this package uses.
    """
    table = _unique_rows(paths, [str(label).strip() for label in labels], columns or {})
    names = order_classes(table["label"]) if classes is None else list(classes)
    if len(names) < 2:
        raise DataError(f"All clips carry the one label {names[0]!r}: a classifier needs at least two classes.")
    unknown = table[~table["label"].isin(names)]
    if len(unknown):
        label, path = unknown.iloc[0][["label", "path"]]
        raise DataError(f"{path} has the label {label!r}, which is none of the {len(names)} classes: mend the table.")
    table["label"] = table["label"].map({name: number for number, name in enumerate(names)})
    features = Dataset.from_pandas(table, preserve_index=False).features
    features["label"] = ClassLabel(names=names)
    return Dataset.from_pandas(table, features=features, preserve_index=False)


def from_tagged_rows(
    paths: Sequence[str | os.PathLike],
    tags: Sequence[Sequence[str]],
    columns: Mapping[str, Sequence[Any]] | None = None,
    classes: Sequence[str] | None = None,
) -> Dataset:
    """As `from_rows`, of clips with several tags each: `label` is a list of `ClassLabel`.

    Raises:
        DataError: as `from_rows`.
    """
    table = _unique_rows(paths, [tuple(sorted({tag.strip() for tag in row} - {""})) for row in tags], columns or {})
    names = list(classes or order_classes(tag for row in table["label"] for tag in row))
    if len(names) < 2:
        raise DataError(f"All clips carry the tags {names}: a tagger needs at least two different ones.")
    numbers = {name: number for number, name in enumerate(names)}
    table["label"] = [[numbers[tag] for tag in row] for row in table["label"]]
    features = Dataset.from_pandas(table.drop(columns="label"), preserve_index=False).features
    features["label"] = datasets.List(ClassLabel(names=names))
    return Dataset.from_pandas(table[list(features)], features=features, preserve_index=False)


def as_rows(dataset: Dataset) -> Dataset:
    """A data set of whoever made it, as the functions above give theirs.

    A column `audio`, as of the Hub's data sets, becomes `path` and `ENCODED_COLUMN`; labels that are plain numbers or
    texts become a `ClassLabel` of their names, in the order of `order_classes`.

    Raises:
        DataError: there are no recordings or no labels, or labels of another kind.
    """
    if not isinstance(dataset, Dataset):
        raise DataError(f"The data set is a {type(dataset).__name__}: give one datasets.Dataset, such as one split.")
    named = f"its columns are {', '.join(dataset.column_names)}"
    if "label" not in dataset.column_names:
        raise DataError(f"The data set has no column 'label', {named}: rename the one of the labels.")
    audio_columns = [name for name, feature in dataset.features.items() if isinstance(feature, datasets.Audio)]
    if len(audio_columns) == 1:
        dataset = _take_recordings(dataset, audio_columns[0])
    if "path" not in dataset.column_names:
        raise DataError(
            f"The data set has no column 'path' and {len(audio_columns)} of datasets.Audio, {named}: give the names "
            "of files, or one column of audio."
        )
    for name in sorted({"audio", "index", "problem"} & set(dataset.column_names)):
        raise DataError(f"The further column {name!r} has a name that is used otherwise: rename it.")
    if isinstance(dataset.features["label"], ClassLabel | datasets.List):
        return dataset
    return _name_classes(dataset)


def _take_recordings(dataset: Dataset, column: str) -> Dataset:
    """`path` and `ENCODED_COLUMN` in the place of a column of audio."""
    plain = dataset.with_format(None).cast_column(column, datasets.Audio(decode=False))
    plain = plain.select_columns([name for name in plain.column_names if name != "path"]).flatten()
    files = zip(plain[f"{column}.path"], plain[f"{column}.bytes"], strict=True)
    paths = [
        name if name and contents is None else f"{row}-{Path(name or 'clip').name}"
        for row, (name, contents) in enumerate(files)
    ]
    plain = plain.remove_columns(f"{column}.path").rename_column(f"{column}.bytes", ENCODED_COLUMN)
    return plain.add_column("path", paths)


def _name_classes(dataset: Dataset) -> Dataset:
    """Labels that are plain numbers or texts as a `ClassLabel`."""
    kind = getattr(dataset.features["label"], "dtype", type(dataset.features["label"]).__name__)
    if not str(kind).startswith(("int", "uint", "string", "large_string", "bool")):
        raise DataError(f"The column 'label' holds {kind}: give whole numbers, texts, or a ClassLabel.")
    labels = dataset.with_format(None)["label"][:]
    missing = sum(label is None for label in labels)
    if missing:
        raise DataError(f"{missing} rows of the data set have no label: leave them out, as by Dataset.filter.")
    values = order_classes(labels) if all(isinstance(label, str) for label in labels) else sorted(set(labels))
    if len(values) < 2:
        raise DataError(f"All clips carry the one label {values[0]!r}: a classifier needs at least two classes.")
    numbers = {value: number for number, value in enumerate(values)}
    plain = dataset.remove_columns("label").with_format(None)
    feature = ClassLabel(names=[str(value) for value in values])
    return plain.add_column("label", [numbers[label] for label in labels], feature=feature)


def class_names(dataset: Dataset) -> list[str] | None:
    """Names of the classes or tags; `None` of a data set of numbers."""
    feature = dataset.features["label"]
    feature = feature.feature if isinstance(feature, datasets.List) else feature
    return feature.names if isinstance(feature, ClassLabel) else None


def has_tags(dataset: Dataset) -> bool:
    """Whether a clip may have several labels."""
    return isinstance(dataset.features["label"], datasets.List) and class_names(dataset) is not None


def part_columns(dataset: Dataset) -> list[str]:
    """`START_COLUMN` and `END_COLUMN`, where rows are parts of recordings, and not the whole; else none."""
    names = [START_COLUMN, END_COLUMN]
    return names if {*names, EVENTS_COLUMN} <= set(dataset.column_names) else []


def tag_matrix(tags: Sequence[Sequence[int]], n_tags: int) -> np.ndarray:
    """Indices of each clip's tags -> (clips, tags) float32 of 1 and 0."""
    matrix = np.zeros((len(tags), n_tags), dtype=np.float32)
    for row, row_tags in zip(matrix, tags, strict=True):
        row[list(row_tags)] = 1
    return matrix


def _unique_rows(
    paths: Sequence[str | os.PathLike],
    labels: Sequence[str] | Sequence[tuple[str, ...]],
    columns: Mapping[str, Sequence[Any]],
) -> pd.DataFrame:
    taken = sorted(OWN_COLUMNS & set(columns))
    if taken:
        raise DataError(f"The further column {taken[0]!r} has a name that is used otherwise: rename it.")
    for path in map(str, paths):
        if not _is_text(path):
            shown = path.encode("utf-8", "backslashreplace").decode()
            raise DataError(f"{shown} has a name, or a folder's, that is not UTF-8: rename it.")
    table = pd.DataFrame({"path": [str(path) for path in paths], "label": labels, **columns})
    repeated = table.duplicated(["path", "label"])
    if repeated.any():
        logger.warning(
            "%d rows repeat a file that is already listed, %s for one; they are left out.",
            repeated.sum(),
            table["path"][repeated].iloc[0],
        )
        table = table[~repeated]
    if len(table) == 0:
        raise DataError("The data set has no rows: check the path and the table.")
    conflicting = table["path"][table["path"].duplicated()]
    if len(conflicting):
        path = conflicting.iloc[0]
        labels_of_file = table["label"][table["path"] == path]
        both = " and ".join(
            sorted(label if isinstance(label, str) else SEPARATOR.join(label) for label in labels_of_file)
        )
        raise DataError(f"{path} is listed under two labels, {both}: keep one of the rows.")
    return table


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes of another encoding, which Python keeps as surrogates
        return False
    return True


def load_table(
    path: str | os.PathLike,
    *,
    audio_dir: str | os.PathLike | None = None,
    path_column: str | None = None,
    label_column: str | None = None,
    needed_columns: Sequence[str] = (),
) -> Dataset:
    """A CSV, or a TSV by its name, with a column of file names and one of labels, as `from_rows` gives it.

    Columns that are not given go by their names, see `settle_columns`. Further columns are kept, but for those whose
    names this package uses itself; `needed_columns` must be among them. Relative names are looked up in `audio_dir`,
    by default the table's own folder. Classes are in the order of a column that numbers them, as ESC-50's `target`.

    Raises:
        DataError: the table is missing, empty, not UTF-8 text or lacks a column; and as `from_rows`.
    """
    columns = Columns(path_column, () if label_column is None else (label_column,))
    files, labels, others = _labelled_rows(Path(path), columns, audio_dir, needed_columns)
    return from_rows(files, labels, others, classes=read_class_order(others, (), labels))


def _labelled_rows(
    path: Path, columns: Columns, audio_dir: str | os.PathLike | None = None, needed_columns: Sequence[str] = ()
) -> tuple[list[Path], list[str], dict[str, list[str]]]:
    """Files, labels and further columns."""
    table = read_clip_table(path, columns, audio_dir=audio_dir, needs_labels=True)
    for column in needed_columns:
        if column not in table.cells:
            raise DataError(f"{path} has no column {column!r}: its columns are {', '.join(table.cells)}.")
    (label_column,) = table.columns.labels
    labels = table.cells[label_column]
    labels = [composed(unquote(label)) for label in labels]
    kept = [row for row, label in enumerate(labels) if label]
    if len(kept) < len(labels):
        logger.warning("%d rows of %s have no label; they are left out.", len(labels) - len(kept), path)
    names = [name for name in table.cells if name not in (table.columns.path, label_column)]
    dropped = sorted(OWN_COLUMNS & set(names))
    if dropped:
        logger.warning("Columns of %s that are left out, because their names are used here: %s.", path, dropped)
    others = {name: [table.cells[name][row] for row in kept] for name in names if name not in dropped}
    return [table.files[row] for row in kept], [labels[row] for row in kept], others


def load_numbers(path: str | os.PathLike, n_digits: int, number_column: str = "number") -> Dataset:
    """As `load_table`, of spoken numbers: `label` holds a number's digits, (n_digits,), 38 being 0, 0, 0, 0, 3, 8.

    Of a clip that holds no such number, "none of these" in the table, all of them are -1.

    Raises:
        DataError: a number is negative, fractional, longer than `n_digits` or none at all; and as `load_table`, but
            that one number alone will do.
    """
    return Dataset.from_pandas(_number_rows(Path(path), n_digits, number_column), preserve_index=False)


def _number_rows(path: Path, n_digits: int, number_column: str) -> pd.DataFrame:
    files, numbers, others = _labelled_rows(path, Columns(labels=(number_column,)))
    texts = [NONE_OF_THESE if number == NONE_OF_THESE else _digits(number, n_digits, path) for number in numbers]
    table = _unique_rows(files, texts, others)
    table["label"] = [
        [NO_DIGIT] * n_digits if text == NONE_OF_THESE else [int(digit) for digit in text] for text in table["label"]
    ]
    return table


def _digits(text: str, n_digits: int, path: str | os.PathLike) -> str:
    try:
        value = float(text)  # pandas writes a column with gaps as 14.0
    except ValueError:
        value = math.nan
    if not (value.is_integer() and 0 <= value < 10**n_digits):
        raise DataError(
            f"{path} has the number {text!r}: give whole numbers from 0 to {10**n_digits - 1}, {NONE_OF_THESE!r} "
            "where a clip holds another one or none, or nothing where a clip is unlabelled."
        )
    return f"{int(value):0{n_digits}d}"


def join_rows(parts: Sequence[Dataset]) -> Dataset:
    """The rows of all parts one after the other, with the columns that all of them have."""
    shared = [name for name in parts[0].column_names if all(name in part.column_names for part in parts)]
    return concatenate_datasets([part.select_columns(shared) for part in parts])


def add_guessed(dataset: Dataset, path: str | os.PathLike) -> Dataset:
    """The data set, and behind it the clips of a table that `hf-audio pseudo-label` has written.

    `UNVERIFIED_COLUMN` is true of those. Further columns of text (speaker, recording) are filled from the table, or
    else with values of each clip's own; other columns are dropped. Clips that the data set holds already are left out.

    Raises:
        DataError: a label that the data set does not have, or no clip that is new; and as `load_table`.
    """
    feature = dataset.features["label"]
    if isinstance(feature, ClassLabel):
        files, names, others = _labelled_rows(Path(path), Columns("path", ("label",)))
        unknown = sorted(set(names) - set(feature.names))
        if unknown:
            raise DataError(f"{path} has the label {unknown[0]!r}, which the data set does not have: remove its rows.")
        table = _unique_rows(files, names, others)
        table["label"] = table["label"].map({name: number for number, name in enumerate(feature.names)})
    else:
        table = _number_rows(Path(path), len(dataset[0]["label"]), "number")
    table = _new_rows(dataset, table)
    if table.empty:
        raise DataError(f"{path} names only clips that are labelled already: give a table of unlabelled ones.")
    return _append_unverified(dataset, table)


def add_unlabelled(dataset: Dataset, files: Sequence[str | os.PathLike]) -> Dataset:
    """The data set, and behind it clips without a label.

    `UNLABELLED_COLUMN` and `UNVERIFIED_COLUMN` are true of those. Their label is that of the first class until
    `employ_teacher` gives them one. Clips that the data set holds already are left out; further columns are as those
    of `add_guessed`.

    Raises:
        DataError: no clip is new.
    """
    table = _new_rows(dataset, pd.DataFrame({"path": [str(file) for file in files]}).drop_duplicates())
    if table.empty:
        raise DataError("All clips without a label are clips that have one already: give others.")
    together = _append_unverified(dataset, table.assign(label=0))
    unlabelled = np.zeros(len(together), dtype=bool)
    unlabelled[len(dataset) :] = True
    return together.add_column(UNLABELLED_COLUMN, unlabelled)


def _new_rows(dataset: Dataset, table: pd.DataFrame) -> pd.DataFrame:
    known_files = {os.path.abspath(file) for file in dataset["path"][:]}
    return table[[os.path.abspath(file) not in known_files for file in table["path"]]].copy()


def _append_unverified(dataset: Dataset, table: pd.DataFrame) -> Dataset:
    """The data set, and behind it rows of `path`, `label` and perhaps its columns of text, as unverified ones."""
    before = np.asarray(dataset[UNVERIFIED_COLUMN][:]) if UNVERIFIED_COLUMN in dataset.column_names else False
    believed = None
    if BELIEVED_COLUMN in dataset.column_names:
        believed = dataset[BELIEVED_COLUMN][:]
        dataset = dataset.remove_columns(BELIEVED_COLUMN)
    further = set(dataset.column_names) - {"path", "label"}
    dataset = dataset.remove_columns([name for name in further if "string" not in dataset.features[name].dtype])
    for name in set(dataset.column_names) - set(table):
        table[name] = [f"guessed-{path}" for path in table["path"]]
    guessed = Dataset.from_pandas(table[dataset.column_names], features=dataset.features, preserve_index=False)
    unverified = np.zeros(len(dataset) + len(guessed), dtype=bool)
    unverified[len(dataset) :] = True
    unverified[: len(dataset)] = before
    together = concatenate_datasets([dataset, guessed]).add_column(UNVERIFIED_COLUMN, unverified)
    if believed is None:
        return together
    certain = np.eye(len(believed[0]))[guessed["label"][:]]
    return together.add_column(BELIEVED_COLUMN, [*believed, *certain.tolist()])


def load_class_folders(directory: str | os.PathLike) -> Dataset:
    """A folder with one folder of audio files a class, searched to any depth, as `from_rows` gives it.

    Raises:
        DataError: the folder is missing or holds no audio in class folders; and as `from_rows`.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise DataError(f"{directory} is not a folder: give the folder that holds one folder a class.")
    found = FolderSearch()
    for folder in find_folders(directory):
        found.extend(search_folder(folder))
    report_left_out(found)
    if not found.audio and found.unreadable:
        raise DataError(
            f"{directory} holds recordings of kinds that are not read, {name_some(found.unreadable)}: "
            f"{FOREIGN_REMEDY}."
        )
    if not found.audio:
        raise DataError(f"{directory} holds no audio files in class folders, such as {directory / 'dog' / '1.wav'}.")
    return from_rows(found.audio, [file.relative_to(directory).parts[0] for file in found.audio])


def report_left_out(found: FolderSearch) -> None:
    """Warn of what is not read of folders, and say how it could be."""
    for sentence in found.left_out():
        logger.warning("%s", sentence)
    others = [file for file in found.others if not is_table(file)]
    if others:
        logger.warning("%d files are no audio by their names, %s for one; left out.", len(others), others[0])


def find_noises(directory: str | os.PathLike) -> list[str]:
    """The audio files of a folder, at any depth, that can be read; of others it is said that they are left out.

    Raises:
        DataError: there is none.
    """
    found = search_folder(directory)
    for sentence in found.left_out():
        logger.warning("%s", sentence)
    files = []
    for file in found.audio:
        try:
            load_audio(file, 8000)
            files.append(str(file))
        except AudioError as error:
            logger.warning("Left out: %s", error)
    if not files:
        raise DataError(f"{directory} holds no audio that can be read: give a folder of recordings.")
    return files
