"""Frame scores to events: what sounds from when to when, once each. Loads numpy alone."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ..errors import ArgumentError, CheckpointError

DEFAULT_THRESHOLD = 0.5
# Labels that mean that none of the others sounds, in small letters and with blanks: they are no events.
NO_EVENTS = ("none of these", "no speech", "background", "background noise")
# Of a checkpoint that has heard normal recordings alone, whose first label is no event either.
ONE_CLASS = ("normal", "anomaly")
# Of fitting: what thresholds, and what else of a rule, are tried.
THRESHOLDS = (0.01, 0.02, *(round(0.05 * n, 2) for n in range(1, 20)), 0.97, 0.98, 0.99, 0.995, 0.998)
RELEASES = (1.0, 0.75, 0.5, 0.25)
GAPS = (0.0, 0.1, 0.2, 0.5, 1.0)
SHORTEST = (0.0, 0.1, 0.2, 0.5)
# A label's threshold follows from its own events and, as if they were so many, from those of all. An F1 of some twenty
# events has its best threshold by luck; a bound is each label's own.
SHARED_EVENTS = {"f1": 80.0, "precision": 4.0, "false_alarms_per_hour": 4.0}
# An event is found where its onset is within so many seconds, and its offset too or within a share of its length:
# as sed_eval and DCASE have it.
COLLAR, OFFSET_SHARE = 0.2, 0.5
# Where windows are too coarse for that, what only overlaps still tells thresholds apart.
OVERLAP_WEIGHT = 0.05
# Times are sums of many frames: what differs by less is the same.
TINY = 1e-6


class SoundEvent(NamedTuple):
    """Something that was heard, from its beginning to its end."""

    onset: float
    """In seconds since the recording or the stream began."""
    offset: float
    """In seconds."""
    label: str
    confidence: float
    """The highest score within it."""


@dataclass(frozen=True)
class EventRule:
    """How events follow from frame scores.

    An event is what lasts while a label's score is at least `release` times its threshold and reaches the threshold
    at some moment. Events of one label with a gap of `gap_seconds` at most are one; what then lasts less than
    `min_seconds` is none.

    Raises:
        CheckpointError: a value is none.
    """

    thresholds: tuple[float, ...]
    """A label each, in the order of the scores."""
    release: float = 0.5
    """Share of the threshold at which an event ends, and begins: the hysteresis, 1 being none."""
    min_seconds: float = 0.0
    gap_seconds: float = 0.2

    def __post_init__(self) -> None:
        if not isinstance(self.thresholds, list | tuple) or not all(map(_is_share, self.thresholds)):
            raise CheckpointError(f"thresholds={self.thresholds!r} must be numbers above 0, 1 at most, a label each.")
        object.__setattr__(self, "thresholds", tuple(map(float, self.thresholds)))
        if not _is_share(self.release):
            raise CheckpointError(f"release={self.release!r} must be a number above 0, 1 at most.")
        for name in ("min_seconds", "gap_seconds"):
            value = getattr(self, name)
            if not is_number(value) or not 0 <= value < math.inf:
                raise CheckpointError(f"{name}={value!r} must be a number of seconds, 0 or more.")

    @classmethod
    def usual(cls, n_labels: int) -> "EventRule":
        """The rule of a checkpoint to which none was fitted: thresholds of 0.5."""
        return cls((DEFAULT_THRESHOLD,) * n_labels)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "EventRule":
        """The rule that a config, or the metadata of an ONNX file, holds.

        Raises:
            CheckpointError: it is no rule.
        """
        names = cls.__dataclass_fields__
        if not isinstance(values, Mapping) or "thresholds" not in values or not values.keys() <= names.keys():
            raise CheckpointError(f"event_rule={values!r} must have {', '.join(names)}.")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """The rule by name, as JSON has it."""
        return {**asdict(self), "thresholds": list(self.thresholds)}


def is_number(value: Any) -> bool:
    """Whether a value that JSON had is a number, as True and False are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_share(value: Any) -> bool:
    return is_number(value) and 0 < value <= 1


def is_event(label: str, labels: Sequence[str] = ()) -> bool:
    """Whether a label is of a sound, rather than of there being none of the others; labels: all of the checkpoint."""
    if tuple(labels) == ONE_CLASS:
        return label != ONE_CLASS[0]
    return label.casefold().replace("_", " ").strip() not in NO_EVENTS


