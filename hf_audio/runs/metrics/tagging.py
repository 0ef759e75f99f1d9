"""Metrics of several tags a clip, as the successors of Freesound's tagging challenge use them."""

from collections.abc import Sequence

import datasets
import numpy as np
from sklearn.metrics import average_precision_score, label_ranking_average_precision_score

from .clip_metric import ClipMetric


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
        scores, tags = np.asarray(predictions), np.asarray(references)
        tagged, used = tags.any(1), tags.any(0)
        if not tagged.any():
            raise ValueError("No clip has a tag: the precision of tags needs at least one.")
        weights = tags[tagged].sum(1)
        return {
            "lwlrap": float(
                label_ranking_average_precision_score(tags[tagged], scores[tagged], sample_weight=weights)
            ),
            "map_micro": float(average_precision_score(tags[:, used], scores[:, used], average="micro")),
            "map_macro": float(average_precision_score(tags[:, used], scores[:, used], average="macro")),
        }
