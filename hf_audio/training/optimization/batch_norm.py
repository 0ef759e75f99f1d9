"""Batch normalisation whose statistics are those of all processes."""

from typing import Any

import torch
import torch.distributed
from torch import nn
from torch.nn import functional as F


class ProcessBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalisation over all processes' batches, on devices for which torch's SyncBatchNorm is not made."""

    def _check_input_dim(self, input: torch.Tensor) -> None:
        pass

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """input: (batch, channels, ...), of any batch and length in each process."""
        if not self.training:
            return super().forward(input)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        with torch.no_grad():
            mean, variance, count = _gather_statistics(input)
            self.num_batches_tracked += 1
            momentum = self.momentum or 1 / self.num_batches_tracked.item()
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), momentum)
        weights = (self.weight, self.bias) if self.affine else (torch.ones_like(mean), torch.zeros_like(mean))
        return _Normalise.apply(input, *weights, mean, variance, count, self.eps)


def _gather_statistics(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Mean and variance of all processes' values a channel, (channels,) float32, and how many there are a channel.

    values: (batch, channels, ...).
    """
    channels = values.shape[1]
    # torch's own kernel, which sums up bfloat16 in float32, as it does where such statistics are kept.
    kept = torch.zeros(2, channels, device=values.device)
    mean, variance = torch.batch_norm_update_stats(values, kept[0], kept[1], 0.0)
    here = torch.cat([mean, variance, mean.new_tensor([values.numel() / channels])]).double()
    parts = [torch.empty_like(here) for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather(parts, here)
    means, variances, counts = torch.stack(parts).split([channels, channels, 1], dim=1)  # (processes, ...)
    count = counts.sum()
    mean = (means * counts).sum(0) / count
    variance = ((variances + (means - mean).square()) * counts).sum(0) / count
    return mean.float(), variance.float(), float(count)


class _Normalise(torch.autograd.Function):
    """Values less their mean, over their deviation, both of which depend on the values of all processes."""

    @staticmethod
    def forward(
        ctx: Any, values: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, *of_all: Any
    ) -> torch.Tensor:
        """of_all: what `_gather_statistics` gives, and what is added to the variance."""
        mean, variance, ctx.count, ctx.eps = of_all
        ctx.save_for_backward(values, weight, mean, variance)
        return F.batch_norm(values, mean, variance, weight, bias, eps=ctx.eps)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Gradients of the sum of all processes' losses; weight and bias get the share of this process."""
        values, weight, mean, variance = ctx.saved_tensors
        # As where the statistics are constants, and then what the values change by way of these.
        of_values, of_weight, of_bias = torch.ops.aten.native_batch_norm_backward(
            gradients[0], values, weight, mean, variance, None, None, False, ctx.eps, [True, True, True]
        )
        sums = torch.stack([of_weight, of_bias])
        torch.distributed.all_reduce(sums)
        by_deviation, by_mean = sums / ctx.count
        # A weighted copy of the normalised values, by the same kernel.
        scale = weight * (variance + ctx.eps).rsqrt()
        of_values -= F.batch_norm(values, mean, variance, scale * by_deviation, scale * by_mean, eps=ctx.eps)
        return of_values, of_weight, of_bias, None, None, None, None


def synchronize_batch_norm(model: nn.Module, device: torch.device) -> nn.Module:
    """Make every batch normalisation of a model take its statistics over all processes; names and values stay."""
    if device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(model)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.__class__ = ProcessBatchNorm  # type: ignore[assignment]
    return model
