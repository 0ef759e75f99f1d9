"""What folders and tables of every layout are read as."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from helpers.recordings import touch, write_table

from hf_audio.data.collection import load_collection, read_parts_of
from hf_audio.data.layouts.reading import read_recordings
from hf_audio.data.tables.columns import TEST, TRAIN, VALIDATION, Columns
from hf_audio.errors import DataError
from hf_audio.inspection.listing import list_files

HEADER = ("file_name", "label")


SIX = range(6)


def rows(numbers: Iterable[int] = SIX, place: str = ""):
    """Rows of a table: even numbers are cats."""
    return [(f"{place}{number}.wav", ("cat", "dog")[number % 2]) for number in numbers]


def sounds(folder: Path, numbers: Iterable[int] = SIX) -> Path:
    return touch(folder, *(f"{number}.wav" for number in numbers))


def read(source, columns=None, **options) -> dict[tuple[str, str], int]:
    """How many recordings of each label and part there are, as training and inspection have them."""
    found = read_recordings(source, columns, **options)
    assert found.problem is None
    (label,) = found.table.columns.labels
    counts = Counter(zip(found.table.cells[label], read_parts_of(found.table), strict=True))
    inspected = Counter(entry.labels[0] for entry in list_files(source, columns).entries if entry.labels[0])
    trained: Counter[str] = Counter()
    for (own, _), number in counts.items():
        trained[own] += number
    assert inspected == trained
    return dict(counts)


def of_parts(**numbers: int) -> dict[tuple[str, str], int]:
    return {(name, part): number for part, number in numbers.items() for name in ("cat", "dog")}


@pytest.mark.parametrize(
    "names", [("train", "validation", "test"), ("Training", "VALID", "eval"), ("a_train", "a_dev", "a_test")]
)
@pytest.mark.parametrize("inside", ["", "data", "set/data"])
def test_the_hubs_tables_beside_the_recordings_of_each_part(tmp_path, names, inside):
    for name in names:
        folder = sounds(tmp_path / inside / name)
        write_table(folder / "metadata.csv", [HEADER, *rows()])
    touch(tmp_path, "README.md")
    assert read(tmp_path) == of_parts(train=3, validation=3, test=3)


def test_the_hubs_metadata_as_lines_of_json_and_under_other_names(tmp_path):
    for name in ("train", "test"):
        lines = [json.dumps(dict(zip(HEADER, row, strict=True))) for row in rows()]
        (sounds(tmp_path / "a" / name) / "metadata.jsonl").write_text("\n".join(lines))
        write_table(sounds(tmp_path / "b" / name) / "labels.csv", [HEADER, *rows()])
    assert read(tmp_path / "a") == read(tmp_path / "b") == of_parts(train=3, test=3)


def test_one_table_above_the_parts(tmp_path):
    for name in ("train", "val", "test"):
        sounds(tmp_path / name)
    write_table(tmp_path / "metadata.csv", [HEADER, *rows(place="train/"), *rows(place="val/"), *rows(place="test/")])
    assert read(tmp_path) == of_parts(train=3, validation=3, test=3)
    assert read(tmp_path / "metadata.csv") == of_parts(train=3, validation=3, test=3)


def test_a_part_without_a_table_is_left_out_aloud_and_class_folders_need_none(tmp_path):
    write_table(sounds(tmp_path / "train") / "metadata.csv", [HEADER, *rows()])
    sounds(tmp_path / "test")
    found = read_recordings(tmp_path)
    assert len(found.table.files) == len(found.outside) == 6 and "test holds no table" in found.warnings[0]
    (tmp_path / "b").mkdir()
    for name in ("train", "test"):
        for number in range(3):
            touch(tmp_path / "b" / name, f"cat/{number}.wav", f"dog/{number}.wav")
    write_table(tmp_path / "b" / "train" / "metadata.csv", [HEADER, ("cat/0.wav", "cat"), ("dog/0.wav", "dog")])
    assert read(tmp_path / "b") == of_parts(train=3, test=3)


@pytest.mark.parametrize(
    "stems",
    [("train", "val", "test"), ("birds_train", "birds_valid", "birds_eval"), ("Train_meta", "dev_meta", "TestMeta")],
)
@pytest.mark.parametrize("place", ["", "meta"])
def test_tables_of_parts_side_by_side(tmp_path, stems, place):
    sounds(tmp_path / "clips", range(18))
    touch(tmp_path / place, "notes.csv")
    for stem, first in zip(stems, (0, 6, 12), strict=True):
        write_table(tmp_path / place / f"{stem}.csv", [("file", "class"), *rows(range(first, first + 6))])
    assert read(tmp_path) == of_parts(train=3, validation=3, test=3)
    found = read_recordings(tmp_path)
    tested = [
        file.stem for file, part in zip(found.table.files, read_parts_of(found.table), strict=True) if part == TEST
    ]
    assert sorted(map(int, tested)) == list(range(12, 18)) and "notes.csv" in found.messages[0]


def test_tables_of_parts_may_name_equal_files_in_folders_of_their_parts(tmp_path):
    for name in ("train", "test"):
        sounds(tmp_path / f"audio_{name}")
        write_table(tmp_path / f"{name}.csv", [("fname", "label"), *rows()])
    assert read(tmp_path) == of_parts(train=3, test=3)
    assert {file.parent.name for file in read_recordings(tmp_path).table.files} == {"audio_train", "audio_test"}


def test_a_test_table_without_labels_is_left_out_aloud(tmp_path):
    sounds(tmp_path / "audio", range(12))
    write_table(tmp_path / "train.csv", [HEADER, *rows()])
    write_table(tmp_path / "test.csv", [HEADER[:1], *(row[:1] for row in rows(range(6, 12)))])
    assert read(tmp_path) == of_parts(train=3)
    assert "test.csv has no column 'label'" in read_recordings(tmp_path).warnings[0]


def test_the_authors_parts_stand_above_class_folders_and_other_tables_below(tmp_path):
    touch(tmp_path, *(f"{name}/{number}.wav" for name in ("cat", "dog") for number in range(5)))
    write_table(tmp_path / "features.csv", [("mfcc_1", "mfcc_2"), ("0", "1")])
    assert read(tmp_path) == of_parts(train=5)
    for part, numbers in (("train", range(3)), ("test", range(3, 5))):
        listed = [(f"{name}/{number}.wav", name) for name in ("cat", "dog") for number in numbers]
        write_table(tmp_path / f"{part}.csv", [HEADER, *listed])
    assert read(tmp_path) == of_parts(train=3, test=2)


def test_a_table_of_one_part_says_that_others_lie_beside(tmp_path):
    sounds(tmp_path)
    for name in ("train", "test"):
        write_table(tmp_path / f"{name}.csv", [HEADER, *rows()])
    assert "train.csv alone is read: give the folder" in read_recordings(tmp_path / "train.csv").messages[-1]


def test_lists_of_files_beside_class_folders(tmp_path):
    touch(tmp_path, *(f"{name}/{number}.wav" for name in ("cat", "dog") for number in range(4)))
    (tmp_path / "testing_list.txt").write_text("cat/0.wav\r\ndog\\1.wav\n\ngone/1.wav\n")
    (tmp_path / "validation_list.txt").write_text("cat/2.wav\n")
    touch(tmp_path, "test_notes.txt")
    assert read(tmp_path) == {
        ("cat", TRAIN): 2,
        ("cat", TEST): 1,
        ("cat", VALIDATION): 1,
        ("dog", TRAIN): 3,
        ("dog", TEST): 1,
    }
    assert "testing_list.txt and validation_list.txt" in read_recordings(tmp_path).split


def urban(folder: Path) -> Path:
    """The layout of UrbanSound8K: two clips in each of ten folds."""
    listed = [
        (f"{100 + fold}-{code}-0-0.wav", str(fold), name) for fold in range(1, 11) for code, name in URBAN.items()
    ]
    touch(folder / "audio", *(f"fold{fold}/{name}" for name, fold, _ in listed))
    (folder / "metadata").mkdir()
    header = ("slice_file_name", "fsID", "start", "end", "fold", "classID", "class")
    table = [(name, name.split("-")[0], "4.5", "8.5", fold, name.split("-")[1], label) for name, fold, label in listed]
    write_table(folder / "metadata" / "UrbanSound8K.csv", [header, *table])
    return folder


URBAN = {3: "dog_bark", 8: "siren"}


@pytest.mark.parametrize("given", ["", "audio", "metadata/UrbanSound8K.csv"])
def test_urbansound8k_by_its_table_by_its_audio_alone_and_by_its_names(tmp_path, given):
    root = urban(tmp_path)
    expected = {(name, part): number for name in URBAN.values() for part, number in ((TRAIN, 9), (TEST, 1))}
    assert read(root / given) == expected
    found = read_recordings(root / given)
    assert found.columns.group == "fsID" and found.columns.split is None
    assert found.split == "Fold 10 of 10, by the column fold of its table, was held out."
    assert "start and end are places in the original recordings" in found.messages[0]
    if given == "audio":
        (root / "metadata" / "UrbanSound8K.csv").unlink()
        assert (
            read(root / given) == expected and "by the names of its files" in read_recordings(root / given).messages[0]
        )


def test_esc50_and_other_tables_with_folds(tmp_path):
    listed = [(f"{fold}-{100 * fold + n}-A-{n}.wav", str(fold), "abc"[n]) for fold in range(1, 6) for n in range(3)]
    touch(tmp_path / "audio", *(row[0] for row in listed))
    (tmp_path / "meta").mkdir()
    table = [("filename", "fold", "category", "src_file"), *((*row, row[0].split("-")[1]) for row in listed)]
    write_table(tmp_path / "meta" / "esc50.csv", table)
    found = read_recordings(tmp_path)
    assert found.split.startswith("Fold 5 of 5") and found.columns.group == "src_file"
    # Whoever names groups wants them drawn.
    assert read(tmp_path, Columns(group="src_file")) == {(name, TRAIN): 5 for name in "abc"}
    (tmp_path / "meta" / "esc50.csv").rename(tmp_path / "meta" / "other.csv")
    found = read_recordings(tmp_path)
    assert found.split.startswith("Fold 5 of 5") and found.columns.group is None
    assert "--split_column" in found.messages[-1]


def test_speakers_of_speech_commands_stay_together_and_its_noise_is_no_word(tmp_path):
    touch(tmp_path, *(f"{word}/{n:08x}_nohash_{k}.wav" for word in ("yes", "no") for n in range(5) for k in range(2)))
    touch(tmp_path / "_background_noise_", "white_noise.wav")
    collection = load_collection(tmp_path)
    assert collection.dataset.features["label"].names == ["no", "yes"] and collection.columns == Columns(
        group="speaker"
    )
    speakers = np.array(collection.dataset["speaker"][:])
    tested = set(speakers[collection.rows(TEST)])
    assert len(tested) == 1 and not tested & set(speakers[collection.rows(TRAIN)])


def test_of_several_tables_the_one_that_names_recordings_and_their_labels(tmp_path):
    sounds(tmp_path / "audio")
    write_table(tmp_path / "taxonomy.csv", [("code", "latin"), ("cat", "felis")])
    write_table(tmp_path / "sample_submission.csv", [HEADER, ("gone.wav", "cat")])
    write_table(tmp_path / "clips.csv", [HEADER, *rows()])
    assert read(tmp_path) == of_parts(train=3)
    assert "clips.csv names the recordings; other tables are not read" in read_recordings(tmp_path).messages[0]
    write_table(tmp_path / "second.csv", [HEADER, *rows()])
    assert "2 tables that name its recordings" in read_recordings(tmp_path).problem
    (tmp_path / "second.csv").rename(tmp_path / "metadata.csv")
    assert read(tmp_path) == of_parts(train=3)


def test_a_table_tells_what_folders_that_are_no_classes_do_not(tmp_path):
    touch(tmp_path, *(f"2023-05-0{1 + n % 2}/{n}.wav" for n in range(6)))
    assert "which are dates and no classes" in read_recordings(tmp_path).problem
    write_table(
        tmp_path / "labels.csv", [HEADER, *((f"2023-05-0{1 + int(name[0]) % 2}/{name}", own) for name, own in rows())]
    )
    assert read(tmp_path) == of_parts(train=3)


def test_labels_of_a_table_that_a_network_has_written_are_doubted(tmp_path):
    touch(tmp_path, "a.wav", "b.wav")
    path = tmp_path / "a.csv"
    path.write_text("path,true_label,label,confidence\na.wav,dog,cat,0.75\nb.wav,cat,cat,0.5\n")
    (told,) = read_recordings(path).warnings
    assert "tells a confidence in 'confidence'" in told and "'true_label', with --label_column" in told
    assert not read_recordings(path, Columns(labels=("true_label",))).warnings
    path.write_text("path,label,score\na.wav,dog,3\nb.wav,cat,5\n")  # of something else
    assert not read_recordings(path).warnings


def test_recordings_that_no_table_names_are_told(tmp_path):
    sounds(tmp_path / "audio", range(8))
    for name, numbers in (("train", range(4)), ("test", range(4, 6))):
        write_table(tmp_path / f"{name}.csv", [HEADER, *rows(numbers)])
    assert [file.name for file in read_recordings(tmp_path).outside] == ["6.wav", "7.wav"]


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (["1.wav", "2.wav"], "holds 1.wav and no class folders: put the recordings of each class"),
        (["train/1.wav", "test/2.wav"], "called as the parts of a data set are, and no class folders"),
        (["fold1/1.wav", "fold2/2.wav"], "are folds and no classes"),
    ],
)
def test_training_and_inspection_say_the_same_of_what_is_not_understood(tmp_path, files, says):
    touch(tmp_path, *files)
    with pytest.raises(DataError, match=says) as refusal:
        load_collection(tmp_path)
    listing = list_files(tmp_path)
    assert [finding.message for finding in listing.findings] == [str(refusal.value)]
    assert len(listing.entries) == len(files)


def test_what_is_wrong_with_the_only_table_is_said_of_a_flat_folder(tmp_path):
    sounds(tmp_path)
    write_table(tmp_path / "t.csv", [("file", "who"), ("0.wav", "x")])
    with pytest.raises(DataError, match=r"t.csv has no column that is called as one of the labels"):
        load_collection(tmp_path)
    assert len(list_files(tmp_path).entries) == 6


def test_a_folder_that_is_linked_under_two_names_counts_once_aloud(tmp_path):
    touch(tmp_path, "pets/1.wav", "sounds/dog/2.wav", "sounds/bird/3.wav")
    for name in ("cat", "kitten"):
        (tmp_path / "sounds" / name).symlink_to(tmp_path / "pets")
    found = read_recordings(tmp_path / "sounds")
    assert len(found.table.files) == 3 and "kitten is searched by another name" in found.warnings[0]
