"""Any audio encoder of transformers (wav2vec2, AST, ...) in the place of the small CNN, with a head for the task."""

import torch
from torch import nn
from torch.nn import functional as F
from transformers import (
    ASTForAudioClassification,
    AutoConfig,
    AutoFeatureExtractor,
    AutoModelForAudioClassification,
    PreTrainedConfig,
    PreTrainedModel,
    SequenceFeatureExtractor,
)

from ...encoders.names import find_checkpoint
from ...errors import ArgumentError
from ...inference.extractors import check_spectrogram
from ...inference.kaldi_features import FRAME_LENGTH, HOP_LENGTH, is_ast
from ...models import (
    AudioCNNConfig,
    AudioCNNFeatureExtractor,
    AudioCNNForAudioClassification,
    AudioEncoderConfig,
)
from ...models.configuration_audio_encoder import QUIET_SECONDS

# Frames. The lengths of an AST's spectrogram are multiples: 1024 for clips of 10 s, 512 for 5 s, 128 for 1 s.
SPECTROGRAM_MULTIPLE = 64
CLASSIFIERS = ("classifier.", "long_term_spectrum.classifier.")  # a row a class
HEAD = ("pooling.", *CLASSIFIERS)


def load_extractor(name: str | None, config: AudioCNNConfig) -> SequenceFeatureExtractor:
    """What makes a model's inputs of waveforms: the AudioCNN's, or that of the encoder that is named.

    The task's config takes over an encoder's sampling rate, and an AST's spectrogram becomes as long as the task's
    clips.

    Raises:
        ArgumentError: there is no such checkpoint, it hears no audio, or its two configurations contradict each other.
        CheckpointError: an encoder that a package brings cannot be fetched.
    """
    if name is None:
        return AudioCNNFeatureExtractor(sampling_rate=config.sampling_rate)
    name = find_checkpoint(name)
    encoder = load_config(name)
    if encoder.model_type == config.model_type:
        return AudioCNNFeatureExtractor(sampling_rate=config.sampling_rate)
    if isinstance(encoder, AudioEncoderConfig):
        config.sampling_rate = encoder.numbers.sampling_rate
        return AudioCNNFeatureExtractor(sampling_rate=config.sampling_rate)
    try:
        extractor = AutoFeatureExtractor.from_pretrained(name)
        config.sampling_rate = extractor.sampling_rate
    except (OSError, ValueError, AttributeError) as error:
        raise ArgumentError(
            f"--model_name_or_path {name} has no feature extractor for audio (no preprocessor_config.json with a "
            "sampling_rate): give an audio encoder's checkpoint."
        ) from error
    try:
        check_spectrogram(extractor, encoder)
    except ValueError as error:
        raise ArgumentError(
            f"--model_name_or_path {name} contradicts itself: {error}; make them agree in its files."
        ) from error
    if is_ast(extractor):
        extractor.max_length = spectrogram_length(config)
    return extractor


