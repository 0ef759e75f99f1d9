"""Which columns of somebody's table hold the files, the labels, the groups and the split, and what labels they say."""

import logging
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ...errors import DataError
from ...folders import SOUND_SUFFIXES
from ..classes import composed, find_numbering, simple_name
from .tags import holds_lists, split_tags, suspect_tags, unquote

logger = logging.getLogger(__name__)

TRAIN, VALIDATION, TEST = "train", "validation", "test"
# What people call the parts of a data set.
PARTS = {
    **dict.fromkeys(["train", "training"], TRAIN),
    **dict.fromkeys(["validation", "valid", "val", "dev"], VALIDATION),
    **dict.fromkeys(["test", "testing", "eval", "evaluation"], TEST),
}
# What people call columns, the likeliest name first; capitals, blanks and signs in them do not count.
PATH_NAMES = ("path", "file", "filename", "file_name", "fname", "audio")
FURTHER_PATH_NAMES = (
    *("file_path", "audio_path", "audio_file", "audio_filename", "wav", "wav_path", "wav_file", "sound_file"),
    *("slice_file_name", "clip_path", "relative_path", "full_path", "files"),
)
LABEL_NAMES = ("label", "category", "class", "tag", "tags", "labels")
FURTHER_LABEL_NAMES = (
    *("class_name", "label_name", "category_name", "class_label", "primary_label", "classes", "species"),
    *("common_name", "scientific_name", "sound_class", "sound", "event", "keyword", "word", "command", "target", "y"),
)
NUMBER_NAMES = ("number",)  # labels too, where no column has one of those names and a clip has one label
SPLIT_NAMES = ("split", "subset", "part", "set", "partition", "fold", "dataset")
CONFIDENCE_NAMES = ("confidence", "score", "probability", "prob")
SURE_SPLIT_NAMES = ("split", "subset", "partition")  # of nothing else where a cell says train or test
# Of the cells of a column that holds files, whatever its name is, those that end as the names of sounds do.
SOUND_SHARE = 0.9
TRUTHS = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False, "": False}

# What pandas makes of a cell that says nothing when its column becomes text, and what might be that, or a class.
MISSING_LABELS = frozenset({"nan", "<na>"})
DOUBTFUL_LABELS = frozenset({"none", "null", "na", "n/a"})


class Columns(NamedTuple):
    """Names of columns; what is not given is guessed, but for the group, which nobody can guess."""

    path: str | None = None
    labels: Sequence[str] = ()
    """Several, where a clip has several tags: columns of 0 and 1, named as their tags, or columns of tags."""
    group: str | None = None
    """Clips that share its value (recording, speaker) stay on one side of a split."""
    split: str | None = None


def settle_columns(
    source: str,
    table: Mapping[str, Sequence[Any]],
    wanted: Columns,
    *,
    several: bool = False,
    needs_labels: bool = True,
    path_flag: str = "path_column",
) -> Columns:
    """The columns that are meant: those that the user has named, and for the others those with the usual names.

    Args:
        source: of the table, for messages.
        table: cells by column.
        wanted: columns that the user has named.
        several: whether a clip may have several tags.
        needs_labels: whether a table without labels is refused; else it has none.
        path_flag: by which the user names the column of the files.

    Raises:
        DataError: a column is not there, or none is called as such a column usually is.
    """
    names = list(table)
    named_files = [name for name in names if name.lower().endswith(tuple(SOUND_SUFFIXES))]
    if wanted == Columns() and any(holds_sounds(table[name]) for name in named_files):
        raise DataError(
            f"{source} has no header: its first line names {named_files[0]}; write the names of the columns above it, "
            "such as path,label, or path,start,end,label."
        )
    for name in (wanted.path, *wanted.labels, wanted.group, wanted.split):
        if name is not None and name not in names:
            raise DataError(f"{source} has no column {name!r}: its columns are {', '.join(names)}.")
    path = wanted.path or _guess_path(table)
    if path is None:
        raise DataError(_unguessed(source, names, PATH_NAMES, "the files", path_flag))
    split = wanted.split or guess_split(table)
    labels: Sequence[str] = wanted.labels
    if not labels:
        left = [name for name in names if name not in (path, wanted.group, split)]
        usual = guess_label(left, several=several)
        labels = () if usual is None else (usual,)
        if usual is None and several:
            labels = [name for name in left if is_indicator(table[name])]
    if not labels and needs_labels:
        tags = [] if several else [name for name in names if is_indicator(table[name])]
        if len(tags) > 1:
            raise DataError(f"{source} has columns of 0 and 1, {', '.join(tags[:3])}: for tags, add --multi_label.")
        raise DataError(_unguessed(source, names, LABEL_NAMES, "the labels", "label_column"))
    for what, found, named in (("files", path, wanted.path), ("the split", split, wanted.split)):
        if found is not None and found != named:
            logger.info("Column of %s: %s, by its name.", what, found)
    if labels and not wanted.labels:
        logger.info("Column of the labels: %s, by its name.", ", ".join(labels))
    return Columns(path, labels, wanted.group, split)


