"""What an exported network has another layer for, and what it has two outputs by.

The mel spectrogram is made of matrix products, for runtimes whose own Fourier transform is slow.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ..inference.onnx_classifier import EMBEDDINGS, FRAME_SCORES, OUTPUT
from ..models.frontends import MelSpectrogram


def two_factors(n_fft: int) -> tuple[int, int]:
    """Rows and columns that a frame is laid out in, as nearly equal as may be."""
    rows = max(d for d in range(1, math.isqrt(n_fft) + 1) if n_fft % d == 0)
    return rows, n_fft // rows


def frame_window(spectrogram: MelSpectrogram) -> torch.Tensor:
    """What a frame is multiplied by, (n_fft,): the window, with zeros around it."""
    config = spectrogram.config
    padding = config.n_fft - config.win_length
    return F.pad(spectrogram.window, (padding // 2, padding - padding // 2))


class FactoredMelSpectrogram(nn.Module):
    """What a `MelSpectrogram` computes, by a Fourier transform of two factors: `n_fft` = rows x columns.

    A frame is laid out in rows x columns; one matrix transforms the columns, and for each of the frequencies found
    there another one transforms the rows, rotation in between included. Of the first frequencies half are enough: the
    others' energies are mirror images.

    Source: Cooley and Tukey 1965.
    """

    window: torch.Tensor
    column_transform: torch.Tensor
    row_transforms: torch.Tensor
    mel_filters: torch.Tensor

    def __init__(self, spectrogram: MelSpectrogram):
        super().__init__()
        config = spectrogram.config
        n_fft = config.n_fft
        self.n_fft, self.hop, self.power = n_fft, config.hop_length, config.power
        self.rows, self.columns = two_factors(n_fft)
        self.n_first = self.rows // 2 + 1
        # Frames are gathered in pieces that both the hop and the frame are multiples of.
        self.piece = math.gcd(n_fft, self.hop)

        first = np.arange(self.n_first)[:, None]
        turns = np.exp(-2j * np.pi * first * np.arange(self.rows) / self.rows)  # (first, rows)
        column = np.arange(self.columns)[:, None]
        second = np.arange(self.columns)
        rotations = np.exp(-2j * np.pi * column * (first[:, :, None] / n_fft + second / self.columns))
        real, imaginary = rotations.real, rotations.imag  # (first, columns, second)
        rows = [np.concatenate([real, imaginary], 2), np.concatenate([-imaginary, real], 2)]
        self._keep("window", frame_window(spectrogram))
        self._keep("column_transform", np.stack([turns.real, turns.imag], 1).reshape(2 * self.n_first, self.rows))
        self._keep("row_transforms", np.concatenate(rows, 1))  # (first, 2 columns, 2 second)
        self._keep("mel_filters", self._sort_filters(spectrogram.mel_filters.numpy()))

    def _keep(self, name: str, values: np.ndarray | torch.Tensor) -> None:
        self.register_buffer(name, torch.as_tensor(values, dtype=torch.float32).contiguous(), persistent=False)

    def _sort_filters(self, filters: np.ndarray) -> np.ndarray:
        """Filters of bins in their natural order, (mels, bins) -> (first, second, mels), every bin once."""
        bins = np.arange(self.n_first)[:, None] + self.rows * np.arange(self.columns)
        bins = np.minimum(bins, self.n_fft - bins)
        _, places = np.unique(bins, return_index=True)
        sorted_filters = np.zeros((bins.size, len(filters)), dtype=np.float32)
        sorted_filters[places] = filters.T[bins.flat[places]]
        return sorted_filters.reshape(*bins.shape, -1)

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        """waveform: (batch, samples) -> (batch, mels, 1 + samples // hop_length)."""
        batch, n_samples = waveform.shape
        n_frames = n_samples // self.hop + 1
        padded = F.pad(waveform.float(), (self.n_fft // 2, self.n_fft // 2 + self.piece))
        n_pieces = padded.shape[1] // self.piece
        pieces = padded[:, : n_pieces * self.piece].unflatten(1, (n_pieces, self.piece))
        places = torch.arange(n_frames)[:, None] * (self.hop // self.piece)
        places = places + torch.arange(self.n_fft // self.piece)
        frames = pieces[:, places].flatten(2) * self.window  # (batch, frames, n_fft)
        columns = self.column_transform @ frames.unflatten(2, (self.rows, self.columns))
        columns = columns.unflatten(2, (self.n_first, 2)).flatten(3)  # (batch, frames, first, 2 columns)
        columns = columns.permute(2, 0, 1, 3).flatten(1, 2)
        real, imaginary = torch.bmm(columns, self.row_transforms).chunk(2, -1)  # (first, batch x frames, second)
        energy = real * real + imaginary * imaginary
        if self.power != 2:
            energy = energy ** (self.power / 2)
        mels = torch.bmm(energy, self.mel_filters).sum(0)  # (batch x frames, mels)
        return mels.unflatten(0, (batch, n_frames)).transpose(1, 2)


class OutputsByName(nn.Module):
    """A classifier with several outputs, out of one forward pass.

    Args:
        model: whose output has `pooler_output` where hidden states are asked for, or `frame_logits` where these are.
        names: of the outputs, as an exported file calls them.
    """

    def __init__(self, model: nn.Module, names: Sequence[str]):
        super().__init__()
        self.model = model
        self.names = tuple(names)

    def forward(self, input_values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Waveforms (batch, samples) -> logits (batch, labels), frames' probabilities (batch, frames, labels), ..."""
        options = {"output_hidden_states": EMBEDDINGS in self.names, "return_dict": True}
        if FRAME_SCORES in self.names:
            options["output_frame_logits"] = True
        output = self.model(input_values, **options)
        values = {OUTPUT: output.logits, EMBEDDINGS: output.pooler_output}
        if FRAME_SCORES in self.names:
            values[FRAME_SCORES] = output.frame_logits.sigmoid()
        return tuple(values[name] for name in self.names)