def spectrogram_length(config: AudioCNNConfig) -> int:
    """Frames of an AST's spectrogram that hold a clip of the task."""
    n_frames = 1 + max(config.clip_samples - FRAME_LENGTH, 0) // HOP_LENGTH
    return -(-n_frames // SPECTROGRAM_MULTIPLE) * SPECTROGRAM_MULTIPLE


def is_encoder(extractor: SequenceFeatureExtractor) -> bool:
    """Whether what `load_extractor` gave belongs to an encoder of transformers, and not to an AudioCNN."""
    return not isinstance(extractor, AudioCNNFeatureExtractor)


def is_audio_cnn(name: str) -> bool:
    """Whether a folder or Hub id is of an AudioCNN.

    Raises:
        ArgumentError: there is no such checkpoint.
    """
    return load_config(find_checkpoint(name)).model_type == AudioCNNConfig.model_type


def build_model(
    config: AudioCNNConfig, name: str | None, extractor: SequenceFeatureExtractor, freeze: str | None = None
) -> PreTrainedModel:
    """A network for the task: an AudioCNN, its weights random or, where one is named, a checkpoint's; or an encoder.

    Args:
        config: of the AudioCNN; an encoder takes over its labels, digits and window.
        name: folder or Hub id of a like AudioCNN, or of an encoder with a class in `AutoModelForAudioClassification`,
            or the name of one that a package brings. The head of another number of classes is left behind.
        extractor: what `load_extractor` gave for that name.
        freeze: as in `network_parts.freeze`, which is left to the caller: a frozen AudioCNN keeps its statistics.

    Raises:
        ArgumentError: there is no such checkpoint, or it is an AudioCNN of other shapes, or no audio encoder.
    """
    if name is not None:
        name = find_checkpoint(name)
        if is_encoder(extractor) or isinstance(load_config(name), AudioEncoderConfig):
            return _load_encoder(config, name, extractor, fitted=freeze == "encoder")
    # Channels last: the layout in which CPUs and GPUs convolve fastest; the weights' names and values stay.
    model = AudioCNNForAudioClassification(config).to(memory_format=torch.channels_last)
    if name is not None:
        try:
            _take_weights(model, AutoModelForAudioClassification.from_pretrained(name))
            if freeze != "encoder":
                model.reset_statistics()
        except (OSError, ValueError, RuntimeError) as error:
            raise ArgumentError(
                f"--model_name_or_path {name} is no checkpoint of this network: give the --output_dir of a run with "
                "the same --model."
            ) from error
    return model


def _take_weights(model: AudioCNNForAudioClassification, begun: PreTrainedModel) -> None:
    weights, own = begun.state_dict(), model.state_dict()
    if begun.config.num_labels != model.config.num_labels or model.config.normal_centers:
        weights = {key: value for key, value in weights.items() if not key.startswith(HEAD)}
        weights |= {key: value for key, value in own.items() if key.startswith(HEAD)}
    names, before = (list(config.id2label.values()) for config in (model.config, begun.config))
    if names != before and set(names) == set(before) and not model.config.num_digits:
        # The same classes under other ids, as a checkpoint has them for which numbers were sorted as text.
        rows = [before.index(name) for name in names]
        weights |= {key: value[rows] for key, value in weights.items() if key.startswith(CLASSIFIERS)}
    model.load_state_dict(weights)


def _load_encoder(
    config: AudioCNNConfig, name: str, extractor: SequenceFeatureExtractor, fitted: bool
) -> PreTrainedModel:
    """fitted: whether the head will be fitted at once, and so be one linear layer on what the encoder gives."""
    encoder = load_config(name)
    encoder.id2label, encoder.label2id = config.id2label, config.label2id
    encoder.problem_type, encoder.num_digits = config.problem_type, config.num_digits
    encoder.sampling_rate, encoder.clip_seconds = config.sampling_rate, config.clip_seconds
    encoder.overlap = config.overlap
    encoder.speech_only = config.speech_only
    if getattr(encoder, "event_rule", None) is not None:
        encoder.event_rule = None  # of another head's labels
    if isinstance(encoder, AudioEncoderConfig):
        encoder.temperature, encoder.rejection_margin = 1.0, 0.0  # what was fitted to another head
        encoder.min_seconds = QUIET_SECONDS if encoder.encoder == "speech" else None
        encoder.normal_centers = config.normal_centers
    elif config.normal_centers:
        raise ArgumentError(
            f"--only_normal fits a head to an AudioCNN or to ge2e, speech or sfx, and {name} is a "
            f"{encoder.model_type}: give one of these, or leave --model_name_or_path out."
        )
    projects = fitted and hasattr(encoder, "classifier_proj_size")
    if projects:
        encoder.classifier_proj_size = encoder.hidden_size
    try:
        # The head of another task is left behind. In single precision, whatever the checkpoint's: steps of a small
        # learning rate are lost in a half.
        model = AutoModelForAudioClassification.from_pretrained(
            name, config=encoder, ignore_mismatched_sizes=True, dtype=torch.float32
        )
    except (OSError, ValueError) as error:
        raise ArgumentError(
            f"--model_name_or_path {name}, a {encoder.model_type}, has no class in AutoModelForAudioClassification: "
            "give an audio encoder, such as a wav2vec2 or an AST."
        ) from error
    if projects:  # at random, it would only lose something
        nn.init.eye_(model.projector.weight)
        nn.init.zeros_(model.projector.bias)
    if is_ast(extractor):
        fit_spectrogram(model, extractor.max_length)
    if isinstance(encoder, AudioEncoderConfig):
        model.to(memory_format=torch.channels_last)  # as an AudioCNN
    return model


def fit_spectrogram(model: ASTForAudioClassification, max_length: int) -> None:
    """Have an AST read spectrograms of another length: its position embeddings are interpolated along time.

    Source: Gong et al. 2021, https://arxiv.org/abs/2104.01778.
    """
    if max_length == model.config.max_length:
        return
    embeddings = model.audio_spectrogram_transformer.embeddings
    _, before = embeddings.get_shape(model.config)
    model.config.max_length = max_length
    n_bands, after = embeddings.get_shape(model.config)
    of_tokens, of_patches = embeddings.position_embeddings.data.split([2, n_bands * before], dim=1)
    grid = of_patches.unflatten(1, (n_bands, before)).permute(0, 3, 1, 2)  # (1, hidden, bands, times)
    grid = F.interpolate(grid, size=(n_bands, after), mode="bilinear", align_corners=False)
    of_patches = grid.flatten(2).transpose(1, 2)
    embeddings.position_embeddings = nn.Parameter(torch.cat([of_tokens, of_patches], dim=1))


def load_config(name: str) -> PreTrainedConfig:
    """The config of a folder or Hub id.

    Raises:
        ArgumentError: there is no such checkpoint.
    """
    try:
        return AutoConfig.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise ArgumentError(
            f"--model_name_or_path {name} is neither a finished folder nor a Hub id that can be fetched: check its "
            "spelling, and the network."
        ) from error


__all__ = ["build_model", "fit_spectrogram", "is_encoder", "load_config", "load_extractor", "spectrogram_length"]
