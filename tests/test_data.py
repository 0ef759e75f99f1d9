"""Tables, folders, splits and the cache: what is kept, what is left out and what is said about it."""

import csv
import logging
import os
import signal
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
from conftest import RATE, tone
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_audio import data
from hf_audio.audio import load_audio
from hf_audio.data import (
    UNVERIFIED_COLUMN,
    DataError,
    add_guessed,
    cache_audio,
    cached_waveform,
    class_names,
    find_noises,
    from_rows,
    from_tagged_rows,
    has_tags,
    load_class_folders,
    load_numbers,
    load_table,
    longest_clip,
    split_held_out,
    split_validation,
    tag_matrix,
)


def write_table(path, rows, delimiter=","):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL).writerows(rows)
    return path


def test_class_folders_become_rows(tone_folder, caplog):
    (tone_folder / "low" / "deeper" / "still").mkdir(parents=True)
    soundfile.write(tone_folder / "low" / "deeper" / "still" / "x.flac", tone(300), RATE)
    (tone_folder / "notes.txt").write_text("in no class")
    (tone_folder / "low" / "talk.m4a").write_bytes(b"libsndfile reads no AAC")
    with caplog.at_level(logging.WARNING):
        dataset = load_class_folders(tone_folder)
    assert "1 files are no audio" in caplog.text
    assert "talk.m4a" in caplog.text
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


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([("file", "label"), ("a.wav", "x")], "no column 'path': its columns are file, label"),
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


def test_a_table_of_tags(tmp_path, caplog):
    rows = [("path", "label"), ("a.wav", "x,y"), ("b.wav", "y"), ("a.wav", "y, x")]
    with caplog.at_level(logging.WARNING):
        dataset = load_table(write_table(tmp_path / "t.csv", rows), tagged=True)
    assert dataset["label"][:] == [[0, 1], [1]] and "1 rows repeat" in caplog.text
    with pytest.raises(DataError, match=r"a\.wav is listed under two labels, x,y and y"):
        load_table(write_table(tmp_path / "t.csv", [*rows, ("a.wav", "y")]), tagged=True)
    with pytest.raises(DataError, match="a tagger needs at least two"):
        load_table(write_table(tmp_path / "t.csv", [rows[0], ("a.wav", "x")]), tagged=True)


def test_numbers_have_no_names_and_no_tags(tmp_path):
    dataset = load_numbers(write_table(tmp_path / "t.csv", [("path", "number"), ("a.wav", "7")]), 2)
    assert class_names(dataset) is None and not has_tags(dataset)


# --- cache -----------------------------------------------------------------------------------------------------------


def test_cached_audio_is_the_decoded_audio(tone_folder):
    cached, skipped = cache_audio(load_class_folders(tone_folder), 16000)
    assert skipped == [] and len(cached) == 36
    for row in cached.select([0, 20]):
        np.testing.assert_allclose(cached_waveform(row["audio"]), load_audio(row["path"], 16000), atol=1 / 32767)


