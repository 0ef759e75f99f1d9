"""Whether anything was learnt: what a network's answers are worth beside constant ones and a rival's."""

import numpy as np
import pytest

from hf_audio.data.rows import tag_matrix
from hf_audio.runs.comparison import compare_folds, compare_with_constant, compare_with_rival
from hf_audio.runs.predictions.classes import Predictions
from hf_audio.runs.predictions.numbers import NumberPredictions
from hf_audio.runs.predictions.tags import TagPredictions

NAMES = ["cold", "hungry", "sick"]
COUNTS = {"cold": 5, "hungry": 84, "sick": 6}


def predictions(references, answers, groups=None, names=NAMES) -> Predictions:
    probabilities = np.eye(len(names))[np.array(answers)] * 0.6 + 0.1
    paths = [f"{number}.wav" for number in range(len(references))]
    told = Predictions.from_probabilities(paths, names, np.array(references), probabilities)
    told.groups = groups
    return told


def test_whoever_always_answers_the_largest_class_has_learnt_nothing():
    references = [1] * 17 + [0] * 2 + [2] * 2
    told = compare_with_constant(predictions(references, [1] * 21), COUNTS)
    assert told == {"majority_label": "hungry", "eval_majority_accuracy": pytest.approx(17 / 21), "learnt": False}
    lucky = [1] * 17 + [0, 1] + [1] * 2
    assert not compare_with_constant(predictions(references, lucky), COUNTS)["learnt"]
    assert compare_with_constant(predictions(references, references), COUNTS)["learnt"]


def test_the_largest_class_is_the_one_of_the_training_clips():
    told = compare_with_constant(predictions([0] * 9 + [1], [0] * 10), COUNTS)
    assert told["majority_label"] == "hungry" and told["eval_majority_accuracy"] == 0.1


def test_rare_classes_that_are_told_count_though_the_accuracy_is_that_of_the_largest():
    """As with --balance: it takes clips of the largest class for others, and finds the others."""
    references = [1] * 80 + [0] * 10 + [2] * 10
    answers = [1] * 62 + [0] * 9 + [2] * 9 + [0] * 10 + [2] * 10
    assert compare_with_constant(predictions(references, answers), COUNTS)["learnt"]


def test_one_class_alone_tells_nothing():
    told = compare_with_constant(predictions([1] * 20, [1] * 20), COUNTS)
    assert not told["learnt"] and told["untested_labels"] == ["cold", "sick"]


def test_noise_is_hardly_ever_taken_for_something_learnt():
    generator = np.random.default_rng(0)
    references = np.repeat([0, 1, 2], [4, 20, 4])
    learnt = [
        compare_with_constant(predictions(references, generator.permutation(references)), COUNTS)["learnt"]
        for _ in range(200)
    ]
    assert np.mean(learnt) < 0.06


def test_recordings_are_counted_and_not_their_pieces():
    """Every piece of one recording is told rightly, which is one success and not thirty."""
    references = np.repeat([1, 0], [60, 30])
    groups = np.repeat(list("abcdefg"), [10] * 6 + [30])
    told = predictions(references, references)
    assert compare_with_constant(told, {"hungry": 9, "cold": 8, "sick": 0})["learnt"]
    told.groups = groups
    assert not compare_with_constant(told, {"hungry": 9, "cold": 8, "sick": 0})["learnt"]


def test_tags_are_compared_with_their_order_by_frequency():
    tags = [[0], [0], [0, 1], [1], [0], [2]] * 10
    references = tag_matrix(tags, 3)
    counts = {"cold": 40, "hungry": 20, "sick": 10}
    paths = [str(number) for number in range(60)]
    always = TagPredictions.from_probabilities(paths, NAMES, references, np.tile([0.6, 0.3, 0.1], (60, 1)))
    told = compare_with_constant(always, counts)
    assert told["eval_prior_lwlrap"] == pytest.approx(always.metrics()["lwlrap"]) and not told["learnt"]
    heard = TagPredictions.from_probabilities(paths, NAMES, references, references * 0.5 + 0.2)
    assert compare_with_constant(heard, counts)["learnt"]


def test_of_numbers_there_is_no_constant_answer():
    digits = np.array([[1, 2], [3, 4]])
    probabilities = np.eye(10)[digits].reshape(2, 20)
    assert compare_with_constant(NumberPredictions.from_probabilities(["a", "b"], [], digits, probabilities), {}) == {}


def test_the_rival_is_better_worse_or_not_told_apart():
    references = np.arange(60) % 3
    half = np.where(np.arange(60) < 30, references, (references + 1) % 3)
    everything, clips = predictions(references, references), np.arange(60)
    assert compare_with_rival(predictions(references, half), everything, clips)["rival"] == "better"
    told = compare_with_rival(everything, predictions(references, half), clips)
    assert told == {"eval_rival_accuracy": 0.5, "eval_rival_balanced_accuracy": 0.5, "rival": "worse"}
    assert compare_with_rival(everything, everything, clips)["rival"] == "alike"
    some = np.arange(0, 60, 2)
    told = compare_with_rival(everything, predictions(references[some], half[some]), some)
    assert told["rival_samples"] == 30 and told["rival"] == "worse"


def test_folds_are_compared_together():
    """Each has a largest class of its own, and none alone could tell that something was learnt."""
    folds = []
    for label in (0, 1, 2):
        told = predictions([label] * 4, [label] * 4)
        folds.append(({"majority_label": NAMES[(label + 1) % 3]}, told, predictions([label] * 4, [0] * 4)))
    told = compare_folds(folds)
    assert told["learnt"] and told["eval_majority_accuracy"] == 0 and "untested_labels" not in told
    assert told["eval_rival_accuracy"] == pytest.approx(1 / 3) and told["rival"] == "worse"
    assert "rival" not in compare_folds([(*fold[:2], None) for fold in folds])
    assert compare_folds([({}, *fold[1:]) for fold in folds]) == {}, "of an older version"
