"""A user's own recordings, in whichever layout, and which of them train and test."""

import logging
import os
import shutil
import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from helpers.recordings import write_table

from hf_audio.data.collection import load_collection
from hf_audio.data.rows import class_names, load_table
from hf_audio.data.tables.columns import TEST, TRAIN, VALIDATION, Columns
from hf_audio.errors import DataError


def touch(*paths: Path) -> None:
    """Files of these names: nothing here listens to them."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def fill(folder: Path, classes=("cat", "dog"), n=10) -> Path:
    touch(*(folder / name / f"{number}.wav" for name in classes for number in range(n)))
    return folder


def parts(collection) -> dict[str, int]:
    return dict(Counter(collection.parts.tolist()))


def labelled(collection, part=None) -> set[tuple[str, str]]:
    names = class_names(collection.dataset)
    rows = zip(collection.dataset["path"], collection.dataset["label"], collection.parts, strict=True)
    return {(Path(path).name, names[label]) for path, label, own in rows if part in (None, own)}


def test_a_fifth_of_every_class_is_drawn_always_the_same(tmp_path):
    folder = fill(tmp_path / "my sounds", ("cat", "dog", "猫 ж"), 20)
    collection = load_collection(folder)
    assert collection.name == "my sounds" and parts(collection) == {TRAIN: 48, TEST: 12}
    tested = np.asarray(collection.dataset["label"])[collection.rows(TEST)]
    assert Counter(tested.tolist()) == {0: 4, 1: 4, 2: 4}
    again = load_collection(folder)
    assert again.parts.tolist() == collection.parts.tolist()
    assert load_collection(folder, seed=1).parts.tolist() != collection.parts.tolist()


def test_whoever_has_divided_already_keeps_that(tmp_path):
    for name, n in (("Train", 10), ("val", 3), ("TEST", 4)):
        fill(tmp_path / name, n=n)
    touch(tmp_path / "README.md")
    collection = load_collection(tmp_path)
    assert parts(collection) == {TRAIN: 20, VALIDATION: 6, TEST: 8}
    assert class_names(collection.dataset) == ["cat", "dog"] and "came with" in collection.split
    shutil.rmtree(tmp_path / "TEST")
    assert parts(load_collection(tmp_path)) == {TRAIN: 16, VALIDATION: 6, TEST: 4}
    shutil.rmtree(tmp_path / "val")
    assert parts(load_collection(tmp_path)) == {TRAIN: 16, TEST: 4}


def test_a_class_may_be_called_train_or_test(tmp_path):
    assert class_names(load_collection(fill(tmp_path / "a", ("train", "car"))).dataset) == ["car", "train"]
    with pytest.raises(DataError, match="holds test, train, called as the parts of a data set are, and no class"):
        load_collection(fill(tmp_path / "parts", ("train", "test")))
    folder = fill(tmp_path / "b", ("train/steam", "train/electric", "bus"))
    assert class_names(load_collection(folder).dataset) == ["bus", "train"]


def test_links_give_each_recording_once_and_no_test_clip_to_train_on(tmp_path, caplog):
    folder = fill(tmp_path / "all")
    for part, numbers in (("train", range(10)), ("test", range(2))):
        for name in ("cat", "dog"):
            (tmp_path / "split" / part / name).mkdir(parents=True)
            for number in numbers:
                (tmp_path / "split" / part / name / f"{number}.wav").symlink_to(folder / name / f"{number}.wav")
    (tmp_path / "split" / "train" / "cat" / "up").symlink_to(tmp_path / "split")
    with caplog.at_level(logging.WARNING):
        collection = load_collection(tmp_path / "split")
    assert (
        parts(collection) == {TRAIN: 16, TEST: 4} and "files are left out, because they are there twice" in caplog.text
    )
    (folder / "dog" / "same.wav").symlink_to(folder / "cat" / "0.wav")
    with pytest.raises(DataError, match=r"'dog', and .*0.wav, the same file, 'cat': keep one"):
        load_collection(folder)


def test_one_name_in_two_forms_of_unicode_is_one_class(tmp_path):
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    fill(tmp_path / "train", (composed, "bar"))
    fill(tmp_path / "test", (decomposed, "bar"), 2)
    assert class_names(load_collection(tmp_path).dataset) == ["bar", composed]


@pytest.mark.parametrize("several", [False, True])
def test_labels_of_a_table_in_two_forms_of_unicode_are_one(tmp_path, caplog, several):
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    labels = [composed, decomposed, "bar", "Bar"] * 3
    rows = [[f"{number}.wav", label] for number, label in enumerate(labels)]
    touch(*(tmp_path / name for name, _ in rows))
    table = write_table(tmp_path / "t.csv", [["path", "label"], *rows])
    assert class_names(load_collection(table, several=several).dataset) == ["Bar", "bar", composed]
    assert "The classes 'Bar' and 'bar' differ in case, spaces or marks alone" in caplog.text
    assert class_names(load_table(table)) == ["Bar", "bar", composed]


def test_a_class_of_one_clip_is_trained_on_and_two_single_clips_are_too_few(tmp_path, caplog):
    fill(tmp_path)
    touch(tmp_path / "bird" / "only.wav")
    with caplog.at_level(logging.WARNING):
        collection = load_collection(tmp_path)
    assert ("only.wav", "bird") in labelled(collection, TRAIN) and "not tested: bird" in caplog.text
    touch(tmp_path / "few" / "a" / "1.wav", tmp_path / "few" / "b" / "1.wav")
    with pytest.raises(DataError, match="2 clips are too few to hold out"):
        load_collection(tmp_path / "few")


@pytest.mark.usefixtures("libsndfile_alone")
@pytest.mark.parametrize(
    ("files", "says"),
    [
        ([], "holds no files: give a folder with a folder of recordings a class"),
        (["a.m4a", "b/c.m4a"], r"recordings of kinds that are not read, .*a.m4a, .*c.m4a: convert to WAV"),
        (
            ["a.txt", "b/x.tar", "y.parquet"],
            r"holds shards, .*: train on them with --streaming true or, .*--dataset_name",
        ),
        (["a.txt"], r"nothing that is audio by its name, .*a.txt for one: give a folder"),
        (["a.wav", "b.wav"], r"holds a.wav and no class folders: put the recordings of each class"),
        (["dog/a.wav", "dog/b.wav"], "one label 'dog': a classifier needs at least two"),
        (["mine/cat/a.wav", "mine/dog/b.wav"], r"if the classes are cat, dog and so on, pass .*mine as --data_dir"),
        (["a.csv", "b.csv"], r"holds 2 tables, .*a.csv for one: pass the one"),
    ],
)
def test_folders_that_cannot_be_learnt_from(tmp_path, files, says):
    touch(*(tmp_path / file for file in files))
    with pytest.raises(DataError, match=says):
        load_collection(tmp_path)


def test_what_is_neither_folder_nor_table(tmp_path):
    touch(tmp_path / "a.wav")
    for name in ("gone", "a.wav"):
        with pytest.raises(DataError, match=rf"{name} is neither a folder nor a CSV or TSV"):
            load_collection(tmp_path / name)
    with pytest.raises(DataError, match=r"gone\.csv cannot be read"):
        load_collection(tmp_path / "gone.csv")
    with pytest.raises(DataError, match="class folders, which have no columns and one label a clip"):
        load_collection(fill(tmp_path / "x"), Columns(group="speaker"))


def table_of(folder: Path, n=20, header=("file", "category", "who"), row=None) -> Path:
    row = row or (lambda i: (f"clips/{i} ü.wav", ("dog, small", "cat")[i % 2], f"p{i % 5}"))
    touch(*(folder / row(i)[0] for i in range(n)))
    return write_table(folder / "clips.csv", [header, *map(row, range(n))])


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_tables_by_themselves_and_in_their_folder(tmp_path, suffix):
    table = table_of(tmp_path)
    if suffix == ".tsv":
        rows = [
            line.split("\t") for line in table.read_text().replace(",p", "\tp").replace("wav,", "wav\t").splitlines()
        ]
        table.unlink()
        rows = [["file", "category", "who"], *([cell.strip('"') for cell in row] for row in rows[1:])]
        table = write_table(tmp_path / "clips.tsv", rows, "\t")
    for source in (table, tmp_path):
        collection = load_collection(source)
        assert class_names(collection.dataset) == ["cat", "dog, small"] and collection.name == "clips"
        assert all(os.path.isfile(path) for path in collection.dataset["path"])
        assert parts(collection) == {TRAIN: 16, TEST: 4}
        assert collection.columns == Columns("file", ("category",), None, None)


def test_groups_stay_whole_and_clips_of_none_are_their_own(tmp_path):
    row = lambda i: (f"{i}.wav", "ab"[i % 2], "" if i >= 18 else f"p{i // 2 % 5}")  # noqa: E731
    collection = load_collection(table_of(tmp_path, row=row), Columns(group="who"))
    who = np.asarray(collection.dataset["who"])
    assert not set(who[collection.rows(TRAIN)]) & set(who[collection.rows(TEST)]) and len(set(who)) == 7
    assert collection.rows(TEST).any() and "none that share their `who`" in collection.split


def test_a_table_may_tell_the_split(tmp_path):
    row = lambda i: (f"{i}.wav", "ab"[i % 2], ("train", "Dev", "test")[i % 3])  # noqa: E731
    table = table_of(tmp_path, header=("path", "label", "split"), row=row)
    assert parts(load_collection(table)) == {TRAIN: 7, VALIDATION: 7, TEST: 6}
    collection = load_collection(table, Columns(split="split"))
    assert collection.parts[0] == TRAIN and collection.columns.split == "split"


def test_tags_of_a_table(tmp_path):
    row = lambda i: (f"{i}.wav", str(i % 2), str(int(i % 3 == 0)))  # noqa: E731
    table = table_of(tmp_path, header=("path", "dog, small", "cat"), row=row)
    collection = load_collection(table, several=True)
    assert class_names(collection.dataset) == ["cat", "dog, small"]
    tags = {Path(row["path"]).stem: row["label"] for row in collection.dataset}
    assert tags == {str(i): [0] * (i % 3 == 0) + [1] * (i % 2) for i in range(20)}
    with pytest.raises(DataError, match="add --multi_label"):
        load_collection(table, Columns(labels=("dog, small", "cat")))


def test_names_of_a_table_that_count_from_elsewhere_and_from_nowhere(tmp_path):
    touch(*(tmp_path / "audio" / f"{i}.wav" for i in range(10)))
    rows = [["filename", "label"], *([f"{i}.wav", "ab"[i % 2]] for i in range(10))]
    (tmp_path / "meta").mkdir()
    table = write_table(tmp_path / "meta" / "t.csv", rows)
    assert all(os.path.isfile(path) for path in load_collection(tmp_path).dataset["path"])
    with pytest.raises(DataError, match=r"None of the 10 files that .*t.csv names is there, .*meta/0.wav for one"):
        load_collection(table)
    touch(tmp_path / "audio" / "other" / "0.wav")
    with pytest.raises(DataError, match=r"t.csv names 0.wav, which may be .*audio/0.wav or .*other/0.wav"):
        load_collection(tmp_path)


def test_the_files_of_a_table_are_where_the_user_says(tmp_path):
    touch(*(tmp_path / folder / f"{i}.wav" for i in range(10) for folder in ("audio", "copies/deep", "meta")))
    table = write_table(
        tmp_path / "meta" / "t.csv", [["file", "tag"], *([f"{i}.wav", "ab"[i % 2]] for i in range(10))]
    )
    for folder, place in (("audio", "audio"), ("copies", "copies/deep")):
        paths = load_collection(table, audio_dir=tmp_path / folder).dataset["path"]
        assert {Path(path).parent for path in paths} == {tmp_path / place}
    with pytest.raises(DataError, match="class folders, which have no columns"):
        load_collection(fill(tmp_path / "x"), audio_dir=tmp_path)


def test_a_row_a_tag(tmp_path, caplog):
    rows = [(f"{n}.wav", tag, "test" if n < 4 else "train") for n in range(12) for tag in ("dog", "rain")[n % 3 > 0 :]]
    rows += [("4.wav", "rain,cat", "train"), ("5.wav", "rain", "train")]
    touch(*(tmp_path / row[0] for row in rows))
    table = write_table(tmp_path / "clips.csv", [("path", "tags", "split"), *rows])
    collection = load_collection(table, several=True)
    tags = dict(zip(collection.dataset["path"], collection.dataset["label"], strict=True))
    names = class_names(collection.dataset)
    assert len(tags) == 12 and [names[tag] for tag in tags[str(tmp_path / "4.wav")]] == ["cat", "rain"]
    assert [names[tag] for tag in tags[str(tmp_path / "0.wav")]] == ["dog", "rain"]
    assert "1 files are left out, because they are there twice" in caplog.text
    with pytest.raises(DataError, match=r"labelled .*: add --multi_label if a recording may have .* \(5 files have"):
        load_collection(table)
    write_table(table, [("path", "tags", "split"), *rows, ("0.wav", "cat", "train")])
    with pytest.raises(DataError, match=r"0.wav, the same file, .*'dog', 'rain': keep one of them"):
        load_collection(table, several=True)


def test_ids_follow_the_column_that_numbers_the_classes(tmp_path):
    classes = ("siren", "dog", "car")
    table = table_of(
        tmp_path, 15, ("slice_file_name", "classID", "class"), lambda n: (f"{n}.wav", n % 3, classes[n % 3])
    )
    assert class_names(load_collection(table).dataset) == [*classes]
    numbered = fill(tmp_path / "numbers", map(str, range(11)), 2)
    assert class_names(load_collection(numbered).dataset) == [str(number) for number in range(11)]


@pytest.mark.usefixtures("libsndfile_alone")
def test_recordings_that_are_not_read_are_told_of(tmp_path, caplog):
    touch(fill(tmp_path) / "cat" / "memo.m4a", tmp_path / "cat" / "notes.txt", tmp_path / "dog" / "._1.wav")
    (tmp_path / "dog" / "lost.wav").symlink_to(tmp_path / "gone.wav")
    with caplog.at_level(logging.WARNING):
        assert len(load_collection(tmp_path).dataset) == 20
    memo, lost, notes = (record.getMessage() for record in caplog.records)
    assert memo.startswith("1 recording is left out")
    assert "cat/memo.m4a: convert to WAV or FLAC, or install PyAV" in memo
    assert "dog/lost.wav for one: a link that leads nowhere" in lost and "1 files are no audio" in notes


def test_real_sounds_by_their_table(real_sounds):
    collection = load_collection(real_sounds, Columns(group="src_file"))
    assert collection.columns.path == "filename" and collection.columns.labels == ("category",)
    sources = np.asarray(collection.dataset["src_file"])
    assert not set(sources[collection.rows(TRAIN)]) & set(sources[collection.rows(TEST)])
    assert abs(collection.rows(TEST).mean() - 0.2) < 0.02


@pytest.mark.parametrize("beside", ["test/1.wav", "background/1.wav"])
def test_train_and_test_are_never_taken_for_classes(tmp_path, beside):
    fill(tmp_path / "train")
    fill(tmp_path / "validation")
    touch(tmp_path / beside)
    with pytest.raises(DataError, match=f"and {Path(beside).parts[0]}, which is no such part: move"):
        load_collection(tmp_path)


def test_what_a_zip_made_on_a_mac_brings_along_is_no_part(tmp_path):
    for name in ("train", "evaluation", "__MACOSX"):
        fill(tmp_path / name)
    assert parts(load_collection(tmp_path)) == {TRAIN: 20, TEST: 20}


def test_a_split_with_a_gap_is_told_of_and_one_without_training_clips_too(tmp_path):
    rows = [(f"{n}.wav", "ab"[n % 2], "train" if n % 3 else "test") for n in range(12)]
    touch(*(tmp_path / row[0] for row in rows))
    table = write_table(tmp_path / "clips.csv", [("path", "label", "split"), *rows[:-1], (*rows[-1][:2], "")])
    with pytest.raises(DataError, match="has '' in its column 'split'"):
        load_collection(table)
    write_table(table, [("path", "label", "split"), *((*row[:2], "dev") for row in rows)])
    with pytest.raises(DataError, match="has no clip to train on"):
        load_collection(table)


def test_clips_drawn_to_test_share_no_group_with_those_that_validate(tmp_path):
    rows = [(f"{n}.wav", "ab"[n % 2], "dev" if n < 12 else "train", f"s{n // 2 % 6}") for n in range(48)]
    touch(*(tmp_path / row[0] for row in rows))
    rows = [row for row in rows if row[2] == "train" or row[3] in ("s0", "s1")]
    table = write_table(tmp_path / "clips.csv", [("path", "label", "split", "speaker"), *rows])
    collection = load_collection(table, Columns(group="speaker"))
    speakers = np.asarray(collection.dataset["speaker"])
    assert collection.rows(TEST).any()
    assert not set(speakers[collection.rows(TEST)]) & set(speakers[collection.rows(VALIDATION)])


def test_a_name_that_is_not_utf8_is_one_sentence(tmp_path):
    fill(tmp_path)
    try:
        Path(os.fsdecode(os.fsencode(tmp_path / "cat") + b"/M\xfccke.wav")).write_bytes(b"")
    except OSError:
        pytest.skip("this file system holds no such names")
    with pytest.raises(DataError, match=r"cke.wav has a name, or a folder's, that is not UTF-8: rename it"):
        load_collection(tmp_path)


def test_columns_that_tell_a_few_kinds_of_clips_apart_come_along(tmp_path):
    header = ("path", "label", "microphone", "length", "index")
    row = lambda i: (f"{i}.wav", "ab"[i % 2], ("near", " far ")[i // 2 % 2], str(i), "xy"[i % 2])  # noqa: E731
    dataset = load_collection(table_of(tmp_path, header=header, row=row, n=40)).dataset
    assert set(dataset.column_names) == {"path", "label", "microphone"}
    told = {Path(path).stem: value for path, value in zip(dataset["path"], dataset["microphone"], strict=True)}
    assert told["1"] == "near" and told["2"] == "far"