def test_files_are_decoded_once_and_again_only_when_they_change(tone_folder, monkeypatch):
    dataset = load_class_folders(tone_folder)
    cache_audio(dataset, RATE)
    monkeypatch.setattr(data, "load_audio", lambda *_: pytest.fail("decoded again"))
    again, _ = cache_audio(load_class_folders(tone_folder), RATE)
    assert again.cache_files and len(again) == 36
    monkeypatch.undo()
    soundfile.write(tone_folder / "low" / "0.wav", tone(300, 0.9), RATE)
    changed, _ = cache_audio(load_class_folders(tone_folder), RATE)
    by_path = {row["path"]: len(row["audio"]) // 2 for row in changed}
    assert by_path[str(tone_folder / "low" / "0.wav")] == 7200


def test_bad_files_are_left_out_by_name_or_refused_with_strict(tone_folder):
    (tone_folder / "low" / "bad.wav").write_bytes(b"noise")
    soundfile.write(tone_folder / "mid" / "silent.wav", np.zeros(4000), RATE)
    dataset = load_class_folders(tone_folder)
    (tone_folder / "high" / "3.wav").unlink()
    cached, skipped = cache_audio(dataset, RATE)
    assert len(cached) == 35
    reasons = {os.path.basename(row["path"]): row["reason"] for row in skipped}
    assert set(reasons) == {"bad.wav", "silent.wav", "3.wav"}
    assert "not audio" in reasons["bad.wav"] and "every sample is zero" in reasons["silent.wav"]
    assert "cannot be read" in reasons["3.wav"]
    with pytest.raises(DataError, match="3 files cannot be used and --strict is on"):
        cache_audio(dataset, RATE, strict=True)


def test_a_file_that_the_system_would_not_read_is_tried_again(tone_folder, monkeypatch):
    target = str(tone_folder / "low" / "0.wav")
    read = Path.read_bytes

    def failing(self):
        if str(self) == target:
            raise OSError(5, "Input/output error")
        return read(self)

    monkeypatch.setattr(Path, "read_bytes", failing)
    with pytest.raises(DataError, match="--strict is on"):
        cache_audio(load_class_folders(tone_folder), RATE, strict=True)
    monkeypatch.undo()
    assert cache_audio(load_class_folders(tone_folder), RATE, strict=True)[1] == []
    soundfile.write(target, tone(300, 0.7), RATE)
    monkeypatch.setattr(Path, "read_bytes", failing)
    _, skipped = cache_audio(load_class_folders(tone_folder), RATE)
    assert [row["path"] for row in skipped] == [target]
    monkeypatch.undo()
    assert cache_audio(load_class_folders(tone_folder), RATE)[1] == []


def test_an_empty_part_is_refused(tone_folder):
    with pytest.raises(DataError, match="no clips in the training or the test part"):
        cache_audio(load_class_folders(tone_folder).select([]), RATE)


def test_a_data_set_without_a_usable_clip_is_refused(tone_folder):
    for file in tone_folder.glob("*/*"):
        file.write_bytes(b"")
    with pytest.raises(DataError, match="None of the 36 files"):
        cache_audio(load_class_folders(tone_folder), RATE)


# --- splits ----------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 3), min_size=30, max_size=80), st.integers(0, 5))
def test_validation_split_is_stratified_and_complete(labels, seed):
    labels = [*labels, 0, 0, 1, 1]
    dataset = from_rows([f"{i}.wav" for i in range(len(labels))], [f"class {label}" for label in labels])
    train, validation = split_validation(dataset, 0.25, seed)
    assert sorted([*train["path"], *validation["path"]]) == sorted(dataset["path"])
    names = np.array(dataset["label"])
    for label in set(names.tolist()):
        count = (names == label).sum()
        held_out = (np.array(validation["label"]) == label).sum()
        assert held_out < count and abs(held_out - 0.25 * count) <= 2


def test_validation_groups_stay_whole_and_a_single_clip_is_trained_on(caplog):
    n = 60
    dataset = from_rows(
        [f"{i}.wav" for i in range(n)], [f"c{i % 3}" for i in range(n)], {"speaker": [f"s{i % 7}" for i in range(n)]}
    )
    train, validation = split_validation(dataset, 0.2, 0, "speaker")
    assert len(validation) and not set(train["speaker"]) & set(validation["speaker"])
    own = from_rows([f"{i}" for i in range(12)], ["x", "y"] * 6, {"speaker": [f"s{i}" for i in range(12)]})
    assert len(split_validation(own, 0.1, 0, "speaker")[1]) == 2
    lonely = from_rows([f"{i}.wav" for i in range(21)], ["a"] * 10 + ["b"] * 10 + ["c"])
    with caplog.at_level(logging.WARNING):
        train, validation = split_validation(lonely, 0.2, 0)
    assert 2 in train["label"] and 2 not in validation["label"] and "not validated: c" in caplog.text


def test_impossible_splits_are_refused():
    dataset = from_rows(["a", "b", "c", "d"], ["x", "x", "y", "y"], {"speaker": ["s"] * 4})
    with pytest.raises(DataError, match="must lie between"):
        split_validation(dataset, 0.9, 0)
    with pytest.raises(DataError, match="Only one speaker"):
        split_validation(dataset, 0.5, 0, "speaker")
    with pytest.raises(DataError, match="no column 'voice'"):
        split_validation(dataset, 0.5, 0, "voice")
    with pytest.raises(DataError, match="too few"):
        split_validation(from_rows(["a", "b", "c"], ["x", "x", "y"]).select([0, 2]), 0.5, 0)


def test_a_validation_part_of_unverified_clips_alone_is_refused():
    dataset = from_rows(list("abcd"), ["x", "x", "y", "y"]).add_column(UNVERIFIED_COLUMN, [True] * 4)
    with pytest.raises(DataError):
        split_validation(dataset, 0.25, 0)


def test_numbers_become_digits(tmp_path):
    rows = [["path", "gender", "number"], ["a.wav", "male", "38"], ["b.wav", "female", "14.0"], ["c.wav", "male", ""]]
    rows += [["d.wav", "male", "000000"], ["e.wav", "male", "999999"], ["f.wav", "male", "38"]]
    rows += [["b.wav", "female", "14"]]  # as above, in other words
    dataset = load_numbers(write_table(tmp_path / "train.csv", rows), 6)
    digits = {Path(row["path"]).stem: row["label"] for row in dataset}
    assert digits == {
        "a": [0, 0, 0, 0, 3, 8],
        "b": [0, 0, 0, 0, 1, 4],
        "d": [0] * 6,
        "e": [9] * 6,
        "f": [0, 0, 0, 0, 3, 8],
    }
    assert dataset["gender"][:] == ["male", "female", "male", "male", "male"]
    assert len(load_numbers(write_table(tmp_path / "one.csv", rows[:2]), 6)) == 1


@pytest.mark.parametrize("wrong", ["1000000", "-1", "1.5", "nan", "inf", "ten"])
def test_numbers_that_cannot_be_are_refused(tmp_path, wrong):
    table = write_table(tmp_path / "train.csv", [["path", "number"], ["a.wav", "1"], ["b.wav", wrong]])
    with pytest.raises(DataError, match=rf"train.csv has the number '{wrong}': give whole numbers from 0 to 999999"):
        load_numbers(table, 6)


def test_validation_of_numbers_keeps_speakers_apart(tmp_path):
    rows = [[f"{n}.wav", str(n), "abcde"[n % 5]] for n in range(50)]
    dataset = load_numbers(write_table(tmp_path / "train.csv", [["path", "number", "speaker"], *rows]), 2)
    train, validation = split_validation(dataset, 0.2, 0, "speaker")
    assert len(validation) == 10 and not set(train["speaker"]) & set(validation["speaker"])
    train, validation = split_validation(dataset, 0.1, 0)
    assert len(validation) == 5 and len(train) == 45


@pytest.mark.parametrize("group_column", [None, "speaker"])
def test_guessed_clips_validate_nothing(group_column, tmp_path):
    rows = [[f"{n}.wav", str(n), "abcde"[n % 5]] for n in range(50)]
    dataset = load_numbers(write_table(tmp_path / "train.csv", [["path", "number", "speaker"], *rows]), 2)
    rows = [[f"new{n}.wav", str(n), "abcxyz"[n % 6]] for n in range(60)]
    merged = add_guessed(dataset, write_table(tmp_path / "guessed.csv", [["path", "number", "speaker"], *rows]))
    train, validation = split_validation(merged, 0.2, 0, group_column)
    assert len(validation) == 10 and not any(validation[UNVERIFIED_COLUMN])
    if group_column is None:
        assert sum(train[UNVERIFIED_COLUMN]) == 60
    else:
        (speaker,) = set(validation["speaker"])
        assert speaker not in train["speaker"][:]
        assert sum(train[UNVERIFIED_COLUMN]) == (50 if speaker in "abc" else 60)


def test_noises_are_those_that_can_be_read(tone_folder, tmp_path, caplog):
    (tone_folder / "low" / "0.wav").write_bytes(b"no sound")
    assert len(find_noises(tone_folder)) == 35 and "0.wav is not audio" in caplog.text
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="none holds no audio that can be read"):
        find_noises(tmp_path / "none")


