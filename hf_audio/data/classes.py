"""Which classes there are and in which order: a class's place is its id in every checkpoint trained on the data."""

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

NUMBER = re.compile(r"\s*[+-]?\d+(\.\d+)?\s*")
# What people call a column that numbers the labels beside it, in small letters without blanks and signs.
ID_NAMES = frozenset(
    ["target", "y", "label", "class", "category"]
    + [f"{what}{kind}" for what in ("class", "label", "category", "target") for kind in ("id", "index", "idx", "num")]
    + ["classnumber", "labelnumber"]
)


def order_classes(names: Iterable[str]) -> list[str]:
    """Each name once, in the order of their ids where the data has none of its own.

    Numbers go by their size, 0, 1, 2, 10; other names by their letters.
    """
    single = set(names)
    return sorted(single, key=_by_size if all(map(NUMBER.fullmatch, single)) else None)


def _by_size(name: str) -> tuple[Decimal, str]:
    return Decimal(name.strip()), name


def find_numbering(
    cells: Mapping[str, Sequence[Any]], label_columns: Sequence[str], labels: Sequence[Any]
) -> tuple[str, list[str]] | None:
    """The column that numbers the labels from 0 on, as ESC-50's `target`, and the classes in that order.

    Args:
        cells: of a table, by column.
        label_columns: which the labels are from.
        labels: of every row, empty where there is none.

    Returns `None` where no column with such a name has one number for each label and one label for each number.
    """
    labelled = [(row, label) for row, label in enumerate(labels) if isinstance(label, str) and label]
    n_classes = len({label for _, label in labelled})
    for name in cells:
        if name in label_columns or simple_name(name) not in ID_NAMES or len(cells[name]) != len(labels):
            continue
        said = {(str(cells[name][row]).strip(), label) for row, label in labelled}
        if len(said) != n_classes or not all(NUMBER.fullmatch(number) for number, _ in said):
            continue
        by_number = {Decimal(number): label for number, label in said}
        if set(by_number) == set(range(n_classes)):
            return name, [by_number[Decimal(number)] for number in range(n_classes)]
    return None


def simple_name(column: str) -> str:
    """A column's name as it is compared: `File name`, `file_name` and `FileName` are one."""
    return re.sub(r"[\W_]+", "", column).casefold()
