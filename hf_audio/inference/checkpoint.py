"""A checkpoint loaded by what it is: a finished folder, a Hub id or an ONNX file."""

import math
import os
from pathlib import Path

import numpy as np

from ..errors import CheckpointError
from .classifier import AudioClassifier
from .torch_classifier import TorchAudioClassifier, reason_of

ONNX_SUFFIX = ".onnx"


def load_classifier(checkpoint: str | os.PathLike) -> AudioClassifier:
    """A finished folder, a Hub id or an exported ONNX file, ready to be used.

    Raises:
        CheckpointError: there is none, it is broken, or it does not classify audio.
    """
    classifier: AudioClassifier
    if Path(checkpoint).suffix == ONNX_SUFFIX:
        from .onnx_classifier import OnnxAudioClassifier

        classifier = OnnxAudioClassifier(checkpoint)
    else:
        classifier = TorchAudioClassifier(checkpoint)
    _try_out(classifier, checkpoint)
    return classifier


def _try_out(classifier: AudioClassifier, checkpoint: str | os.PathLike) -> None:
    """Refuse what does not answer to a tone, whatever the reason."""
    facts = classifier.facts
    tone = 0.1 * np.sin(0.3 * np.arange(min(round(facts.sampling_rate), facts.window or math.inf)))
    try:
        scores = classifier.score([tone.astype(np.float32)])
    except Exception as error:  # of torch, onnxruntime or numpy
        raise CheckpointError(
            f"{checkpoint} does not run ({reason_of(error)}): give the --output_dir of a finished run, or a Hub id."
        ) from error
    if not np.isfinite(scores).all():
        raise CheckpointError(
            f"{checkpoint} gives scores that are not finite, so its weights or its numbers are broken: train it again."
        )
