"""Waveform transforms that audiomentations lacks, and mixing of whole batches on the model's device."""

import math
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


class SpeedPerturbation(BaseWaveformTransform):
    """Plays a clip faster or slower, so that tempo, pitch and formants change together, as they do between speakers.

    By linear interpolation: a thirtieth of the cost of a phase vocoder. Source: Ko et al. 2015, "Audio augmentation
    for speech recognition".

    Args:
        min_rate: the slowest speed, 1 being the clip's own.
        max_rate: the fastest.
        p: the share of clips it is applied to.
    """

    supports_multichannel = False

    def __init__(self, min_rate: float = 0.9, max_rate: float = 1.1, p: float = 0.5):
        super().__init__(p)
        if not 0 < min_rate <= max_rate:
            raise ValueError(f"min_rate={min_rate} and max_rate={max_rate} must be positive and in this order.")
        self.min_rate, self.max_rate = min_rate, max_rate

    def randomize_parameters(self, samples: np.ndarray, sample_rate: int) -> None:
        """Draw the speed, evenly in its logarithm."""
        super().randomize_parameters(samples, sample_rate)
        if self.parameters["should_apply"]:
            low, high = math.log(self.min_rate), math.log(self.max_rate)
            self.parameters["rate"] = math.exp(random.uniform(low, high))

    def apply(self, samples: np.ndarray, sample_rate: int) -> np.ndarray:
        """(samples,) -> (samples / rate,)."""
        rate = self.parameters["rate"]
        positions = np.arange(max(round(len(samples) / rate), 1)) * rate
        return np.interp(positions, np.arange(len(samples)), samples).astype(samples.dtype)


def mix(input_values: torch.Tensor, targets: torch.Tensor, alpha: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Mixes each waveform of a batch with another one, and their targets likewise, by weights from Beta(alpha, alpha).

    input_values: (batch, samples); targets: (batch, classes) probabilities. Source: mixup, Zhang et al. 2017,
    https://arxiv.org/abs/1710.09412.
    """
    weight = torch.distributions.Beta(alpha, alpha).sample((len(input_values), 1)).to(input_values.device)
    weight = torch.maximum(weight, 1 - weight)
    other = torch.randperm(len(input_values), device=input_values.device)
    mixed = weight * input_values + (1 - weight) * input_values[other]
    return mixed, weight * targets + (1 - weight) * targets[other]
