"""What a server offers, whatever its routes: checkpoints under their names, a queue, and bodies read within limits."""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar

import numpy as np

from ..errors import AudioError, CheckpointError, LongAudioError, UndecodableAudioError
from ..inference.checkpoint import load_classifier
from ..inference.classifier import FUNCTIONS, AppliedClassifier
from ..inference.embedder import embedder_of
from .batcher import BatchedClassifier, Batcher
from .metrics import Metrics
from .refusals import ServiceError
from .settings import Limits
from .tally import HELD_BYTES, LOADED, STREAMS, WAITING, Tally

# Decoding frees the interpreter, so two threads keep ahead of a network without taking its cores.
DECODING_THREADS = 2
# Bodies in memory, those still arriving included, are together at most so many times the largest.
HELD_BODIES = 16

T = TypeVar("T")


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


def _use_one_thread() -> None:
    # A detector of voice activity that lowered torch's threads while it runs would lower the network's, too.
    if (torch := sys.modules.get("torch")) is not None:  # not where an ONNX file is served alone
        torch.set_num_threads(1)
