"""Strings of digits that one person says, from recordings of single ones."""

import shutil

import numpy as np
import pandas as pd
import pytest
import soundfile
from helpers.recordings import RATE
from huggingface_hub import constants

from hf_audio.corpora.digit_strings import make_digit_strings
from hf_audio.errors import DataError

SPEAKERS = ("ann", "bob", "cem", "dan")


def hertz(speaker: str) -> float:
    return 300 + 400 * SPEAKERS.index(speaker)


def seconds(digit: int, take: int) -> float:
    return 0.1 + 0.02 * digit + 0.008 * (take == 7)


@pytest.fixture
def digits(tmp_path):
    """Of every speaker and digit a take to test and one to train on; what is said is told by length and pitch."""
    folder = tmp_path / "digits"
    (folder / "recordings").mkdir(parents=True)
    for speaker in SPEAKERS:
        for digit in range(10):
            for take in (0, 7):
                time = np.arange(round(seconds(digit, take) * RATE)) / RATE
                clip = 0.5 * np.sin(2 * np.pi * hertz(speaker) * time + 1)
                soundfile.write(folder / "recordings" / f"{digit}_{speaker}_{take}.wav", clip, RATE)
    return folder


def heard(clip: np.ndarray) -> list[tuple[float, float]]:
    """Seconds and Hertz of every sound between silences."""
    # A sine crosses zero, but not for ten samples.
    sound = np.convolve(np.abs(clip) > 1e-3, np.ones(11), "same") > 0
    edges = np.flatnonzero(np.diff(np.concatenate([[0], sound, [0]])))
    parts = [clip[start + 5 : end - 5] for start, end in edges.reshape(-1, 2)]
    return [(len(part) / RATE, np.sum(np.diff(np.sign(part)) != 0) / 2 / len(part) * RATE) for part in parts]


def test_strings_have_their_speakers_and_digits(digits, tmp_path):
    folder = make_digit_strings(digits, tmp_path / "strings", count=20)
    for part, speakers in (("train", SPEAKERS[:2]), ("test", SPEAKERS[:2]), ("test-ood", SPEAKERS[2:])):
        table = pd.read_csv(folder / f"{part}.csv", dtype=str)
        assert set(table["speaker"]) <= set(speakers) and len(table) == (20 if part == "train" else 2)
        for row in table.itertuples():
            samples, rate = soundfile.read(folder / row.path)
            sounds = heard(samples)
            assert rate == RATE and len(sounds) == len(row.number) == 6
            for digit, (length, pitch) in zip(row.number, sounds, strict=True):
                takes = {"train": [7], "test": [0], "test-ood": [0, 7]}[part]
                assert min(abs(length - seconds(int(digit), take)) for take in takes) < 0.002
                assert abs(pitch - hertz(row.speaker)) < 30


def test_other_recordings_give_other_strings(digits, monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_HOME", str(tmp_path / "home"))
    first = make_digit_strings(digits, count=3)
    assert make_digit_strings(digits, count=3) == first
    shutil.copy(digits / "recordings" / "3_ann_7.wav", digits / "recordings" / "3_ann_8.wav")
    assert make_digit_strings(digits, count=3) != first


def test_the_same_seed_gives_the_same_strings(digits, tmp_path):
    drawn = (("a", 1), ("b", 1), ("c", 2))
    first, second, other = (make_digit_strings(digits, tmp_path / name, count=5, seed=seed) for name, seed in drawn)
    assert (first / "train.csv").read_bytes() == (second / "train.csv").read_bytes()
    assert (first / "train/000004.wav").read_bytes() == (second / "train/000004.wav").read_bytes()
    assert (first / "train.csv").read_bytes() != (other / "train.csv").read_bytes()


def test_too_few_speakers_or_takes_are_named_and_nothing_is_left(digits, tmp_path):
    for file in (digits / "recordings").glob("3_ann_7.wav"):
        file.unlink()
    with pytest.raises(DataError, match="holds no recording of 3 by ann for train"):
        make_digit_strings(digits, tmp_path / "strings", count=40)
    with pytest.raises(DataError, match=r"holds no recordings/DIGIT_SPEAKER_TAKE.wav of more than 2 speakers"):
        make_digit_strings(tmp_path, tmp_path / "strings")
    assert not (tmp_path / "strings").exists()
