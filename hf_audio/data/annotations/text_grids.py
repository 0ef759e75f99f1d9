"""TextGrids, as Praat writes them: tiers of intervals or points with a text each."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ...errors import DataError
from ..tables.text_tables import read_text
from .annotated_recordings import Annotation

SUFFIX = ".textgrid"
# Whatever else stands in a line of the long format (`xmin =`, `intervals [1]:`) is for people.
TOKEN = re.compile(r'"(?:[^"]|"")*"|<[a-z]+>|(?<![\w\[.])[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w\].])', re.IGNORECASE)
INTERVALS, POINTS = "IntervalTier", "TextTier"


class Tier(NamedTuple):
    """One of the layers of a TextGrid."""

    name: str
    annotations: list[Annotation]
    """Those with a text; of a point, onset and offset are the same."""


class TextGrid(NamedTuple):
    """What a TextGrid holds."""

    start: float
    end: float
    tiers: list[Tier]


def read_text_grid(path: Path) -> TextGrid:
    """A TextGrid in the long or the short format, in UTF-8 or UTF-16.

    Source: https://www.fon.hum.uva.nl/praat/manual/TextGrid_file_formats.html.

    Raises:
        DataError: it is none, or cut off.
    """
    content = path.read_bytes()
    if content.startswith(b"ooBinaryFile"):
        raise DataError(f"{path} is a binary TextGrid: save it in Praat as a text file.")
    tokens = TOKEN.findall(read_text(path))
    try:
        if '"TextGrid"' not in tokens[:2]:
            raise ValueError("another kind of Praat's objects")
        return _read_tiers(iter(tokens[tokens.index('"TextGrid"') + 1 :]))
    except (StopIteration, ValueError) as error:
        raise DataError(f"{path} is no TextGrid, or is cut off: save it again in Praat as a text file.") from error


def _read_tiers(tokens: Iterator[str]) -> TextGrid:
    start, end = float(next(tokens)), float(next(tokens))
    exists, tiers = next(tokens), []
    n_tiers = int(next(tokens)) if exists == "<exists>" else 0
    for _ in range(n_tiers):
        kind, name = _text(next(tokens)), _text(next(tokens))
        next(tokens), next(tokens)  # its start and end
        found = []
        for _ in range(int(next(tokens))):
            times = [float(next(tokens))] if kind == POINTS else [float(next(tokens)), float(next(tokens))]
            text = _text(next(tokens)).strip()
            if text:
                found.append(Annotation(times[0], times[-1], text))
        if kind not in (INTERVALS, POINTS):
            raise ValueError(f"a tier of the kind {kind!r}")
        tiers.append(Tier(name, found))
    return TextGrid(start, end, tiers)


def _text(token: str) -> str:
    if not token.startswith('"'):
        raise ValueError(f"{token} where a text should stand")
    return token[1:-1].replace('""', '"')


def choose_tiers(path: Path, grid: TextGrid, wanted: Sequence[str]) -> list[Tier]:
    """The tiers with these names, by default all.

    Raises:
        DataError: there is no such tier.
    """
    names = [tier.name for tier in grid.tiers]
    missing = [name for name in wanted if name not in names]
    if missing:
        raise DataError(f"{path} has no tier {missing[0]!r}: its tiers are {', '.join(map(repr, names))}.")
    return [tier for tier in grid.tiers if not wanted or tier.name in wanted]
