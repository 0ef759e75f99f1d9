"""Which columns of somebody's table hold the files, the labels, the groups and the split, and what labels they say."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..errors import DataError

logger = logging.getLogger(__name__)

TRAIN, VALIDATION, TEST = "train", "validation", "test"
# What people call the parts of a data set.
PARTS = {
    **dict.fromkeys(["train", "training"], TRAIN),
    **dict.fromkeys(["validation", "valid", "val", "dev"], VALIDATION),
    **dict.fromkeys(["test", "testing", "eval", "evaluation"], TEST),
}
# What people call columns, the likeliest name first.
PATH_NAMES = ("path", "file", "filename", "file_name", "fname", "audio")
LABEL_NAMES = ("label", "category", "class", "tag", "tags", "labels")
NUMBER_NAMES = ("number",)  # labels too, where no column has one of those names and a clip has one label
SPLIT_NAMES = ("split", "subset", "part")
SEPARATOR = ","  # of the tags of one clip
TRUTHS = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False, "": False}


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
    for name in (wanted.path, *wanted.labels, wanted.group, wanted.split):
        if name is not None and name not in names:
            raise DataError(f"{source} has no column {name!r}: its columns are {', '.join(names)}.")
    path = wanted.path or _guess(names, PATH_NAMES)
    if path is None:
        raise DataError(_unguessed(source, names, PATH_NAMES, "the files", path_flag))
    split = wanted.split or _guess_split(table)
    labels: Sequence[str] = wanted.labels
    if not labels:
        left = [name for name in names if name not in (path, wanted.group, split)]
        usual = guess_label(left, several=several)
        labels = () if usual is None else (usual,)
        if usual is None and several:
            labels = [name for name in left if _is_indicator(table[name])]
    if not labels and needs_labels:
        raise DataError(_unguessed(source, names, LABEL_NAMES, "the labels", "label_column"))
    for what, found, named in (("files", path, wanted.path), ("the split", split, wanted.split)):
        if found is not None and found != named:
            logger.info("Column of %s: %s, by its name.", what, found)
    if labels and not wanted.labels:
        logger.info("Column of the labels: %s, by its name.", ", ".join(labels))
    return Columns(path, labels, wanted.group, split)


def _guess_split(table: Mapping[str, Sequence[Any]]) -> str | None:
    """The column that says train and test, whatever else it says, or that says nothing but such words."""
    split = _guess(list(table), SPLIT_NAMES)
    if split is None:
        return None
    said = {_as_text(cell) for cell in table[split]}
    return split if said <= set(PARTS) or {TRAIN, TEST} <= {PARTS.get(cell) for cell in said} else None


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

    Tags are the names of columns that say 1, and what stands in columns of tags: lists, or text with commas between.

    Raises:
        DataError: one label is asked for, and there are several columns or a column of lists.
    """
    if several:
        return _read_tags(table, columns)
    if len(columns) > 1 or any(isinstance(cell, list) for cell in table[columns[0]]):
        raise DataError(f"{source} has several labels a clip in {', '.join(columns)}: add --multi_label.")
    return [str(cell).strip() for cell in table[columns[0]]]


def _read_tags(table: Mapping[str, Sequence[Any]], columns: Sequence[str]) -> list[list[str]]:
    rows: list[list[str]] = [[] for _ in table[columns[0]]]
    for column in columns:
        indicator = _is_indicator(table[column])
        for tags, cell in zip(rows, table[column], strict=True):
            if indicator:
                tags += [column] if TRUTHS[_as_text(cell)] else []
            else:
                tags += str(cell).split(SEPARATOR) if not isinstance(cell, list) else map(str, cell)
    return rows


def _is_indicator(cells: Sequence[Any]) -> bool:
    """Whether a column says of every clip whether it has the column's tag; one that says nothing at all does not."""
    said = {_as_text(cell) for cell in cells}
    return said <= set(TRUTHS) and bool(said - {""})


def _as_text(cell: Any) -> str:
    return str(cell).strip().casefold()


def guess_label(names: Sequence[str], *, several: bool = False) -> str | None:
    """Of a table's columns the one that has the likeliest name of a column of labels, in capitals or not.

    several: whether a clip may have several tags; a number is then none of them.
    """
    return _guess(names, LABEL_NAMES if several else LABEL_NAMES + NUMBER_NAMES)


def _guess(names: Sequence[str], usual: Sequence[str]) -> str | None:
    by_name = {name.strip().casefold(): name for name in reversed(names)}
    return next((by_name[name] for name in usual if name in by_name), None)


def _unguessed(source: str, names: Sequence[str], usual: Sequence[str], what: str, flag: str) -> str:
    return (
        f"{source} has no column that is called as one of {what} usually is ({', '.join(usual)}); its columns are "
        f"{', '.join(names)}: add --{flag} NAME."
    )
