"""Metrics against scikit-learn, or against their definitions spelt out, offline."""

import evaluate
import numpy as np
import pytest
import sklearn.metrics
from helpers.checkpoints import tiny_config
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score
from transformers import EvalPrediction

from hf_audio.runs.metrics import (
    Accuracy,
    CharacterErrorRate,
    F1Macro,
    MeanAveragePrecisionAt3,
    TaggingPrecision,
    TwoClassScores,
)
from hf_audio.runs.metrics.cer import edit_distance
from hf_audio.runs.metrics.map_at_3 import rank_labels
from hf_audio.runs.metrics.two_classes import calibration_error, roc_curve
from hf_audio.training.judging import compute_metrics

pairs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=30)


@settings(deadline=None, max_examples=30)
@given(pairs)
def test_they_equal_scikit_learn(rows):
    references, predictions = zip(*rows, strict=True)
    given_ = {"references": references, "predictions": predictions}
    accuracy = Accuracy(keep_in_memory=True).compute(**given_)["accuracy"]
    assert accuracy == pytest.approx(np.mean(np.equal(references, predictions)))
    f1 = F1Macro(keep_in_memory=True).compute(**given_)["f1_macro"]
    assert f1 == pytest.approx(
        f1_score(references, predictions, labels=np.unique(references), average="macro", zero_division=0)
    )


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
        "f1_LABEL_0": pytest.approx(f1_score([0, 1, 1], [0, 1, 0])),
        "f1_LABEL_1": pytest.approx(f1_score([1, 0, 0], [1, 0, 1])),
        "balanced_accuracy": pytest.approx(3 / 4),
        "roc_auc": 1.0,
        "equal_error_rate": 0.0,
        "calibration_error": pytest.approx(np.mean([1 - 0.8699, 1 - 0.8808, 0.6225]), abs=1e-4),
    }


scored_clips = st.lists(
    st.tuples(st.integers(0, 1), st.floats(0, 1).map(lambda score: round(score, 1))), min_size=2, max_size=40
).filter(lambda rows: len({label for label, _ in rows}) == 2)


@settings(deadline=None, max_examples=40)
@given(scored_clips)
def test_two_classes_are_told_apart_as_scikit_learn_says(rows):
    labels, scores = (np.array(column) for column in zip(*rows, strict=True))
    told = TwoClassScores(keep_in_memory=True).compute(predictions=scores, references=labels)
    assert told["roc_auc"] == pytest.approx(roc_auc_score(labels, scores))
    assert told["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, scores > 0.5))
    false_alarms, hits, _ = sklearn.metrics.roc_curve(labels, scores, drop_intermediate=False)
    np.testing.assert_allclose(roc_curve(labels, scores), (false_alarms, hits))
    # Both errors are equal where the curve, drawn with straight lines, meets the falling diagonal.
    along = np.linspace(0, 1, 20_001)
    curve = np.interp(along, false_alarms + 1e-9 * np.arange(len(hits)), hits)
    nearest = along[np.abs(1 - curve - along).argmin()]
    assert told["equal_error_rate"] == pytest.approx(nearest, abs=1e-3)


def test_confidence_that_comes_true_is_calibrated_and_other_is_not():
    generator = np.random.default_rng(0)
    scores = generator.random(100_000)
    true = (generator.random(len(scores)) < scores).astype(int)
    assert calibration_error(true, scores) < 0.01
    assert calibration_error(true, (scores > 0.5).astype(float)) == pytest.approx(0.25, abs=0.01)
    # The bins of scikit-learn's curve, weighted by hand.
    confidence, right = np.maximum(scores, 1 - scores), (scores > 0.5) == true
    share, mean = calibration_curve(right, confidence, n_bins=10)
    counts = np.histogram(confidence, np.linspace(0, 1, 11))[0]
    expected = np.average(np.abs(share - mean), weights=counts[counts > 0])
    assert calibration_error(true, scores) == pytest.approx(expected)


def test_of_one_class_only_the_confidence_can_be_judged():
    told = TwoClassScores(keep_in_memory=True).compute(predictions=[0.9, 0.8], references=[1, 1])
    assert told == {"calibration_error": pytest.approx(0.15)}


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


# --- mean average precision at 3 -------------------------------------------------------------------------------------

NAMES = ["bark", "chime", "gong", "meow", ""]
ranked_clips = st.lists(
    st.tuples(st.lists(st.integers(0, 3), max_size=5), st.integers(-1, 3)), min_size=1, max_size=20
).filter(lambda clips: any(label >= 0 for _, label in clips))


def map_at_3_by_definition(clips) -> float:
    """The mean over labelled clips of the precision at the place, of three, where the label first stands."""
    values = []
    for ranked, label in clips:
        if label == -1:
            continue
        hits, value = 0, 0.0
        for place, guess in enumerate(ranked[:3], start=1):
            if guess == label and hits == 0:
                hits += 1
                value += hits / place
        values.append(value)
    return sum(values) / len(values)


@settings(deadline=None, max_examples=60)
@given(ranked_clips)
def test_map_at_3_follows_its_definition_for_indices_and_names(clips):
    expected = {"map_at_3": pytest.approx(map_at_3_by_definition(clips))}
    predictions, references = zip(*clips, strict=True)
    metric = MeanAveragePrecisionAt3(keep_in_memory=True)
    assert metric.compute(predictions=predictions, references=references) == expected
    named = {
        "predictions": [[NAMES[label] for label in ranked] for ranked in predictions],
        "references": [NAMES[label] for label in references],
    }
    assert MeanAveragePrecisionAt3(keep_in_memory=True).compute(**named) == expected
    for prediction, reference in clips:
        metric.add_batch(predictions=[prediction], references=[reference])
    assert metric.compute() == expected


def test_map_at_3_takes_names_that_look_like_numbers():
    told = MeanAveragePrecisionAt3(keep_in_memory=True).compute(predictions=[["7"], ["cat"]], references=["7", "cat"])
    assert told == {"map_at_3": 1.0}


@pytest.mark.parametrize("missing", [-1, ""])
def test_map_at_3_without_a_label_is_refused(missing):
    with pytest.raises(ValueError, match="No clip has a label"):
        MeanAveragePrecisionAt3(keep_in_memory=True).compute(predictions=[[missing]], references=[missing])


@given(st.lists(st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.7]), min_size=6, max_size=6), min_size=1, max_size=8))
def test_of_equal_scores_the_first_class_is_ranked_first(scores):
    for width in (2, 6):
        rows = [row[:width] for row in scores]
        by_hand = [sorted(range(width), key=lambda label: (-row[label], label))[:3] for row in rows]
        np.testing.assert_array_equal(rank_labels(np.array(rows)), by_hand)


# --- tags ------------------------------------------------------------------------------------------------------------


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


def test_precision_of_tags_without_a_tag_is_refused():
    with pytest.raises(ValueError, match="No clip has a tag"):
        tagging_precision([[0.3, 0.2], [0.1, 0.2]], [[0, 0], [0, 0]])
