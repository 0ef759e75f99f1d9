"""Tables and folders to `datasets.Dataset`, splits that keep groups whole, and decoded audio cached on disk."""

import csv
import hashlib
import json
import logging
import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pyarrow.compute as pc
import soundfile
from datasets import ClassLabel, Dataset, concatenate_datasets
from sklearn.model_selection import StratifiedGroupKFold, StratifiedShuffleSplit

from .audio import EXTENSIONS, AudioError, from_int16, load_audio, to_int16, unreadable

logger = logging.getLogger(__name__)

# True where no person has checked the label, which a model or whoever uploaded the clip has given: nothing is judged
# by it.
UNVERIFIED_COLUMN = "unverified"
# What the functions below write; a table's own columns of these names would be overwritten.
OWN_COLUMNS = frozenset({"path", "label", "index", "audio", "problem", UNVERIFIED_COLUMN})

SEPARATOR = ","  # of the tags of one clip, in tables

# Raised whenever the bytes in the cache would come out differently.
CACHE_VERSION = 1


class DataError(ValueError):
    """A data set that cannot be used; the message is one sentence with the file or argument and the remedy."""


def from_rows(
    paths: Sequence[str | os.PathLike],
    labels: Sequence[Any],
    columns: Mapping[str, Sequence[Any]] | None = None,
    classes: Sequence[str] | None = None,
) -> Dataset:
    """A data set with the columns `path`, `label` (a `ClassLabel`) and any further ones.

    Rows that repeat a path and its label are dropped with a warning. classes: the names that exist, in their order; by
    default those that occur, sorted.

    Raises:
        DataError: no rows, fewer than two classes, one path under two labels, a label that is not among `classes`, or
            a further column with a name that this package uses.
    """
    table = _unique_rows(paths, [str(label).strip() for label in labels], columns or {})
    names = sorted(set(table["label"])) if classes is None else list(classes)
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
    joined = [SEPARATOR.join(sorted({tag.strip() for tag in row} - {""})) for row in tags]
    table = _unique_rows(paths, joined, columns or {})
    table["label"] = [label.split(SEPARATOR) if label else [] for label in table["label"]]
    names = sorted({tag for row in table["label"] for tag in row}) if classes is None else list(classes)
    if len(names) < 2:
        raise DataError(f"All clips carry the tags {names}: a tagger needs at least two different ones.")
    numbers = {name: number for number, name in enumerate(names)}
    table["label"] = [[numbers[tag] for tag in row] for row in table["label"]]
    features = Dataset.from_pandas(table.drop(columns="label"), preserve_index=False).features
    features["label"] = datasets.List(ClassLabel(names=names))
    return Dataset.from_pandas(table[list(features)], features=features, preserve_index=False)


def class_names(dataset: Dataset) -> list[str] | None:
    """Names of the classes or tags; `None` of a data set of numbers."""
    feature = dataset.features["label"]
    feature = feature.feature if isinstance(feature, datasets.List) else feature
    return feature.names if isinstance(feature, ClassLabel) else None


def has_tags(dataset: Dataset) -> bool:
    """Whether a clip may have several labels."""
    return isinstance(dataset.features["label"], datasets.List) and class_names(dataset) is not None


def tag_matrix(tags: Sequence[Sequence[int]], n_tags: int) -> np.ndarray:
    """Indices of each clip's tags -> (clips, tags) float32 of 1 and 0."""
    matrix = np.zeros((len(tags), n_tags), dtype=np.float32)
    for row, own in zip(matrix, tags, strict=True):
        row[list(own)] = 1
    return matrix


def _unique_rows(
    paths: Sequence[str | os.PathLike], labels: Sequence[str], columns: Mapping[str, Sequence[Any]]
) -> pd.DataFrame:
    taken = sorted(OWN_COLUMNS & set(columns))
    if taken:
        raise DataError(f"The further column {taken[0]!r} has a name that is used otherwise: rename it.")
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
        both = " and ".join(sorted(table["label"][table["path"] == path]))
        raise DataError(f"{path} is listed under two labels, {both}: keep one of the rows.")
    return table


