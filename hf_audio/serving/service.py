"""What a server offers, whatever its routes: checkpoints under their names, limits, and answers to audio files."""

import asyncio
import os
import re
import sys
import threading
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar

import numpy as np

from ..audio.loading import load_audio
from ..audio.windows import running_windows
from ..errors import (
    ArgumentError,
    AudioError,
    CheckpointError,
    LongAudioError,
    NoSpeechError,
    UndecodableAudioError,
)
from ..inference.checkpoint import ONNX_SUFFIX, load_classifier
from ..inference.classifier import FUNCTIONS, AppliedClassifier
from ..inference.embedder import embedder_of
from ..inference.frames import FrameCutter, FrameJoiner, FrameScores, FrameWindows
from .batcher import BatchedClassifier, Batcher, Network
from .metrics import Metrics
from .schemas import MAX_ANSWER_LABELS, MAX_ANSWER_NUMBERS
from .tally import HELD_BYTES, LOADED, STREAMS, WAITING, Tally

# Decoding frees the interpreter, so two threads keep ahead of a network without taking its cores.
DECODING_THREADS = 2
# Bodies in memory, those still arriving included, are together at most so many times the largest.
HELD_BODIES = 16
TOKEN_VARIABLE = "HF_AUDIO_TOKEN"
NAME = re.compile(r"[A-Za-z0-9._-]+")
# In which speech is looked for, before another request has its turn.
WINDOWS_AT_ONCE = 16

T = TypeVar("T")


@dataclass(frozen=True)
class Limits:
    """What a client may ask for, and how long it may take."""

    max_megabytes: float = 32
    """Of a request's body, in units of 1e6 bytes."""
    max_seconds: float = 300
    """Of a recording."""
    max_queue: int = 128
    """Requests that are being decoded and scored, or wait for it."""
    max_streams: int = 32
    """Streams that are open."""
    timeout_seconds: float = 30
    """For a body to arrive, then for its answer, and for a stream's next block."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 < value < float("inf"):
                raise ArgumentError(f"{name}={value} must be positive.")

    @property
    def max_bytes(self) -> int:
        """Of a request's body."""
        return round(self.max_megabytes * 1e6)


def name_checkpoints(arguments: Sequence[str]) -> dict[str, str]:
    """`NAME=CHECKPOINT` or a checkpoint, which is then called by its folder or file -> name: checkpoint.

    Raises:
        ArgumentError: two of one name, or a name that cannot stand in an address.
    """
    checkpoints: dict[str, str] = {}
    for argument in arguments:
        name, equals, checkpoint = argument.partition("=")
        if not equals or Path(argument).exists():
            checkpoint = argument
            path = Path(argument).resolve() if Path(argument).exists() else Path(argument)
            name = path.stem if path.suffix == ONNX_SUFFIX else path.name
        if not NAME.fullmatch(name):
            raise ArgumentError(
                f"{name!r} is no name for a model: give NAME={checkpoint}, of letters, digits, . _ and -."
            )
        if name in checkpoints:
            raise ArgumentError(f"Two models are called {name}: give NAME={checkpoint} another name.")
        checkpoints[name] = checkpoint
    return checkpoints


def read_token(file: Path | None) -> str | None:
    """The token in a file or else in the environment; without either, there is none.

    Raises:
        ArgumentError: it cannot be read or is empty.
    """
    if file is None:
        source, token = TOKEN_VARIABLE, os.environ.get(TOKEN_VARIABLE)
        if token is None:
            return None
    else:
        source = str(file)
        try:
            token = file.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ArgumentError(f"{file} cannot be read ({reason}): write the token into it.") from error
    token = token.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ArgumentError(f"{source} holds no token: write one into it, of ASCII letters, digits and signs.")
    return token


class ServiceError(Exception):
    """A request that gets no answer but a sentence.

    Args:
        status: of HTTP.
        sentence: what is wrong, and what to do.
    """

    def __init__(self, status: HTTPStatus, sentence: str):
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


