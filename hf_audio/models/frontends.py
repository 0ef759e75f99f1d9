"""Waveform to features as batched modules: mel spectrogram in dB and MFCC, equal to librosa's, and augmentation."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from transformers.audio_utils import mel_filter_bank

from .configuration_audio_cnn import AudioCNNConfig


def length_mask(lengths: torch.Tensor, size: int) -> torch.Tensor:
    """True where a position lies within its clip. lengths: (batch,) -> (batch, size)."""
    return torch.arange(size, device=lengths.device) < lengths[:, None]


class Float32Module(nn.Module):
    """A layer that stays in float32, whatever the rest of the model is cast to.

    Decibels, their statistics, cepstra and resampled waveforms do not survive bfloat16's eight bits. A subclass makes
    its parameters and buffers with `dtype=torch.float32`.
    """

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> "Float32Module":
        """Follow the model to its device, but not to its type of numbers."""

        def keep_dtype(tensor: torch.Tensor) -> torch.Tensor:
            moved = fn(tensor)
            return moved if moved.dtype == tensor.dtype else tensor.to(moved.device)

        return super()._apply(keep_dtype, recurse)


class ConstantModule(Float32Module):
    """A layer whose buffers follow from the config, and so are kept out of the checkpoint.

    `from_pretrained` hands out empty non-persistent buffers; the model's `_init_weights` calls `reset_constants` to
    fill them. So does what leads a layer from the device "meta" to one with memory, as `to_empty` does.
    """

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> "ConstantModule":
        """Follow the model to its device, with values where there were none."""
        were_empty = self._are_empty()
        super()._apply(fn, recurse)
        if were_empty and not self._are_empty():
            self.reset_constants()
        return self

    def _are_empty(self) -> bool:
        return any(buffer.is_meta for buffer in self.buffers(recurse=False))

    def register_constants(self) -> None:
        """Make and fill the buffers; the last act of a subclass's `__init__`."""
        for name, array in self.constants().items():
            self.register_buffer(name, torch.empty(array.shape, dtype=torch.float32), persistent=False)
        self.reset_constants()

    def constants(self) -> dict[str, np.ndarray]:
        """The buffers by their names."""
        raise NotImplementedError

    @torch.no_grad()
    def reset_constants(self) -> None:
        """Fill the buffers."""
        for name, array in self.constants().items():
            getattr(self, name).copy_(torch.from_numpy(np.ascontiguousarray(array)))


class Resampler(ConstantModule):
    """Waveforms at another rate, by a windowed sinc filter for every phase: exact where no frequency is lost.

    Source: Smith, Digital Audio Resampling, https://ccrma.stanford.edu/~jos/resample/.
    """

    kernels: torch.Tensor
    ZERO_CROSSINGS = 32
    ROLLOFF = 0.95  # of half the lower rate, from where on the filter falls

    def __init__(self, old_rate: int, new_rate: int):
        super().__init__()
        shared = math.gcd(old_rate, new_rate)
        self.old, self.new = old_rate // shared, new_rate // shared
        self.cutoff = min(1.0, self.new / self.old) * self.ROLLOFF
        self.width = math.ceil(self.ZERO_CROSSINGS / self.cutoff)
        self.register_constants()

    def constants(self) -> dict[str, np.ndarray]:
        """A filter for each of the `new` samples that `old` samples become, (new, 1, taps)."""
        taps = np.arange(-self.width, self.old + self.width)
        time = taps - np.arange(self.new)[:, None] * self.old / self.new
        window = np.i0(10.0 * np.sqrt(np.clip(1 - (time / self.width) ** 2, 0, None))) / np.i0(10.0)
        window[np.abs(time) > self.width] = 0
        return {"kernels": (self.cutoff * np.sinc(self.cutoff * time) * window)[:, None]}

    def n_samples(self, n_samples: torch.Tensor) -> torch.Tensor:
        """How long clips are at the new rate. (batch,) -> (batch,)."""
        return (n_samples * self.new + self.old - 1) // self.old

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        """(batch, samples) -> (batch, resampled samples)."""
        if self.old == self.new:
            return waveform
        size = (waveform.shape[1] * self.new + self.old - 1) // self.old
        with torch.autocast(waveform.device.type, enabled=False):
            padded = F.pad(waveform.float(), (self.width, self.width + self.old))[:, None]
            phases = F.conv1d(padded, self.kernels, stride=self.old)  # (batch, new, blocks)
        return phases.transpose(1, 2).flatten(1)[:, :size]


