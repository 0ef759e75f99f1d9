"""One of the processes that answer at one port; `supervisor` starts it and hands it connections.

It is told what to serve by a pickle on its standard input. Its argument is the descriptor of a socket: connections
come by it, until its end stops the worker, and one byte goes back for each thing to tell, see `STARTED`.
"""

import asyncio
import contextlib
import json
import pickle
import signal
import socket
import sys
from pathlib import Path

from ..errors import Refusal
from .app import make_app
from .connections import GracefulServer
from .service import Service
from .settings import Settings
from .tally import SharedTally

TALLY_NAME = "tally"
# What a worker says: that connections can be handed to it, that its models can be asked, that it has taken a
# connection, that one has ended; and, before its last words, that it cannot be asked.
STARTED, READY, TAKEN, ENDED, REFUSED = b"s", b"r", b"t", b"e", b"f"
# Descriptors that come at once, at most.
AT_ONCE = 16


class WorkerServer(GracefulServer):
    """Answers at connections that another process has accepted.

    Args:
        settings: what it serves.
        tally: shared with the other workers.
        counts: folder of all workers' metrics.
        channel: by which connections come.
    """

    def __init__(self, settings: Settings, tally: SharedTally, counts: Path, channel: socket.socket):
        service = Service(settings.checkpoints, settings.limits, tally, counts)
        super().__init__(make_app(service, settings.token, settings.site, settings.callers), service)
        channel.setblocking(False)
        self.channel = channel
        self._beginning: set[asyncio.Task] = set()
        self._n_begun = self._n_ended = self._n_taken = 0
        self._is_ready = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take connections from now on."""
        await super().startup(sockets=[])
        asyncio.get_running_loop().add_reader(self.channel, self._take)
        self._say(STARTED)

    async def on_tick(self, counter: int) -> bool:
        """Whether to stop."""
        if self.service.loaded.is_set() and not self._is_ready:
            self._is_ready = self._say(READY) == 1
        self._tell_taken()
        n_ended = self._n_begun - len(self.server_state.connections) - self._n_ended
        self._n_ended += self._say(ENDED * n_ended)
        return await super().on_tick(counter)

    def _say(self, words: bytes) -> int:
        """How many of them were said; what was not can be said again."""
        with contextlib.suppress(OSError):  # the other side does not listen, or not yet
            return self.channel.send(words) if words else 0
        return 0

    def _tell_taken(self) -> None:
        self._n_taken -= self._say(TAKEN * self._n_taken)

    def _take(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            message, descriptors, _, _ = socket.recv_fds(self.channel, AT_ONCE, AT_ONCE)
        except BlockingIOError:
            return
        except OSError:
            message, descriptors = b"", []
        if not message:  # the supervisor wants it, or is no more
            loop.remove_reader(self.channel)
            self.should_exit = True
        self._n_taken += len(descriptors)
        self._tell_taken()
        for descriptor in descriptors:
            connection = socket.socket(fileno=descriptor)
            connection.setblocking(False)
            task = loop.create_task(loop.connect_accepted_socket(self._make_protocol, connection))
            self._beginning.add(task)
            task.add_done_callback(self._begin)

    def _begin(self, task: asyncio.Task) -> None:
        self._beginning.discard(task)
        self._n_begun += 1
        task.exception()  # of a client that has left already

    def _make_protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )


def main() -> None:
    """Serve until the supervisor ends."""
    # Of a terminal, which tells all processes: a second time after uvicorn has heard it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings, counts, number, n_workers = pickle.load(sys.stdin.buffer)
    channel = socket.socket(fileno=int(sys.argv[1]))
    tally = SharedTally(counts / TALLY_NAME, number, n_workers + 1)
    try:
        WorkerServer(settings, tally, counts, channel).run()
    except Refusal as error:
        channel.setblocking(True)
        channel.sendall(REFUSED + json.dumps([type(error).__name__, str(error)]).encode())
        sys.exit(2)


if __name__ == "__main__":
    main()
