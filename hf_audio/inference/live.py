"""What is heard right now: a stream's running decision, which waits where nobody speaks."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import soxr

from .classifier import AudioClassifier
from .facts import NO_SPEECH
from .streaming import AudioStream, Event

# A first answer comes that soon after speech was noticed, and a new one as often.
HOP_SECONDS = 0.25
# Kept while nobody speaks: that somebody does is noticed a little after they have begun.
KEPT_SECONDS = 0.5


@dataclass(frozen=True)
class Decision:
    """What the last seconds of a stream are."""

    second: float
    """Since the stream began, up to which was heard."""
    answer: dict[str, Any]
    """`{"label": "dog", "score": 0.9}`, or `{"text": ..., "score": ...}` of a model of numbers."""


class RunningDecision:
    """Samples in, in blocks of any size, and an answer every quarter of a second, about the last window heard in full.

    Of a model of speech alone, there are answers while somebody speaks, windows begin with their first sound, and one
    answer "no speech" tells that they have stopped.

    Args:
        classifier: judges.
        sampling_rate: of the samples that are pushed, in Hz.

    Raises:
        ImportError: a model of speech alone, and `silero-vad` is not installed.
    """

    def __init__(self, classifier: AudioClassifier, sampling_rate: int):
        self.classifier = classifier
        self.rate = sampling_rate
        self.stream = AudioStream(
            classifier,
            sampling_rate=sampling_rate,
            hop_seconds=HOP_SECONDS,
            find_speech=False,
            growing=classifier.facts.speech_only,
        )
        self._begin = 0.0  # of what the stream has heard, in seconds
        self._speaks = True
        if classifier.facts.speech_only:
            from ..audio.speech import BLOCK, RATE, SpeechGate  # loads torch

            self._gate = SpeechGate()
            self._resampler = soxr.ResampleStream(sampling_rate, RATE, 1) if sampling_rate != RATE else None
            self._speaks = False
            # Heard in steps of a block, so that answers do not depend on how the sound was cut.
            self._step = round(BLOCK / RATE * sampling_rate)
            self._waiting = np.zeros(0, dtype=np.float32)  # for a whole step
            self._kept = np.zeros(0, dtype=np.float32)  # not yet given to the stream
            self._n_samples = 0

    def push(self, samples: np.ndarray) -> list[Decision]:
        """(samples,) float32, full scale being 1 -> the decisions that they complete."""
        if not self.classifier.facts.speech_only:
            return self._decide(self.stream.push(samples))
        self._waiting = np.concatenate([self._waiting, samples])
        whole = len(self._waiting) // self._step * self._step
        steps, self._waiting = self._waiting[:whole].reshape(-1, self._step), self._waiting[whole:].copy()
        return [decision for step in steps for decision in self._hear(step)]

    def _hear(self, samples: np.ndarray) -> list[Decision]:
        decisions: list[Decision] = []
        self._n_samples += len(samples)
        self._kept = np.concatenate([self._kept, samples])
        for turn in self._gate.push(samples if self._resampler is None else self._resampler.resample_chunk(samples)):
            self._speaks = turn.speaks
            if turn.speaks:
                first = max(round(turn.second * self.rate), self._n_samples - len(self._kept))
                self._begin, self._kept = first / self.rate, self._kept[first - self._n_samples + len(self._kept) :]
            else:
                self.stream.reset()
                decisions.append(Decision(self._n_samples / self.rate, {"label": NO_SPEECH, "score": 1.0}))
        if self._speaks:
            decisions += self._decide(self.stream.push(self._kept))
            self._kept = self._kept[:0]
        self._kept = self._kept[-round(KEPT_SECONDS * self.rate) :]
        return decisions

    def listen(self, blocks: Iterable[np.ndarray]) -> Iterator[Decision]:
        """The decisions of each block, as it comes; where the blocks end, the one about the end."""
        for block in blocks:
            yield from self.push(block)
        if self._speaks:
            yield from self._decide(self.stream.flush())
        elif not self._begin:  # nobody has spoken
            yield Decision(self._n_samples / self.rate, {"label": NO_SPEECH, "score": 1.0})

    def _decide(self, events: list[Event]) -> list[Decision]:
        decisions = []
        for event in events:
            answer = self.classifier.facts.name(event.scores, top_k=1)
            decisions.append(Decision(self._begin + event.end, answer[0] if isinstance(answer, list) else answer))
        return decisions