def load_table(
    path: str | os.PathLike,
    *,
    audio_dir: str | os.PathLike | None = None,
    path_column: str = "path",
    label_column: str = "label",
    needed_columns: Sequence[str] = (),
    classes: Sequence[str] | None = None,
    tagged: bool = False,
) -> Dataset:
    """A CSV, or a TSV by its name, with a column of file names and one of labels, as `from_rows` gives it.

    With `tagged`, the labels are several tags with commas between, and what comes back is as of `from_tagged_rows`.

    Further columns are kept, but for those whose names this package uses itself; `needed_columns` must be among them.
    Relative names are looked up in `audio_dir`, by default the table's own folder.

    Raises:
        DataError: the table is missing, empty, not UTF-8 text or lacks a column; and as `from_rows`.
    """
    files, labels, others = _labelled_rows(Path(path), audio_dir, path_column, label_column, needed_columns)
    if tagged:
        return from_tagged_rows(files, [label.split(SEPARATOR) for label in labels], others)
    return from_rows(files, labels, others, classes)


def _labelled_rows(
    path: Path,
    audio_dir: str | os.PathLike | None,
    path_column: str,
    label_column: str,
    needed_columns: Sequence[str] = (),
) -> tuple[list[Path], list[str], dict[str, list[str]]]:
    """Files, labels and further columns."""
    table = read_table(path, (path_column, label_column, *needed_columns))
    unlabelled = table[label_column].str.strip() == ""
    if unlabelled.any():
        logger.warning("%d rows of %s have no label; they are left out.", unlabelled.sum(), path)
        table = table[~unlabelled]
    folder = Path(audio_dir) if audio_dir is not None else path.parent
    names = [name for name in table if name not in (path_column, label_column)]
    dropped = sorted(OWN_COLUMNS & set(names))
    if dropped:
        logger.warning("Columns of %s that are left out, because their names are used here: %s.", path, dropped)
    others = {name: table[name].tolist() for name in names if name not in dropped}
    return [folder / name.strip() for name in table[path_column]], table[label_column].tolist(), others


def read_table(path: str | os.PathLike, needed_columns: Sequence[str] = ()) -> pd.DataFrame:
    """A CSV, or a TSV by its name, as strings.

    Raises:
        DataError: the table is missing, empty, not UTF-8 text or lacks a column.
    """
    path = Path(path)
    # TSVs as Common Voice writes them hold sentences with stray quotes: a tab is a border and a quote is a letter.
    tabs = path.suffix.lower() in (".tsv", ".tab")
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


def load_numbers(path: str | os.PathLike, n_digits: int, number_column: str = "number") -> Dataset:
    """As `load_table`, of spoken numbers: `label` holds a number's digits, (n_digits,), 38 being 0, 0, 0, 0, 3, 8.

    Raises:
        DataError: a number is negative, fractional, longer than `n_digits` or none at all; and as `load_table`, but
            that one number alone will do.
    """
    return Dataset.from_pandas(_number_rows(Path(path), n_digits, number_column), preserve_index=False)


def _number_rows(path: Path, n_digits: int, number_column: str) -> pd.DataFrame:
    files, numbers, others = _labelled_rows(path, None, "path", number_column)
    table = _unique_rows(files, [_digits(number, n_digits, path) for number in numbers], others)
    table["label"] = [[int(digit) for digit in digits] for digits in table["label"]]
    return table


def _digits(text: str, n_digits: int, path: str | os.PathLike) -> str:
    try:
        value = float(text)  # pandas writes a column with gaps as 14.0
    except ValueError:
        value = math.nan
    if not (value.is_integer() and 0 <= value < 10**n_digits):
        raise DataError(
            f"{path} has the number {text!r}: give whole numbers from 0 to {10**n_digits - 1}, or nothing where a "
            "clip is unlabelled."
        )
    return f"{int(value):0{n_digits}d}"


