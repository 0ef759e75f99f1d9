"""Figures by group of test clips (speaker, sex, microphone), and which is worse than the others beyond chance."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from .intervals import TAIL, difference_interval, mean_interval
from .markdown import Table, code, escape
from .predictions.kinds import AnyPredictions

GROUPS = "groups"  # of a run's results: figures by column
MOST_SHOWN = 10  # groups of a column, on the card
MOST_KEPT = 100  # in the results
MEAN_CLIPS = 2  # of a group; of fewer, no group has a figure
LEAST_NAMED = 10  # clips of a group that is named, although it is not worse beyond chance
NONE = "(none)"  # the group of clips with an empty cell
# Of a table's columns that nobody has named: those with a few values, which many clips share.
MOST_VALUES, LEAST_CLIPS, MOST_COLUMNS = 20, 5, 4


def few_valued(columns: Mapping[str, Sequence[str]], labels: np.ndarray | None) -> list[str]:
    """The columns by which figures are worth telling apart, though nobody has named them, at most four.

    Their values are few and shared by many clips, and are not given by the label, nor the label by them.

    Args:
        columns: cells by their names, (clips,) each.
        labels: class indices, (clips,); `None` where a clip has several tags or a number.
    """
    chosen = []
    for name, cells in columns.items():
        values, numbers = np.unique(np.asarray(cells).astype(str), return_inverse=True)
        if not 2 <= len(values) <= min(MOST_VALUES, len(numbers) / LEAST_CLIPS):
            continue
        if labels is not None and _follows(numbers, labels):
            continue
        chosen.append(name)
    return chosen[:MOST_COLUMNS]


def _follows(numbers: np.ndarray, labels: np.ndarray) -> bool:
    """Whether the one follows from the other."""
    n_pairs = len(np.unique(np.stack([numbers, labels]), axis=1).T)
    return n_pairs in (len(np.unique(numbers)), len(np.unique(labels)))


def measure_groups(predictions: AnyPredictions, group_column: str | None) -> dict[str, dict[str, Any]]:
    """The share of right answers in every group of test clips, by column; nothing where there is nothing to compare.

    That is so of a column with one group, or with fewer than two clips a group.

    A group is worse than the others beyond chance where the interval of its difference to them lies below 0, and
    Fisher's exact test says so of single clips, both for as many comparisons as there are groups (Bonferroni). Such
    groups come first, and then all in the order
    of the upper ends of their intervals, so that a group of a few clips does not lead because of a bad day.

    Args:
        predictions: of the test clips, with `groups` or `columns`.
        group_column: name of the column that `predictions.groups` holds.

    Returns:
        For a run's results: of every column `n_groups`, the first group (`worst`; of fewer than ten clips, only where
        it is worse `beyond_chance`), the share of the clips of all others (`others`), quartiles of the groups' shares,
        and of the first hundred groups `group`, `samples`, `right`, `interval`.
    """
    known = dict(predictions.columns)
    if predictions.groups is not None and group_column is not None:
        known = {group_column: predictions.groups, **known}
    right = predictions.right.astype(float)
    # Of groups themselves, those at hand are compared; of a column beside them, what it tells of others like them.
    measured = {
        name: _measure(right, values, None if name == group_column else predictions.groups)
        for name, values in known.items()
    }
    n_most = len(predictions.paths) / MEAN_CLIPS
    return {name: figures for name, figures in measured.items() if 1 < figures["n_groups"] <= n_most}


class _Group(NamedTuple):
    value: str
    samples: int
    right: float
    interval: tuple[float, float]
    bounds: tuple[float, float]
    """The interval for as many comparisons as there are groups."""
    others: float
    """Share of right answers of all other clips."""
    is_worse: bool
    """Than those, beyond chance."""


def _measure(right: np.ndarray, values: np.ndarray, clusters: np.ndarray | None) -> dict[str, Any]:
    """right, values, clusters: (clips,); clips of one cluster count together."""
    names = np.unique(values)
    tail = TAIL / len(names)
    groups = [_compare(str(name), right, values == name, clusters, tail) for name in names] if len(names) > 1 else []
    groups.sort(key=lambda group: (not group.is_worse, group.bounds[1], group.right))
    named = next((group for group in groups if group.is_worse or group.samples >= LEAST_NAMED), None)
    measured: dict[str, Any] = {"n_groups": len(names)}
    if named is not None:
        measured |= {"worst": _name(named.value), "beyond_chance": named.is_worse, "others": named.others}
    quartiles = np.quantile([group.right for group in groups] or [0.0], [0, 0.25, 0.5, 0.75, 1])
    figures = [
        {
            "group": _name(group.value),
            "samples": group.samples,
            "right": group.right,
            "interval": list(group.interval),
        }
        for place, group in enumerate(groups)
        if place < MOST_KEPT or group is named
    ]
    return {**measured, "quartiles": quartiles.tolist(), "figures": figures}


def _compare(value: str, right: np.ndarray, rows: np.ndarray, clusters: np.ndarray | None, tail: float) -> _Group:
    def interval(chosen: np.ndarray, tail: float) -> tuple[float, float]:
        return mean_interval(right[chosen], groups=None if clusters is None else clusters[chosen], tail=tail)

    share, others = float(right[rows].mean()), float(right[~rows].mean())
    bounds = interval(rows, tail)
    _, most = difference_interval(share, bounds, others, interval(~rows, tail))
    chance = stats.hypergeom.cdf(right[rows].sum(), len(right), right.sum(), rows.sum())
    is_worse = bool(most < 0 and chance < tail)
    return _Group(value, int(rows.sum()), share, interval(rows, TAIL), bounds, others, is_worse)


def _name(value: str) -> str:
    """A clip that is a group by itself is named by its file, and where that lies matters to nobody else."""
    return os.path.basename(value) if os.path.isabs(value) else value or NONE


def describe_worst(groups: Mapping[str, Mapping[str, Any]], quote: Callable[[str], str]) -> list[str]:
    """Which group of each column is worst, or that none is beyond chance, a sentence each.

    Args:
        groups: as `measure_groups` gives them.
        quote: puts a name into a sentence.
    """
    return [_describe_column(column, measured, quote) for column, measured in groups.items()]


def _describe_column(column: str, measured: Mapping[str, Any], quote: Callable[[str], str]) -> str:
    lowest, *_, highest = measured["quartiles"]
    if lowest == highest:
        return f"By {quote(column)}: all {measured['n_groups']} groups have {lowest:.3f} right."
    none = f"By {quote(column)}: none of {measured['n_groups']} groups is worse than the others beyond chance"
    if "worst" not in measured:
        return f"{none}."
    worst = next(figure for figure in measured["figures"] if figure["group"] == measured["worst"])
    figure = "{:.3f} right of {} (95 % interval {:.3f} to {:.3f})".format(
        worst["right"], _count(worst["samples"]), *worst["interval"]
    )
    if measured["beyond_chance"]:
        return f"Worst by {quote(column)}: {quote(measured['worst'])}, {figure}; the others {measured['others']:.3f}."
    return f"{none}; nearest to that is {quote(measured['worst'])}, {figure}; the others {measured['others']:.3f}."


def _count(clips: int) -> str:
    return f"{clips} clip" if clips == 1 else f"{clips} clips"


def group_tables(groups: Mapping[str, Mapping[str, Any]], answer: str) -> list[Table]:
    """Tables of the card, one for each column.

    Args:
        groups: as `measure_groups` gives them.
        answer: what is right of a clip, in a word or two, such as `Accuracy`.
    """
    tables = []
    for column, measured in groups.items():
        shown = measured["figures"][:MOST_SHOWN]
        intro = f"### By {code(column)}\n\n{_describe_column(column, measured, code)}"
        if measured["n_groups"] > len(shown):
            _, low, middle, high, _ = measured["quartiles"]
            intro += (
                f" {len(shown)} of {measured['n_groups']} groups are shown, those first that are worst for sure; half "
                f"of all lie between {low:.3f} and {high:.3f}, around {middle:.3f}, by chance too where clips are few."
            )
        rows = [
            [
                figure["group"],
                figure["samples"],
                f"{figure['right']:.3f}",
                "{:.3f} to {:.3f}".format(*figure["interval"]),
            ]
            for figure in shown
        ]
        tables.append(Table(intro, [escape(column), "Clips", answer, "95 % interval"], rows))
    return tables
