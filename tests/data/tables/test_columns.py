"""Which columns of somebody's table are meant, and what they say."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_audio.data.tables.columns import PARTS, Columns, read_labels, read_parts, settle_columns
from hf_audio.errors import DataError


def settle(table, *, several=False, needs_labels=True, **wanted):
    return settle_columns("t.csv", table, Columns(**wanted), several=several, needs_labels=needs_labels)


def test_usual_names_are_found_and_told(caplog):
    table = {"take": ["1"], "Filename": ["a.wav"], "category": ["dog"], "Split": ["train"], "tags": ["x"]}
    with caplog.at_level(logging.INFO):
        assert settle(table) == Columns("Filename", ("category",), None, "Split")
    assert "files: Filename" in caplog.text and "labels: category" in caplog.text and "split: Split" in caplog.text


@pytest.mark.parametrize(
    ("names", "cells", "path", "label"),
    [
        (("File path", "Species"), ("a.wav", "x"), "File path", "Species"),
        (("slice_file_name", "fsID", "classID", "class"), ("a.wav", "1", "3", "x"), "slice_file_name", "class"),
        (("wav", "target", "category_name"), ("a.wav", "1", "x"), "wav", "category_name"),
        (("filepath", "y"), ("a.wav", "1"), "filepath", "y"),
        (("sound", "label"), ("a.wav", "x"), "sound", "label"),
        (("fname", "sound"), ("a.wav", "x"), "fname", "sound"),
        (("Datei", "Art", "label"), ('"a.WAV"', "x", "x"), "Datei", "label"),
        (("filename", "primary_label", "secondary_labels"), ("a.ogg", "x", "['y']"), "filename", "primary_label"),
        (("path", "gender", "number", "speaker"), ("a.wav", "x", "7", "z"), "path", "number"),
    ],
)
def test_further_names_of_columns(names, cells, path, label):
    found = settle({name: [cell] for name, cell in zip(names, cells, strict=True)})
    assert (found.path, *found.labels) == (path, label)


def test_columns_of_tags_where_one_label_is_asked_for():
    with pytest.raises(DataError, match=r"t.csv has columns of 0 and 1, dog, cat: for tags, add --multi_label"):
        settle({"path": ["a", "b"], "dog": ["0", "1"], "cat": ["1", ""]})


def test_a_table_without_a_header():
    with pytest.raises(
        DataError, match=r"t.csv has no header: its first line names 0.wav; write .* such as path,label"
    ):
        settle({"0.wav": ["1.wav", "2.wav"], "dog": ["cat", "dog"]})
    assert settle({"path": ["a"], "label": ["x"], "dog.wav": ["1"]}).path == "path"


def test_two_columns_of_files_are_a_question():
    with pytest.raises(DataError, match="add --path_column"):
        settle({"left": ["a.wav"], "right": ["b.wav"], "label": ["x"]})


def test_what_the_user_names_wins():
    table = {"file": ["a"], "path": ["b"], "label": ["x"], "species": ["y"], "who": ["z"], "fold": ["test"]}
    wanted = {"path": "file", "labels": ("species",), "group": "who", "split": "fold"}
    assert settle(table, **wanted) == Columns("file", ("species",), "who", "fold")


def test_a_number_is_a_label_where_there_is_no_other():
    table = {"path": ["a"], "number": ["7"], "dog": ["1"]}
    assert settle(table).labels == ("number",)
    assert settle({**table, "Class": ["x"]}).labels == ("Class",)
    assert settle(table, several=True).labels == ["dog"]


def test_labels_may_be_missing_where_none_are_needed():
    table = {"path": ["a"], "who": ["x"], "dog": ["1"]}
    assert settle(table, needs_labels=False) == Columns("path")
    assert settle(table, needs_labels=False, labels=("who",)).labels == ("who",)


def test_a_column_called_split_that_says_something_else_is_none():
    for said in (["banana"], ["1", "2"]):
        assert settle({"path": said, "label": said, "split": said}).split is None
    assert settle({"path": ["a", "b"], "label": ["x", "y"], "set": ["train", "lorry"]}).split is None  # toys
    for said in (["train"], ["Dev", " test"], ["train", "test", "banana"]):  # the last one is refused when it is read
        assert settle({"path": said, "label": said, "split": said}).split == "split"


@pytest.mark.parametrize(
    "said", [["train", "holdout"], ["train", "test", ""], ["balanced_train", "eval"], ["", "test"]]
)
def test_rows_that_somebody_has_divided_in_other_words_are_not_trained_on(said):
    assert settle({"path": said, "label": said, "Split": said}).split == "Split"
    with pytest.raises(DataError, match="in its column 'Split': the split may say train, "):
        read_parts("t.csv", "Split", said)


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"path": "wav"}, "t.csv has no column 'wav': its columns are sound, kind"),
        ({}, r"usually is \(path, file.*its columns are sound, kind: add --path_column NAME"),
        ({"path": "sound"}, r"the labels usually is \(label, .*: add --label_column NAME"),
        ({"path": "sound", "labels": ("kind",), "group": "who"}, "no column 'who'"),
    ],
)
def test_columns_that_cannot_be_found(wanted, says):
    with pytest.raises(DataError, match=says):
        settle({"sound": ["a"], "kind": ["x"]}, **wanted)


@given(
    st.lists(st.sampled_from(sorted(PARTS)).flatmap(lambda name: st.sampled_from([name, name.title(), f" {name} "])))
)
def test_parts_are_called_by_many_names(cells):
    assert read_parts("t.csv", "split", cells) == [PARTS[cell.strip().lower()] for cell in cells]


def test_parts_that_nobody_knows():
    with pytest.raises(DataError, match=r"t.csv has 'holdout' in its column 'fold': .*--split_column"):
        read_parts("t.csv", "fold", ["train", "holdout"])


def test_single_labels_may_hold_commas():
    assert read_labels("t", {"label": [" dog, small ", "cat", ""]}, ["label"], several=False) == [
        "dog, small",
        "cat",
        "",
    ]
    for table in ({"a": ["1"], "b": ["0"]}, {"a": [["x", "y"]]}):
        with pytest.raises(DataError, match="add --multi_label"):
            read_labels("t", table, list(table), several=False)


def test_what_pandas_writes_for_a_missing_label_is_none(caplog):
    cells = ["dog", "nan", "NaN", "<NA>", None, float("nan"), "None", "none", "NA"]
    labels = ["dog", "", "", "", "", "", "None", "none", "NA"]
    assert read_labels("t.csv", {"label": cells}, ["label"], several=False) == labels
    assert [record.getMessage().split(" is taken")[0] for record in caplog.records] == [
        "t.csv: 'None'",
        "t.csv: 'none'",
        "t.csv: 'NA'",
    ]
    assert read_labels("t.csv", {"tags": ["dog;cat", "nan", None]}, ["tags"], several=True) == [["dog", "cat"], [], []]


def test_labels_as_lists_in_quotes_and_several_by_mistake(caplog):
    assert read_labels("t", {"a": ["['dog']", "[]", '["cat"]']}, ["a"], several=False) == ["dog", "", "cat"]
    assert read_labels("t", {"a": ['"dog"', " cat"]}, ["a"], several=False) == ["dog", "cat"]
    assert read_labels("t", {"a": ["[music]", "dog"]}, ["a"], several=False) == ["[music]", "dog"]
    with pytest.raises(DataError, match=r"t has lists of labels in its column 'a': add --multi_label"):
        read_labels("t", {"a": ["['dog', 'cat']"]}, ["a"], several=False)
    assert not caplog.records
    read_labels("t", {"a": ["low;wind", "low"]}, ["a"], several=False)
    assert "t: 1 of 2 labels look like several with ';' between, 'low;wind' for one; if so, add --multi_label" in (
        caplog.text
    )


def test_tags_are_columns_that_say_1_or_what_columns_hold():
    table = {
        "path": ["a", "b", "c"],
        "dog, small": ["1", "0", "1.0"],
        "cat": ["False", "true", ""],
        "id": ["7", "8", "9"],
    }
    columns = settle(table, several=True).labels
    assert columns == ["dog, small", "cat"]
    assert read_labels("t", table, columns, several=True) == [["dog, small"], ["cat"], ["dog, small"]]
    table = {"tags": ["x, y", "", "z"], "more": [["v"], [], ["w", "x"]]}
    assert read_labels("t", table, ["tags", "more"], several=True) == [["x", "y", "v"], [], ["z", "w", "x"]]
