"""Events in sound as it comes, in blocks of any size."""

from collections.abc import Iterable, Iterator

import numpy as np

from .classifier import AudioClassifier
from .events import EventFinder, EventRule, SoundEvent
from .frames import FrameScores
from .streaming import FrameStream


class EventStream:
    """Samples in, and each event out once it has ended: those that `find_events` finds in all of a stream's scores.

    Args:
        classifier: scores; any checkpoint, see `FrameStream`.
        sampling_rate: of the samples that are pushed, in Hz; by default the classifier's.
        rule: by default the checkpoint's, or the usual one.
        hop_seconds: how often scores come, see `FrameStream`.

    Raises:
        ArgumentError: a checkpoint that reads numbers, a hop that is no time, or a rate that no recording has.
    """

    def __init__(
        self,
        classifier: AudioClassifier,
        *,
        sampling_rate: int | None = None,
        rule: EventRule | None = None,
        hop_seconds: float | None = None,
    ):
        facts = classifier.facts
        self.scores = FrameStream(classifier, sampling_rate=sampling_rate, hop_seconds=hop_seconds)
        self.rate = self.scores.rate
        self.finder = EventFinder(facts.labels, rule or facts.event_rule or EventRule.usual(len(facts.labels)))
        self._n_samples = 0

    def reset(self) -> None:
        """Forget what was heard; the next sample is the first of another stream."""
        self.scores.reset()
        self.finder.reset()
        self._n_samples = 0

    def push(self, samples: np.ndarray) -> list[SoundEvent]:
        """(samples,), floats with full scale 1 or 16-bit integers -> the events that have ended.

        Raises:
            AudioError: as `FrameStream.push`.
        """
        events = self._find(self.scores.push(samples))
        self._n_samples += len(samples)
        return events

    def flush(self) -> list[SoundEvent]:
        """The stream has ended: the events that its end ends. Then it begins anew."""
        events = sorted([*self._find(self.scores.flush()), *self.finder.flush()])
        end = self._n_samples / self.rate  # which the last moment may lie over
        self.reset()
        return [event._replace(offset=min(event.offset, end)) for event in events]

    def listen(self, blocks: Iterable[np.ndarray]) -> Iterator[SoundEvent]:
        """The events that have ended with each block, as it comes; where the blocks end, the others."""
        for block in blocks:
            yield from self.push(block)
        yield from self.flush()

    def _find(self, stretches: Iterable[FrameScores]) -> list[SoundEvent]:
        return [event for stretch in stretches for event in self.finder.push(*stretch)]
