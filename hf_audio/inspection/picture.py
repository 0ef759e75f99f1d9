"""A collection in pictures: classes, lengths, levels and rates."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import IO, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from ..inference.collection_map import HEIGHT as MAP_HEIGHT
from ..inference.collection_map import CollectionMap, draw_map
from ..lettering import letter

MOST_CLASSES = 40  # that one picture can name
LONGEST_NAME = 28  # letters of a class that it has room for
MOST_RATES = 8
# A card shows it 800 pixels wide, which makes it a fifth smaller.
WIDTH, DPI, LETTERS = 8.5, 120, 8


def plot_collection(
    classes: Mapping[str, int],
    seconds: np.ndarray,
    levels: np.ndarray,
    rates: np.ndarray,
    file: str | os.PathLike | IO[bytes],
    further: str = "",
    embedded: tuple[CollectionMap, Sequence[str]] | None = None,
) -> None:
    """How many clips the classes have, and how long, how loud and of which sampling rates the clips are.

    seconds, levels, rates: (clips,), levels in dB of full scale, rates in Hz. further: what is written below them.
    embedded: the clips in the plane by their embeddings, and their names, which are drawn below that.
    """
    shown = dict(sorted(classes.items(), key=lambda item: -item[1])[:MOST_CLASSES])
    height = max(6.0, 0.17 * len(shown) + 1.5)
    whole = Figure(figsize=(WIDTH, height + (MAP_HEIGHT if embedded else 0)), layout="constrained")
    figure: Figure | SubFigure = whole
    if embedded is not None:
        parts: Any = whole.subfigures(2, 1, height_ratios=[height, MAP_HEIGHT])
        figure, below = parts
        draw_map(*embedded, *below.subplots(1, 2, width_ratios=[3, 2]))
    grid = figure.add_gridspec(3, 2, height_ratios=[1, 1, 1.2])
    axes = figure.add_subplot(grid[:, 0])
    axes.barh(range(len(shown)), list(shown.values()))
    lettering = letter(list(shown), LONGEST_NAME)
    style: dict[str, Any] = {"fontfamily": lettering.families, "parse_math": False}
    axes.set_yticks(range(len(shown)), lettering.names, fontsize=LETTERS, **style)
    axes.set_ylim(max(len(shown), 1) - 0.4, -0.6)
    left_out = f", the largest {len(shown)} of {len(classes)}" if len(shown) < len(classes) else ""
    axes.set_xlabel(f"clips of each class{left_out}")
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    lengths, loudness, kinds = (figure.add_subplot(grid[row, 1]) for row in range(3))
    lengths.hist(seconds, bins=40)
    lengths.set_xlabel("length, s")
    loudness.hist(np.maximum(levels, -100), bins=40)
    loudness.set_xlabel("level, dB of full scale (-100 and below in one bar)", fontsize=LETTERS + 1)
    for panel in (lengths, loudness):
        panel.set_ylabel("clips")
        panel.xaxis.set_major_locator(MaxNLocator(4))
    _draw_rates(rates, kinds)
    figure.supxlabel(further, fontsize=LETTERS + 1)
    whole.savefig(file, dpi=DPI, format="png")


def _draw_rates(rates: np.ndarray, axes: Axes) -> None:
    """A bar for each rate, or for the most frequent ones and one for all others."""
    numbers = Counter(rates.tolist())
    usual = sorted(rate for rate, _ in numbers.most_common(MOST_RATES if len(numbers) > MOST_RATES + 1 else None))
    bars = {f"{rate} Hz": numbers[rate] for rate in usual}
    others = sum(numbers.values()) - sum(bars.values())
    if others:
        bars[f"{len(numbers) - len(usual)} other rates"] = others
    axes.barh(range(len(bars)), list(bars.values()))
    axes.set_yticks(range(len(bars)), list(bars), fontsize=LETTERS)
    axes.invert_yaxis()
    axes.set_xlabel("clips of each sampling rate")
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
