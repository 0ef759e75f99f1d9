"""What is heard in every moment of many recordings: a row a moment, a column a label."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ArgumentError, DataError
from ..inference.checkpoint import load_classifier
from ..inference.classifier import AudioClassifier
from ..inference.facts import Facts
from ..inference.frames import FrameJoiner, FrameScores, FrameWindows, score_moments
from .answers import WRITERS, ClipHeading, Row, Writer, print_table, written_at_once
from .decoding import Cut
from .journal import Entry
from .questions import Answerer, H, WindowQuestion, warn_of_every_noise
from .scoring import Judgement

PLACES = ("path", "start", "end")


class MomentScorer:
    """A classifier that is asked for every moment of windows, as `scoring.Scorer` wants it.

    Args:
        classifier: is asked.
        windows: where they lie.
    """

    def __init__(self, classifier: AudioClassifier, windows: FrameWindows):
        self.classifier = classifier
        self.windows = windows
        self.device = getattr(classifier, "device", None)

    def score(self, windows: Sequence[np.ndarray]) -> Any:
        """Windows, (samples,) each -> (moments, labels) float32 each."""
        return score_moments(self.classifier, self.windows, windows)


class MomentJoiner:
    """The windows of many recordings, as they come, to the moments of each.

    Args:
        windows: where they lie.
    """

    def __init__(self, windows: FrameWindows):
        self.windows = windows
        self._joiners: dict[int, FrameJoiner] = {}

    def add(self, judgement: Judgement) -> list[FrameScores]:
        """What is known by now of the moments of a recording, in their order."""
        joiner = self._joiners.setdefault(judgement.clip, FrameJoiner(self.windows))
        rate = self.windows.sampling_rate
        pairs = zip(judgement.spans, judgement.scores, strict=True)
        stretches = [joiner.add(round(start * rate), scores) for (start, _), scores in pairs]
        if judgement.ended:
            stretches.append(self._joiners.pop(judgement.clip).flush())
        return [stretch for stretch in stretches if stretch is not None]


@dataclass(frozen=True)
class MomentHeading(ClipHeading):
    """The columns of scores over time.

    `path`, the further columns of a table that named the recordings, `start` and `end` of the moment in seconds, a
    column a label with its probability, and `error`. A further column that has one of these names is kept under
    another, as `table_start`.
    """

    labels: Sequence[str]

    @property
    def own_columns(self) -> list[str]:
        """See `ClipHeading.own_columns`."""
        return ["start", "end", *self.labels]

    @property
    def real_columns(self) -> list[str]:
        """Names of those that hold numbers rather than text."""
        return self.own_columns

    @property
    def answer_columns(self) -> list[str]:
        """Names of those that hold labels; here none do."""
        return []

    def cells(
        self, clip: Mapping[str, str], spans: Iterable[Sequence[float]], answers: Iterable[Sequence[float]]
    ) -> Iterator[Row]:
        """See `ClipHeading.cells`: a row a moment."""
        for (start, end), scores in zip(spans, answers, strict=True):
            yield {"start": start, "end": end, **dict(zip(self.labels, scores, strict=True))}


@dataclass(frozen=True)
class OverMoments(WindowQuestion[H]):
    """Something that a classifier is asked about every moment of a recording."""

    def cut(self, facts: Facts) -> Cut:
        """See `WindowQuestion.cut`."""
        return Cut(facts, moments=FrameWindows.of(facts, self.hop_seconds))

    def network(self, checkpoint: str) -> AudioClassifier:
        """See `WindowQuestion.network`."""
        classifier = load_classifier(checkpoint)
        warn_of_every_noise(checkpoint, classifier.facts)
        return classifier


@dataclass(frozen=True)
class MomentQuestion(OverMoments[MomentHeading]):
    """What is heard in every moment, see `inference.frames`."""

    over_time: bool = True

    @property
    def request(self) -> dict[str, Any]:
        """See `WindowQuestion.request`."""
        return {"--frames": True, "--hop_seconds": self.hop_seconds}

    def answerer(self, network: AudioClassifier, checkpoint: str) -> "MomentAnswerer":
        """See `WindowQuestion.answerer`."""
        return MomentAnswerer(network, self)

    def choose_writer(self, output: Path, n_clips: int) -> Writer[MomentHeading]:
        """See `WindowQuestion.choose_writer`."""
        for suffix, write in WRITERS.items():
            if output.name.lower().endswith(suffix):
                return written_at_once(write)
        raise DataError(f"--output {output} must end in {', '.join(WRITERS)}: --frames gives a row a moment.")


class MomentAnswerer(Answerer[MomentHeading]):
    """A classifier that is asked for moments.

    Args:
        classifier: is asked.
        question: with what hop.

    Raises:
        ArgumentError: it reads numbers, or a label would be no column of its own.
    """

    def __init__(self, classifier: AudioClassifier, question: MomentQuestion):
        windows = FrameWindows.of(classifier.facts, question.hop_seconds)
        super().__init__(MomentScorer(classifier, windows), classifier.facts)
        taken = [label for label in self.facts.labels if label in (*PLACES, "error")]
        if taken or len(set(self.facts.labels)) < len(self.facts.labels):
            raise ArgumentError(
                f"--frames has a column a label, and {taken[0] if taken else 'one label'!r} would be two: leave it "
                "out; hf-audio detect finds events."
            )
        self._joiner = MomentJoiner(windows)

    def heading(self, further: Sequence[str]) -> MomentHeading:
        """See `Answerer.heading`."""
        return MomentHeading(further, self.facts.labels)

    def entry(self, judgement: Judgement, file: str) -> Entry:
        """See `Answerer.entry`. A recording comes stretch by stretch."""
        spans, answers = [], []
        for stretch in self._joiner.add(judgement):
            for place, scores in enumerate(stretch.scores):
                start = stretch.start + place * stretch.frame_seconds
                spans.append([round(start, 6), round(start + stretch.frame_seconds, 6)])
                answers.append([round(float(score), 6) for score in scores])
        return Entry(judgement.clip, spans, answers, judgement.ended, judgement.problem)

    def show(self, heading: MomentHeading, rows: Iterable[Row], paths: Iterable[str]) -> None:
        """See `Answerer.show`."""
        print_table(heading, rows, paths, self.facts.labels)
