"""Which clips are trained on, validate and test."""

import logging

import numpy as np
import pytest
from helpers.recordings import write_table
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_audio.data.rows import UNVERIFIED_COLUMN, add_guessed, from_rows, from_tagged_rows, load_numbers
from hf_audio.data.splits import choose_groups, split_held_out, split_off, split_validation
from hf_audio.errors import DataError


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 3), min_size=30, max_size=80), st.integers(0, 5))
def test_validation_split_is_stratified_and_complete(labels, seed):
    labels = [*labels, 0, 0, 1, 1]
    dataset = from_rows([f"{i}.wav" for i in range(len(labels))], [f"class {label}" for label in labels])
    train, validation = split_validation(dataset, 0.25, seed)
    assert sorted([*train["path"], *validation["path"]]) == sorted(dataset["path"])
    names = np.array(dataset["label"])
    for label in set(names.tolist()):
        count = (names == label).sum()
        held_out = (np.array(validation["label"]) == label).sum()
        assert held_out < count and abs(held_out - 0.25 * count) <= 2


def test_validation_groups_stay_whole_and_a_single_clip_is_trained_on(caplog):
    n = 60
    dataset = from_rows(
        [f"{i}.wav" for i in range(n)], [f"c{i % 3}" for i in range(n)], {"speaker": [f"s{i % 7}" for i in range(n)]}
    )
    train, validation = split_validation(dataset, 0.2, 0, "speaker")
    assert len(validation) and not set(train["speaker"]) & set(validation["speaker"])
    own = from_rows([f"{i}" for i in range(12)], ["x", "y"] * 6, {"speaker": [f"s{i}" for i in range(12)]})
    assert len(split_validation(own, 0.1, 0, "speaker")[1]) == 2
    lonely = from_rows([f"{i}.wav" for i in range(21)], ["a"] * 10 + ["b"] * 10 + ["c"])
    with caplog.at_level(logging.WARNING):
        train, validation = split_validation(lonely, 0.2, 0)
    assert 2 in train["label"] and 2 not in validation["label"] and "not validated: c" in caplog.text


def test_impossible_splits_are_refused():
    dataset = from_rows(["a", "b", "c", "d"], ["x", "x", "y", "y"], {"speaker": ["s"] * 4})
    with pytest.raises(DataError, match="must lie between"):
        split_validation(dataset, 0.9, 0)
    with pytest.raises(DataError, match="Only one speaker"):
        split_validation(dataset, 0.5, 0, "speaker")
    with pytest.raises(DataError, match="no column 'voice'"):
        split_validation(dataset, 0.5, 0, "voice")
    with pytest.raises(DataError, match="too few"):
        split_validation(from_rows(["a", "b", "c"], ["x", "x", "y"]).select([0, 2]), 0.5, 0)


def test_a_validation_part_of_unverified_clips_alone_is_refused():
    dataset = from_rows(list("abcd"), ["x", "x", "y", "y"]).add_column(UNVERIFIED_COLUMN, [True] * 4)
    with pytest.raises(DataError):
        split_validation(dataset, 0.25, 0)


def test_validation_of_numbers_keeps_speakers_apart(tmp_path):
    rows = [[f"{n}.wav", str(n), "abcde"[n % 5]] for n in range(50)]
    dataset = load_numbers(write_table(tmp_path / "train.csv", [["path", "number", "speaker"], *rows]), 2)
    train, validation = split_validation(dataset, 0.2, 0, "speaker")
    assert len(validation) == 10 and not set(train["speaker"]) & set(validation["speaker"])
    train, validation = split_validation(dataset, 0.1, 0)
    assert len(validation) == 5 and len(train) == 45


@pytest.mark.parametrize("group_column", [None, "speaker"])
def test_guessed_clips_validate_nothing(group_column, tmp_path):
    rows = [[f"{n}.wav", str(n), "abcde"[n % 5]] for n in range(50)]
    dataset = load_numbers(write_table(tmp_path / "train.csv", [["path", "number", "speaker"], *rows]), 2)
    rows = [[f"new{n}.wav", str(n), "abcxyz"[n % 6]] for n in range(60)]
    merged = add_guessed(dataset, write_table(tmp_path / "guessed.csv", [["path", "number", "speaker"], *rows]))
    train, validation = split_validation(merged, 0.2, 0, group_column)
    assert len(validation) == 10 and not any(validation[UNVERIFIED_COLUMN])
    if group_column is None:
        assert sum(train[UNVERIFIED_COLUMN]) == 60
    else:
        (speaker,) = set(validation["speaker"])
        assert speaker not in train["speaker"][:]
        assert sum(train[UNVERIFIED_COLUMN]) == (50 if speaker in "abc" else 60)


def test_a_class_with_one_training_clip_is_named(caplog):
    dataset = from_rows(["a", "b", "c", "d"], ["x", "x", "y", "y"])
    with caplog.at_level(logging.WARNING):
        split_held_out(dataset, [np.array([False, False, False, True])])
    assert "One training clip only, too few to learn from: y" in caplog.text
    with pytest.raises(DataError, match="No training clip of y"):
        split_held_out(dataset, [np.array([False, False, True, True])])


