"""AudioCNN: a mono waveform in, class scores or embeddings out; the spectrogram is a layer of the model."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling, SequenceClassifierOutput
from transformers.utils import logging

from .backbones import (
    BACKBONES,
    POOLINGS,
    AttentionPooling,
    ContextBlock,
    NoBackbone,
    Pooling,
    ResidualBlock,
    ResNet,
    mask_frames,
    pool_frame_logits,
)
from .configuration_audio_cnn import AudioCNNConfig
from .frontends import (
    FRONTENDS,
    ConstantModule,
    FilterAugment,
    Float32Module,
    MelWarp,
    SpecAugment,
    TimeStretch,
    center,
    length_mask,
    remove_level,
)
from .number_grammar import GRAMMARS, NumberReader
from .one_class import NormalDistance

logger = logging.get_logger(__name__)


@dataclass
class AudioClassifierOutput(SequenceClassifierOutput):
    """What a classifier returns: transformers' own fields and, where hidden states are asked for, the embeddings.

    `pooler_output`, (batch, size), is what the last layer judges by, and the same as `AutoModel`'s. A network with a
    `number_grammar` judges every frame instead; in training mode alone, it has `word_scores`, (batch, words, frames).
    One with a `frame_pooling` has `frame_logits`, (batch, frames, labels), where these are asked for: of tags in every
    frame, those behind a clip's end included, which mean nothing.
    """

    pooler_output: torch.Tensor | None = None
    word_scores: torch.Tensor | None = None
    frame_logits: torch.Tensor | None = None


# Where the classes lie in a checkpoint that carries its code.
AUTO_MAP = {
    "AutoModel": "modeling_audio_cnn.AudioCNNModel",
    "AutoModelForAudioClassification": "modeling_audio_cnn.AudioCNNForAudioClassification",
}
TRIM_BLOCK = 256  # samples
IGNORED = -100  # the label of what nothing shall be learnt from, in torch and transformers
NOT_HEARD = -1e4  # the score of a word in a frame behind a clip's end
NO_DIGIT = -1  # the label of each digit where no number is said: all values are equally likely
# Labels that sum up to 1, nearly: mixed, rounded to four digits, or in half precision.
SUM_TOLERANCE = 0.05
# Of an answer that the long-term spectrum gives too, which is trusted less: what is said, and into which microphone,
# stands in a mean spectrum too.
NETWORK_SHARE = 0.75


def by_distribution(scores: torch.Tensor, config: PreTrainedConfig) -> torch.Tensor:
    """Scores one distribution a row: those of a number are one digit after the other.

    scores: (batch, labels) -> (batch, digits, 10), or (batch, 1, labels) where there are no digits.
    """
    return scores.unflatten(-1, (max(getattr(config, "num_digits", 0), 1), -1))


def probabilities(logits: torch.Tensor, config: PreTrainedConfig) -> torch.Tensor:
    """Sigmoids for `"multi_label_classification"`, otherwise a softmax, or one a digit. (batch, labels), and back."""
    if config.problem_type == "multi_label_classification":
        return logits.float().sigmoid()
    return by_distribution(logits.float(), config).softmax(-1).flatten(1)


def classification_loss(
    logits: torch.Tensor,
    labels: torch.Tensor,
    config: PreTrainedConfig,
    label_smoothing: float = 0.0,
    weights: torch.Tensor | None = None,
    robustness: float = 0.0,
) -> torch.Tensor:
    """Mean loss of a batch: binary cross-entropy a tag for `"multi_label_classification"`, cross-entropy otherwise.

    logits: (batch, labels). labels: (batch,) class indices, (batch, digits) digits of a number, or (batch, labels)
    probabilities (tags, mixed or soft labels); an index, digit or tag of -100 is left out of the means, and a digit of
    -1 says that no number is heard. config: the model's, with `problem_type` and perhaps `num_digits`. weights:
    (batch,), of the clips. robustness: q of the generalised cross-entropy (1 - p^q) / q of one label, which gives in
    where a label contradicts all the others; 0 is the plain one. Source: Zhang and Sabuncu 2018,
    https://arxiv.org/abs/1805.07836.

    Raises:
        ValueError: probabilities of classes that do not sum up to 1.
    """
    logits = logits.float()
    if config.problem_type == "multi_label_classification":
        known = labels != IGNORED  # (batch, labels)
        targets = labels.float() * (1 - label_smoothing) + 0.5 * label_smoothing
        losses = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    else:
        scores = by_distribution(logits, config)  # (batch, distributions, values)
        if labels.is_floating_point():
            targets = by_distribution(labels, config)
            _check_sums(targets)
            known = torch.ones_like(targets[..., 0], dtype=torch.bool)
        else:
            targets = labels.view(len(labels), -1)
            known = targets != IGNORED  # (batch, distributions)
            if getattr(config, "num_digits", 0) and bool((targets == NO_DIGIT).any()):
                targets = digit_probabilities(targets)
        flat = scores.flatten(0, 1), targets.flatten(0, 1)
        if robustness:
            losses = _generalised_cross_entropy(*flat, label_smoothing, robustness)
        else:
            losses = F.cross_entropy(*flat, label_smoothing=label_smoothing, reduction="none")
        losses = losses.view(len(logits), -1)
    losses = (losses * known).sum(1) / known.sum(1).clamp(min=1)
    if weights is not None:
        losses = losses * weights
    return losses.sum() / known.any(1).sum().clamp(min=1)


def frame_loss(frame_logits: torch.Tensor, frame_targets: torch.Tensor) -> torch.Tensor:
    """Mean binary cross-entropy of the tags in frames; where nothing is known of any, 0.

    frame_logits: (batch, frames, labels). frame_targets: (batch, frames, labels) probabilities, -100 where unknown.
    """
    known = frame_targets != IGNORED
    losses = F.binary_cross_entropy_with_logits(
        frame_logits.float(), frame_targets.float().clamp(min=0), reduction="none"
    )
    return (losses * known).sum() / known.sum().clamp(min=1)


def digit_probabilities(digits: torch.Tensor) -> torch.Tensor:
    """Digits as probabilities of their values, all alike where there is no number: (batch, digits) -> (..., 10)."""
    certain = F.one_hot(digits.clamp(min=0), 10).float()
    return torch.where((digits == NO_DIGIT)[..., None], torch.full_like(certain, 0.1), certain)


def _check_sums(probabilities: torch.Tensor) -> None:
    """probabilities: (batch, distributions, values)."""
    sums = probabilities.sum(-1)
    wrong = (sums - 1).abs() > SUM_TOLERANCE
    if wrong.any():
        raise ValueError(
            "Labels that are floats are probabilities of the classes, and those of a clip sum up to "
            f"{sums[wrong][0].item():g} in place of 1: give the classes' numbers as integers, or, for several tags a "
            "clip, set the config's problem_type='multi_label_classification'."
        )


def hears_tags(labels: torch.Tensor, config: PreTrainedConfig) -> bool:
    """Whether labels are tags, any number of them a clip: (batch, labels) zeros and ones, not all a choice of one."""
    if config.num_digits or labels.shape[1:] != (config.num_labels,):
        return False
    one_a_clip = ((labels.sum(1) - 1).abs() <= SUM_TOLERANCE).all()
    tags = (labels == 0) | (labels == 1) | (labels == IGNORED)
    return bool(tags.all() and not (labels.is_floating_point() and one_a_clip))


def notice_tags(labels: torch.Tensor | None, config: PreTrainedConfig) -> None:
    """Set a `problem_type` that is not set, where labels are tags, as in transformers' own models."""
    if labels is not None and config.problem_type is None and hears_tags(labels, config):
        logger.warning("These labels are tags: the config's problem_type is now 'multi_label_classification'.")
        config.problem_type = "multi_label_classification"


