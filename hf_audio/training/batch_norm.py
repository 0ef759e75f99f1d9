"""Batch normalisation whose statistics are those of all processes."""

import torch
import torch.distributed
import torch.distributed.nn.functional
from torch import nn


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
        dims = [0, *range(2, input.dim())]
        values = input.double()
        here = values.new_full((values.shape[1],), values.numel() / values.shape[1])
        sums = torch.stack([values.sum(dims), values.square().sum(dims), here])
        total, squares, counts = torch.distributed.nn.functional.all_reduce(sums)
        count = counts[0].detach()
        mean = total / count
        variance = squares / count - mean.square()
        with torch.no_grad():
            self.num_batches_tracked += 1
            momentum = self.momentum or 1 / self.num_batches_tracked.item()
            self.running_mean.lerp_(mean.to(self.running_mean.dtype), momentum)
            self.running_var.lerp_((variance * count / (count - 1)).to(self.running_var.dtype), momentum)
        shape = [1, -1, *[1] * (input.dim() - 2)]
        scale = (variance + self.eps).rsqrt()
        shift = -mean * scale
        if self.affine:
            scale, shift = scale * self.weight, shift * self.weight + self.bias
        return (input * scale.float().view(shape) + shift.float().view(shape)).to(input.dtype)


def synchronize_batch_norm(model: nn.Module, device: torch.device) -> nn.Module:
    """Make every batch normalisation of a model take its statistics over all processes; names and values stay."""
    if device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(model)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.__class__ = ProcessBatchNorm  # type: ignore[assignment]
    return model
