"""Connections of clients that are slow, go on sending what nobody wants, or stay when the server is about to end."""

import asyncio
import contextlib
import errno
import os
import socket
from functools import partial
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from ..errors import ArgumentError
from .service import Service
from .tally import STREAMS

try:
    import resource
except ImportError:  # of Windows, which has no limit of open files
    resource = None  # type: ignore[assignment]

# For a request's head to arrive.
HEAD_SECONDS = 10
# Open files that are not of connections; and how many a connection has, one of them perhaps a file of the page.
OTHER_FILES, FILES_PER_CONNECTION = 64, 2
# How long what a client goes on sending is thrown away after its request was refused: were the connection closed at
# once, the system would drop the refusal too, before the client has read it.
LINGER_SECONDS = 2
# Between the end of listening and the end of idle connections, for requests that are on their way.
GRACE_SECONDS = 0.3
# Of a stream, at once: eleven seconds at 48 kHz.
MAX_FRAME_BYTES = 2**20


class GracefulServer(uvicorn.Server):
    """Stops when a signal comes, or the checkpoints cannot be loaded, and answers before that what it has accepted.

    Args:
        app: answers.
        service: what it offers.
    """

    def __init__(self, app: ASGIApp, service: Service):
        timeout = service.limits.timeout_seconds
        config = uvicorn.Config(
            app,
            http=partial(TimedProtocol, patience=timeout, max_connections=_max_connections()),  # type: ignore[arg-type]
            ws=partial(TimedWebSocket, patience=timeout),  # type: ignore[arg-type]
            ws_max_size=MAX_FRAME_BYTES,
            ws_per_message_deflate=False,  # sound does not shrink by it
            lifespan="on",
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=round(timeout),
            timeout_graceful_shutdown=round(2 * timeout + LINGER_SECONDS),  # a body's and its answer's
        )
        super().__init__(config)
        self.service = service

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer until a signal comes.

        Raises:
            Exception: what went wrong when the checkpoints were loaded.
        """
        super().run(sockets)
        if self.service.error is not None:
            raise self.service.error

    async def on_tick(self, counter: int) -> bool:
        """Whether to stop."""
        return await super().on_tick(counter) or self.service.error is not None

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen no more, then answer what has been accepted."""
        self.service.closing.set()
        for server in self.servers:
            server.close()
        await asyncio.sleep(GRACE_SECONDS)
        with contextlib.suppress(TimeoutError):  # streams send what they have heard; uvicorn would just end them
            async with asyncio.timeout(self.service.limits.timeout_seconds):
                while self.service.tally.own(STREAMS):
                    await asyncio.sleep(0.05)
        await super().shutdown(sockets)


class Server(GracefulServer):
    """Listens from the beginning.

    Args:
        app: answers.
        service: what it offers.
        host: name or address to listen at.
        port: 0 takes a free one.

    Raises:
        ArgumentError: nobody can listen there.
    """

    def __init__(self, app: ASGIApp, service: Service, host: str, port: int):
        super().__init__(app, service)
        self.socket, self.url = listen(host, port)

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """See `GracefulServer.run`."""
        with contextlib.closing(self.socket):
            super().run([self.socket])


