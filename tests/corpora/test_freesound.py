"""Freesound's challenges as Zenodo and Kaggle lay them out: which clips, labels and marks a folder is read as."""

import csv
import logging
from pathlib import Path

import numpy as np
import pytest

from hf_audio.corpora.freesound import TAGS, load_tagged_sounds
from hf_audio.data.rows import UNVERIFIED_COLUMN, class_names, has_tags
from hf_audio.errors import DataError

TRAIN = [
    ("fname", "label", "manually_verified"),
    ("a.wav", "Bark", "1"),
    ("b.wav", "Gong", "0"),
    ("c.wav", "Gong", "1"),
]


def write(folder, tables):
    """The folder, with tables by their names."""
    for name, rows in tables.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="") as file:
            csv.writer(file).writerows(rows)
    return folder


def names(dataset, rows) -> list[str]:
    """`folder/file label` of some rows, (rows,) of bool."""
    chosen = dataset.select(np.flatnonzero(rows))
    return [f"{'/'.join(Path(row['path']).parts[-2:])} {TAGS[row['label']]}" for row in chosen]


@pytest.mark.parametrize(
    ("train", "test", "prefix"),
    [
        (
            "FSDKaggle2018.meta/train_post_competition.csv",
            "FSDKaggle2018.meta/test_post_competition_scoring_clips.csv",
            "FSDKaggle2018.",
        ),
        ("train_post_competition.csv", "test_post_competition_scoring_clips.csv", ""),
        ("train.csv", "test_post_competition.csv", ""),
    ],
)
def test_clips_of_every_layout(train, test, prefix, tmp_path):
    test_rows = [("fname", "label", "usage"), ("d.wav", "Oboe", "Public"), ("e.wav", "Bark", "Private")]
    test_rows += [("0.wav", "None", "Ignored"), ("1.wav", "None", "Ignored")]  # as Kaggle has padded its table
    dataset, held_out = load_tagged_sounds(write(tmp_path, {train: TRAIN, test: test_rows}))
    assert names(dataset, ~held_out) == [
        f"{prefix}audio_train/{clip}" for clip in ("a.wav Bark", "b.wav Gong", "c.wav Gong")
    ]
    assert names(dataset, held_out) == [f"{prefix}audio_test/{clip}" for clip in ("d.wav Oboe", "e.wav Bark")]
    assert dataset[UNVERIFIED_COLUMN][:] == [False, True, False, False, False]
    assert class_names(dataset) == list(TAGS) and not has_tags(dataset)
    assert dataset["path"][0].startswith(str(tmp_path))


def test_without_labels_of_test_clips_every_fifth_verified_one_is_held_out(tmp_path):
    rows = [(f"{n}.wav", TAGS[n % 3], str(int(n % 3 > 0))) for n in range(40)]
    dataset, held_out = load_tagged_sounds(write(tmp_path, {"train.csv": [TRAIN[0], *rows]}))
    verified = [name for name, _, mark in rows if mark == "1"]
    assert [Path(path).name for path in dataset.select(np.flatnonzero(held_out))["path"]] == verified[4::5]
    assert len(dataset) == 40 and sum(dataset[UNVERIFIED_COLUMN]) == 14


def test_a_clip_listed_twice_counts_once_unless_its_labels_differ(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        dataset, _ = load_tagged_sounds(write(tmp_path, {"train.csv": [*TRAIN, TRAIN[2]]}))
    assert len(dataset) == 3 and "1 rows repeat a file that is already listed" in caplog.text
    with pytest.raises(DataError, match=r"a\.wav is listed under two labels, Bark and Oboe"):
        load_tagged_sounds(write(tmp_path, {"train.csv": [*TRAIN, ("a.wav", "Oboe", "1")]}))


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ({}, "holds neither FSDKaggle2018.meta/train_post_competition.csv, as on Zenodo, nor train.csv, as on Kaggle"),
        ({"test_post_competition.csv": TRAIN}, "holds neither"),
        (
            {"train.csv": [*TRAIN, ("x.wav", "Thunder", "1")]},
            r"x\.wav has the label 'Thunder', which is none of the 41",
        ),
        ({"train.csv": [*TRAIN, ("x.wav", "", "1")]}, r"x\.wav has the label ''"),
        ({"train.csv": [("file", "label"), ("a.wav", "Bark")]}, "has no column 'fname': its columns are file, label"),
        ({"train.csv": [("fname", "tag"), ("a.wav", "Bark")]}, "has no column 'label': its columns are fname, tag"),
        ({"train.csv": [("fname", "label")]}, "no rows"),
    ],
)
def test_what_is_no_such_data_set_is_refused_in_a_sentence(tables, says, tmp_path):
    with pytest.raises(DataError, match=says):
        load_tagged_sounds(write(tmp_path, tables))


def test_several_tags_a_clip_are_lists(tmp_path):
    train = [("fname", "labels"), ("a.wav", "Bark,Meow"), ("b.wav", " Gong"), ("c.wav", "Meow")]
    test = [("fname", "labels"), ("a.wav", "Gong,Meow, Bark")]
    dataset, held_out = load_tagged_sounds(write(tmp_path, {"train.csv": train, "test_post_competition.csv": test}))
    assert has_tags(dataset) and class_names(dataset) == ["Bark", "Gong", "Meow"]
    assert dataset["label"][:] == [[0, 2], [1], [2], [0, 1, 2]] and held_out.tolist() == [False] * 3 + [True]
    assert not any(dataset[UNVERIFIED_COLUMN])


def test_the_test_clips_need_not_have_every_tag(tmp_path):
    train = [("fname", "labels"), ("a.wav", "Bark,Meow"), ("b.wav", "Gong")]
    test = [("fname", "labels"), ("c.wav", "Gong,Meow")]
    dataset, _ = load_tagged_sounds(write(tmp_path, {"train.csv": train, "test_post_competition.csv": test}))
    assert class_names(dataset) == ["Bark", "Gong", "Meow"] and dataset["label"][2] == [1, 2]
