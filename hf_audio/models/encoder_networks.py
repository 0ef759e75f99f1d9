"""Networks that were trained elsewhere, with the front-ends they were trained on: waveform in, a vector a window out.

Each gives the numbers of its original code. Padding changes no answer: a clip's windows are those that it has when it
stands alone. A clip shorter than a window is heard with silence behind it, or around it where the original does not
say.
"""

import itertools
import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from .configuration_audio_cnn import AudioCNNConfig
from .configuration_audio_encoder import ENCODERS, QUIET_SECONDS, AudioEncoderConfig
from .frontends import MelSpectrogram, length_mask


def cut_frames(features: torch.Tensor, n_windows: int, size: int, hop: int) -> torch.Tensor:
    """Windows of `size` frames, one every `hop`: (batch, features, frames) -> (batch x windows, size, features)."""
    starts = torch.arange(n_windows, device=features.device) * hop
    place = starts[:, None] + torch.arange(size, device=features.device)
    windows = features.transpose(1, 2)[:, place]  # (batch, windows, size, features)
    return windows.flatten(0, 1)


class EncoderNetwork(nn.Module):
    """From waveforms to the vectors of their windows. A subclass says how.

    Args:
        config: of the encoder; what a network is made of follows from its kind.
    """

    frontend: MelSpectrogram
    layers: nn.ModuleList
    """One upon the other, for learning rates that fall with depth."""

    def __init__(self, config: AudioEncoderConfig):
        super().__init__()

    def n_windows(self, n_samples: torch.Tensor) -> torch.Tensor:
        """How many windows clips of these lengths have, one at least. (batch,), and the same back."""
        raise NotImplementedError

    def forward(
        self, input_values: torch.Tensor, n_samples: torch.Tensor, hidden_states: list[torch.Tensor] | None = None
    ) -> torch.Tensor:
        """input_values: (batch, samples), of which n_samples: (batch,) are signal -> (batch, windows, size).

        What lies behind a clip's own windows is of no meaning. hidden_states: a list to which what each layer gives is
        appended, (batch, channels, frames, bands), or with batch x windows in front; of LSTMs, (batch x windows,
        frames, size).
        """
        raise NotImplementedError

    def pool(self, embeddings: torch.Tensor, n_windows: torch.Tensor) -> torch.Tensor:
        """The mean over each clip's own windows. (batch, windows, size) -> (batch, size)."""
        own = length_mask(n_windows, embeddings.shape[1])[:, :, None].to(embeddings.dtype)
        return (embeddings * own).sum(1) / n_windows[:, None].to(embeddings.dtype)


class SpeakerEncoder(EncoderNetwork):
    """Who speaks: three LSTMs over 1.6 s of speech, whose last state is the voice.

    Quiet clips are raised to -30 dBFS first. Source: Resemblyzer 0.1.4, after Wan et al. 2018, generalized end-to-end
    loss for speaker verification, https://arxiv.org/abs/1710.10467.
    """

    HOP_LENGTH, FRAMES, HOP_FRAMES = 160, 160, 77  # partial utterances, 1.3 a second
    COVERAGE = 0.75  # of the last one, at the least, if it is not the only one
    LOUDNESS = -30.0  # dB of full scale
    HIDDEN_SIZE = 256

    def __init__(self, config: AudioEncoderConfig):
        super().__init__(config)
        mels = AudioCNNConfig(sampling_rate=16000, n_fft=400, win_length=400, hop_length=160, n_mels=40, f_min=0.0)
        self.frontend = MelSpectrogram(mels)
        sizes = [mels.n_mels, *[self.HIDDEN_SIZE] * 3]
        self.layers = nn.ModuleList(
            nn.LSTM(before, after, batch_first=True) for before, after in itertools.pairwise(sizes)
        )
        self.projection = nn.Linear(self.HIDDEN_SIZE, ENCODERS["ge2e"].embedding_size)

    def n_windows(self, n_samples: torch.Tensor) -> torch.Tensor:
        """See `EncoderNetwork.n_windows`."""
        covered = round(self.COVERAGE * self.FRAMES * self.HOP_LENGTH)
        return 1 + (n_samples - covered).clamp(min=0) // (self.HOP_FRAMES * self.HOP_LENGTH)

    def forward(
        self, input_values: torch.Tensor, n_samples: torch.Tensor, hidden_states: list[torch.Tensor] | None = None
    ) -> torch.Tensor:
        """See `EncoderNetwork.forward`."""
        covered = round(self.COVERAGE * self.FRAMES * self.HOP_LENGTH)
        length = input_values.shape[1]
        n_windows = 1 + torch.sym_max(length - covered, 0) // (self.HOP_FRAMES * self.HOP_LENGTH)
        loud = self._raise(input_values.float(), n_samples)
        mels = self.frontend(F.pad(loud, (0, self.FRAMES * self.HOP_LENGTH)))  # energies, no decibels
        x = cut_frames(mels, n_windows, self.FRAMES, self.HOP_FRAMES).to(self.projection.weight.dtype)
        for layer in self.layers:
            x, (state, _) = layer(x)
            if hidden_states is not None:
                hidden_states.append(x)
        voices = torch.relu(self.projection(state[-1]))  # (batch x windows, size)
        return F.normalize(voices, dim=1).unflatten(0, (input_values.shape[0], -1))

    def pool(self, embeddings: torch.Tensor, n_windows: torch.Tensor) -> torch.Tensor:
        """The mean over each clip's own windows, of length 1. (batch, windows, size) -> (batch, size)."""
        return F.normalize(super().pool(embeddings, n_windows), dim=1)

    def _raise(self, waveform: torch.Tensor, n_samples: torch.Tensor) -> torch.Tensor:
        power = waveform.square().sum(1, keepdim=True) / n_samples[:, None]
        wanted = 10 ** (self.LOUDNESS / 10)
        # Digital silence stays silent.
        return waveform * (wanted / power.clamp(min=1e-20)).sqrt().clamp(min=1.0)