def _guess_path(table: Mapping[str, Sequence[Any]]) -> str | None:
    """The column that is called as one of files, or else the only one that holds names of sound files."""
    usual = _guess(list(table), (*PATH_NAMES, *FURTHER_PATH_NAMES))
    if usual is not None:
        return usual
    holding = [name for name, cells in table.items() if holds_sounds(cells)]
    return holding[0] if len(holding) == 1 else None


def holds_sounds(cells: Sequence[Any]) -> bool:
    """Whether most cells of a column that say anything are names of sound files."""
    filled = [unquote(cell) for cell in cells if isinstance(cell, str) and cell.strip()]
    n_sounds = sum(cell.lower().endswith(tuple(SOUND_SUFFIXES)) for cell in filled)
    return bool(filled) and n_sounds >= SOUND_SHARE * len(filled)


def guess_split(table: Mapping[str, Sequence[Any]]) -> str | None:
    """The first column that says train and test, whatever else it says, or that says nothing but such words.

    One whose name is surely that of parts is meant where it says one such word: what else it says is then refused by
    `read_parts`, and not trained on as if nobody had divided the rows.
    """
    for usual in SPLIT_NAMES:
        split = _guess(list(table), (usual,))
        values = set() if split is None else {_as_text(cell) for cell in table[split]}
        parts = {PARTS[cell] for cell in values if cell in PARTS}
        if parts and (usual in SURE_SPLIT_NAMES or values <= set(PARTS) or {TRAIN, TEST} <= parts):
            return split
    return None


def read_parts(source: str, column: str, cells: Sequence[Any]) -> list[str]:
    """`TRAIN`, `VALIDATION` or `TEST` of every row.

    Raises:
        DataError: a cell says something else.
    """
    unknown = sorted({_as_text(cell) for cell in cells} - set(PARTS))
    if unknown:
        raise DataError(
            f"{source} has {unknown[0]!r} in its column {column!r}: the split may say {', '.join(PARTS)}; rename "
            "it, or name another column with --split_column."
        )
    return [PARTS[_as_text(cell)] for cell in cells]


def read_labels(
    source: str, table: Mapping[str, Sequence[Any]], columns: Sequence[str], *, several: bool
) -> Sequence[str | list[str]]:
    """The label of every row, which may be empty, or with `several` its tags.

    Tags are the names of columns that say 1, and what stands in columns of tags: lists, or text, see `split_tags`.
    Labels that look like several tags each are warned of.

    Raises:
        DataError: one label is asked for, and there are several columns or lists of several; or a cell begins as a
            list and is none.
    """
    if several:
        return _read_tags(source, table, columns)
    cells = table[columns[0]]
    if len(columns) > 1 or any(isinstance(cell, list) for cell in cells):
        raise DataError(f"{source} has several labels a clip in {', '.join(columns)}: add --multi_label.")
    texts = list(map(read_label, cells))
    if holds_lists(texts):
        rows, _ = split_tags(source, columns[0], texts)
        if any(len(row) > 1 for row in rows):
            raise DataError(f"{source} has lists of labels in its column {columns[0]!r}: add --multi_label.")
        return [composed("".join(row)) for row in rows]
    labels = [composed(unquote(text)) for text in texts]
    doubt = suspect_tags(labels)
    if doubt is not None:
        logger.warning("%s: %s; if so, add --multi_label, else each is taken for a class.", source, doubt)
    for name, count in Counter(label for label in labels if label.casefold() in DOUBTFUL_LABELS).items():
        logger.warning(
            "%s: %r is taken for a class, of %d clips: if it tells that there is no label, leave these cells empty.",
            source,
            name,
            count,
        )
    return labels


