"""Numbers of prompts: of the words that are there and no others, and what else was recorded as no number."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from hf_audio.corpora import prompted_numbers
from hf_audio.corpora.prompted_numbers import find_prompts, make_prompted_numbers
from hf_audio.corpora.russian_numbers import number_words
from hf_audio.data.rows import load_numbers
from hf_audio.errors import DataError

WORDS = [*map(str, range(20)), *(str(10 * tens) for tens in range(2, 10)), "hundred", "thousand"]


def record(folder: Path, names: list[str], seconds: float = 0.4) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for place, name in enumerate(names):
        time = np.arange(int(seconds * 8000)) / 8000
        soundfile.write(folder / f"{name}.wav", 0.3 * np.sin(2 * np.pi * (200 + 60 * place) * time), 8000)


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    record(tmp_path / "voice, hers" / "digits", [*WORDS, "1n", "million"])
    record(tmp_path / "voice, hers", ["hello"], 1.0)
    record(tmp_path / "voice, hers", ["click"], 0.01)
    return tmp_path / "voice, hers"


def test_a_corpus_of_prompts(prompts: Path, tmp_path: Path) -> None:
    folder = make_prompted_numbers(prompts, tmp_path / "numbers", count=12)
    assert make_prompted_numbers(prompts, tmp_path / "numbers", count=12) == folder
    table = pd.read_csv(folder / "test.csv")
    assert list(table.columns) == ["path", "number", "speaker"] and set(table["speaker"]) == {"voice, hers"}
    spoken = table["number"][table["number"] != "none of these"].astype(int)
    assert len(spoken) == 12 and len(table) == 14  # "hello" and "million"; the click is too short, "1n" is a number
    recorded = {"сто": 0, "тысяча": 0}
    for number in spoken:
        hundreds = [word for word in number_words(number) if re.search("ст[аи]$|сот$|^сто$", word)]
        assert set(hundreds) <= set(recorded), number
    for path, number in zip(table["path"], table["number"], strict=True):
        seconds = soundfile.info(folder / path).duration
        assert number == "none of these" or seconds > 0.3 * (len(number_words(int(number))) - 1)
    labels = load_numbers(folder / "test.csv", 6)["label"][:]
    assert labels[-1] == [-1] * 6 and min(labels[0]) >= 0


def test_declined_forms_are_taken_where_they_are(tmp_path: Path) -> None:
    record(tmp_path / "she", [*WORDS, "2f", "thousands-i"])
    record(tmp_path / "he", ["ноль", "один", *WORDS[2:]])
    he, she = find_prompts(tmp_path)
    assert [file.stem for file in she.find(2000)] == ["2f", "thousands-i"]
    assert [file.stem for file in she.find(21_000)] == ["20", "1", "thousand"]
    assert [file.stem for file in he.find(22_001)] == ["20", "2", "thousand", "один"]
    assert she.find(200) is None


def test_prompts_of_long_words_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompted_numbers, "TRIES", 50)
    record(tmp_path / "slow", WORDS, 10.0)
    with pytest.raises(DataError, match="The prompts of slow are too few or too long to put numbers together"):
        make_prompted_numbers(tmp_path / "slow", tmp_path / "numbers", count=1)
    assert not (tmp_path / "numbers").exists()


def test_a_folder_without_prompts_is_refused(tmp_path: Path) -> None:
    record(tmp_path, WORDS[:10])
    with pytest.raises(DataError, match="holds no prompts of number words: give recordings called 0 to 20"):
        find_prompts(tmp_path)
    with pytest.raises(DataError, match="is not a folder: give one of prompts"):
        find_prompts(tmp_path / "missing")
