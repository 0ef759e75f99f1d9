"""Which files are found and what is said of them, in folders and tables of every shape."""

import os
import unicodedata

import pytest
from helpers.recordings import write_table

from hf_audio.data.tables.columns import Columns
from hf_audio.errors import DataError
from hf_audio.inspection.listing import list_files


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


def kinds(listing):
    return {
        finding.kind: sorted(os.path.basename(file) for case in finding.cases for file in case.files)
        for finding in listing.findings
    }


def rows_of(folder, listing):
    return sorted((os.path.relpath(entry.path, folder), entry.labels, entry.split) for entry in listing.entries)


def test_class_folders_to_any_depth(tmp_path):
    собака = unicodedata.normalize("NFC", "собака и кот")
    touch(tmp_path, "dog/1.wav", "dog/far/2.FLAC", f"{собака}/три 3.mp3")
    listing = list_files(tmp_path, Columns())
    assert rows_of(tmp_path, listing) == [
        ("dog/1.wav", ("dog",), ""),
        ("dog/far/2.FLAC", ("dog",), ""),
        (f"{собака}/три 3.mp3", (собака,), ""),
    ]
    assert listing.label_names == ("label",) and listing.findings == []


def test_splits_above_class_folders(tmp_path):
    touch(tmp_path, "train/dog/1.wav", "train/cat/2.wav", "test/dog/3.wav", "Validation/dog/4.wav")
    assert {(entry.labels, entry.split) for entry in list_files(tmp_path, Columns()).entries} == {
        (("dog",), "train"),
        (("cat",), "train"),
        (("dog",), "test"),
        (("dog",), "Validation"),
    }


def test_a_class_may_be_called_train(tmp_path):
    touch(tmp_path, "train/1.wav", "car/2.wav")
    assert {entry.labels for entry in list_files(tmp_path, Columns()).entries} == {("train",), ("car",)}


def test_a_folder_without_classes(tmp_path):
    listing = list_files(touch(tmp_path, "1.wav", "2.ogg"), Columns())
    assert listing.label_names == () and {entry.labels for entry in listing.entries} == {()}


def test_oddities_are_named(tmp_path):
    touch(tmp_path, "dog/1.wav", "dog/._1.wav", "dog/notes.txt", ".git/x.wav", "stray.wav")
    (tmp_path / "dog" / "again").symlink_to(tmp_path / "dog")
    (tmp_path / "cat").symlink_to(tmp_path)
    (tmp_path / "dog" / "gone.wav").symlink_to(tmp_path / "nowhere.wav")
    listing = list_files(tmp_path, Columns())
    assert kinds(listing) == {
        "unreachable": ["again", "cat", "gone.wav"],
        "outside-classes": ["stray.wav"],
        "no-audio": ["notes.txt"],
        "hidden": ["._1.wav", ".git"],
    }
    assert len(listing.entries) == 2


@pytest.mark.usefixtures("libsndfile_alone")
def test_sound_of_kinds_that_are_not_read_is_of_its_class(tmp_path):
    listing = list_files(touch(tmp_path, "dog/1.wav", "dog/far/2.m4a", "cow/3.webm", "cat/4.flac"))
    assert rows_of(tmp_path, listing) == [
        ("cat/4.flac", ("cat",), ""),
        ("cow/3.webm", ("cow",), ""),
        ("dog/1.wav", ("dog",), ""),
        ("dog/far/2.m4a", ("dog",), ""),
    ]
    with pytest.raises(DataError, match=r"phone holds recordings of kinds that are not read, .*1.m4a: convert"):
        list_files(touch(tmp_path / "phone", "1.m4a"))


def test_a_table_is_understood_as_for_training(tmp_path):
    touch(tmp_path, "audio/a.wav", "audio/b.wav")
    rows = [["Filename", "category", "subset"], ["a.wav", "dog", "Train"], ["b.wav", "cat", "test"]]
    listing = list_files(write_table(tmp_path / "t.csv", rows))
    assert listing.label_names == ("category",)
    assert rows_of(tmp_path, listing) == [("audio/a.wav", ("dog",), "Train"), ("audio/b.wav", ("cat",), "test")]


def test_a_linked_folder_is_read(tmp_path):
    touch(tmp_path, "elsewhere/1.wav", "data/cat/2.wav")
    (tmp_path / "data" / "dog").symlink_to(tmp_path / "elsewhere")
    assert {entry.labels for entry in list_files(tmp_path / "data", Columns()).entries} == {("dog",), ("cat",)}


def test_a_table_with_all_columns(tmp_path):
    touch(tmp_path, "audio/a.wav", "audio/b.wav")
    table = write_table(
        tmp_path / "t.tsv",
        [["file", "sex", "word", "part", "who"], ["a.wav", "f", "ja", "train", "x"], ["b.wav", "m", "", "test", "x"]],
        "\t",
    )
    columns = Columns("file", ("sex", "word"), group="who", split="part")
    listing = list_files(table, columns, tmp_path / "audio")
    assert [(entry.labels, entry.split, entry.group) for entry in listing.entries] == [
        (("f", "ja"), "train", "x"),
        (("m", ""), "test", "x"),
    ]
    assert listing.label_names == ("sex", "word") and listing.findings == []


def test_what_is_wrong_with_a_table(tmp_path):
    touch(tmp_path, "a.wav", "b.wav", "c.wav", "d.wav")
    table = write_table(
        tmp_path / "t.csv",
        [["path", "label", "split"], *(row.split(",") for row in ("a.wav,x,train", "a.wav,x,train", "b.wav,x,train"))]
        + [row.split(",") for row in ("b.wav,y,train", "c.wav,,test", "d.wav,x,test", "d.wav,x,train", "e.wav,x,")],
    )
    assert kinds(list_files(table, Columns())) == {
        "missing": ["e.wav"],
        "contradicted": ["b.wav", "d.wav"],
        "repeated": ["a.wav", "b.wav", "d.wav"],
        "unlabelled": ["c.wav"],
    }


def test_cells_that_look_like_several_tags(tmp_path):
    touch(tmp_path, "a.wav", "b.wav")
    for cells in (("dog", "dog;cat"), ("['dog']", "['dog', 'cat']")):
        table = write_table(tmp_path / "t.csv", [["path", "label"], ["a.wav", cells[0]], ["b.wav", cells[1]]])
        (finding,) = list_files(table).findings
        assert finding.kind == "several" and "--multi_label" in finding.remedy
    table = write_table(tmp_path / "t.csv", [["path", "label"], ["a.wav", '"dog"'], ["b.wav", "cat, small"]])
    listing = list_files(table)
    assert listing.findings == [] and listing.entries[0].labels == ("dog",)


@pytest.mark.parametrize(
    ("names", "data", "columns", "says"),
    [
        ((), "gone", Columns(), "gone is neither a folder nor a CSV or TSV"),
        ((), "gone.csv", Columns(), "cannot be read"),
        (("x/a.txt",), "x", Columns(), "holds nothing that is audio by its name"),
        (("a.wav",), "", Columns("file"), "has no column 'file'"),
        (("a.wav",), "t.csv", Columns(labels=("animal",)), "has no column 'animal'"),
        (("a.wav",), "t.csv", Columns(group="who"), "has no column 'who'"),
        ((), "t.csv", Columns(), "holds no audio files"),
    ],
)
def test_what_cannot_be_inspected(names, data, columns, says, tmp_path):
    touch(tmp_path, *names)
    write_table(tmp_path / "t.csv", [["path", "label"], ["a.wav", "x"]])
    with pytest.raises(DataError, match=says):
        list_files(tmp_path / data, columns)
