"""A checkpoint loaded by what it is: a finished folder, a Hub id or an ONNX file."""

import os
from pathlib import Path

from .classifier import AudioClassifier
from .torch_classifier import TorchAudioClassifier

ONNX_SUFFIX = ".onnx"


def load_classifier(checkpoint: str | os.PathLike) -> AudioClassifier:
    """A finished folder, a Hub id or an exported ONNX file, ready to be used.

    Raises:
        CheckpointError: there is none, it is broken, or it does not classify audio.
    """
    if Path(checkpoint).suffix == ONNX_SUFFIX:
        from .onnx_classifier import OnnxAudioClassifier

        return OnnxAudioClassifier(checkpoint)
    return TorchAudioClassifier(checkpoint)
