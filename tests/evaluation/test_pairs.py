"""Differences of two checkpoints on the same clips or recordings, and how sure they are."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, f1_score

from hf_audio.data.annotations.annotated_recordings import Annotation
from hf_audio.evaluation.events import JudgedRecordings
from hf_audio.evaluation.pairs import compare_clips, compare_recordings, same_clips
from hf_audio.inference.events import SoundEvent
from hf_audio.runs.predictions.classes import Predictions
from hf_audio.runs.predictions.kinds import select_clips
from hf_audio.runs.predictions.numbers import NumberPredictions
from hf_audio.runs.predictions.tags import TagPredictions


def answers(references: np.ndarray, error: float, random: np.random.Generator, n_classes: int = 4) -> Predictions:
    """Answers of which that share is drawn at random."""
    drawn = np.where(
        random.random(len(references)) < error, random.integers(n_classes, size=len(references)), references
    )
    probabilities = 0.1 * random.random((len(references), n_classes)) + np.eye(n_classes)[drawn]
    names = [f"class {number}" for number in range(n_classes)]
    paths = [f"{number}.wav" for number in range(len(references))]
    return Predictions.from_probabilities(paths, names, references, probabilities)


def test_differences_of_classes_are_those_of_scikit_learn_and_as_sure_as_a_paired_test():
    random = np.random.default_rng(0)
    references = random.integers(4, size=300)
    first, second = answers(references, 0.5, random), answers(references, 0.3, random)
    told = compare_clips(first, second)
    for name, score in (
        ("accuracy", lambda truth, said: (truth == said).mean()),
        ("balanced_accuracy", balanced_accuracy_score),
        ("f1_macro", lambda truth, said: f1_score(truth, said, average="macro")),
    ):
        difference = score(references, second.predictions) - score(references, first.predictions)
        assert told[name].value == pytest.approx(difference)
    pairs = second.right.astype(float) - first.right
    half = stats.norm.ppf(0.975) * pairs.std() / np.sqrt(len(pairs))
    expected = (pairs.mean() - half, pairs.mean() + half)
    assert told["accuracy"].interval == pytest.approx(expected, abs=0.01) and told["accuracy"].is_sure
    assert not any(each.is_sure for each in compare_clips(first, first).values())


def test_clips_of_one_group_are_drawn_together():
    """Three clips a group that are right or wrong together: as if there were a third of the clips."""
    random = np.random.default_rng(1)
    references = np.repeat(random.integers(4, size=60), 3)
    first, second = (answers(references, error, random) for error in (0.4, 0.4))
    first.ranked = np.repeat(first.ranked[::3], 3, axis=0)
    second.ranked = np.repeat(second.ranked[::3], 3, axis=0)
    single = np.diff(compare_clips(first, second)["accuracy"].interval)
    first.groups = second.groups = np.repeat(np.arange(60), 3)
    assert np.diff(compare_clips(first, second)["accuracy"].interval) == pytest.approx(np.sqrt(3) * single, rel=0.15)
    first.groups = np.zeros(180)
    assert compare_clips(first, second)["accuracy"].interval is None


def test_differences_of_tags_and_of_numbers():
    random = np.random.default_rng(2)
    tags = (random.random((40, 3)) < 0.4).astype(int)
    paths = [str(number) for number in range(40)]
    good, bad = (TagPredictions(paths, list("abc"), tags, tags * share + random.random((40, 3))) for share in (3, 0))
    told = compare_clips(bad, good)["lwlrap"]
    assert told.value == pytest.approx(good.metrics()["lwlrap"] - bad.metrics()["lwlrap"]) and told.is_sure
    digits = random.integers(10, size=(40, 2))
    read = digits.copy()
    read[::4, 1] = (read[::4, 1] + 1) % 10
    right, wrong = (NumberPredictions(paths, digits, answer, np.ones(40)) for answer in (digits, read))
    told = compare_clips(right, wrong)
    assert told["exact_match"].value == pytest.approx(-0.25) and told["cer"].value == pytest.approx(
        wrong.metrics()["cer"] - right.metrics()["cer"]
    )


def test_the_clips_of_both_are_found_by_their_paths():
    random = np.random.default_rng(3)
    whole = answers(random.integers(4, size=6), 0.5, random)
    part = select_clips(whole, np.array([5, 1, 3]))
    assert (
        part.paths == ["5.wav", "1.wav", "3.wav"] and part.references.tolist() == whole.references[[5, 1, 3]].tolist()
    )
    ours, theirs = same_clips(part, whole)
    assert ours.tolist() == [0, 1, 2] and theirs.tolist() == [5, 1, 3]


def test_recordings_are_drawn_for_both_at_once():
    truth = [[Annotation(1.0, 2.0, "cat")] for _ in range(8)]

    def judged(n_found: int) -> JudgedRecordings:
        found = [[SoundEvent(1.05, 2.0, "cat", 0.9)] if place < n_found else [] for place in range(8)]
        scores = [np.full((50, 1), 0.1) for _ in range(8)]
        return JudgedRecordings([str(place) for place in range(8)], ["cat"], truth, found, scores, 0.1, [5.0] * 8)

    told = compare_recordings(judged(2), judged(8))
    assert told["event_f1"].value == pytest.approx(1 - 0.4) and told["event_f1"].is_sure
    assert told["psds1"].value == 0 and not told["psds1"].is_sure
