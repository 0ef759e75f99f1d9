"""The head of a network that has heard normal recordings alone: how far an embedding is from theirs."""

import torch
from torch import nn

from .frontends import Float32Module

LEAST = 1e-6  # a distance, below which logarithms would lead nowhere


class NormalDistance(Float32Module):
    """Two logits, of "normal" and of "anomaly", by the distance of an embedding from those of normal recordings.

    The distance is Mahalanobis', from the nearest of the centers. The logit of "anomaly" is its logarithm less that of
    the threshold, times a slope: above 0 where the distance is above the threshold. It learns by no gradient; what it
    holds is fitted.

    Args:
        in_features: numbers of an embedding.
        n_centers: that it is compared with.
    """

    def __init__(self, in_features: int, n_centers: int):
        super().__init__()
        self.in_features, self.out_features = in_features, 2

        def fitted(value: torch.Tensor) -> nn.Parameter:
            return nn.Parameter(value.float(), requires_grad=False)

        self.mean = fitted(torch.zeros(in_features))
        self.whitening = fitted(torch.eye(in_features))
        self.centers = fitted(torch.zeros(n_centers, in_features))
        self.threshold = fitted(torch.ones(1))
        self.slope = fitted(torch.ones(1))

    def distance(self, embeddings: torch.Tensor) -> torch.Tensor:
        """embeddings: (batch, size) -> (batch,)."""
        placed = (embeddings.float() - self.mean) @ self.whitening
        squared = (placed[:, None] - self.centers).square().sum(-1)  # (batch, centers)
        return squared.amin(-1).clamp(min=LEAST**2).sqrt()

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        """embeddings: (batch, size) -> (batch, 2)."""
        anomaly = self.slope * (self.distance(embeddings).log() - self.threshold.log())
        return torch.stack([torch.zeros_like(anomaly), anomaly], dim=-1)


__all__ = ["NormalDistance"]
