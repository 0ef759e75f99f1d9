"""What the feature extractors of transformers' encoders need to be told, and where they contradict their model."""

import inspect
from typing import Any

from transformers import ASTFeatureExtractor, PreTrainedConfig, SequenceFeatureExtractor

from ..errors import CheckpointError


def padding_arguments(extractor: SequenceFeatureExtractor) -> dict[str, Any]:
    """What makes a batch of waveforms of several lengths: nothing, where an extractor pads to a length of its own."""
    call = inspect.signature(extractor.__call__).parameters
    return {"padding": True} if "padding" in call and not call["padding"].default else {}


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


__all__ = ["check_rate", "check_spectrogram", "padding_arguments"]