def calibrate(logits: torch.Tensor, config: PreTrainedConfig) -> torch.Tensor:
    """A head's scores as logits that come true, by the config's `temperature` and `rejection_margin`.

    logits: (..., labels), the same shape back.
    """
    return add_margin(logits / config.temperature, config.rejection_margin)


def add_margin(logits: torch.Tensor, margin: float) -> torch.Tensor:
    """Logits of which the last, that of "none of these", has gained a margin. logits: (..., labels), and back."""
    return torch.cat([logits[..., :-1], logits[..., -1:] + margin], dim=-1) if margin else logits


def classifier_output(
    logits: torch.Tensor,
    labels: torch.Tensor | None,
    config: PreTrainedConfig,
    hidden_states: tuple[Sequence[torch.Tensor], torch.Tensor] | None,
    return_dict: bool | None,
) -> AudioClassifierOutput | tuple[torch.Tensor, ...]:
    """What a classifier returns: with labels, the mean loss too; with `return_dict=False`, a tuple.

    hidden_states: where they are asked for, what each layer gives, and the embeddings, (batch, size).
    """
    layers, embeddings = (None, None) if hidden_states is None else hidden_states
    output = AudioClassifierOutput(
        loss=None if labels is None else classification_loss(logits, labels, config),
        logits=logits,
        hidden_states=None if layers is None else tuple(layers),
        pooler_output=embeddings,
    )
    return output if (config.return_dict if return_dict is None else return_dict) else output.to_tuple()


