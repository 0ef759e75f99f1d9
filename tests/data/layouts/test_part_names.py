"""Which parts of a data set names say."""

import pytest

from hf_audio.data.layouts.part_names import name_parts, read_part_name
from hf_audio.data.tables.columns import TEST, TRAIN, VALIDATION


@pytest.mark.parametrize(
    ("name", "part", "others"),
    [
        ("train", TRAIN, ()),
        ("Training", TRAIN, ()),
        ("VALID", VALIDATION, ()),
        ("dev", VALIDATION, ()),
        ("eval", TEST, ()),
        ("testing_list", TEST, ()),
        ("audio-train", TRAIN, ()),
        ("TestSet", TEST, ()),
        ("trainset", TRAIN, ()),
        ("esc50_train", TRAIN, ("esc50",)),
        ("train steam", TRAIN, ("steam",)),
    ],
)
def test_names_that_say_a_part(name, part, others):
    assert read_part_name(name) == (part, others)


@pytest.mark.parametrize("name", ["dog", "trains", "train_test", "contest", "", "latest", "device"])
def test_names_that_say_none(name):
    assert read_part_name(name) is None


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (["train", "val", "TEST"], {"train": TRAIN, "val": VALIDATION, "TEST": TEST}),
        (["train", "test", "test-ood"], {"train": TRAIN, "test": TEST}),
        (["esc50_train", "esc50_test"], {"esc50_train": TRAIN, "esc50_test": TEST}),
        (["train_audio", "test_meta"], {"train_audio": TRAIN, "test_meta": TEST}),
        (["train_horn", "test_tone"], {}),
        (["fold1_train", "fold1_test", "fold2_train", "fold2_test"], {}),
        (["dev", "eval"], {}),
        (["cat", "dog"], {}),
    ],
)
def test_names_that_are_parts_of_one_thing(names, parts):
    assert name_parts(names) == parts
