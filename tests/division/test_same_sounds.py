"""The search for copies as training does it: what it finds, keeps, and leaves out."""

import os

import numpy as np
import pytest
import soundfile
from datasets import Dataset

from hf_audio.data.rows import ENCODED_COLUMN
from hf_audio.division import same_sounds
from hf_audio.division.same_sounds import search_same_sounds

RATE = 16000


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Three sounds, the first one three times, a silent and a broken file; kept apart from the real cache."""
    monkeypatch.setattr(same_sounds.datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    generator = np.random.default_rng(0)
    for number in range(3):
        sound = generator.normal(0, 0.1, 3 * RATE) * np.repeat(generator.uniform(0.1, 1, 60), RATE // 20)
        soundfile.write(tmp_path / f"{number}.wav", sound, RATE)
        if number == 0:
            soundfile.write(tmp_path / "copy.wav", sound, RATE)
            soundfile.write(tmp_path / "fainter.flac", sound * 0.7, RATE)
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    return tmp_path


NAMES = ["0.wav", "1.wav", "2.wav", "copy.wav", "fainter.flac", "silent.wav", "broken.wav"]


def test_copies_and_what_cannot_be_used_are_found_once_and_kept(folder, monkeypatch):
    paths = [str(folder / name) for name in NAMES]
    found = search_same_sounds(Dataset.from_dict({"path": paths}))
    assert found is not None
    assert [sorted(rows) for rows in found.copies] == [[0, 3, 4]] and found.n_copies == 3
    assert set(found.unusable) == {5, 6} and "broken.wav" in found.unusable[6]
    monkeypatch.setattr(same_sounds, "_search", lambda paths: pytest.fail("it is searched again"))
    assert search_same_sounds(Dataset.from_dict({"path": paths})) == found


def test_a_changed_file_is_read_again(folder):
    paths = [str(folder / name) for name in NAMES[:4]]
    first = search_same_sounds(Dataset.from_dict({"path": paths}))
    assert first is not None and first.copies == [[0, 3]]
    soundfile.write(folder / "copy.wav", np.random.default_rng(9).normal(0, 0.1, RATE), RATE)
    os.utime(folder / "copy.wav", (1, 1))
    again = search_same_sounds(Dataset.from_dict({"path": paths}))
    assert again is not None and again.copies == []


def test_a_large_collection_is_left_alone(folder, monkeypatch):
    paths = [str(folder / name) for name in NAMES]
    monkeypatch.setattr(same_sounds, "MOST_FILES", 3)
    assert search_same_sounds(Dataset.from_dict({"path": paths})) is None
    monkeypatch.setattr(same_sounds, "MOST_FILES", 100)
    monkeypatch.setattr(same_sounds, "MOST_BYTES", 100)
    assert search_same_sounds(Dataset.from_dict({"path": paths})) is None


def test_recordings_that_come_with_a_data_set_are_searched_too(folder):
    contents = [(folder / name).read_bytes() for name in NAMES]
    names = [f"train/{row}-{name}" for row, name in enumerate(NAMES)]
    found = search_same_sounds(Dataset.from_dict({"path": names, ENCODED_COLUMN: contents}))
    assert found is not None and [sorted(rows) for rows in found.copies] == [[0, 3, 4]]
    assert set(found.unusable) == {5, 6}
