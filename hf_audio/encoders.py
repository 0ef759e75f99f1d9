"""Any audio encoder of transformers (wav2vec2, AST, ...) in the place of the small CNN, with a head for the task."""

import torch
from transformers import (
    AutoConfig,
    AutoFeatureExtractor,
    AutoModelForAudioClassification,
    PreTrainedModel,
    SequenceFeatureExtractor,
)

from .arguments import ArgumentError
from .models import AudioCNNConfig, AudioCNNFeatureExtractor, AudioCNNForAudioClassification


def load_extractor(name: str | None, config: AudioCNNConfig) -> SequenceFeatureExtractor:
    """What makes a model's inputs of waveforms: the AudioCNN's, or that of the encoder that is named.

    The task's config takes over an encoder's sampling rate.

    Raises:
        ArgumentError: there is no such checkpoint, or it hears no audio.
    """
    if name is None or _load_config(name).model_type == config.model_type:
        return AudioCNNFeatureExtractor(sampling_rate=config.sampling_rate)
    try:
        extractor = AutoFeatureExtractor.from_pretrained(name)
        config.sampling_rate = extractor.sampling_rate
    except (OSError, ValueError, AttributeError) as error:
        raise ArgumentError(
            f"--model_name_or_path {name} has no feature extractor for audio: give an audio encoder's."
        ) from error
    return extractor


def is_encoder(extractor: SequenceFeatureExtractor) -> bool:
    """Whether what `load_extractor` gave belongs to an encoder of transformers, and not to an AudioCNN."""
    return not isinstance(extractor, AudioCNNFeatureExtractor)


def build_model(config: AudioCNNConfig, name: str | None, extractor: SequenceFeatureExtractor) -> PreTrainedModel:
    """A network for the task: an AudioCNN, its weights random or, where one is named, a checkpoint's; or an encoder.

    Args:
        config: of the AudioCNN; an encoder takes over its labels, digits and window.
        name: folder or Hub id of a like AudioCNN, or of an encoder with a class in `AutoModelForAudioClassification`.
        extractor: what `load_extractor` gave for that name.

    Raises:
        ArgumentError: there is no such checkpoint, or it is an AudioCNN of other shapes, or no audio encoder.
    """
    if name is not None and is_encoder(extractor):
        return _load_encoder(config, name)
    # Channels last: the layout in which CPUs and GPUs convolve fastest; the weights' names and values stay.
    model = AudioCNNForAudioClassification(config).to(memory_format=torch.channels_last)
    if name is not None:
        try:
            model.load_state_dict(AutoModelForAudioClassification.from_pretrained(name).state_dict())
            model.feature_norm.reset_running_stats()  # a mean over all batches since, of these data's features
        except (OSError, ValueError, RuntimeError) as error:
            raise ArgumentError(
                f"--model_name_or_path {name} is no checkpoint of this network: give the --output_dir of a run with "
                "the same --model."
            ) from error
    return model


def _load_encoder(config: AudioCNNConfig, name: str) -> PreTrainedModel:
    encoder = _load_config(name)
    encoder.id2label, encoder.label2id = config.id2label, config.label2id
    encoder.problem_type, encoder.num_digits = config.problem_type, config.num_digits
    encoder.sampling_rate, encoder.clip_seconds = config.sampling_rate, config.clip_seconds
    encoder.speech_only = config.speech_only
    try:
        # The head of another task is left behind.
        model = AutoModelForAudioClassification.from_pretrained(name, config=encoder, ignore_mismatched_sizes=True)
    except (OSError, ValueError) as error:
        raise ArgumentError(
            f"--model_name_or_path {name}, a {encoder.model_type}, has no class in AutoModelForAudioClassification: "
            "give an audio encoder, such as a wav2vec2 or an AST."
        ) from error
    if hasattr(model, "freeze_feature_encoder"):
        model.freeze_feature_encoder()  # the convolutions that hear the waveform, as is usual in fine-tuning
    return model


def _load_config(name: str):
    try:
        return AutoConfig.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise ArgumentError(
            f"--model_name_or_path {name} is neither a finished folder nor a Hub id that can be fetched: check it."
        ) from error


__all__ = ["build_model", "is_encoder", "load_extractor"]
