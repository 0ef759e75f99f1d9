"""Which folders are classes, which are something else, and which are left alone."""

from pathlib import Path

import pytest

from hf_audio.data.layouts.class_folders import ClassFolders, read_class_folders

ROOT = Path("sounds")


def read(*folders: str) -> ClassFolders:
    """What is made of folders with two recordings each."""
    return read_class_folders(ROOT, [ROOT / folder / f"{n}.wav" for folder in folders for n in range(2)])


@pytest.mark.parametrize(
    ("folders", "classes"),
    [
        (["cat", "dog"], ["cat", "dog"]),
        (["dog/anna", "dog/bob", "cat/anna"], ["cat", "dog"]),
        (["dog/anna", "dog/bob", "cat/carl", "cat/dora"], ["cat", "dog"]),
        (["cat/2023-05-01", "cat/2023-05-02", "dog/2023-05-01"], ["cat", "dog"]),
        (["0", "1", "10"], ["0", "1", "10"]),
        (["a320", "a380", "b737"], ["a320", "a380", "b737"]),
        (["dog", "noise", "silence", "_unknown_"], ["_unknown_", "dog", "noise", "silence"]),
        (["drone/2023-01-02", "drone/2023-01-05", "background"], ["background", "drone"]),
        (["train", "bus"], ["bus", "train"]),
        (["train/r01", "train/r02", "bus"], ["bus", "train"]),
        (["test bench", "motor"], ["motor", "test bench"]),
        (["C4", "D4", "E4"], ["C4", "D4", "E4"]),
        (["recording studio", "street"], ["recording studio", "street"]),
        (["words", "music"], ["music", "words"]),
        (["level1", "level2"], ["level1", "level2"]),
        (["decade", "facade"], ["decade", "facade"]),
        (["march", "may"], ["march", "may"]),
        (["marble1", "marble2"], ["marble1", "marble2"]),
        (["drone/1", "drone/2", "background noise"], ["background noise", "drone"]),
    ],
)
def test_ordinary_folders_are_classes_and_nothing_is_said(folders, classes):
    reading = read(*folders)
    assert reading.classes == classes
    assert (reading.messages, reading.warnings, reading.problem, reading.outside) == ([], [], None, [])
    assert not reading.has_parts and reading.group is None


@pytest.mark.parametrize(
    ("folders", "rows"),
    [
        (["Train/dog", "Train/cat", "dev/dog"], {("dog", "Train"), ("cat", "Train"), ("dog", "dev")}),
        (["dog/train", "dog/test", "cat/train"], {("dog", "train"), ("dog", "test"), ("cat", "train")}),
    ],
)
def test_parts_above_and_below_the_classes(folders, rows):
    reading = read(*folders)
    assert {(row.label, row.part) for row in reading.rows} == rows and reading.has_parts
    assert reading.problem is None and not reading.outside


@pytest.mark.parametrize("above", [("2023-05-01", "2023-05-02"), ("speaker_1", "speaker_2"), ("p225", "p226")])
def test_dates_and_people_above_the_classes_are_groups(above):
    reading = read(*(f"{top}/{name}" for top in above for name in ("yes", "no")))
    assert reading.classes == ["no", "yes"] and reading.group == "folder"
    assert {row.group for row in reading.rows} == set(above)
    assert "stay together" in reading.messages[0]


@pytest.mark.parametrize(
    ("folders", "says"),
    [
        (["fold1", "fold2"], "holds the folders fold1, fold2, which are folds and no classes: put the label"),
        (["2023-01-02", "2023-01-03"], "which are dates and no classes"),
        (["20230102_0800", "20230103_0800"], "which are dates and no classes"),
        (["2 May 2023", "Jan 14, 2024"], "which are dates and no classes"),
        (["02.01.2023", "03.01.2023"], "which are dates and no classes"),
        (["cat", "2023-01-02", "2023-01-03"], "which are dates and no classes"),
        (["1672531200000", "1672531300000"], "which are ids and no classes"),
        (["9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d", "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"], "which are ids"),
        (["cat", "uploads/2023-01-02", "uploads/2023-01-03"], "holds the folder uploads beside classes"),
        (["cat", "dog", "to sort"], "holds the folder to sort beside classes"),
        (["train", "test"], "called as the parts of a data set are, and no class folders in them: put a metadata.csv"),
        (["Training", "Testing", "valid"], "called as the parts of a data set are"),
        (["train", "test", "other"], "which are called as the parts of a data set are, beside others"),
        (["train/cat", "train/dog", "test"], "train/ with class folders, and test, which is no such part: move test"),
        (["train/cat", "train/dog", "validation/cat", "rest"], "and rest, which is no such part: move rest"),
        (
            ["words/yes", "words/no", "extra"],
            "words/ with the folders no, yes, and extra: if those are",
        ),
        (["New folder", "New folder (2)"], "which are folders without a name and no classes"),
        (["speech_v2/yes", "speech_v2/no", "white_noise"], "speech_v2/ with the folders no, yes, and white_noise"),
        (["v2/yes", "v2/no", "noise/inside", "noise/outside"], "v2/ with the folders no, yes, and noise"),
        (["drone/mavic", "drone/phantom", "noise"], "drone/ with the folders mavic, phantom, and noise"),
    ],
)
def test_folders_that_can_be_no_classes_are_refused(folders, says):
    assert says in read(*folders).problem


@pytest.mark.parametrize("folders", [("2019", "2020"), ("p225", "p226"), ("user1", "user2"), ("Actor_01", "Actor_02")])
def test_folders_that_may_be_classes_are_doubted(folders):
    reading = read(*folders)
    assert reading.problem is None and reading.classes == sorted(folders)
    assert "and are trained as classes: if they are none, put the label" in reading.warnings[0]


def test_folders_in_one_class_alone_are_told():
    reading = read("animals/cat", "animals/dog", "rain", "wind")
    assert reading.classes == ["animals", "rain", "wind"] and reading.problem is None
    assert "animals/ with the folders cat, dog, and rain: if those are the classes" in reading.warnings[0]


@pytest.mark.parametrize("noise", ["background_noise", "Background", "noise", "silence"])
def test_words_in_the_authors_folder_are_the_classes_and_the_noise_is_offered_as_background(noise):
    reading = read("dataset/open", "dataset/close", noise)
    assert reading.classes == ["close", "open"] and reading.problem is None
    assert reading.messages[-1] == (
        f"{noise} is background and not a class: to learn from it, add --background {ROOT / noise}."
    )


def test_the_noise_of_speech_commands_is_no_class():
    reading = read("yes", "no", "_background_noise_")
    assert reading.classes == ["no", "yes"] and f"--background {ROOT / '_background_noise_'}" in reading.messages[0]


def test_recordings_in_no_class_folder_are_told():
    reading = read_class_folders(ROOT, [ROOT / "1.wav", ROOT / "cat" / "2.wav"])
    assert reading.outside == [ROOT / "1.wav"] and reading.classes == ["cat"]
    reading = read_class_folders(ROOT, [ROOT / name for name in ("train/1.wav", "train/cat/2.wav", "train/dog/3.wav")])
    assert reading.outside == [ROOT / "train" / "1.wav"] and reading.classes == ["cat", "dog"]