def test_the_longest_clip_is_found(tone_folder):
    dataset, _ = cache_audio(load_class_folders(tone_folder), RATE)
    some = dataset.select([30, 3, 11, 14])
    durations = {path: round(librosa.get_duration(path=path) * RATE) for path in some["path"]}
    path, samples = longest_clip(some)
    assert samples == durations[path] == max(durations.values()) > min(durations.values())


def test_guessed_clips_stand_behind_the_labelled_ones(tmp_path):
    dataset = from_rows(["a.wav", "b.wav"], ["x", "y"], {"speaker": ["Ann", "Bob"], "take": [1, 2]})
    rows = [["path", "label", "confidence"], ["c.wav", "y", "0.9"], [str(Path("a.wav").resolve()), "y", "0.9"]]
    merged = add_guessed(dataset, write_table(tmp_path / "guessed.csv", rows))
    assert merged["path"][:] == ["a.wav", "b.wav", str(tmp_path / "c.wav")]
    assert merged["label"][:] == [0, 1, 1] and merged[UNVERIFIED_COLUMN][:] == [False, False, True]
    assert merged["speaker"][:2] == ["Ann", "Bob"] and merged["speaker"][2] not in ("Ann", "Bob")
    with pytest.raises(DataError, match=r"guessed.csv names only clips that are labelled already"):
        add_guessed(dataset, write_table(tmp_path / "guessed.csv", [rows[0], rows[2]]))
    with pytest.raises(DataError, match=r"guessed.csv has the label 'z', which the data set does not have"):
        add_guessed(dataset, write_table(tmp_path / "guessed.csv", [rows[0], ["c.wav", "z", "1"]]))


