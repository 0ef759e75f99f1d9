"""Data sets of the Hub, here from folders of the same files; of the Hub itself, only that it cannot be reached."""

import json
import logging
from collections import Counter

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from datasets.exceptions import DatasetNotFoundError
from helpers.recordings import RATE, encoded, tone

from hf_audio.data.cache import cache_audio, cached_waveform
from hf_audio.data.hub_datasets import load_hub_collection
from hf_audio.data.rows import ENCODED_COLUMN, class_names
from hf_audio.data.survey import survey_recordings
from hf_audio.data.tables.columns import TEST, TRAIN, VALIDATION, Columns
from hf_audio.errors import DataError

AUDIO = {"_type": "Audio"}
BYTES_AND_PATH = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def write_parquet(folder, split, columns, features=None):
    """As `push_to_hub` leaves it: the features in the metadata."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    table = pa.table(columns)
    if features is not None:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, folder / "data" / f"{split}-00000-of-00001.parquet")
    return folder


def rows_of(n, first=0):
    """Low and high tones in turns, of five speakers."""
    recordings = [{"bytes": encoded(tone(300 * (1 + 5 * (i % 2)) + i)), "path": f"{first + i}.wav"} for i in range(n)]
    return {
        "sound": pa.array(recordings, BYTES_AND_PATH),
        "category": [i % 2 for i in range(n)],
        "speaker": [f"s{i % 5}" for i in range(n)],
    }


FEATURES = {
    "sound": AUDIO,
    "category": {"names": ["low", "high"], "_type": "ClassLabel"},
    "speaker": {"dtype": "string", "_type": "Value"},
}


def test_splits_labels_and_contents_of_a_data_set(tmp_path, monkeypatch):
    write_parquet(tmp_path / "tones", "train", rows_of(10), FEATURES)
    write_parquet(tmp_path / "tones", "validation", rows_of(4, 10), FEATURES)
    write_parquet(tmp_path / "tones", "test", rows_of(6, 20), FEATURES)
    monkeypatch.setattr("datasets.Audio.decode_example", lambda *_: pytest.fail("something else decoded"))
    collection = load_hub_collection(str(tmp_path / "tones"), columns=Columns(group="speaker"))
    assert collection.name == "tones" and class_names(collection.dataset) == ["low", "high"]
    assert Counter(collection.parts) == {TRAIN: 10, VALIDATION: 4, TEST: 6}
    assert collection.columns == Columns("sound", ("category",), "speaker", None)
    survey = survey_recordings(collection.dataset, collection.rows(TRAIN))
    assert set(survey.rates) == {RATE} and survey.seconds == pytest.approx(0.5) and survey.n_clips == 10
    cached, skipped = cache_audio(collection.dataset, RATE)
    assert not skipped and ENCODED_COLUMN not in cached.column_names
    for place, row in enumerate(cached):
        number = place if place < 10 else (place - 10) % 4 if place < 14 else place - 14
        hertz = 300 * (1 + 5 * (number % 2)) + number
        spectrum = np.abs(np.fft.rfft(cached_waveform(row["audio"])))
        assert abs(np.argmax(spectrum) * 2 - hertz) <= 2
        assert class_names(cached)[row["label"]] == ("low", "high")[number % 2]
        assert row["path"].split("/")[0] == collection.parts[place]


def test_ids_are_those_of_the_data_set_also_of_classes_without_a_clip(tmp_path):
    feature = {"names": ["owl", "low", "ant", "high"], "_type": "ClassLabel"}
    rows = rows_of(10)
    rows["kind"] = [1 + 2 * (i % 2) for i in range(10)]
    rows["speaker"] = rows.pop("category") and [i % 5 for i in range(10)]
    features = {"sound": AUDIO, "kind": feature, "speaker": {"dtype": "int64", "_type": "Value"}}
    collection = load_hub_collection(str(write_parquet(tmp_path / "kinds", "train", rows, features)))
    assert collection.columns.labels == ("kind",), "the only one of classes"
    assert class_names(collection.dataset) == feature["names"] and set(collection.dataset["label"]) == {1, 3}
    numbers = {"sound": rows["sound"], "category": [["1", "10", "2"][i % 3] for i in range(10)]}
    numbers["target"] = [i % 3 for i in range(10)]
    features = {
        name: {"dtype": kind, "_type": "Value"} for name, kind in (("category", "string"), ("target", "int64"))
    }
    features["sound"] = AUDIO
    folder = str(write_parquet(tmp_path / "numbers", "train", numbers, features))
    assert class_names(load_hub_collection(folder).dataset) == ["1", "10", "2"]
    assert class_names(load_hub_collection(folder, columns=Columns(labels=("target",))).dataset) == ["0", "1", "2"]


def test_a_row_a_tag(tmp_path):
    for name in "abcdefgh":
        soundfile.write(tmp_path / f"{name}.wav", tone(300, 0.1), RATE)
    files = [f"{name}.wav" for name in "abcdefgha"]
    rows = {"file": files, "tags": ["x", "y", "x;y", "y", "x", "y", "x", "y", "z"]}
    features = {name: {"dtype": "string", "_type": "Value"} for name in rows}
    dataset = load_hub_collection(str(write_parquet(tmp_path, "train", rows, features)), several=True).dataset
    names = class_names(dataset)
    tags = {path[-5]: [names[tag] for tag in own] for path, own in zip(dataset["path"], dataset["label"], strict=True)}
    assert len(dataset) == 8 and tags["a"] == ["x", "z"] and tags["c"] == ["x", "y"]


def test_changed_contents_are_decoded_again_and_the_same_ones_not(tmp_path, monkeypatch):
    def lengths(folder):
        collection = load_hub_collection(str(folder))
        return {len(row["audio"]) for row in cache_audio(collection.dataset, RATE)[0]}

    folder = write_parquet(tmp_path / "tones", "train", rows_of(8), FEATURES)
    assert lengths(folder) == {2 * RATE // 2}
    with monkeypatch.context() as patch:
        patch.setattr("hf_audio.data.cache._decode", lambda *_: pytest.fail("decoded twice"))
        assert lengths(folder) == {2 * RATE // 2}
    shorter = encoded(tone(300, 0.25))
    changed = rows_of(8)
    changed["sound"] = pa.array([{"bytes": shorter, "path": f"{i}.wav"} for i in range(8)], BYTES_AND_PATH)
    assert lengths(write_parquet(tmp_path / "other", "train", changed, FEATURES)) == {2 * RATE // 4}


def test_bytes_without_names_broken_ones_and_rows_without_a_label(tmp_path, caplog):
    columns = {
        "clip": pa.array([encoded(tone(300 + i)) for i in range(11)] + [b"no sound"], pa.binary()),
        "kind": ["a, b", "c"] * 5 + ["", "c"],
    }
    folder = write_parquet(tmp_path / "bytes", "train", columns)
    with caplog.at_level(logging.WARNING):
        collection = load_hub_collection(str(folder), columns=Columns("clip", ("kind",)))
    assert "1 rows of" in caplog.text and class_names(collection.dataset) == ["a, b", "c"]
    cached, skipped = cache_audio(collection.dataset, RATE)
    assert len(cached) == 10
    assert [row["path"] for row in skipped] == ["train/11"] and skipped[0]["reason"].startswith(
        "train/11 is not audio"
    )


def test_a_saved_data_set_and_tags(tmp_path):
    columns = {"audio": rows_of(6)["sound"], "tags": pa.array([["x"], ["y", "x"], [], ["y"], ["x"], ["x"]])}
    folder = write_parquet(
        tmp_path / "pq",
        "train",
        columns,
        {"audio": AUDIO, "tags": {"feature": {"dtype": "string", "_type": "Value"}, "_type": "List"}},
    )
    datasets.load_dataset(str(folder), split="train").save_to_disk(tmp_path / "saved")
    with pytest.raises(DataError, match="add --multi_label"):
        load_hub_collection(str(tmp_path / "saved"))
    collection = load_hub_collection(str(tmp_path / "saved"), several=True)
    names = class_names(collection.dataset)
    assert [[names[tag] for tag in tags] for tags in collection.dataset["label"]] == [
        *(["x"], ["x", "y"], [], ["y"], ["x"], ["x"])
    ]


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (Columns(labels=("kind",)), r"tones has no column 'kind': its columns are sound, category, speaker"),
        (Columns("category", ("speaker",)), r"tones holds no recordings in its column 'category': .*--audio_column"),
        (Columns(labels=("sound",)), r"tones holds Audio.* in its column 'sound': name another column"),
    ],
)
def test_columns_that_cannot_be(tmp_path, columns, says):
    folder = write_parquet(tmp_path / "tones", "train", rows_of(8), FEATURES)
    with pytest.raises(DataError, match=says):
        load_hub_collection(str(folder), columns=columns)


def test_data_sets_that_cannot_be_had_are_told_in_a_sentence(tmp_path, monkeypatch):
    folder = write_parquet(tmp_path / "tones", "train", rows_of(4), FEATURES)
    with pytest.raises(DataError, match=r"BuilderConfig 'fr' not found.*check the name and --dataset_config"):
        load_hub_collection(str(folder), "fr")
    with pytest.raises(DataError, match=r"nobody/nothing cannot be fetched .*: check the network"):
        load_hub_collection("nobody/nothing")  # HF_HUB_OFFLINE is set in all tests
    unlabelled = write_parquet(tmp_path / "unlabelled", "train", rows_of(4) | {"category": [""] * 4})
    with pytest.raises(DataError, match=r"No row of .*unlabelled has a label in its column 'category'"):
        load_hub_collection(str(unlabelled), columns=Columns("sound"))
    (tmp_path / "files" / "train" / "dog").mkdir(parents=True)
    soundfile.write(tmp_path / "files" / "train" / "dog" / "1.wav", tone(300), RATE)
    with pytest.raises(
        DataError, match="files is a data set of single audio files: give their folder, to a training as --data_dir"
    ):
        load_hub_collection(str(tmp_path / "files"))

    def missing(*_):
        raise DatasetNotFoundError("Dataset 'nobody/nothing' doesn't exist on the Hub or cannot be accessed.")

    monkeypatch.setattr("hf_audio.data.hub_datasets.load_dataset", missing)
    with pytest.raises(DataError, match=r"'nobody/nothing' doesn't exist .*Check the name; .*accept its terms"):
        load_hub_collection("nobody/nothing")


def test_a_file_that_is_named_twice_counts_once_and_as_a_test_clip(tmp_path):
    rows, again = rows_of(12), rows_of(4)
    write_parquet(tmp_path, "train", rows, FEATURES)
    write_parquet(tmp_path, "test", again, FEATURES)
    collection = load_hub_collection(str(tmp_path))
    paths = collection.dataset["path"][:]
    assert Counter(collection.parts.tolist()) == {TRAIN: 12 - 4, TEST: 4} or len(set(paths)) == len(paths)


def test_splits_of_a_data_set_count_more_than_a_column_called_so(tmp_path):
    for split, n in (("train", 8), ("test", 4)):
        features = {**FEATURES, "split": {"dtype": "string", "_type": "Value"}}
        write_parquet(tmp_path, split, {**rows_of(n, first=100 * (split == "test")), "split": ["train"] * n}, features)
    assert Counter(load_hub_collection(str(tmp_path)).parts.tolist()) == {TRAIN: 8, TEST: 4}
