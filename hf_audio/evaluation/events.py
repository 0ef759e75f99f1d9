"""Annotated recordings with what a checkpoint finds in them: figures of events, segments and all thresholds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..data.annotations.annotated_recordings import Annotation
from ..data.tables.text_tables import write_cells, write_rows
from ..errors import ArgumentError
from ..inference.events import SoundEvent
from ..runs.markdown import Table
from ..runs.metrics.sound_events import (
    COLLAR,
    OFFSET_SHARE,
    PSDS1,
    PSDS2,
    SEGMENT_SECONDS,
    TRUE,
    DetectionCurves,
    F1Scores,
    detection_curves,
    event_counts,
    macro_f1,
    micro_f1,
    onset_errors,
    segment_counts,
)
from ..runs.plots import plot_precision_and_recall
from ..runs.scores import relative_paths

EVENTS_NAME = "events.csv"
EVENT_COLUMNS = ("path", "onset", "offset", "label", "source", "confidence")
CURVES_NAME = "precision_and_recall.png"
FEWEST_RECORDINGS = 5  # that an interval is told of; fewer tell nothing of others
DRAWS = 200
TAILS = (2.5, 97.5)  # %
METRIC_NAMES = {
    "event_f1": "F1 of events, mean of the labels",
    "event_f1_micro": "F1 of all events",
    "segment_f1": "F1 of segments, mean of the labels",
    "segment_f1_micro": "F1 of all segments",
    "psds1": "PSDS 1, exact in time",
    "psds2": "PSDS 2, exact in label",
    "onset_error": "Error of onsets, median, seconds",
}


@dataclass(frozen=True)
class Collars:
    """How exact events have to be."""

    collar: float = COLLAR
    """Seconds that an onset, and an offset, may be off."""
    offset_share: float = OFFSET_SHARE
    """Of an event's length, by which its offset may be off if that is more."""
    segment_seconds: float = SEGMENT_SECONDS

    def __post_init__(self) -> None:
        if not 0 < self.collar < math.inf:
            raise ArgumentError(f"--collar {self.collar} must be more than 0 seconds.")
        if not 0 <= self.offset_share <= 1:
            raise ArgumentError(f"--offset_share {self.offset_share} must lie between 0 and 1.")
        if not 0 < self.segment_seconds < math.inf:
            raise ArgumentError(f"--segment_seconds {self.segment_seconds} must be more than 0.")


