"""Kaldi's log-mel features of a whole batch on any device, in the place of `ASTFeatureExtractor`'s clip by clip."""

import torch
from torch import nn
from torch.nn import functional as F
from transformers import ASTFeatureExtractor, SequenceFeatureExtractor
from transformers.audio_utils import mel_filter_bank, window_function

SAMPLING_RATE = 16000
FRAME_LENGTH = 400  # samples: 25 ms
HOP_LENGTH = 160  # samples: 10 ms
FFT_LENGTH = 512
PREEMPHASIS = 0.97
MEL_FLOOR = 1.192092955078125e-07


class KaldiFeatures(nn.Module):
    """What `ASTFeatureExtractor` makes of waveforms, equal to 1e-5.

    Args:
        extractor: whose number of mel bands, length and normalisation hold, at 16 kHz.
    """

    low_filters: torch.Tensor
    high_filters: torch.Tensor

    def __init__(self, extractor: ASTFeatureExtractor):
        super().__init__()
        self.max_length = extractor.max_length
        self.mean: float = extractor.mean if extractor.do_normalize else 0.0
        self.scale: float = 2 * extractor.std if extractor.do_normalize else 1.0
        filters = torch.from_numpy(
            mel_filter_bank(
                num_frequency_bins=FFT_LENGTH // 2 + 1,
                num_mel_filters=extractor.num_mel_bins,
                min_frequency=20,
                max_frequency=SAMPLING_RATE // 2,
                sampling_rate=SAMPLING_RATE,
                norm=None,
                mel_scale="kaldi",
                triangularize_in_mel_space=True,
            )
        ).float()
        # The lower half of the bands hears but a quarter of the spectrum: two products cost half of one.
        low, high = filters.split([extractor.num_mel_bins // 2, -(-extractor.num_mel_bins // 2)], dim=1)
        self.low_end = int(low.any(1).nonzero().max()) + 1
        self.high_start = int(high.any(1).nonzero().min())
        self.register_buffer("low_filters", low[: self.low_end].contiguous())
        self.register_buffer("high_filters", high[self.high_start :].contiguous())
        # Without its first value, which is zero.
        self.window = torch.from_numpy(window_function(FRAME_LENGTH, "hann", periodic=False))[1:]

    @torch.no_grad()
    def forward(self, input_values: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
        """Waveforms (batch, samples) -> (batch, max_length, mel bands) float32, as an AST reads them.

        attention_mask: (batch, samples), 1 on a clip's samples, 0 on the padding that follows them. What lies beyond
        `max_length` frames is not heard; a clip of less than a frame, which stock code refuses, is filled with zeros.
        """
        longest = (self.max_length - 1) * HOP_LENGTH + FRAME_LENGTH
        waveforms = F.pad(input_values[:, :longest], (0, max(FRAME_LENGTH - input_values.shape[1], 0)))
        n_mels = self.low_filters.shape[1] + self.high_filters.shape[1]
        features = waveforms.new_zeros(len(waveforms), self.max_length, n_mels, dtype=torch.float32)
        # On a CPU clip by clip, which stays in its cache.
        together = 1 if waveforms.device.type == "cpu" else len(waveforms)
        for clips, rows in zip(waveforms.split(together), features.split(together), strict=True):
            energies = self._energies(clips)
            rows[:, : energies.shape[1]] = energies.clamp_(min=MEL_FLOOR).log_()
        if attention_mask is not None:
            n_samples = attention_mask.sum(-1, keepdim=True).clamp(min=FRAME_LENGTH)
            n_frames = 1 + (n_samples - FRAME_LENGTH) // HOP_LENGTH
            padding = torch.arange(self.max_length, device=features.device) >= n_frames
            features.masked_fill_(padding[:, :, None], 0)
        return features.sub_(self.mean).div_(self.scale)

    def _energies(self, waveforms: torch.Tensor) -> torch.Tensor:
        """(clips, samples) -> (clips, frames, mel bands) float32."""
        # In double precision, where there is one: beside a loud tone, what single precision loses is more than 1e-3.
        waveforms = waveforms.to(torch.float32 if waveforms.device.type == "mps" else torch.float64)
        # A constant taken from a frame before the pre-emphasis is 0.03 of it taken afterwards, but for the frame's
        # first sample, which the window silences.
        means = waveforms.unfold(1, FRAME_LENGTH, HOP_LENGTH).mean(-1, keepdim=True)
        emphasised = torch.add(waveforms[:, 1:], waveforms[:, :-1], alpha=-PREEMPHASIS)
        frames = emphasised.unfold(1, FRAME_LENGTH - 1, HOP_LENGTH) - (1 - PREEMPHASIS) * means
        spectrum = torch.fft.rfft(frames.mul_(self.window.to(waveforms)), FFT_LENGTH)
        power = (spectrum.real.square() + spectrum.imag.square()).float()
        with torch.autocast(waveforms.device.type, enabled=False):
            low = power[..., : self.low_end] @ self.low_filters
            return torch.cat([low, power[..., self.high_start :] @ self.high_filters], -1)


def is_ast(extractor: SequenceFeatureExtractor) -> bool:
    """Whether `KaldiFeatures` can take an extractor's place.

    Only at 16 kHz, as every published AST's: at other rates, stock code makes other features with torchaudio than
    without.
    """
    return type(extractor) is ASTFeatureExtractor and extractor.sampling_rate == SAMPLING_RATE


def kaldi_features(extractor: SequenceFeatureExtractor) -> KaldiFeatures | None:
    """The module in the place of an extractor, or `None` where that stays."""
    return KaldiFeatures(extractor) if is_ast(extractor) else None


__all__ = ["FRAME_LENGTH", "HOP_LENGTH", "KaldiFeatures", "is_ast", "kaldi_features"]
