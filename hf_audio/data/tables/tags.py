"""Labels and tags in the ways in which people write them into a cell."""

import ast
import json
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

from ...errors import DataError

# Between the tags of a cell. Whoever takes the last two mostly has names that hold commas.
SEPARATOR = ","
FURTHER_SEPARATORS = (";", "|")
# What a name may hold too, so that only names which stand alone as well tell that it is between tags.
DOUBTFUL_SEPARATORS = (SEPARATOR, "/", "+", "&")
QUOTES = "\"'"
BRACKETS = {"[": "]", "(": ")", "{": "}"}
NOTHING = frozenset({"none", "null", "nan"})
# Of the texts of lists, as Python, JSON and numpy write them.
ARRAY = re.compile(r"array\((\[.*\])(, dtype=[^)]*)?\)", re.DOTALL)
TOKEN = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s,"'][^\s,]*)\s*,?""", re.DOTALL)
IN_QUOTES = re.compile(r'"[^"]*"')
# Of the cells of a table, the share from which on what looks like several tags is no accident.
LEAST_SHARE = 0.05


def unquote(cell: str) -> str:
    """A cell without the blanks and the pair of quotes around it."""
    text = cell.strip()
    if len(text) > 2 and text[0] == text[-1] and text[0] in QUOTES and text[0] not in text[1:-1]:
        return text[1:-1].strip()
    return text


def holds_lists(cells: Sequence[str]) -> bool:
    """Whether all cells of a column that hold anything are the text of lists with quotes, `['dog', 'rain']`."""
    texts = [text for cell in cells if (text := _list_text(cell))]
    return all(map(_is_bracketed, texts)) and any(text[1:-1].strip().startswith(tuple(QUOTES)) for text in texts)


def split_tags(source: str, column: str, cells: Sequence[str]) -> tuple[list[list[str]], str | None]:
    """The tags of every cell, and a sentence where it is not certain what is between them.

    They are the text of a list, of Python, JSON or numpy, or have commas between, or semicolons or bars: then commas
    belong to the names, but where each part is a tag by itself, too. Quotes around a tag are taken off.

    Raises:
        DataError: a cell begins as a list and is none.
    """
    texts = [text for cell in cells if (text := _list_text(cell))]
    if holds_lists(cells) or (texts and all(text[0] == "[" and _is_bracketed(text) for text in texts)):
        return [_split_list(source, column, cell) for cell in cells], None
    plain = [IN_QUOTES.sub("", cell) for cell in cells]
    counts = {separator: sum(separator in cell for cell in plain) for separator in FURTHER_SEPARATORS}
    separator = max(FURTHER_SEPARATORS, key=lambda one: counts[one])
    if not counts[separator]:
        rows = [_split(cell, SEPARATOR) for cell in cells]
        return rows, suspect_tags([tag for row in rows for tag in row], (*DOUBTFUL_SEPARATORS[1:], " "))
    rows = [_split(cell, separator) for cell in cells]
    single = {tag for row in rows for tag in row if SEPARATOR not in tag}
    joined = {tag for row in rows for tag in row if SEPARATOR in tag}
    if joined and all(set(_split(tag, SEPARATOR)) <= single for tag in joined):
        return [[part for tag in row for part in _split(tag, SEPARATOR)] for row in rows], None
    closely = sorted(tag for tag in joined if re.search(r",\S", tag))
    if closely:
        return rows, (
            f"{source} has {separator!r} between the tags in its column {column!r}, so the comma in {closely[0]!r} "
            f"is part of a name; if it is not, write {separator!r} for it."
        )
    return rows, None


def suspect_tags(labels: Sequence[str], separators: Sequence[str] = ()) -> str | None:
    """A sentence where labels look like several tags each, as "bark; dog" beside "bark" and "dog"; else `None`.

    labels: one a clip. separators: that are looked at, by default all.
    """
    counts = Counter(label for label in labels if label)
    for separator in separators or (*FURTHER_SEPARATORS, *DOUBTFUL_SEPARATORS):
        joined = {label: parts for label in counts if len(parts := _split(label, separator)) > 1}
        if separator in FURTHER_SEPARATORS:
            # One name in several of them is enough: these signs are in no name by chance.
            held = Counter(part for parts in joined.values() for part in set(parts))
            found = [label for label, parts in joined.items() if any(counts[p] or held[p] > 1 for p in parts)]
        else:
            found = [label for label, parts in joined.items() if all(counts[part] for part in parts)]
        n_cells = sum(counts[label] for label in found)
        many = separator != " " and n_cells >= LEAST_SHARE * len(labels)
        if found and (len(found) > 1 or many or separator in FURTHER_SEPARATORS):
            kind = "a blank" if separator == " " else repr(separator)
            return f"{n_cells} of {len(labels)} labels look like several with {kind} between, {found[0]!r} for one"
    return None


def _split(cell: str, separator: str) -> list[str]:
    """The parts of a cell that are not empty; what stands in double quotes is one."""
    if '"' not in cell:
        parts = cell.split(separator)
    else:
        held = [match.group() for match in IN_QUOTES.finditer(cell)]
        parts = IN_QUOTES.sub("\0", cell).split(separator)
        quoted = iter(held)
        parts = [re.sub("\0", lambda _: next(quoted), part) for part in parts]
    return [tag for part in parts if (tag := unquote(part))]


def _is_bracketed(text: str) -> bool:
    return len(text) > 1 and BRACKETS.get(text[0]) == text[-1]


def _list_text(cell: str) -> str:
    text = cell.strip()
    if text == "set()":
        return "[]"
    array = ARRAY.fullmatch(text)
    return text if array is None else array.group(1)


def _split_list(source: str, column: str, cell: str) -> list[str]:
    text = _list_text(cell)
    inside = text[1:-1].strip() if text else ""
    if not any(quote in inside for quote in QUOTES):
        numbers = re.fullmatch(r"[-+.\d\s]*", inside)  # which numpy writes without commas
        parts = inside.split() if numbers else inside.split(SEPARATOR)
        return [part.strip() for part in parts if part.strip() and part.strip().casefold() not in NOTHING]
    tags, place = [], 0
    while place < len(inside):
        token = TOKEN.match(inside, place)
        if token is None:
            raise DataError(
                f"{source} has {cell!r} in its column {column!r}, which begins as a list and is none: write the tags "
                "with commas between."
            )
        place = token.end()
        tags.append(_read_token(token.group(1)))
    return [tag for tag in tags if tag]


def _read_token(token: str) -> str:
    if token[0] not in QUOTES:
        return "" if token.casefold() in NOTHING else token
    with suppress(ValueError):
        return str(json.loads(token)).strip()
    with suppress(ValueError, SyntaxError):
        return str(ast.literal_eval(token)).strip()
    return token[1:-1].strip()
