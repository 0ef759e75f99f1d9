"""What sounds when: the scores of a recording of any length, moment by moment, by any checkpoint."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..errors import ArgumentError, AudioError
from .classifier import WINDOWS_PER_FORWARD, AudioClassifier
from .facts import Facts

# Seconds from one moment to the next one, of a checkpoint that scores windows as a whole.
MOMENT_SECONDS = 0.1
# Share of a window at each of its ends, whose frames another window knows better: it hears what is around them.
MARGIN = 1 / 8
# Of windows that are scored as a whole: so long an event then lies wholly in one of them, and not in two halves.
HOP_OF_WINDOW = 1 / 4


class FrameScores(NamedTuple):
    """A stretch of a recording, moment by moment."""

    start: float
    """Of the first moment, in seconds since the recording began."""
    frame_seconds: float
    """From one moment to the next one."""
    scores: np.ndarray
    """Probabilities, (frames, labels) float32."""


@dataclass(frozen=True)
class FrameWindows:
    """Where the windows lie by which a recording is scored moment by moment, in samples."""

    frame: int
    """From one moment to the next one; all others are multiples of it."""
    window: int
    hop: int
    """From one window's beginning to the next one's."""
    margin: int
    """At a window's end, which the next one knows better."""
    has_frames: bool
    """Whether the network scores every frame; otherwise, windows as a whole."""
    sampling_rate: int

    @classmethod
    def of(cls, facts: Facts, hop_seconds: float | None = None) -> "FrameWindows":
        """The windows that a checkpoint's facts ask for.

        Args:
            facts: of the checkpoint.
            hop_seconds: from one window's end to the next one's, which is how late a stream's scores come, to the
                nearest whole moment, and no more than a window; by default three quarters of a window or, of a network
                that scores windows as a whole, one quarter.

        Raises:
            ArgumentError: a checkpoint that reads numbers, or a hop that is no time.
        """
        if facts.num_digits:
            raise ArgumentError("This checkpoint reads the number in a recording, and finds no events: give another.")
        window, _ = facts.stream_windows(hop_seconds=hop_seconds)
        if facts.frame_seconds is not None:
            frame = round(facts.frame_seconds * facts.sampling_rate)
        else:
            frame = max(min(int(MOMENT_SECONDS * facts.sampling_rate), int(window * HOP_OF_WINDOW)), 1)
        n_frames = window // frame  # of a window
        widest = int(n_frames * MARGIN) if facts.frame_seconds is not None else 0
        usual = n_frames - 2 * widest if facts.frame_seconds is not None else int(n_frames * HOP_OF_WINDOW)
        hop = usual if hop_seconds is None else round(hop_seconds * facts.sampling_rate / frame)
        hop = min(max(hop, 1), n_frames)
        margin = min(widest, (n_frames - hop) // 2)
        has_frames = facts.frame_seconds is not None
        return cls(frame, n_frames * frame, hop * frame, margin * frame, has_frames, facts.sampling_rate)

    def count(self, n_samples: int) -> int:
        """How many moments begin in so many samples."""
        return -(-n_samples // self.frame)

    def pad(self, samples: np.ndarray) -> np.ndarray:
        """A window, (samples,), with zeros behind a last moment that is not heard to its end."""
        return np.pad(samples, (0, -len(samples) % self.frame))

    def spread(self, samples: np.ndarray, row: np.ndarray, n_labels: int) -> np.ndarray:
        """Scores of the moments of a window, (samples,), from the scores of the whole, (values,) -> (moments, labels).

        One value more than labels says that nobody speaks, and then all others are 0.
        """
        return np.tile(np.asarray(row[:n_labels], dtype=np.float32), (self.count(len(samples)), 1))


class FrameCutter:
    """Samples in, in blocks of any size, and out come the windows by which they are scored moment by moment.

    The last window ends with the recording, and lasts at most a moment less than the others where there are others.

    Args:
        windows: where they lie.
    """

    def __init__(self, windows: FrameWindows):
        self.windows = windows
        self._heard = np.zeros(0, dtype=np.float32)  # what later windows will need
        self._begin = self._start = 0  # of that, and of the next window, in samples

    def push(self, samples: np.ndarray) -> list[tuple[int, np.ndarray]]:
        """(samples,) -> first sample and samples of each window that they complete."""
        window, hop = self.windows.window, self.windows.hop
        self._heard = np.concatenate([self._heard, samples])
        found = []
        while self._begin + len(self._heard) > self._start + window:
            first = self._start - self._begin
            found.append((self._start, self._heard[first : first + window]))
            self._start += hop
        # The last window may begin just behind the one before.
        forgotten = max(self._start - hop, 0) - self._begin
        self._heard, self._begin = self._heard[forgotten:].copy(), self._begin + forgotten
        return found

    def flush(self) -> tuple[int, np.ndarray] | None:
        """The last window; `None` of no samples at all."""
        n_samples = self._begin + len(self._heard)
        if n_samples == 0:
            return None
        start = self.windows.count(max(n_samples - self.windows.window, 0)) * self.windows.frame
        return start, self._heard[start - self._begin :]

    def cut(self, blocks: Iterable[np.ndarray]) -> Iterator[tuple[int, np.ndarray]]:
        """A recording in blocks, (samples,) each -> first sample and samples of all its windows."""
        for block in blocks:
            yield from self.push(block)
        last = self.flush()
        if last is not None:
            yield last


class FrameJoiner:
    """The scores of overlapping windows in, and out come those of each moment, once.

    A frame's are those of the window in which it lies further inside. Where windows are scored as a whole, a moment's
    are the mean of those of all windows that hold it.

    Args:
        windows: where they lie.
    """

    def __init__(self, windows: FrameWindows):
        self.windows = windows
        self._first = 0  # moment that is not yet out
        self._waiting: np.ndarray | None = None  # (moments, labels), of which later windows may know more
        self._counts = np.zeros(0, dtype=np.float32)  # of windows that a waiting moment was scored by, (moments,)

    def add(self, start: int, scores: np.ndarray) -> FrameScores | None:
        """The next window, which begins at that sample, and its scores, (moments, labels) -> moments, if any.

        Raises:
            AudioError: scores that are not finite.
        """
        if not np.isfinite(scores).all():
            raise AudioError(
                "The network's scores are not finite: the recording is too loud for it, or the checkpoint is broken."
            )
        begin, end = start // self.windows.frame, start // self.windows.frame + len(scores)
        if self.windows.has_frames:
            self._waiting = scores[self._first - begin :]
            return self._take(end - self.windows.margin // self.windows.frame)
        waiting = np.zeros((0, scores.shape[1]), dtype=np.float32) if self._waiting is None else self._waiting
        total = np.zeros((end - self._first, scores.shape[1]), dtype=np.float32)
        counts = np.zeros(len(total), dtype=np.float32)
        total[: len(waiting)], counts[: len(waiting)] = waiting, self._counts
        total[begin - self._first :] += scores
        counts[begin - self._first :] += 1
        self._waiting, self._counts = total, counts
        return self._take(begin)

    def flush(self) -> FrameScores | None:
        """The recording has ended: the moments that are left."""
        return None if self._waiting is None else self._take(self._first + len(self._waiting))

    def _take(self, end: int) -> FrameScores | None:
        """The moments before that one."""
        assert self._waiting is not None
        n_moments = end - self._first
        if n_moments <= 0:
            return None
        scores, self._waiting = self._waiting[:n_moments], self._waiting[n_moments:]
        if not self.windows.has_frames:
            counts, self._counts = self._counts[:n_moments], self._counts[n_moments:]
            scores = scores / counts[:, None]
        seconds = self.windows.frame / self.windows.sampling_rate
        first, self._first = self._first, end
        return FrameScores(first * seconds, seconds, scores)


def score_moments(classifier: AudioClassifier, windows: FrameWindows, parts: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Windows, (samples,) each -> the scores of each one's moments, (moments, labels) float32."""
    if windows.has_frames:
        return classifier.score_frames([windows.pad(part) for part in parts])
    rows = classifier.judge_windows(parts) if classifier.facts.speech_only else classifier.score(parts)
    n_labels = len(classifier.facts.labels)
    return [windows.spread(part, row, n_labels) for part, row in zip(parts, rows, strict=True)]


def frame_scores(
    classifier: AudioClassifier, blocks: Iterable[np.ndarray], hop_seconds: float | None = None
) -> Iterator[FrameScores]:
    """Score the moments of a recording of any length, stretch by stretch, in constant memory.

    Every checkpoint can be asked: where the network scores frames, these are cut out of overlapping windows, so that
    each has been heard with what is around it; where it scores windows as a whole, running windows stand in for them,
    and times are coarser than the moments suggest.

    Args:
        classifier: scores.
        blocks: of the recording, (samples,) float32 each, at the classifier's rate, as `stream_audio` gives them.
        hop_seconds: see `FrameWindows.of`.

    Raises:
        ArgumentError: a checkpoint that reads numbers, or a hop that is no time.
        AudioError: scores that are not finite.
    """
    windows = FrameWindows.of(classifier.facts, hop_seconds)
    joiner = FrameJoiner(windows)
    pieces = FrameCutter(windows).cut(blocks)
    while group := list(itertools.islice(pieces, WINDOWS_PER_FORWARD)):
        for (start, _), scores in zip(
            group, score_moments(classifier, windows, [part for _, part in group]), strict=True
        ):
            stretch = joiner.add(start, scores)
            if stretch is not None:
                yield stretch
    rest = joiner.flush()
    if rest is not None:
        yield rest
