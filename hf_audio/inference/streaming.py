"""Sound judged as it comes, in blocks of any size."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import soxr

from ..audio.levels import INT16_FULL_SCALE, OVERSHOOT, clip
from ..audio.resampling import RATES
from ..errors import ArgumentError, AudioError
from .classifier import AudioClassifier
from .frames import FrameCutter, FrameJoiner, FrameScores, FrameWindows, score_moments

# Of scores moment by moment: a stream's come that soon, and half as long again after what they are of.
FRAME_HOP_SECONDS = 0.5


@dataclass(frozen=True)
class Event:
    """What a window of a stream is."""

    start: float
    """In seconds since the stream began."""
    end: float
    """In seconds; the event comes as soon as this moment has been heard."""
    scores: np.ndarray
    """Probabilities, (labels,)."""


class SampleIntake:
    """A stream's blocks as they come, checked, clipped and at the rate of a classifier.

    Args:
        rate: of the samples that come, in Hz.
        classifier_rate: of those that go, in Hz.

    Raises:
        ArgumentError: a rate that no recording has.
    """

    def __init__(self, rate: int, classifier_rate: int):
        if rate not in RATES:
            raise ArgumentError(f"sampling_rate={rate}: give samples per second, {RATES.start} to {RATES[-1]}.")
        self._resampler = soxr.ResampleStream(rate, classifier_rate, 1) if rate != classifier_rate else None

    def take(self, samples: np.ndarray) -> np.ndarray:
        """(samples,), floats with full scale 1 or 16-bit integers -> (samples,) float32 at the other rate.

        What is beyond full scale is clipped, up to twice of it: see `audio.levels`.

        Raises:
            AudioError: another shape or type, NaN, or larger samples; such samples are not taken in.
        """
        samples = np.asarray(samples)
        if samples.ndim != 1 or (samples.dtype.kind != "f" and samples.dtype != np.int16):
            raise AudioError(f"A block of shape {samples.shape} and type {samples.dtype}: push (samples,) of floats.")
        if samples.dtype == np.int16:
            samples = samples.astype(np.float32) / INT16_FULL_SCALE
        samples = samples.astype(np.float32, copy=False)
        if not np.isfinite(samples).all():
            raise AudioError("A block contains NaN or infinite samples: repair the source.")
        peak = np.abs(samples).max(initial=0)
        if peak > OVERSHOOT:
            raise AudioError(
                f"A block holds samples as large as {peak:.3g}, where full scale is 1: divide them by "
                "their full scale, or push 16-bit integers as such."
            )
        return self._resample(clip(samples), last=False)

    def end(self) -> np.ndarray:
        """What the resampler has kept, (samples,)."""
        return self._resample(np.zeros(0, dtype=np.float32), last=True)

    def _resample(self, samples: np.ndarray, last: bool) -> np.ndarray:
        return samples if self._resampler is None else clip(self._resampler.resample_chunk(samples, last=last))


class AudioStream:
    """Scores of a live sound: of its first window, and of another window after every hop.

    The windows are those of `windows.running_windows`, and their scores are those that the classifier gives to the
    same parts of the whole recording, however the stream is cut into blocks.

    Args:
        classifier: judges.
        sampling_rate: of the samples that are pushed, in Hz; by default the classifier's.
        window_seconds: by default the classifier's `clip_seconds`, or 3 where it has none.
        hop_seconds: by default half a window.
        find_speech: whether a classifier of speech alone tells windows without any; not where they were left out.
        growing: whether the first windows are shorter and end after every hop too, as suits a classifier of words that
            are shorter than a window.

    Raises:
        ArgumentError: a window or a hop that is no time, or a rate that no recording has.
    """

    def __init__(
        self,
        classifier: AudioClassifier,
        *,
        sampling_rate: int | None = None,
        window_seconds: float | None = None,
        hop_seconds: float | None = None,
        find_speech: bool = True,
        growing: bool = False,
    ):
        self.classifier = classifier
        self.rate = classifier.sampling_rate if sampling_rate is None else sampling_rate
        self.find_speech = find_speech
        self.growing = growing
        self.window, self.hop = classifier.facts.stream_windows(window_seconds, hop_seconds)
        self.reset()

    def reset(self) -> None:
        """Forget what was heard; the next sample is the first of another stream."""
        self._intake = SampleIntake(self.rate, self.classifier.sampling_rate)
        self._samples = np.zeros(0, dtype=np.float32)  # what later windows will need
        self._begin = 0  # where that begins in the stream, in samples
        self._last_end = 0  # end of the last window
        self._next_end = self.hop if self.growing else self.window

    def push(self, samples: np.ndarray) -> list[Event]:
        """(samples,), floats with full scale 1 or 16-bit integers -> the events that they complete.

        Raises:
            AudioError: as `SampleIntake.take`; such samples are not taken in.
        """
        return self._score(self._intake.take(samples), last=False)

    def flush(self) -> list[Event]:
        """The stream has ended: its last window's event, unless a hop ended there. Then it begins anew."""
        events = self._score(self._intake.end(), last=True)
        self.reset()
        return events

    def _score(self, samples: np.ndarray, last: bool) -> list[Event]:
        self._samples = np.concatenate([self._samples, samples])
        n_samples = self._begin + len(self._samples)
        ends = list(range(self._next_end, n_samples + 1, self.hop))
        self._next_end += len(ends) * self.hop
        if last and n_samples > max(ends, default=self._last_end):
            ends.append(n_samples)
        if not ends:
            return []
        spans = [(max(end - self.window, 0), end) for end in ends]
        windows = [self._samples[start - self._begin : end - self._begin] for start, end in spans]
        judge = self.classifier.judge_windows if self.find_speech else self.classifier.score
        scores = judge(windows)
        self._last_end = ends[-1]
        # The next window may be the stream's last one, and end before the next hop does.
        forgotten = max(self._last_end + 1 - self.window, self._begin) - self._begin
        self._samples = self._samples[forgotten:].copy()  # not a view, which would keep the whole block
        self._begin += forgotten
        rate = self.classifier.sampling_rate
        return [Event(start / rate, end / rate, row) for (start, end), row in zip(spans, scores, strict=True)]


