"""What is said about clips of one class each, against scikit-learn and by hand."""

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, classification_report, f1_score

from hf_audio.runs.predictions.classes import Predictions
from hf_audio.runs.predictions.kinds import join_clips

NAMES = ["cat", "dog", "hen"]


def predictions(references, predicted, names=NAMES) -> Predictions:
    probabilities = np.eye(len(names))[np.array(predicted)] * 0.6 + 0.1
    paths = [f"some/where/{number}.wav" for number in range(len(references))]
    return Predictions.from_probabilities(paths, names, np.array(references), probabilities)


def first_row(table) -> dict[str, str]:
    with open(table, newline="") as file:
        return next(csv.DictReader(file))


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
    ranked = {"prediction": "cat", "prediction_2": "dog", "prediction_3": "hen"}
    assert first_row(tmp_path / "predictions.csv") == {"path": "0.wav", "label": "cat", "score": "0.7000", **ranked}
    read = Predictions.read(tmp_path / "predictions.csv", NAMES)
    both = join_clips([read, read])
    np.testing.assert_array_equal(both.references, [0, 1, 2, 2] * 2)
    np.testing.assert_array_equal(both.predictions, [0, 2, 2, 1] * 2)
    np.testing.assert_array_equal(both.ranked, np.concatenate([written.ranked] * 2))
    np.testing.assert_allclose(both.scores, 0.7)
    assert both.paths == [f"{number}.wav" for number in range(4)] * 2


def test_of_two_classes_there_are_two_places(tmp_path):
    written = predictions([0, 1, 1], [0, 1, 0], ["cat", "dog"])
    written.write(tmp_path)
    row = first_row(tmp_path / "predictions.csv")
    assert row["prediction"] == "cat" and row["prediction_2"] == "dog" and "prediction_3" not in row
    read = Predictions.read(tmp_path / "predictions.csv", written.names)
    np.testing.assert_array_equal(read.ranked, [[0, 1], [1, 0], [0, 1]])
    assert read.metrics() == written.metrics()


def test_of_more_than_three_classes_the_second_and_third_guess_count():
    names = [*NAMES, "pig"]
    probabilities = np.array([[0.4, 0.3, 0.2, 0.1], [0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.3, 0.4]])
    report = Predictions.from_probabilities(list("abcd"), names, [0, 1, 1, 0], probabilities)
    assert report.metrics()["map_at_3"] == pytest.approx((1 + 1 / 2 + 1 / 3 + 0) / 4)
    low, high = report.intervals()["map_at_3"]
    assert 0 <= low < report.metrics()["map_at_3"] < high <= 1
    three = predictions([0, 1], [0, 1])
    assert "map_at_3" not in three.metrics() and "map_at_3" not in three.intervals()


def test_balanced_accuracy_is_scikit_learns():
    references, predicted = [0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 0, 2]
    expected = balanced_accuracy_score(references, predicted)
    assert predictions(references, predicted).metrics()["balanced_accuracy"] == pytest.approx(expected)


def test_a_class_without_a_test_clip_is_not_tested_rather_than_failed(tmp_path):
    told = predictions([0, 0, 1], [0, 2, 1])
    assert told.untested() == ["hen"] and told.per_class()[2] == dict.fromkeys(("precision", "recall", "f1")) | {
        "label": "hen",
        "clips": 0,
    }
    assert told.tables()[-1].rows[2] == ["hen", "not tested", "not tested", "not tested", 0]
    told.write(tmp_path)
    assert "hen,,,,0" in (tmp_path / "per_class.csv").read_text().splitlines()
    # Who is taken for a hen counts against the mean, as of scikit-learn; of recalls there are two.
    assert told.metrics()["f1_macro"] == pytest.approx(
        f1_score([0, 0, 1], [0, 2, 1], average="macro", zero_division=0)
    )
    assert told.metrics()["balanced_accuracy"] == pytest.approx((1 / 2 + 1) / 2)


def test_groups_are_written_read_and_counted_together(tmp_path):
    told = predictions([0, 1, 2] * 6, [0, 1, 1] * 6)
    told.groups = np.repeat(["a", "b", "c"], 6)
    told.write(tmp_path)
    read = Predictions.read(tmp_path / "predictions.csv", NAMES)
    np.testing.assert_array_equal(join_clips([read, read]).groups, np.tile(told.groups, 2))
    assert read.intervals() == told.intervals() != predictions([0, 1, 2] * 6, [0, 1, 1] * 6).intervals()