@dataclass(frozen=True)
class JudgedRecordings:
    """Recordings, what sounds in them, and what a checkpoint has found.

    Scores are of the labels alone that are judged; events of others are counted by `n_beside`.
    """

    paths: Sequence[str]
    labels: Sequence[str]
    """Which are in the annotations, and which the checkpoint knows."""
    truth: Sequence[Sequence[Annotation]]
    found: Sequence[Sequence[SoundEvent]]
    scores: Sequence[np.ndarray]
    """Of each recording, (frames, labels)."""
    frame_seconds: float
    lengths: Sequence[float]
    """In seconds, up to which all is annotated."""
    collars: Collars = field(default_factory=Collars)
    n_beside: int = 0
    """Events of labels that nobody has annotated."""

    def metrics(self) -> dict[str, float]:
        """F1 of events and of segments, in the mean of labels and of all together, and PSDS."""
        figures = self.figures(np.ones(len(self.paths)))
        errors = onset_errors(self.truth, self.found)
        if len(errors):
            figures["onset_error"] = float(np.median(np.abs(errors)))
        return figures

    @cached_property
    def events(self) -> np.ndarray:
        """Counts of events, (recordings, labels, 3)."""
        return event_counts(self.truth, self.found, self.labels, self.collars.collar, self.collars.offset_share)

    @cached_property
    def segments(self) -> np.ndarray:
        """Counts of segments, (recordings, labels, 3)."""
        return segment_counts(self.truth, self.found, self.labels, self.collars.segment_seconds, self.lengths)

    @cached_property
    def curves(self) -> dict[str, DetectionCurves]:
        """The curves of both scenarios of PSDS, by name."""
        return {
            name: detection_curves(self.scores, self.frame_seconds, self.truth, self.labels, self.lengths, scenario)
            for name, scenario in (("psds1", PSDS1), ("psds2", PSDS2))
        }

    def figures(self, drawn: np.ndarray) -> dict[str, float]:
        """All figures of recordings that count so many times each, (recordings,)."""
        events, segments = (np.tensordot(drawn, counts, 1) for counts in (self.events, self.segments))
        return {
            "event_f1": macro_f1(events),
            "event_f1_micro": micro_f1(events),
            "segment_f1": macro_f1(segments),
            "segment_f1_micro": micro_f1(segments),
            **{name: curves.psds(drawn) for name, curves in self.curves.items()},
        }

    def intervals(self) -> dict[str, tuple[float, float]]:
        """95 % intervals over recordings; none of fewer than five."""
        n_recordings = len(self.paths)
        if n_recordings < FEWEST_RECORDINGS:
            return {}
        draws = draw_recordings(n_recordings)
        values = [self.figures(drawn) for drawn in draws]
        return {name: percentiles([each[name] for each in values]) for name in values[0]}

    def per_label(self) -> list[dict[str, Any]]:
        """Figures of every label."""
        events = F1Scores(self.events.sum(axis=0))
        segments = F1Scores(self.segments.sum(axis=0))
        return [
            {
                "label": label,
                "event_precision": float(events.precision[place]),
                "event_recall": float(events.recall[place]),
                "event_f1": float(events.f1[place]),
                "segment_f1": float(segments.f1[place]),
                "psds1": self.curves["psds1"].of_label(place),
                "psds2": self.curves["psds2"].of_label(place),
                "events": int(events.counts[place, TRUE]),
                "found": int(events.counts[place, -1]),
            }
            for place, label in enumerate(self.labels)
        ]

    def tables(self) -> list[Table]:
        """The tables of the report."""
        names = ["event_precision", "event_recall", "event_f1", "segment_f1", "psds1", "psds2"]
        rows = [
            [row["label"], *(f"{row[name]:.3f}" for name in names), row["events"], row["found"]]
            for row in self.per_label()
        ]
        header = ["Label", "Precision", "Recall", "Event F1", "Segment F1", "PSDS 1", "PSDS 2", "Events", "Found"]
        return [Table("", header, rows)]

    def write(self, folder: Path) -> list[str]:
        """Leave `events.csv`, `per_class.csv` and a picture; names of the pictures."""
        rows = []
        for path, truth, found in zip(relative_paths(self.paths), self.truth, self.found, strict=True):
            rows += [_row(path, event, "annotation", "") for event in truth]
            rows += [_row(path, event, "found", f"{event.confidence:.4f}") for event in found]
        write_cells(folder / EVENTS_NAME, EVENT_COLUMNS, (row.values() for row in rows))
        write_rows(folder / "per_class.csv", self.per_label())
        plot_precision_and_recall(self.precision_and_recall(), folder / CURVES_NAME)
        return [CURVES_NAME]

    def precision_and_recall(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Precision and recall of each label's segments, over all thresholds of the highest score in a segment."""
        found = {}
        for place, label in enumerate(self.labels):
            scores, truth = self._segments_of(place)
            order = np.argsort(-scores, kind="stable")
            right = np.cumsum(truth[order])
            counts = np.arange(1, len(right) + 1)
            ends = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
            found[label] = right[ends] / counts[ends], right[ends] / max(truth.sum(), 1)
        return found

    def _segments_of(self, label: int) -> tuple[np.ndarray, np.ndarray]:
        """Highest score and truth of every segment of all recordings."""
        seconds = self.collars.segment_seconds
        scores, truth = [], []
        for frames, events, length in zip(self.scores, self.truth, self.lengths, strict=True):
            n_segments = max(int(np.ceil(length / seconds)), 1)
            segments = np.minimum((np.arange(len(frames)) * self.frame_seconds / seconds).astype(int), n_segments - 1)
            highest = np.zeros(n_segments)
            np.maximum.at(highest, segments, frames[:, label])
            marks = np.zeros(n_segments)
            for event in events:
                if event.label == self.labels[label]:
                    marks[int(event.onset // seconds) : int(np.ceil(event.offset / seconds))] = 1
            scores.append(highest)
            truth.append(marks)
        return np.concatenate(scores), np.concatenate(truth)


def draw_recordings(n_recordings: int) -> np.ndarray:
    """How many times each recording is drawn with replacement: (draws, recordings)."""
    random = np.random.default_rng(0)
    return random.multinomial(n_recordings, np.full(n_recordings, 1 / n_recordings), DRAWS).astype(float)


def percentiles(values: Sequence[float]) -> tuple[float, float]:
    """The bounds between which 95 % of some values lie."""
    low, high = np.percentile(values, TAILS)
    return float(low), float(high)


def _row(path: str, event: Annotation | SoundEvent, source: str, confidence: str) -> dict[str, str]:
    return {
        "path": path,
        "onset": f"{event.onset:.3f}",
        "offset": f"{event.offset:.3f}",
        "label": event.label,
        "source": source,
        "confidence": confidence,
    }
