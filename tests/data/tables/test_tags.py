"""Labels and tags in the ways in which people write them into a cell."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_audio.data.tables.tags import split_tags, suspect_tags, unquote
from hf_audio.errors import DataError

ROWS = [["dog"], ["dog", "sea rain"], ["sea rain"], [], ["cat", "dog", "sea rain"]]


def split(cells):
    return split_tags("t.csv", "tags", cells)


@pytest.mark.parametrize(
    "write",
    [
        ",".join,
        ", ".join,
        ";".join,
        " ; ".join,
        "|".join,
        str,
        json.dumps,
        lambda row: str(tuple(row)),
        lambda row: str(set(row)),
        lambda row: str(np.array(row)),
        lambda row: repr(np.array(row, dtype=object)),
        lambda row: ",".join(f'"{tag}"' for tag in row),
        lambda row: "; ".join(f"'{tag}'" for tag in row),
        lambda row: "[" + ", ".join(row) + "]",
    ],
)
def test_tags_in_every_way_of_writing(write):
    rows, doubt = split([write(row) for row in ROWS])
    assert [sorted(row) for row in rows] == [sorted(row) for row in ROWS] and doubt is None


names = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=8).filter(
    lambda name: name.casefold() not in ("none", "nan", "null")
)


@given(st.lists(st.lists(names, min_size=1, max_size=4), min_size=1, max_size=4), st.sampled_from([json.dumps, str]))
def test_lists_come_back_whatever_their_names_hold(rows, write):
    assert split([write(row) for row in rows]) == (rows, None)


def test_what_a_list_lacks_is_no_tag():
    assert split(["['dog', nan]", "[None]", "['']", "[]"])[0] == [["dog"], [], [], []]
    assert split(["[1 2 10]", "[3]"])[0] == [["1", "2", "10"], ["3"]]
    with pytest.raises(DataError, match=r"t.csv has .* in its column 'tags', which begins as a list and is none"):
        split(["['dog', 'rain]", "['cat']"])


def test_commas_of_names_stay_where_other_signs_are_between():
    rows, doubt = split(["Speech, male;Dog", "Dog", "Speech, female;Music"])
    assert rows == [["Speech, male", "Dog"], ["Dog"], ["Speech, female", "Music"]] and doubt is None
    assert split(["a,b", "b;c", "a", "c"])[0] == [["a", "b"], ["b", "c"], ["a"], ["c"]]
    rows, doubt = split(["a,b;c", "c"])
    assert rows == [["a,b", "c"], ["c"]] and doubt is not None and "'a,b' is part of a name" in doubt


def test_tags_between_which_is_something_else_are_told_of():
    for joined in ("dog cat", "dog/cat", "dog+cat"):
        rows, doubt = split([joined, joined.replace("dog", "cow"), "dog", "cat", "cow"])
        assert rows[0] == [joined] and doubt is not None and "look like several" in doubt


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (["low", "low;wind", "high"], "';' between, 'low;wind'"),
        (["bark; dog", "bark; wind"], "';' between"),
        (["dog|cat"] + ["dog"] * 99, "1 of 100 labels look like several with '|'"),
        (["dog", "cat", "dog,cat", "cow", "cow,cat"], "',' between"),
        (["AC|DC", "rock"], None),
        (["Speech, male", "Speech, female", "Speech", "Inside, small room", "Inside, public space"], None),
        (["car", "horn", "car horn", "sea waves"], None),
        (["dog", "cat", "dog,cat"] * 1 + ["cow"] * 60, None),  # one mistake among many
        (["dog", "cat", ""], None),
    ],
)
def test_labels_that_look_like_several(labels, told):
    sentence = suspect_tags(labels)
    assert (sentence is None) if told is None else (told in sentence)


@pytest.mark.parametrize(
    ("cell", "label"),
    [(' "dog" ', "dog"), ("'dog'", "dog"), ('"', '"'), ('""', '""'), ("'tis", "'tis"), ('"a" or "b"', '"a" or "b"')],
)
def test_quotes_around_a_label(cell, label):
    assert unquote(cell) == label
