"""Numbers in many manners: what is said is what the table says, and what is no number is told so."""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

pytest.importorskip("espeakng_loader")

from helpers.number_words import read_number

from hf_audio.corpora import festival, varied_numbers
from hf_audio.corpora.varied_numbers import make_varied_numbers
from hf_audio.errors import ArgumentError, MissingExtraError


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_varied_numbers(tmp_path_factory.mktemp("varied") / "numbers", count=24, synthesisers=["espeak"])


def test_a_corpus_is_laid_out_as_numbers2_and_made_again_the_same(numbers: Path, tmp_path: Path) -> None:
    table = pd.read_csv(numbers / "train.csv")
    assert list(table.columns) == ["path", "number", "speaker"] and len(table) == 24
    for path in table["path"]:
        samples, rate = soundfile.read(numbers / path)
        assert rate == 16000 and 0.3 < len(samples) / rate < 10 and 0.02 < np.abs(samples).max() < 1
    assert (table["number"] == "none of these").sum() in range(1, 10)
    again = make_varied_numbers(tmp_path / "again", count=24, synthesisers=["espeak"])
    assert {path.name: path.read_bytes() for path in again.glob("*/*")} == {
        path.name: path.read_bytes() for path in numbers.glob("*/*")
    }


def test_what_would_last_too_long_is_faster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(varied_numbers, "MAX_SECONDS", 1.5)
    folder = make_varied_numbers(tmp_path / "numbers", count=5, synthesisers=["espeak"])
    assert max(soundfile.info(path).duration for path in folder.glob("train/*")) == pytest.approx(1.5, abs=1e-3)


def test_what_is_drawn_is_said() -> None:
    clips = [varied_numbers._draw_clip(0, position, ["espeak", "festival"]) for position in range(600)]
    said = [clip for clip in clips if clip.number is not None]
    assert all(read_number(clip.words) == clip.number for clip in said)
    lengths = Counter(len(str(clip.number)) for clip in said)
    assert min(lengths[n] for n in range(1, 7)) > 10
    assert 0.12 < 1 - len(said) / len(clips) < 0.28
    for clip in clips:
        assert len(clip.texts) == (len(clip.words) if clip.is_joined else 1)


def test_synthesisers_that_are_not_there_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArgumentError, match="There is no synthesiser 'parrot': choose among espeak, festival"):
        make_varied_numbers(tmp_path / "numbers", synthesisers=["parrot"])
    monkeypatch.setattr(festival, "is_installed", lambda: False)
    with pytest.raises(MissingExtraError, match="festival is not installed"):
        make_varied_numbers(tmp_path / "numbers", synthesisers=["espeak", "festival"])
    assert varied_numbers.installed_synthesisers() == ["espeak"]
    assert not (tmp_path / "numbers").exists()


@pytest.mark.skipif(not festival.is_installed(), reason="Festival's Russian voice is not installed")
def test_festival_speaks() -> None:
    one, three = festival.speak_all(["сто", "сто двадцать три"])
    assert one.dtype == np.float32 and 0.1 < len(one) / festival.RATE < 2 < 4 * len(three) / festival.RATE
    assert len(three) > 1.5 * len(one) and one.any()
