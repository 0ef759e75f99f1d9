"""Tables and folders: what is kept, what is left out and what is said about it."""

import logging
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from datasets import Dataset
from helpers.recordings import RATE, tone, write_table
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_audio.data.rows import (
    BELIEVED_COLUMN,
    UNVERIFIED_COLUMN,
    add_guessed,
    as_rows,
    class_names,
    find_noises,
    from_rows,
    from_tagged_rows,
    has_tags,
    load_class_folders,
    load_numbers,
    load_table,
    tag_matrix,
)
from hf_audio.errors import DataError


@pytest.mark.usefixtures("libsndfile_alone")
def test_class_folders_become_rows(tone_folder, caplog):
    (tone_folder / "low" / "deeper" / "still").mkdir(parents=True)
    soundfile.write(tone_folder / "low" / "deeper" / "still" / "x.flac", tone(300), RATE)
    (tone_folder / "notes.txt").write_text("in no class")
    (tone_folder / "low" / "talk.m4a").write_bytes(b"libsndfile reads no AAC")
    with caplog.at_level(logging.WARNING):
        dataset = load_class_folders(tone_folder)
    assert "1 recording is left out, of a kind that is not read" in caplog.text
    assert "talk.m4a: convert to WAV or FLAC" in caplog.text
    assert len(dataset) == 37 and dataset.features["label"].names == ["high", "low", "mid"]
    labels = {dataset.features["label"].int2str(row["label"]) for row in dataset if "/low/" in row["path"]}
    assert labels == {"low"}


def test_tables_keep_further_columns(tmp_path):
    rows = [("file", "kind", "speaker"), ("a, b.wav", "x", "1"), ("c.wav", "y", "2"), ("d.wav", "", "3")]
    path = write_table(tmp_path / "list.csv", rows)
    dataset = load_table(path, path_column="file", label_column="kind", audio_dir="clips")
    assert dataset["path"][:] == [os.path.join("clips", "a, b.wav"), os.path.join("clips", "c.wav")]
    assert dataset["speaker"][:] == ["1", "2"]
    assert load_table(path, path_column="file", label_column="kind")["path"][0] == str(tmp_path / "a, b.wav")


def test_columns_that_this_package_uses_itself_do_not_replace_labels_or_files(tmp_path, caplog):
    rows = [("path", "label", "species", "index"), ("a.wav", "1", "cat", "7"), ("b.wav", "2", "dog ", "8")]
    with caplog.at_level(logging.WARNING):
        dataset = load_table(write_table(tmp_path / "t.csv", rows), label_column="species")
    assert dataset.features["label"].names == ["cat", "dog"]
    assert set(dataset.column_names) == {"path", "label"}
    assert "['index', 'label']" in caplog.text
    with pytest.raises(DataError, match="further column 'audio'"):
        from_rows(["a", "b"], ["x", "y"], {"audio": [1, 2]})


def test_numbers_are_labels_too_and_a_comma_at_the_end_shifts_nothing(tmp_path):
    assert from_rows(["a", "b"], [1, 0]).features["label"].names == ["0", "1"]
    (tmp_path / "t.csv").write_text("path,label\na.wav,x,\nb.wav,y,\n")
    assert load_table(tmp_path / "t.csv").features["label"].names == ["x", "y"]


def test_tsv_with_stray_quotes(tmp_path):
    path = tmp_path / "train.tsv"
    path.write_text('path\tlabel\tsentence\na.wav\tx\t"Never, he said\nb.wav\ty\tit\'s "odd"\n', encoding="utf-8")
    assert load_table(path)["sentence"][:] == ['"Never, he said', 'it\'s "odd"']


def test_a_column_that_numbers_the_labels_gives_their_ids(tmp_path):
    rows = [("filename", "target", "category"), ("a.wav", "1", "cat"), ("b.wav", "0", "dog"), ("c.wav", "2", "ant")]
    dataset = load_table(write_table(tmp_path / "t.csv", rows))
    assert class_names(dataset) == ["dog", "cat", "ant"] and dataset["label"][:] == [1, 0, 2]
    dataset = load_table(write_table(tmp_path / "t.csv", rows[:2] + rows[3:]))
    assert class_names(dataset) == ["ant", "cat"], "1 and 2 begin at no 0"


