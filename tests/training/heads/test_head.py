"""`--freeze encoder`: a head that is fitted to embeddings, and the folder it leaves."""

import json
import sys
from pathlib import Path

import datasets
import pytest
import torch
from helpers import tones
from helpers.tiny_encoders import save_encoder
from transformers import AutoModelForAudioClassification, pipeline

from hf_audio.inference.embedder import TorchAudioEmbedder
from hf_audio.inference.events import EventRule
from hf_audio.training.start import run_recipe


def fit(monkeypatch, data, out, encoder, *flags):
    argv = ["tones.py", "--data_dir", str(data), "--output_dir", str(out), "--model_name_or_path", str(encoder)]
    monkeypatch.setattr(sys, "argv", [*argv, "--freeze", "encoder", *flags])
    run_recipe(tones.make_task, tones.TonesArguments)
    return json.loads((Path(out) / "all_results.json").read_text())


@pytest.mark.parametrize("family", ["wav2vec2", "whisper"])
def test_a_head_is_fitted_and_leaves_the_same_folder(family, tone_folder, tmp_path, monkeypatch, caplog):
    torch.manual_seed(0)
    save_encoder(tmp_path / "encoder", family)
    out = tmp_path / "out"
    results = fit(monkeypatch, tone_folder, out, tmp_path / "encoder", "--learning_rate", "1e-3")
    assert "--learning_rate: of a training by steps" in caplog.text
    assert results["eval_accuracy"] > 0.4  # by chance a third
    card = (out / "README.md").read_text()
    assert "scikit-learn's logistic regression" in card and "learning_rate |" not in card
    before = AutoModelForAudioClassification.from_pretrained(tmp_path / "encoder").state_dict()
    after = AutoModelForAudioClassification.from_pretrained(out).state_dict()
    body = [name for name in after if not name.startswith(("classifier", "projector"))]
    assert len(body) > 10 and all(torch.equal(after[name], before[name]) for name in body)
    own = pipeline("audio-classification", model=str(out))
    rows = [line.split(",") for line in (out / "predictions.csv").read_text().splitlines()]
    for row in rows[1:4]:
        told = dict(zip(rows[0], row, strict=True))
        answer = own(str(tone_folder / told["path"]))
        assert answer[0]["label"] == told["prediction"]
        assert answer[0]["score"] == pytest.approx(float(told["score"]), abs=2e-3)


def test_no_clip_is_embedded_twice(tone_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    torch.manual_seed(0)
    save_encoder(tmp_path / "encoder", "ast")
    seen: list[int] = []
    embed = TorchAudioEmbedder.embed

    def count(self, windows):
        seen.append(len(windows))
        return embed(self, windows)

    monkeypatch.setattr(TorchAudioEmbedder, "embed", count)
    first = fit(monkeypatch, tone_folder, tmp_path / "out", tmp_path / "encoder")
    assert sum(seen) == 63, "27 clips that are trained on, a copy of each, and 9 test clips"
    seen.clear()
    config = tmp_path / "encoder" / "config.json"  # a rule for the events of other classes changes nothing
    config.write_text(json.dumps({**json.loads(config.read_text()), "event_rule": EventRule.usual(2).to_dict()}))
    again = fit(monkeypatch, tone_folder, tmp_path / "again", tmp_path / "encoder", "--balance", "loss")
    assert seen == [] and again["eval_accuracy"] > 0.4 and first["calibrated"] == again["calibrated"]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--search", "2", "--validation_fraction", "0.2"], "--search tries what a training by steps reads"),
        (["--tta", "2"], "--tta judges shifted crops"),
        (["--teacher", "somewhere"], "--teacher teaches a network that is trained by steps"),
    ],
)
def test_what_a_fit_cannot_do_is_one_sentence(flags, told, tone_folder, tmp_path, monkeypatch, capsys):
    save_encoder(tmp_path / "encoder", "ast")
    with pytest.raises(SystemExit):
        fit(monkeypatch, tone_folder, tmp_path / "out", tmp_path / "encoder", *flags)
    assert told in capsys.readouterr().err and not (tmp_path / "out").exists()