class SpeechEmbedding(EncoderNetwork):
    """What is said: convolutions over 0.76 s of speech, computed once for all windows, one every 80 ms.

    Source: Google's speech embedding as pyopen-wakeword 1.1.0 carries it, after Lin et al. 2020, training keyword
    spotters with limited and synthesized speech data, https://arxiv.org/abs/2002.01322.
    """

    FRAMES, HOP_FRAMES, HOP_LENGTH, N_FFT = 76, 8, 160, 512
    # Its first frame begins with the clip, and the front-end's half a frame before. With so many zeros in front of the
    # clip, the front-end's third one does.
    BEFORE = 2 * HOP_LENGTH - N_FFT // 2
    FULL_SCALE = 32768.0  # it hears 16-bit integers
    TOP_DB = 80.0
    CHANNELS = (24, 48, 72, 96, 96)
    POOLING = ((2, 2), (1, 2), (2, 2), (1, 2), (2, 2))  # in time and frequency

    def __init__(self, config: AudioEncoderConfig):
        super().__init__(config)
        mels = AudioCNNConfig(
            sampling_rate=16000, n_fft=512, win_length=400, hop_length=160, n_mels=32, f_min=60.0, f_max=3800.0
        )
        self.frontend = MelSpectrogram(mels)
        self.amin = mels.amin
        self.min_samples = config.min_samples
        self.quiet_samples = round(QUIET_SECONDS * mels.sampling_rate)
        before = (1, *self.CHANNELS)
        self.layers = nn.ModuleList(
            SpeechStage(before[place], channels, self.POOLING[place], is_first=place == 0)
            for place, channels in enumerate(self.CHANNELS)
        )
        self.projection = nn.Conv2d(self.CHANNELS[-1], ENCODERS["speech"].embedding_size, (3, 1))

    def n_windows(self, n_samples: torch.Tensor) -> torch.Tensor:
        """See `EncoderNetwork.n_windows`."""
        behind = self._n_heard(n_samples) - ENCODERS["speech"].window_samples
        return 1 + behind.clamp(min=0) // (self.HOP_FRAMES * self.HOP_LENGTH)

    def forward(
        self, input_values: torch.Tensor, n_samples: torch.Tensor, hidden_states: list[torch.Tensor] | None = None
    ) -> torch.Tensor:
        """See `EncoderNetwork.forward`."""
        waveform = self._surround(input_values.float(), n_samples)
        n_frames = 1 + (self._n_heard(n_samples) - self.N_FFT) // self.HOP_LENGTH
        size = 1 + (waveform.shape[1] - self.N_FFT) // self.HOP_LENGTH
        mels = self.frontend(F.pad(waveform * self.FULL_SCALE, (self.BEFORE, 0)))[:, :, 2 : 2 + size]
        decibels = 10 * torch.log10(mels.clamp(min=self.amin))
        valid = length_mask(n_frames, decibels.shape[-1])[:, None, :]
        loudest = decibels.masked_fill(~valid, -torch.inf).amax(dim=(1, 2), keepdim=True)
        x = (torch.maximum(decibels, loudest - self.TOP_DB) / 10 + 2).transpose(1, 2)[:, None]
        x = x.to(self.projection.weight.dtype)  # (batch, 1, frames, mels)
        for layer in self.layers:
            x = layer(x)
            if hidden_states is not None:
                hidden_states.append(x)
        return self.projection(x)[:, :, :, 0].transpose(1, 2)

    def _n_heard(self, n_samples: torch.Tensor) -> torch.Tensor:
        return torch.where(n_samples < self.min_samples, self.quiet_samples, n_samples)

    def _surround(self, waveform: torch.Tensor, n_samples: torch.Tensor) -> torch.Tensor:
        """Put short clips into the middle of silence. (batch, samples) -> (batch, samples or more)."""
        traced = torch.compiler.is_exporting() or torch.compiler.is_compiling()  # such graphs have no branches
        short = n_samples < self.min_samples
        if not traced and not bool(short.any()):
            return waveform
        size = torch.sym_max(waveform.shape[1], self.quiet_samples)
        waveform = F.pad(waveform, (0, size - waveform.shape[1]))
        left = torch.where(short, (self.quiet_samples - n_samples) // 2, 0)
        source = torch.arange(size, device=waveform.device) - left[:, None]
        return waveform.gather(1, source.clamp(min=0)) * (source >= 0)


class SpeechStage(nn.Module):
    """Convolutions over frequency and time in turns, of which those over time add no frames of their own."""

    SLOPE, FLOOR = 0.2, -0.4

    def __init__(self, in_channels: int, channels: int, pooling: tuple[int, int], is_first: bool):
        super().__init__()
        shapes = [(3, 3), (1, 3), (3, 1)] if is_first else [(1, 3), (3, 1), (1, 3), (3, 1)]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(channels if place else in_channels, channels, shape, padding=(0, shape[1] // 2))
            for place, shape in enumerate(shapes)
        )
        self.pooling = nn.MaxPool2d(pooling)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (batch, channels, frames, bands)."""
        for convolution in self.convolutions:
            x = F.leaky_relu(convolution(x), self.SLOPE).clamp(min=self.FLOOR)
        return self.pooling(x)


class EssentiaMelSpectrogram(MelSpectrogram):
    """Mel-band energies as Essentia's `MelBands` computes them: HTK's scale, triangles straight on it, of sum 1."""

    def constants(self) -> dict[str, np.ndarray]:
        """The Hann window, whose last value is 0 too, and the filter bank (mels, bins)."""
        config = self.config
        frequencies = np.arange(config.n_fft // 2 + 1) * config.sampling_rate / config.n_fft
        mels = 1127.01048 * np.log1p(frequencies / 700)
        corners = np.linspace(mels[0], mels[-1], config.n_mels + 2)[:, None]
        width = corners[1] - corners[0]
        filters = np.clip(np.minimum(mels - corners[:-2], corners[2:] - mels) / width, 0, None)
        window = 0.5 - 0.5 * np.cos(2 * math.pi * np.arange(config.win_length) / (config.win_length - 1))
        return {"window": window, "mel_filters": filters / filters.sum(1, keepdims=True)}


class SoundEffects(EncoderNetwork):
    """What sounds: nine layers, eight of them convolutions, over blocks of 2.3 s, one every 1.2 s.

    The last block is left out where it is not full, unless it is the only one. Source: aisfx 0.1.2, Ma and Lerch 2022,
    representation learning for the automatic indexing of sound effects libraries, https://arxiv.org/abs/2208.09096.
    """

    FRAMES, HOP_FRAMES, HOP_LENGTH = 100, 50, 1024
    LOUDEST = 9.457798957824707  # in all that it was trained on
    CHANNELS = (64, 128, 256, 512)

    def __init__(self, config: AudioEncoderConfig):
        super().__init__(config)
        mels = AudioCNNConfig(sampling_rate=44100, n_fft=2048, win_length=2048, hop_length=1024, n_mels=96, f_min=0.0)
        self.frontend = EssentiaMelSpectrogram(mels)
        before = (1, *self.CHANNELS)
        self.layers = nn.ModuleList(
            EffectsBlock(before[place], channels, pool=place < len(self.CHANNELS) - 1)
            for place, channels in enumerate(self.CHANNELS)
        )

    def n_windows(self, n_samples: torch.Tensor) -> torch.Tensor:
        """See `EncoderNetwork.n_windows`."""
        n_frames = 1 + (n_samples + self.HOP_LENGTH - 1) // self.HOP_LENGTH
        return 1 + (n_frames - self.FRAMES).clamp(min=0) // self.HOP_FRAMES

    def forward(
        self, input_values: torch.Tensor, n_samples: torch.Tensor, hidden_states: list[torch.Tensor] | None = None
    ) -> torch.Tensor:
        """See `EncoderNetwork.forward`."""
        hop = self.HOP_LENGTH
        n_frames = 1 + (input_values.shape[1] + hop - 1) // hop
        n_windows = 1 + torch.sym_max(n_frames - self.FRAMES, 0) // self.HOP_FRAMES
        energies = self.frontend(F.pad(input_values.float(), (0, self.FRAMES * hop)))
        loudness = torch.log10(1e4 * energies + 1) / self.LOUDEST
        x = cut_frames(loudness, n_windows, self.FRAMES, self.HOP_FRAMES)[:, None]
        x = x.to(next(self.layers.parameters()).dtype)  # (batch x windows, 1, frames, mels)
        for layer in self.layers:
            x = layer(x)
            if hidden_states is not None:
                hidden_states.append(x)
        return x.mean(3).amax(2).unflatten(0, (input_values.shape[0], -1))


class EffectsBlock(nn.Module):
    """Two 3x3 convolutions, then perhaps a pooling that halves frames and bands."""

    def __init__(self, in_channels: int, channels: int, pool: bool):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.pooling = nn.MaxPool2d(2) if pool else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (batch, channels, frames, bands)."""
        x = torch.relu(self.bn1(self.conv1(x)))
        return self.pooling(torch.relu(self.bn2(self.conv2(x))))


NETWORKS: dict[str, type[EncoderNetwork]] = {"ge2e": SpeakerEncoder, "speech": SpeechEmbedding, "sfx": SoundEffects}
