"""Two checkpoints on the same recordings: how far apart their figures are, and whether that is more than chance."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from ..runs.intervals import bootstrap_interval, f1_macro, group_numbers
from ..runs.metrics.cer import edit_distance
from ..runs.metrics.two_classes import roc_auc
from ..runs.predictions.anomalies import AnomalyPredictions
from ..runs.predictions.kinds import AnyPredictions
from ..runs.predictions.numbers import NumberPredictions, number_texts
from ..runs.predictions.tags import TagPredictions
from ..runs.predictions.two_classes import TwoClassPredictions
from .events import FEWEST_RECORDINGS, JudgedRecordings, draw_recordings, percentiles

Figures = Mapping[str, Callable[[np.ndarray], float]]
"""By name: drawn clips, (clips,) indices -> a figure of them."""
Interval = tuple[float, float] | None


class Difference(NamedTuple):
    """How much greater a figure of the second checkpoint is."""

    value: float
    interval: Interval
    """95 %, by drawing recordings anew for both at once; `None` of too few."""

    @property
    def is_sure(self) -> bool:
        """Whether chance alone would hardly make it."""
        return self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]


def compare_clips(first: AnyPredictions, second: AnyPredictions) -> dict[str, Difference]:
    """Differences of two checkpoints' figures on the same clips, in the same order.

    Paired bootstrap: clips, or groups of them, are drawn with replacement, the same ones for both. Source: Efron,
    Tibshirani 1993, An Introduction to the Bootstrap, chapter 8.

    Args:
        first: answers of one checkpoint.
        second: of the other one, of the same kind.
    """
    before, after = _figures_of(first), _figures_of(second)
    n_clips = len(first.paths)
    whole = np.arange(n_clips)

    def compare(name: str) -> Difference:
        def difference(clips: np.ndarray) -> float:
            return after[name](clips) - before[name](clips)

        value = difference(whole)
        is_known = np.isfinite(value)
        return Difference(value, _interval(difference, first.groups, n_clips) if is_known else None)

    return {name: compare(name) for name in before if name in after}


def compare_recordings(first: JudgedRecordings, second: JudgedRecordings) -> dict[str, Difference]:
    """Differences of two checkpoints' figures on the same recordings and labels, by paired bootstrap."""
    n_recordings = len(first.paths)
    whole = np.ones(n_recordings)
    before, after = first.figures(whole), second.figures(whole)
    values = {name: after[name] - before[name] for name in before}
    if n_recordings < FEWEST_RECORDINGS:
        return {name: Difference(value, None) for name, value in values.items()}
    pairs = [(first.figures(drawn), second.figures(drawn)) for drawn in draw_recordings(n_recordings)]
    return {
        name: Difference(value, percentiles([after[name] - before[name] for before, after in pairs]))
        for name, value in values.items()
    }


def _interval(figure: Callable[[np.ndarray], float], groups: np.ndarray | None, n_clips: int) -> Interval:
    """95 % of a figure of drawn clips; `None` where there is too little to draw from."""
    numbers = group_numbers(groups)
    is_one_group = groups is not None and len(np.unique(groups)) == 1
    n_units = 1 if is_one_group else n_clips if numbers is None else int(numbers.max()) + 1
    if n_units < FEWEST_RECORDINGS:
        return None
    return bootstrap_interval(figure, n_clips, groups=groups)


def _figures_of(predictions: AnyPredictions) -> Figures:
    """What can be computed of any choice of clips, without delay."""
    if isinstance(predictions, NumberPredictions):
        return _figures_of_numbers(predictions)
    if isinstance(predictions, TagPredictions):
        precision, n_tags = predictions.tag_precision()
        return {"lwlrap": lambda clips: _ratio((precision * n_tags)[clips].sum(), n_tags[clips].sum())}
    right = predictions.right.astype(float)
    references, answers = predictions.references, predictions.predictions
    figures: dict[str, Callable[[np.ndarray], float]] = {
        "accuracy": lambda clips: float(right[clips].mean()),
        "balanced_accuracy": lambda clips: _balanced(references[clips], right[clips]),
        "f1_macro": lambda clips: f1_macro(references[clips], answers[clips]),
    }
    if isinstance(predictions, TwoClassPredictions):
        scores = predictions.second_scores

        def area(clips: np.ndarray) -> float:
            drawn = references[clips]
            return roc_auc(drawn, scores[clips]) if 0 < drawn.sum() < len(drawn) else np.nan

        figures["anomaly_auc" if isinstance(predictions, AnomalyPredictions) else "roc_auc"] = area
    return figures


def _figures_of_numbers(predictions: NumberPredictions) -> Figures:
    is_number = predictions.is_number
    spoken, read = number_texts(predictions.references), number_texts(predictions.predictions)
    errors = np.array(
        [
            edit_distance(b, a) if holds_number else 0
            for a, b, holds_number in zip(spoken, read, is_number, strict=True)
        ]
    )
    lengths = np.array([len(text) for text in spoken])
    rates = errors / np.maximum(lengths, 1)

    def mean(values: np.ndarray) -> Callable[[np.ndarray], float]:
        return lambda clips: _ratio(values[clips][is_number[clips]].sum(), is_number[clips].sum())

    return {
        "cer": mean(rates),
        "cer_corpus": lambda clips: _ratio(errors[clips].sum(), lengths[clips].sum()),
        "exact_match": mean((errors == 0).astype(float)),
    }


def _balanced(references: np.ndarray, right: np.ndarray) -> float:
    counts = np.bincount(references)
    return float((np.bincount(references, right)[counts > 0] / counts[counts > 0]).mean())


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else np.nan


def same_clips(first: AnyPredictions, second: AnyPredictions) -> tuple[np.ndarray, np.ndarray]:
    """Indices, (clips,), in each of the two, of the clips that both have judged."""
    places = {path: place for place, path in enumerate(second.paths)}
    shared = [(place, places[path]) for place, path in enumerate(first.paths) if path in places]
    rows = np.array(shared, dtype=int).reshape(-1, 2)
    return rows[:, 0], rows[:, 1]
