"""Numbers cut into words: borders lie where the words meet, and what is put together anew is what the table says."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import soxr

pytest.importorskip("espeakng_loader")

from hf_audio.corpora.espeak import open_engine, synthesise
from hf_audio.corpora.recut_numbers import RATE, Recording, find_borders, make_recut_numbers
from hf_audio.corpora.russian_numbers import number_words
from hf_audio.corpora.synthetic_voices import trim
from hf_audio.errors import DataError


def speak(words: list[str], voice: str, pace: int) -> list[np.ndarray]:
    with open_engine() as engine:
        spoken = [synthesise(engine, word, voice, pace, 50, 50) for word in words]
    return [soxr.resample(trim(samples, rate), rate, RATE) for samples, rate in spoken]


def test_borders_lie_where_words_meet() -> None:
    words = number_words(342_719)
    said, guide = speak(words, "ru+m5", 190), speak(words, "ru+f2", 150)
    waveform = np.concatenate([np.zeros(300), *said, np.zeros(500)]).astype(np.float32)
    starts = 300 + np.cumsum([0, *map(len, said)])
    cut = find_borders(waveform, [speak(number_words(999), "ru+f2", 150), guide])
    assert np.abs(np.array(cut.borders) - starts).max() < 0.05 * RATE
    assert cut.misfit < find_borders(waveform[::-1], [guide]).misfit


def test_words_of_recordings_become_other_numbers(tmp_path: Path) -> None:
    recordings = []
    for number, voice in ((342_719, "m5"), (158, "m5"), (700_061, "f4"), (19, "f4")):
        samples = speak([" ".join(number_words(number))], f"ru+{voice}", 170)[0]
        soundfile.write(tmp_path / f"{number}.wav", samples, RATE)
        recordings.append(Recording(str(tmp_path / f"{number}.wav"), number, voice))
    folder = make_recut_numbers(recordings, tmp_path / "numbers", count=5)
    assert make_recut_numbers(recordings, tmp_path / "numbers", count=5) == folder
    table = pd.read_csv(folder / "train.csv")
    known = {word for recording in recordings for word in number_words(recording.number)}
    masculine = {"одна": "один", "две": "два", "тысячи": "тысяча", "тысяч": "тысяча"}
    known |= {masculine.get(word, word) for word in known}
    assert len(table) == 5 and set(table["speaker"]) == {"all"}  # neither has said enough words
    for path, number in zip(table["path"], table["number"], strict=True):
        words = [masculine.get(word, word) for word in number_words(number)]
        assert set(words) <= known and 0.15 * len(words) < soundfile.info(folder / path).duration < 9.6
    with pytest.raises(DataError, match="holds something else"):
        make_recut_numbers(recordings, tmp_path, count=5)
