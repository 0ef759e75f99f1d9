"""Metrics of one label a clip against scikit-learn, offline."""

import evaluate
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from hf_audio.runs.metrics import Accuracy, BalancedAccuracy, F1Macro

pairs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=30)


@settings(deadline=None, max_examples=30)
@given(pairs)
def test_they_equal_scikit_learn(rows):
    references, predictions = zip(*rows, strict=True)
    given_ = {"references": references, "predictions": predictions}
    accuracy = Accuracy(keep_in_memory=True).compute(**given_)["accuracy"]
    assert accuracy == pytest.approx(np.mean(np.equal(references, predictions)))
    balanced = BalancedAccuracy(keep_in_memory=True).compute(**given_)["balanced_accuracy"]
    right = np.equal(references, predictions)
    assert balanced == pytest.approx(np.mean([right[np.equal(references, k)].mean() for k in set(references)]))
    f1 = F1Macro(keep_in_memory=True).compute(**given_)["f1_macro"]
    assert f1 == pytest.approx(f1_score(references, predictions, average="macro", zero_division=0))


def test_they_are_metrics_of_evaluate_and_add_up_over_batches():
    metric = Accuracy(keep_in_memory=True)
    assert isinstance(metric, evaluate.Metric)
    metric.add_batch(predictions=[1, 2], references=[1, 0])
    metric.add_batch(predictions=[3], references=[3])
    assert metric.compute() == {"accuracy": pytest.approx(2 / 3)}
