"""What the feature extractors of transformers' encoders need to be told, and where they contradict their model."""

import inspect
from typing import Any

from transformers import ASTFeatureExtractor, ClapFeatureExtractor, PreTrainedConfig, SequenceFeatureExtractor

from ..errors import CheckpointError
from .kaldi_features import FRAME_LENGTH, HOP_LENGTH


def padding_arguments(extractor: SequenceFeatureExtractor) -> dict[str, Any]:
    """What makes a batch of waveforms of several lengths: nothing, where an extractor pads to a length of its own."""
    if isinstance(extractor, ClapFeatureExtractor):
        return {}  # it repeats short sounds, unless told to pad
    call = inspect.signature(extractor.__call__).parameters
    return {"padding": True} if "padding" in call and not call["padding"].default else {}


def longest_seconds(extractor: SequenceFeatureExtractor) -> float | None:
    """How much of a recording an extractor lets its model hear, from the beginning or anywhere; `None`: all of it."""
    if isinstance(extractor, ASTFeatureExtractor):
        return (FRAME_LENGTH + (extractor.max_length - 1) * HOP_LENGTH) / extractor.sampling_rate
    samples = getattr(extractor, "nb_max_samples", None) or getattr(extractor, "n_samples", None)
    return samples / extractor.sampling_rate if samples else None  # of a CLAP or a Whisper


def check_spectrogram(extractor: SequenceFeatureExtractor, config: PreTrainedConfig) -> None:
    """Refuse an AST whose extractor makes a spectrogram of another shape than the model reads.

    Raises:
        CheckpointError: it does; the message is the reason, without the checkpoint's name.
    """
    if not isinstance(extractor, ASTFeatureExtractor):
        return
    made, read = (extractor.max_length, extractor.num_mel_bins), (config.max_length, config.num_mel_bins)
    if made != read:
        raise CheckpointError(
            f"its preprocessor_config.json makes {made[0]} frames of {made[1]} mel bands (max_length, num_mel_bins), "
            f"and its config.json reads {read[0]} of {read[1]}"
        )


def check_rate(extractor: SequenceFeatureExtractor, config: PreTrainedConfig) -> None:
    """Refuse an extractor of another sampling rate than its model's, to which all sounds would be too high or too low.

    Raises:
        CheckpointError: it does; the message is the reason, without the checkpoint's name.
    """
    takes, reads = extractor.sampling_rate, getattr(config, "sampling_rate", None)
    if reads not in (None, takes):
        raise CheckpointError(
            f"its preprocessor_config.json has sampling_rate={takes!r}, and its config.json {reads!r}"
        )


__all__ = ["check_rate", "check_spectrogram", "longest_seconds", "padding_arguments"]
