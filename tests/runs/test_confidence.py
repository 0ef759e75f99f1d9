"""How far confidence may be trusted, in figures and on the card."""

import numpy as np
import pytest

from hf_audio.runs.confidence import average_confidence, confidence_table, measure_confidence
from hf_audio.runs.predictions.classes import Predictions
from hf_audio.runs.predictions.numbers import NumberPredictions
from hf_audio.runs.predictions.tags import TagPredictions

PATHS = ["a", "b", "c", "d"]
SURE = np.array([[0.95, 0.05], [0.9, 0.1], [0.3, 0.7], [0.6, 0.4]])


def measured(references, scores=SURE) -> dict:
    return measure_confidence(Predictions.from_probabilities(PATHS, ["x", "y"], references, scores))


def test_answers_are_compared_with_their_confidence():
    told = measured([0, 1, 1, 1])
    assert (told["samples"], told["right"], told["sure"], told["sure_right"]) == (4, 0.5, 2, 0.5)
    assert told["confidence"] == pytest.approx(SURE.max(1).mean())
    (table,) = confidence_table({"confidence": told, "altered": {"room": measured([1, 1, 1, 1])}}, "Accuracy")
    assert "answers are too sure by 0.287" in table.intro and "room, echoes for half a second" in table.intro
    assert [row[0] for row in table.rows] == ["as recorded", "room"] and table.rows[0][-1] == "0.500 of 2"
    assert confidence_table({}, "Accuracy") == []


def test_of_tags_the_most_probable_one_counts_and_of_numbers_the_whole():
    tags = TagPredictions.from_probabilities(PATHS, ["x", "y"], [[1, 1], [0, 1], [0, 1], [0, 0]], SURE)
    assert tags.right.tolist() == [True, False, True, False] and tags.confidence.tolist() == [0.95, 0.9, 0.7, 0.6]
    digits = np.full((2, 2, 10), 0.02)
    digits[:, 0, 3] = digits[:, 1, 8] = 0.82
    numbers = NumberPredictions.from_probabilities(PATHS[:2], [], [[3, 8], [3, 7]], digits.reshape(2, 20))
    assert numbers.right.tolist() == [True, False] and numbers.confidence == pytest.approx([0.82**2] * 2)
    for predictions in (tags, numbers):
        assert predictions.metrics()["calibration_error"] == measure_confidence(predictions)["calibration_error"]


def test_every_clip_of_several_parts_counts_the_same():
    first, second = measured([0, 0, 1, 0]), measured([1, 1, 0, 1])
    both = average_confidence([first, second])
    assert (both["samples"], both["right"], both["sure"], both["sure_right"]) == (8, 0.5, 4, 0.5)
    nobody = measured([0, 0, 0, 0], np.full((4, 2), 0.5))
    assert nobody["sure_right"] is None and average_confidence([nobody, first])["sure_right"] == 1
    assert average_confidence([nobody])["sure_right"] is None
