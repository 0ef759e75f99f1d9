"""Encoders that were trained elsewhere as models: a mono waveform in, embeddings or class scores out."""

import os
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

from .configuration_audio_encoder import AudioEncoderConfig
from .encoder_networks import NETWORKS
from .frontends import ConstantModule, length_mask
from .modeling_audio_cnn import (
    AudioClassifierOutput,
    calibrate,
    check_inputs,
    classifier_output,
    count_samples,
    notice_tags,
)
from .one_class import NormalDistance

# Where the classes lie in a checkpoint that carries its code.
AUTO_MAP = {
    "AutoModel": "modeling_audio_encoder.AudioEncoderModel",
    "AutoModelForAudioClassification": "modeling_audio_encoder.AudioEncoderForAudioClassification",
}


class AudioEncoderPreTrainedModel(PreTrainedModel):
    """What the encoder and its classifier share."""

    config_class = AudioEncoderConfig
    base_model_prefix = "audio_encoder"
    main_input_name = "input_values"

    def __init__(self, config: AudioEncoderConfig):
        config.follow_labels()
        super().__init__(config)

    def save_pretrained(self, save_directory: str | os.PathLike, **kwargs: Any) -> None:
        """As every model, with the code of both kinds of model named for those who have not installed the package."""
        if self._auto_class is not None:
            self.config.auto_map = {**AUTO_MAP, **(getattr(self.config, "auto_map", None) or {})}
        super().save_pretrained(save_directory, **kwargs)

    def _init_weights(self, module: nn.Module) -> None:
        # As an AudioCNN's: transformers' own initialisation starves networks of this size.
        if isinstance(module, nn.Conv2d | nn.Linear | nn.LSTM):
            module.reset_parameters()
        elif isinstance(module, ConstantModule):
            module.reset_constants()
        else:
            super()._init_weights(module)


class AudioEncoderModel(AudioEncoderPreTrainedModel):
    """Embeddings of every window and of a whole clip: `AutoModel`'s encoder, which has no head."""

    _keys_to_ignore_on_load_unexpected = (r"^classifier\.",)

    def __init__(self, config: AudioEncoderConfig):
        super().__init__(config)
        self.network = NETWORKS[config.encoder](config)
        self.post_init()

    def forward(
        self,
        input_values: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> BaseModelOutputWithPooling | tuple[torch.Tensor, ...]:
        """Waveforms (batch, samples) to embeddings of their windows and of the whole.

        `last_hidden_state` is (batch, windows, size), zero behind a clip's own windows; `pooler_output`, (batch,
        size), is the mean over these, of length 1 where the encoder's own windows are.

        Args:
            input_values: waveforms at `config.sampling_rate`, values in [-1, 1].
            attention_mask: 1 on samples, 0 on padding at the end; `None` when nothing is padded.
            output_hidden_states: whether to return what each layer gives, (batch, channels, frames, bands), or with
                batch * windows in front where windows go through the layers one by one; of LSTMs, (batch * windows,
                frames, size).
            return_dict: `False` returns a tuple, as in every transformers model.
        """
        check_inputs(input_values, attention_mask, self.training)
        n_samples = count_samples(input_values, attention_mask)
        if attention_mask is not None:
            input_values = input_values * length_mask(n_samples, input_values.shape[1])
        wanted = self.config.output_hidden_states if output_hidden_states is None else output_hidden_states
        hidden_states: list[torch.Tensor] | None = [] if wanted else None
        embeddings = self.network(input_values, n_samples, hidden_states)
        n_windows = self.network.n_windows(n_samples)
        own = length_mask(n_windows, embeddings.shape[1])[:, :, None]
        output = BaseModelOutputWithPooling(
            last_hidden_state=embeddings * own,
            pooler_output=self.network.pool(embeddings, n_windows),
            hidden_states=None if hidden_states is None else tuple(hidden_states),
        )
        return output if (self.config.return_dict if return_dict is None else return_dict) else output.to_tuple()

    def embed(self, input_values: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
        """Waveforms (batch, samples) to embeddings (batch, size), which are what the classifier judges by."""
        return self(input_values, attention_mask, output_hidden_states=False, return_dict=True).pooler_output


class AudioEncoderForAudioClassification(AudioEncoderPreTrainedModel):
    """One score a class for a whole clip: `AutoModelForAudioClassification`'s encoder with a linear head."""

    def __init__(self, config: AudioEncoderConfig):
        super().__init__(config)
        self.audio_encoder = AudioEncoderModel(config)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier: nn.Module = nn.Linear(config.hidden_size, config.num_labels)
        if config.normal_centers:
            self.classifier = NormalDistance(config.hidden_size, config.normal_centers)
            self._keep_in_fp32_modules_strict = ("classifier",)
        self.post_init()

    def forward(
        self,
        input_values: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> AudioClassifierOutput | tuple[torch.Tensor, ...]:
        """Waveforms (batch, samples) to logits (batch, classes), and to the loss where there are labels.

        Args:
            input_values: waveforms at `config.sampling_rate`, values in [-1, 1].
            attention_mask: 1 on samples, 0 on padding at the end; `None` when nothing is padded.
            labels: as in `classification_loss`; with them, the output carries the mean loss. Tags, any number of zeros
                and ones a clip, set a `problem_type` that is not set, as in transformers' own models.
            output_hidden_states: whether to return what each layer gives, as `AudioEncoderModel` does, and as
                `pooler_output` the embeddings, (batch, size).
            return_dict: `False` returns a tuple, as in every transformers model.
        """
        notice_tags(labels, self.config)
        encoded = self.audio_encoder(
            input_values, attention_mask, output_hidden_states=output_hidden_states, return_dict=True
        )
        logits = calibrate(self.classifier(self.dropout(encoded.pooler_output)).float(), self.config)
        states = None if encoded.hidden_states is None else (encoded.hidden_states, encoded.pooler_output)
        return classifier_output(logits, labels, self.config, states, return_dict)

    def embed(self, input_values: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
        """Waveforms (batch, samples) to embeddings (batch, size), which are what the classifier judges by."""
        return self.audio_encoder.embed(input_values, attention_mask)


__all__ = ["AudioEncoderForAudioClassification", "AudioEncoderModel", "AudioEncoderPreTrainedModel"]
