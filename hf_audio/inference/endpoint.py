"""What a custom inference endpoint of the Hugging Face Hub calls: bytes in, labels with scores out."""

import base64
import os
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..audio.loading import load_audio
from ..audio.resampling import to_mono
from ..errors import ArgumentError, AudioError
from .checkpoint import load_classifier
from .classifier import FUNCTIONS, AppliedClassifier
from .facts import Answer

DEFAULT_TOP_K = 5
PARAMETERS = ("top_k", "function_to_apply")
DATA_URL = re.compile(r"data:[^,]*;base64,", re.IGNORECASE)
LINE_BREAKS = b" \t\r\n"


class EndpointHandler:
    """A checkpoint, asked as an endpoint is: `handler({"inputs": audio, "parameters": {"top_k": 3}})`.

    `handler.py` of what `hf-audio push --endpoint` uploads is this class.

    Args:
        path: folder of the repository.

    Raises:
        CheckpointError: it cannot be loaded.
    """

    def __init__(self, path: str | os.PathLike = ""):
        self.classifier = load_classifier(path)

    def __call__(self, data: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Labels with scores, best first; a number that was read is a label too.

        Args:
            data: `inputs`, which are the bytes of an audio file, those in base64 or a data URL, a waveform of floats
                at the checkpoint's rate, or `{"array": waveform, "sampling_rate": rate}`; and `parameters`, if any:
                `top_k`, 5 by default, and `function_to_apply`, `"softmax"`, `"sigmoid"` or `"none"`.

        Raises:
            ArgumentError: a parameter that cannot be.
            AudioError: the audio cannot be read.
        """
        top_k, function = _read_parameters(data.get("parameters") or {})
        classifier, facts = self.classifier, self.classifier.facts
        waveform = _read_audio(data.get("inputs"), facts.sampling_rate)
        if function not in (None, facts.function) and not facts.num_digits:
            classifier = AppliedClassifier(classifier, str(function))
        return as_labels(facts.name(classifier.judge_recording(waveform), top_k))


def as_labels(answer: Answer) -> list[dict[str, Any]]:
    """An answer as the inference API gives it, where a number that was read is a label too."""
    return [{"score": answer["score"], "label": answer["text"]}] if isinstance(answer, dict) else answer


def decode_base64(text: str) -> bytes:
    """The bytes of base64, with line breaks in it or not, or of a data URL.

    Raises:
        ValueError: it is neither.
    """
    start = DATA_URL.match(text)
    encoded = text[start.end() if start else 0 :].encode("ascii").translate(None, LINE_BREAKS)
    return base64.b64decode(encoded, validate=True)


def _read_parameters(parameters: Any) -> tuple[int, str | None]:
    if not isinstance(parameters, Mapping):
        raise ArgumentError(f"parameters: a {type(parameters).__name__} has no names: give {{'top_k': 3}}, say.")
    unknown = sorted(set(map(str, parameters)) - set(PARAMETERS))
    if unknown:
        raise ArgumentError(f"parameters: {unknown[0]} is none: give {' or '.join(PARAMETERS)}.")
    top_k, function = parameters.get("top_k"), parameters.get("function_to_apply")
    if top_k is not None and (type(top_k) is not int or top_k < 1):
        raise ArgumentError(f"parameters: top_k={top_k!r} must be a whole number, 1 or more.")
    if function is not None and function not in FUNCTIONS:
        raise ArgumentError(f"parameters: function_to_apply={function!r} must be one of {', '.join(FUNCTIONS)}.")
    return top_k or DEFAULT_TOP_K, function


def _read_audio(inputs: Any, sampling_rate: int) -> np.ndarray:
    """(samples,) at the rate."""
    rate: Any = sampling_rate
    if isinstance(inputs, Mapping):
        rate, inputs = inputs.get("sampling_rate", rate), inputs.get("array", inputs.get("raw"))
    if isinstance(inputs, str):
        try:
            inputs = decode_base64(inputs)
        except ValueError as error:
            raise AudioError("inputs: this is no base64: give the bytes of an audio file in it.") from error
    if isinstance(inputs, bytes | bytearray | memoryview):
        return load_audio(bytes(inputs), sampling_rate)
    if isinstance(inputs, list | tuple):  # JSON does not tell floats that are whole from integers
        try:
            inputs = np.asarray(inputs, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise AudioError("inputs: a list that is no waveform: give numbers, full scale being 1.") from error
    if isinstance(inputs, np.ndarray):
        return to_mono(inputs, rate, sampling_rate, "inputs")
    raise AudioError(f"inputs: audio cannot be read from a {type(inputs).__name__}: give the bytes of an audio file.")
