"""Calibration errors against scikit-learn's curve, and against what chance makes of them."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from hf_audio.runs.metrics import CalibrationError
from hf_audio.runs.metrics.calibration import calibration_error, chance_error


def test_confidence_that_comes_true_is_calibrated_and_other_is_not():
    generator = np.random.default_rng(0)
    confidence = generator.uniform(0.1, 1, 100_000)
    right = generator.random(len(confidence)) < confidence
    assert calibration_error(confidence, right) < 0.01
    assert calibration_error(np.ones(len(right)), right) == pytest.approx(1 - right.mean())
    # The bins of scikit-learn's curve, weighted by hand, of answers that are too sure.
    told = np.sqrt(confidence)
    share, mean = calibration_curve(right, told, n_bins=15)
    counts = np.histogram(told, np.linspace(0, 1, 16))[0]
    expected = np.average(np.abs(share - mean), weights=counts[counts > 0])
    computed = CalibrationError(keep_in_memory=True).compute(predictions=told, references=right.astype(int))
    assert computed == {"calibration_error": pytest.approx(expected)} and expected > 0.1


@pytest.mark.parametrize("n_clips", [40, 400])
def test_what_chance_makes_of_few_clips_is_told(n_clips):
    generator = np.random.default_rng(n_clips)
    confidence = generator.beta(4, 1, n_clips)
    errors = [calibration_error(confidence, generator.random(n_clips) < confidence) for _ in range(2000)]
    mean, most = chance_error(confidence)
    assert mean == pytest.approx(np.mean(errors), rel=0.05)
    assert np.mean(np.array(errors) > most) == pytest.approx(0.05, abs=0.02)
    assert chance_error(np.ones(n_clips)) == (0, 0)
