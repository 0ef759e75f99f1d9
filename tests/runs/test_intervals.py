"""Intervals against the binomial distribution, and the fast F1 they need."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom
from sklearn.metrics import f1_score

from hf_audio.runs.intervals import bootstrap_interval, f1_macro


def test_bootstrap_interval_of_an_accuracy_is_the_binomial_one():
    right = np.arange(300) < 270
    low, high = bootstrap_interval(lambda clips: right[clips].mean(), 300)
    assert low == pytest.approx(binom.ppf(0.025, 300, 0.9) / 300, abs=0.01)
    assert high == pytest.approx(binom.ppf(0.975, 300, 0.9) / 300, abs=0.01)
    assert bootstrap_interval(lambda clips: right[clips].mean(), 300) == (low, high)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_fast_f1_is_scikit_learns(rows):
    references, predicted = np.array(rows).T
    expected = f1_score(references, predicted, average="macro", zero_division=0)
    assert f1_macro(references, predicted) == pytest.approx(expected)
