"""Encoders of transformers in the place of the small CNN: trained, saved and run like it."""

import json
import sys

import numpy as np
import pytest
import torch
from helpers import tones
from helpers.checkpoints import tiny_config, trained_looking_model
from helpers.commands import load_recipe
from helpers.recordings import tone, write_tones
from helpers.tiny_encoders import TRANSFORMER, save_encoder, tiny_encoder
from helpers.train_tiny_encoders import KINDS, train_tiny
from helpers.wheels import random_encoder
from safetensors.torch import load_file
from transformers import (
    ASTFeatureExtractor,
    AudioClassificationPipeline,
    AutoFeatureExtractor,
    AutoModelForAudioClassification,
    BertConfig,
    Wav2Vec2Config,
    pipeline,
)

from hf_audio import AudioEncoderForAudioClassification
from hf_audio.audio.loading import load_audio
from hf_audio.corpora.synthetic_numbers import make_spoken_numbers
from hf_audio.inference.facts import NO_NUMBER
from hf_audio.inference.torch_classifier import TorchAudioClassifier
from hf_audio.training.networks.encoders import build_model, fit_spectrogram, load_extractor, spectrogram_length
from hf_audio.training.start import run_recipe


def train(monkeypatch, data, out, encoder, *flags):
    argv = ["tones.py", "--data_dir", str(data), "--output_dir", str(out), "--model_name_or_path", str(encoder)]
    monkeypatch.setattr(sys, "argv", [*argv, "--dataloader_num_workers", "0", "--num_train_epochs", "2", *flags])
    run_recipe(tones.make_task, tones.TonesArguments)


@pytest.mark.parametrize("encoder", ["ge2e", "speech", "sfx"])
def test_an_encoder_of_a_package_takes_over_the_task(encoder, tmp_path):
    begun = random_encoder(encoder)
    begun.save_pretrained(tmp_path)
    task = tiny_config(clip_seconds=2.0, overlap=0.5, speech_only=True, num_digits=2)
    extractor = load_extractor(str(tmp_path), task)
    assert extractor.sampling_rate == task.sampling_rate == begun.config.sampling_rate
    model = build_model(task, str(tmp_path), extractor)
    assert isinstance(model, AudioEncoderForAudioClassification) and model.classifier.out_features == 20
    for name in ("clip_seconds", "overlap", "speech_only", "num_digits", "id2label"):
        assert getattr(model.config, name) == getattr(task, name)
    for name, value in begun.state_dict().items():
        assert torch.equal(model.audio_encoder.state_dict()[name], value)


@pytest.mark.parametrize(
    "family",
    [
        "wav2vec2",
        *(pytest.param(name, marks=pytest.mark.exhaustive) for name in ("hubert", "wavlm")),
        "whisper",
        "ast",
    ],
)
def test_an_encoder_is_trained_and_leaves_the_same_folder(family, tone_folder, tmp_path, monkeypatch):
    save_encoder(tmp_path / "encoder", family)
    out = tmp_path / "out"
    train(monkeypatch, tone_folder, out, tmp_path / "encoder", "--mixup_alpha", "0.3", "--validation_fraction", "0.2")
    model = AutoModelForAudioClassification.from_pretrained(out).eval()
    extractor = AutoFeatureExtractor.from_pretrained(out)
    assert model.config.id2label == {0: "high", 1: "low", 2: "mid"}
    before = AutoModelForAudioClassification.from_pretrained(tmp_path / "encoder").state_dict()
    kept = {name: value for name, value in model.state_dict().items() if before[name].shape == value.shape}
    assert any(not torch.equal(value, before[name]) for name, value in kept.items() if ".layer" in name)
    card = (out / "README.md").read_text()
    assert f"`{model.config.model_type}` of transformers" in card and "audio_cnn" not in card
    assert json.loads((out / "all_results.json").read_text())["macs"] > 0
    # What was measured is what the pipeline answers, with this package and without.
    stock = AudioClassificationPipeline(model=model, feature_extractor=extractor)
    own = pipeline("audio-classification", model=str(out))
    classifier = TorchAudioClassifier(out, device="cpu")
    assert "auto_map" not in json.loads((out / "config.json").read_text())
    predictions = [line.split(",") for line in (out / "predictions.csv").read_text().splitlines()]
    columns = predictions[0]
    for row in predictions[1:4]:
        told = dict(zip(columns, row, strict=True))
        waveform = load_audio(tone_folder / told["path"], extractor.sampling_rate)
        for answer in (
            own(str(tone_folder / told["path"])),
            classifier(str(tone_folder / told["path"])),
            stock({"raw": waveform, "sampling_rate": extractor.sampling_rate}),
        ):
            assert answer[0]["label"] == told["prediction"]
            assert answer[0]["score"] == pytest.approx(float(told["score"]), abs=2e-3)


