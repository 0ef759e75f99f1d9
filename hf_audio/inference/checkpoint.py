"""A checkpoint loaded by what it is: a finished folder, a Hub id or an ONNX file."""

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ..errors import CheckpointError
from .classifier import AudioClassifier
from .facts import Facts
from .torch_classifier import TorchAudioClassifier
from .torch_network import reason_of

ONNX_SUFFIX = ".onnx"


def load_classifier(checkpoint: str | os.PathLike) -> AudioClassifier:
    """Load the classifier of a finished folder, a Hub id or an exported ONNX file.

    Raises:
        CheckpointError: there is none, it is broken, or it does not classify audio.
    """
    classifier: AudioClassifier
    if Path(checkpoint).suffix == ONNX_SUFFIX:
        from .onnx_classifier import OnnxAudioClassifier

        classifier = OnnxAudioClassifier(checkpoint)
    else:
        classifier = TorchAudioClassifier(checkpoint)
    try_out(classifier.score, classifier.facts, checkpoint, "scores")
    return classifier


def try_out(
    run: Callable[[Sequence[np.ndarray]], np.ndarray], facts: Facts, checkpoint: str | os.PathLike, kind: str
) -> None:
    """Refuse what does not answer to a tone, whatever the reason.

    Args:
        run: the network: windows, (samples,) each -> (windows, values).
        facts: of the checkpoint.
        checkpoint: its name.
        kind: of the values, for a sentence.

    Raises:
        CheckpointError: it fails, or its numbers are none.
    """
    try:
        values = run([make_tone(facts)])
    except CheckpointError:
        raise
    except Exception as error:  # of torch, onnxruntime or numpy
        raise CheckpointError(
            f"{checkpoint} does not run ({reason_of(error)}): give the --output_dir of a finished run, or a Hub id."
        ) from error
    if not np.isfinite(values).all():
        raise CheckpointError(
            f"{checkpoint} gives {kind} that are not finite, so its weights or its numbers are broken: train it again."
        )


def make_tone(facts: Facts) -> np.ndarray:
    """What any checkpoint can be tried out on: a second of a tone or a window of it, (samples,) float32."""
    n_samples = min(round(facts.sampling_rate), facts.window or math.inf)
    return (0.1 * np.sin(0.3 * np.arange(n_samples))).astype(np.float32)
