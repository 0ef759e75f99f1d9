"""The average of the weights over the steps of a training, which is judged and kept in their place."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ...arguments import RecipeArguments
from ...errors import ArgumentError

AVERAGE_NAME = "averaged_weights.pt"
Weights = tuple[torch.Tensor, ...] | list[torch.Tensor]


def average_weights(model: nn.Module, args: RecipeArguments) -> tuple[AveragedModel, TrainerCallback]:
    """The average of a model's weights, which begins with them, and what brings it up to date after every step."""
    average = AveragedModel(model, multi_avg_fn=_ema(args), use_buffers=True)
    return average, _AverageCallback(average)


def save_average(average: AveragedModel, checkpoint: str | os.PathLike) -> None:
    """Write it beside the weights of a checkpoint."""
    torch.save(average.state_dict(), Path(checkpoint) / AVERAGE_NAME)


def load_average(average: AveragedModel, checkpoint: str | os.PathLike) -> None:
    """Go on with the average of a checkpoint.

    Raises:
        ArgumentError: it has none.
    """
    path = Path(checkpoint) / AVERAGE_NAME
    if not path.is_file():
        raise ArgumentError(f"{checkpoint} holds no average of the weights: it was saved without --ema_decay.")
    average.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))


def _ema(args: RecipeArguments) -> Callable[[Weights, Weights, torch.Tensor | int], None]:
    # The average of the first steps leans on the newest weights: without that it would remember the random start.
    def update(averages: Weights, weights: Weights, n_averaged: torch.Tensor | int) -> None:
        n = int(n_averaged)
        keep = min(args.ema_decay, (1 + n) / (10 + n))
        if averages[0].is_floating_point():
            torch._foreach_lerp_(list(averages), list(weights), 1 - keep)
        else:
            for average, weight in zip(averages, weights, strict=True):
                average.copy_(weight)

    return update


class _AverageCallback(TrainerCallback):
    def __init__(self, average: AveragedModel):
        self.average = average

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: nn.Module | None = None,
        **kwargs: Any,
    ) -> None:
        assert model is not None
        self.average.update_parameters(model)
