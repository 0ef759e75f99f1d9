"""How scores become metrics."""

import numpy as np
import pytest
from helpers.checkpoints import tiny_config
from sklearn.metrics import f1_score
from transformers import EvalPrediction

from hf_audio.runs.scores import Scores
from hf_audio.training.judgement.judging import compute_metrics, pool_scores


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


def test_a_speaker_is_judged_by_the_mean_of_the_clips():
    scores = Scores(
        ["0", "1", "2", "3"], np.array([1, 0, 1, 1]), np.array([[0.9, 0.1], [0.6, 0.4], [0, 1], [0.2, 0.8]])
    )
    whole = pool_scores(scores, ["B", "A", "B", "C"])
    assert whole.paths == ["A", "B", "C"] and whole.references.tolist() == [0, 1, 1]
    np.testing.assert_allclose(whole.probabilities, [[0.6, 0.4], [0.45, 0.55], [0.2, 0.8]])