class MelSpectrogram(ConstantModule):
    """Mel-band energies of centred, zero-padded frames, as `librosa.feature.melspectrogram` computes them."""

    window: torch.Tensor
    mel_filters: torch.Tensor

    def __init__(self, config: AudioCNNConfig):
        super().__init__()
        self.config = config
        self.register_constants()

    def constants(self) -> dict[str, np.ndarray]:
        """The Hann window and the filter bank (mels, bins)."""
        config = self.config
        filters = mel_filter_bank(
            num_frequency_bins=config.n_fft // 2 + 1,
            num_mel_filters=config.n_mels,
            min_frequency=config.f_min,
            max_frequency=config.f_max or config.sampling_rate / 2,
            sampling_rate=config.sampling_rate,
            norm=config.mel_norm,
            mel_scale=config.mel_scale,
        )
        window = 0.5 - 0.5 * np.cos(2 * math.pi * np.arange(config.win_length) / config.win_length)
        return {"window": window, "mel_filters": filters.T}

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        """waveform: (batch, samples) -> (batch, mels, 1 + samples // hop_length)."""
        with torch.autocast(waveform.device.type, enabled=False):
            spectrum = torch.stft(
                waveform.float(),
                self.config.n_fft,
                hop_length=self.config.hop_length,
                win_length=self.config.win_length,
                window=self.window,
                center=True,
                pad_mode="constant",
                return_complex=True,
            )
            # Fewer passes over a large array: in a small network the front-end's share of the time is felt.
            if self.training:
                # The same but for the last bit, which answers keep: in place, in the order in which the numbers lie.
                squares = torch.view_as_real(spectrum.transpose(1, 2)).square_()
                energy = (squares[..., 0] + squares[..., 1]).transpose(1, 2)  # (batch, bins, frames)
            else:
                energy = torch.addcmul(spectrum.real.square(), spectrum.imag, spectrum.imag)
            if self.config.power != 2:
                energy = energy ** (self.config.power / 2)
            return self.mel_filters @ energy


class LogMel(nn.Module):
    """Mel-band energies in dB, as `librosa.power_to_db` with reference 1 gives them."""

    def __init__(self, config: AudioCNNConfig):
        super().__init__()
        self.config = config
        self.mel = MelSpectrogram(config)

    def forward(self, waveform: torch.Tensor, n_frames: torch.Tensor | None = None) -> torch.Tensor:
        """waveform: (batch, samples), n_frames: (batch,) valid frames -> (batch, mels, frames) in dB."""
        with torch.autocast(waveform.device.type, enabled=False):
            decibels = 10 * torch.log10(self.mel(waveform).clamp(min=self.config.amin))
            if self.config.top_db is not None:
                loudness = decibels
                if n_frames is not None:
                    valid = length_mask(n_frames, decibels.shape[-1])[:, None, :]
                    loudness = decibels.masked_fill(~valid, -torch.inf)
                decibels = torch.maximum(decibels, loudness.amax(dim=(1, 2), keepdim=True) - self.config.top_db)
            return decibels


class MFCC(ConstantModule):
    """Mel-frequency cepstral coefficients, as `librosa.feature.mfcc` (orthonormal DCT-II) computes them."""

    dct: torch.Tensor

    def __init__(self, config: AudioCNNConfig):
        super().__init__()
        self.config = config
        self.log_mel = LogMel(config)
        self.register_constants()

    def constants(self) -> dict[str, np.ndarray]:
        """The cosine basis (coefficients, mels)."""
        n_mfcc, n_mels = self.config.n_mfcc, self.config.n_mels
        basis = np.cos(math.pi / n_mels * (np.arange(n_mels) + 0.5) * np.arange(n_mfcc)[:, None])
        basis *= math.sqrt(2 / n_mels)
        basis[0] /= math.sqrt(2)
        return {"dct": basis}

    def forward(self, waveform: torch.Tensor, n_frames: torch.Tensor | None = None) -> torch.Tensor:
        """waveform: (batch, samples), n_frames: (batch,) valid frames -> (batch, coefficients, frames)."""
        with torch.autocast(waveform.device.type, enabled=False):
            return self.dct @ self.log_mel(waveform, n_frames)


def center(features: torch.Tensor, n_frames: torch.Tensor | None) -> torch.Tensor:
    """Subtract each feature's mean over the clip's own frames. features: (batch, features, frames)."""
    if torch.compiler.is_exporting():
        # Other runtimes add up a thousand decibels one by one: small differences lose fewer digits than large values.
        features = features - features[..., :1]
    return features - mean_of_frames(features, n_frames)


def remove_level(features: torch.Tensor, n_frames: torch.Tensor | None) -> torch.Tensor:
    """Subtract the mean of all features over the clip's own frames. features: (batch, features, frames)."""
    if torch.compiler.is_exporting():
        features = features - features[:, :1, :1]
    return features - mean_of_frames(features, n_frames).mean(1, keepdim=True)


def mean_of_frames(features: torch.Tensor, n_frames: torch.Tensor | None) -> torch.Tensor:
    """(batch, features, frames), of which n_frames (batch,) are valid -> (batch, features, 1)."""
    if n_frames is None:
        return features.mean(-1, keepdim=True)
    valid = length_mask(n_frames, features.shape[-1])[:, None, :]
    return (features * valid).sum(-1, keepdim=True) / n_frames[:, None, None]


