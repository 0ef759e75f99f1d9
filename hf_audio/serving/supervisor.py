"""Several processes that answer at one port: this one accepts connections and hands them to whoever has fewest."""

import asyncio
import contextlib
import itertools
import json
import os
import pickle
import signal
import socket
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from .. import errors
from ..errors import ArgumentError, Refusal
from ..processes import count_cores
from .connections import listen
from .settings import Settings
from .tally import SharedTally
from .worker import ENDED, READY, REFUSED, STARTED, TAKEN, TALLY_NAME

# Before a worker that could not be started is started once more: at first, and at most.
FIRST_DELAY, LONGEST_DELAY = 1.0, 30.0
# Until a connection that nobody could take is offered again, or one can be accepted again.
PAUSE_SECONDS = 0.05
# Where prometheus_client keeps what is to be added up; it looks for it when it is imported.
COUNTS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
THREADS_VARIABLE = "OMP_NUM_THREADS"


class Supervisor:
    """Listens from the beginning, and keeps so many workers running until a signal comes.

    A worker that ends is started again, and connections go to the others meanwhile. Limits are those of all workers
    together. The signal goes on to the workers, which answer what they have accepted.

    Args:
        settings: of the workers.
        n_workers: processes that answer.
        host: name or address to listen at.
        port: 0 takes a free one.
        ready: is set as soon as requests can be answered.

    Raises:
        ArgumentError: nobody can listen there, or this system cannot hand connections on.
    """

    def __init__(self, settings: Settings, n_workers: int, host: str, port: int, ready: threading.Event):
        if not hasattr(socket, "send_fds"):
            raise ArgumentError(
                f"--workers {n_workers}: processes cannot share a port on this system, so start one server a port."
            )
        self.settings, self.n_workers, self.ready = settings, n_workers, ready
        self.socket, self.url = listen(host, port)
        self._workers: list[_Worker] = []
        self._turns = itertools.count()
        self._closing = asyncio.Event()
        self._held: deque[socket.socket] = deque()  # accepted, and handed to nobody yet
        self._signals: list[int] = []
        self._accepts = False

    def run(self) -> None:
        """Serve until a signal comes.

        Raises:
            Refusal: what keeps the workers from being started.
        """
        with contextlib.closing(self.socket), tempfile.TemporaryDirectory(prefix="hf_audio_workers_") as folder:
            self._counts = Path(folder)
            self._tally = SharedTally(self._counts / TALLY_NAME, None, self.n_workers + 1)
            asyncio.run(self._run())
        for number in reversed(self._signals):  # as uvicorn does, so that whoever has started this hears of it
            signal.raise_signal(number)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.socket.setblocking(False)
        with self._hearing_signals():
            keeping = [asyncio.create_task(self._keep(number)) for number in range(self.n_workers)]
            try:
                await asyncio.gather(*keeping)
            finally:
                self._close()
                await asyncio.gather(*keeping, return_exceptions=True)

    @contextlib.contextmanager
    def _hearing_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():  # which alone may
            yield
            return

        def hear(number: int, _: object) -> None:
            self._signals.append(number)
            self._loop.call_soon_threadsafe(self._close)

        before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _close(self) -> None:
        """Accept nothing more, and let the workers end; a second time, at once."""
        if not self._closing.is_set():
            self._closing.set()
            self._loop.remove_reader(self.socket)
            self._accepts = False
            self.socket.close()
            while self._held:
                self._held.popleft().close()
        for worker in self._workers:
            worker.stop(at_once=len(self._signals) > 1)

    async def _keep(self, number: int) -> None:
        """Keep the worker of a number running."""
        delay = 0.0
        while not self._closing.is_set():
            worker = None
            try:
                worker = await self._start(number)
            except OSError as error:  # too many open files or processes, or no memory for one more
                reason = f"could not be started ({error.strerror})"
            else:
                reason = await self._until_ended(worker, number)
            if self._closing.is_set():
                break
            refusal = worker and worker.refusal()
            if not self.ready.is_set():
                raise refusal or ArgumentError(
                    f"--workers {self.n_workers}: one {reason} before it could answer; give it more memory, or ask "
                    "for fewer."
                )
            delay = 0.0 if worker and worker.is_ready else min(max(2 * delay, FIRST_DELAY), LONGEST_DELAY)
            print(f"Worker {number + 1} is started again. {refusal or f'It {reason}.'}", file=sys.stderr, flush=True)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), delay)

    async def _until_ended(self, worker: "_Worker", number: int) -> str:
        """Wait until a worker has ended, hand what it had not taken to others, and return how it ended, in words."""
        reason = await worker.wait()
        self._workers.remove(worker)
        self._loop.remove_reader(worker.channel)
        worker.hear()
        worker.channel.close()
        self._tally.clear(number)
        self._held.extend(worker.given)
        self._hand_on()
        return reason

    async def _start(self, number: int) -> "_Worker":
        channel, theirs = socket.socketpair()
        channel.setblocking(False)
        with theirs, contextlib.ExitStack() as unless_started:
            unless_started.callback(channel.close)
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", f"{__package__}.worker", str(theirs.fileno())),
                stdin=asyncio.subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                env=self._environment(),
            )
            unless_started.pop_all()
        worker = _Worker(process, channel)
        self._workers.append(worker)
        self._loop.add_reader(channel, self._hear, worker)
        assert process.stdin is not None
        process.stdin.write(pickle.dumps((self.settings, self._counts, number, self.n_workers)))
        process.stdin.close()
        if self._closing.is_set():
            worker.stop()
        return worker

    def _environment(self) -> dict[str, str]:
        """The environment of a worker, with its share of the cores: more threads would wait for one another."""
        cores = count_cores()
        threads = {THREADS_VARIABLE: str(max(cores // self.n_workers, 1))}
        return {**threads, **os.environ, COUNTS_VARIABLE: str(self._counts)}

    def _hear(self, worker: "_Worker") -> None:
        if not worker.hear():
            self._loop.remove_reader(worker.channel)
        if worker.is_ready:
            self.ready.set()
        self._accept_if_possible()

    def _accept_if_possible(self) -> None:
        """Leave connections to the system as long as there is nobody to hand them to."""
        possible = not (self._held or self._closing.is_set()) and any(worker.has_started for worker in self._workers)
        if possible and not self._accepts:
            self._loop.add_reader(self.socket, self._accept)
        if self._accepts and not possible:
            self._loop.remove_reader(self.socket)
        self._accepts = possible

    def _accept(self) -> None:
        try:
            self._held.append(self.socket.accept()[0])
        except BlockingIOError:
            return
        except OSError:  # a client that has left, or too many open files
            self._pause()
            return
        self._hand_on()

    def _hand_on(self) -> None:
        """Give what was accepted to workers that can be asked, or else to any; what none takes, later."""
        takers = [worker for worker in self._workers if worker.has_started]
        while self._held and not self._closing.is_set():
            takers.sort(key=lambda each: (not each.is_ready, each.n_connections, each.turn))
            if not any(worker.take(self._held[0], next(self._turns)) for worker in takers):
                self._pause()
                return
            self._held.popleft()
        self._accept_if_possible()

    def _pause(self) -> None:
        if self._closing.is_set():
            return
        self._loop.remove_reader(self.socket)
        self._accepts = False
        self._loop.call_later(PAUSE_SECONDS, self._hand_on)


class _Worker:
    """A worker as its supervisor knows it."""

    def __init__(self, process: asyncio.subprocess.Process, channel: socket.socket):
        self.process = process
        self.channel = channel
        self.has_started = self.is_ready = False
        self.n_connections, self.turn = 0, -1
        self.given: deque[socket.socket] = deque()  # of which it has not said that it has taken them
        self._last_words = b""

    def hear(self) -> bool:
        """Take in what it says; whether it may say more."""
        while True:
            try:
                words = self.channel.recv(4096)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not words:
                return False
            if self._last_words:
                self._last_words += words
                continue
            words, mark, last = words.partition(REFUSED)
            self._last_words = mark + last
            self.has_started |= STARTED in words
            self.is_ready |= READY in words
            self.n_connections -= words.count(ENDED)
            for _ in range(words.count(TAKEN)):
                self.given.popleft().close()

    def take(self, connection: socket.socket, turn: int) -> bool:
        """Whether it takes a connection."""
        try:
            socket.send_fds(self.channel, [b"\0"], [connection.fileno()])
        except OSError:  # it does not listen, or is no more
            return False
        self.given.append(connection)
        self.n_connections, self.turn = self.n_connections + 1, turn
        return True

    def stop(self, at_once: bool = False) -> None:
        """Let it end when it has answered what it has accepted."""
        with contextlib.suppress(OSError):
            self.channel.shutdown(socket.SHUT_WR)
        if at_once:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()

    async def wait(self) -> str:
        """Wait until it has ended, and return how, in words."""
        code = await self.process.wait()
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def refusal(self) -> Refusal | None:
        """Why it could not be started, if the user can mend that."""
        with contextlib.suppress(ValueError):  # it may have ended before it had finished
            kind, sentence = json.loads(self._last_words.removeprefix(REFUSED))
            return getattr(errors, kind)(sentence)
        return None
