"""Answers to audio that was read from a request, as bytes of JSON."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..inference.endpoint import DEFAULT_TOP_K, as_labels
from ..inference.frames import FrameScores
from . import judging
from .schemas import InferenceParameters, UploadOptions, WindowOptions
from .service import Service

Window = tuple[float, float, np.ndarray]
"""Its start and end in seconds, and what the network gives for it."""


async def infer(service: Service, audio: bytes, name: str | None, parameters: InferenceParameters) -> bytes:
    """The answer of the inference API: labels with scores; a number that was read is a label too."""
    classifier = service.find(name, parameters.function_to_apply)
    waveform = await judging.decode(service, audio, classifier)
    answer = classifier.facts.name(
        await judging.judge(service, classifier, waveform), parameters.top_k or DEFAULT_TOP_K
    )
    return _encode(as_labels(answer))


async def predict(service: Service, audio: bytes, fields: dict[str, str]) -> bytes:
    """What is heard in an uploaded file, as a whole and, if wanted, window by window."""
    options = UploadOptions.model_validate(fields)
    top_k = options.top_k or DEFAULT_TOP_K
    name = options.model or next(iter(service.checkpoints))
    classifier = service.find(name)
    facts = classifier.facts
    waveform = await judging.decode(service, audio, classifier)
    scores = await judging.judge(service, classifier, waveform)
    whole = {"model": name, "seconds": len(waveform) / facts.sampling_rate, "answer": facts.name(scores, top_k)}
    encoded = _encode(whole)
    if options.frames:
        stretch = await judging.score_moments(service, classifier, waveform)
        frames = await service.run_decoding(partial(_encode_frames, stretch, facts.labels))
        encoded = encoded[:-1] + b',"frames":' + frames + b"}"
    if options.window_seconds is None and options.hop_seconds is None:
        return encoded
    windows = await judging.judge_windows(
        service, classifier, waveform, options.window_seconds, options.hop_seconds, top_k
    )
    answer = partial(facts.name, top_k=top_k)
    return await service.run_decoding(partial(_encode_windows, encoded, windows, "answer", answer))


async def embed(service: Service, audio: bytes, fields: dict[str, str]) -> bytes:
    """The embedding of an uploaded file, as a whole and, if wanted, window by window."""
    options = WindowOptions.model_validate(fields)
    name = options.model or next(iter(service.checkpoints))
    embedder = service.find_embedder(name)
    waveform = await judging.decode(service, audio, embedder)
    vector = await judging.embed(service, embedder, waveform)
    whole = {"model": name, "seconds": len(waveform) / embedder.sampling_rate, "embedding": _numbers(vector)}
    if options.window_seconds is None and options.hop_seconds is None:
        return _encode(whole)
    spans = options.window_seconds, options.hop_seconds
    windows = await judging.embed_windows(service, embedder, waveform, *spans, len(vector))
    return await service.run_decoding(partial(_encode_windows, _encode(whole), windows, "embedding", _numbers))


def _numbers(vector: np.ndarray) -> list[float]:
    """Numbers with as many digits as single precision has."""
    return [float(f"{value:.8g}") for value in vector]


def _encode(answer: Any) -> bytes:
    """An answer as JSON, which has no numbers that are not finite."""
    return json.dumps(answer, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def tell_frames(stretch: FrameScores, labels: Sequence[str]) -> dict[str, Any]:
    """What sounds in each moment, as an answer of JSON."""
    scores = [[round(float(score), 6) for score in row] for row in stretch.scores]
    return {"frame_seconds": stretch.frame_seconds, "labels": list(labels), "scores": scores}


def _encode_frames(stretch: FrameScores, labels: Sequence[str]) -> bytes:
    return _encode(tell_frames(stretch, labels))


def _encode_windows(whole: bytes, windows: Sequence[Window], kind: str, tell: Callable[[np.ndarray], Any]) -> bytes:
    """An answer with its windows, one after the other: the encoder holds all threads up as long as it runs."""
    encoded = (_encode({"start": start, "end": end, kind: tell(row)}) for start, end, row in windows)
    return whole[:-1] + b',"windows":[' + b",".join(encoded) + b"]}"