class Service:
    """Checkpoints under their names, loaded once, that answer many clients at a time.

    Args:
        checkpoints: name -> what `load_classifier` loads. The first one is the one that is asked where none is named.
        limits: of requests.
        tally: counts against the limits; by default this process alone.
        counts: folder in which workers of one server keep their metrics, see `Metrics`.
        loaded: is set as soon as requests can be answered.
    """

    def __init__(
        self,
        checkpoints: Mapping[str, str | os.PathLike],
        limits: Limits,
        tally: Tally | None = None,
        counts: Path | None = None,
        loaded: threading.Event | None = None,
    ):
        self.checkpoints = dict(checkpoints)
        self.limits = limits
        self.closing = asyncio.Event()
        self.loaded = loaded or threading.Event()
        """Set as soon as requests can be answered."""
        self.error: Exception | None = None
        """Why the checkpoints cannot be loaded."""
        self.tally = tally or Tally()
        self.metrics = Metrics(self.tally, counts)
        self._classifiers: dict[str, BatchedClassifier] = {}
        self._applied: dict[tuple[str, str], BatchedClassifier] = {}
        self._embedders: dict[str, BatchedClassifier] = {}
        self._without_embeddings: dict[str, str] = {}  # name -> why, in a sentence
        self._batcher = Batcher(self.metrics.batch_windows.observe)
        self._decoders = ThreadPoolExecutor(DECODING_THREADS, "decoder", initializer=_use_one_thread)
        # Streams block a thread while their windows wait for the network.
        self.stream_threads = ThreadPoolExecutor(limits.max_streams, thread_name_prefix="stream")

    def load(self) -> None:
        """Load all checkpoints; where that fails, `error` tells why."""
        try:
            loaded = {name: load_classifier(checkpoint) for name, checkpoint in self.checkpoints.items()}
            classifiers = {name: BatchedClassifier(each, self._batcher) for name, each in loaded.items()}
            for classifier in classifiers.values():  # the first forward pass is slow: nobody shall wait for it
                window = np.zeros(classifier.facts.stream_windows()[0], dtype=np.float32)
                classifier.score([window])
                classifier.facts.keep_speech(window)
        except Exception as error:
            self.error = error
            return
        self._applied = {
            (name, function): BatchedClassifier(AppliedClassifier(each, function), self._batcher)
            for name, each in loaded.items()
            for function in FUNCTIONS
            if function != each.facts.function and not each.facts.num_digits
        }
        for name, each in loaded.items():
            try:
                self._embedders[name] = BatchedClassifier(embedder_of(each), self._batcher)
            except CheckpointError as error:
                self._without_embeddings[name] = str(error)
        self._classifiers = classifiers
        self.tally.add(LOADED, 1)
        self.loaded.set()

    def close(self) -> None:
        """Answer what is waiting, then end all threads."""
        self._decoders.shutdown()
        self.stream_threads.shutdown()
        self._batcher.close()

    def check_readiness(self) -> None:
        """Whether requests can be answered.

        Raises:
            ServiceError: 503, while the checkpoints are being loaded and when the server is about to end.
        """
        if self.closing.is_set():
            raise ServiceError(HTTPStatus.SERVICE_UNAVAILABLE, "The server is shutting down: ask another one.")
        if not self._classifiers:
            raise ServiceError(
                HTTPStatus.SERVICE_UNAVAILABLE, "The models are being loaded: ask again in a few seconds."
            )

    def find(self, name: str | None, function: str | None = None) -> BatchedClassifier:
        """The classifier of that name, or the first one.

        function: that makes scores of its logits, see `AppliedClassifier`, if not its own; numbers have no other.

        Raises:
            ServiceError: 404, there is none of that name; 503, they are not loaded.
        """
        if name is not None and name not in self.checkpoints:
            raise ServiceError(
                HTTPStatus.NOT_FOUND, f"There is no model {name!r}: ask for one of {', '.join(self.checkpoints)}."
            )
        if not self._classifiers:
            self.check_readiness()
        name = name or next(iter(self.checkpoints))
        return self._applied.get((name, function or ""), self._classifiers[name])

    def find_embedder(self, name: str | None) -> BatchedClassifier:
        """What embeds by the model of that name, or by the first one.

        Raises:
            ServiceError: as `find`; 422, its file was exported without embeddings.
        """
        self.find(name)
        name = name or next(iter(self.checkpoints))
        if name in self._without_embeddings:
            raise ServiceError(HTTPStatus.UNPROCESSABLE_ENTITY, self._without_embeddings[name])
        return self._embedders[name]

    def place(self) -> AbstractContextManager[None]:
        """A place in the queue.

        Raises:
            ServiceError: 429, there is none.
        """
        return self._place(WAITING, self.limits.max_queue, "requests are waiting already: ask again in a few seconds")

    def stream_place(self) -> AbstractContextManager[None]:
        """A place for a stream.

        Raises:
            ServiceError: 429, there is none.
        """
        return self._place(STREAMS, self.limits.max_streams, "streams are open already: come back when one has ended")

    @contextmanager
    def _place(self, kind: int, n_places: int, taken: str) -> Iterator[None]:
        if not self.tally.take(kind, 1, n_places):
            raise ServiceError(HTTPStatus.TOO_MANY_REQUESTS, f"{n_places} {taken}.")
        try:
            yield
        finally:
            self.tally.give_back(kind, 1)

    @asynccontextmanager
    async def read_body(self, chunks: AsyncIterable[bytes], promised: int) -> AsyncIterator[bytes]:
        """A request's body, read to its end, but no further than the limits; `promised` is the size it claims to have.

        Raises:
            ServiceError: 408, it did not come in time; 413, it is too large; 429, all bodies in memory together are.
        """
        self._check_size(promised)
        body = bytearray()
        n_bytes = 0
        try:
            async with asyncio.timeout(self.limits.timeout_seconds) as timeout:
                async for chunk in chunks:
                    self._check_size(n_bytes + len(chunk))
                    if not self.tally.take(HELD_BYTES, len(chunk), HELD_BODIES * self.limits.max_bytes):
                        raise ServiceError(
                            HTTPStatus.TOO_MANY_REQUESTS,
                            "Too many large files are being sent: send this one in a few seconds.",
                        )
                    n_bytes += len(chunk)
                    body += chunk
                timeout.reschedule(None)
                whole = bytes(body)
                body.clear()
            yield whole
        except TimeoutError as error:
            raise ServiceError(
                HTTPStatus.REQUEST_TIMEOUT,
                f"The request did not arrive within {self.limits.timeout_seconds:g} s: send it faster, or less.",
            ) from error
        finally:
            self.tally.give_back(HELD_BYTES, n_bytes)

    def _check_size(self, n_bytes: int) -> None:
        if n_bytes > self.limits.max_bytes:
            raise ServiceError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"The request is larger than {self.limits.max_megabytes:g} MB: send a compressed or a shorter file.",
            )

    async def run_decoding(self, call: Callable[[], T]) -> T:
        """The result of what is no work for the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._decoders, call)

    async def answer_in_time(self, answer: Awaitable[T]) -> T:
        """The answer to a request, which has a place in the queue.

        Raises:
            ServiceError: what audio and networks can cause, as a status: 413, 415, 422, 429, 500 and 503.
        """
        try:
            async with asyncio.timeout(self.limits.timeout_seconds):
                return await answer
        except LongAudioError as error:
            raise ServiceError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error)) from error
        except UndecodableAudioError as error:
            raise ServiceError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, str(error)) from error
        except AudioError as error:
            raise ServiceError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
        except TimeoutError as error:
            raise ServiceError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"There was no answer within {self.limits.timeout_seconds:g} s: send less at a time, or ask later.",
            ) from error

    async def decode(self, audio: bytes, classifier: BatchedClassifier) -> np.ndarray:
        """A file's bytes -> (samples,) at the classifier's rate.

        Raises:
            AudioError: it cannot be read, or is too long.
        """
        waveform = await self.run_decoding(
            lambda: load_audio(audio, classifier.sampling_rate, self.limits.max_seconds)
        )
        self.metrics.audio_seconds.inc(len(waveform) / classifier.sampling_rate)
        return waveform

    async def score(self, classifier: BatchedClassifier, windows: Sequence[np.ndarray]) -> np.ndarray:
        """Windows, (samples,) each -> (windows, labels) probabilities."""
        return np.stack(await self._ask(classifier, classifier.classifier, windows))

    async def _ask(
        self, classifier: BatchedClassifier, network: Network, windows: Sequence[np.ndarray]
    ) -> list[np.ndarray]:
        """Windows, (samples,) each -> what the network of a classifier gives for each."""
        rows: list[np.ndarray] = []
        for part in classifier.parts(windows):
            rows.extend(await asyncio.wrap_future(classifier.batcher.submit(network, part)))  # += would add arrays
        return rows

    async def judge(self, classifier: BatchedClassifier, waveform: np.ndarray) -> np.ndarray:
        """A recording, (samples,), to its scores, as `AudioClassifier.judge_recording` gives them."""
        facts = classifier.facts
        spoken, speech = await self.run_decoding(lambda: facts.keep_speech(waveform))
        scores = await self.score(classifier, facts.cut(spoken)) if speech is None else ()
        return facts.reduce(scores, speech)

    async def judge_windows(
        self,
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
        rows = await self.score(classifier, windows)
        scores: list[np.ndarray] = []
        for part in (slice(first, first + WINDOWS_AT_ONCE) for first in range(0, len(windows), WINDOWS_AT_ONCE)):
            scores += await self.run_decoding(partial(facts.reduce_each, windows[part], rows[part]))
        rate = facts.sampling_rate
        return [(start / rate, end / rate, row) for (start, end), row in zip(spans, scores, strict=True)]

    async def score_moments(self, classifier: BatchedClassifier, waveform: np.ndarray) -> FrameScores:
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
            rows = await self._ask(classifier, classifier.frames, [windows.pad(part) for part in parts])
        else:
            wholes = await self.score(classifier, parts)
            reduced = await self.run_decoding(partial(facts.reduce_each, parts, wholes))
            rows = [windows.spread(*pair, len(facts.labels)) for pair in zip(parts, reduced, strict=True)]
        joiner = FrameJoiner(windows)
        known = [joiner.add(start, row) for (start, _), row in zip(pieces, rows, strict=True)]
        stretches = [each for each in (*known, joiner.flush()) if each is not None]
        return stretches[0]._replace(scores=np.concatenate([each.scores for each in stretches]))

    async def embed(self, embedder: BatchedClassifier, waveform: np.ndarray) -> np.ndarray:
        """A recording, (samples,), to its vector, (size,), as `AudioEmbedder.embed_recording` gives it.

        Raises:
            NoSpeechError: nobody speaks in it, and the checkpoint is of speech alone.
            AudioError: the vector is not finite.
        """
        facts = embedder.facts
        spoken, speech = await self.run_decoding(lambda: facts.keep_speech(waveform))
        if speech is not None:
            raise NoSpeechError("The recording", speech)
        return facts.reduce(_finite(await self.score(embedder, facts.cut(spoken))))

    async def embed_windows(
        self,
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
        heard = []
        for start, end in spans:
            window = waveform[start:end]
            if not facts.speech_only or (await self.run_decoding(partial(facts.keep_speech, window)))[1] is None:
                heard.append((start, end))
        if not heard:
            return []
        rows = _finite(await self.score(embedder, [waveform[start:end] for start, end in heard]))
        rate = facts.sampling_rate
        return [(start / rate, end / rate, row) for (start, end), row in zip(heard, rows, strict=True)]


def _use_one_thread() -> None:
    # A detector of voice activity that lowered torch's threads while it runs would lower the network's, too.
    if (torch := sys.modules.get("torch")) is not None:  # not where an ONNX file is served alone
        torch.set_num_threads(1)


def _finite(vectors: np.ndarray) -> np.ndarray:
    if not np.isfinite(vectors).all():
        raise AudioError(
            "The network's embeddings are not finite: the recording is too loud for it, or the checkpoint is broken."
        )
    return vectors
