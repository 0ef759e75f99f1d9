"""Many files through one checkpoint: decoding runs ahead, windows of all clips go through the network together."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch

from ..audio.speech import load_voice_activity
from ..inference.facts import Facts, RunningMean, RunningScores
from ..processes import count_cores
from .decoding import Clip, Cut, Piece, decode_ahead, name_of

# Windows that are sorted by length and scored in one go, and how many samples they may have: 32 MB.
POOL_WINDOWS = 64
POOL_SAMPLES = 1 << 23
# So few clips are decoded before another process has started.
CLIPS_PER_WORKER = 16


Scored = list[tuple[Piece, np.ndarray | None]]
"""Pieces with their windows' scores, (labels,); `None` at a clip's end."""


class Scorer(Protocol):
    """What runs a network: a classifier, or what embeds. On a CPU by torch, it has a `device` that says so."""

    def score(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """Windows, (samples,) each -> (windows, values) float32."""


class Memory(Protocol):
    """What keeps the scores of windows of long recordings, for a run that is killed in the middle of one."""

    def recall(self, clip: int, start: int) -> np.ndarray | None:
        """The scores of the window that begins at this sample of a clip, if they are known."""

    def keep(self, clip: int, start: int, scores: np.ndarray) -> None:
        """Take in the scores of a window."""


@dataclass
class Judgement:
    """What a clip is; of a clip judged over time, a part of that, in the order of time."""

    clip: int
    """Its place among the clips."""
    spans: list[tuple[float, float]] = field(default_factory=list)
    """Start and end of what was judged, in seconds."""
    scores: list[np.ndarray] = field(default_factory=list)
    """What the network gives for each span, (values,): the labels' probabilities, say."""
    speech: list[float | None] = field(default_factory=list)
    """Of each span in which nobody speaks, though the network is of speech alone, how probable it is that somebody
    does; its scores then are those of `Facts.reduce`."""
    ended: bool = False
    """Whether nothing more comes of this clip."""
    problem: str | None = None
    """Why the clip cannot be read, in a sentence; then what was said about it does not count."""


