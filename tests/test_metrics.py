"""Metrics against scikit-learn, offline."""

import evaluate
import numpy as np
import pytest
from conftest import tiny_config
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score
from transformers import EvalPrediction

from hf_audio.metrics import Accuracy, CharacterErrorRate, F1Macro
from hf_audio.metrics.cer import edit_distance
from hf_audio.training import compute_metrics

pairs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=30)


@settings(deadline=None, max_examples=30)
@given(pairs)
def test_they_equal_scikit_learn(rows):
    references, predictions = zip(*rows, strict=True)
    given_ = {"references": references, "predictions": predictions}
    accuracy = Accuracy(keep_in_memory=True).compute(**given_)["accuracy"]
    assert accuracy == pytest.approx(np.mean(np.equal(references, predictions)))
    f1 = F1Macro(keep_in_memory=True).compute(**given_)["f1_macro"]
    assert f1 == pytest.approx(f1_score(references, predictions, average="macro", zero_division=0))


def test_they_are_metrics_of_evaluate_and_add_up_over_batches():
    metric = Accuracy(keep_in_memory=True)
    assert isinstance(metric, evaluate.Metric)
    metric.add_batch(predictions=[1, 2], references=[1, 0])
    metric.add_batch(predictions=[3], references=[3])
    assert metric.compute() == {"accuracy": pytest.approx(2 / 3)}


def test_trainer_gets_them_from_logits():
    logits = np.array([[0.1, 2.0], [3.0, 1.0], [0.0, 0.5]])
    prediction = EvalPrediction(predictions=logits, label_ids=np.array([1, 0, 0]))
    told = compute_metrics(prediction, tiny_config(num_labels=2))
    assert told == {
        "accuracy": pytest.approx(2 / 3),
        "f1_macro": pytest.approx(f1_score([1, 0, 0], [1, 0, 1], average="macro")),
    }


def brute_force_distance(a: str, b: str) -> int:
    if not a or not b:
        return len(a) + len(b)
    if a[0] == b[0]:
        return brute_force_distance(a[1:], b[1:])
    shorter = (a[1:], b), (a, b[1:]), (a[1:], b[1:])
    return 1 + min(brute_force_distance(*pair) for pair in shorter)


@settings(deadline=None)
@given(st.text("0123", max_size=5), st.text("0123", max_size=5))
def test_edit_distance_equals_brute_force(a, b):
    assert edit_distance(a, b) == brute_force_distance(a, b) == edit_distance(b, a)


def test_cer_over_clips_and_over_the_corpus():
    # One of two digits wrong; nothing wrong, for leading zeros are not read; two of six missing.
    told = CharacterErrorRate(keep_in_memory=True).compute(
        predictions=["000039", "0", "001948"], references=["38", "000000", "194827"]
    )
    assert told == {
        "cer": pytest.approx((1 / 2 + 0 + 2 / 6) / 3),
        "cer_corpus": pytest.approx(3 / 9),
        "exact_match": pytest.approx(1 / 3),
    }


@pytest.mark.parametrize("wrong", ["", "-5", "1.5", "٣", "x"])
def test_cer_refuses_what_is_no_number(wrong):
    with pytest.raises(ValueError, match="is not a number: give a string of digits"):
        CharacterErrorRate(keep_in_memory=True).compute(predictions=[wrong], references=["1"])
