"""Encoders of transformers in the place of the small CNN: trained, saved and run like it."""

import json
import sys

import pytest
import tones
import torch
from conftest import RATE, load_recipe
from transformers import (
    ASTConfig,
    ASTFeatureExtractor,
    ASTForAudioClassification,
    AutoModelForAudioClassification,
    BertConfig,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForSequenceClassification,
    pipeline,
)

from hf_audio.demo_data import make_spoken_numbers
from hf_audio.recipe import run_recipe

TRANSFORMER = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}


def save_wav2vec2(folder, rate=RATE):
    config = Wav2Vec2Config(
        **TRANSFORMER,
        conv_dim=(8, 8),
        conv_stride=(20, 4),
        conv_kernel=(40, 8),
        num_feat_extract_layers=2,
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
        classifier_proj_size=16,
        num_labels=5,  # of another task
    )
    Wav2Vec2ForSequenceClassification(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(sampling_rate=rate).save_pretrained(folder)


def save_ast(folder):
    config = ASTConfig(**TRANSFORMER, num_mel_bins=24, max_length=100, patch_size=8, num_labels=5)
    ASTForAudioClassification(config).save_pretrained(folder)
    ASTFeatureExtractor(sampling_rate=RATE, num_mel_bins=24, max_length=100).save_pretrained(folder)


def train(monkeypatch, data, out, encoder, *flags):
    argv = ["tones.py", "--data_dir", str(data), "--output_dir", str(out), "--model_name_or_path", str(encoder)]
    monkeypatch.setattr(sys, "argv", [*argv, "--dataloader_num_workers", "0", "--num_train_epochs", "2", *flags])
    run_recipe(tones.main, tones.TonesArguments)


@pytest.mark.parametrize("save", [save_wav2vec2, save_ast])
def test_an_encoder_is_trained_and_leaves_the_same_folder(save, tone_folder, tmp_path, monkeypatch):
    save(tmp_path / "encoder")
    out = tmp_path / "out"
    train(monkeypatch, tone_folder, out, tmp_path / "encoder", "--mixup_alpha", "0.3", "--validation_fraction", "0.2")
    model = AutoModelForAudioClassification.from_pretrained(out)
    assert model.config.id2label == {0: "high", 1: "low", 2: "mid"}
    before = AutoModelForAudioClassification.from_pretrained(tmp_path / "encoder").state_dict()
    kept = {name: value for name, value in model.state_dict().items() if before[name].shape == value.shape}
    assert any(not torch.equal(value, before[name]) for name, value in kept.items() if ".layers." in name)
    card = (out / "README.md").read_text()
    assert f"`{model.config.model_type}` of transformers" in card and "audio_cnn" not in card
    assert json.loads((out / "all_results.json").read_text())["macs"] > 0
    # What was measured is what the pipeline answers.
    predictions = [line.split(",") for line in (out / "predictions.csv").read_text().splitlines()]
    answer = pipeline("audio-classification", model=str(out))(str(tone_folder / predictions[1][0]))
    assert answer[0]["label"] == predictions[1][predictions[0].index("prediction")]


def test_an_encoder_reads_numbers(tmp_path, monkeypatch):
    pytest.importorskip("espeakng_loader")
    recipe = load_recipe("spoken_numbers")
    save_wav2vec2(tmp_path / "encoder", rate=16000)
    data = make_spoken_numbers(tmp_path / "data", language="en-us", count=16)
    argv = ["spoken_numbers.py", "--data_dir", str(data), "--output_dir", str(tmp_path / "out"), "--max_steps", "1"]
    argv += ["--model_name_or_path", str(tmp_path / "encoder"), "--dataloader_num_workers", "0"]
    monkeypatch.setattr(sys, "argv", [*argv, "--per_device_train_batch_size", "8"])
    run_recipe(recipe.main, recipe.SpokenNumbersArguments)
    answer = pipeline("audio-classification", model=str(tmp_path / "out"))(str(data / "test" / "000000.wav"))
    assert set(answer) == {"text", "score"} and 0 <= int(answer["text"]) < 1_000_000


def test_what_is_no_audio_encoder_is_refused_in_a_sentence(tone_folder, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        train(monkeypatch, tone_folder, tmp_path / "out", tmp_path / "gone")
    assert "gone is neither a finished folder nor a Hub id" in capsys.readouterr().err
    BertConfig(**TRANSFORMER).save_pretrained(tmp_path / "bert")
    with pytest.raises(SystemExit):
        train(monkeypatch, tone_folder, tmp_path / "out", tmp_path / "bert")
    assert "bert has no feature extractor for audio" in capsys.readouterr().err
