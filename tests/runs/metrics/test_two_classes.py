"""Scores of two classes against scikit-learn."""

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from hf_audio.runs.metrics import TwoClassScores
from hf_audio.runs.metrics.two_classes import roc_curve

scored_clips = st.lists(
    st.tuples(st.integers(0, 1), st.floats(0, 1).map(lambda score: round(score, 1))), min_size=2, max_size=40
).filter(lambda rows: len({label for label, _ in rows}) == 2)


@settings(deadline=None, max_examples=40)
@given(scored_clips)
def test_two_classes_are_told_apart_as_scikit_learn_says(rows):
    labels, scores = (np.array(column) for column in zip(*rows, strict=True))
    told = TwoClassScores(keep_in_memory=True).compute(predictions=scores, references=labels)
    assert told["roc_auc"] == pytest.approx(roc_auc_score(labels, scores))
    false_alarms, hits, _ = sklearn.metrics.roc_curve(labels, scores, drop_intermediate=False)
    np.testing.assert_allclose(roc_curve(labels, scores), (false_alarms, hits))
    # Both errors are equal where the curve, drawn with straight lines, meets the falling diagonal.
    along = np.linspace(0, 1, 20_001)
    curve = np.interp(along, false_alarms + 1e-9 * np.arange(len(hits)), hits)
    nearest = along[np.abs(1 - curve - along).argmin()]
    assert told["equal_error_rate"] == pytest.approx(nearest, abs=1e-3)


def test_of_one_class_there_is_nothing_to_tell_apart():
    assert TwoClassScores(keep_in_memory=True).compute(predictions=[0.9, 0.8], references=[1, 1]) == {}
