"""AudioCNN: a mono waveform in, class scores out; the spectrogram is a layer of the model."""

import torch
from torch import nn
from torch.nn import functional as F
from transformers import PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from .backbones import BACKBONES, MaskedPooling
from .configuration_audio_cnn import AudioCNNConfig
from .frontends import FRONTENDS, FilterAugment, MelSpectrogram, SpecAugment, center


def classification_loss(
    logits: torch.Tensor, labels: torch.Tensor, problem_type: str | None = None, label_smoothing: float = 0.0
) -> torch.Tensor:
    """Mean loss of a batch: binary cross-entropy a tag for `"multi_label_classification"`, cross-entropy otherwise.

    logits: (batch, classes). labels: (batch,) class indices, or (batch, classes) probabilities (mixed or soft labels).
    """
    logits = logits.float()
    if problem_type == "multi_label_classification":
        targets = labels.float() * (1 - label_smoothing) + 0.5 * label_smoothing
        return F.binary_cross_entropy_with_logits(logits, targets)
    return F.cross_entropy(logits, labels, label_smoothing=label_smoothing)


def center_short_clips(input_values: torch.Tensor, n_samples: torch.Tensor, min_samples: int) -> torch.Tensor:
    """Move clips of fewer than `min_samples` to the middle of as many, with zeros around them.

    In the middle, because a network hears few clips at the very edge of its canvas in training.

    input_values: (batch, samples), of which n_samples: (batch,) are signal -> (batch, at least `min_samples`).
    """
    size = input_values.shape[1]
    if size < min_samples:
        input_values = F.pad(input_values, (0, min_samples - size))
    left = (min_samples - n_samples).clamp(min=0) // 2
    source = torch.arange(input_values.shape[1], device=input_values.device) - left[:, None]
    inside = (source >= 0) & (source < n_samples[:, None])
    return input_values.gather(1, source.clamp(0, input_values.shape[1] - 1)) * inside


class AudioCNNPreTrainedModel(PreTrainedModel):
    """Front-end and backbone, shared by every head."""

    config_class = AudioCNNConfig
    base_model_prefix = "audio_cnn"
    main_input_name = "input_values"
    supports_gradient_checkpointing = True
    # Its statistics are in decibels, tens of them: bfloat16 would round each to half a decibel.
    _keep_in_fp32_modules_strict = ("feature_norm",)

    def __init__(self, config: AudioCNNConfig):
        super().__init__(config)
        self.frontend = FRONTENDS[config.frontend](config)
        self.filter_augment = FilterAugment(config)
        # Standardises every feature over the training set. Without scale and shift of its own, so that the zeros of
        # SpecAugment and of padding mean "as usual"; and with a plain mean over all batches (no momentum), because
        # what enters here does not change as the network learns.
        self.feature_norm = nn.BatchNorm1d(config.n_features, affine=False, momentum=None)
        self.spec_augment = SpecAugment(config)
        self.backbone = BACKBONES[config.backbone](config)

    def _init_weights(self, module: nn.Module) -> None:
        # transformers' own initialisation, N(0, 0.02), starves a CNN of a few layers; torch's suits it.
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
            module.reset_parameters()
        elif isinstance(module, MelSpectrogram):
            module.reset_constants()
        else:
            super()._init_weights(module)

    def encode(
        self, input_values: torch.Tensor, attention_mask: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Waveforms to embeddings.

        input_values: (batch, samples); attention_mask: (batch, samples), 1 on a clip's samples, 0 on the padding that
        follows them. Returns (batch, channels, frames) and the valid frames (batch,), `None` if all are.
        """
        config = self.config
        n_frames = None
        if attention_mask is not None:
            n_samples = attention_mask.sum(-1).long()
            input_values = center_short_clips(input_values, n_samples, config.min_samples)
            n_frames = 1 + n_samples.clamp(min=config.min_samples) // config.hop_length
        elif input_values.shape[1] < config.min_samples:
            shortfall = config.min_samples - input_values.shape[1]
            input_values = F.pad(input_values, (shortfall // 2, shortfall - shortfall // 2))
        features = self.frontend(input_values, n_frames)  # (batch, features, frames)
        if config.center_features:
            features = center(features, n_frames)
        statistics = next(self.feature_norm.buffers())
        features = self.filter_augment(features.to(statistics.dtype))
        features = self.spec_augment(self.feature_norm(features))
        # Not `self.dtype`, which looks for parameters: the replicas of DataParallel have none.
        return self.backbone(features.to(self.backbone.input_dtype), n_frames)


class AudioCNNForAudioClassification(AudioCNNPreTrainedModel):
    """One score a class for a whole clip: `AutoModelForAudioClassification`'s AudioCNN."""

    def __init__(self, config: AudioCNNConfig):
        super().__init__(config)
        self.pooling = MaskedPooling()
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(config.hidden_sizes[-1], config.num_labels)
        self.post_init()

    def forward(
        self,
        input_values: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        return_dict: bool | None = None,
    ) -> SequenceClassifierOutput | tuple[torch.Tensor, ...]:
        """Waveforms (batch, samples) to logits (batch, classes), and to the loss where there are labels.

        Args:
            input_values: waveforms at `config.sampling_rate`, values in [-1, 1].
            attention_mask: 1 on samples, 0 on padding at the end; `None` when nothing is padded.
            labels: as in `classification_loss`; with them, the output carries the mean loss.
            return_dict: `False` returns a tuple, as in every transformers model.
        """
        embeddings, n_frames = self.encode(input_values, attention_mask)
        logits = self.classifier(self.dropout(self.pooling(embeddings, n_frames))).float()
        loss = None
        if labels is not None:
            loss = classification_loss(logits, labels, self.config.problem_type)
        if return_dict is False:
            return (logits,) if loss is None else (loss, logits)
        return SequenceClassifierOutput(loss=loss, logits=logits)


__all__ = ["AudioCNNForAudioClassification", "AudioCNNPreTrainedModel"]
