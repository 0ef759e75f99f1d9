"""Recordings through the networks of a service: as a whole, by windows or moments, to scores or vectors."""

import asyncio
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus

import numpy as np

from ..audio.loading import load_audio
from ..audio.windows import running_windows
from ..errors import ArgumentError, AudioError, NoSpeechError
from ..inference.frames import FrameCutter, FrameJoiner, FrameScores, FrameWindows
from .batcher import BatchedClassifier, Network
from .refusals import ServiceError
from .schemas import MAX_ANSWER_LABELS, MAX_ANSWER_NUMBERS
from .service import Service

# In which speech is looked for, before another request has its turn.
WINDOWS_AT_ONCE = 16


async def decode(service: Service, audio: bytes, classifier: BatchedClassifier) -> np.ndarray:
    """A file's bytes -> (samples,) at the classifier's rate.

    Raises:
        AudioError: it cannot be read, or is too long.
    """
    waveform = await service.run_decoding(
        lambda: load_audio(audio, classifier.sampling_rate, service.limits.max_seconds)
    )
    service.metrics.audio_seconds.inc(len(waveform) / classifier.sampling_rate)
    return waveform


async def _score(service: Service, classifier: BatchedClassifier, windows: Sequence[np.ndarray]) -> np.ndarray:
    """Windows, (samples,) each -> (windows, labels) probabilities."""
    return np.stack(await _ask(service, classifier, classifier.classifier, windows))


async def _ask(
    service: Service, classifier: BatchedClassifier, network: Network, windows: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Windows, (samples,) each -> what the network of a classifier gives for each."""
    rows: list[np.ndarray] = []
    for part in classifier.parts(windows):
        rows.extend(await asyncio.wrap_future(classifier.batcher.submit(network, part)))  # += would add arrays
    return rows


async def judge(service: Service, classifier: BatchedClassifier, waveform: np.ndarray) -> np.ndarray:
    """A recording, (samples,), to its scores, as `AudioClassifier.judge_recording` gives them."""
    facts = classifier.facts
    spoken, speech = await service.run_decoding(lambda: facts.keep_speech(waveform))
    scores = await _score(service, classifier, facts.cut(spoken)) if speech is None else ()
    return facts.reduce(scores, speech)


async def judge_windows(
    service: Service,
    classifier: BatchedClassifier,
    waveform: np.ndarray,
    window_seconds: float | None,
    hop_seconds: float | None,
    top_k: int,
) -> list[tuple[float, float, np.ndarray]]:
    """A waveform, (samples,), -> start and end in seconds and (labels,) probabilities of a stream's windows.

    Raises:
        ServiceError: 422, so many labels of so many windows would make too large an answer.
    """
    facts = classifier.facts
    spans = list(running_windows(len(waveform), *facts.stream_windows(window_seconds, hop_seconds)))
    n_labels = 1 if facts.num_digits else min(top_k, len(facts.labels))
    if len(spans) * n_labels > MAX_ANSWER_LABELS:
        raise ServiceError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"top_k: {n_labels} labels of each of {len(spans)} windows are more than {MAX_ANSWER_LABELS}: ask for "
            "fewer, or give a longer hop_seconds.",
        )
    windows = [waveform[start:end] for start, end in spans]
    rows = await _score(service, classifier, windows)
    scores: list[np.ndarray] = []
    for part in (slice(first, first + WINDOWS_AT_ONCE) for first in range(0, len(windows), WINDOWS_AT_ONCE)):
        scores += await service.run_decoding(partial(facts.reduce_each, windows[part], rows[part]))
    rate = facts.sampling_rate
    return [(start / rate, end / rate, row) for (start, end), row in zip(spans, scores, strict=True)]


async def score_moments(service: Service, classifier: BatchedClassifier, waveform: np.ndarray) -> FrameScores:
    """A waveform, (samples,), to the scores of its moments, as `frame_scores` gives them in all.

    Raises:
        ServiceError: 422, the model reads numbers, or there would be too many scores for an answer.
        AudioError: scores that are not finite.
    """
    facts = classifier.facts
    try:
        windows = FrameWindows.of(facts)
    except ArgumentError as error:
        raise ServiceError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
    if windows.count(len(waveform)) * len(facts.labels) > MAX_ANSWER_NUMBERS:
        raise ServiceError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"frames: {len(facts.labels)} labels of each of {windows.count(len(waveform))} moments are more than "
            f"{MAX_ANSWER_NUMBERS}: send a shorter recording.",
        )
    pieces = list(FrameCutter(windows).cut([waveform]))
    parts = [samples for _, samples in pieces]
    if classifier.frames is not None:
        rows = await _ask(service, classifier, classifier.frames, [windows.pad(part) for part in parts])
    else:
        wholes = await _score(service, classifier, parts)
        reduced = await service.run_decoding(partial(facts.reduce_each, parts, wholes))
        rows = [windows.spread(*pair, len(facts.labels)) for pair in zip(parts, reduced, strict=True)]
    joiner = FrameJoiner(windows)
    joined = [joiner.add(start, row) for (start, _), row in zip(pieces, rows, strict=True)]
    stretches = [each for each in (*joined, joiner.flush()) if each is not None]
    return stretches[0]._replace(scores=np.concatenate([each.scores for each in stretches]))


async def embed(service: Service, embedder: BatchedClassifier, waveform: np.ndarray) -> np.ndarray:
    """A recording, (samples,), to its vector, (size,), as `AudioEmbedder.embed_recording` gives it.

    Raises:
        NoSpeechError: nobody speaks in it, and the checkpoint is of speech alone.
        AudioError: the vector is not finite.
    """
    facts = embedder.facts
    spoken, speech = await service.run_decoding(lambda: facts.keep_speech(waveform))
    if speech is not None:
        raise NoSpeechError("The recording", speech)
    return facts.reduce(_finite(await _score(service, embedder, facts.cut(spoken))))


async def embed_windows(
    service: Service,
    embedder: BatchedClassifier,
    waveform: np.ndarray,
    window_seconds: float | None,
    hop_seconds: float | None,
    size: int,
) -> list[tuple[float, float, np.ndarray]]:
    """A waveform, (samples,), -> start and end in seconds and (size,) vectors of a stream's windows.

    Where the checkpoint is of speech alone, windows in which nobody speaks are left out.

    Raises:
        ServiceError: 422, vectors of this size of so many windows would make too large an answer.
        AudioError: a vector is not finite.
    """
    facts = embedder.facts
    spans = list(running_windows(len(waveform), *facts.stream_windows(window_seconds, hop_seconds)))
    if len(spans) * size > MAX_ANSWER_NUMBERS:
        raise ServiceError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"hop_seconds: {size} numbers of each of {len(spans)} windows are more than {MAX_ANSWER_NUMBERS}: "
            "give a longer one.",
        )
    windows = []
    for start, end in spans:
        window = waveform[start:end]
        if not facts.speech_only or (await service.run_decoding(partial(facts.keep_speech, window)))[1] is None:
            windows.append((start, end))
    if not windows:
        return []
    rows = _finite(await _score(service, embedder, [waveform[start:end] for start, end in windows]))
    rate = facts.sampling_rate
    return [(start / rate, end / rate, row) for (start, end), row in zip(windows, rows, strict=True)]


def _finite(vectors: np.ndarray) -> np.ndarray:
    if not np.isfinite(vectors).all():
        raise AudioError(
            "The network's embeddings are not finite: the recording is too loud for it, or the checkpoint is broken."
        )
    return vectors