def test_a_class_without_any_clip_is_told_and_one_without_training_clips_refused(caplog):
    dataset = from_rows(["a", "b", "c"], ["x", "y", "y"], classes=["w", "x", "y", "z"])
    with caplog.at_level(logging.WARNING):
        train, test = split_held_out(dataset, [np.array([False, False, True])])
    assert "No clip at all, so these are never learnt and never judged: w, z" in caplog.text
    assert (len(train), len(test)) == (2, 1)
    with pytest.raises(DataError, match="No training clip of x: add some"):
        split_held_out(dataset, [np.array([True, False, False])])


def test_held_out_clips_with_tags_of_their_own_are_allowed():
    dataset = from_tagged_rows(["a", "b", "c"], [["x"], ["y"], ["x", "z"]])
    train, test = split_held_out(dataset, [np.array([False, False, True])])
    assert train["label"][:] == [[0], [1]] and test["label"][:] == [[0, 2]]


@settings(deadline=None, max_examples=40)
@given(
    labels=st.lists(st.integers(0, 2), min_size=12, max_size=40),
    seed=st.integers(0, 999),
    grouped=st.booleans(),
    tagged=st.booleans(),
)
def test_nothing_unverified_is_validated_on_and_nothing_verified_is_lost(labels, seed, grouped, tagged):
    labels = [0, 0, 1, 1, 2, 2, *labels]
    generator = np.random.default_rng(seed)
    unverified = generator.random(len(labels)) < 0.5
    unverified[:6] = False
    speakers = [f"s{speaker}" for speaker in generator.integers(0, 5, len(labels))]
    speakers[:6] = [f"s{number}" for number in range(6)]
    paths = [f"{number}.wav" for number in range(len(labels))]
    if tagged:
        dataset = from_tagged_rows(paths, [[f"t{label}"] for label in labels], {"speaker": speakers})
    else:
        dataset = from_rows(paths, labels, {"speaker": speakers})
    dataset = dataset.add_column(UNVERIFIED_COLUMN, unverified)
    train, validation = split_validation(dataset, 0.3, seed, "speaker" if grouped else None)
    assert len(validation) and not any(validation[UNVERIFIED_COLUMN])
    assert not set(train["path"]) & set(validation["path"])
    assert not grouped or not set(train["speaker"]) & set(validation["speaker"])
    left_out = set(paths) - set(train["path"]) - set(validation["path"])
    assert grouped or not left_out
    for row in dataset:
        assert row["path"] not in left_out or (row[UNVERIFIED_COLUMN] and row["speaker"] in validation["speaker"][:])


def test_clips_of_held_out_groups_are_not_trained_on():
    speakers = {"speaker": ["ann", "bob", "ann", "cem"]}
    dataset = from_rows(["a", "b", "c", "d"], ["x", "x", "y", "y"], speakers)
    held_out = np.array([True, False, False, False])
    train, test = split_held_out(dataset, [held_out], "speaker")
    assert (train["path"][:], test["path"][:]) == (["b", "d"], ["a"])
    assert split_held_out(dataset, [held_out])[0]["path"][:] == ["b", "c", "d"]


def test_a_group_that_has_a_whole_class_is_trained_on(caplog):
    speakers = [f"s{i % 5}" for i in range(30)] + ["only"] * 4
    labels = ["x", "y"] * 15 + ["z"] * 4
    dataset = from_rows([f"{i}" for i in range(34)], labels, {"speaker": speakers})
    with caplog.at_level(logging.WARNING):
        for seed in range(5):
            drawn = split_off(dataset, 0.2, seed, "speaker", "test")
            assert 0 < drawn.sum() <= 12 and not drawn[30:].any()
    assert "not tested: z (only)" in caplog.text


@settings(deadline=None, max_examples=30)
@given(sizes=st.lists(st.integers(1, 12), min_size=4, max_size=12), seed=st.integers(0, 9))
def test_a_group_that_is_most_of_the_data_is_not_what_is_held_out(sizes, seed):
    sizes = [*sizes, 3 * sum(sizes)]
    groups = [f"g{group}" for group, size in enumerate(sizes) for _ in range(size)]
    dataset = from_tagged_rows(
        [f"{i}" for i in range(len(groups))], [["x"]] * (len(groups) - 1) + [["y"]], {"g": groups}
    )
    drawn = split_off(dataset, 0.2, seed, "g", "test")
    own = np.asarray(groups)
    assert drawn.any() and not set(own[drawn]) & set(own[~drawn]) and drawn.mean() <= 0.4


def test_a_rare_tag_is_trained_on_and_tested():
    tags = [["common"]] * 60 + [["common", "rare"]] * 4 + [[]] * 6 + [["once", "common"]]
    dataset = from_tagged_rows([f"{i}" for i in range(len(tags))], tags)
    for seed in range(10):
        drawn = split_off(dataset, 0.2, seed, None, "test")
        assert 0 < drawn[60:64].sum() < 4 and 0 < drawn[64:70].sum() < 6 and not drawn[70]


def test_groups_are_chosen_whole_until_they_have_their_share():
    groups, rows = np.repeat(list("abcde"), [4, 4, 4, 4, 40]), np.arange(56) < 16
    chosen = choose_groups(groups, rows, 0.3, seed=0)
    assert chosen.sum() == 8 and not chosen[16:].any()
    assert all(len(set(chosen[groups == group])) == 1 for group in "abcd")
    assert not choose_groups(groups, rows, 0.0, seed=0).any()