def default_workers(n_clips: int) -> int:
    """Processes that decode so many clips: one for two cores, none where there is little to do."""
    n_cores = count_cores()
    n_processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # that share these cores, started by torchrun
    return min(n_cores // n_processes // 2, n_clips // CLIPS_PER_WORKER)


def judge_clips(
    classifier: Scorer,
    files: Sequence[tuple[int, Clip]],
    cut: Cut,
    num_workers: int,
    running: Callable[[], RunningScores] = RunningMean,
    memory: Memory | None = None,
) -> Iterator[Judgement]:
    """Places of recordings, and these -> what they are to a network, one judgement a clip, or over time several.

    They come about in the order of the files: a long one does not hold the shorter ones behind it up.

    Args:
        classifier: the network.
        files: places, and the recordings.
        cut: how they become windows.
        num_workers: processes that decode.
        running: makes a clip's scores of its windows'.
        memory: keeps the scores of windows, and knows some.

    Raises:
        DecodingError: a process that decodes died.
    """
    facts = cut.facts
    if facts.speech_only:
        load_voice_activity()  # that it is missing is said here rather than by a process that decodes
    reductions: dict[int, _Reduction] = {}
    for parts in _finite(_score(classifier, decode_ahead(files, cut, num_workers), memory), dict(files)):
        judgements: dict[int, Judgement] = {}
        for piece, scores in parts:
            if memory is not None and scores is not None:
                memory.keep(piece.clip, piece.start, scores)
            if cut.is_over_time:
                _add_window(judgements.setdefault(piece.clip, Judgement(piece.clip)), piece, scores, facts)
            elif piece.samples is not None and scores is not None:
                reductions.setdefault(piece.clip, _Reduction(running())).add(piece.start + len(piece.samples), scores)
            else:
                yield reductions.pop(piece.clip, _Reduction(running())).end(piece, facts)
        yield from judgements.values()


def _add_window(judgement: Judgement, piece: Piece, scores: np.ndarray | None, facts: Facts) -> None:
    """Add a window of a clip, or its end, to what is known of the clip over time."""
    if piece.samples is None or scores is None:
        judgement.ended, judgement.problem = True, piece.problem
        return
    rate = facts.sampling_rate
    judgement.spans.append((piece.start / rate, (piece.start + len(piece.samples)) / rate))
    judgement.scores.append(facts.reduce([scores], piece.speech))
    judgement.speech.append(piece.speech)


class _Reduction:
    """What the windows of a clip have said so far."""

    def __init__(self, running: RunningScores):
        self.running = running
        self.n_samples = 0

    def add(self, n_samples: int, scores: np.ndarray) -> None:
        """A window that ends there, and its scores, (labels,)."""
        self.n_samples = n_samples
        self.running.add([scores])

    def end(self, piece: Piece, facts: Facts) -> Judgement:
        """What the clip is, once its windows have come."""
        if piece.problem is not None:
            return Judgement(piece.clip, ended=True, problem=piece.problem)
        scores = facts.reduce(() if piece.speech is not None else [self.running.value], piece.speech)
        span = 0.0, self.n_samples / facts.sampling_rate
        return Judgement(piece.clip, [span], [scores], [piece.speech], ended=True)


def _score(classifier: Scorer, parcels: Iterable[list[Piece]], memory: Memory | None) -> Iterator[Scored]:
    """Every piece with its window's scores, many at a time."""

    def recall(piece: Piece) -> np.ndarray | None:
        return None if memory is None or piece.samples is None else memory.recall(piece.clip, piece.start)

    def score(pool: list[Piece], known: list[np.ndarray | None]) -> Scored:
        pairs = list(zip(pool, known, strict=True))
        windows = [piece.samples for piece, scores in pairs if piece.samples is not None and scores is None]
        new = iter(classifier.score(windows) if windows else [])
        return [
            (piece, next(new) if piece.samples is not None and scores is None else scores) for piece, scores in pairs
        ]

    with _scoring_threads(classifier) as (threads, n_threads):
        pending: deque[Future] = deque()
        for pool in _pools(parcels):
            pending.append(threads.submit(score, pool, list(map(recall, pool))))
            while pending and (len(pending) > n_threads or pending[0].done()):
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _finite(parts: Iterable[Scored], files: Mapping[int, Clip]) -> Iterator[Scored]:
    """Pieces and scores, without windows whose scores are not finite; their clips end as if they could not be read."""
    without_answer: set[int] = set()
    for part in parts:
        kept: Scored = []
        for piece, scores in part:
            if scores is not None and not np.isfinite(scores).all():
                without_answer.add(piece.clip)
            elif piece.samples is None and piece.clip in without_answer and piece.problem is None:
                file = name_of(files[piece.clip])
                problem = f"{file} is given scores that are not finite: it is too loud, or the checkpoint is broken."
                kept.append((Piece(piece.clip, problem=problem), None))
            else:
                kept.append((piece, scores))
        yield kept


@contextmanager
def _scoring_threads(classifier: Scorer) -> Iterator[tuple[ThreadPoolExecutor, int]]:
    """Threads that may score, and how many.

    On a CPU, each core takes windows of its own: cores that share a small network's forward pass wait for each other
    after every layer, and very long where other programs run beside.
    """
    device = getattr(classifier, "device", None)
    own_cores = device is not None and device.type == "cpu"
    n_threads = torch.get_num_threads()
    if not own_cores:
        with ThreadPoolExecutor(1) as threads:
            yield threads, 1
        return
    with ThreadPoolExecutor(n_threads, initializer=torch.set_num_threads, initargs=(1,)) as threads:
        try:
            yield threads, n_threads
        finally:
            threads.shutdown(cancel_futures=True)
            torch.set_num_threads(n_threads)


def _pools(parcels: Iterable[list[Piece]]) -> Iterator[list[Piece]]:
    """Parcels put together, so that there are windows of like lengths among them."""
    pool: list[Piece] = []
    n_windows = n_samples = 0
    for parcel in parcels:
        pool += parcel
        n_windows += sum(piece.samples is not None for piece in parcel)
        n_samples += sum(len(piece.samples) for piece in parcel if piece.samples is not None)
        if n_windows >= POOL_WINDOWS or n_samples >= POOL_SAMPLES:
            yield pool
            pool, n_windows, n_samples = [], 0, 0
    if pool:
        yield pool