class EventFinder:
    """Frame scores in, in parts of any length, and each event once it has ended, however they were cut.

    Args:
        labels: in the order of the scores.
        rule: a threshold for each.
    """

    def __init__(self, labels: Sequence[str], rule: EventRule):
        if len(rule.thresholds) != len(labels):
            raise CheckpointError(f"{len(rule.thresholds)} thresholds are given for {len(labels)} labels.")
        self.labels = tuple(labels)
        self.rule = rule
        self._places = np.array([place for place, label in enumerate(labels) if is_event(label, labels)], dtype=int)
        self._low = (np.array(rule.thresholds) * rule.release).astype(np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget what was heard; the next frame is the first of another recording."""
        self._now = 0.0  # up to which scores have come
        self._runs: dict[int, _Run] = {}  # of each label, what has not ended
        self._pending: dict[int, _Run] = {}  # and what has, but may go on after a gap

    def push(self, start: float, frame_seconds: float, scores: np.ndarray) -> list[SoundEvent]:
        """Scores (frames, labels) from `start` on, in seconds, a frame each `frame_seconds` -> events that have ended.

        Scores of parts come in the order of time. Where time is left out between them, no event goes on.
        """
        events: list[SoundEvent] = []
        if start > self._now + frame_seconds / 2:
            events += self._end_runs()
        scores = np.asarray(scores, dtype=np.float32)
        sounds = scores >= self._low
        for place in self._places[sounds[:, self._places].any(0)] if len(scores) else ():
            events += self._take_in(int(place), start, frame_seconds, scores[:, place], sounds[:, place])
        if len(scores):
            self._now = start + len(scores) * frame_seconds
            silent = [
                place for place in self._runs if not sounds[0, place] and self._runs[place].offset <= start + TINY
            ]
            for place in silent:
                events += self._end_run(place)
        events += self._settle()
        return sorted(events)

    def flush(self) -> list[SoundEvent]:
        """The recording has ended: the events that its end ends. Then another one may begin."""
        events = self._end_runs()
        for place in list(self._pending):
            events += self._tell(place)
        self.reset()
        return sorted(events)

    def _take_in(
        self, place: int, start: float, frame_seconds: float, scores: np.ndarray, sounds: np.ndarray
    ) -> list[SoundEvent]:
        """A label's scores of a part, (frames,), at some of which it sounds."""
        events: list[SoundEvent] = []
        edges = np.flatnonzero(np.diff(sounds, prepend=False, append=False))
        for first, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            run = self._runs.get(place)
            if run is not None and first > 0:
                events += self._end_run(place)
                run = None
            onset = start + first * frame_seconds if run is None else run.onset
            peak = float(scores[first:end].max())
            self._runs[place] = _Run(
                onset, start + end * frame_seconds, peak if run is None else max(peak, run.confidence)
            )
        if edges[-1] < len(sounds):
            events += self._end_run(place)
        return events

    def _end_runs(self) -> list[SoundEvent]:
        return [event for place in list(self._runs) for event in self._end_run(place)]

    def _end_run(self, place: int) -> list[SoundEvent]:
        """What has sounded is an event, goes on with the one before, or has never reached the threshold."""
        run = self._runs.pop(place)
        if run.confidence < np.float32(self.rule.thresholds[place]):
            return []
        before = self._pending.get(place)
        if before is not None and run.onset - before.offset <= self.rule.gap_seconds + TINY:
            self._pending[place] = _Run(before.onset, run.offset, max(before.confidence, run.confidence))
            return []
        events = self._tell(place) if before is not None else []
        self._pending[place] = run
        return events

    def _settle(self) -> list[SoundEvent]:
        """The events that nothing can go on with any more."""
        events: list[SoundEvent] = []
        for place, before in list(self._pending.items()):
            following = self._runs[place].onset if place in self._runs else self._now
            if following - before.offset > self.rule.gap_seconds + TINY:
                events += self._tell(place)
        return events

    def _tell(self, place: int) -> list[SoundEvent]:
        onset, offset, confidence = self._pending.pop(place)
        if offset - onset < self.rule.min_seconds - TINY:
            return []
        return [SoundEvent(onset, offset, self.labels[place], confidence)]


class _Run(NamedTuple):
    onset: float
    offset: float
    confidence: float


def find_events(
    scores: np.ndarray, frame_seconds: float, labels: Sequence[str], rule: EventRule, start: float = 0.0
) -> list[SoundEvent]:
    """The events of a recording, (frames, labels) scores, in the order of their onsets.

    Args:
        scores: probabilities.
        frame_seconds: from one frame to the next.
        labels: in the order of the scores.
        rule: a threshold for each.
        start: where the first frame begins, in seconds.

    Raises:
        CheckpointError: there are more or fewer thresholds than labels.
    """
    finder = EventFinder(labels, rule)
    return sorted([*finder.push(start, frame_seconds, scores), *finder.flush()])


Truth = Sequence[Any]
"""True events of a recording, which have `onset`, `offset` and `label`."""


def fit_event_rule(
    recordings: Sequence[tuple[np.ndarray, Truth]],
    labels: Sequence[str],
    frame_seconds: float,
    objective: str | tuple[str, float] = "f1",
) -> EventRule:
    """The rule that does best on annotated recordings.

    Hysteresis, gap and shortest event are one for all labels, and thresholds a label each. Those of labels with few
    events lean on all labels' events.

    Args:
        recordings: of each, scores (frames, labels) from its beginning, and its true events.
        labels: in the order of the scores.
        frame_seconds: from one frame to the next.
        objective: of each label, `"f1"`, the best event-based F1; `("precision", p)`, the most events of which the
            share p overlaps a true one; or `("false_alarms_per_hour", n)`, the most events of which n an hour overlap
            none.

    Raises:
        ArgumentError: the objective is none, or no true event has one of the labels.
    """
    goal = _Goal(*((objective, 0.0) if isinstance(objective, str) else objective))
    event_labels = [label if is_event(label, labels) else None for label in labels]
    lines = _Timelines(recordings, event_labels, frame_seconds)
    if not lines.n_truth.any():
        raise ArgumentError("No annotation has a label that the network knows: no rule for events can be fitted.")
    best = EventRule.usual(len(labels))
    best_value = -math.inf
    for name, values in (("release", RELEASES), ("gap_seconds", GAPS), ("min_seconds", SHORTEST)):
        changes: list[dict[str, Any]] = [{name: each} for each in values]
        for rule in [replace(best, **change) for change in changes]:
            fitted, value = lines.fit(rule, goal)
            if value > best_value + TINY:
                best, best_value = fitted, value
    return best


@dataclass(frozen=True)
class _Goal:
    """What is asked of the events of each label."""

    name: str
    bound: float

    def __post_init__(self) -> None:
        if self.name == "precision" and not 0 < self.bound <= 1:
            raise ArgumentError(f"A precision of {self.bound} is none: give a share above 0, 1 at most.")
        if self.name == "false_alarms_per_hour" and not 0 <= self.bound < math.inf:
            raise ArgumentError(f"{self.bound} false alarms per hour cannot be: give 0 or more.")
        if self.name not in ("f1", "precision", "false_alarms_per_hour"):
            raise ArgumentError(f"The objective {self.name!r} is none: f1, precision or false_alarms_per_hour.")

    def values(self, counts: "_Counts", hours: float) -> np.ndarray:
        """How good each threshold is, (thresholds,): the more the better."""
        if self.name == "f1":
            value = _f1(counts.hits, counts) + OVERLAP_WEIGHT * _f1(counts.paired, counts)
            # A peak of one threshold alone is luck.
            return np.convolve(np.pad(value, 1, mode="edge"), (0.25, 0.5, 0.25), mode="valid")
        wrong = counts.found - counts.right
        if self.name == "precision":
            excess = self.bound - counts.right / np.maximum(counts.found, TINY)
        else:
            excess = wrong / hours - self.bound
        # What keeps the bound is better than all that does not, and else what is nearest to it.
        return np.where(excess <= TINY, 1 + _f1(counts.paired, counts), -np.maximum(excess, 0))


@dataclass(frozen=True)
class _Counts:
    """Counts at each threshold, (thresholds,) or one number."""

    hits: np.ndarray
    """True events that were found, within the collars."""
    paired: np.ndarray
    """True events, each with a found one of its own that overlaps it."""
    right: np.ndarray
    """Found events that overlap a true one."""
    found: np.ndarray
    truth: float

    @classmethod
    def of_rows(cls, rows: np.ndarray, truth: float) -> "_Counts":
        """(thresholds, 4) numbers in this order."""
        return cls(rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3], truth)

    def plus(self, other: "_Counts", weight: float) -> "_Counts":
        return _Counts(
            self.hits + weight * other.hits,
            self.paired + weight * other.paired,
            self.right + weight * other.right,
            self.found + weight * other.found,
            self.truth + weight * other.truth,
        )


