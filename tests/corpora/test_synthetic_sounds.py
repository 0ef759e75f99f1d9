"""Environmental sounds made on the spot: as ESC-50 has them, and to be told apart by what is in them."""

import csv
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.made_corpora import find_accuracy, mean_log_spectrum, run_in_another_process
from helpers.recordings import REAL_DATA

from hf_audio.corpora import synthetic_sounds
from hf_audio.corpora.synthetic_sounds import make_environmental_sounds
from hf_audio.errors import DataError


@pytest.fixture(scope="module")
def sounds(shared_home: Path) -> Path:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(shared_home))
        monkeypatch.setitem(sys.modules, "espeakng_loader", None)  # not needed
        return make_environmental_sounds()


def read_table(sounds: Path) -> list[dict[str, str]]:
    with (sounds / "meta" / "esc50.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_sounds_are_laid_out_as_esc50(sounds: Path) -> None:
    assert sorted(path.name for path in sounds.iterdir()) == ["audio", "meta"]
    content = (sounds / "meta" / "esc50.csv").read_bytes()
    assert content.startswith(b"filename,fold,target,category,esc10,src_file,take\n1-") and content.endswith(b"\n")
    assert b"\r" not in content
    rows = read_table(sounds)
    assert sorted(row["filename"] for row in rows) == sorted(path.name for path in (sounds / "audio").iterdir())
    for row in rows:
        assert row["filename"] == "{fold}-{src_file}-{take}-{target}.wav".format(**row)
    targets = {int(row["target"]): (row["category"], row["esc10"]) for row in rows}
    assert [targets[target] for target in range(len(targets))] == [
        ("rain", "True"),
        ("sea_waves", "True"),
        ("crackling_fire", "True"),
        ("chirping_birds", "False"),
        ("wind", "False"),
        ("footsteps", "False"),
        ("clock_tick", "True"),
        ("siren", "False"),
        ("engine", "False"),
        ("church_bells", "False"),
    ]


def test_columns_and_categories_are_those_of_the_real_esc50(sounds: Path) -> None:
    if not (REAL_DATA / "esc50").is_dir():
        pytest.skip("the real recordings are not here: esc50")
    made, real = read_table(sounds), read_table(REAL_DATA / "esc50")
    assert list(made[0]) == list(real[0])
    assert {(row["category"], row["esc10"]) for row in made} <= {(row["category"], row["esc10"]) for row in real}


def test_sounds_are_balanced_and_no_recording_is_in_two_folds(sounds: Path) -> None:
    rows = read_table(sounds)
    counts = Counter((row["fold"], row["category"]) for row in rows)
    assert len(counts) == 50 and set(counts.values()) == {4}
    assert {row["fold"] for row in rows} == set("12345")
    recordings = {(row["src_file"], row["fold"], row["category"]) for row in rows}
    assert len(recordings) == len({row["src_file"] for row in rows}) == 150
    assert Counter(row["take"] for row in rows) == {"A": 150, "B": 50}


def test_sounds_are_audible_and_not_clipped(sounds: Path) -> None:
    n_short = 0
    for path in (sounds / "audio").iterdir():
        info = soundfile.info(path)
        assert (info.format, info.subtype, info.channels, info.samplerate) == ("WAV", "PCM_16", 1, 22050)
        audio, _ = soundfile.read(path)
        assert len(audio) == 110250
        assert 0.01 < np.abs(audio).max() < 0.95, path.name
        n_sounding = np.flatnonzero(audio)[-1] + 1
        assert n_sounding >= 0.99 * 22050, path.name
        n_short += n_sounding < 0.8 * len(audio)
    assert 20 < n_short < 100  # end in zeros


def test_takes_are_stretches_of_one_recording(sounds: Path) -> None:
    spectra = {}
    for row in read_table(sounds):
        audio, _ = soundfile.read(sounds / "audio" / row["filename"])
        spectra[row["category"], row["fold"], row["src_file"], row["take"]] = mean_log_spectrum(audio)
    within, between = [], []
    for (category, fold, source, take), spectrum in spectra.items():
        if take == "B":
            within.append(np.abs(spectrum - spectra[category, fold, source, "A"]).mean())
            others = [other for key, other in spectra.items() if key[:2] == (category, fold) and key[2] != source]
            between.append(np.mean([np.abs(spectrum - other).mean() for other in others]))
    assert min(within) > 0 and np.mean(within) < 0.5 * np.mean(between)


def test_sounds_can_be_told_apart_but_not_by_a_threshold(sounds: Path) -> None:
    rows = read_table(sounds)
    clips = [soundfile.read(sounds / "audio" / row["filename"])[0] for row in rows]
    spectra = np.stack([mean_log_spectrum(clip) for clip in clips])
    levels = np.array([[clip.std(), np.abs(clip).max()] for clip in clips])
    targets = np.array([int(row["target"]) for row in rows])
    test = np.array([row["fold"] == "5" for row in rows])
    assert find_accuracy(spectra, targets, test) > 0.35  # chance is 0.1
    assert find_accuracy(levels, targets, test) < 0.35


@pytest.mark.slow
def test_sounds_are_the_same_in_another_process(sounds: Path, tmp_path: Path) -> None:
    code = """if True:
        from hf_audio.corpora.synthetic_sounds import SOUNDS, _write_sounds
        for category in [*SOUNDS][::-4]:
            _write_sounds(folder, category)
    """
    run_in_another_process(code, tmp_path)
    made = list(tmp_path.iterdir())
    assert len(made) == 60
    for path in made:
        assert path.read_bytes() == (sounds / "audio" / path.name).read_bytes(), path.name


def test_existing_sounds_are_returned_as_they_are(sounds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic_sounds, "_write_sounds", None)
    assert make_environmental_sounds(sounds) == sounds


def test_sounds_without_their_table_are_not_taken_for_whole(tmp_path: Path) -> None:
    (tmp_path / "audio").mkdir()
    for clip in range(200):
        (tmp_path / "audio" / f"{clip}.wav").touch()
    with pytest.raises(DataError, match="only a part of the corpus"):
        make_environmental_sounds(tmp_path)
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta" / "esc50.csv").touch()
    assert make_environmental_sounds(tmp_path) == tmp_path
