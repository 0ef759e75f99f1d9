"""Checkpoints of strangers end in a sentence before they take memory, whatever their files say."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import ASTConfig, ASTFeatureExtractor, ASTForAudioClassification

from hf_audio.errors import CheckpointError
from hf_audio.inference.checkpoint import load_classifier
from hf_audio.inference.checkpoint_numbers import check_numbers

CONFIG, EXTRACTOR = "config.json", "preprocessor_config.json"


@pytest.fixture
def change(tmp_path, checkpoint):
    """A copy of a checkpoint, a value of one of its files replaced."""

    def change(file: str, **values) -> Path:
        folder = tmp_path / "strange"
        shutil.copytree(checkpoint, folder, dirs_exist_ok=True)
        (folder / file).write_text(json.dumps({**json.loads((folder / file).read_text()), **values}))
        return folder

    return change


@pytest.mark.parametrize(
    ("file", "values", "reason"),
    [
        (CONFIG, {"n_fft": 2**27}, "n_fft=134217728, and 131072 is the most"),
        (CONFIG, {"n_fft": 2**17, "hop_length": 1}, "make spectrograms that fill the memory"),
        (CONFIG, {"n_mels": 10**4}, "n_fft=256 and n_mels=10000 must not exceed"),
        (CONFIG, {"num_digits": 10**9, "id2label": None}, "num_digits=1000000000, and 1000 is the most"),
        (CONFIG, {"num_labels": 10**9, "id2label": None}, "num_labels=1000000000"),
        (CONFIG, {"hidden_sizes": [8] * 10**5}, "has 100000 values as hidden_sizes"),
        (CONFIG, {"hidden_sizes": [10**6, 10**6]}, "parameters, more than its weights can hold"),
        (CONFIG, {"hidden_sizes": [20_000, 20_000]}, "parameters, more than its weights can hold"),  # 29 GB
        (CONFIG, {"clip_seconds": 1e9}, "clip_seconds=1000000000.0"),
        (CONFIG, {"clip_seconds": float("nan")}, "clip_seconds=nan must be a finite number"),
        (CONFIG, {"temperature": float("nan")}, "temperature=nan must be a finite number"),
        (CONFIG, {"temperature": 1e-300}, "gives scores that are not finite"),
        (CONFIG, {"sampling_rate": -8000}, "sampling_rate=-8000"),
        (CONFIG, {"id2label": {"0": "a", "7": "b", "9": "c"}}, "Label 1 is None"),
        (CONFIG, {"overlap": 0.9999999}, "overlap=0.9999999 must lie between"),
        (CONFIG, {"model_type": "audio_ensemble"}, "does not run"),
        (EXTRACTOR, {"sampling_rate": 10**9}, "has sampling_rate=1000000000, and its config.json 8000"),
        (EXTRACTOR, {"sampling_rate": 16000}, "has sampling_rate=16000, and its config.json 8000"),
        (EXTRACTOR, {"sampling_rate": "x"}, "has sampling_rate='x'"),
        (EXTRACTOR, {"feature_size": 10**9}, "preprocessor_config.json has feature_size=1000000000"),
    ],
    ids=str,
)
def test_absurd_values_are_one_sentence(change, file, values, reason):
    folder = change(file, **values)
    with pytest.raises(CheckpointError, match=r"strange (is no|gives|does not)") as e:
        load_classifier(folder)
    assert reason in str(e.value) and "\n" not in str(e.value) and str(e.value).endswith(".")


def test_networks_of_others_are_looked_at_too(tmp_path):
    ASTConfig(num_hidden_layers=10**6).save_pretrained(tmp_path)
    ASTFeatureExtractor().save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=r"config\.json has num_hidden_layers=1000000, and 1000 is the most"):
        check_numbers(tmp_path)
    ASTForAudioClassification(ASTConfig(num_hidden_layers=1)).save_pretrained(tmp_path)
    check_numbers(tmp_path)
    (tmp_path / EXTRACTOR).write_text(json.dumps({**ASTFeatureExtractor().to_dict(), "max_length": 10**9}))
    with pytest.raises(CheckpointError, match="max_length=1000000000"):
        check_numbers(tmp_path)


def test_weights_that_diverged_are_no_checkpoint(change):
    folder = change(CONFIG)
    weights = load_file(folder / "model.safetensors")
    weights["classifier.bias"] = torch.full_like(weights["classifier.bias"], torch.nan)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="gives scores that are not finite, so its weights or"):
        load_classifier(folder)


def test_pickles_are_not_opened(change, tmp_path):
    class Evil:
        def __reduce__(self):
            return Path.touch, (tmp_path / "opened",)

    folder = change(CONFIG)
    (folder / "model.safetensors").unlink()
    torch.save({"x": Evil()}, folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="Weights only load failed"):
        load_classifier(folder)
    assert not (tmp_path / "opened").exists()