def test_numbers_are_in_their_order(tmp_path):
    labels = [str(number) for number in range(11)]
    assert class_names(from_rows(labels, labels)) == labels
    assert class_names(from_tagged_rows(["a", "b"], [labels[:3], labels[3:]])) == labels
    assert class_names(as_rows(Dataset.from_dict({"path": labels, "label": labels}))) == labels
    for label in labels:
        (tmp_path / label).mkdir()
        (tmp_path / label / "a.wav").write_bytes(b"")
    assert class_names(load_class_folders(tmp_path)) == labels


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([("sound", "label"), ("a", "x")], r"\(path, file.*; its columns are sound, label"),
        ([("path", "label")], "no rows"),
        ([("path", "label"), ("a.wav", "x"), ("b.wav", "x")], "one label 'x'"),
        (
            [("path", "label"), ("a.wav", "x"), ("a.wav", "y"), ("b.wav", "x")],
            "a.wav is listed under two labels, x and y",
        ),
    ],
)
def test_bad_tables_are_refused_in_a_sentence(tmp_path, rows, says):
    with pytest.raises(DataError, match=says):
        load_table(write_table(tmp_path / "t.csv", rows))


def test_missing_and_unreadable_tables(tmp_path):
    with pytest.raises(DataError, match=r"gone\.csv cannot be read"):
        load_table(tmp_path / "gone.csv")
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "binary.csv").write_bytes(bytes(range(128, 256)))
    for name in ("empty.csv", "binary.csv"):
        with pytest.raises(DataError, match=f"{name} is not a UTF-8 table"):
            load_table(tmp_path / name)


def test_duplicate_rows_count_once(caplog):
    with caplog.at_level(logging.WARNING):
        dataset = from_rows(["a", "b", "a"], ["x", "y", "x"])
    assert len(dataset) == 2 and "1 rows repeat" in caplog.text


def test_folders_without_classes_or_audio(tmp_path):
    with pytest.raises(DataError, match="is not a folder"):
        load_class_folders(tmp_path / "gone")
    with pytest.raises(DataError, match="holds no audio"):
        load_class_folders(tmp_path)


def test_classes_keep_their_order_and_no_other_label_passes():
    dataset = from_rows(["a.wav", "b.wav"], ["y", " x"], classes=["z", "y", "x"])
    assert class_names(dataset) == ["z", "y", "x"] and dataset["label"][:] == [1, 2] and not has_tags(dataset)
    assert len(from_rows(["a.wav"], ["y"], classes=["x", "y"])) == 1
    with pytest.raises(DataError, match=r"b\.wav has the label 'w', which is none of the 2 classes"):
        from_rows(["a.wav", "b.wav"], ["x", "w"], classes=["x", "y"])
    with pytest.raises(DataError, match="a classifier needs at least two classes"):
        from_rows(["a.wav"], ["x"], classes=["x"])


@settings(deadline=None, max_examples=30)
@given(st.lists(st.lists(st.sampled_from(["bark", "gong", " gong ", "meow", "", "a b"]), max_size=4), max_size=9))
def test_tags_of_a_clip_become_one_sorted_list(tags):
    tags = [["bark", "meow"], *tags]
    paths = [f"{number}.wav" for number in range(len(tags))]
    dataset = from_tagged_rows(paths, tags, {"take": list(range(len(tags)))})
    own = [sorted({tag.strip() for tag in row if tag.strip()}) for row in tags]
    names = class_names(dataset)
    assert names == sorted({tag for row in own for tag in row}) and has_tags(dataset)
    assert [[names[tag] for tag in row] for row in dataset["label"]] == own
    assert dataset["path"][:] == paths and dataset["take"][:] == list(range(len(tags)))
    matrix = tag_matrix(dataset["label"][:], len(names))
    assert matrix.dtype == np.float32
    assert matrix.tolist() == [[float(name in row) for name in names] for row in own]


