"""Trains a tiny wav2vec2 and a tiny AST on eight clips a step."""

from pathlib import Path

import torch

from helpers.tiny_encoders import STILL, tiny_encoder
from helpers.trainers import noise_clips, trainer
from hf_audio.inference.kaldi_features import kaldi_features

KINDS = ("wav2vec2", "ast")


def train_tiny(kind: str, output_dir: Path, batch: int, accumulation: int = 1) -> tuple[dict, list[float], float]:
    """Weights after three steps of eight clips, the loss of each, and that of all clips afterwards."""
    torch.manual_seed(0)
    # 16 kHz: clips of a quarter of a second.
    changes = STILL if kind == "wav2vec2" else {"max_length": 64}
    model, extractor = tiny_encoder(kind, num_labels=3, **changes)
    for weight in model.parameters():
        if not weight.any():  # the tokens of a new AST are, and its layer norms then amplify what is left by rounding
            torch.nn.init.normal_(weight, std=0.1)
    features = kaldi_features(extractor)
    run = trainer(
        output_dir,
        model,
        noise_clips(24),
        extractor=extractor if features is None else None,
        features=features,
        per_device_train_batch_size=batch,
        gradient_accumulation_steps=accumulation,
        num_train_epochs=1,
        learning_rate=0.05,
        logging_strategy="steps",
        logging_steps=1,
    )
    run.train()
    losses = [entry["loss"] for entry in run.state.log_history if "loss" in entry]
    return run.model.state_dict(), losses, run.evaluate(run.train_dataset)["eval_loss"]
