"""How well the scores of two classes tell them apart, against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from hf_audio.runs.predictions.two_classes import TwoClassPredictions


def test_two_classes_that_are_told_apart_by_few_clips_may_still_have_errors():
    second = np.linspace(0, 1, 20)
    paths = [f"{number}.wav" for number in range(20)]
    told = TwoClassPredictions.from_probabilities(
        paths, ["a", "b"], (second > 0.5).astype(int), np.stack([1 - second, second], 1)
    )
    assert told.metrics()["equal_error_rate"] == 0 and told.metrics()["roc_auc"] == 1
    for groups in (None, np.arange(20) // 2):
        told.groups = groups
        low, high = told.intervals()["equal_error_rate"]
        assert low == 0 and 0.1 < high < 0.5
        assert told.intervals()["roc_auc"][0] < 0.9


def test_two_classes_have_scores_intervals_and_a_curve(tmp_path):
    generator = np.random.default_rng(0)
    references = np.arange(60) % 2
    second = np.clip(0.5 + 0.15 * (2 * references - 1) + 0.2 * generator.standard_normal(60), 0.01, 0.99)
    paths = [f"{number}.wav" for number in range(60)]
    told = TwoClassPredictions.from_probabilities(paths, ["a", "b"], references, np.stack([1 - second, second], 1))
    np.testing.assert_allclose(told.second_scores, second)
    metrics, intervals = told.metrics(), told.intervals()
    assert set(told.metric_names(2)) | {"f1_a", "f1_b"} == set(metrics)
    assert metrics["roc_auc"] == pytest.approx(roc_auc_score(references, second))
    for name in ("accuracy", "balanced_accuracy", "roc_auc", "equal_error_rate"):
        low, high = intervals[name]
        assert low < metrics[name] < high
    told.write(tmp_path)
    assert set(told.pictures) == {"confusion_matrix.png", "roc_curve.png"} < {path.name for path in tmp_path.iterdir()}
    one = TwoClassPredictions.from_probabilities(["x"], ["a", "b"], [1], np.array([[0.2, 0.8]]))
    (tmp_path / "one").mkdir()
    one.write(tmp_path / "one")
    assert one.pictures == ["confusion_matrix.png"] and "roc_auc" not in {**one.metrics(), **one.intervals()}
