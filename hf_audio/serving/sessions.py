"""A WebSocket that carries a stream: blocks of samples in, events out."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect

from ..errors import ArgumentError, AudioError
from ..inference.endpoint import DEFAULT_TOP_K
from ..inference.event_stream import EventStream
from ..inference.events import SoundEvent
from ..inference.frames import FrameScores
from ..inference.streaming import AudioStream, Event, FrameStream
from .answers import tell_frames
from .batcher import BatchedClassifier
from .refusals import ServiceError
from .schemas import StreamMessage, StreamOptions, ValidationError, write_sentence
from .service import Service

BYTES_PER_SAMPLE = 2
# A WebSocket's codes for why it closes, and how long its reason may be (RFC 6455).
NORMAL, GOING_AWAY, UNSUPPORTED_DATA, INVALID_DATA, NOT_ALLOWED, RESTARTING, TRY_LATER = (
    1000, 1001, 1003, 1007, 1008, 1012, 1013,
)  # fmt: skip
MAX_REASON_BYTES = 123


async def refuse(websocket: WebSocket, code: int, sentence: str) -> None:
    """Say why, and close."""
    with suppress(RuntimeError):  # uvicorn's, where the client has left meanwhile
        await websocket.send_json({"error": sentence})
        await websocket.close(code, sentence.encode()[:MAX_REASON_BYTES].decode(errors="ignore"))


Told = Event | SoundEvent | FrameScores


class StreamSession:
    """A stream from its first message to its last.

    Args:
        service: judges.
        websocket: accepted.
        options: of its query; its first message may change them.
    """

    def __init__(self, service: Service, websocket: WebSocket, options: StreamOptions):
        self.service = service
        self.websocket = websocket
        self.options = options
        self._stream: AudioStream | EventStream | FrameStream | None = None

    async def run(self) -> None:
        """Answer until the client ends, breaks a rule or falls silent, or until the server has to end.

        Raises:
            WebSocketDisconnect: the client has left.
        """
        try:
            code, reason = await self._converse()
            await self.websocket.close(code, reason)
        except _RefusalError as refusal:
            await refuse(self.websocket, refusal.code, refusal.sentence)
        except AudioError as error:
            await refuse(self.websocket, INVALID_DATA, str(error))

    async def _converse(self) -> tuple[int, str]:
        """Serve the stream; return the code and the sentence with which the connection closes."""
        while True:
            message = await self._receive()
            if message is None:
                await self._end()
                return RESTARTING, "The server is shutting down: connect again."
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect
            if message.get("bytes") is not None:
                await self._hear(message["bytes"])
            elif self._understand(message["text"]).type == "end":
                await self._end()
                return NORMAL, ""

    async def _receive(self) -> Message | None:
        """The next message; none when the server is closing."""
        receiving = asyncio.ensure_future(self.websocket.receive())
        closing = asyncio.ensure_future(self.service.closing.wait())
        seconds = self.service.limits.timeout_seconds
        try:
            await asyncio.wait({receiving, closing}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if receiving.done():
                return receiving.result()
            if closing.done():
                return None
            raise _RefusalError(GOING_AWAY, f"Nothing came for {seconds:g} s: connect again.")
        finally:
            receiving.cancel()
            closing.cancel()

    def _understand(self, text: str) -> StreamMessage:
        try:
            message = StreamMessage.model_validate_json(text)
            self.service.find(message.model)
        except ValidationError as error:
            raise _RefusalError(INVALID_DATA, write_sentence(error)) from error
        except ServiceError as error:
            raise _RefusalError(INVALID_DATA, error.sentence) from error
        if message.type == "begin":
            if self._stream is not None:
                raise _RefusalError(UNSUPPORTED_DATA, 'The stream has begun: send samples, or {"type": "end"}.')
            self.options = self.options.model_copy(update=message.model_dump(exclude_unset=True))
        return message

    async def _hear(self, block: bytes) -> None:
        if len(block) % BYTES_PER_SAMPLE:
            raise _RefusalError(
                INVALID_DATA, f"A block of {len(block)} bytes ends within a sample: send 16-bit samples."
            )
        if self._stream is None:
            self._stream = self._begin()
        samples = np.frombuffer(block, dtype="<i2").astype(np.int16, copy=False)
        for first in range(0, len(samples), self._stream.rate):  # a second at a time, whatever the blocks
            await self._tell(await self._run(self._stream.push, samples[first : first + self._stream.rate]))

    def _begin(self) -> AudioStream | EventStream | FrameStream:
        options = self.options
        kind: type[AudioStream] | type[EventStream] | type[FrameStream] = AudioStream
        if options.events or options.frames:
            kind = EventStream if options.events else FrameStream
        try:
            return kind(self._classifier, sampling_rate=options.sampling_rate, hop_seconds=options.hop_seconds)
        except ArgumentError as error:  # events of numbers, say
            raise _RefusalError(INVALID_DATA, str(error)) from error

    async def _end(self) -> None:
        if self._stream is not None:
            await self._tell(await self._run(self._stream.flush))

    async def _run(self, call: Callable[..., Sequence[Told]], *args: Any) -> Sequence[Told]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.service.stream_threads, call, *args)

    async def _tell(self, events: Sequence[Told]) -> None:
        for event in events:
            if isinstance(event, FrameScores):
                frames = tell_frames(event, self._classifier.facts.labels)
                await self.websocket.send_json({"start": event.start, **frames})
                continue
            if isinstance(event, SoundEvent):
                await self.websocket.send_json(event._asdict())
                continue
            answer = self._classifier.facts.name(event.scores, self.options.top_k or DEFAULT_TOP_K)
            await self.websocket.send_json({"start": event.start, "end": event.end, "answer": answer})

    @property
    def _classifier(self) -> BatchedClassifier:
        return self.service.find(self.options.model)


class _RefusalError(Exception):
    def __init__(self, code: int, sentence: str):
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
