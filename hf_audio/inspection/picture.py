"""A collection in pictures: classes, lengths, levels and rates."""

import os
from collections.abc import Mapping
from typing import IO

import numpy as np
from matplotlib.figure import Figure

MOST_CLASSES = 80  # that one picture can name
LONGEST_NAME = 40  # letters of a class that it has room for


def plot_collection(
    classes: Mapping[str, int],
    seconds: np.ndarray,
    levels: np.ndarray,
    rates: np.ndarray,
    file: str | os.PathLike | IO[bytes],
    further: str = "",
) -> None:
    """How many clips the classes have, and how long, how loud and of which sampling rates the clips are.

    seconds, levels, rates: (clips,), levels in dB of full scale, rates in Hz. further: what is written below them.
    """
    shown = dict(sorted(classes.items(), key=lambda item: -item[1])[:MOST_CLASSES])
    figure = Figure(figsize=(9, max(5.0, 0.16 * len(shown) + 1.5)), layout="constrained")
    grid = figure.add_gridspec(3, 2)
    axes = figure.add_subplot(grid[:, 0])
    axes.barh(range(len(shown)), list(shown.values()))
    names = [" ".join(name.split())[:LONGEST_NAME] for name in shown]
    axes.set_yticks(range(len(shown)), names, fontsize=9 if len(shown) <= 25 else 6, parse_math=False)
    axes.set_ylim(max(len(shown), 1) - 0.4, -0.6)
    left_out = f", the largest {len(shown)} of {len(classes)}" if len(shown) < len(classes) else ""
    axes.set_xlabel(f"clips of each class{left_out}")
    panels = [figure.add_subplot(grid[row, 1]) for row in range(3)]
    panels[0].hist(seconds, bins=40)
    panels[0].set_xlabel("length, s")
    panels[1].hist(np.maximum(levels, -100), bins=40)
    panels[1].set_xlabel("level, dB of full scale (-100 and below in one bar)")
    values, counts = np.unique(rates, return_counts=True)
    panels[2].bar([str(value) for value in values], counts)
    panels[2].set_xlabel("sampling rate, Hz" + (f"\n{further}" if further else ""))
    for panel in panels:
        panel.set_ylabel("clips")
    figure.savefig(file, dpi=120, format="png")