def listen(host: str, port: int) -> tuple[socket.socket, str]:
    """A socket to which clients can connect from now on, and the address by which they do.

    Args:
        host: name or address to listen at.
        port: 0 takes a free one.

    Raises:
        ArgumentError: nobody can listen there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        server = socket.create_server((host, port), family=family, backlog=2048)
        # Of a socket whose protocol is not told, asyncio does not know that it is TCP, and leaves Nagle's algorithm
        # on: every answer would wait for the acknowledgement of its head.
        server = socket.socket(server.family, server.type, socket.IPPROTO_TCP, server.detach())
    except OverflowError as error:
        raise ArgumentError(f"--port {port} is none: choose one from 0 to 65535.") from error
    except OSError as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        remedy = "choose another --port" if error.errno == errno.EADDRINUSE else "check --host and --port"
        raise ArgumentError(f"Nobody can listen at {host}:{port} ({reason}): {remedy}.") from error
    address = f"[{host}]" if ":" in host else host
    return server, f"http://{address}:{server.getsockname()[1]}"


def _max_connections() -> int:
    """So many that the system's limit of open files is not reached, at which nobody could be accepted."""
    if resource is None:
        return 500
    n_files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max((n_files - OTHER_FILES) // FILES_PER_CONNECTION, 1)


class WatchedWriting(asyncio.Protocol):
    """A connection that ends where its client does not take what was written; uvicorn would wait for ever.

    Nothing more is written before the last piece was taken, for which there is as much time as for a request.
    """

    transport: asyncio.Transport
    loop: asyncio.AbstractEventLoop

    def __init__(self, *args: Any, patience: float, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.patience = patience
        self._taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(high=0)  # told of every byte that is left
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        super().connection_lost(exc)
        self._taken()

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`."""
        super().pause_writing()
        self._taking = self.loop.call_later(self.patience, self.transport.abort)

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        super().resume_writing()
        self._taken()

    def _taken(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None


class TimedWebSocket(WatchedWriting, WebSocketsSansIOProtocol):
    """A WebSocket whose client must take what is sent."""


class TimedProtocol(WatchedWriting, H11Protocol):
    """HTTP whose requests' heads must come in time, and of which there are so many connections at most.

    At more, the one that has waited longest for its client ends: one that is idle, sends a request slowly, or takes
    its answer slowly.
    """

    def __init__(self, *args: Any, max_connections: int, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.max_connections = max_connections
        self._patience: asyncio.TimerHandle | None = None
        self._since = self.loop.time()  # it has waited for its client, if it does
        self._writes_long = False  # an answer that its client did not take at once

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        super().connection_made(transport)
        self._watch()
        # One that has been ended stays among the connections until the loop's next turn.
        staying = [each for each in self.connections if not each.transport.is_closing()]
        if len(staying) > self.max_connections:
            waiting = (each for each in staying if isinstance(each, TimedProtocol) and each._is_waiting)
            min(waiting, key=lambda each: each._since).transport.abort()

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        super().connection_lost(exc)
        self._calm()

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`."""
        super().pause_writing()
        if not self._writes_long:
            self._writes_long, self._since = True, self.loop.time()

    def on_response_complete(self) -> None:
        """Its client may ask anew."""
        self._writes_long, self._since = False, self.loop.time()
        super().on_response_complete()

    @property
    def _is_waiting(self) -> bool:
        answering = self.cycle is not None and not self.cycle.response_complete
        return not answering or self.cycle.more_body or self.flow.write_paused

    def handle_websocket_upgrade(self, event: Any) -> None:
        """Its head has come."""
        super().handle_websocket_upgrade(event)
        self._calm()

    def _watch(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._calm()
        elif self._patience is None and self.transport.get_protocol() is self and not self.transport.is_closing():
            self._patience = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _calm(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


class LingeringApp:
    """An app around another, which ends a connection in good order where a request is answered before it was read.

    What else is sent is thrown away for a while, and then the connection closed; so it is when the server is closing.

    Args:
        app: answers.
        closing: whether the server is about to end.
    """

    def __init__(self, app: ASGIApp, closing: asyncio.Event):
        self.app = app
        self.closing = closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        names = {name for name, _ in scope["headers"]}
        read = not names & {b"content-length", b"transfer-encoding"}

        async def receive_and_see() -> Message:
            nonlocal read
            message = await receive()
            read = read or not message.get("more_body", False)
            return message

        async def send_and_linger(message: Message) -> None:
            if message["type"] == "http.response.start" and (not read or self.closing.is_set()):
                message = {**message, "headers": [*message.get("headers", []), (b"connection", b"close")]}
            if message["type"] != "http.response.body" or message.get("more_body", False) or read:
                await send(message)
                return
            await send({**message, "more_body": True})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINGER_SECONDS):
                    while not read:
                        await receive_and_see()
            await send({"type": "http.response.body"})

        await self.app(scope, receive_and_see, send_and_linger)