def read_label(cell: Any) -> str:
    """What a cell of a column of labels says, nothing where pandas has written that it says nothing."""
    text = "" if cell is None else str(cell)
    return "" if text.strip().casefold() in MISSING_LABELS else text


def read_class_order(
    table: Mapping[str, Sequence[Any]], columns: Sequence[str], labels: Sequence[str | list[str]]
) -> list[str] | None:
    """The classes in the order of a column that numbers the labels, see `find_numbering`; `None` without one."""
    numbering = find_numbering(table, columns, labels)
    if numbering is None:
        return None
    logger.info("Ids of the classes: as the column %s numbers them.", numbering[0])
    return numbering[1]


def _read_tags(source: str, table: Mapping[str, Sequence[Any]], columns: Sequence[str]) -> list[list[str]]:
    rows: list[list[str]] = [[] for _ in table[columns[0]]]
    for column in columns:
        cells = table[column]
        if is_indicator(cells):
            found = [[column] if TRUTHS[_as_text(cell)] else [] for cell in cells]
        elif any(isinstance(cell, list) for cell in cells):
            found = [list(map(str, cell)) if isinstance(cell, list) else [] for cell in cells]
        else:
            found, doubt = split_tags(source, column, list(map(read_label, cells)))
            if doubt is not None:
                logger.warning("%s.", doubt.rstrip("."))
        for tags, more in zip(rows, found, strict=True):
            tags += map(composed, more)
    return rows


def find_confidences(table: Mapping[str, Sequence[Any]]) -> str | None:
    """The column that tells how sure a network was of each row, by its name, if it holds probabilities."""
    column = _guess(list(table), CONFIDENCE_NAMES)
    try:
        values = {float(_as_text(cell).replace(",", ".") or "nan") for cell in table[column]} if column else set()
    except ValueError:
        return None
    filled = {value for value in values if not math.isnan(value)}
    return column if len(filled) > 1 and min(filled) >= 0 and max(filled) <= 1 else None


def is_indicator(cells: Sequence[Any]) -> bool:
    """Whether a column says of every clip whether it has the column's tag; one that says nothing at all does not."""
    values = {_as_text(cell) for cell in cells}
    return values <= set(TRUTHS) and bool(values - {""})


def _as_text(cell: Any) -> str:
    return str(cell).strip().casefold()


def guess_label(names: Sequence[str], *, several: bool = False) -> str | None:
    """The column of a table with the likeliest name of a column of labels, in capitals or not.

    several: whether a clip may have several tags; a number is then none of them.
    """
    usual = (*LABEL_NAMES, *FURTHER_LABEL_NAMES)
    return _guess(names, usual if several else (*usual, *NUMBER_NAMES))


def _guess(names: Sequence[str], usual: Sequence[str]) -> str | None:
    by_name = {simple_name(name): name for name in reversed(names)}
    return next((by_name[name] for name in map(simple_name, usual) if name in by_name), None)


def _unguessed(source: str, names: Sequence[str], usual: Sequence[str], what: str, flag: str) -> str:
    return (
        f"{source} has no column that is called as one of {what} usually is ({', '.join(usual)}); its columns are "
        f"{', '.join(names)}: add --{flag} NAME."
    )
