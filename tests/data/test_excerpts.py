"""Recordings cut in time, where there are none to hold out."""

import logging

import numpy as np
import pytest
import soundfile
from helpers.recordings import RATE, tone, touch

from hf_audio.audio.loading import load_audio
from hf_audio.data.collection import load_collection
from hf_audio.data.excerpts import cut_recordings
from hf_audio.data.tables.columns import TEST, TRAIN
from hf_audio.errors import DataError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


def write(folder, name, seconds, hertz=500):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.column_stack([tone(hertz, seconds)] * 2), RATE)
    return path


def test_the_last_fifth_of_each_recording_is_tested_behind_a_gap_and_holds_its_samples(tmp_path):
    paths = {label: write(tmp_path, f"{label}.wav", 50.5) for label in ("cat", "dog")}
    excerpts = cut_recordings([(path, label) for label, path in paths.items()])
    for label, path in paths.items():
        pieces = {
            part: [piece.path for piece in excerpts.pieces if (piece.label, piece.part) == (label, part)]
            for part in (TRAIN, TEST)
        }
        assert {part: len(files) for part, files in pieces.items()} == {TRAIN: 39, TEST: 10}
        whole = load_audio(path, RATE)
        for files, first in ((pieces[TRAIN], 0), (pieces[TEST], 40)):
            cut = np.concatenate([load_audio(file, RATE) for file in files])
            np.testing.assert_allclose(cut, whole[first * RATE :][: len(cut)], atol=2e-7)
        assert pieces[TEST][0].name == f"{label}_000040.0-000041.0s.wav"
    assert "excerpts of 1 s" in excerpts.sentence
    assert "the last fifth of each recording in time was tested" in excerpts.sentence
    assert "known recordings only" in excerpts.sentence


def test_excerpts_are_as_long_as_the_shortest_class_allows_and_are_made_once(tmp_path):
    recordings = [
        (write(tmp_path, "a.flac", 100), "a"),
        (write(tmp_path, "b.wav", 70), "b"),
        (write(tmp_path, "c.wav", 80), "b"),
    ]
    excerpts = cut_recordings(recordings)
    assert soundfile.info(excerpts.pieces[0].path).duration == pytest.approx(1.7)
    made = [piece.path.stat().st_mtime_ns for piece in excerpts.pieces]
    assert [piece.path.stat().st_mtime_ns for piece in cut_recordings(recordings).pieces] == made


def test_where_recordings_can_be_held_out_or_read_none_is_cut(tmp_path):
    paths = [write(tmp_path, f"{number}.wav", 20) for number in range(4)]
    assert cut_recordings(list(zip(paths, "aabb", strict=True))) is None
    touch(tmp_path, "broken.wav")
    assert cut_recordings([(paths[0], "a"), (tmp_path / "broken.wav", "b")]) is None
    assert cut_recordings([(paths[0], "a")]) is None
    with pytest.raises(DataError, match=r"2 recordings of 2 classes .* 'b' has 3\.0 s; record two or more"):
        cut_recordings([(paths[0], "a"), (write(tmp_path, "short.wav", 3), "b")])


def test_beside_many_short_recordings_excerpts_are_as_long_as_these(tmp_path):
    long = write(tmp_path, "long.wav", 40)
    short = [write(tmp_path, f"{number}.wav", 2) for number in range(10)]
    excerpts = cut_recordings([(long, "hum"), *((path, "dog") for path in short)])
    own = [piece for piece in excerpts.pieces if piece.label == "dog"]
    assert [piece.path for piece in own] == short and [piece.part for piece in own].count(TEST) == 2
    pieces = [piece for piece in excerpts.pieces if piece.label == "hum"]
    assert soundfile.info(pieces[0].path).duration == 2 and [piece.part for piece in pieces].count(TEST) == 4
    assert cut_recordings([(short[0], "hum"), *((path, "dog") for path in short[1:])]) is None


def test_a_folder_with_one_recording_a_class_is_cut_aloud(tmp_path, caplog):
    for label in ("cat", "dog"):
        write(tmp_path / "sounds" / label, "1.wav", 20)
    with caplog.at_level(logging.WARNING):
        collection = load_collection(tmp_path / "sounds")
    assert collection.rows(TEST).sum() == 8 and collection.rows(TRAIN).sum() == 30
    assert collection.split in caplog.text and collection.split.startswith("2 recordings were cut")