def test_an_encoder_reads_numbers(tmp_path, monkeypatch):
    pytest.importorskip("espeakng_loader")
    recipe = load_recipe("spoken_numbers")
    save_encoder(tmp_path / "encoder", "wav2vec2")
    data = make_spoken_numbers(tmp_path / "data", language="en-us", count=16)
    argv = ["spoken_numbers.py", "--data_dir", str(data), "--output_dir", str(tmp_path / "out"), "--max_steps", "1"]
    argv += ["--model_name_or_path", str(tmp_path / "encoder"), "--dataloader_num_workers", "0"]
    monkeypatch.setattr(sys, "argv", [*argv, "--per_device_train_batch_size", "8"])
    run_recipe(recipe.make_task, recipe.SpokenNumbersArguments)
    answer = pipeline("audio-classification", model=str(tmp_path / "out"))(str(data / "test" / "000000.wav"))
    assert set(answer) == {"text", "score"}
    assert answer["text"] == NO_NUMBER or 0 <= int(answer["text"]) < 1_000_000


@pytest.mark.parametrize("kind", KINDS)
def test_accumulated_small_batches_train_like_one_large_batch(kind, tmp_path):
    whole, losses, judged = train_tiny(kind, tmp_path, batch=8)
    assert len(losses) == 3 and losses[0] == pytest.approx(np.log(3), rel=0.3)
    parts, losses_of_parts, judged_of_parts = train_tiny(kind, tmp_path, batch=2, accumulation=4)
    torch.testing.assert_close(parts, whole, atol=1e-5, rtol=1e-4)
    assert losses_of_parts == pytest.approx(losses, rel=1e-3)
    assert judged_of_parts == pytest.approx(judged, rel=1e-3)


def test_the_length_of_a_spectrogram_is_that_of_the_clips():
    lengths = {
        seconds: spectrogram_length(tiny_config(sampling_rate=16000, clip_seconds=seconds)) for seconds in (1, 5, 10)
    }
    assert lengths == {1: 128, 5: 512, 10: 1024}, "as the checkpoints of Speech Commands and AudioSet have them"


def load_ast(folder, seconds):
    config = tiny_config(clip_seconds=seconds)
    extractor = load_extractor(str(folder), config)
    return build_model(config, str(folder), extractor), extractor


def test_an_ast_is_fitted_to_shorter_clips_and_to_longer_ones(tmp_path):
    save_encoder(tmp_path / "encoder", "ast", initializer_range=0.3)
    stock = AutoModelForAudioClassification.from_pretrained(tmp_path / "encoder")
    smooth = stock.audio_spectrogram_transformer.embeddings.position_embeddings
    n_bands, n_times = stock.audio_spectrogram_transformer.embeddings.get_shape(stock.config)
    # As trained ones are: of the bands a curve, along time a slope.
    slope = torch.linspace(-1, 1, n_times).repeat(n_bands) + torch.arange(n_bands).repeat_interleave(n_times)
    smooth.data[:, 2:] = slope[None, :, None]
    stock.save_pretrained(tmp_path / "encoder")
    same, extractor = load_ast(tmp_path / "encoder", 1.0)
    assert same.config.max_length == extractor.max_length == 128
    inside = [name for name in same.state_dict() if not name.startswith("classifier.dense")]
    for name in inside:
        torch.testing.assert_close(same.state_dict()[name], stock.state_dict()[name], atol=0, rtol=0)
    for seconds, length in ((0.5, 64), (2.0, 256)):
        model, extractor = load_ast(tmp_path / "encoder", seconds)
        model.save_pretrained(tmp_path / str(length))
        extractor.save_pretrained(tmp_path / str(length))
        model = AutoModelForAudioClassification.from_pretrained(tmp_path / str(length))
        extractor = AutoFeatureExtractor.from_pretrained(tmp_path / str(length))
        assert model.config.max_length == extractor.max_length == length
        embeddings = model.audio_spectrogram_transformer.embeddings
        fitted = embeddings.position_embeddings.detach()
        torch.testing.assert_close(fitted[:, :2], smooth.detach()[:, :2])
        bands, times = embeddings.get_shape(model.config)
        by_band = fitted[0, 2:, 0].view(bands, times)
        assert bands == n_bands and (by_band.diff(dim=1) >= 0).all(), "along time it rises as before"
        torch.testing.assert_close(by_band.mean(1), torch.arange(float(bands)), atol=1e-4, rtol=0)
        waveform = np.random.default_rng(0).standard_normal(int(seconds * 16000)).astype(np.float32)
        inputs = extractor(waveform, sampling_rate=16000, return_tensors="pt")
        assert model(**inputs).logits.isfinite().all()


