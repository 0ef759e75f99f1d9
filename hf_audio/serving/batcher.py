"""Windows of many callers, gathered as they come, go through a network together."""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

import numpy as np

from ..inference.classifier import WINDOWS_PER_FORWARD, AudioClassifier
from ..inference.facts import Facts

# How long the first window of a batch waits for others. A busy network makes them wait longer than this anyway.
MAX_WAIT_SECONDS = 0.003
# Windows share a batch where the longer is at most so many times the shorter: what is padded has to be computed.
LIKE_LENGTHS = 1.5
# Of sound that goes through a network at once, which bounds its memory.
SECONDS_PER_FORWARD = 160


class Network(Protocol):
    """Whose `score` is asked: a classifier, or what embeds; by itself, or for its frames."""

    facts: Facts

    @property
    def sampling_rate(self) -> int:
        """The rate of the waveforms, in Hz."""

    def score(self, windows: Sequence[np.ndarray]) -> Sequence[np.ndarray] | np.ndarray:
        """Windows, (samples,) each -> what the network gives for each."""


class FrameNetwork:
    """A classifier whose frames are asked for, by the name under which networks are asked.

    Args:
        classifier: scores frames.
    """

    def __init__(self, classifier: AudioClassifier):
        self.classifier = classifier
        self.facts = classifier.facts

    @property
    def sampling_rate(self) -> int:
        """The rate of the waveforms, in Hz."""
        return self.facts.sampling_rate

    def score(self, windows: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Windows, (samples,) each -> the scores of each one's frames, (frames, labels)."""
        return self.classifier.score_frames(windows)


class BatchedClassifier(AudioClassifier):
    """A classifier that any number of threads and coroutines may ask at once; what they ask is scored in batches.

    Args:
        classifier: scores; or embeds, and then vectors stand in the place of probabilities.
        batcher: gathers; several classifiers may share one, which then run in turns and not against each other.
    """

    def __init__(self, classifier: Network, batcher: "Batcher"):
        super().__init__(classifier.facts)
        self.classifier = classifier
        self.batcher = batcher
        self.frames: FrameNetwork | None = None  # one object, by which what goes together is told
        if self.facts.frame_seconds is not None and isinstance(classifier, AudioClassifier):
            self.frames = FrameNetwork(classifier)

    def score(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """See `AudioClassifier.score`. Waits for its turn.

        Raises:
            RuntimeError: the batcher is closed, or the network failed.
        """
        return np.concatenate([self.batcher.submit(self.classifier, part).result() for part in self.parts(windows)])

    def score_frames(self, windows: Sequence[np.ndarray]) -> list[np.ndarray]:
        """See `AudioClassifier.score_frames`. Waits for its turn, as `score` does."""
        if self.frames is None:
            return super().score_frames(windows)
        return [row for part in self.parts(windows) for row in self.batcher.submit(self.frames, part).result()]

    def parts(self, windows: Sequence[np.ndarray]) -> Iterator[Sequence[np.ndarray]]:
        """What may go through the network at once; between two parts of a long recording, others have their turn."""
        part: list[np.ndarray] = []
        for window in windows:
            n_samples = sum(map(len, part)) + len(window)
            if part and (len(part) == WINDOWS_PER_FORWARD or n_samples > SECONDS_PER_FORWARD * self.sampling_rate):
                yield part
                part = []
            part.append(window)
        yield part


class _Job:
    """Windows of one caller."""

    def __init__(self, classifier: Network, windows: Sequence[np.ndarray]):
        self.classifier = classifier
        self.windows = windows
        self.longest = max(map(len, windows))
        self.arrival = time.monotonic()
        self.future: Future[Any] = Future()

    def goes_with(self, other: "_Job") -> bool:
        """Whether they can share a batch without much padding."""
        short, long = sorted((self.longest, other.longest))
        return self.classifier is other.classifier and long <= LIKE_LENGTHS * short


class Batcher:
    """A thread that runs classifiers: the windows that have waited longest, and with them others of like lengths.

    Args:
        observe: told how many windows every batch had.
    """

    def __init__(self, observe: Callable[[int], object] = lambda n_windows: None):
        self._observe = observe
        self._waiting: list[_Job] = []  # in the order of their arrival
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="batcher", daemon=True)
        self._thread.start()

    def submit(self, classifier: Network, windows: Sequence[np.ndarray]) -> "Future[Any]":
        """Queue up windows, (samples,) each -> the future of `classifier.score(windows)`; cancelled, it costs nothing.

        Raises:
            RuntimeError: the batcher is closed.
        """
        job = _Job(classifier, windows)
        with self._changed:
            if self._closing:
                raise RuntimeError("The batcher is closed: it takes no windows any more.")
            self._waiting.append(job)
            self._changed.notify()
        return job.future

    def close(self) -> None:
        """Score what is waiting, then end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        is_first = True
        while jobs := self._next_batch():
            if is_first and (torch := sys.modules.get("torch")) is not None:
                torch.set_num_threads(torch.get_num_threads())  # so they stay, whatever decoders set for themselves
            is_first = False
            self._observe(sum(len(job.windows) for job in jobs))
            _score(jobs)
            del jobs  # the waveforms, while it waits for others

    def _next_batch(self) -> list[_Job]:
        """Jobs that share a batch; none when all is done and the batcher is closed."""
        with self._changed:
            while True:
                self._waiting = [job for job in self._waiting if not job.future.cancelled()]
                if self._waiting:
                    jobs, full = self._gather()
                    patience = self._waiting[0].arrival + MAX_WAIT_SECONDS - time.monotonic()
                    if full or patience <= 0 or self._closing:
                        taken = set(map(id, jobs))
                        self._waiting = [job for job in self._waiting if id(job) not in taken]
                        running = [job for job in jobs if job.future.set_running_or_notify_cancel()]
                        if running:
                            return running
                        continue
                    self._changed.wait(patience)
                elif self._closing:
                    return []
                else:
                    self._changed.wait()

    def _gather(self) -> tuple[list[_Job], bool]:
        """The oldest job with those that go with it, and whether there is no room for another."""
        oldest = self._waiting[0]
        jobs: list[_Job] = []
        n_windows = n_samples = 0
        for job in self._waiting:
            if not job.goes_with(oldest):
                continue
            n_windows += len(job.windows)
            n_samples += len(job.windows) * job.longest
            room = n_windows <= WINDOWS_PER_FORWARD and n_samples <= SECONDS_PER_FORWARD * job.classifier.sampling_rate
            if jobs and not room:
                return jobs, True
            jobs.append(job)
        return jobs, n_windows >= WINDOWS_PER_FORWARD


def _score(jobs: Sequence[_Job]) -> None:
    windows = [window for job in jobs for window in job.windows]
    try:
        scores = jobs[0].classifier.score(windows)
    except Exception as error:
        if len(jobs) == 1:
            jobs[0].future.set_exception(error)
            return
        for job in jobs:  # what one of them has brought about is not the others' fault
            _score([job])
        return
    first = 0
    for job in jobs:
        job.future.set_result(scores[first : first + len(job.windows)])
        first += len(job.windows)
