"""Numbers spoken on the spot: as numbers2 has them, every digit at every place, by voices that are kept apart."""

import re
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from helpers.recordings import REAL_DATA

pytest.importorskip("espeakng_loader")

from hf_audio.corpora import corpus_folder, espeak, synthetic_numbers, synthetic_voices
from hf_audio.corpora.synthetic_numbers import make_spoken_numbers
from hf_audio.errors import DataError


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_spoken_numbers(tmp_path_factory.mktemp("demo") / "numbers", count=30)


def test_numbers_are_laid_out_as_numbers2(numbers: Path) -> None:
    names = ["test", "test-example.csv", "test-ood", "test-ood.csv", "test.csv", "train", "train.csv"]
    assert sorted(path.name for path in numbers.iterdir()) == names
    for split, n_clips in (("train", 30), ("test", 3), ("test-ood", 3)):
        assert b"\r" not in (numbers / f"{split}.csv").read_bytes()
        table = pd.read_csv(numbers / f"{split}.csv")
        assert list(table.columns) == ["path", "gender", "number", "speaker"]
        assert len(table) == n_clips and sorted(table["path"]) == [
            path.relative_to(numbers).as_posix() for path in sorted((numbers / split).iterdir())
        ]
        assert table["number"].dtype == np.int64 and table["number"].between(0, 999_999).all()
        assert set(table["gender"]) <= {"female", "male"}
    example = pd.read_csv(numbers / "test-example.csv")
    assert list(example.columns) == ["path"]
    assert set(example["path"]) <= set(pd.read_csv(numbers / "test-ood.csv")["path"])


def test_columns_are_those_of_the_real_numbers2(numbers: Path) -> None:
    if not (REAL_DATA / "numbers2").is_dir():
        pytest.skip("the real recordings are not here: numbers2")
    for table in sorted(numbers.glob("*.csv")):
        assert table.open().readline() == (REAL_DATA / "numbers2" / table.name).open().readline()


def test_numbers_are_audible_and_not_clipped(numbers: Path) -> None:
    for path in numbers.glob("*/*.wav"):
        info = soundfile.info(path)
        assert (info.format, info.subtype, info.channels, info.samplerate) == ("WAV", "PCM_16", 1, 16000)
        assert 0.2 < info.duration < 8, path.name
        assert 0.05 < np.abs(soundfile.read(path)[0]).max() < 0.95, path.name


def test_voices_of_numbers_are_apart_and_of_both_genders() -> None:
    training, test = synthetic_numbers.NUMBER_TRAINING_VARIANTS, synthetic_voices.TEST_VARIANTS
    splits = synthetic_numbers._NUMBER_SPLITS
    assert splits == {"train": training, "test": training, "test-ood": test}
    assert len(set(training)) == len(training) and not set(training) & set(test)
    for variant in (*training, *test):
        text = (espeak.data_folder() / "voices" / "!v" / variant).read_text(encoding="utf-8").lower()
        gender = re.search(r"^gender\s+(\w+)", text, re.MULTILINE)
        if gender:
            assert (variant in synthetic_voices.FEMALE_VARIANTS) == (gender[1] == "female"), variant


@pytest.mark.parametrize("language, seed", [("ru", 0), ("ru", 1), ("en-us", 0)])
def test_numbers_of_the_default_size_cover_every_digit_at_every_place(language: str, seed: int) -> None:
    clips = [("train", position) for position in range(9000)] + [("test-ood", position) for position in range(900)]
    tables = synthetic_numbers._list_numbers(language, seed, clips)
    rows = [row.split(",") for row in tables["train.csv"].decode().splitlines()[1:]]
    numbers = [int(row[2]) for row in rows]
    assert len(numbers) == 9000 and min(numbers) >= 0 and max(numbers) < 10**6
    lengths = Counter(len(str(number)) for number in numbers)
    assert lengths[6] > 0.7 * 9000 and all(lengths[length] > 100 for length in range(1, 7))
    for length in (1, 6):
        digits = Counter(
            (place, digit) for n in numbers if len(str(n)) == length for place, digit in enumerate(str(n))
        )
        assert len(digits) == (10 if length == 1 else 59)  # no number begins with zero but zero
        assert min(digits.values()) > (3 if length == 1 else 400)
    assert {*range(20)} <= set(numbers)
    assert sum(number % 1000 == 0 for number in numbers) > 100  # round thousands
    assert sum(str(number).count("0") > 2 for number in numbers) > 100
    assert len(set(numbers)) > 0.9 * len(numbers)
    assert 0.48 < np.mean([row[1] == "female" for row in rows]) < 0.52
    assert {row[3] for row in rows} == set(synthetic_numbers.NUMBER_TRAINING_VARIANTS)
    unseen = tables["test-ood.csv"].decode().splitlines()[1:]
    assert {row.split(",")[3] for row in unseen} == set(synthetic_voices.TEST_VARIANTS)
    assert not {row.split(",")[2] for row in unseen[:100]} <= {row[2] for row in rows[:100]}


def test_numbers_are_the_same_in_any_number_of_processes_and_in_a_larger_corpus(
    numbers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    espeak.speak("something else", "ru+f2")
    monkeypatch.setattr("hf_audio.processes.count_cores", lambda: 3)
    larger = make_spoken_numbers(tmp_path / "numbers", count=90)
    assert len(list(larger.glob("*/*.wav"))) == 108
    for path in numbers.glob("*/*.wav"):
        assert path.read_bytes() == (larger / path.relative_to(numbers)).read_bytes(), path.name
    for name in ("train.csv", "test.csv", "test-ood.csv"):
        assert (larger / name).read_text().startswith((numbers / name).read_text())
    assert len({path.read_bytes() for path in larger.glob("*/*.wav")}) == 108


def test_existing_numbers_are_returned_as_they_are(numbers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic_numbers, "_write_number", None)
    espeak.map_languages.cache_clear()
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    assert make_spoken_numbers(numbers, count=30) == numbers


@pytest.mark.parametrize("other", [{"count": 31}, {"seed": 1}, {"language": "en-us"}])
def test_numbers_by_other_arguments_are_not_taken_for_these(numbers: Path, other: dict) -> None:
    with pytest.raises(DataError, match=re.escape(f"{numbers}: it holds something else")):
        make_spoken_numbers(numbers, **{"count": 30, **other})


def test_default_folder_of_numbers_names_their_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus_folder.constants, "HF_HOME", str(tmp_path))
    folder = make_spoken_numbers(language="EN-us", count=2, seed=7)
    assert folder == tmp_path / "hf_audio" / "demo" / f"spoken_numbers-en-us-2-7-v{corpus_folder.VERSION}"
    assert len(list(folder.glob("*/*.wav"))) == 4


@pytest.mark.parametrize(
    "wrong, sentence",
    [
        ({"language": "ru-RU"}, "no language 'ru-ru': the most similar tags are "),
        ({"language": "ru+f3"}, r"no language 'ru\+f3'"),
        ({"count": 0}, "count must be 1 or more, not 0"),
        ({"seed": -1}, "seed must be 0 or more, not -1"),
        ({"language": "sjn", "count": 1}, "cannot say .* in the language 'sjn'"),
        ({"language": "sjn", "count": 90}, "cannot say .* in the language 'sjn'"),  # in worker processes
    ],
)
def test_numbers_that_cannot_be_made_leave_nothing(
    wrong: dict, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hf_audio.processes.count_cores", lambda: 2)
    with pytest.raises(ValueError, match=sentence):
        make_spoken_numbers(tmp_path / "numbers", **wrong)
    assert not list(tmp_path.iterdir())
