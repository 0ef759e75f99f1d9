"""Several AudioCNNs as one: each hears the waveform at its own rate and in its own windows."""

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from .configuration_audio_ensemble import AudioEnsembleConfig
from .frontends import Resampler, length_mask
from .modeling_audio_cnn import (
    AudioCNNForAudioClassification,
    AudioCNNPreTrainedModel,
    classification_loss,
    probabilities,
)


def windows_of(
    input_values: torch.Tensor, n_samples: torch.Tensor, size: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Half-overlapping windows of `size` samples that cover each clip, the last one ending with it.

    input_values: (batch, samples), of which n_samples: (batch,) are signal. Returns (batch, windows, samples), the
    samples of each window that are signal (batch, windows), and which windows a clip needs (batch, windows) of bool:
    a short one needs a single window.
    """
    length = input_values.shape[1]
    if length <= size:
        return input_values[:, None], n_samples[:, None], torch.ones_like(n_samples[:, None], dtype=torch.bool)
    hop = max(size // 2, 1)
    last = (n_samples - size).clamp(min=0)[:, None]
    steps = torch.arange(1 + (length - size + hop - 1) // hop, device=input_values.device) * hop
    needed = steps - hop < last
    start = torch.minimum(steps[None], last)
    place = start[:, :, None] + torch.arange(size, device=input_values.device)
    windows = input_values[:, None].expand(-1, place.shape[1], -1).gather(2, place)
    return windows, n_samples.clamp(max=size)[:, None].expand(-1, place.shape[1]), needed


class AudioEnsembleForAudioClassification(PreTrainedModel):
    """The weighted mean of its members' probabilities, as logits: `AutoModelForAudioClassification`'s ensemble."""

    config_class = AudioEnsembleConfig
    base_model_prefix = "audio_ensemble"
    main_input_name = "input_values"
    _keep_in_fp32_modules_strict = AudioCNNPreTrainedModel._keep_in_fp32_modules_strict
    _init_weights = AudioCNNPreTrainedModel._init_weights

    def __init__(self, config: AudioEnsembleConfig):
        super().__init__(config)
        members = config.member_configs
        self.members = nn.ModuleList(AudioCNNForAudioClassification(member) for member in members)
        self.resamplers = nn.ModuleList(Resampler(config.sampling_rate, member.sampling_rate) for member in members)
        self.post_init()

    def forward(
        self,
        input_values: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        return_dict: bool | None = None,
    ) -> SequenceClassifierOutput | tuple[torch.Tensor, ...]:
        """Waveforms (batch, samples) to logits (batch, classes), whose softmax or sigmoid is the mean probability.

        Args:
            input_values: waveforms at `config.sampling_rate`, values in [-1, 1].
            attention_mask: 1 on samples, 0 on padding at the end; `None` when nothing is padded.
            labels: as in `classification_loss`; with them, the output carries the mean loss.
            return_dict: `False` returns a tuple, as in every transformers model.
        """
        n_samples = torch.full_like(input_values[:, 0], input_values.shape[1]).long()
        if attention_mask is not None:
            n_samples = attention_mask.sum(-1).long()
        total = torch.zeros(())
        for weight, member, resampler in zip(self.config.weights, self.members, self.resamplers, strict=True):
            assert isinstance(member, AudioCNNForAudioClassification) and isinstance(resampler, Resampler)
            scores = self._judge(member, resampler(input_values), resampler.n_samples(n_samples))
            total = total + weight * (self._as_logits(scores) if self._is_geometric else scores)
        logits = total if self._is_geometric else self._as_logits(total)
        loss = None if labels is None else classification_loss(logits, labels, self.config)
        if return_dict is False:
            return (logits,) if loss is None else (loss, logits)
        return SequenceClassifierOutput(loss=loss, logits=logits)

    @property
    def _is_geometric(self) -> bool:
        return self.config.mean == "geometric"

    def _as_logits(self, scores: torch.Tensor) -> torch.Tensor:
        if self.config.problem_type == "multi_label_classification":
            return torch.logit(scores, eps=1e-7)
        return scores.clamp(min=1e-12).log()

    def _judge(
        self, member: AudioCNNForAudioClassification, input_values: torch.Tensor, n_samples: torch.Tensor
    ) -> torch.Tensor:
        """Mean probabilities over the member's windows, (batch, classes)."""
        windows, lengths, needed = windows_of(input_values, n_samples, member.config.clip_samples)
        mask = length_mask(lengths.flatten(), windows.shape[2])
        scores = probabilities(member(windows.flatten(0, 1), attention_mask=mask).logits, self.config)
        scores = scores.unflatten(0, needed.shape)
        return (scores * needed[:, :, None]).sum(1) / needed.sum(1, keepdim=True)


__all__ = ["AudioEnsembleForAudioClassification"]
