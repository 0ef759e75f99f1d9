"""Voices from a table to pseudo-labels and back."""

import csv
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.commands import load_recipe

import hf_audio
from hf_audio import cli
from hf_audio.corpora.synthetic_voices import make_voices


@pytest.fixture(scope="module")
def voice_gender():
    return load_recipe("voice_gender")


def test_voice_gender_presets_are_small_together_too(voice_gender):
    configs = [hf_audio.AudioCNNConfig(**preset, num_labels=2) for preset in voice_gender.PRESETS.values()]
    models = [hf_audio.AudioCNNForAudioClassification(config) for config in configs]
    assert sum(parameter.numel() for model in models for parameter in model.parameters()) <= 500_000


@pytest.mark.slow
def test_voice_gender_from_training_to_pseudo_labels_and_back(voice_gender, demo_home, tmp_path, monkeypatch, capsys):
    pytest.importorskip("espeakng_loader")
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(demo_home))
    data = shutil.copytree(make_voices(), tmp_path / "data")
    for table in data.glob("*.tsv"):  # a clip a speaker is enough
        rows = table.read_text().splitlines()
        table.write_text("\n".join([rows[0], *(row for row in rows if "_0.wav" in row), ""]))
    silent, cut, gone = sorted((data / "clips").glob("*anika*_0.wav"))[:3]
    soundfile.write(silent, np.zeros(32000), 16000)
    content = soundfile.read(cut)
    soundfile.write(data / "cut.mp3", *content)
    cut.write_bytes((data / "cut.mp3").read_bytes()[: (data / "cut.mp3").stat().st_size // 2])
    gone.unlink()

    def train(name, *flags):
        argv = ["voice_gender.py", "--data_dir", str(data), "--output_dir", str(tmp_path / name), "--max_steps", "1"]
        monkeypatch.setattr(sys, "argv", [*argv, "--dataloader_num_workers", "0", *flags])
        voice_gender.run_recipe(voice_gender.make_task, voice_gender.VoiceGenderArguments)
        return json.loads((tmp_path / name / "all_results.json").read_text())

    first = train("first")
    with open(tmp_path / "first" / "skipped.csv", newline="") as file:
        reasons = {Path(row["path"]).name: row["reason"] for row in csv.DictReader(file)}
    assert set(reasons) == {silent.name, cut.name, gone.name}
    assert "holds no speech" in reasons[silent.name] and "cut" in reasons[cut.name]
    validated = json.loads((tmp_path / "first-validated" / "all_results.json").read_text())
    assert (validated["train_samples"], first["train_samples"], first["eval_samples"]) == (42 - 3, 42 - 3 + 8, 12)
    assert {"eval_roc_auc", "eval_accuracy_speaker", "eval_roc_auc_speaker", "eval_f1_female"} <= set(first)
    with open(tmp_path / "first" / "predictions.csv", newline="") as file:
        assert len({row["group"] for row in csv.DictReader(file)}) == 12, "clips of one speaker count together"
    with open(tmp_path / "first" / "predictions_speaker.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 12
    card = (tmp_path / "first" / "README.md").read_text()
    assert all(f"]({name})" in card for name in ("roc_curve.png", "confusion_matrix.png", "pitch_scores.png"))
    assert "Not for decisions about people" in card and "Every clip gets an answer" not in card

    cli.main(["predict", str(tmp_path / "first"), str(silent), "--output", str(tmp_path / "r.csv")])
    assert "no speech" in (tmp_path / "r.csv").read_text()
    guessed, table = tmp_path / "guessed.csv", data / "train.tsv"
    cli.main(
        ["pseudo-label", str(tmp_path / "first"), str(table), "--min_confidence", "0.1", "--output", str(guessed)]
    )
    assert "of 6 clips are labelled" in capsys.readouterr().out
    n_guessed = len(guessed.read_text().splitlines()) - 1
    flags = "--pseudo_labels", str(guessed), "--validation_fraction", "0", "--balance", "loss"
    assert train("second", *flags)["train_samples"] == 42 - 3 + 8 + n_guessed  # those that validated before, too
