"""Small networks, and what finished folders hold."""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from helpers.recordings import RATE, tone
from hf_audio import (
    AudioCNNConfig,
    AudioCNNFeatureExtractor,
    AudioCNNForAudioClassification,
    AudioEnsembleConfig,
    AudioEnsembleForAudioClassification,
)

# Of a network that scores frames of 20 ms.
FRAMES = {
    "frame_pooling": "linear_softmax",
    "problem_type": "multi_label_classification",
    "hidden_sizes": [8, 8, 12],
    "time_halvings": 1,
}
CANVAS_BACKBONES = ("alexnet", "cnn3")  # which read inputs of one length


def tiny_config(**changes) -> AudioCNNConfig:
    """A model that trains in a blink."""
    defaults = {
        "sampling_rate": RATE,
        "clip_seconds": 1.0,
        "min_seconds": 0.1,
        "n_fft": 256,
        "win_length": 200,
        "hop_length": 80,
        "n_mels": 20,
        "n_mfcc": 13,
        "hidden_sizes": [8, 12],
        "dropout": 0.0,
        "num_labels": 3,
    }
    sizes = {"shufflenet": [8, 8, 16, 24, 32], "alexnet": [8, 8, 12, 12, 16], "cnn3": [8, 8, 12]}
    backbone = changes.get("backbone")
    if backbone in sizes:
        defaults["hidden_sizes"] = sizes[backbone]
    if backbone in CANVAS_BACKBONES:
        defaults["min_seconds"] = defaults["clip_seconds"]
    if "num_digits" in changes:
        del defaults["num_labels"]
    return AudioCNNConfig(**{**defaults, **changes})


def trained_looking_model(config: AudioCNNConfig, seed: int = 0) -> AudioCNNForAudioClassification:
    """Random weights and, as after training, batch statistics that are not zeros and ones."""
    torch.manual_seed(seed)
    model = AudioCNNForAudioClassification(config).train()
    batch = torch.from_numpy(np.stack([tone(hertz, 0.6, config.sampling_rate) for hertz in (200, 500, 1000, 3000)]))
    norms = [module for module in model.modules() if getattr(module, "momentum", None)]
    with torch.no_grad():
        # In one pass what thirty of the same batch would leave.
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.momentum = 1 - (1 - norm.momentum) ** 30
        model(batch)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        if config.normal_centers:
            model.classifier.centers.normal_()
            model.classifier.threshold.fill_(8.0)
        else:
            model.classifier.weight.mul_(3)  # scores that differ well from one sound to the next
    return model.eval()


def save_checkpoint(folder: Path, **changes) -> Path:
    """A folder with a `trained_looking_model` of a `tiny_config`."""
    config = tiny_config(**changes)
    trained_looking_model(config).save_pretrained(folder)
    AudioCNNFeatureExtractor(sampling_rate=config.sampling_rate).save_pretrained(folder)
    return folder


def save_ensemble(folder: Path, members: list[AudioCNNConfig], **changes) -> Path:
    """A folder with an ensemble of networks of these configurations, the first weighing the most."""
    weights = np.arange(len(members), 0, -1.0)
    config = AudioEnsembleConfig(
        members=[member.to_dict() for member in members],
        weights=(weights / weights.sum()).tolist(),
        sampling_rate=max(member.sampling_rate for member in members),
        clip_seconds=max(member.clip_seconds for member in members),
        id2label=members[0].id2label,
        **changes,
    )
    ensemble = AudioEnsembleForAudioClassification(config).eval()
    for seed, (place, member) in enumerate(zip(ensemble.members, members, strict=True)):
        place.load_state_dict(trained_looking_model(member, seed).state_dict())
    ensemble.save_pretrained(folder)
    AudioCNNFeatureExtractor(sampling_rate=config.sampling_rate).save_pretrained(folder)
    return folder


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """Of a finished folder."""
    return load_file(folder / "model.safetensors")


def results(folder: Path) -> dict:
    """Of a finished folder."""
    return json.loads((folder / "all_results.json").read_text())
