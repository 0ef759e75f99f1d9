"""Which classes there are and in which order: a class's place is its id in every checkpoint trained on the data."""

import re
import unicodedata
from collections import defaultdict
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


def composed(name: str) -> str:
    """A name with its accents in the letters (NFC): Linux and macOS write two forms that look the same."""
    return unicodedata.normalize("NFC", name)


def find_alike(names: Iterable[str]) -> list[list[str]]:
    """Names of classes that are likely one's: those that differ in case, blanks or marks alone, or are one number."""
    alike: dict[Any, list[str]] = defaultdict(list)
    for name in sorted(set(names)):
        letters = "".join(filter(_tells, unicodedata.normalize("NFKC", name).casefold()))
        alike[Decimal(name.strip()) if NUMBER.fullmatch(name) else letters or name].append(name)
    return [group for group in alike.values() if len(group) > 1]


def _tells(letter: str) -> bool:
    """Whether a letter tells names apart, as vowel signs of Indic scripts do, the marks of C# and C+, and no blank."""
    return unicodedata.category(letter)[0] not in "ZPC" or letter == "#"


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
    for name in cells:
        if name in label_columns or not is_numbering(name) or len(cells[name]) != len(labels):
            continue
        classes = order_by_numbers({(str(cells[name][row]), label) for row, label in labelled})
        if classes is not None:
            return name, classes
    return None


def is_numbering(column: str) -> bool:
    """Whether a column is called as one that numbers labels."""
    return simple_name(column) in ID_NAMES


def order_by_numbers(pairs: Iterable[tuple[str, str]]) -> list[str] | None:
    """Labels by their numbers, of pairs (number, label); `None` but where they are one to one and 0, 1, 2, ..."""
    distinct = {(number.strip(), label) for number, label in pairs}
    if not distinct or not all(NUMBER.fullmatch(number) for number, _ in distinct):
        return None
    by_number = {Decimal(number): label for number, label in distinct}
    if len({label for _, label in distinct}) != len(distinct) or set(by_number) != set(range(len(distinct))):
        return None
    return [by_number[Decimal(number)] for number in range(len(distinct))]


def simple_name(column: str) -> str:
    """A column's name as it is compared: `File name`, `file_name` and `FileName` are one."""
    return re.sub(r"[\W_]+", "", column).casefold()