class FrameStream:
    """The scores of a stream moment by moment, each once, as soon as enough was heard around it.

    How the stream was cut into blocks is all one: the scores are those of `frame_scores` with the same hop.

    Args:
        classifier: scores; any checkpoint, see `frame_scores`.
        sampling_rate: of the samples that are pushed, in Hz; by default the classifier's.
        hop_seconds: how often scores come; by default half a second or, of a network that scores windows as a whole,
            a quarter of a window.

    Raises:
        ArgumentError: a checkpoint that reads numbers, a hop that is no time, or a rate that no recording has.
    """

    def __init__(
        self, classifier: AudioClassifier, *, sampling_rate: int | None = None, hop_seconds: float | None = None
    ):
        self.classifier = classifier
        self.rate = classifier.sampling_rate if sampling_rate is None else sampling_rate
        if hop_seconds is None and classifier.facts.frame_seconds is not None:
            hop_seconds = FRAME_HOP_SECONDS
        self.windows = FrameWindows.of(classifier.facts, hop_seconds)
        self.reset()

    def reset(self) -> None:
        """Forget what was heard; the next sample is the first of another stream."""
        self._intake = SampleIntake(self.rate, self.classifier.sampling_rate)
        self._cutter, self._joiner = FrameCutter(self.windows), FrameJoiner(self.windows)

    def push(self, samples: np.ndarray) -> list[FrameScores]:
        """(samples,), floats with full scale 1 or 16-bit integers -> the moments that are known by now, in order.

        Raises:
            AudioError: as `SampleIntake.take`, and such samples are not taken in; or scores that are not finite.
        """
        return self._score(self._cutter.push(self._intake.take(samples)))

    def flush(self) -> list[FrameScores]:
        """The stream has ended: the moments that are left. Then it begins anew."""
        windows = self._cutter.push(self._intake.end())
        last = self._cutter.flush()
        stretches = self._score(windows if last is None else [*windows, last])
        rest = self._joiner.flush()
        self.reset()
        return stretches if rest is None else [*stretches, rest]

    def _score(self, windows: Sequence[tuple[int, np.ndarray]]) -> list[FrameScores]:
        scores = score_moments(self.classifier, self.windows, [samples for _, samples in windows]) if windows else []
        stretches = [self._joiner.add(start, each) for (start, _), each in zip(windows, scores, strict=True)]
        return [stretch for stretch in stretches if stretch is not None]
