"""Labelled clips as a checkpoint is asked about them: what it knows of their labels, and what is left out."""

import numpy as np
import pytest

from hf_audio.errors import ArgumentError, DataError
from hf_audio.evaluation.clips import LabelledClips, check_same_kind, describe_left_out, know_clips, match_labels
from hf_audio.inference.facts import Facts

CLASSES = Facts(("low", "mid tone", "high"), 8000)
TAGS = Facts(("low", "mid tone", "high"), 8000, multi_label=True)
NUMBERS = Facts(tuple(map(str, range(20))), 8000, num_digits=2)


def clips(*labels: tuple[str, ...]) -> LabelledClips:
    paths = [f"{number}.wav" for number in range(len(labels))]
    return LabelledClips("sounds", paths, list(labels), paths, "file", {"site": [name[0] for name in paths]})


def test_labels_are_those_of_the_checkpoint_but_for_capitals_and_signs():
    assert match_labels(["low", "Mid_Tone", "loud", "?"], CLASSES.labels) == {"low": "low", "Mid_Tone": "mid tone"}
    assert match_labels(["A b"], ["a_b", "ab"]) == {}  # which of the two is meant?
    assert match_labels(["ab", "AB"], ["ab", "AB"]) == {"ab": "ab", "AB": "AB"}


def test_clips_of_unknown_labels_are_left_out_and_counted():
    known = know_clips(clips(("high",), ("dog",), (), ("MID TONE",), ("dog",)), CLASSES)
    assert known.clips.paths == ["0.wav", "3.wav"] and known.references.tolist() == [2, 1]
    assert known.clips.groups == ["0.wav", "3.wav"] and known.clips.further == {"site": ["0", "3"]}
    told = describe_left_out(known.unknown, known.n_unlabelled)
    assert "'dog' (2)" in told[0] and "1 clips" in told[1]
    with pytest.raises(DataError, match=r"None of the labels of sounds \('dog'\) is one of the checkpoint's"):
        know_clips(clips(("dog",)), CLASSES)


def test_tags_of_a_clip_are_kept_where_the_checkpoint_knows_them():
    known = know_clips(clips(("low", "dog"), ("dog",), (), ("high", "low")), TAGS)
    assert known.clips.paths == ["0.wav", "2.wav", "3.wav"]  # nothing is known of what only the dog is in
    assert np.array_equal(known.references, [[1, 0, 0], [0, 0, 0], [1, 0, 1]])


def test_numbers_are_read_as_their_digits():
    known = know_clips(clips(("7",), ("42.0",), ("100",), ("none of these",), ("x",), ()), NUMBERS)
    assert known.references.tolist() == [[0, 7], [4, 2], [-1, -1]]
    assert known.unknown == {"100": 1, "x": 1} and known.n_unlabelled == 1
    with pytest.raises(DataError, match="no number from 0 to 99"):
        know_clips(clips(("x",)), NUMBERS)


def test_unlike_checkpoints_are_not_compared():
    check_same_kind(CLASSES, Facts(("other",), 16000))
    with pytest.raises(ArgumentError, match="tells one label a clip and the second tells several tags"):
        check_same_kind(CLASSES, TAGS)
