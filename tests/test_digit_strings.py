"""Strings of digits that one person says, from recordings of single ones."""

import pandas as pd
import pytest
import soundfile
from conftest import RATE, tone

from hf_audio.data import DataError
from hf_audio.digit_strings import make_digit_strings

SPEAKERS = ("ann", "bob", "cem", "dan")


@pytest.fixture
def digits(tmp_path):
    """Of every speaker and digit a take to test and one to train on; what is said is told by length and pitch."""
    folder = tmp_path / "digits"
    (folder / "recordings").mkdir(parents=True)
    for voice, speaker in enumerate(SPEAKERS):
        for digit in range(10):
            for take in (0, 7):
                clip = tone(300 + 400 * voice, 0.1 + 0.02 * digit + 0.005 * (take == 7))
                soundfile.write(folder / "recordings" / f"{digit}_{speaker}_{take}.wav", clip, RATE)
    return folder


def test_strings_have_their_speakers_and_digits(digits, tmp_path):
    folder = make_digit_strings(digits, tmp_path / "strings", count=20)
    for part, speakers in (("train", SPEAKERS[:2]), ("test", SPEAKERS[:2]), ("test-ood", SPEAKERS[2:])):
        table = pd.read_csv(folder / f"{part}.csv", dtype=str)
        assert set(table["speaker"]) <= set(speakers) and len(table) == (20 if part == "train" else 2)
        assert table["number"].str.fullmatch("[0-9]{6}").all()
        for row in table.itertuples():
            samples, rate = soundfile.read(folder / row.path)
            assert rate == RATE
            sound = abs(samples).reshape(-1, 1).max(axis=1) > 1e-4
            seconds = sum(0.1 + 0.02 * int(digit) + 0.005 * (part == "train") for digit in row.number)
            if part != "test-ood":  # there, of either take
                assert abs(sound.sum() / RATE - seconds) < 0.03


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
