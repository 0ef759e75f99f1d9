"""Words of users in Markdown: class names, folders and commands may hold what Markdown would take for its own."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

# What begins or ends emphasis, code, a link, a tag, mathematics or a cell. Inside a word, an underscore is a letter.
_SPECIAL = re.compile(r"[\\`*\[\]<>|$~&]|(?<!\w)_|_(?!\w)")


@dataclass
class Table:
    """A table of a card or report."""

    intro: str
    """The sentence above it, or nothing."""
    header: Sequence[str]
    rows: Sequence[Sequence[Any]]


def escape(text: Any) -> str:
    """A text on one line that Markdown shows as it is, in a sentence, a heading or a cell."""
    return _SPECIAL.sub(r"\\\g<0>", " ".join(str(text).split()))


def code(text: str) -> str:
    """A text on one line as code, for a sentence."""
    line = " ".join(text.split())
    fence = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    padding = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{padding}{line}{padding}{fence}"


def write_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table of Markdown; cells are Markdown on one line each."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def escape_rows(rows: Iterable[Sequence[Any]]) -> list[list[str]]:
    """Cells that are plain words and numbers, for `write_table`."""
    return [[escape(cell) for cell in row] for row in rows]
