"""In which order classes stand, which is what their ids are."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_audio.data.classes import find_alike, find_numbering, order_by_numbers, order_classes


@pytest.mark.parametrize(
    "names",
    [
        [str(number) for number in range(12)],
        ["-2", "-1", "0", "3", "10"],
        ["0.5", "1", "1.5", "10"],
        ["007", "7", "08", "10"],
        ["1", "10", "2", "many"],  # one that is no number, and all are text as before
        ["Dog", "cat", "dog, small", "кот"],
    ],
)
def test_numbers_by_size_and_text_as_text(names):
    shuffled = random.Random(0).sample(names * 2, 2 * len(names))
    assert order_classes(iter(shuffled)) == names


@given(st.lists(st.integers(-(10**30), 10**30), min_size=1))
def test_whole_numbers_of_any_size(numbers):
    assert order_classes(map(str, numbers)) == [str(number) for number in sorted(set(numbers))]


LABELS = ["siren", "dog", "", "dog", "car"]


def test_a_column_that_numbers_the_labels_gives_their_order():
    cells = {"fold": ["0", "1", "2", "1", "2"], "classID": ["1", "0", "9", "0.0", " 2 "], "class": LABELS}
    assert find_numbering(cells, ["class"], LABELS) is None, "0 and 0.0 are two ways to write one"
    cells["classID"][3] = "0"
    assert find_numbering(cells, ["class"], LABELS) == ("classID", ["dog", "siren", "car"])
    numbers = [1, 0, 9, 0, 2]  # of a data set of the Hub
    assert find_numbering({"target": numbers}, ["label"], LABELS) == ("target", ["dog", "siren", "car"])
    assert find_numbering({"label": numbers}, ["label"], LABELS) is None, "it holds the labels"


@pytest.mark.parametrize(
    ("numbers", "name"),
    [
        (["1", "0", "", "0", "3"], "target"),  # 2 is missing
        (["2", "1", "", "1", "3"], "target"),  # from 1 on
        (["1", "0", "", "1", "2"], "target"),  # one label under two numbers
        (["0", "0", "", "0", "2"], "target"),  # one number for two labels
        (["b", "a", "", "a", "c"], "target"),
        (["1", "0", "", "0", "2"], "fold"),
    ],
)
def test_what_does_not_number_the_labels_gives_none(numbers, name):
    assert find_numbering({name: numbers}, ["label"], LABELS) is None


def test_tags_have_no_numbering():
    assert find_numbering({"target": ["0", "1"]}, ["tags"], [["a"], ["b"]]) is None
    assert order_by_numbers([("1", "b"), ("0", "a"), ("1", "b")]) == ["a", "b"]


def test_names_that_are_likely_one_class():
    names = ["Dog", "dog", "dog ", "cat", "Ωμ", "ωΜ", "007", "7", "7.0", "-1", "1", "+", "-", "C#"]
    assert find_alike(names) == [["007", "7", "7.0"], ["Dog", "dog", "dog "], ["Ωμ", "ωΜ"]]
    assert find_alike(["A", "A#", "A+", "का", "कि", "car_horn"]) == []
