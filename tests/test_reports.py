"""What is said about held-out clips, against scikit-learn and by hand."""

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom
from sklearn.metrics import classification_report

from hf_audio.reports import NumberPredictions, Predictions, bootstrap_interval

NAMES = ["cat", "dog", "hen"]


def predictions(references, predicted, names=NAMES) -> Predictions:
    probabilities = np.eye(len(names))[np.array(predicted)] * 0.6 + 0.1
    paths = [f"some/where/{number}.wav" for number in range(len(references))]
    return Predictions.from_probabilities(paths, names, np.array(references), probabilities)


def test_per_class_scores_are_scikit_learns():
    references, predicted = [0, 0, 1, 1, 1, 2], [0, 1, 1, 1, 0, 0]
    expected = classification_report(references, predicted, target_names=NAMES, output_dict=True, zero_division=0)
    for row in predictions(references, predicted).per_class():
        named = expected[row["label"]]
        assert (row["precision"], row["recall"], row["f1"], row["clips"]) == pytest.approx(
            (named["precision"], named["recall"], named["f1-score"], named["support"])
        )


@given(pairs=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=60))
def test_hardest_pairs_count_both_directions(pairs):
    references, predicted = zip(*pairs, strict=True)
    told = predictions(references, predicted).hardest_pairs()
    assert sum(row["confused"] for row in told) == sum(a != b for a, b in pairs)
    assert [row["confused"] for row in told] == sorted((row["confused"] for row in told), reverse=True)
    for row in told:
        a, b = (NAMES.index(name) for name in row["pair"].split(" and "))
        assert row["confused"] == pairs.count((a, b)) + pairs.count((b, a)) > 0
        assert row["clips"] == references.count(a) + references.count(b)


def test_only_so_many_pairs_are_told():
    names = [str(number) for number in range(8)]
    references = np.repeat(np.arange(8), 8)
    told = predictions(references, np.tile(np.arange(8), 8), names).hardest_pairs(5)
    assert len(told) == 5


def test_what_is_written_is_read_again(tmp_path):
    written = predictions([0, 1, 2, 2], [0, 2, 2, 1])
    written.write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"predictions.csv", "per_class.csv", "confusion_matrix.png"}
    with open(tmp_path / "predictions.csv", newline="") as file:
        first = next(csv.DictReader(file))
    assert first == {"path": "0.wav", "label": "cat", "prediction": "cat", "score": "0.7000"}
    read = Predictions.read(tmp_path / "predictions.csv", NAMES)
    both = Predictions.concatenate([read, read])
    np.testing.assert_array_equal(both.references, [0, 1, 2, 2] * 2)
    np.testing.assert_array_equal(both.predictions, [0, 2, 2, 1] * 2)
    np.testing.assert_allclose(both.scores, 0.7)
    assert both.paths == [f"{number}.wav" for number in range(4)] * 2


def test_bootstrap_interval_of_an_accuracy_is_the_binomial_one():
    right = np.arange(300) < 270
    low, high = bootstrap_interval(lambda clips: right[clips].mean(), 300)
    assert low == pytest.approx(binom.ppf(0.025, 300, 0.9) / 300, abs=0.01)
    assert high == pytest.approx(binom.ppf(0.975, 300, 0.9) / 300, abs=0.01)
    assert bootstrap_interval(lambda clips: right[clips].mean(), 300) == (low, high)


def test_numbers_are_judged_without_their_leading_zeros(tmp_path):
    references = np.array([[0, 3, 8], [0, 0, 0], [9, 4, 8]])
    read = np.array([[0, 3, 9], [0, 0, 0], [0, 4, 8]])
    probabilities = (np.eye(10)[read] * 0.8 + 0.02).reshape(3, 30)
    report = NumberPredictions.from_probabilities(["x/a.wav", "x/b.wav", "x/c.wav"], [], references, probabilities)
    assert report.metrics() == {
        "cer": pytest.approx((1 / 2 + 0 + 1 / 3) / 3),
        "cer_corpus": pytest.approx(2 / 6),
        "exact_match": pytest.approx(1 / 3),
    }
    assert report.rows()[0] == {"path": "a.wav", "number": "38", "prediction": "39", "score": f"{0.82**3:.4f}"}
    places, misheard = report.tables()
    assert [row[1] for row in places.rows] == ["0.3333", "0.0000", "0.3333"]
    assert sorted(misheard.rows) == [[8, 9, 1], [9, 0, 1]]
    report.write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"predictions.csv", "confusion_matrix.png"}
    low, high = report.intervals()["cer"]
    assert 0 <= low < report.metrics()["cer"] < high <= 1
