"""Precision of tags against its definitions spelt out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, label_ranking_average_precision_score

from hf_audio.runs.metrics import TaggingPrecision


def lwlrap_by_definition(scores, tags) -> float:
    """The mean over all pairs of a clip and a tag of its, of the share of its tags among those ranked as high."""
    precisions = []
    for clip_scores, clip_tags in zip(scores, tags, strict=True):
        for tag in np.flatnonzero(clip_tags):
            above = [other for other, score in enumerate(clip_scores) if score >= clip_scores[tag]]
            precisions.append(sum(clip_tags[other] for other in above) / len(above))
    return sum(precisions) / len(precisions)


def average_precision_by_definition(scores, tags) -> float:
    """The sum over thresholds, highest first, of precision times what recall gains."""
    total, recall = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        taken = np.array(scores) >= threshold
        precision, reached = tags[taken].mean(), tags[taken].sum() / tags.sum()
        total, recall = total + precision * (reached - recall), reached
    return total


def tagging_precision(scores, tags) -> dict:
    return TaggingPrecision(keep_in_memory=True).compute(predictions=scores, references=tags)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 8), st.integers(2, 5), st.integers(0, 999), st.booleans())
def test_precision_of_tags_follows_its_definition(n_clips, n_tags, seed, tied):
    generator = np.random.default_rng(seed)
    scores = generator.integers(0, 4, (n_clips, n_tags)) / 4 if tied else generator.random((n_clips, n_tags))
    tags = generator.integers(0, 2, (n_clips, n_tags))
    tags[0, 0] = 1
    used = tags.any(0)
    each = [average_precision_by_definition(scores[:, tag], tags[:, tag]) for tag in np.flatnonzero(used)]
    assert tagging_precision(scores, tags) == {
        "lwlrap": pytest.approx(lwlrap_by_definition(scores, tags)),
        "map_macro": pytest.approx(np.mean(each)),
        "map_micro": pytest.approx(average_precision_by_definition(scores[:, used].ravel(), tags[:, used].ravel())),
    }


def test_precision_of_tags_by_hand():
    scores = [[0.9, 0.5, 0.5, 0.1], [0.2, 0.8, 0.4, 0.1], [0.7, 0.6, 0.1, 0.3]]
    tags = [[0, 1, 0, 1], [0, 1, 1, 0], [0, 0, 0, 0]]
    told = tagging_precision(scores, tags)
    # A tag behind one wrong tag and level with another; the last of four, behind it; two right ones on top.
    assert told["lwlrap"] == pytest.approx((1 / 3 + 2 / 4 + 1 + 1) / 4)
    # Second tag: clips ranked right, wrong, right; third: wrong, right; fourth: wrong, then a tie of right and wrong.
    assert told["map_macro"] == pytest.approx(((1 / 2 + 2 / 3 / 2) + 1 / 2 + 1 / 3) / 3)


def test_many_tags_are_ranked_as_scikit_learn_ranks_them():
    generator = np.random.default_rng(0)
    scores = generator.integers(0, 50, (300, 40)) / 50  # with ties
    tags = (generator.random((300, 40)) < 0.05).astype(int)
    tags[:, 7] = 0
    used = tags.any(0)
    tagged = tags.any(1)
    told = tagging_precision(scores, tags)
    assert told == pytest.approx(
        {
            "lwlrap": label_ranking_average_precision_score(
                tags[tagged], scores[tagged], sample_weight=tags[tagged].sum(1)
            ),
            "map_micro": average_precision_score(tags[:, used], scores[:, used], average="micro"),
            "map_macro": average_precision_score(tags[:, used], scores[:, used], average="macro"),
        }
    )


def test_precision_of_tags_without_a_tag_is_refused():
    with pytest.raises(ValueError, match="No clip has a tag"):
        tagging_precision([[0.3, 0.2], [0.1, 0.2]], [[0, 0], [0, 0]])
