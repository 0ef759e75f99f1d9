"""What is said about spoken numbers, against values by hand."""

import numpy as np
import pytest

from hf_audio.runs.predictions.numbers import NumberPredictions


def test_numbers_without_an_error_may_still_have_some():
    digits = np.array([[0, 3], [4, 8]] * 10)
    told = NumberPredictions.from_probabilities([""] * 20, [], digits, np.eye(10)[digits].reshape(20, 20))
    assert told.metrics()["cer"] == 0
    low, high = told.intervals()["cer"]
    exact_low, _ = told.intervals()["exact_match"]
    # A wrong clip has one wrong digit at least: of one or of two.
    assert low == 0 and high == pytest.approx((1 - exact_low) * 3 / 4)


def test_numbers_are_judged_without_their_leading_zeros(tmp_path):
    references = np.array([[0, 3, 8], [0, 0, 0], [9, 4, 8]])
    read = np.array([[0, 3, 9], [0, 0, 0], [0, 4, 8]])
    probabilities = (np.eye(10)[read] * 0.8 + 0.02).reshape(3, 30)
    report = NumberPredictions.from_probabilities(["x/a.wav", "x/b.wav", "x/c.wav"], [], references, probabilities)
    assert report.metrics() == {
        "cer": pytest.approx((1 / 2 + 0 + 1 / 3) / 3),
        "cer_corpus": pytest.approx(2 / 6),
        "exact_match": pytest.approx(1 / 3),
        "calibration_error": pytest.approx(0.82**3 - 1 / 3),
    }
    assert report.rows()[0] == {"path": "a.wav", "number": "38", "prediction": "39", "score": f"{0.82**3:.4f}"}
    places, misheard = report.tables()
    assert [row[1] for row in places.rows] == ["0.3333", "0.0000", "0.3333"]
    assert sorted(misheard.rows) == [[8, 9, 1], [9, 0, 1]]
    report.write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"predictions.csv", "confusion_matrix.png"}
    low, high = report.intervals()["cer"]
    assert 0 <= low < report.metrics()["cer"] < high <= 1


def test_numbers_are_told_from_what_is_none(tmp_path):
    references = np.array([[3, 8], [4, 2], [-1, -1], [-1, -1]])
    read = np.eye(10)[[[3, 8], [0, 0], [0, 0], [5, 1]]]
    shares = np.array([0.9, 0.3, 0.2, 0.6])[:, None, None]  # of what is read; the second number is taken for none
    probabilities = (read * shares + (1 - shares) / 10).reshape(4, 20)
    report = NumberPredictions.from_probabilities(["a", "b", "c", "d"], [], references, probabilities)
    metrics = report.metrics()
    assert metrics.pop("calibration_error") < 0.5
    assert metrics == {"cer": 0.5, "cer_corpus": 0.5, "exact_match": 0.5, "rejection_auroc": 0.75}
    np.testing.assert_allclose(report.confidence, [0.91**2, 0.7, 0.8, 0.64**2])
    assert [(row["number"], row["prediction"]) for row in report.rows()] == [
        ("38", "38"),
        ("42", "none of these"),
        ("none of these", "none of these"),
        ("none of these", "51"),
    ]
    places, _ = report.tables()[0], report.write(tmp_path)
    assert [row[1] for row in places.rows] == ["0.5000", "0.5000"]
    assert report.intervals()["exact_match"][0] < 0.5
