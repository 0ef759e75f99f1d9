"""Digits and sentences spoken on the spot: as FSDD and Common Voice have them, with speakers kept apart."""

import re
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from helpers.made_corpora import run_in_another_process
from helpers.recordings import real

pytest.importorskip("espeakng_loader")

from hf_audio.corpora import synthetic_voices
from hf_audio.corpora.synthetic_voices import make_spoken_digits, make_voices

NAME = re.compile(r"(\d)_([a-z0-9-]+)_(\d+)\.wav")


@pytest.fixture(scope="module")
def corpus(shared_home: Path) -> Path:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(shared_home))
        return make_spoken_digits()


def list_clips(corpus: Path) -> list[tuple[int, str, int]]:
    matches = [NAME.fullmatch(path.name) for path in sorted((corpus / "recordings").iterdir())]
    return [(int(match[1]), match[2], int(match[3])) for match in matches if match]


def test_missing_loader_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(ImportError, match=re.escape("pip install 'hf-audio[demo]'")):
        make_spoken_digits(tmp_path / "digits")
    assert not list(tmp_path.iterdir())


def test_corpus_layout_and_balance(corpus: Path) -> None:
    clips = list_clips(corpus)
    assert [path.name for path in corpus.iterdir()] == ["recordings"]
    assert len(clips) == len(list((corpus / "recordings").iterdir())) == 2160  # every name fits the pattern
    assert set(Counter(digit for digit, _, _ in clips).values()) == {216}
    assert set(Counter(speaker for _, speaker, _ in clips).values()) == {30}


def test_split_rule_separates_speakers_and_variants(corpus: Path) -> None:
    clips = list_clips(corpus)
    test = {speaker for _, speaker, index in clips if index < 5}
    training = {speaker for _, speaker, index in clips if index >= 5}
    assert (len(test), len(training)) == (12, 60)
    assert not test & training
    test_variants, training_variants = ({speaker.split("-")[-1] for speaker in group} for group in (test, training))
    assert len(test_variants) == 6 and not test_variants & training_variants


def test_clips_are_audible_and_not_clipped(corpus: Path) -> None:
    for path in (corpus / "recordings").iterdir():
        audio, rate = soundfile.read(path)
        assert rate == 8000 and audio.ndim == 1 and soundfile.info(path).subtype == "PCM_16"
        assert 0.15 < len(audio) / rate < 1.2, path.name
        assert 0.05 < np.abs(audio).max() < 0.9, path.name


def test_clips_are_the_same_in_another_process(corpus: Path, tmp_path: Path) -> None:
    code = """if True:
        from hf_audio.corpora import synthetic_voices
        speakers = synthetic_voices._list_digit_speakers()
        for voice, first_index in (speakers[-1], speakers[0]):
            synthetic_voices._write_digits(folder, voice, first_index, 3)
    """
    run_in_another_process(code, tmp_path)
    made = list(tmp_path.iterdir())
    assert len(made) == 60
    for path in made:
        assert path.read_bytes() == (corpus / "recordings" / path.name).read_bytes(), path.name


def test_existing_corpus_is_returned_as_it_is(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic_voices, "_write_digits", None)
    assert make_spoken_digits(corpus) == corpus


@pytest.fixture(scope="module")
def voices(shared_home: Path) -> Path:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(shared_home))
        return make_voices()


def test_voices_are_laid_out_as_common_voice(voices: Path) -> None:
    tables = {name: pd.read_csv(voices / f"{name}.tsv", sep="\t", dtype=str) for name in ("train", "dev", "test")}
    validated = pd.read_csv(voices / "validated.tsv", sep="\t", dtype=str)
    assert sum(map(len, tables.values())) == len(validated) == len(list((voices / "clips").iterdir()))
    clips = {name: set(table["path"]) for name, table in tables.items()}
    variants = {name: {path.rpartition("-")[2].partition("_")[0] for path in paths} for name, paths in clips.items()}
    assert not variants["train"] & (variants["dev"] | variants["test"]) and not variants["dev"] & variants["test"]
    for name, table in tables.items():
        spoken = table.dropna(subset="gender").drop_duplicates("client_id")["gender"].value_counts()
        assert set(spoken.index) == {"female_feminine", "male_masculine"} and spoken.min() > 0.6 * spoken.max(), name
    assert 0.1 < tables["train"]["gender"].isna().mean() < 0.15 and not tables["test"]["gender"].isna().any()


def test_columns_are_those_of_the_real_common_voice(voices: Path) -> None:
    header = real("common_voice_excerpt") / "train.tsv"
    assert (voices / "train.tsv").open().readline() == header.open().readline()


def test_voices_are_audible_and_not_clipped(voices: Path) -> None:
    for path in list((voices / "clips").iterdir())[::10]:
        audio, rate = soundfile.read(path)
        assert rate == 16000 and 1 < len(audio) / rate < 8 and 0.05 < np.abs(audio).max() < 0.95, path.name


def test_existing_voices_are_returned_as_they_are(voices: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic_voices, "_write_sentences", None)
    assert make_voices(voices) == voices
