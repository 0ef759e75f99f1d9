"""The small CNNs: features to a sequence of embeddings, aware of which frames belong to the clip.

Every backbone takes `(features, n_frames)` and returns `(embeddings, n_frames)`; what each of its layers gives is
appended to `hidden_states`, where there is such a list. Whatever lies behind a clip's end is set to zero before each
convolution, which is what a convolution sees at the edge of a clip that stands alone: so a clip's scores do not depend
on the longer clips in its batch.
"""

import itertools
from collections.abc import Iterable

import torch
from torch import nn
from torch.nn import functional as F
from transformers.modeling_layers import GradientCheckpointingLayer

from .configuration_audio_cnn import AudioCNNConfig
from .frontends import length_mask


def mask_frames(x: torch.Tensor, n_frames: torch.Tensor | None) -> torch.Tensor:
    """Zero what lies behind each clip's end. x: (batch, ..., frames); `None` means that every frame counts."""
    if n_frames is None:
        return x
    mask = length_mask(n_frames, x.shape[-1]).to(x.dtype)
    mask = mask.view(mask.shape[0], *[1] * (x.dim() - 2), -1)
    if x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last):
        # In that layout, one value for all channels is multiplied far more slowly than a value for each.
        mask = mask.expand(-1, x.shape[1], -1, -1).contiguous(memory_format=torch.channels_last)
    return x * mask


def band_bias(channels: int, n_bands: int | None) -> nn.Parameter | None:
    """What a layer adds to every band, (1, channels, bands, 1), or nothing where it shall not know which one it is."""
    return None if n_bands is None else nn.Parameter(torch.zeros(1, channels, n_bands, 1))


