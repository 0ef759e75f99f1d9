"""Several networks as one: each hears the waveform at its own rate and in its own windows."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import nn
from transformers import PreTrainedModel

from .configuration_audio_ensemble import AudioEnsembleConfig
from .frontends import Resampler, length_mask
from .modeling_audio_cnn import (
    AudioClassifierOutput,
    AudioCNNForAudioClassification,
    AudioCNNPreTrainedModel,
    add_margin,
    check_inputs,
    classifier_output,
    count_samples,
    probabilities,
    to_logits,
)
from .modeling_audio_encoder import AudioEncoderForAudioClassification

MEMBERS = (AudioCNNForAudioClassification, AudioEncoderForAudioClassification)
Member = AudioCNNForAudioClassification | AudioEncoderForAudioClassification


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


def mean_logits(
    scores: torch.Tensor, weights: Sequence[float], mean: str, config: AudioEnsembleConfig
) -> torch.Tensor:
    """The members' weighted mean, as logits whose softmax or sigmoid it is but for the ensemble's own margin.

    scores: (members, batch, labels) probabilities; mean: "arithmetic" or "geometric"; config: with `problem_type` and
    `rejection_margin`.
    """
    if mean == "geometric":
        scores = to_logits(scores, config)
    total = torch.stack([weight * part for weight, part in zip(weights, scores, strict=True)]).sum(0)
    return add_margin(total if mean == "geometric" else to_logits(total, config), config.rejection_margin)


class MemberWindows(NamedTuple):
    """What a member hears of a batch: every clip's windows, one clip after the other."""

    input_values: torch.Tensor
    """(batch * windows, samples)."""
    attention_mask: torch.Tensor
    """(batch * windows, samples)."""
    needed: torch.Tensor
    """Which windows a clip has, (batch, windows) of bool."""

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """What the windows were given, (batch * windows, values), to each clip's mean, (batch, values)."""
        values = values.unflatten(0, self.needed.shape)
        return (values * self.needed[:, :, None]).sum(1) / self.needed.sum(1, keepdim=True)


class AudioEnsembleForAudioClassification(PreTrainedModel):
    """The weighted mean of its members' probabilities, as logits: `AutoModelForAudioClassification`'s ensemble."""

    config_class = AudioEnsembleConfig
    base_model_prefix = "audio_ensemble"
    main_input_name = "input_values"
    _init_weights = AudioCNNPreTrainedModel._init_weights

    def __init__(self, config: AudioEnsembleConfig):
        config.follow_labels()
        super().__init__(config)
        members = config.member_configs
        kinds = {kind.config_class: kind for kind in MEMBERS}
        self.members = nn.ModuleList(kinds[type(member)](member) for member in members)
        rates = [member.sampling_rate or config.sampling_rate for member in members]
        self.resamplers = nn.ModuleList(Resampler(config.sampling_rate, rate) for rate in rates)
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
    ) -> AudioClassifierOutput | tuple[torch.Tensor, ...]:
        """Waveforms (batch, samples) to logits (batch, classes), whose softmax or sigmoid is the mean probability.

        Args:
            input_values: waveforms at `config.sampling_rate`, values in [-1, 1].
            attention_mask: 1 on samples, 0 on padding at the end; `None` when nothing is padded.
            labels: as in `classification_loss`; with them, the output carries the mean loss.
            output_hidden_states: whether to return what each layer of each member gives, one member after the other,
                (batch * its windows, channels, [bands,] frames), and as `pooler_output` the embeddings, see `embed`.
            return_dict: `False` returns a tuple, as in every transformers model.
        """
        wanted = self.config.output_hidden_states if output_hidden_states is None else output_hidden_states
        scores: list[torch.Tensor] = []
        hidden_states: list[torch.Tensor] = []
        embeddings: list[torch.Tensor] = []
        for member, windows in self._windows(input_values, attention_mask):
            judged = member(
                windows.input_values,
                attention_mask=windows.attention_mask,
                output_hidden_states=wanted,
                return_dict=True,
            )
            scores.append(windows.mean(probabilities(judged.logits, self.config)))
            if wanted:
                hidden_states += judged.hidden_states
                embeddings.append(windows.mean(judged.pooler_output))
        logits = mean_logits(torch.stack(scores), self.config.weights, self.config.mean, self.config)
        states = (hidden_states, torch.cat(embeddings, 1)) if wanted else None
        return classifier_output(logits, labels, self.config, states, return_dict)

    def embed(self, input_values: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
        """Waveforms (batch, samples) to embeddings (batch, size): the members' one after the other.

        Each member's is the mean over its windows. Weights of the ensemble are of scores, and do not scale them.
        """
        windows_of_members = self._windows(input_values, attention_mask)
        return torch.cat([windows.mean(member.embed(*windows[:2])) for member, windows in windows_of_members], 1)

    def _windows(
        self, input_values: torch.Tensor, attention_mask: torch.Tensor | None
    ) -> Iterator[tuple[Member, MemberWindows]]:
        """Each member with what it hears of the waveforms, (batch, samples)."""
        check_inputs(input_values, attention_mask, self.training)
        n_samples = count_samples(input_values, attention_mask)
        for member, resampler in zip(self.members, self.resamplers, strict=True):
            assert isinstance(member, MEMBERS) and isinstance(resampler, Resampler)
            sizes = member.config.clip_samples, member.config.step_samples
            windows, lengths, needed = windows_of(resampler(input_values), resampler.n_samples(n_samples), *sizes)
            mask = length_mask(lengths.flatten(), windows.shape[2])
            yield member, MemberWindows(windows.flatten(0, 1), mask, needed)


__all__ = ["AudioEnsembleForAudioClassification"]
