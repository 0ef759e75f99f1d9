"""Temperatures that are fitted to clips which a network has not heard."""

from types import SimpleNamespace

import numpy as np
import pytest
from helpers.checkpoints import tiny_config
from scipy.special import softmax

from hf_audio.runs.scores import Scores
from hf_audio.training.judgement.calibration import cross_fit, fit_temperature


def test_folds_fit_the_temperature_of_one_another():
    """No clip has a say in how sure its own answer is; the network that is trained on all gets that of all."""
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(4000, 3)) * 3
    references = np.array([generator.choice(3, p=row) for row in softmax(logits, axis=1)])
    fold = np.arange(4000) % 2
    unsure = softmax(logits / 2, axis=1).astype(np.float32)  # of networks that are half as sure as they may be
    crossed = SimpleNamespace(scores=Scores([""] * 4000, references, unsure), fold=fold, temperatures=np.ones(4000))
    temperature, cooled = cross_fit(crossed, tiny_config(num_labels=3))
    assert temperature == pytest.approx(0.5, rel=0.05)
    other = fit_temperature(np.log(unsure[fold == 1]), references[fold == 1], tiny_config(num_labels=3))
    expected = softmax(np.log(unsure[fold == 0]) / other, axis=1)
    np.testing.assert_allclose(cooled.probabilities[fold == 0], expected, atol=1e-3)


def test_a_few_clips_that_are_all_right_make_no_network_sure():
    logits, labels = 3 * np.eye(3, dtype=np.float32)[np.arange(12) % 3], np.arange(12) % 3
    config = tiny_config(num_labels=3)
    assert fit_temperature(logits, labels, config) < 0.2
    assert 0.4 < fit_temperature(logits, labels, config, spread=1.0) < 0.7
    many = np.tile(logits, (500, 1)), np.tile(labels, 500)
    assert fit_temperature(*many, config, spread=1.0) < 0.3
