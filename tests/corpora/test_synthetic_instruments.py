"""Tagged sounds made on the spot: as FSDKaggle2018 has them, wrong labels too."""

import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from helpers.made_corpora import find_accuracy, log_spectrum, run_in_another_process
from helpers.recordings import REAL_DATA

from hf_audio.corpora import synthetic_instruments
from hf_audio.corpora.freesound import TAGS
from hf_audio.corpora.synthetic_instruments import make_tagged_sounds
from hf_audio.errors import DataError


@pytest.fixture(scope="module")
def tagged(shared_home: Path) -> Path:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(shared_home))
        return make_tagged_sounds()


def read_tagged(tagged: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The tables of training and test clips, and what the training clips really are."""
    meta = tagged / "FSDKaggle2018.meta"
    tables = meta / "train_post_competition.csv", meta / "test_post_competition_scoring_clips.csv", "truth.csv"
    train, test, truth = (pd.read_csv(tagged / table) for table in tables)
    return train, test, truth


def test_tagged_sounds_are_laid_out_as_fsdkaggle2018(tagged: Path) -> None:
    names = ["FSDKaggle2018.audio_test", "FSDKaggle2018.audio_train", "FSDKaggle2018.meta", "truth.csv"]
    assert sorted(path.name for path in tagged.iterdir()) == names
    assert all(b"\r" not in path.read_bytes() for path in tagged.rglob("*.csv"))
    train, test, truth = read_tagged(tagged)
    assert list(train.columns) == ["fname", "label", "manually_verified", "freesound_id", "license"]
    assert list(test.columns) == ["fname", "label", "usage", "freesound_id", "license"]
    assert list(truth.columns) == ["fname", "label"]
    assert list(train["fname"]) == list(truth["fname"])
    for table, folder in ((train, "audio_train"), (test, "audio_test")):
        assert list(table["fname"]) == sorted(path.name for path in (tagged / f"FSDKaggle2018.{folder}").iterdir())
        assert table["fname"].str.fullmatch(r"[0-9a-f]{8}\.wav").all()
        assert table["freesound_id"].isna().all() and set(table["license"]) == {"CC0"}
    assert not set(train["fname"]) & set(test["fname"])
    assert Counter(test["usage"]) == {"Public": 20, "Private": 60}


def test_tables_are_those_of_the_real_fsdkaggle2018(tagged: Path) -> None:
    real = REAL_DATA / "fsdkaggle2018"
    if not real.is_dir():
        pytest.skip("the real recordings are not here: fsdkaggle2018")
    for table in sorted((tagged / "FSDKaggle2018.meta").iterdir()):
        columns = (real / "FSDKaggle2018.meta" / table.name).read_text().splitlines()[0]
        assert table.read_text().splitlines()[0] == columns


def test_tagged_sounds_are_balanced_and_some_labels_are_wrong(tagged: Path) -> None:
    train, test, truth = read_tagged(tagged)
    assert len(set(test["label"])) == 10 and set(test["label"]) <= set(TAGS)
    assert Counter(truth["label"]) == dict.fromkeys(test["label"], 24)
    assert Counter(test["label"]) == dict.fromkeys(test["label"], 8)
    assert set(train["label"]) == set(test["label"])
    verified, wrong = train["manually_verified"] == 1, train["label"] != truth["label"]
    assert set(train["manually_verified"]) == {0, 1}
    assert 0.38 < verified.mean() < 0.44
    assert not wrong[verified].any() and 0.3 < wrong[~verified].mean() < 0.4


def test_tagged_sounds_are_audible_and_not_clipped(tagged: Path) -> None:
    seconds = []
    for path in tagged.glob("*/*.wav"):
        info = soundfile.info(path)
        assert (info.format, info.subtype, info.channels, info.samplerate) == ("WAV", "PCM_16", 1, 44100)
        assert 0.05 < np.abs(soundfile.read(path)[0]).max() < 0.95, path.name
        seconds.append(info.duration)
    assert 0.3 <= min(seconds) < 0.6 and 3 < max(seconds) <= 4
    assert len(set(seconds)) > 300


def test_tagged_sounds_can_be_told_apart_but_not_by_length_and_level(tagged: Path) -> None:
    _, test, truth = read_tagged(tagged)
    paths = [tagged / "FSDKaggle2018.audio_train" / name for name in truth["fname"]]
    paths += [tagged / "FSDKaggle2018.audio_test" / name for name in test["fname"]]
    labels = np.array([*truth["label"], *test["label"]])
    clips = [soundfile.read(path)[0] for path in paths]
    assert len({clip[:10000].tobytes() for clip in clips}) == len(clips)
    spectra = [log_spectrum(clip) for clip in clips]
    statistics = np.array([[*(power.max(axis=0) - power.max()), *power.std(axis=0)] for power in spectra])
    levels = np.array([[len(clip), clip.std(), np.abs(clip).max()] for clip in clips])
    is_test = np.arange(len(clips)) >= len(truth)
    assert 0.6 < find_accuracy(statistics, labels, is_test) < 0.95  # chance is 0.1
    assert find_accuracy(levels, labels, is_test) < 0.35


def test_tagged_sounds_are_the_same_in_another_process(tagged: Path, tmp_path: Path) -> None:
    code = """if True:
        from hf_audio.corpora.synthetic_instruments import _write_tagged_sounds
        for name in ("audio_train", "audio_test"):
            (folder / f"FSDKaggle2018.{name}").mkdir()
        for label in ("Snare_drum", "Chime"):
            _write_tagged_sounds(folder, label)
    """
    run_in_another_process(code, tmp_path)
    made = list(tmp_path.glob("*/*.wav"))
    assert len(made) == 64
    for path in made:
        assert path.read_bytes() == (tagged / path.relative_to(tmp_path)).read_bytes(), path.name


def test_existing_tagged_sounds_are_returned_as_they_are(tagged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic_instruments, "_write_tagged_sounds", None)
    assert make_tagged_sounds(tagged) == tagged


def test_tagged_sounds_without_the_truth_are_not_taken_for_whole(tagged: Path, tmp_path: Path) -> None:
    shutil.copytree(tagged, tmp_path / "tagged", copy_function=os.link)
    (tmp_path / "tagged" / "truth.csv").unlink()
    with pytest.raises(DataError, match="only a part of the corpus"):
        make_tagged_sounds(tmp_path / "tagged")
