"""The pictures of a run and of a collection, as PNG files."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..lettering import letter

CONFUSION_NAME = "confusion_matrix.png"
ROC_NAME = "roc_curve.png"
CURVES_NAME = "training_curves.json"  # what the curves of a run are drawn of: Trainer's log
DPI = 120
# Cards show pictures at most 800 pixels wide: wider ones would be made smaller, and their letters too.
LARGEST_SIDE = 8.5  # inches
LETTERS = 8.0  # points
# Classes whose names one matrix has room for; of more, those that are confused most are drawn beside the whole.
MOST_NAMED, MOST_CONFUSED = 40, 30
SMALLEST_COUNT = 5.0  # points
SMALL_SIDE, MOST_CELLS = 3.2, 250
# Letters of their names that there is room for.
FEW_CLASSES, LONGEST_OF_FEW, LONGEST_OF_MANY = 15, 40, 24


def _legend(axes: Axes) -> None:
    """A legend in which a dollar sign is one, and begins no formula."""
    texts = axes.legend(frameon=False).get_texts()
    families = letter([text.get_text() for text in texts]).families
    for text in texts:
        text.set_parse_math(False)
        text.set_fontfamily(families)


def plot_curves(log_history: Sequence[dict[str, Any]], path: str | os.PathLike) -> None:
    """What `draw_curves` draws, as a file."""
    figure = Figure(layout="constrained")
    draw_curves(log_history, figure)
    figure.savefig(path, dpi=DPI)


def draw_curves(log_history: Sequence[dict[str, Any]], figure: Figure) -> list[Axes]:
    """Training loss and, where there was a validation split, its scores over epochs, from Trainer's log."""
    series: dict[str, list[tuple[float, float]]] = {}
    for entry in log_history:
        for name, value in entry.items():
            shown = name == "loss" or (
                name.startswith("eval_")
                and not name.endswith(("runtime", "per_second", "preparation_time"))
                and isinstance(value, float)
            )
            if shown:
                label = name.replace("eval_", "validation ").replace("_", " ")
                series.setdefault("training loss" if name == "loss" else label, []).append((entry["epoch"], value))
    losses = {name: points for name, points in series.items() if name.endswith("loss")}
    scores = {name: points for name, points in series.items() if name not in losses}
    panels = [panel for panel in (("loss", losses), ("score", scores)) if panel[1]]
    figure.set_size_inches(5.5 * max(len(panels), 1), 3.6)
    for number, (title, lines) in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), number + 1)
        for name, points in zip(letter(list(lines)).names, lines.values(), strict=True):
            axes.plot(*zip(*points, strict=True), label=name, linewidth=1.8)
        axes.set_xlabel("epoch")
        axes.set_ylabel(title)
        axes.grid(alpha=0.25)
        _legend(axes)
    return figure.axes


def plot_confusion_matrix(
    references: np.ndarray, predictions: np.ndarray, names: Sequence[str], path: str | os.PathLike
) -> None:
    """What `draw_confusion_matrix` draws, as a file."""
    figure = Figure(layout="constrained")
    draw_confusion_matrix(references, predictions, names, figure)
    figure.savefig(path, dpi=DPI)


def draw_confusion_matrix(
    references: np.ndarray, predictions: np.ndarray, names: Sequence[str], figure: Figure
) -> Axes:
    """Counts of true (rows) against predicted (columns) classes, shaded by their share of the row.

    Of more than 40 classes, the 30 that are confused most are drawn so, and all of them small below, without names.

    references, predictions: (clips,) class indices. Returns the axes with the names.
    """
    n = len(names)
    counts = np.zeros((n, n), dtype=int)
    np.add.at(counts, (references, predictions), 1)
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    if n <= MOST_NAMED:
        side = min(3.0 + 0.32 * n, LARGEST_SIDE)
        figure.set_size_inches(side, side)
        return _draw_counts(counts, share, names, figure.add_subplot(), side)
    figure.set_size_inches(LARGEST_SIDE, LARGEST_SIDE + SMALL_SIDE)
    above, below = figure.subplots(2, 1, gridspec_kw={"height_ratios": [LARGEST_SIDE, SMALL_SIDE]})
    wrong = counts - np.diag(np.diag(counts))
    n_wrong = wrong.sum(axis=0) + wrong.sum(axis=1)
    chosen = np.sort(np.argsort(-n_wrong, kind="stable")[:MOST_CONFUSED])
    cells = np.ix_(chosen, chosen)
    _draw_counts(counts[cells], share[cells], [names[number] for number in chosen], above, LARGEST_SIDE)
    above.set_title(f"the {MOST_CONFUSED} of {n} classes that are confused most", fontsize=LETTERS + 2)
    below.imshow(_largest_of_blocks(share, MOST_CELLS), cmap="Blues", vmin=0, vmax=1)
    below.set_xticks([])
    below.set_yticks([])
    below.set_title(f"all {n} classes", fontsize=LETTERS + 2)
    return above


