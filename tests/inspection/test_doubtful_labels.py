"""Labels that an encoder speaks against, in the report, its JSON and its picture."""

import json

import pytest
from helpers.recordings import write_tones
from matplotlib import image

import hf_audio
from hf_audio.errors import DataError


def test_a_clip_of_another_class_is_named_with_its_neighbours(checkpoint, tmp_path):
    data = write_tones(tmp_path / "tones")
    (data / "low" / "3.wav").rename(data / "high" / "low3.wav")
    found = hf_audio.inspect(data, encoder=checkpoint, json=tmp_path / "x.json", png=tmp_path / "x.png")
    (finding,) = [
        finding
        for finding in json.loads((tmp_path / "x.json").read_text())["findings"]
        if "encoder" in str(finding) or finding["kind"] == "doubtful_label"
    ]
    assert [case["files"] for case in finding["cases"]] == [[str(data / "high" / "low3.wav")]]
    assert finding["cases"][0]["detail"].startswith("high, and of its 5 nearest clips 5 are low: ")
    assert "Clips lie among those of another class" in str(found) and "low3.wav" in str(found)
    hf_audio.inspect(data, png=tmp_path / "without.png")
    with_map, without = (image.imread(tmp_path / name) for name in ("x.png", "without.png"))
    assert with_map.shape[0] > without.shape[0] + 500 and with_map.shape[1] == without.shape[1]


def test_where_classes_are_not_told_apart_no_label_is_doubted(checkpoint, tmp_path):
    data = write_tones(tmp_path / "tones")
    files = sorted(data.glob("*/*.wav"))
    for number, file in enumerate(files):
        folder = data / f"class{number % 2}"
        folder.mkdir(exist_ok=True)
        file.rename(folder / f"{number}.wav")
    found = hf_audio.inspect(data, encoder=checkpoint)
    assert {finding.kind for finding in found.findings} >= {"not_told_apart"}
    assert not [finding for finding in found.findings if finding.kind == "doubtful_label"]


def test_without_classes_there_is_nothing_to_doubt(checkpoint, tmp_path):
    data = write_tones(tmp_path / "tones")
    for number, file in enumerate(sorted(data.glob("*/*.wav"))):
        file.rename(data / f"{number}.wav")
    for folder in list(data.iterdir()):
        if folder.is_dir():
            folder.rmdir()
    with pytest.raises(DataError, match="has no classes, and --encoder finds clips"):
        hf_audio.inspect(data, encoder=checkpoint)