def _generalised_cross_entropy(
    logits: torch.Tensor, labels: torch.Tensor, label_smoothing: float, q: float
) -> torch.Tensor:
    """logits: (rows, values); labels: (rows,) or (rows, values) -> (rows,)."""
    n_values = logits.shape[1]
    targets = labels
    if not labels.is_floating_point():
        targets = F.one_hot(labels.masked_fill(labels == IGNORED, 0), n_values).float()
    targets = targets * (1 - label_smoothing) + label_smoothing / n_values
    scores = logits.softmax(-1).clamp(min=1e-12)  # the derivative of 0^q is infinite
    return (targets * (1 - scores.pow(q)) / q).sum(-1)


def find_sound(
    input_values: torch.Tensor, n_samples: torch.Tensor, trim_db: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Where each clip begins to sound and how long it does, in samples, both (batch,): the rest is silence around it.

    Silent is a block of `TRIM_BLOCK` samples whose energy is more than `trim_db` below that of the clip's loudest one.

    input_values: (batch, samples), of which n_samples: (batch,) are signal.
    """
    size = input_values.shape[1]
    signal = input_values * length_mask(n_samples, size)
    blocks = F.pad(signal, (0, -size % TRIM_BLOCK)).unflatten(1, (-1, TRIM_BLOCK)).square().mean(2)
    sounding = (blocks >= blocks.amax(1, keepdim=True) * 10 ** (-trim_db / 10)).int()
    first, last = sounding.argmax(1), blocks.shape[1] - sounding.flip(1).argmax(1)  # last: one behind
    start = first * TRIM_BLOCK
    return start, torch.minimum(last * TRIM_BLOCK, n_samples) - start


def check_inputs(input_values: torch.Tensor, attention_mask: torch.Tensor | None, is_training: bool) -> None:
    """Refuse what is no batch of waveforms, and padding in front of clips, which would be taken for sound.

    input_values, attention_mask: (batch, samples).

    Raises:
        ValueError: there is some. In training on a GPU, which it would hold up, padding is not looked for.
    """
    if torch.compiler.is_compiling() or torch.compiler.is_exporting():
        return
    if input_values.dim() != 2 or not input_values.is_floating_point():
        raise ValueError(
            f"input_values has the shape {tuple(input_values.shape)} and the type {input_values.dtype}: give (batch, "
            "samples) of floats with full scale 1, as the feature extractor does."
        )
    if attention_mask is None:
        return
    if attention_mask.shape != input_values.shape:
        raise ValueError(
            f"attention_mask has the shape {tuple(attention_mask.shape)}, and input_values have "
            f"{tuple(input_values.shape)}: give both as the feature extractor does."
        )
    if is_training and attention_mask.device.type != "cpu":
        return
    if bool(((attention_mask[:, 0] == 0) & (attention_mask[:, -1] != 0)).any()):
        raise ValueError("The attention_mask begins with zeros: pad clips on the right, with padding_side='right'.")


def count_samples(input_values: torch.Tensor, attention_mask: torch.Tensor | None) -> torch.Tensor:
    """How many samples of each clip, (batch, samples), are signal: (batch,)."""
    if attention_mask is None:
        return torch.full_like(input_values[:, 0], input_values.shape[1], dtype=torch.long)
    return attention_mask.sum(-1).long()


def pad_short(input_values: torch.Tensor, min_samples: int, *, centers: bool = True) -> torch.Tensor:
    """Waveforms (batch, samples) of fewer than `min_samples` with zeros around them, or else behind them alone."""
    shortfall = torch.sym_max(min_samples - input_values.shape[1], 0)
    if torch.compiler.is_exporting() or shortfall > 0:  # an exported graph has no branches: it pads by zero samples
        before = shortfall // 2 if centers else 0
        input_values = F.pad(input_values, (before, shortfall - before))
    return input_values


def center_short_clips(input_values: torch.Tensor, n_samples: torch.Tensor, min_samples: int) -> torch.Tensor:
    """Move clips of fewer than `min_samples` to the middle of as many, with zeros around them.

    In the middle, because a network hears few clips at the very edge of its canvas in training.

    input_values: (batch, samples), of which n_samples: (batch,) are signal -> (batch, at least `min_samples`).
    """
    shortfall = torch.sym_max(min_samples - input_values.shape[1], 0)
    if torch.compiler.is_exporting() or shortfall > 0:  # an exported graph has no branches: it pads by zero samples
        input_values = F.pad(input_values, (0, shortfall))
    # A clip that moves lies wholly in the first `min_samples`; what is behind only loses what lies in the padding.
    head, tail = input_values.split([min_samples, input_values.shape[1] - min_samples], dim=1)
    left = (min_samples - n_samples).clamp(min=0) // 2
    source = torch.arange(min_samples, device=input_values.device) - left[:, None]
    inside = (source >= 0) & (source < n_samples[:, None])
    head = head.gather(1, source.clamp(0, min_samples - 1)) * inside
    return torch.cat([head, tail * length_mask(n_samples - min_samples, tail.shape[1])], dim=1)


class FeatureNorm(Float32Module, nn.BatchNorm1d):
    """Standardises every feature over the training set.

    Without scale and shift of its own, so that the zeros of SpecAugment and of padding mean "as usual"; with a plain
    mean over all batches (no momentum), because what enters does not change as the network learns; and in float32, as
    its statistics are in decibels, tens of them, which bfloat16 would round to halves.
    """

    def __init__(self, n_features: int):
        super().__init__(n_features, affine=False, momentum=None, dtype=torch.float32)


class AudioCNNPreTrainedModel(PreTrainedModel):
    """Front-end, backbone and pooling, shared by the classifier and the model without a head.

    Both call these layers by the same names, so each loads the other's checkpoints.
    """

    config_class = AudioCNNConfig
    base_model_prefix = "audio_cnn"
    main_input_name = "input_values"
    supports_gradient_checkpointing = True
    _keep_in_fp32_modules_strict: tuple[str, ...] = ("feature_norm",)

    def __init__(self, config: AudioCNNConfig):
        config.follow_labels()
        super().__init__(config)
        self.gradient_checkpointing = False
        self.frontend = FRONTENDS[config.frontend](config)
        self.time_stretch = TimeStretch(config)
        self.mel_warp = MelWarp(config)
        self.filter_augment = FilterAugment(config)
        self.feature_norm = FeatureNorm(config.n_features)
        self.spec_augment = SpecAugment(config)
        self.backbone = NoBackbone() if config.backbone == "none" else BACKBONES[config.backbone](config)
        channels = config.hidden_sizes[-1]
        self.context = nn.ModuleList(ContextBlock(channels, dilation) for dilation in config.context_dilations)
        self.pooling: nn.Module
        if config.pooling == "attention":
            self.pooling = AttentionPooling(channels, max(config.num_digits, 1))  # every digit has frames of its own
        else:
            self.pooling = POOLINGS[config.pooling]()

    def save_pretrained(self, save_directory: str | os.PathLike, **kwargs: Any) -> None:
        """As every model, with the code of both kinds of model named for those who have not installed the package."""
        if self._auto_class is not None:
            self.config.auto_map = {**AUTO_MAP, **(getattr(self.config, "auto_map", None) or {})}
        super().save_pretrained(save_directory, **kwargs)

    def _init_weights(self, module: nn.Module) -> None:
        # transformers' own initialisation, N(0, 0.02), starves a CNN of a few layers; torch's suits it.
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
            module.reset_parameters()
        elif isinstance(module, ConstantModule):
            module.reset_constants()
        elif isinstance(module, ResNet | ResidualBlock) and module.band_bias is not None:
            nn.init.zeros_(module.band_bias)
        else:
            super()._init_weights(module)

    def featurize(
        self, input_values: torch.Tensor, attention_mask: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Waveforms to standardised features, in training mode augmented ones.

        input_values: (batch, samples); attention_mask: (batch, samples), 1 on a clip's samples, 0 on the padding that
        follows them. Returns (batch, features, frames) and the valid frames (batch,), `None` if all are.
        """
        config = self.config
        n_frames = None
        check_inputs(input_values, attention_mask, self.training)
        if config.trim_db is not None or config.heard_seconds is not None or config.repeat_short:
            input_values, attention_mask = self._select(input_values, attention_mask)
        centers = config.frame_pooling is None  # where frames count, they stay where they are
        if attention_mask is not None:
            n_samples = attention_mask.sum(-1).long()
            if centers:
                input_values = center_short_clips(input_values, n_samples, config.min_samples)
            else:
                input_values = input_values * length_mask(n_samples, input_values.shape[1])
                input_values = pad_short(input_values, config.min_samples, centers=False)
            n_frames = 1 + n_samples.clamp(min=config.min_samples) // config.hop_length
        else:
            input_values = pad_short(input_values, config.min_samples, centers=centers)
        features = self.frontend(input_values, n_frames)  # (batch, features, frames)
        if config.center_features:
            features = center(features, n_frames)
        if config.remove_level:
            features = remove_level(features, n_frames)
        features, n_frames = self.time_stretch(features, n_frames)
        statistics = next(self.feature_norm.buffers())
        features = self.filter_augment(self.mel_warp(features.to(statistics.dtype)))
        return self._normalise(features, n_frames), n_frames

    def encode(
        self,
        features: torch.Tensor,
        n_frames: torch.Tensor | None = None,
        hidden_states: list[torch.Tensor] | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Features of `featurize` to embeddings, (batch, channels, frames), and how many of their frames are valid.

        hidden_states: a list to which what each layer gives is appended, (batch, channels, [bands,] frames).
        """
        masked = self.spec_augment(features)
        if self.gradient_checkpointing and self.training:
            masked.requires_grad_()  # re-entrant checkpointing trains no block whose inputs ask for no gradient
        # Not `self.dtype`, which looks for parameters: the replicas of DataParallel have none.
        embeddings, n_frames = self.backbone(masked.to(self.backbone.input_dtype), n_frames, hidden_states)
        for block in self.context:
            embeddings = block(embeddings, n_frames)
            if hidden_states is not None:
                hidden_states.append(embeddings)
        return embeddings, n_frames

    def embed(self, input_values: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
        """Waveforms (batch, samples) to embeddings (batch, size), which are what the classifier judges by."""
        return self.pooling(*self.encode(*self.featurize(input_values, attention_mask))).flatten(1)

    def _hidden_states(self, wanted: bool | None) -> list[torch.Tensor] | None:
        """An empty list to be filled, where hidden states are wanted: by the caller, or else by the config."""
        return [] if (self.config.output_hidden_states if wanted is None else wanted) else None

    def _select(
        self, input_values: torch.Tensor, attention_mask: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What is heard of each waveform, by `trim_db`, `heard_seconds` and `repeat_short`, and its mask."""
        config = self.config
        n_samples = count_samples(input_values, attention_mask)
        start = torch.zeros_like(n_samples)
        if config.trim_db is not None:
            start, n_samples = find_sound(input_values, n_samples, config.trim_db)
        if config.heard_seconds is not None:
            n_samples = n_samples.clamp(max=round(config.heard_seconds * config.sampling_rate))
        size = input_values.shape[1]
        if config.heard_seconds is not None:
            size = torch.sym_min(size, round(config.heard_seconds * config.sampling_rate))
        if config.repeat_short:
            size = torch.sym_max(size, config.min_samples)
        place = torch.arange(size, device=input_values.device)
        if config.repeat_short:
            place = torch.where(n_samples[:, None] < config.min_samples, place % n_samples[:, None], place)
            n_samples = n_samples.clamp(min=config.min_samples)
        place = (start[:, None] + place).clamp(max=input_values.shape[1] - 1)
        mask = length_mask(n_samples, size)
        return input_values.gather(1, place) * mask, mask

    def _normalise(self, features: torch.Tensor, n_frames: torch.Tensor | None) -> torch.Tensor:
        """features: (batch, features, frames), the same shape back."""
        if n_frames is None or not self.training:
            return self.feature_norm(features)
        # The statistics are those of clips: padding, tens of decibels below them, would drown them.
        valid = length_mask(n_frames, features.shape[-1])
        frames = torch.zeros_like(features.transpose(1, 2))
        frames[valid] = self.feature_norm(features.transpose(1, 2)[valid])
        return frames.transpose(1, 2)


class LongTermSpectrum(Float32Module):
    """A linear classifier of the long-term average spectrum, and of how much each of its bands varies.

    Both over all frames and over loud ones, each as loud as it weighs: in speech, those are the voiced ones. The
    clip's own loudness, the mean over all bands, is taken away. So few weights need few voices, and they err on others
    than the network does. Source: Löfqvist and Mandersson 1987, Long-Time Average Spectrum of Speech and Voice
    Analysis.
    """

    # Of a frame's mean standardised feature: a deviation is some 13 dB, and the weights are about those of amplitudes.
    LOUDNESS = 1.5

    def __init__(self, config: AudioCNNConfig):
        super().__init__()
        size = 4 * config.n_features
        self.norm = FeatureNorm(size)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(size, config.num_labels, dtype=torch.float32)

    def forward(self, features: torch.Tensor, n_frames: torch.Tensor | None) -> torch.Tensor:
        """features: (batch, features, frames) -> logits (batch, labels)."""
        loudness = features.mean(1, keepdim=True) * self.LOUDNESS  # (batch, 1, frames)
        valid = torch.ones_like(loudness)
        if n_frames is not None:
            valid = length_mask(n_frames, features.shape[-1])[:, None].to(features.dtype)
            loudness = loudness.masked_fill(valid == 0, -torch.inf)
        statistics = []
        for weights in (valid / valid.sum(-1, keepdim=True), loudness.softmax(-1)):
            mean = (features * weights).sum(-1)  # (batch, features)
            variance = ((features - mean[..., None]).square() * weights).sum(-1)
            statistics += [mean - mean.mean(1, keepdim=True), (variance + 1e-5).sqrt()]
        return self.classifier(self.dropout(self.norm(torch.cat(statistics, dim=1)))).float()


class AudioCNNModel(AudioCNNPreTrainedModel):
    """Embeddings of every frame and of a whole clip: `AutoModel`'s AudioCNN, which has no head."""

    _keys_to_ignore_on_load_unexpected = (r"^classifier\.", r"^long_term_spectrum\.")

    def __init__(self, config: AudioCNNConfig):
        super().__init__(config)
        self.post_init()

    def forward(
        self,
        input_values: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> BaseModelOutputWithPooling | tuple[torch.Tensor, ...]:
        """Waveforms (batch, samples) to embeddings of their frames and of the whole.

        `last_hidden_state` is (batch, frames, channels), zero behind a clip's end; `pooler_output`, what a classifier
        would judge by, (batch, channels), twice as many for `pooling="mean_std"`, and for a number's digits one after
        the other.

        Args:
            input_values: waveforms at `config.sampling_rate`, values in [-1, 1].
            attention_mask: 1 on samples, 0 on padding at the end; `None` when nothing is padded.
            output_hidden_states: whether to return what each layer gives, (batch, channels, [bands,] frames).
            return_dict: `False` returns a tuple, as in every transformers model.
        """
        features, n_frames = self.featurize(input_values, attention_mask)
        hidden_states = self._hidden_states(output_hidden_states)
        embeddings, n_frames = self.encode(features, n_frames, hidden_states)
        output = BaseModelOutputWithPooling(
            last_hidden_state=mask_frames(embeddings, n_frames).transpose(1, 2),
            pooler_output=self.pooling(embeddings, n_frames).flatten(1),
            hidden_states=None if hidden_states is None else tuple(hidden_states),
        )
        return output if (self.config.return_dict if return_dict is None else return_dict) else output.to_tuple()


class AudioCNNForAudioClassification(AudioCNNPreTrainedModel):
    """One score a class for a whole clip: `AutoModelForAudioClassification`'s AudioCNN."""

    def __init__(self, config: AudioCNNConfig):
        super().__init__(config)
        channels = config.hidden_sizes[-1]
        self.classifier: nn.Module
        self.reader = None
        if config.normal_centers:
            assert isinstance(self.pooling, Pooling)
            self.classifier = NormalDistance(channels * self.pooling.n_statistics, config.normal_centers)
            self._keep_in_fp32_modules_strict = (*self._keep_in_fp32_modules_strict, "classifier")
        elif config.frame_pooling is not None:
            self.classifier = nn.Linear(channels, config.num_labels)  # of each frame
        elif config.number_grammar is not None:
            self.reader = NumberReader(GRAMMARS[config.number_grammar])
            self.classifier = nn.Conv1d(channels, self.reader.n_outputs, 1)  # of each frame
        elif isinstance(self.pooling, Pooling):
            self.classifier = nn.Linear(channels * self.pooling.n_statistics, config.num_labels)
        else:
            n_outputs = max(config.num_digits, 1)  # every digit is told by a layer of its own
            self.classifier = nn.Conv1d(n_outputs * channels, config.num_labels, 1, groups=n_outputs)
        self.dropout = nn.Dropout(config.dropout)
        self.long_term_spectrum = None
        if config.long_term_spectrum:
            self.long_term_spectrum = LongTermSpectrum(config)
            self._keep_in_fp32_modules_strict = (*self._keep_in_fp32_modules_strict, "long_term_spectrum")
        self.post_init()

    def forward(
        self,
        input_values: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        frame_targets: torch.Tensor | None = None,
        output_frame_logits: bool | None = None,
    ) -> AudioClassifierOutput | tuple[torch.Tensor, ...]:
        """Waveforms (batch, samples) to logits (batch, classes), and to the loss where there are labels.

        Args:
            input_values: waveforms at `config.sampling_rate`, values in [-1, 1].
            attention_mask: 1 on samples, 0 on padding at the end; `None` when nothing is padded.
            labels: as in `classification_loss`; with them, the output carries the mean loss. Tags, any number of zeros
                and ones a clip, set a `problem_type` that is not set, as in transformers' own models.
            output_hidden_states: whether to return what each layer gives, (batch, channels, [bands,] frames), and as
                `pooler_output` the embeddings, (batch, size), which are those of `AutoModel`.
            return_dict: `False` returns a tuple, as in every transformers model.
            frame_targets: of a network with a `frame_pooling`, tags of every frame, see `frame_loss`, which is added
                to the loss. Their name has no "label" in it: by that, `Trainer` would ask for them in every batch.
            output_frame_logits: whether to return `frame_logits`; by default, where there are `frame_targets`.
        """
        notice_tags(labels, self.config)
        features, n_frames = self.featurize(input_values, attention_mask)
        hidden_states = self._hidden_states(output_hidden_states)
        encoded, n_frames_left = self.encode(features, n_frames, hidden_states)
        embeddings = self.pooling(encoded, n_frames_left)
        word_scores = frame_logits = None
        if self.config.frame_pooling is not None:
            frame_logits = self.classifier(self.dropout(encoded).transpose(1, 2)).float()  # (batch, frames, labels)
            logits = pool_frame_logits(frame_logits, n_frames_left)
            frame_logits = calibrate(frame_logits, self.config)
        elif self.reader is not None:
            word_scores = self.classifier(self.dropout(encoded))
            logits = self.reader(word_scores, n_frames_left)
        else:
            pooled = self.dropout(embeddings)
            if pooled.dim() == 3:  # (batch, outputs, channels)
                pooled = pooled.flatten(1)[:, :, None]
            logits = self.classifier(pooled).flatten(1).float()
        if self.long_term_spectrum is not None:
            logits = self._hear_both(logits, self.long_term_spectrum(features, n_frames))
        logits = calibrate(logits, self.config)
        states = None if hidden_states is None else (hidden_states, embeddings.flatten(1))
        output = classifier_output(logits, labels, self.config, states, return_dict=True)
        assert isinstance(output, AudioClassifierOutput)
        if word_scores is not None and self.training:
            output.word_scores = word_scores
            if n_frames_left is not None:
                valid = length_mask(n_frames_left, word_scores.shape[-1])[:, None]
                output.word_scores = word_scores.masked_fill(~valid, NOT_HEARD)
        if frame_logits is not None:
            if frame_targets is not None:
                loss = frame_loss(frame_logits, frame_targets)
                output.loss = loss if output.loss is None else output.loss + loss
            wanted = frame_targets is not None if output_frame_logits is None else output_frame_logits
            output.frame_logits = frame_logits if wanted else None
        return output if (self.config.return_dict if return_dict is None else return_dict) else output.to_tuple()

    def reset_statistics(self) -> None:
        """Forget the mean and variance of the features, before a training on other data."""
        self.feature_norm.reset_running_stats()
        if self.long_term_spectrum is not None:
            self.long_term_spectrum.norm.reset_running_stats()

    def _hear_both(self, logits: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        """A weighted mean of two answers; in training, of each clip one of them, so that both learn to stand alone."""
        if not self.training:
            return NETWORK_SHARE * logits + (1 - NETWORK_SHARE) * others
        return torch.where(torch.rand_like(logits[:, :1]) < 0.5, logits, others)


__all__ = ["AudioCNNForAudioClassification", "AudioCNNModel", "AudioCNNPreTrainedModel", "AudioClassifierOutput"]


def to_logits(scores: torch.Tensor, config: PreTrainedConfig) -> torch.Tensor:
    """Logits that have these probabilities. (batch, labels), and back."""
    if config.problem_type == "multi_label_classification":
        return torch.logit(scores, eps=1e-7)
    return scores.clamp(min=1e-12).log()