def _largest_of_blocks(share: np.ndarray, n_most: int) -> np.ndarray:
    """The matrix, or the largest value of blocks of it, at most so many a side: fewer than the picture has dots."""
    step = -(-len(share) // n_most)
    n_blocks = -(-len(share) // step)
    padded = np.pad(share, (0, n_blocks * step - len(share)))
    return padded.reshape(n_blocks, step, n_blocks, step).max(axis=(1, 3))


def _draw_counts(counts: np.ndarray, share: np.ndarray, names: Sequence[str], axes: Axes, side: float) -> Axes:
    """A matrix with names and, where there is room, with counts in its cells, in a picture so many inches wide."""
    n = len(names)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    lettering = letter(names, LONGEST_OF_MANY if n > FEW_CLASSES else LONGEST_OF_FEW)
    longest = max(map(len, lettering.names))
    # About how much of the side the names leave for the cells, as letters are about 0.6 as wide as they are high.
    cell = (72 * side - 0.6 * LETTERS * longest - 40) / n
    size = min(LETTERS + 1, cell / (0.7 * len(str(counts.max()))))
    for row, column in zip(*np.nonzero(counts), strict=True) if size >= SMALLEST_COUNT else ():
        color = "white" if share[row, column] > 0.5 else "black"
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=size, color=color)
    style: dict[str, Any] = {
        "fontsize": LETTERS + (n <= FEW_CLASSES),
        "fontfamily": lettering.families,
        "parse_math": False,
    }
    axes.set_xticks(range(n), lettering.names, rotation=90 if longest > 2 else 0, **style)
    axes.set_yticks(range(n), lettering.names, **style)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    return axes


def plot_roc_curve(false_alarms: np.ndarray, hits: np.ndarray, names: Sequence[str], path: str | os.PathLike) -> None:
    """Share of the second class that is found against the share of the first that is mistaken for it.

    false_alarms, hits: (thresholds,). The errors of both classes are equal where it crosses the dotted line.
    """
    figure = Figure(figsize=(4.6, 4.6), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(false_alarms, hits, linewidth=1.8, drawstyle="steps-post")
    axes.plot([0, 1], [1, 0], color="grey", linewidth=0.8, linestyle=":")
    lettering = letter(names)
    first, second = lettering.names
    style: dict[str, Any] = {"fontfamily": lettering.families, "parse_math": False}
    axes.set_xlabel(f"share of {first} taken for {second}", **style)
    axes.set_ylabel(f"share of {second} found", **style)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.grid(alpha=0.25)
    figure.savefig(path, dpi=DPI)


def plot_precision_and_recall(curves: Mapping[str, tuple[np.ndarray, np.ndarray]], path: str | os.PathLike) -> None:
    """A line a label, of its precision over its recall; curves: (thresholds,) each, of at most ten labels."""
    figure = Figure(figsize=(5.6, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for name, (precision, recall) in zip(letter(list(curves)).names, curves.values(), strict=True):
        axes.plot(recall, precision, label=name, linewidth=1.4)
    axes.set_xlabel("recall: share of true segments that are found")
    axes.set_ylabel("precision: share of found segments that are true")
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.grid(alpha=0.25)
    _legend(axes)
    figure.savefig(path, dpi=DPI)


def plot_trade_off(
    alarms: np.ndarray, accuracy: np.ndarray, own: tuple[float, float], path: str | os.PathLike
) -> None:
    """Accuracy on known sounds against false alarms per hour of background, and the point that a model stands at.

    alarms, accuracy: (margins,). own: the model's.
    """
    figure = Figure(figsize=(5.6, 3.8), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(alarms, accuracy, linewidth=1.8, drawstyle="steps-post")
    axes.plot(*([value] for value in own), "o", color="black", label="as it is")
    smallest = alarms[alarms > 0].min(initial=np.inf)
    axes.set_xscale("symlog", linthresh=smallest if np.isfinite(smallest) else 1)
    axes.set_xlim(left=0)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("false alarms per hour of background")
    axes.set_ylabel("accuracy on the test clips")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=DPI)


def plot_pitch_scores(
    pitches: np.ndarray,
    scores: np.ndarray,
    references: np.ndarray,
    names: Sequence[str],
    path: str | os.PathLike,
) -> None:
    """A dot a clip: its pitch against the score of the second class, in the colour of its class.

    pitches: (clips,) Hz, NaN where there is none; scores, references: (clips,).
    """
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.add_subplot()
    lettering = letter(names)
    for label, name in enumerate(lettering.names):
        rows = references == label
        axes.scatter(pitches[rows], scores[rows], s=16, alpha=0.7, label=name)
    axes.axhline(0.5, color="grey", linewidth=0.8, linestyle=":")
    axes.set_xscale("log")
    ticks = [60, 80, 100, 130, 160, 200, 250, 300, 400]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("median pitch of the clip, Hz")
    axes.set_ylabel(f"score of {lettering.names[1]}", fontfamily=lettering.families, parse_math=False)
    axes.grid(alpha=0.25)
    _legend(axes)
    figure.savefig(path, dpi=DPI)


def plot_search(
    rows: Sequence[Mapping[str, Any]], metric: str, scales: Mapping[str, str], path: str | os.PathLike
) -> None:
    """What trials reached, one after the other and against each argument that was searched.

    rows: of `trials.csv`; scales: of each argument's axis, `linear` or `log`.
    """
    figure = Figure(figsize=(3.2 * (1 + len(scales)), 3.2), layout="constrained")
    first, *others = figure.subplots(1, 1 + len(scales), sharey=True, squeeze=False)[0]
    values = [row[metric] for row in rows]
    whole = [not row["stopped_early"] for row in rows]
    colours = ["tab:blue" if finished else "lightgrey" for finished in whole]
    for axes, (name, scale) in [(first, ("trial", "linear")), *zip(others, scales.items(), strict=True)]:
        axes.scatter([row[name] for row in rows], values, c=colours, s=18)
        axes.set_xscale(scale)
        axes.set_xlabel(name)
        axes.grid(alpha=0.25)
    first.xaxis.set_major_locator(MaxNLocator(integer=True))
    first.set_ylabel(f"{metric}, validation clips")
    first.set_title("grey: stopped early", fontsize="small")
    figure.savefig(path, dpi=DPI)
