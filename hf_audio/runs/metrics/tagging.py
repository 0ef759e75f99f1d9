"""Metrics of several tags a clip, as the successors of Freesound's tagging challenge use them."""

from collections.abc import Sequence

import datasets
import numpy as np

from .clip_metric import ClipMetric

# Pairs of a clip and a tag of its that are compared with all other tags at once.
PAIRS_AT_ONCE = 1 << 14


def label_ranking_precision(scores: np.ndarray, tags: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Label-ranking average precision of every clip that has tags, and how many it has; 0 and 0 of the others.

    Of each of a clip's tags, the share of right ones among those ranked at least as high; then the mean of its tags.

    Args:
        scores: (clips, tags).
        tags: 1 and 0, (clips, tags).

    Source: Tsoumakas et al. 2010, Mining Multi-label Data.
    """
    has = tags.astype(bool)
    clips, own = np.nonzero(has)
    precision = np.zeros(len(has))
    for first in range(0, len(clips), PAIRS_AT_ONCE):
        rows = clips[first : first + PAIRS_AT_ONCE]
        above = scores[rows] >= scores[rows, own[first : first + PAIRS_AT_ONCE], None]  # (pairs, tags)
        shares = (above & has[rows]).sum(1) / above.sum(1)
        np.add.at(precision, rows, shares)
    n_tags = has.sum(1)
    return precision / np.maximum(n_tags, 1), n_tags


def average_precision(scores: np.ndarray, tags: np.ndarray) -> float:
    """The mean precision at the clips that have a tag, in the ranking of all clips by its scores.

    Equal to scikit-learn's `average_precision_score`: clips of one score are one step of the ranking.

    scores: (clips,); tags: (clips,) of 1 and 0.
    """
    order = np.argsort(-scores, kind="stable")
    right = np.cumsum(tags[order] != 0)
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)  # of each step
    right = right[last]
    return float((np.diff(right, prepend=0) * right / (last + 1)).sum() / right[-1])


def tagging_precision(scores: np.ndarray, tags: np.ndarray) -> dict[str, float]:
    """What `TaggingPrecision` returns, without the lists that `evaluate` keeps: of (clips, tags) each.

    Raises:
        ValueError: no clip has a tag.
    """
    used = np.flatnonzero(tags.any(0))
    if not len(used):
        raise ValueError("No clip has a tag: the precision of tags needs at least one.")
    precision, n_tags = label_ranking_precision(scores, tags)
    by_tag_scores, by_tag = np.ascontiguousarray(scores.T[used]), np.ascontiguousarray(tags.T[used])
    each = [average_precision(*of_tag) for of_tag in zip(by_tag_scores, by_tag, strict=True)]
    return {
        "lwlrap": float(np.average(precision, weights=n_tags)),
        "map_micro": average_precision(by_tag_scores.ravel(), by_tag.ravel()),
        "map_macro": float(np.mean(each)),
    }


class TaggingPrecision(ClipMetric):
    """Precision of ranked tags: `compute` returns `{"lwlrap", "map_micro", "map_macro"}`.

    `lwlrap`, label-weighted label-ranking average precision: of every tag of every clip, the share of right tags among
    those ranked at least as high. `map_macro`: the mean over tags of the average precision of ranking the clips;
    tags that no clip has are left out. `map_micro`: the same of all pairs of clip and tag in one ranking. Source of
    lwlrap: https://dcase.community/challenge2019/task-audio-tagging.

    Raises:
        ValueError: no clip has a tag.
    """

    inputs = "predictions: scores of every tag; references: 1 for a clip's tags and 0 for others."
    predictions = datasets.List(datasets.Value("float64"))
    references = datasets.List(datasets.Value("int64"))

    def _compute(
        self, predictions: Sequence[Sequence[float]], references: Sequence[Sequence[int]]
    ) -> dict[str, float]:
        return tagging_precision(np.asarray(predictions), np.asarray(references))
