"""What is said about clips of several tags, against values by hand."""

import csv

import numpy as np
import pytest

from hf_audio.data.rows import tag_matrix
from hf_audio.runs.predictions.kinds import join_clips
from hf_audio.runs.predictions.tags import TagPredictions
from hf_audio.runs.scores import Scores, write_scores

NAMES = ["cat", "dog", "hen"]


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
    with open(tmp_path / "predictions.csv", newline="") as file:
        assert next(csv.DictReader(file)) == rows[0]


def test_interval_of_tags_lies_around_their_precision():
    report = tag_predictions([[0, 1], [2], [0]])
    low, high = report.intervals()["lwlrap"]
    assert 0 <= low < report.metrics()["lwlrap"] < high <= 1


def test_interval_of_tags_bears_clips_without_any():
    """One clip with a tag, told rightly, tells little."""
    low, high = tag_predictions([[0], [], []]).intervals()["lwlrap"]
    assert low < 0.5 and high == 1
    assert tag_predictions([[0], [], []]).untested() == ["dog", "hen"]


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
