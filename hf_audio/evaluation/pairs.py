"""Two checkpoints on the same recordings: how far apart their figures are, and whether that is more than chance."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from ..runs.intervals import f1_macro, group_numbers
from ..runs.metrics.cer import edit_distance
from ..runs.metrics.two_classes import roc_auc
from ..runs.predictions import (
    AnyPredictions,
    NumberPredictions,
    TagPredictions,
    TwoClassPredictions,
    number_texts,
)
from .events import JudgedRecordings, draw_recordings, percentiles

DRAWS = 1000
LEAST_UNITS = 5  # clips, groups or recordings; fewer tell nothing of others
Figures = Mapping[str, Callable[[np.ndarray], float]]
"""By name: drawn clips, (clips,) indices -> a figure of them."""


class Difference(NamedTuple):
    """How much greater a figure of the second checkpoint is."""

    value: float
    interval: tuple[float, float] | None
    """95 %, by drawing recordings anew for both at once; `None` of too few."""

    @property
    def is_sure(self) -> bool:
        """Whether chance alone would hardly make it."""
        return self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]


def compare_clips(first: AnyPredictions, second: AnyPredictions, seed: int = 0) -> dict[str, Difference]:
    """Differences of two checkpoints' figures on the same clips, in the same order.

    Paired bootstrap: clips, or groups of them, are drawn with replacement, the same ones for both. Source: Efron,
    Tibshirani 1993, An Introduction to the Bootstrap, chapter 8.

    Args:
        first: answers of one checkpoint.
        second: of the other one, of the same kind.
        seed: of the draws.
    """
    n_clips = len(first.paths)
    pairs = [_figures_of(first), _figures_of(second)]
    names = [name for name in pairs[0] if name in pairs[1]]
    whole = np.arange(n_clips)
    values = {name: pairs[1][name](whole) - pairs[0][name](whole) for name in names}
    draws = _draw_clips(first.groups, n_clips, seed)
    if draws is None:
        return {name: Difference(value, None) for name, value in values.items()}
    drawn = {name: [pairs[1][name](clips) - pairs[0][name](clips) for clips in draws] for name in names}
    return {name: Difference(values[name], _interval(drawn[name])) for name in names}


def compare_recordings(first: JudgedRecordings, second: JudgedRecordings, seed: int = 0) -> dict[str, Difference]:
    """Differences of two checkpoints' figures on the same recordings and labels, by paired bootstrap."""
    n_recordings = len(first.paths)
    whole = np.ones(n_recordings)
    before, after = first.figures(whole), second.figures(whole)
    values = {name: after[name] - before[name] for name in before}
    if n_recordings < LEAST_UNITS:
        return {name: Difference(value, None) for name, value in values.items()}
    pairs = [(first.figures(drawn), second.figures(drawn)) for drawn in draw_recordings(n_recordings, seed)]
    return {
        name: Difference(value, percentiles([after[name] - before[name] for before, after in pairs]))
        for name, value in values.items()
    }


def _interval(values: list[float]) -> tuple[float, float] | None:
    known = [value for value in values if np.isfinite(value)]
    return percentiles(known) if known else None


def _draw_clips(groups: np.ndarray | None, n_clips: int, seed: int) -> list[np.ndarray] | None:
    """Clips of every draw, whole groups at a time; `None` where there is too little to draw from."""
    random = np.random.default_rng(seed)
    numbers = group_numbers(groups)
    if groups is not None and len(set(groups.tolist())) == 1:
        numbers = np.zeros(n_clips, dtype=int)
    units = [np.array([clip]) for clip in range(n_clips)]
    if numbers is not None:
        order = np.argsort(numbers, kind="stable")
        units = np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)
    if len(units) < LEAST_UNITS:
        return None
    chosen = random.integers(len(units), size=(DRAWS, len(units)))
    return [np.concatenate([units[unit] for unit in row]) for row in chosen]


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

        figures["roc_auc"] = area
    return figures


def _figures_of_numbers(predictions: NumberPredictions) -> Figures:
    said = predictions.is_number
    spoken, read = number_texts(predictions.references), number_texts(predictions.predictions)
    errors = np.array([edit_distance(b, a) if own else 0 for a, b, own in zip(spoken, read, said, strict=True)])
    lengths = np.array([len(text) for text in spoken])
    rates = errors / np.maximum(lengths, 1)

    def mean(values: np.ndarray) -> Callable[[np.ndarray], float]:
        return lambda clips: _ratio(values[clips][said[clips]].sum(), said[clips].sum())

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
    """Where the clips that both have judged are in either, (clips,) indices each."""
    places = {path: place for place, path in enumerate(second.paths)}
    shared = [(place, places[path]) for place, path in enumerate(first.paths) if path in places]
    rows = np.array(shared, dtype=int).reshape(-1, 2)
    return rows[:, 0], rows[:, 1]