def test_clips_of_several_tags(caplog):
    with caplog.at_level(logging.WARNING):
        dataset = from_tagged_rows(["a.wav", "b.wav", "a.wav"], [["x", "y"], ["y"], ["y", " x"]])
    assert dataset["label"][:] == [[0, 1], [1]] and "1 rows repeat" in caplog.text
    with pytest.raises(DataError, match=r"a\.wav is listed under two labels, x,y and y"):
        from_tagged_rows(["a.wav", "a.wav"], [["x", "y"], ["y"]])
    dataset = from_tagged_rows(["a.wav", "b.wav"], [["dog, small"], ["cat", "dog, small"]])
    assert class_names(dataset) == ["cat", "dog, small"] and dataset["label"][:] == [[1], [0, 1]]
    with pytest.raises(DataError, match="a tagger needs at least two"):
        from_tagged_rows(["a.wav"], [["x"]])


def test_numbers_have_no_names_and_no_tags(tmp_path):
    dataset = load_numbers(write_table(tmp_path / "t.csv", [("path", "number"), ("a.wav", "7")]), 2)
    assert class_names(dataset) is None and not has_tags(dataset)


def test_numbers_become_digits(tmp_path):
    rows = [["path", "gender", "number"], ["a.wav", "male", "38"], ["b.wav", "female", "14.0"], ["c.wav", "male", ""]]
    rows += [["d.wav", "male", "000000"], ["e.wav", "male", "999999"], ["f.wav", "male", "38"]]
    rows += [["b.wav", "female", "14"]]  # as above, in other words
    rows += [["g.wav", "male", "none of these"]]
    dataset = load_numbers(write_table(tmp_path / "train.csv", rows), 6)
    digits = {Path(row["path"]).stem: row["label"] for row in dataset}
    assert digits == {
        "a": [0, 0, 0, 0, 3, 8],
        "b": [0, 0, 0, 0, 1, 4],
        "d": [0] * 6,
        "e": [9] * 6,
        "f": [0, 0, 0, 0, 3, 8],
        "g": [-1] * 6,
    }
    assert dataset["gender"][:] == ["male", "female", "male", "male", "male", "male"]
    assert len(load_numbers(write_table(tmp_path / "one.csv", rows[:2]), 6)) == 1


@pytest.mark.parametrize("wrong", ["1000000", "-1", "1.5", "nan", "inf", "ten"])
def test_numbers_that_cannot_be_are_refused(tmp_path, wrong):
    table = write_table(tmp_path / "train.csv", [["path", "number"], ["a.wav", "1"], ["b.wav", wrong]])
    with pytest.raises(DataError, match=rf"train.csv has the number '{wrong}': give whole numbers from 0 to 999999"):
        load_numbers(table, 6)


def test_noises_are_those_that_can_be_read(tone_folder, tmp_path, caplog):
    (tone_folder / "low" / "0.wav").write_bytes(b"no sound")
    assert len(find_noises(tone_folder)) == 35 and "0.wav is not audio" in caplog.text
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="none holds no audio that can be read"):
        find_noises(tmp_path / "none")


def test_guessed_clips_stand_behind_the_labelled_ones(tmp_path):
    dataset = from_rows(["a.wav", "b.wav"], ["x", "y"], {"speaker": ["Ann", "Bob"], "take": [1, 2]})
    rows = [["path", "label", "confidence"], ["c.wav", "y", "0.9"], [str(Path("a.wav").resolve()), "y", "0.9"]]
    merged = add_guessed(dataset, write_table(tmp_path / "guessed.csv", rows))
    assert merged["path"][:] == ["a.wav", "b.wav", str(tmp_path / "c.wav")]
    assert merged["label"][:] == [0, 1, 1] and merged[UNVERIFIED_COLUMN][:] == [False, False, True]
    assert merged["speaker"][:2] == ["Ann", "Bob"] and merged["speaker"][2] not in ("Ann", "Bob")
    believed = [[0.25, 0.75], [0, 1]]
    merged = add_guessed(dataset.add_column(BELIEVED_COLUMN, believed), tmp_path / "guessed.csv")
    assert merged[BELIEVED_COLUMN][:] == [*believed, [0, 1]]
    with pytest.raises(DataError, match=r"guessed.csv names only clips that are labelled already"):
        add_guessed(dataset, write_table(tmp_path / "guessed.csv", [rows[0], rows[2]]))
    with pytest.raises(DataError, match=r"guessed.csv has the label 'z', which the data set does not have"):
        add_guessed(dataset, write_table(tmp_path / "guessed.csv", [rows[0], ["c.wav", "z", "1"]]))
