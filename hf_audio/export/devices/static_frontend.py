"""Layers of a network of one window that have kernels on small devices, in the place of those that have none.

The spectrogram is made of convolutions of real numbers, and the highest value over time is that of a pooling.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ...models.frontends import MelSpectrogram
from ..onnx_frontend import frame_window, two_factors

BANDS_TOGETHER = 8  # mel bands whose filters lie in one matrix: their triangles are narrow, and a whole one mostly 0


class ConvolutionalMelSpectrogram(nn.Module):
    """What a `MelSpectrogram` computes of one window, by convolutions of size 1: `n_fft` = rows x columns.

    A frame is laid out in rows x columns. A convolution over the rows, a rotation of each value, and a convolution
    over the columns are a Fourier transform; its matrices are small, where that of a whole transform has megabytes.

    Source: Cooley and Tukey 1965.

    Args:
        spectrogram: whose numbers it takes.
    """

    window: torch.Tensor
    rotation: torch.Tensor

    def __init__(self, spectrogram: MelSpectrogram):
        super().__init__()
        config = spectrogram.config
        n_fft = config.n_fft
        self.n_fft, self.hop, self.power = n_fft, config.hop_length, config.power
        self.rows, self.columns = two_factors(n_fft)
        self.n_second = self.columns // 2 + 1  # the others' energies are mirror images

        place = np.arange(self.rows)
        turns = np.exp(-2j * np.pi * np.outer(place, place) / self.rows)  # (first frequency, row)
        rotation = np.exp(-2j * np.pi * np.outer(place, np.arange(self.columns)) / n_fft)  # (first frequency, column)
        second = np.outer(np.arange(self.n_second), np.arange(self.columns))
        spins = np.exp(-2j * np.pi * second / self.columns)  # (second frequency, column)
        self.register_buffer("window", frame_window(spectrogram), persistent=False)
        rotations = np.stack([rotation.real, rotation.imag])[:, :, None]  # (2, rows, 1, columns)
        self.register_buffer("rotation", torch.from_numpy(rotations.astype(np.float32)), persistent=False)
        self.over_rows = _pointwise(np.concatenate([turns.real, turns.imag]))
        self.over_columns = _pointwise(
            np.concatenate([np.concatenate([spins.real, -spins.imag], 1), np.concatenate([spins.imag, spins.real], 1)])
        )
        self.spans, self.mels = _banded(spectrogram.mel_filters.numpy())

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        """waveform: (1, samples) -> (1, mels, 1 + samples // hop_length)."""
        n_frames = waveform.shape[1] // self.hop + 1
        pieces = -(-self.n_fft // self.hop)  # hops that a frame touches
        size = (n_frames + pieces - 1) * self.hop
        margin = self.n_fft // 2
        padded = F.pad(waveform, (margin, max(size - margin - waveform.shape[1], 0)))[:, :size]
        hops = padded.reshape(1, n_frames + pieces - 1, self.hop)
        frames = torch.cat([hops[:, piece : piece + n_frames] for piece in range(pieces)], 2)[:, :, : self.n_fft]
        grid = (frames * self.window).reshape(1, n_frames, self.rows, self.columns).transpose(1, 2)
        real, imaginary = self.over_rows(grid).split(self.rows, 1)  # (1, first, frames, columns)
        cosine, sine = self.rotation[:1], self.rotation[1:]
        turned = torch.cat([real * cosine - imaginary * sine, real * sine + imaginary * cosine], 3)
        real, imaginary = self.over_columns(turned.permute(0, 3, 2, 1)).split(self.n_second, 1)
        energy = (real * real + imaginary * imaginary).permute(0, 1, 3, 2)  # (1, second, first, frames)
        if self.power != 2:
            energy = energy ** (self.power / 2)
        bins = energy.reshape(1, self.n_second * self.rows, 1, n_frames)  # in their natural order
        bands = [mel(bins[:, first:last]) for (first, last), mel in zip(self.spans, self.mels, strict=True)]
        return torch.cat(bands, 1).reshape(1, -1, n_frames)


class StaticMaxPooling(nn.Module):
    """Maximum over a window's frames, which is a pooling of fixed size.

    Args:
        adds_mean: to the maximum.
    """

    def __init__(self, adds_mean: bool):
        super().__init__()
        self.adds_mean = adds_mean

    def forward(self, embeddings: torch.Tensor, n_frames: torch.Tensor | None) -> torch.Tensor:
        """embeddings: (1, channels, frames) -> (1, channels)."""
        highest = F.max_pool2d(embeddings[:, :, None], (1, embeddings.shape[2])).flatten(1)
        return embeddings.mean(2) + highest if self.adds_mean else highest


def _pointwise(matrix: np.ndarray) -> nn.Conv2d:
    """(outputs, inputs) as a convolution of size 1 that nobody trains."""
    layer = nn.Conv2d(matrix.shape[1], matrix.shape[0], 1, bias=False)
    layer.weight = nn.Parameter(torch.from_numpy(matrix.astype(np.float32))[:, :, None, None], requires_grad=False)
    return layer


def _banded(filters: np.ndarray) -> tuple[list[tuple[int, int]], nn.ModuleList]:
    """Filters (mels, bins) in groups of neighbours: the bins that each group reads, first and last + 1, and how."""
    spans, layers = [], nn.ModuleList()
    for start in range(0, len(filters), BANDS_TOGETHER):
        group = filters[start : start + BANDS_TOGETHER]
        bins = np.flatnonzero(group.any(0))
        first, last = (int(bins[0]), int(bins[-1]) + 1) if len(bins) else (0, 1)
        spans.append((first, last))
        layers.append(_pointwise(group[:, first:last]))
    return spans, layers