def _f1(hits: np.ndarray, counts: _Counts) -> np.ndarray:
    return 2 * hits / np.maximum(counts.found + counts.truth, TINY)


class _Timelines:
    """Annotated recordings one behind the other, with silence between them, and a line of scores a label."""

    def __init__(
        self, recordings: Sequence[tuple[np.ndarray, Truth]], labels: Sequence[str | None], frame_seconds: float
    ):
        self.frame_seconds = frame_seconds
        n_frames = sum(len(scores) for scores, _ in recordings)
        self.hours = n_frames * frame_seconds / 3600
        silence = math.ceil((max(GAPS) + 1) / frame_seconds)
        self.scores = np.zeros((len(labels), n_frames + silence * len(recordings)), dtype=np.float32)
        truth: dict[str | None, list[tuple[float, float]]] = {label: [] for label in labels if label is not None}
        first = 0
        for scores, events in recordings:
            self.scores[:, first : first + len(scores)] = scores.T
            for event in events:
                if event.label in truth:
                    begin = first * frame_seconds
                    truth[event.label].append((begin + event.onset, begin + event.offset))
            first += len(scores) + silence
        self.truth = [np.array(sorted(truth.get(label, ()))).reshape(-1, 2) for label in labels]
        self.n_truth = np.array([len(events) for events in self.truth])

    def fit(self, rule: EventRule, goal: _Goal) -> tuple[EventRule, float]:
        """The rule with the best thresholds, and how good it is in the mean of the labels."""
        annotated = np.flatnonzero(self.n_truth)
        counts = {place: self._count(place, rule) for place in annotated.tolist()}
        pooled = _Counts.of_rows(np.zeros((len(THRESHOLDS), 4)), 0.0)
        for each in counts.values():
            pooled = pooled.plus(each, 1.0)
        weight = SHARED_EVENTS[goal.name] / pooled.truth
        hours = self.hours * len(counts)
        shared = float(THRESHOLDS[int(goal.values(pooled, hours).argmax())])
        thresholds, values = [shared] * len(self.truth), []
        for place, each in counts.items():
            value = goal.values(each.plus(pooled, weight), self.hours + weight * hours)
            thresholds[place] = float(THRESHOLDS[int(value.argmax())])
            values.append(value.max())
        return replace(rule, thresholds=tuple(thresholds)), float(np.mean(values))

    def _count(self, place: int, rule: EventRule) -> _Counts:
        rows = [
            count_events(self.truth[place], self._find(self.scores[place], threshold, rule))
            for threshold in THRESHOLDS
        ]
        return _Counts.of_rows(np.array(rows, dtype=float), float(self.n_truth[place]))

    def _find(self, scores: np.ndarray, threshold: float, rule: EventRule) -> np.ndarray:
        """What `find_events` finds of one label -> (events, 2) onsets and offsets."""
        edges = np.flatnonzero(np.diff(scores >= np.float32(threshold * rule.release), prepend=False, append=False))
        begins, ends = edges[::2], edges[1::2]
        if not len(begins):
            return np.zeros((0, 2))
        # Of each run and of what lies behind it, the highest score.
        peaks = np.maximum.reduceat(scores, np.minimum(edges, len(scores) - 1))[::2]
        kept = peaks >= np.float32(threshold)
        spans = np.stack([begins[kept], ends[kept]], 1) * self.frame_seconds
        if len(spans):
            parted = np.flatnonzero(spans[1:, 0] - spans[:-1, 1] > rule.gap_seconds + TINY)
            spans = np.stack([spans[np.r_[0, parted + 1], 0], spans[np.r_[parted, len(spans) - 1], 1]], 1)
        return spans[spans[:, 1] - spans[:, 0] >= rule.min_seconds - TINY]


