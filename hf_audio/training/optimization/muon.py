"""Muon: AdamW, but the kernels between the first and the last layer move by orthogonalised momentum."""

from collections.abc import Callable, Container, Iterable
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from ...arguments import RecipeArguments
from ..networks.network_parts import last_layer

MOMENTUM = 0.95
# How long a step is beside one of AdamW, whose entries have a root mean square of about this times the learning rate:
# so both take the same learning rate. Source: Liu et al. 2025, https://arxiv.org/abs/2502.16982.
LIKE_ADAMW = 0.2
# Of a quintic Newton-Schulz iteration, which takes singular values from (0, 1] to about 1 in five steps.
# Source: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon.
A, B, C = 3.4445, -4.7750, 2.0315
N_ITERATIONS = 5
LEAST_NORM = 1e-7


class Muon(torch.optim.AdamW):
    """AdamW, with groups whose weights are moved by orthogonalised momentum instead.

    A kernel is taken as a matrix, outputs by everything that one output hears, and moves by the Nesterov momentum of
    its gradient with all singular values brought to about 1. Directions that the gradient seldom points to are learnt
    as fast as others. The arithmetic is that of `torch.optim.Muon` with `adjust_lr_fn="match_rms_adamw"`, which takes
    matrices alone, and whose state is not one with AdamW's.

    Args:
        groups: dictionaries of `params`, and with `"orthogonal": True` those of kernels and matrices.
        dtype: in which is orthogonalised; one that the machine multiplies fast.
        adamw: of `torch.optim.AdamW`.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], dtype: torch.dtype = torch.bfloat16, **adamw: Any):
        super().__init__(groups, **adamw)
        self.dtype = dtype

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step of all groups."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            if group.get("orthogonal", False):
                for weight in group["params"]:
                    if weight.grad is not None:
                        self._move(weight, weight.grad, group["lr"], group["weight_decay"])
                        weight.grad = None  # so that AdamW passes over it
        super().step()
        return loss

    def _move(self, weight: torch.Tensor, gradient: torch.Tensor, rate: float, decay: float) -> None:
        state = self.state[weight]
        if "momentum_buffer" not in state:
            # AdamW, which reads the state when it is loaded, expects a step in every one.
            state.update({"step": torch.tensor(0.0), "momentum_buffer": torch.zeros_like(weight)})
        state["step"] += 1
        momentum = state["momentum_buffer"]
        momentum.lerp_(gradient, 1 - MOMENTUM)
        update = gradient.lerp(momentum, MOMENTUM)
        matrix = update.flatten(1)
        step = rate * LIKE_ADAMW * max(matrix.shape) ** 0.5
        weight.mul_(1 - rate * decay)
        weight.sub_(orthogonalise(matrix, self.dtype).view(update.shape), alpha=step)


def orthogonalise(matrix: torch.Tensor, dtype: torch.dtype = torch.bfloat16) -> torch.Tensor:
    """The nearest matrix whose singular values are all about 1 (0.7 to 1.2), in another precision."""
    wide = matrix.shape[0] <= matrix.shape[1]
    x = (matrix if wide else matrix.T).to(dtype)
    x = x / x.norm().clamp(min=LEAST_NORM)
    for _ in range(N_ITERATIONS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=B, alpha=C), x, beta=A)
    return x if wide else x.T


def make_muon(model: PreTrainedModel, args: RecipeArguments, decaying: Container[str]) -> Muon:
    """The optimizer of a training.

    Args:
        model: any audio classifier.
        args: of the training.
        decaying: names of the weights that decay.
    """
    weights = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    groups = [
        {
            "params": [weight for name, weight in weights if (name in decaying) == decays],
            "weight_decay": args.weight_decay if decays else 0.0,
        }
        for decays in (True, False)
    ]
    return Muon(
        divide_groups(groups, find_kernels(model)),
        dtype=torch.bfloat16 if args.bf16 else torch.float32,
        lr=args.learning_rate,
        betas=(args.adam_beta1, args.adam_beta2),
        eps=args.adam_epsilon,
    )


def find_kernels(model: PreTrainedModel) -> set[torch.Tensor]:
    """Weights that Muon orthogonalises: of the linear and convolutional layers between the first and the last one.

    Not those that hear each channel by itself: they are no matrices from inputs to outputs.
    """
    _, last = last_layer(model)
    layers = [module for module in model.modules() if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d)]
    return {
        layer.weight
        for layer in layers[1:]
        if layer is not last and layer.weight.requires_grad and getattr(layer, "groups", 1) == 1
    }


def divide_groups(groups: Iterable[dict[str, Any]], kernels: set[torch.Tensor]) -> list[dict[str, Any]]:
    """Groups of an optimizer with those weights that are kernels in groups of their own, behind the others."""
    others: list[dict[str, Any]] = []
    orthogonal: list[dict[str, Any]] = []
    for group in groups:
        for place, wanted in ((others, False), (orthogonal, True)):
            weights = [weight for weight in group["params"] if (weight in kernels) == wanted]
            if weights:
                place.append({**group, "params": weights, "orthogonal": wanted})
    return others + orthogonal
