"""The official folds, networks that are as small as they say, and recordings that cannot be used."""

import csv
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from helpers.commands import load_recipe
from helpers.recordings import REPOSITORY

import hf_audio
from hf_audio.corpora.synthetic_sounds import make_environmental_sounds


@pytest.fixture(scope="module")
def esc50():
    return load_recipe("esc50")


def test_esc50_presets_are_as_small_as_they_say(esc50):
    for name, limit in (("default", 2_000_000), ("micro", 150_000)):
        model = hf_audio.AudioCNNForAudioClassification(hf_audio.AudioCNNConfig(**esc50.PRESETS[name], num_labels=50))
        assert sum(parameter.numel() for parameter in model.parameters()) <= limit, name
        assert model.config.clip_samples == 110_250


def test_esc50_reads_the_official_folds(esc50, real_sounds):
    dataset = esc50.load_recordings(real_sounds)
    assert len(dataset) == 2000 and len(dataset.features["label"].names) == 50
    assert Counter(dataset["fold"]) == dict.fromkeys("12345", 400)


def write_folds(folder: Path, header="filename,fold,target,category,esc10,src_file,take", rows=()) -> Path:
    (folder / "meta").mkdir(parents=True)
    (folder / "meta" / "esc50.csv").write_text("\n".join([header, *rows, ""]))
    return folder


def test_esc50_refuses_tables_and_folds_that_cannot_be(esc50, tmp_path):
    with pytest.raises(ValueError, match=r"esc50.csv cannot be read"):
        esc50.load_recordings(tmp_path)
    rows = [f"{n}.wav,{n},{n},class{n},False,{n},A" for n in range(1, 5)]
    with pytest.raises(ValueError, match=r"has the folds 1, 2, 3, 4 and not 1 to 5"):
        esc50.load_recordings(write_folds(tmp_path / "four", rows=rows))
    with pytest.raises(ValueError, match=r"has no column 'src_file': its columns are filename, fold, category"):
        esc50.load_recordings(write_folds(tmp_path / "few", "filename,fold,category", ["a.wav,1,dog"]))
    with pytest.raises(ValueError, match=r"--fold 7 does not exist: ESC-50 has the folds 1 to 5"):
        esc50.ESC50Arguments(fold="7")


@pytest.mark.slow
def test_esc50_takes_what_users_hold_and_names_what_it_cannot_use(run_script, demo_home, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(demo_home))
    data = shutil.copytree(make_environmental_sounds(), tmp_path / "data")
    table = data / "meta" / "esc50.csv"
    header, *rows = table.read_text().splitlines()
    trained = [row for row in rows if not row.startswith("1-")]
    table.write_text("\n".join([header, *(row for row in rows if row.startswith("1-")), *trained[::4], ""]))
    first, second, third, fourth = sorted((data / "audio").glob("1-*.wav"))[:4]
    samples, rate = soundfile.read(first)
    soundfile.write(first, np.stack([soxr.resample(samples, rate, 48_000)] * 2, axis=1), 48_000)
    soundfile.write(second, samples[:2000], rate)  # a tenth of a second
    third.unlink()
    fourth.write_bytes(b"")
    out = tmp_path / "out"
    run_script(
        REPOSITORY / "recipes" / "esc50.py",
        *("--data_dir", str(data), "--fold", "1", "--model", "micro", "--output_dir", str(out)),
        *("--max_steps", "2", "--dataloader_num_workers", "0", "--per_device_train_batch_size", "8"),
    )
    with open(out / "skipped.csv", newline="") as file:
        reasons = {Path(row["path"]).name: row["reason"] for row in csv.DictReader(file)}
    assert set(reasons) == {third.name, fourth.name}
    assert "cannot be read" in reasons[third.name] and "is empty" in reasons[fourth.name]
    with open(out / "predictions.csv", newline="") as file:
        judged = {row["path"] for row in csv.DictReader(file)}
    assert len(judged) == 38 and {first.name, second.name} <= judged