def count_events(truth: np.ndarray, found: np.ndarray) -> tuple[int, int, int, int]:
    """Events of one label, (events, 2) onsets and offsets in their order; the found ones do not overlap.

    Returns how many true ones are found within the collars, how many can be paired with a found one that overlaps,
    how many found ones overlap a true one, and how many are found.
    """
    # True ones may overlap: the latest offset of those that begin before a found one ends tells.
    latest = np.maximum.accumulate(truth[:, 1])
    before = np.searchsorted(truth[:, 0], found[:, 1])
    right = int((latest[before[before > 0] - 1] > found[before > 0, 0]).sum())
    hits, taken, paired, free = 0, -1, 0, 0
    for onset, offset in truth.tolist():
        late = max(COLLAR, OFFSET_SHARE * (offset - onset)) + TINY
        near = np.searchsorted(found[:, 0], (onset - COLLAR - TINY, onset + COLLAR + TINY))
        for place in range(max(int(near[0]), taken + 1), int(near[1])):
            if abs(found[place, 1] - offset) <= late:
                hits, taken = hits + 1, place
                break
        free = max(free, int(np.searchsorted(found[:, 1], onset, side="right")))
        if free < len(found) and found[free, 0] < offset:
            paired, free = paired + 1, free + 1
    return hits, paired, right, len(found)
