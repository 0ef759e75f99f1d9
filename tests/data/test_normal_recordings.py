"""Which recordings are normal: by names of files, as DCASE has them, by folders, and by tables."""

import pytest
from helpers.recordings import touch, write_table

from hf_audio.data.normal_recordings import load_normal_collection, read_condition, read_normal_recordings
from hf_audio.data.tables.columns import TEST, TRAIN, Columns
from hf_audio.errors import DataError


def told(found):
    rows = zip(found.paths, found.labels, found.parts, found.sections, strict=True)
    return {path.rpartition("/")[2]: row for path, *row in rows}


def test_names_of_dcase_tell_part_condition_and_section(tmp_path):
    files = [
        "fan/train/section_00_source_train_normal_0000_strength_1.wav",
        "fan/test/section_00_source_test_normal_0001.wav",
        "fan/test/section_01_target_test_anomaly_0000.wav",
        "pump/train/normal_id_00_00000001.wav",
        "pump/test/anomaly_id_02_00000002.wav",
        "pump/test/section_05_0000.wav",  # of an evaluation, whose answers are kept
    ]
    touch(tmp_path, *files)
    (tmp_path / "fan" / "attributes_00.csv").write_text("file_name,d1p\nfan/train/a.wav,strength\n")
    found = told(read_normal_recordings(tmp_path))
    assert [row for _, row in sorted(found.items())] == [
        ["anomaly", TEST, "pump id_02"],
        ["normal", TRAIN, "pump id_00"],
        ["normal", TEST, "fan section_00"],
        ["normal", TRAIN, "fan section_00"],
        ["anomaly", TEST, "fan section_01"],
        ["", TEST, "pump section_05"],
    ]
    collection = load_normal_collection(tmp_path)
    assert len(collection.dataset) == 5 and collection.dataset.features["label"].names == ["normal", "anomaly"]


def test_folders_tell_it_and_others_than_normal_are_anomalies(tmp_path):
    touch(tmp_path / "a", "id_00/normal/1.wav", "id_00/abnormal/2.wav", "id_02/normal/1.wav")
    rows = read_normal_recordings(tmp_path / "a")
    assert rows.labels == ["anomaly", "normal", "normal"] and rows.sections == ["id_00", "id_00", "id_02"]
    touch(tmp_path / "b", "train/normal/1.wav", "test/normal/2.wav", "test/crack/3.wav", "test/abnormal/hole/4.wav")
    rows = told(read_normal_recordings(tmp_path / "b"))
    assert {name: row[0] for name, row in rows.items()} == {
        "1.wav": "normal",
        "2.wav": "normal",
        "3.wav": "anomaly",
        "4.wav": "anomaly",
    }
    touch(tmp_path / "c", "day1/1.wav", "day2/2.wav")
    rows = read_normal_recordings(tmp_path / "c")
    assert rows.labels == ["normal", "normal"] and rows.parts == [TRAIN, TRAIN]
    touch(tmp_path / "d", "train/1.wav", "test/normal/2.wav", "test/crack/3.wav")
    rows = read_normal_recordings(tmp_path / "d")
    assert rows.labels == ["anomaly", "normal", "normal"] and "test/crack count as anomalies" in rows.messages[0]


@pytest.mark.parametrize(
    ("header", "cells", "labels"),
    [
        ("condition", ["Normal", "bearing", "ANOMALY", ""], ["normal", "anomaly", "anomaly", ""]),
        ("is_anomaly", ["0", "1", "True", "no"], ["normal", "anomaly", "anomaly", "normal"]),
        ("label", ["fan", "fan", "pump", "pump"], ["normal"] * 4),
    ],
)
def test_a_table_tells_it_by_its_labels(header, cells, labels, tmp_path):
    touch(tmp_path, *(f"{number}.wav" for number in range(4)))
    rows = [["path", header, "machine"], *([f"{number}.wav", cell, number // 2] for number, cell in enumerate(cells))]
    write_table(tmp_path / "list.csv", rows)
    columns = Columns(labels=("condition",)) if header == "condition" else None
    found = read_normal_recordings(tmp_path / "list.csv", columns)
    assert found.labels == labels and found.sections == ["0", "0", "1", "1"]


def test_what_is_left_out_and_what_is_not_there_is_told(tmp_path, caplog):
    touch(tmp_path, "train/normal_1.wav", "train/anomaly_2.wav", "test/normal_3.wav", "test/anomaly_4.wav")
    collection = load_normal_collection(tmp_path)
    assert len(collection.dataset) == 3 and "1 anomalies are not in the test part" in caplog.text
    touch(tmp_path / "bad", "anomaly/1.wav")
    with pytest.raises(DataError, match="bad has no normal recording to train on"):
        load_normal_collection(tmp_path / "bad")
    assert read_condition("normal_or_anomaly") is None and read_condition("Abnormal-3") == "anomaly"
    assert read_condition("anomaly0012") == "anomaly" and read_condition("normal7_2") == "normal"
