"""Several AudioCNNs as one: each hears the waveform at its own rate and in its own windows."""

from collections.abc import Sequence

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from .configuration_audio_ensemble import AudioEnsembleConfig
from .frontends import Resampler, length_mask
from .modeling_audio_cnn import (
    AudioCNNForAudioClassification,
    AudioCNNPreTrainedModel,
    check_padding,
    classifier_output,
    probabilities,
    to_logits,
)


def windows_of(
    input_values: torch.Tensor, n_samples: torch.Tensor, size: int, step: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Windows of `size` samples that cover each clip, one every `step` samples, the last one ending with it.

    input_values: (batch, samples), of which n_samples: (batch,) are signal. Returns (batch, windows, samples), the
    samples of each window that are signal (batch, windows), and which windows a clip needs (batch, windows) of bool:
    a short one needs a single window.
    """
    length = input_values.shape[1]
    last = (n_samples - size).clamp(min=0)[:, None]
    n_windows = 1 + (torch.sym_max(length - size, 0) + step - 1) // step
    starts = torch.arange(n_windows, device=input_values.device) * step
    needed = starts - step < last
    start = torch.minimum(starts[None], last)
    place = start[:, :, None] + torch.arange(torch.sym_min(length, size), device=input_values.device)
    windows = input_values[:, None].expand(-1, place.shape[1], -1).gather(2, place)
    return windows, n_samples.clamp(max=size)[:, None].expand(-1, place.shape[1]), needed


def mean_logits(scores: torch.Tensor, weights: Sequence[float], mean: str, config: PreTrainedConfig) -> torch.Tensor:
    """The members' weighted mean, as logits whose softmax or sigmoid it is.

    scores: (members, batch, labels) probabilities; mean: "arithmetic" or "geometric"; config: with `problem_type`.
    """
    if mean == "geometric":
        scores = to_logits(scores, config)
    total = torch.stack([weight * part for weight, part in zip(weights, scores, strict=True)]).sum(0)
    return total if mean == "geometric" else to_logits(total, config)


class AudioEnsembleForAudioClassification(PreTrainedModel):
    """The weighted mean of its members' probabilities, as logits: `AutoModelForAudioClassification`'s ensemble."""

    config_class = AudioEnsembleConfig
    base_model_prefix = "audio_ensemble"
    main_input_name = "input_values"
    _init_weights = AudioCNNPreTrainedModel._init_weights

    def __init__(self, config: AudioEnsembleConfig):
        super().__init__(config)
        members = config.member_configs
        self.members = nn.ModuleList(AudioCNNForAudioClassification(member) for member in members)
        self.resamplers = nn.ModuleList(Resampler(config.sampling_rate, member.sampling_rate) for member in members)
        # Where they are by their own configs.
        self._keep_in_fp32_modules_strict = {
            name for member in self.members for name in getattr(member, "_keep_in_fp32_modules_strict", ())
        }
        self.post_init()

    def forward(
        self,
        input_values: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> SequenceClassifierOutput | tuple[torch.Tensor, ...]:
        """Waveforms (batch, samples) to logits (batch, classes), whose softmax or sigmoid is the mean probability.

        Args:
            input_values: waveforms at `config.sampling_rate`, values in [-1, 1].
            attention_mask: 1 on samples, 0 on padding at the end; `None` when nothing is padded.
            labels: as in `classification_loss`; with them, the output carries the mean loss.
            output_hidden_states: whether to return what each layer of each member gives, one member after the other,
                (batch * its windows, channels, [bands,] frames).
            return_dict: `False` returns a tuple, as in every transformers model.
        """
        check_padding(attention_mask, self.training)
        n_samples = torch.full_like(input_values[:, 0], input_values.shape[1]).long()
        if attention_mask is not None:
            n_samples = attention_mask.sum(-1).long()
        wanted = self.config.output_hidden_states if output_hidden_states is None else output_hidden_states
        hidden_states: list[torch.Tensor] | None = [] if wanted else None
        scores = []
        for member, resampler in zip(self.members, self.resamplers, strict=True):
            assert isinstance(member, AudioCNNForAudioClassification) and isinstance(resampler, Resampler)
            resampled = resampler(input_values), resampler.n_samples(n_samples)
            scores.append(self._judge(member, *resampled, hidden_states))
        logits = mean_logits(torch.stack(scores), self.config.weights, self.config.mean, self.config)
        return classifier_output(logits, labels, self.config, hidden_states, return_dict)

    def _judge(
        self,
        member: AudioCNNForAudioClassification,
        input_values: torch.Tensor,
        n_samples: torch.Tensor,
        hidden_states: list[torch.Tensor] | None,
    ) -> torch.Tensor:
        """Mean probabilities over the member's windows, (batch, classes)."""
        windows, lengths, needed = windows_of(
            input_values, n_samples, member.config.clip_samples, member.config.step_samples
        )
        mask = length_mask(lengths.flatten(), windows.shape[2])
        judged = member(
            windows.flatten(0, 1),
            attention_mask=mask,
            output_hidden_states=hidden_states is not None,
            return_dict=True,
        )
        if hidden_states is not None:
            hidden_states += judged.hidden_states
        scores = probabilities(judged.logits, self.config)
        scores = scores.unflatten(0, needed.shape)
        return (scores * needed[:, :, None]).sum(1) / needed.sum(1, keepdim=True)


__all__ = ["AudioEnsembleForAudioClassification"]
