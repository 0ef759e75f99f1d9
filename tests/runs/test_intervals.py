"""Intervals against statsmodels' and others' published values, by how often they hold, and the fast F1 they need."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, norm
from sklearn.metrics import f1_score

from hf_audio.runs.intervals import (
    balanced_accuracy_interval,
    bootstrap_interval,
    f1_macro,
    f1_macro_interval,
    is_better,
    mean_interval,
    roc_auc_interval,
    wilson_interval,
)


def test_bootstrap_interval_of_an_accuracy_is_the_binomial_one():
    right = np.arange(300) < 270
    low, high = bootstrap_interval(lambda clips: right[clips].mean(), 300)
    assert low == pytest.approx(binom.ppf(0.025, 300, 0.9) / 300, abs=0.01)
    assert high == pytest.approx(binom.ppf(0.975, 300, 0.9) / 300, abs=0.01)
    assert bootstrap_interval(lambda clips: right[clips].mean(), 300) == (low, high)


def test_groups_are_drawn_as_a_whole():
    right, groups = np.repeat([1.0, 0.0], [30, 10]), np.repeat(np.arange(4), 10)
    drawn = bootstrap_interval(lambda clips: right[clips].mean(), 40, groups=groups)
    assert drawn == pytest.approx((0.25, 1.0)), "of four groups, one wrong"


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_fast_f1_is_scikit_learns(rows):
    references, predicted = np.array(rows).T
    expected = f1_score(references, predicted, average="macro", zero_division=0)
    assert f1_macro(references, predicted) == pytest.approx(expected)


def test_wilsons_interval_is_the_published_one():
    """Newcombe 1998, https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E, table I."""
    for right, n, expected in ((81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)), (0, 20, (0, 0.1611))):
        assert wilson_interval(right / n, n) == pytest.approx(expected, abs=5e-5)
    right = np.arange(263) < 81
    assert mean_interval(right.astype(float)) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_eighteen_right_of_eighteen_are_not_certain():
    labels = np.repeat([0, 1, 2], 6)
    for interval in (
        mean_interval(np.ones(18)),
        balanced_accuracy_interval(labels, labels),
        f1_macro_interval(labels, labels),
    ):
        assert interval == pytest.approx((18 / (18 + norm.ppf(0.975) ** 2), 1.0))
    low, high = roc_auc_interval(np.repeat([0, 1], 9), np.arange(18) / 18)
    assert 0.5 < low < 0.9 and high == 1


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30), st.booleans())
def test_an_interval_holds_what_was_found(rows, grouped):
    references, predicted = np.array(rows).T
    groups = np.arange(len(rows)) // 3 if grouped else None
    found = {
        f1_macro(references, predicted): f1_macro_interval(references, predicted, groups),
        (references == predicted).mean(): mean_interval((references == predicted).astype(float), groups=groups),
    }
    for value, (low, high) in found.items():
        assert 0 <= low <= value + 1e-9 and value - 1e-9 <= high <= 1 and low < high


def test_a_worse_score_is_not_surer_to_be_good():
    labels = np.repeat([0, 1], 20)
    flawless, nearly = np.arange(40) / 40, np.arange(40) / 40
    nearly[19:21] = nearly[[20, 19]]
    assert roc_auc_interval(labels, nearly)[0] <= roc_auc_interval(labels, flawless)[0]


def coverage(draw, truth, interval, draws=400) -> float:
    """How often an interval holds the truth."""
    held = [low <= truth <= high for low, high in (interval(*draw()) for _ in range(draws))]
    return float(np.mean(held))


@pytest.mark.parametrize("counts", [(20, 20, 20, 20), (30, 10, 5, 2, 1)])
def test_of_a_hundred_intervals_some_ninety_five_hold_the_truth(counts):
    generator = np.random.default_rng(0)
    references, n_classes = np.repeat(np.arange(len(counts)), counts), len(counts)
    confusion = np.full((n_classes, n_classes), 0.2 / (n_classes - 1))
    np.fill_diagonal(confusion, 0.8)
    expected = confusion * np.array(counts)[:, None]
    f1 = float((2 * np.diag(expected) / (expected.sum(0) + expected.sum(1))).mean())
    edges = confusion.cumsum(1)

    def draw():
        return references, (generator.random(len(references))[:, None] > edges[references]).sum(1)

    assert 0.92 < coverage(draw, 0.8, balanced_accuracy_interval) <= 1
    assert 0.92 < coverage(draw, f1, f1_macro_interval) <= 1


def test_of_clips_that_are_alike_the_groups_count():
    """Whole recordings are told or not: of forty with five clips each."""
    generator = np.random.default_rng(1)
    groups = np.repeat(np.arange(40), 5)

    def draw():
        return ((generator.random(40) < 0.85)[groups].astype(float),)

    assert coverage(draw, 0.85, lambda right: mean_interval(right, groups=groups)) > 0.91
    assert coverage(draw, 0.85, mean_interval) < 0.75, "as if every clip told something new"
    low, high = mean_interval(np.ones(200), groups=groups)
    assert (low, high) == pytest.approx(wilson_interval(1, 40))


def test_groups_of_a_clip_each_change_nothing_and_a_single_one_tells_nothing():
    right = (np.arange(30) % 4 > 0).astype(float)
    for groups in (np.arange(30), np.zeros(30)):
        assert mean_interval(right, groups=groups) == mean_interval(right)


def test_one_is_better_where_chance_does_not_explain_it():
    """McNemar's exact test: of six that only one of the two tells rightly, all are the first one's (2^-6)."""
    assert is_better(np.array([1] * 6 + [0] * 50)) and not is_better(np.array([1] * 5 + [0] * 50))
    assert not is_better(np.array([1] * 12 + [-1] * 6)) and is_better(np.array([1] * 30 + [-1] * 6))
    assert not is_better(np.zeros(20)) and not is_better(-np.ones(20))
    one_recording = np.array([1] * 20 + [0] * 80)
    assert is_better(one_recording) and not is_better(one_recording, groups=np.arange(100) // 20)
    assert is_better(np.ones(20), groups=np.arange(20) // 5)
    precision = np.random.default_rng(0).normal(0.3, 0.5, 60)
    assert is_better(precision) and not is_better(precision - precision.mean(), np.ones(60))