def add_guessed(dataset: Dataset, path: str | os.PathLike) -> Dataset:
    """The data set, and behind it the clips of a table that `hf-audio pseudo-label` has written.

    `UNVERIFIED_COLUMN` is true of those. Further columns of text (speaker, recording) are filled from the table, or
    else with values of each clip's own; other columns are dropped. Clips that the data set holds already are left out.

    Raises:
        DataError: a label that the data set does not have, or no clip that is new; and as `load_table`.
    """
    feature = dataset.features["label"]
    if isinstance(feature, ClassLabel):
        files, names, others = _labelled_rows(Path(path), None, "path", "label")
        unknown = sorted(set(names) - set(feature.names))
        if unknown:
            raise DataError(f"{path} has the label {unknown[0]!r}, which the data set does not have: remove its rows.")
        table = _unique_rows(files, names, others)
        table["label"] = table["label"].map({name: number for number, name in enumerate(feature.names)})
    else:
        table = _number_rows(Path(path), len(dataset[0]["label"]), "number")
    known = {os.path.abspath(file) for file in dataset["path"]}
    table = table[[os.path.abspath(file) not in known for file in table["path"]]]
    if table.empty:
        raise DataError(f"{path} names only clips that are labelled already: give a table of unlabelled ones.")
    before = np.asarray(dataset[UNVERIFIED_COLUMN][:]) if UNVERIFIED_COLUMN in dataset.column_names else False
    further = set(dataset.column_names) - {"path", "label"}
    dataset = dataset.remove_columns([name for name in further if "string" not in dataset.features[name].dtype])
    for name in set(dataset.column_names) - set(table):
        table[name] = [f"guessed-{row}" for row in range(len(table))]
    guessed = Dataset.from_pandas(table[dataset.column_names], features=dataset.features, preserve_index=False)
    unverified = np.zeros(len(dataset) + len(guessed), dtype=bool)
    unverified[len(dataset) :] = True
    unverified[: len(dataset)] = before
    return concatenate_datasets([dataset, guessed]).add_column(UNVERIFIED_COLUMN, unverified)