def apply_blocks(
    blocks: Iterable[nn.Module],
    x: torch.Tensor,
    n_frames: torch.Tensor | None,
    hidden_states: list[torch.Tensor] | None,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """One block after the other, each of which takes and returns `(x, n_frames)`."""
    for block in blocks:
        x, n_frames = block(x, n_frames)
        if hidden_states is not None:
            hidden_states.append(x)
    return x, n_frames


class ResidualBlock(GradientCheckpointingLayer):
    """Two 3x3 convolutions around a shortcut, and a pooling that halves features, and perhaps frames.

    Dense convolutions rather than depthwise ones: on a CPU in bfloat16 they reach several times the arithmetic rate.

    Args:
        in_channels, out_channels: of the convolutions.
        pool: over how many features and frames; `None`: over none.
        n_bands: that get a bias each, where they do.
        early_pooling: whether it pools between the convolutions, and not behind the block.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        pool: tuple[int, int] | None,
        n_bands: int | None = None,
        early_pooling: bool = False,
    ):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1, bias=False) if in_channels != out_channels else None
        self.pool = None if pool is None else nn.AvgPool2d(pool)
        self.n_pooled_frames = 1 if pool is None else pool[1]
        self.early_pooling = early_pooling
        self.band_bias = band_bias(out_channels, n_bands)

    def forward(self, x: torch.Tensor, n_frames: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor | None]:
        """x: (batch, channels, features, frames)."""
        x = mask_frames(x, n_frames)
        y = self.norm1(self.conv1(x))
        if self.band_bias is not None:
            y = y + self.band_bias
        y = torch.relu(y)
        if self.pool is not None and self.early_pooling:
            x, y = self.pool(x), self.pool(y)
            n_frames = self._count_pooled(n_frames)
        y = self.norm2(self.conv2(mask_frames(y, n_frames)))
        y = torch.relu(y + (x if self.shortcut is None else self.shortcut(x)))
        if self.pool is None or self.early_pooling:
            return y, n_frames
        return self.pool(y), self._count_pooled(n_frames)

    def _count_pooled(self, n_frames: torch.Tensor | None) -> torch.Tensor | None:
        return None if n_frames is None else n_frames // self.n_pooled_frames


class ResNet(nn.Module):
    """The default for log-mels: a convolution, then residual blocks, time and frequency halved between stages.

    With `time_halvings`, the later stages leave the frames as many as they are.

    No block works at full resolution, where a few channels would cost half of the arithmetic.
    """

    def __init__(self, config: AudioCNNConfig):
        super().__init__()
        sizes = config.hidden_sizes
        strided = config.stem_stride == 2
        # A stride, because normalising and rectifying at full resolution is slow for how little it computes.
        self.stem = nn.Conv2d(
            1, sizes[0], 5 if strided else 3, stride=config.stem_stride, padding=2 if strided else 1, bias=False
        )
        self.norm = nn.BatchNorm2d(sizes[0])
        self.pool = nn.Identity() if strided else nn.AvgPool2d(2)
        # A convolution takes all bands alike. Where it counts which one a pattern lies in, they get a bias each.
        n_bands: list[int | None] = [None] * len(sizes)
        if config.knows_bands:
            halved = (config.n_features + strided) // 2
            first = halved if strided else config.n_features
            n_bands = [first, *(halved // 2**stage for stage in range(len(sizes) - 1))]
        self.band_bias = band_bias(sizes[0], n_bands[0])
        last = len(sizes) - 1
        pools = [
            None if stage == last else (2, 2 if stage < config.n_time_halvings else 1) for stage in range(1, last + 1)
        ]
        self.blocks = nn.ModuleList(
            ResidualBlock(before, after, pool, n_bands[stage], config.early_pooling)
            for stage, (pool, (before, after)) in enumerate(zip(pools, itertools.pairwise(sizes), strict=True), 1)
        )

    @property
    def input_dtype(self) -> torch.dtype:
        """The type of the features that it reads."""
        return self.stem.weight.dtype

    def forward(
        self, features: torch.Tensor, n_frames: torch.Tensor | None, hidden_states: list[torch.Tensor] | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """features: (batch, features, frames) -> (batch, channels, frames / 2**halvings)."""
        x = mask_frames(features, n_frames)[:, None]  # (batch, 1, features, frames)
        x = self.norm(self.stem(x))
        if self.band_bias is not None:
            x = x + self.band_bias
        x = self.pool(torch.relu(x))
        if n_frames is not None:
            n_frames = (n_frames + self.stem.stride[0] - 1) // 2  # a pooling drops an odd frame, a stride keeps it
        if hidden_states is not None:
            hidden_states.append(x)
        x, n_frames = apply_blocks(self.blocks, x, n_frames, hidden_states)
        return x.mean(2), n_frames


class Conv1dBlock(GradientCheckpointingLayer):
    """A convolution over time that reads all features at once, then a pooling that halves the frames."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, pool: bool):
        super().__init__()
        self.conv = nn.Conv1d(in_channels, out_channels, kernel_size, padding="same", bias=False)
        self.norm = nn.BatchNorm1d(out_channels)
        self.pool = nn.MaxPool1d(2) if pool else None

    def forward(self, x: torch.Tensor, n_frames: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor | None]:
        """x: (batch, channels, frames)."""
        x = torch.relu(self.norm(self.conv(mask_frames(x, n_frames))))
        if self.pool is None:
            return x, n_frames
        return self.pool(x), None if n_frames is None else n_frames // 2


class Conv1dNet(nn.Module):
    """The CNN for MFCCs: neighbouring coefficients are not alike, so they are channels and only time is convolved."""

    def __init__(self, config: AudioCNNConfig):
        super().__init__()
        sizes = config.hidden_sizes
        self.blocks = nn.ModuleList(
            Conv1dBlock(before, after, config.kernel_size, pool=stage < config.n_time_halvings)
            for stage, (before, after) in enumerate(zip([config.n_features, *sizes[:-1]], sizes, strict=True))
        )

    @property
    def input_dtype(self) -> torch.dtype:
        """The type of the features that it reads."""
        first = self.blocks[0]
        assert isinstance(first, Conv1dBlock)
        return first.conv.weight.dtype

    def forward(
        self, features: torch.Tensor, n_frames: torch.Tensor | None, hidden_states: list[torch.Tensor] | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """features: (batch, features, frames) -> (batch, channels, frames / 2**halvings)."""
        return apply_blocks(self.blocks, features, n_frames, hidden_states)


class ShuffleUnit(GradientCheckpointingLayer):
    """The unit of ShuffleNet V2: half of the channels pass by, or, with a stride, both halves are halved in size."""

    def __init__(self, in_channels: int, out_channels: int, stride: int):
        super().__init__()
        half = out_channels // 2
        self.stride = stride
        # A stage's first unit reads all channels in both branches. The layers' order is torchvision's.
        self.branch1 = nn.Sequential()
        if stride > 1:
            self.branch1 = nn.Sequential(
                _depthwise(in_channels, stride), nn.BatchNorm2d(in_channels), *_pointwise(in_channels, half)
            )
        self.branch2 = nn.Sequential(
            *_pointwise(in_channels if stride > 1 else half, half),
            _depthwise(half, stride),
            nn.BatchNorm2d(half),
            *_pointwise(half, half),
        )

    def forward(self, x: torch.Tensor, n_frames: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor | None]:
        """x: (batch, channels, features, frames)."""
        x = mask_frames(x, n_frames)
        left, right = (x, x) if self.stride > 1 else x.chunk(2, dim=1)
        right = mask_frames(self.branch2[:3](right), n_frames)  # what the depthwise convolution reads
        joined = torch.stack([self.branch1(left), self.branch2[3:](right)], dim=2)  # (batch, half, 2, ...)
        if n_frames is not None:
            n_frames = (n_frames + self.stride - 1) // self.stride
        return joined.flatten(1, 2), n_frames  # the two halves shuffled


def _depthwise(channels: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, 3, stride=stride, padding=1, groups=channels, bias=False)


def _pointwise(in_channels: int, out_channels: int) -> list[nn.Module]:
    return [nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU()]


class ShuffleNet(nn.Module):
    """ShuffleNet V2 with a stem of one channel; its weights have torchvision's names and, but for the stem, shapes.

    `hidden_sizes` of [24, 48, 96, 192, 1024] are its size x0.5. Source: Ma et al. 2018,
    https://arxiv.org/abs/1807.11164.
    """

    REPEATS = (4, 8, 4)

    def __init__(self, config: AudioCNNConfig):
        super().__init__()
        stem, *stages, last = config.hidden_sizes
        self.conv1 = nn.Sequential(
            nn.Conv2d(1, stem, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(stem), nn.ReLU()
        )
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.stage2, self.stage3, self.stage4 = (
            nn.ModuleList(ShuffleUnit(after if i else before, after, stride=1 if i else 2) for i in range(repeats))
            for before, after, repeats in zip([stem, *stages], stages, self.REPEATS, strict=False)
        )
        self.conv5 = nn.Sequential(*_pointwise(stages[-1], last))

    @property
    def input_dtype(self) -> torch.dtype:
        """The type of the features that it reads."""
        first = self.conv1[0]
        assert isinstance(first, nn.Conv2d)
        return first.weight.dtype

    def forward(
        self, features: torch.Tensor, n_frames: torch.Tensor | None, hidden_states: list[torch.Tensor] | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """features: (batch, features, frames) -> (batch, channels, frames / 32)."""
        x = self.conv1(mask_frames(features, n_frames)[:, None])
        if n_frames is not None:
            n_frames = (n_frames + 1) // 2
        x = self.maxpool(mask_frames(x, n_frames))  # after a ReLU, the zeros of the padding are never the largest
        if n_frames is not None:
            n_frames = (n_frames + 1) // 2
        if hidden_states is not None:
            hidden_states.append(x)
        units = itertools.chain(self.stage2, self.stage3, self.stage4)
        x, n_frames = apply_blocks(units, x, n_frames, hidden_states)
        x = self.conv5(x)
        if hidden_states is not None:
            hidden_states.append(x)
        return x.mean(2), n_frames


class CanvasBlock(GradientCheckpointingLayer):
    """A convolution, then perhaps a pooling over 3x3 neighbours, for inputs that all have one length."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: tuple[int, int] = (1, 1),
        pool_stride: tuple[int, int] | None = None,
    ):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, kernel_size // 2, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)
        self.pool = nn.Identity() if pool_stride is None else nn.MaxPool2d(3, pool_stride, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (batch, channels, features, frames)."""
        return self.pool(torch.relu(self.norm(self.conv(x))))


class CanvasNet(nn.Module):
    """A plain stack of `CanvasBlock`s, which knows no padding: all that it reads counts as signal."""

    def __init__(self, *blocks: CanvasBlock):
        super().__init__()
        self.blocks = nn.Sequential(*blocks)

    @property
    def input_dtype(self) -> torch.dtype:
        """The type of the features that it reads."""
        first = self.blocks[0]
        assert isinstance(first, CanvasBlock)
        return first.conv.weight.dtype

    def forward(
        self, features: torch.Tensor, n_frames: torch.Tensor | None, hidden_states: list[torch.Tensor] | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """features: (batch, features, frames) -> (batch, channels, frames), the maximum over frequencies."""
        x = features[:, None]
        for block in self.blocks:
            x = block(x)
            if hidden_states is not None:
                hidden_states.append(x)
        return x.amax(2), None


class AlexNet(CanvasNet):
    """Five convolutions, large steps in time first: AlexNet's, shaped for spectrograms as two of its users did.

    Source: Krizhevsky et al. 2012, and the solutions of FSDKaggle2018 that took it for log-mels.
    """

    def __init__(self, config: AudioCNNConfig):
        a, b, c, d, e = config.hidden_sizes
        super().__init__(
            CanvasBlock(1, a, 11, stride=(2, 3), pool_stride=(1, 2)),
            CanvasBlock(a, b, 5, stride=(2, 3), pool_stride=(1, 2)),
            CanvasBlock(b, c, 3),
            CanvasBlock(c, d, 3),
            CanvasBlock(d, e, 3, pool_stride=(1, 2)),
        )


class CNN3(CanvasNet):
    """Three convolutions with poolings between them: the baseline of FSDKaggle2018.

    Source: Fonseca et al. 2018, https://arxiv.org/abs/1807.09902.
    """

    def __init__(self, config: AudioCNNConfig):
        a, b, c = config.hidden_sizes
        super().__init__(
            CanvasBlock(1, a, 7, pool_stride=(2, 2)), CanvasBlock(a, b, 5, pool_stride=(2, 2)), CanvasBlock(b, c, 3)
        )


class ContextBlock(GradientCheckpointingLayer):
    """A dilated convolution over time around a shortcut: a frame learns what is said before and after it."""

    def __init__(self, channels: int, dilation: int):
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation, bias=False)
        self.norm = nn.BatchNorm1d(channels)

    def forward(self, x: torch.Tensor, n_frames: torch.Tensor | None) -> torch.Tensor:
        """x: (batch, channels, frames), the same shape back."""
        return x + torch.relu(self.norm(self.conv(mask_frames(x, n_frames))))


class Pooling(nn.Module):
    """What becomes of a clip's frames: as many numbers a channel as `n_statistics` says."""

    n_statistics = 1


class MeanMaxPooling(Pooling):
    """Mean and maximum over a clip's own frames, summed (as in PANNs, https://arxiv.org/abs/1912.10211)."""

    def forward(self, embeddings: torch.Tensor, n_frames: torch.Tensor | None) -> torch.Tensor:
        """embeddings: (batch, channels, frames) -> (batch, channels)."""
        return mean_over_frames(embeddings, n_frames) + max_over_frames(embeddings, n_frames)


class MeanPooling(Pooling):
    """Mean over a clip's own frames."""

    def forward(self, embeddings: torch.Tensor, n_frames: torch.Tensor | None) -> torch.Tensor:
        """embeddings: (batch, channels, frames) -> (batch, channels)."""
        return mean_over_frames(embeddings, n_frames)


class MaxPooling(Pooling):
    """Maximum over a clip's own frames."""

    def forward(self, embeddings: torch.Tensor, n_frames: torch.Tensor | None) -> torch.Tensor:
        """embeddings: (batch, channels, frames) -> (batch, channels)."""
        return max_over_frames(embeddings, n_frames)


class MeanStdPooling(Pooling):
    """Mean and standard deviation over a clip's own frames, one behind the other.

    How much a voice's resonances move tells as much about it as where they lie. Source: the statistics pooling of
    x-vectors, Snyder et al. 2018.
    """

    n_statistics = 2

    def forward(self, embeddings: torch.Tensor, n_frames: torch.Tensor | None) -> torch.Tensor:
        """embeddings: (batch, channels, frames) -> (batch, 2 * channels)."""
        exact = embeddings.float()  # a variance of bfloat16's three digits is none
        mean = mean_over_frames(exact, n_frames)
        variance = mean_over_frames((exact - mean[:, :, None]).square(), n_frames)
        return torch.cat([mean, (variance + 1e-5).sqrt()], dim=1).to(embeddings.dtype)


class MeanStdRisePooling(MeanStdPooling):
    """As `MeanStdPooling`, and how much the embeddings rise, of means of four frames from one to the next.

    So a clip with knocks differs from one that is as loud on average. It needs eight frames.
    """

    n_statistics = 3
    STEP = 4  # frames

    def forward(self, embeddings: torch.Tensor, n_frames: torch.Tensor | None) -> torch.Tensor:
        """embeddings: (batch, channels, frames) -> (batch, 3 * channels)."""
        means = F.avg_pool1d(embeddings.float(), self.STEP)  # (batch, channels, frames / 4)
        squares = (means[:, :, 1:] - means[:, :, :-1]).clamp(min=0).square()
        rise = mean_over_frames(squares, None if n_frames is None else n_frames // self.STEP - 1)
        return torch.cat([super().forward(embeddings, n_frames), (rise + 1e-5).sqrt().to(embeddings.dtype)], dim=1)


def max_over_frames(x: torch.Tensor, n_frames: torch.Tensor | None) -> torch.Tensor:
    """x: (batch, channels, frames) -> (batch, channels)."""
    if n_frames is not None:
        x = x.masked_fill(~length_mask(n_frames, x.shape[-1])[:, None, :], -torch.inf)
    return x.amax(-1)


def mean_over_frames(x: torch.Tensor, n_frames: torch.Tensor | None) -> torch.Tensor:
    """x: (batch, channels, frames) -> (batch, channels)."""
    if n_frames is None:
        return x.mean(-1)
    return (x * length_mask(n_frames, x.shape[-1])[:, None, :]).sum(-1) / n_frames[:, None]


def pool_frame_logits(logits: torch.Tensor, n_frames: torch.Tensor | None) -> torch.Tensor:
    """A clip's logit of each label by its frames': the mean of their probabilities, each weighted by itself.

    So a clip's probability lies between those of its frames, and a short event is not lost among many others. Source:
    linear softmax, Wang, Li and Metze 2019, https://arxiv.org/abs/1810.09050. In logarithms, which saturate nowhere.

    logits: (batch, frames, labels) -> (batch, labels).
    """
    present, absent = F.logsigmoid(logits), F.logsigmoid(-logits)
    if n_frames is not None:
        present = present.masked_fill(~length_mask(n_frames, logits.shape[1])[:, :, None], -torch.inf)
    return (2 * present).logsumexp(1) - (present + absent).logsumexp(1)


class AttentionPooling(nn.Module):
    """A weighted mean of a clip's frames for each output; the weights are computed from the frames."""

    def __init__(self, channels: int, n_outputs: int):
        super().__init__()
        self.score = nn.Conv1d(channels, n_outputs, 1)

    def forward(self, embeddings: torch.Tensor, n_frames: torch.Tensor | None) -> torch.Tensor:
        """embeddings: (batch, channels, frames) -> (batch, outputs, channels)."""
        scores = self.score(embeddings).float()  # (batch, outputs, frames)
        if n_frames is not None:
            scores = scores.masked_fill(~length_mask(n_frames, scores.shape[-1])[:, None, :], -torch.inf)
        return scores.softmax(-1).to(embeddings.dtype) @ embeddings.transpose(1, 2)


class NoBackbone(nn.Module):
    """The features as they are: what is known of a clip is what the pooling makes of them."""

    input_dtype = torch.float32  # as they come

    def forward(
        self, features: torch.Tensor, n_frames: torch.Tensor | None, hidden_states: list[torch.Tensor] | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """features: (batch, features, frames), and back."""
        return features, n_frames


BACKBONES = {"resnet": ResNet, "conv1d": Conv1dNet, "shufflenet": ShuffleNet, "alexnet": AlexNet, "cnn3": CNN3}
POOLINGS: dict[str, type[Pooling]] = {
    "mean_max": MeanMaxPooling,
    "mean": MeanPooling,
    "max": MaxPooling,
    "mean_std": MeanStdPooling,
    "mean_std_rise": MeanStdRisePooling,
}