def test_fitting_there_and_back_changes_little():
    torch.manual_seed(0)
    model, _ = tiny_encoder("ast", max_length=512)
    embeddings = model.audio_spectrogram_transformer.embeddings
    _, n_times = embeddings.get_shape(model.config)
    curve = torch.sin(torch.linspace(0, 6, n_times))
    before = embeddings.position_embeddings.data
    before[:, 2:] = curve.repeat(before[:, 2:].shape[1] // n_times)[None, :, None]
    expected = before.clone()
    fit_spectrogram(model, 256)
    assert embeddings.position_embeddings.shape[1] < expected.shape[1]
    fit_spectrogram(model, 512)
    torch.testing.assert_close(embeddings.position_embeddings.data, expected, atol=0.1, rtol=0)


def refused(monkeypatch, capsys, *arguments) -> str:
    with pytest.raises(SystemExit) as stop:
        train(monkeypatch, *arguments)
    assert stop.value.code == 2
    (sentence,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    return sentence


def test_what_is_no_audio_encoder_is_refused_in_a_sentence(tmp_path, monkeypatch, capsys):
    data, out = write_tones(tmp_path / "tones"), tmp_path / "out"
    told = refused(monkeypatch, capsys, data, out, tmp_path / "gone")
    assert "gone is neither a finished folder nor a Hub id" in told
    told = refused(monkeypatch, capsys, data, out, "someone/nothing-of-that-name")
    assert "someone/nothing-of-that-name is neither a finished folder nor a Hub id" in told
    BertConfig(**TRANSFORMER).save_pretrained(tmp_path / "bert")
    assert "bert has no feature extractor for audio" in refused(monkeypatch, capsys, data, out, tmp_path / "bert")
    Wav2Vec2Config(**TRANSFORMER).save_pretrained(tmp_path / "bare")
    assert "bare has no feature extractor for audio" in refused(monkeypatch, capsys, data, out, tmp_path / "bare")
    save_encoder(tmp_path / "torn", "ast")
    ASTFeatureExtractor(num_mel_bins=24, max_length=1024).save_pretrained(tmp_path / "torn")
    told = refused(monkeypatch, capsys, data, out, tmp_path / "torn")
    assert "torn contradicts itself: its preprocessor_config.json makes 1024 frames of 24 mel bands" in told


def test_what_cannot_be_frozen_or_taught_is_refused_in_a_sentence(tmp_path, monkeypatch, capsys, checkpoint):
    data, out = write_tones(tmp_path / "tones"), tmp_path / "out"
    told = refused(monkeypatch, capsys, data, out, checkpoint, "--freeze", "front")
    assert "--freeze front: audio_cnn has no front end with weights" in told
    argv = ["tones.py", "--data_dir", str(data), "--output_dir", str(tmp_path / "new"), "--freeze", "encoder"]
    monkeypatch.setattr(sys, "argv", argv)
    with pytest.raises(SystemExit):
        run_recipe(tones.make_task, tones.TonesArguments)
    assert "--freeze and --layer_decay are of weights to begin with" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
    save_encoder(tmp_path / "encoder", "wav2vec2")
    told = refused(monkeypatch, capsys, data, out, tmp_path / "encoder", "--teacher", str(checkpoint))
    assert "--teacher teaches an AudioCNN, not an encoder" in told


def test_the_head_of_an_audio_cnn_learns_another_task(tmp_path, monkeypatch):
    taught = trained_looking_model(tiny_config(num_labels=7))
    taught.save_pretrained(tmp_path / "taught")
    data, out = write_tones(tmp_path / "tones"), tmp_path / "out"
    train(monkeypatch, data, out, tmp_path / "taught", "--freeze", "encoder")
    before, after = taught.state_dict(), load_file(out / "model.safetensors")
    assert after["classifier.weight"].shape[0] == 3
    body = [name for name in after if not name.startswith("classifier")]
    assert len(body) > 10 and all(torch.equal(after[name], before[name]) for name in body)


def test_a_head_with_the_same_classes_under_other_ids_is_put_in_their_order(tmp_path):
    before = {"0": "1", "1": "10", "2": "2"}
    taught = trained_looking_model(tiny_config(id2label=before, label2id={name: int(i) for i, name in before.items()}))
    taught.save_pretrained(tmp_path)
    names = ["1", "2", "10"]
    config = tiny_config(id2label=dict(enumerate(names)), label2id={name: i for i, name in enumerate(names)})
    model = build_model(config, str(tmp_path), load_extractor(str(tmp_path), config), "encoder").eval()
    waveform = torch.from_numpy(tone(500, 0.6, config.sampling_rate))[None]
    with torch.no_grad():
        assert torch.allclose(model(waveform).logits, taught(waveform).logits[:, [0, 2, 1]])


def test_a_checkpoint_in_half_precision_is_run_and_trained(tone_folder, tmp_path, monkeypatch):
    model, extractor = tiny_encoder("wav2vec2")
    model.bfloat16().save_pretrained(tmp_path / "half")
    extractor.save_pretrained(tmp_path / "half")
    scores = TorchAudioClassifier(tmp_path / "half", device="cpu").judge([np.ones(8000, dtype=np.float32)])
    assert scores.sum() == pytest.approx(1, abs=1e-2)
    train(monkeypatch, tone_folder, tmp_path / "out", tmp_path / "half")
    assert {value.dtype for value in load_file(tmp_path / "out" / "model.safetensors").values()} == {torch.float32}
