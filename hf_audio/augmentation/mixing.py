"""Batches of clips, mixed with one another on the device of the model."""

import torch

from ..models.modeling_audio_cnn import IGNORED

OVERLAID = 0.3  # of the clips of a batch, that another one is laid over
OVERLAY_DB = -15.0, 5.0  # by which it is amplified


def mix(
    inputs: dict[str, torch.Tensor], targets: dict[str, torch.Tensor], alpha: float
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Mixes each waveform of a batch with another one, and their targets likewise, by weights from Beta(alpha, alpha).

    inputs: `input_values` and perhaps `attention_mask` (batch, samples), or the features (batch, ...) that an encoder
    reads; targets: (batch, classes) probabilities, and whatever else is mixed like them (batch, ...).
    Source: mixup, Zhang et al. 2017, https://arxiv.org/abs/1710.09412.
    """
    first = next(iter(targets.values()))
    weight = torch.distributions.Beta(alpha, alpha).sample((len(first),)).to(first.device)
    weight = torch.maximum(weight, 1 - weight)
    other = torch.randperm(len(first), device=first.device)

    def blend(value: torch.Tensor) -> torch.Tensor:
        return torch.lerp(value[other], value, weight.view(-1, *[1] * (value.dim() - 1)))

    mixed = {
        name: torch.maximum(value, value[other]) if name == "attention_mask" else blend(value)
        for name, value in inputs.items()
    }
    return mixed, {name: blend(value) for name, value in targets.items()}


def overlay(
    inputs: dict[str, torch.Tensor], targets: dict[str, torch.Tensor]
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Lays another waveform of a batch over some, fainter or louder, as sounds meet in the world: both sound, whole.

    inputs: `input_values` and perhaps `attention_mask`, (batch, samples); targets: (batch, ...), of which the larger
    one counts. Where one clip is `IGNORED` and the other has not 1, nothing is known of both.
    """
    size = len(inputs["input_values"])
    other = torch.randperm(size)
    laid = torch.rand(size) < OVERLAID
    gain = laid * 10 ** (torch.empty(size).uniform_(*OVERLAY_DB) / 20)

    def along(numbers: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        return numbers.to(value.device).view(-1, *[1] * (value.dim() - 1))

    def union(value: torch.Tensor) -> torch.Tensor:
        both = torch.maximum(value, value[other])
        unknown = (torch.minimum(value, value[other]) == IGNORED) & (both < 1)
        return torch.where(along(laid, value), both.masked_fill(unknown, IGNORED), value)

    waveforms = inputs["input_values"]
    laid_over = {**inputs, "input_values": waveforms + along(gain, waveforms) * waveforms[other]}
    if "attention_mask" in inputs:
        laid_over["attention_mask"] = union(inputs["attention_mask"])
    return laid_over, {name: union(value) for name, value in targets.items()}
