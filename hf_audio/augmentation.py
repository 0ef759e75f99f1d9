"""Waveform transforms that audiomentations lacks, and mixing of whole batches on the model's device."""

import random

import numpy as np
import torch
from audiomentations.core.transforms_interface import BaseWaveformTransform


class RandomPlacement(BaseWaveformTransform):
    """Puts a clip at a random place in a canvas of zeros; of a longer clip it takes a random excerpt.

    Args:
        duration: seconds of the canvas.
    """

    supports_multichannel = True

    def __init__(self, duration: float, p: float = 1.0):
        super().__init__(p)
        if not duration > 0:
            raise ValueError(f"duration={duration} must be positive.")
        self.duration = duration

    def randomize_parameters(self, samples: np.ndarray, sample_rate: int) -> None:
        """Draw where the clip begins on the canvas, or, negative, the canvas in the clip."""
        super().randomize_parameters(samples, sample_rate)
        if self.parameters["should_apply"]:
            free = round(self.duration * sample_rate) - samples.shape[-1]
            self.parameters["offset"] = random.randint(min(free, 0), max(free, 0))

    def apply(self, samples: np.ndarray, sample_rate: int) -> np.ndarray:
        """(..., samples) -> (..., canvas)."""
        size, offset = round(self.duration * sample_rate), self.parameters["offset"]
        if offset < 0 or samples.shape[-1] >= size:
            return samples[..., -offset : size - offset]
        canvas = np.zeros((*samples.shape[:-1], size), dtype=samples.dtype)
        canvas[..., offset : offset + samples.shape[-1]] = samples
        return canvas


def mix(
    inputs: dict[str, torch.Tensor], targets: torch.Tensor, alpha: float
) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Mixes each waveform of a batch with another one, and their targets likewise, by weights from Beta(alpha, alpha).

    inputs: `input_values` and perhaps `attention_mask` (batch, samples); targets: (batch, classes) probabilities.
    Source: mixup, Zhang et al. 2017, https://arxiv.org/abs/1710.09412.
    """
    input_values = inputs["input_values"]
    weight = torch.distributions.Beta(alpha, alpha).sample((len(input_values), 1)).to(input_values.device)
    weight = torch.maximum(weight, 1 - weight)
    other = torch.randperm(len(input_values), device=input_values.device)
    mixed = {**inputs, "input_values": weight * input_values + (1 - weight) * input_values[other]}
    if "attention_mask" in inputs:
        mixed["attention_mask"] = torch.maximum(inputs["attention_mask"], inputs["attention_mask"][other])
    return mixed, weight * targets + (1 - weight) * targets[other]