def test_a_class_with_one_training_clip_is_named(caplog):
    dataset = from_rows(["a", "b", "c", "d"], ["x", "x", "y", "y"])
    with caplog.at_level(logging.WARNING):
        split_held_out(dataset, [np.array([False, False, False, True])])
    assert "One training clip only, too few to learn from: y" in caplog.text
    with pytest.raises(DataError, match="No training clip of y"):
        split_held_out(dataset, [np.array([False, False, True, True])])


def test_a_class_without_any_clip_is_told_and_one_without_training_clips_refused(caplog):
    dataset = from_rows(["a", "b", "c"], ["x", "y", "y"], classes=["w", "x", "y", "z"])
    with caplog.at_level(logging.WARNING):
        train, test = split_held_out(dataset, [np.array([False, False, True])])
    assert "No clip at all, so these are never learnt and never judged: w, z" in caplog.text
    assert (len(train), len(test)) == (2, 1)
    with pytest.raises(DataError, match="No training clip of x: add some"):
        split_held_out(dataset, [np.array([True, False, False])])


def test_held_out_clips_with_tags_of_their_own_are_allowed():
    dataset = from_tagged_rows(["a", "b", "c"], [["x"], ["y"], ["x", "z"]])
    train, test = split_held_out(dataset, [np.array([False, False, True])])
    assert train["label"][:] == [[0], [1]] and test["label"][:] == [[0, 2]]


@settings(deadline=None, max_examples=40)
@given(
    labels=st.lists(st.integers(0, 2), min_size=12, max_size=40),
    seed=st.integers(0, 999),
    grouped=st.booleans(),
    tagged=st.booleans(),
)
def test_nothing_unverified_is_validated_on_and_nothing_verified_is_lost(labels, seed, grouped, tagged):
    labels = [0, 0, 1, 1, 2, 2, *labels]
    generator = np.random.default_rng(seed)
    unverified = generator.random(len(labels)) < 0.5
    unverified[:6] = False
    speakers = [f"s{speaker}" for speaker in generator.integers(0, 5, len(labels))]
    speakers[:6] = [f"s{number}" for number in range(6)]
    paths = [f"{number}.wav" for number in range(len(labels))]
    if tagged:
        dataset = from_tagged_rows(paths, [[f"t{label}"] for label in labels], {"speaker": speakers})
    else:
        dataset = from_rows(paths, labels, {"speaker": speakers})
    dataset = dataset.add_column(UNVERIFIED_COLUMN, unverified)
    train, validation = split_validation(dataset, 0.3, seed, "speaker" if grouped else None)
    assert len(validation) and not any(validation[UNVERIFIED_COLUMN])
    assert not set(train["path"]) & set(validation["path"])
    assert not grouped or not set(train["speaker"]) & set(validation["speaker"])
    left_out = set(paths) - set(train["path"]) - set(validation["path"])
    assert grouped or not left_out
    for row in dataset:
        assert row["path"] not in left_out or (row[UNVERIFIED_COLUMN] and row["speaker"] in validation["speaker"][:])


def test_clips_of_held_out_groups_are_not_trained_on():
    speakers = {"speaker": ["ann", "bob", "ann", "cem"]}
    dataset = from_rows(["a", "b", "c", "d"], ["x", "x", "y", "y"], speakers)
    held_out = np.array([True, False, False, False])
    train, test = split_held_out(dataset, [held_out], "speaker")
    assert (train["path"][:], test["path"][:]) == (["b", "d"], ["a"])
    assert split_held_out(dataset, [held_out])[0]["path"][:] == ["b", "c", "d"]


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tone_folder, tmp_path, monkeypatch):
    resource = pytest.importorskip("resource")  # not on Windows
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    # Files of a few kilobytes at most, as a full disk would allow.
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(DataError, match=r"The decoded clips cannot be kept in .*cache.*: make room there"):
            cache_audio(load_class_folders(tone_folder), 8000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert not list((tmp_path / "cache").rglob("*.arrow"))