class FilterAugment(nn.Module):
    """Adds a random curve of gains over the mel bands to each clip, in training mode only.

    The curve is linear between six knots, evenly spaced over the bands, whose gains are normally distributed. Source:
    the linear type of Nam et al. 2022, https://arxiv.org/abs/2110.03282.
    """

    KNOTS = 6

    def __init__(self, config: AudioCNNConfig):
        super().__init__()
        self.db = config.filter_augment_db

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """features: (batch, mels, frames) in dB, the same shape back."""
        if not self.training or self.db == 0:
            return features
        gains = torch.randn(features.shape[0], 1, self.KNOTS, device=features.device, dtype=features.dtype) * self.db
        curve = F.interpolate(gains, size=features.shape[1], mode="linear", align_corners=True)  # (batch, 1, mels)
        return features + curve.transpose(1, 2)


class MelWarp(nn.Module):
    """Stretches the mel axis of each clip by a random factor, in training mode only, as other vocal tracts do.

    Source: vocal tract length perturbation, Jaitly and Hinton 2013.
    """

    def __init__(self, config: AudioCNNConfig):
        super().__init__()
        self.widest = config.mel_warp

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """features: (batch, mels, frames), the same shape back; above what was heard, the last band is repeated."""
        if not self.training or self.widest == 0:
            return features
        batch, n_mels, _ = features.shape
        factor = 1 + self.widest * (2 * torch.rand(batch, 1, device=features.device) - 1)
        position = (torch.arange(n_mels, device=features.device) * factor).clamp(max=n_mels - 1)  # (batch, mels)
        below = position.long().clamp(max=n_mels - 2)
        weight = (position - below)[:, :, None].to(features.dtype)
        row = torch.arange(batch, device=features.device)[:, None]
        return torch.lerp(features[row, below], features[row, below + 1], weight)


class TimeStretch(nn.Module):
    """Slows each clip down or speeds it up by a random factor, pitch unchanged, in training mode only.

    Frames of magnitudes have no phases to put right: those between two are a mean of both.
    """

    def __init__(self, config: AudioCNNConfig):
        super().__init__()
        self.widest = config.time_stretch

    def forward(
        self, features: torch.Tensor, n_frames: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Features (batch, features, frames) of which `n_frames` (batch,), by default all, are valid: both stretched.

        The array keeps its size: what would grow beyond it is stretched to its end.
        """
        if not self.training or self.widest == 0:
            return features, n_frames
        batch, _, size = features.shape
        if n_frames is None:
            n_frames = torch.full((batch,), size, device=features.device)
        # Evenly distributed logarithms: twice as fast is as likely as twice as slow.
        exponent = 2 * torch.rand(batch, device=features.device) - 1
        stretched = (n_frames * (1 + self.widest) ** exponent).round().clamp(min=1, max=size)
        step = (n_frames - 1).clamp(min=0) / (stretched - 1).clamp(min=1)
        position = torch.arange(size, device=features.device) * step[:, None]  # (batch, frames)
        last = n_frames[:, None] - 1
        below = torch.minimum(position.long(), last)
        above = torch.minimum(below + 1, last)
        weight = (position - below).clamp(max=1)[:, :, None].to(features.dtype)
        # Whole frames are picked, so they are laid out one after the other.
        frames, row = features.transpose(1, 2).contiguous(), torch.arange(batch, device=features.device)[:, None]
        return torch.lerp(frames[row, below], frames[row, above], weight).transpose(1, 2), stretched.long()


class SpecAugment(nn.Module):
    """Sets random bands of features and runs of frames to zero, in training mode only.

    Zero is the mean of the features where it is applied. Source: Park et al. 2019, https://arxiv.org/abs/1904.08779.
    """

    def __init__(self, config: AudioCNNConfig):
        super().__init__()
        self.time = (config.time_mask_count, config.time_mask_frames)
        self.freq = (config.freq_mask_count, config.freq_mask_bins)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """features: (batch, features, frames), the same shape back."""
        if not self.training:
            return features
        keep = self._draw(features, -1, *self.time) & self._draw(features, 1, *self.freq)
        return features * keep

    @staticmethod
    def _draw(features: torch.Tensor, dim: int, count: int, widest: int) -> torch.Tensor:
        """True where kept: one draw a clip, widths uniform in 0..widest."""
        size, batch = features.shape[dim], features.shape[0]
        width = torch.randint(0, widest + 1, (batch, count, 1), device=features.device)
        start = (torch.rand(batch, count, 1, device=features.device) * (size - width).clamp(min=0)).long()
        position = torch.arange(size, device=features.device)
        masked = ((position >= start) & (position < start + width)).any(1)  # (batch, size)
        return ~masked[:, None, :] if dim == -1 else ~masked[:, :, None]


FRONTENDS = {"log_mel": LogMel, "mfcc": MFCC}
