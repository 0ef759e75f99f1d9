"""What is said about held-out clips, against scikit-learn and by hand."""

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, classification_report, f1_score, roc_auc_score

from hf_audio.data.rows import tag_matrix
from hf_audio.runs.predictions import (
    AnomalyPredictions,
    NumberPredictions,
    Predictions,
    TagPredictions,
    TwoClassPredictions,
    join_clips,
    select_clips,
)
from hf_audio.runs.scores import Scores, write_scores

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


def tag_predictions(tags) -> TagPredictions:
    probabilities = np.array([[0.9, 0.2, 0.6], [0.1, 0.8, 0.7], [0.3, 0.4, 0.5]])[: len(tags)]
    paths = [f"some/where/{number}.wav" for number in range(len(tags))]
    return TagPredictions.from_probabilities(paths, NAMES, tag_matrix(tags, 3), probabilities)


def test_tags_are_reported_clip_by_clip_and_tag_by_tag(tmp_path):
    report = tag_predictions([[0, 2], [2], []])
    assert report.metrics()["lwlrap"] == pytest.approx((1 + 1 + 1 / 2) / 3)
    rows = report.rows()
    assert rows[0] == {
        "path": "0.wav",
        "labels": "cat,hen",
        "prediction": "cat",
        "prediction_2": "hen",
        "prediction_3": "dog",
        "score": "0.9000",
    }
    assert [row["labels"] for row in rows] == ["cat,hen", "hen", ""]
    # The clips with a hen rank above the one without; no clip has a dog.
    assert report.per_class() == [
        {"label": "cat", "average_precision": 1.0, "clips": 1},
        {"label": "hen", "average_precision": 1.0, "clips": 2},
    ]
    assert report.tables()[0].rows == [["cat", "1.000", 1], ["hen", "1.000", 2]]
    report.write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"predictions.csv", "per_class.csv"}
    assert first_row(tmp_path / "predictions.csv") == rows[0]


def test_interval_of_tags_lies_around_their_precision():
    report = tag_predictions([[0, 1], [2], [0]])
    low, high = report.intervals()["lwlrap"]
    assert 0 <= low < report.metrics()["lwlrap"] < high <= 1


def test_interval_of_tags_bears_clips_without_any():
    """One clip with a tag, told rightly, tells little."""
    low, high = tag_predictions([[0], [], []]).intervals()["lwlrap"]
    assert low < 0.5 and high == 1
    assert tag_predictions([[0], [], []]).untested() == ["dog", "hen"]


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


def test_anomalies_are_judged_as_dcase_does_in_all_and_by_section():
    rng = np.random.default_rng(0)
    truth = np.tile([0, 0, 1], 20)
    scores = np.clip(rng.normal(0.3 + 0.2 * truth, 0.2), 0.01, 0.99).astype(np.float32)
    told = AnomalyPredictions.from_probabilities(
        [f"{clip}.wav" for clip in range(60)], ["normal", "anomaly"], truth, np.stack([1 - scores, scores], axis=1)
    )
    told.columns = {"section": np.repeat(["fan", "pump"], 30)}
    found, expected = told.metrics(), []
    for rows in (slice(0, 60), slice(0, 30), slice(30, 60)):
        areas = [roc_auc_score(truth[rows], scores[rows], max_fpr=most) for most in (None, 0.1)]
        expected.append(areas)
    assert [found["anomaly_auc"], found["anomaly_pauc"]] == pytest.approx(expected[0])
    assert [found["anomaly_auc_mean"], found["anomaly_pauc_mean"]] == pytest.approx(np.mean(expected[1:], axis=0))
    assert found["anomaly_harmonic"] == pytest.approx(stats.hmean(np.ravel(expected[1:])))
    assert found["false_alarm_rate"] == (scores[truth == 0] > 0.5).mean()
    assert told.tables()[0].rows[1][0] == "pump" and told.intervals()["anomaly_auc"][0] < found["anomaly_auc"]
    alone = select_clips(told, np.flatnonzero(truth == 0))
    assert set(alone.metrics()) == {"false_alarm_rate"} and set(alone.intervals()) == {"false_alarm_rate"}


def test_tags_are_read_again_with_all_their_scores(tmp_path):
    scores = np.array([[0.9, 0.2, 0.4], [0.1, 0.3, 0.8]], dtype=np.float32)
    written = TagPredictions.from_probabilities(
        ["a/1.wav", "a/2.wav"], ["x", "y", "z"], [[1, 0, 1], [0, 0, 1]], scores
    )
    written.columns = {"site": np.array(["n", "s"])}
    written.write(tmp_path)
    write_scores(tmp_path, {"test": Scores(["1.wav", "2.wav"], written.references, scores)})
    read = TagPredictions.read(tmp_path / "predictions.csv", written.names)
    both = join_clips([read, read])
    assert both.metrics() == written.metrics() and both.columns["site"].tolist() == ["n", "s"] * 2
    assert len(both.paths) == 4 and both.groups is None