def load_class_folders(directory: str | os.PathLike) -> Dataset:
    """A folder with one folder of audio files a class, searched to any depth, as `from_rows` gives it.

    Raises:
        DataError: the folder is missing or holds no audio in class folders; and as `from_rows`.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise DataError(f"{directory} is not a folder: give the folder that holds one folder a class.")
    found = [file for file in sorted(directory.glob("*/**/*")) if file.is_file() and not file.name.startswith(".")]
    files = [file for file in found if file.suffix.lower() in EXTENSIONS]
    if len(files) < len(found):
        other = next(file for file in found if file.suffix.lower() not in EXTENSIONS)
        logger.warning("%d files are no audio by their names, %s for one; left out.", len(found) - len(files), other)
    if not files:
        raise DataError(f"{directory} holds no audio files in class folders, such as {directory / 'dog' / '1.wav'}.")
    return from_rows(files, [file.relative_to(directory).parts[0] for file in files])


def find_noises(directory: str | os.PathLike) -> list[str]:
    """The audio files of a folder, at any depth, that can be read; of others it is said that they are left out.

    Raises:
        DataError: there is none.
    """
    files = []
    for file in sorted(Path(directory).rglob("*")):
        if file.suffix.lower() in EXTENSIONS and file.is_file():
            try:
                load_audio(file, 8000)
                files.append(str(file))
            except AudioError as error:
                logger.warning("Left out: %s", error)
    if not files:
        raise DataError(f"{directory} holds no audio that can be read: give a folder of recordings.")
    return files


def download_and_extract(url: str) -> Path:
    """The folder of an archive's contents, fetched with a progress bar and kept in the `datasets` cache.

    Raises:
        DataError: the archive cannot be fetched or unpacked.
    """
    try:
        return Path(datasets.DownloadManager().download_and_extract(url))
    except Exception as error:  # DownloadManager lets those of a dozen libraries through
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"--download could not fetch {url} ({reason}): check the network, or fetch and unpack it by hand and pass "
            "--data_dir."
        ) from error


def split_held_out(dataset: Dataset, held_out: Sequence[np.ndarray], group_column: str | None = None) -> list[Dataset]:
    """Training clips, and those of each mask, (clips,) of bool.

    With `group_column` (speaker, recording), clips that share its value with a held-out one are not trained on.

    Raises:
        DataError: a part would be empty, or no training clip of a class is left.
    """
    tested = np.any(held_out, axis=0)
    trained = ~tested
    if group_column is not None:
        groups = np.asarray(dataset[group_column])
        trained &= ~np.isin(groups, groups[tested])
    if not all(mask.any() for mask in held_out) or not trained.any():
        raise DataError(f"The split leaves no clips to {'test' if trained.any() else 'train'} on: check the data.")
    n_dropped = len(dataset) - tested.sum() - trained.sum()
    if n_dropped:
        logger.warning(
            "%d clips are not trained on: they share their %s with held-out clips.", n_dropped, group_column
        )
    parts = [dataset.select(np.flatnonzero(rows)) for rows in (trained, *held_out)]
    if isinstance(dataset.features["label"], ClassLabel):
        _check_classes(*parts)
    return parts


def _check_classes(train: Dataset, *tests: Dataset) -> None:
    counts = class_counts(train)
    tested = [class_counts(test) for test in tests]
    missing = [name for name, count in counts.items() if count == 0]
    untaught = [name for name in missing if any(test[name] for test in tested)]
    if untaught:
        raise DataError(
            f"No training clip of {', '.join(untaught)}: add some, or leave the class out of the test clips."
        )
    if missing:
        logger.warning("No clip at all, so these are never learnt and never judged: %s.", ", ".join(missing))
    single = [name for name, count in counts.items() if count == 1]
    if single:
        logger.warning("One training clip only, too few to learn from: %s. Add clips.", ", ".join(single))


def split_validation(
    dataset: Dataset, fraction: float, seed: int, group_column: str | None = None
) -> tuple[Dataset, Dataset]:
    """The data set in two, the second with about `fraction` of the rows, classes in their proportions.

    With `group_column` (speaker, recording), no group is on both sides, and the share is that of one of
    `round(1 / fraction)` folds of whole groups. A class with one clip stays in the first part, with a warning. Clips
    whose label nobody has verified count for nothing; they are in the first part, or, of a group in the second, in
    none.

    Raises:
        DataError: a fraction outside (0, 0.5], or too few clips or groups to split.
    """
    if not 0 < fraction <= 0.5:
        raise DataError(f"The validation fraction {fraction} must lie between 0 and 0.5.")
    rows = np.arange(len(dataset))
    unverified = np.zeros(len(dataset), dtype=bool)
    if UNVERIFIED_COLUMN in dataset.column_names:
        unverified = np.asarray(dataset[UNVERIFIED_COLUMN], dtype=bool)
        rows = rows[~unverified]
    if len(rows) == 0:
        raise DataError("No training clip has a verified label to validate by: leave --validation_fraction at 0.")
    named = isinstance(dataset.features["label"], ClassLabel)
    labels = np.asarray(dataset["label"])[rows] if named else np.zeros(len(rows), dtype=int)
    if group_column is None:
        counts = np.bincount(labels, minlength=labels.max() + 1)
        single = counts[labels] < 2
        if single.any():
            names = ", ".join(sorted({dataset.features["label"].int2str(int(i)) for i in labels[single]}))
            logger.warning("One clip only, so trained on and not validated: %s.", names)
        rows, labels = rows[~single], labels[~single]
        n_classes = len(set(labels.tolist()))
        n_validation = max(round(fraction * len(rows)), n_classes)
        if n_classes == 0 or len(rows) - n_validation < n_classes:
            raise DataError(f"{len(dataset)} clips are too few to hold out {fraction:g} of them for validation.")
        splitter = StratifiedShuffleSplit(1, test_size=n_validation, random_state=seed)
        _, validation = next(splitter.split(rows, labels))
    else:
        if group_column not in dataset.column_names:
            raise DataError(f"There is no column {group_column!r} to group by: {', '.join(dataset.column_names)}.")
        all_groups = np.asarray(dataset[group_column])
        groups = all_groups[rows]
        if len(set(groups.tolist())) < 2:
            raise DataError(f"Only one {group_column} is left: a validation part needs another one.")
        # scikit-learn asks for as many clips of the most frequent class as there are folds.
        n_folds = max(2, min(round(1 / fraction), len(set(groups.tolist())), np.bincount(labels).max()))
        splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
        _, validation = next(splitter.split(rows, labels, groups))
    validated = np.zeros(len(dataset), dtype=bool)
    validated[rows[validation]] = True
    left_out = validated
    if group_column is not None:
        left_out = validated | (unverified & np.isin(all_groups, all_groups[validated]))
    return dataset.select(np.flatnonzero(~left_out)), dataset.select(np.flatnonzero(validated))


def cache_audio(dataset: Dataset, sampling_rate: int, *, strict: bool = False) -> tuple[Dataset, list[dict[str, str]]]:
    """Decode and resample every `path` once, into a memory-mapped column `audio` of 16-bit samples.

    Kept in the `datasets` cache under a name made of the files' names, sizes and times, so a changed file is decoded
    again and an unchanged one never, whatever its label. Adds `index`, a row's number, from which its random draws
    come.

    Returns:
        The data set without the files that cannot be used, and those as `{"path", "reason"}`.

    Raises:
        DataError: `strict` and a file cannot be used, or no file can, or there is no room for what is decoded.
        OSError: the cache folder cannot be made.
    """
    if len(dataset) == 0:
        raise DataError("There are no clips in the training or the test part: check the split.")
    digest = hashlib.sha256(json.dumps([CACHE_VERSION, soundfile.__libsndfile_version__, sampling_rate]).encode())
    for path in dataset["path"]:
        found: list[Any] = [path]
        with suppress(OSError):  # the missing file is reported when it is decoded
            status = os.stat(path)
            found += [status.st_size, status.st_mtime_ns]
        digest.update(json.dumps(found).encode())
    folder = Path(datasets.config.HF_DATASETS_CACHE) / "hf_audio"
    folder.mkdir(parents=True, exist_ok=True)
    workers = min(os.cpu_count() or 1, max(1, len(dataset) // 200))
    try:
        decoded = dataset.select_columns("path").map(
            _decode,
            fn_kwargs={"sampling_rate": sampling_rate},
            remove_columns="path",
            features=datasets.Features(audio=datasets.Value("binary"), problem=datasets.Value("string")),
            new_fingerprint=digest.hexdigest()[:32],
            cache_file_name=str(folder / f"{digest.hexdigest()[:32]}.arrow"),
            num_proc=workers if workers > 1 else None,
            desc=f"Decoding to {sampling_rate} Hz",
        )
    except OSError as error:
        raise DataError(
            f"The decoded clips cannot be kept in {folder} ({error.strerror or error}): make room there, or set "
            "HF_HOME to a folder on another disk."
        ) from error
    problems = decoded["problem"][:]
    pairs = zip(dataset["path"][:], problems, strict=True)
    skipped = [{"path": path, "reason": problem} for path, problem in pairs if problem]
    if any(Path(row["path"]).exists() and row["reason"].startswith(unreadable(row["path"])) for row in skipped):
        # Not the file's fault: the next run shall look again.
        for file in decoded.cache_files:
            with suppress(OSError):  # Windows does not delete what is mapped
                Path(file["filename"]).unlink()
    if skipped and strict:
        raise DataError(f"{len(skipped)} files cannot be used and --strict is on; the first: {skipped[0]['reason']}")
    if len(skipped) == len(dataset):
        raise DataError(f"None of the {len(dataset)} files can be used; the first: {skipped[0]['reason']}")
    usable = [row for row, problem in enumerate(problems) if not problem]
    cached = concatenate_datasets([dataset, decoded.remove_columns("problem")], axis=1)
    return cached.add_column("index", np.arange(len(cached))).select(usable), skipped


def _decode(row: dict[str, Any], sampling_rate: int) -> dict[str, Any]:
    # Bytes and not a list of numbers: datasets turns a list into Python objects at every access.
    try:
        waveform = load_audio(row["path"], sampling_rate)
        samples = to_int16(waveform)
        if not samples.any():
            raise AudioError(f"{row['path']} is silent, every sample is zero: record it again or leave it out.")
    except AudioError as error:
        return {"audio": b"", "problem": str(error)}
    return {"audio": samples.tobytes(), "problem": ""}


def longest_clip(cached: Dataset) -> tuple[str, int]:
    """The path and the samples of the longest clip that `cache_audio` has given."""
    lengths = [
        pc.binary_length(batch["audio"]).to_numpy() // 2 for batch in cached.with_format("arrow").iter(batch_size=1000)
    ]
    samples = np.concatenate(lengths)
    row = int(samples.argmax())
    return cached[row]["path"], int(samples[row])


def check_lengths(cached: Dataset, sampling_rate: int, clip_seconds: float) -> None:
    """Refuse clips of more than `clip_seconds`, where half a clip is something else than the whole.

    Raises:
        DataError: there is one.
    """
    path, samples = longest_clip(cached)
    if samples > clip_seconds * sampling_rate:
        raise DataError(
            f"{path} lasts {samples / sampling_rate:.1f} s, more than the {clip_seconds:g} s in which a number is "
            "read as a whole: cut it, or leave it out."
        )


def cached_waveform(audio: bytes) -> np.ndarray:
    """A cell of `cache_audio`'s column `audio` -> (samples,) float32."""
    return from_int16(np.frombuffer(audio, dtype="<i2"))


def class_counts(dataset: Dataset) -> dict[str, int]:
    """How many clips each class has."""
    counts = Counter(dataset["label"][:])
    return {name: counts[number] for number, name in enumerate(dataset.features["label"].names)}
