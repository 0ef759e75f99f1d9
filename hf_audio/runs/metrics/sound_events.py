"""How well events are found: F1 of events with collars, F1 of segments, and PSDS, which needs no threshold.

Events come as a sequence a recording, each with `onset`, `offset` and `label`, in seconds. Figures are those of
sed_eval (Mesaros et al. 2016, https://doi.org/10.3390/app6060162) and sed_scores_eval (Ebbers et al. 2022,
https://doi.org/10.1109/ICASSP43922.2022.9747556). They are made of counts a recording, so that recordings can be
drawn again for an interval without being judged again.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

COLLAR = 0.2  # s
OFFSET_SHARE = 0.5  # of an event's length, where that is more than the collar
SEGMENT_SECONDS = 1.0
_DECIMALS = 6  # of seconds: what is nearer is equal
RIGHT, TRUE, FOUND = range(3)  # of counts


class Event(Protocol):
    """A sound that somebody annotated or a network found."""

    @property
    def onset(self) -> float:
        """In seconds from the beginning of its recording."""

    @property
    def offset(self) -> float:
        """In seconds from the beginning of its recording."""

    @property
    def label(self) -> str:
        """What it is."""


Events = Sequence[Event]


@dataclass(frozen=True)
class F1Scores:
    """Precision, recall and F1 of each label."""

    counts: np.ndarray
    """(labels, 3): found rightly, in the truth, and found; of events or of segments."""

    @property
    def precision(self) -> np.ndarray:
        """(labels,); 0 where nothing is found."""
        return _share(self.counts[:, RIGHT], self.counts[:, FOUND])

    @property
    def recall(self) -> np.ndarray:
        """(labels,); 0 where there is nothing to find."""
        return _share(self.counts[:, RIGHT], self.counts[:, TRUE])

    @property
    def f1(self) -> np.ndarray:
        """(labels,); 0 where there is nothing to find."""
        return f1_of_counts(self.counts)


def f1_of_counts(counts: np.ndarray) -> np.ndarray:
    """Counts (..., 3) -> F1 (...); 0 where there is nothing."""
    return _share(2 * counts[..., RIGHT], counts[..., TRUE] + counts[..., FOUND])


def micro_f1(counts: np.ndarray) -> float:
    """Counts (labels, 3) -> F1 of all labels together."""
    return float(f1_of_counts(counts.sum(axis=0)))


def macro_f1(counts: np.ndarray) -> float:
    """Counts (labels, 3) -> mean F1 of the labels that are in the truth."""
    known = counts[:, TRUE] > 0
    return float(f1_of_counts(counts[known]).mean()) if known.any() else 0.0


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.asarray(part / np.maximum(whole, 1))


def event_counts(
    truth: Sequence[Events],
    found: Sequence[Events],
    labels: Sequence[str],
    collar: float = COLLAR,
    offset_share: float | None = OFFSET_SHARE,
) -> np.ndarray:
    """Counts of events: one is right if its label is, and its times are within the collars of a true event's.

    Each true event is found once at most; events are matched so that most are right. Their F1 is that of sed_eval's
    `EventBasedMetrics`, where nothing found has a precision of 0.

    Args:
        truth: of each recording.
        found: of each recording, in the same order.
        labels: that are counted.
        collar: seconds that onset, and offset, may be off.
        offset_share: an offset may be off by this share of the true event's length if that is more; `None` leaves
            offsets out of it.

    Returns:
        (recordings, labels, 3).
    """
    counts = np.zeros((len(truth), len(labels), 3), dtype=np.int64)
    for recording, (true_events, found_events) in enumerate(zip(truth, found, strict=True)):
        for position, label in enumerate(labels):
            true_times, found_times = _times(true_events, label), _times(found_events, label)
            right = _count_matches(true_times, found_times, collar, offset_share)
            counts[recording, position] = right, len(true_times), len(found_times)
    return counts


def segment_counts(
    truth: Sequence[Events],
    found: Sequence[Events],
    labels: Sequence[str],
    seconds: float,
    lengths: Sequence[float],
) -> np.ndarray:
    """Counts of segments of a fixed length, in each of which a label sounds or does not.

    Their F1 is that of sed_eval's `SegmentBasedMetrics`, where nothing found has a precision of 0.

    Args:
        truth: of each recording.
        found: of each recording, in the same order.
        labels: that are counted.
        seconds: length of a segment.
        lengths: of the recordings, in seconds.

    Returns:
        (recordings, labels, 3).
    """
    counts = np.zeros((len(truth), len(labels), 3), dtype=np.int64)
    for recording, (true_events, found_events) in enumerate(zip(truth, found, strict=True)):
        n_segments = math.ceil(lengths[recording] / seconds)
        for position, label in enumerate(labels):
            true_segments = _mark_segments(_times(true_events, label), seconds, n_segments)
            found_segments = _mark_segments(_times(found_events, label), seconds, n_segments)
            both = (true_segments & found_segments).sum()
            counts[recording, position] = both, true_segments.sum(), found_segments.sum()
    return counts


def onset_errors(truth: Sequence[Events], found: Sequence[Events]) -> np.ndarray:
    """How far off onsets are, in seconds: of each true event that overlaps found ones of its label, the nearest.

    Returns:
        (events,) differences, above 0 where a sound is found too late; true events that nothing overlaps are left out.
    """
    errors = []
    for true_events, found_events in zip(truth, found, strict=True):
        for event in true_events:
            onsets = [
                other.onset - event.onset
                for other in found_events
                if other.label == event.label and other.onset < event.offset and event.onset < other.offset
            ]
            if onsets:
                errors.append(min(onsets, key=abs))
    return np.array(errors)


def _times(events: Events, label: str) -> np.ndarray:
    """Onsets and offsets of one label, (events, 2), in the order of onsets."""
    times = sorted((event.onset, event.offset) for event in events if event.label == label)
    return np.array(times, dtype=float).reshape(-1, 2)


def _count_matches(truth: np.ndarray, found: np.ndarray, collar: float, offset_share: float | None) -> int:
    """How many pairs of a true and a found event can be made; both (events, 2), in the order of onsets."""
    if not len(truth) or not len(found):
        return 0
    # A little more than the collar is looked through, so that what the comparison below decides is not cut off.
    first = np.searchsorted(truth[:, 0], found[:, 0] - collar - 1e-6)
    last = np.searchsorted(truth[:, 0], found[:, 0] + collar + 1e-6, side="right")
    n_near = last - first
    ours = np.repeat(np.arange(len(found)), n_near)
    theirs = np.arange(n_near.sum()) - np.repeat(np.cumsum(n_near) - n_near, n_near) + np.repeat(first, n_near)
    hits = np.abs(truth[theirs, 0] - found[ours, 0]) <= collar
    if offset_share is not None:
        allowed = np.maximum(collar, offset_share * (truth[theirs, 1] - truth[theirs, 0]))
        hits &= np.abs(truth[theirs, 1] - found[ours, 1]) <= allowed
    if not hits.any():
        return 0
    pairs = csr_array((np.ones(hits.sum(), dtype=np.int8), (ours[hits], theirs[hits])), shape=(len(found), len(truth)))
    return int((maximum_bipartite_matching(pairs, perm_type="column") >= 0).sum())


def _mark_segments(times: np.ndarray, seconds: float, n_segments: int) -> np.ndarray:
    """Whether anything sounds in each segment: times (events, 2) -> (n_segments,)."""
    marks = np.zeros(n_segments, dtype=bool)
    for onset, offset in times:
        marks[math.floor(onset / seconds) : math.ceil(offset / seconds)] = True
    return marks


class Scenario(NamedTuple):
    """What PSDS asks of detections; the first three are its DTC, GTC and CTTC."""

    detection_tolerance: float
    """A detection is none where less than this share of it is in true events of its label."""
    truth_intersection: float
    """A true event is found if this share of it is in such detections."""
    cross_trigger_tolerance: float = 0.0
    """A false detection is a cross trigger of another label if this share of it is in that label's events."""
    cross_trigger_weight: float = 0.0
    """By which cross triggers count as false detections, beside those that they are."""
    instability_weight: float = 1.0
    """By which the deviation among labels is taken off the mean."""
    max_false_positives: float = 100.0
    """An hour, up to which it counts."""


# The two of DCASE's task 4: quick reaction, and telling labels from one another.
PSDS1 = Scenario(0.7, 0.7)
PSDS2 = Scenario(0.1, 0.1, 0.3, 0.5)


class Changes(NamedTuple):
    """How counts of one label in one recording change as the threshold falls below each score."""

    scores: np.ndarray
    """(changes,)."""
    counts: np.ndarray
    """(changes, 2 + labels): true events found, false detections, and cross triggers of each label."""


@dataclass(frozen=True)
class DetectionCurves:
    """What PSDS is made of, for any choice of recordings.

    Args:
        labels: in the order of the scores.
        changes: of each label, over all recordings, in the order of falling scores.
        recordings: of each label, which recording each change is of.
        n_true: (recordings, labels) true events.
        true_seconds: (recordings, labels) of them.
        lengths: (recordings,) in seconds.
        scenario: what is asked for.
    """

    labels: Sequence[str]
    changes: Sequence[Changes]
    recordings: Sequence[np.ndarray]
    n_true: np.ndarray
    true_seconds: np.ndarray
    lengths: np.ndarray
    scenario: Scenario

    def psds(self, drawn: np.ndarray | None = None) -> float:
        """Polyphonic sound detection score, the area under the curve of events found over false detections an hour.

        Equal to sed_scores_eval's `intersection_based.psds` where every label has an event; labels without one, which
        that counts as never found, are left out. Source: Bilen et al. 2020,
        https://doi.org/10.1109/ICASSP40776.2020.9052995.

        Args:
            drawn: (recordings,) how often each counts, by default once.
        """
        known = self._known(drawn)
        rates = [self._roc(int(label), drawn) for label in np.flatnonzero(known)]
        if not rates:
            return 0.0
        positions = np.unique(np.concatenate([false for _, false in rates]))
        found = np.stack([right[np.searchsorted(false, positions, side="right") - 1] for right, false in rates])
        effective = np.maximum(found.mean(axis=0) - self.scenario.instability_weight * found.std(axis=0), 0.0)
        return self._area(effective, positions)

    def of_label(self, label: int) -> float:
        """The score of one label alone."""
        return self._area(*self._roc(label, None))

    def _known(self, drawn: np.ndarray | None) -> np.ndarray:
        weights = np.ones(len(self.lengths)) if drawn is None else drawn
        return weights @ self.n_true > 0

    def _area(self, right: np.ndarray, false: np.ndarray) -> float:
        most = self.scenario.max_false_positives
        return float((right * np.diff(np.append(false, most))).sum() / most)

    def _roc(self, label: int, drawn: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Share of true events found at each number of false detections an hour, both rising, the latter from 0."""
        weights = np.ones(len(self.lengths)) if drawn is None else drawn
        scores, counts = self.changes[label]
        totals = np.cumsum(counts * weights[self.recordings[label], None], axis=0)
        # Where recordings share a score, its last change is where all have changed.
        last = np.append(scores[1:] != scores[:-1], True) if len(scores) else np.zeros(0, dtype=bool)
        totals = np.concatenate([np.zeros((1, counts.shape[1])), totals[last]])
        right = totals[:, 0] / max(weights @ self.n_true[:, label], 1)
        false = totals[:, 1] / (weights @ self.lengths)
        if self.scenario.cross_trigger_weight:
            others = np.arange(len(self.labels)) != label
            true_seconds = np.maximum(weights @ self.true_seconds, 1e-12)
            if others.any():
                cross = totals[:, 2:][:, others] / true_seconds[others]
                false = false + self.scenario.cross_trigger_weight * cross.mean(axis=1)
        false = false * 3600
        order = np.lexsort([right, false])
        right, false = np.maximum.accumulate(right[order]), false[order]
        kept = np.append(false[1:] != false[:-1], True) & (false <= self.scenario.max_false_positives)
        return right[kept], false[kept]


def detection_curves(
    scores: Sequence[np.ndarray],
    frame_seconds: float,
    truth: Sequence[Events],
    labels: Sequence[str],
    lengths: Sequence[float],
    scenario: Scenario = PSDS1,
) -> DetectionCurves:
    """Judge what would be detected at every threshold.

    A detection at a threshold is a stretch of frames whose scores reach it.

    Args:
        scores: of each recording, (frames, labels).
        frame_seconds: length of a frame; the first one begins at 0.
        truth: of each recording; events of other labels are left out.
        labels: in the order of the scores.
        lengths: of the recordings, in seconds.
        scenario: what is asked for.
    """
    n_true = np.zeros((len(scores), len(labels)), dtype=np.int64)
    true_seconds = np.zeros((len(scores), len(labels)))
    parts: list[list[Changes]] = [[] for _ in labels]
    for recording, (frames, events) in enumerate(zip(scores, truth, strict=True)):
        times = [_times(events, label) for label in labels]
        n_true[recording] = [len(each) for each in times]
        true_seconds[recording] = [float((each[:, 1] - each[:, 0]).sum()) for each in times]
        for label in range(len(labels)):
            parts[label].append(_find_changes(frames[:, label], frame_seconds, label, times, scenario))
    changes, recordings = [], []
    for of_label in parts:
        joined = np.concatenate([part.scores for part in of_label])
        order = np.argsort(-joined, kind="stable")
        changes.append(Changes(joined[order], np.concatenate([part.counts for part in of_label])[order]))
        recordings.append(np.repeat(np.arange(len(of_label)), [len(part.scores) for part in of_label])[order])
    return DetectionCurves(
        labels, changes, recordings, n_true, true_seconds, np.asarray(lengths, dtype=float), scenario
    )


def _find_changes(
    scores: np.ndarray, frame_seconds: float, label: int, times: Sequence[np.ndarray], scenario: Scenario
) -> Changes:
    """How counts of one label change in one recording; times: of each label's true events, (events, 2)."""
    begins, ends, born, gone = _find_stretches(scores)
    onsets, offsets = begins * frame_seconds, ends * frame_seconds
    lengths = offsets - onsets
    inside = np.round(_overlap(times[label], onsets, offsets), _DECIMALS)
    relevant = inside >= np.round(scenario.detection_tolerance * lengths, _DECIMALS)
    false = np.flatnonzero(~relevant)
    found: list[tuple[np.ndarray, np.ndarray, int]] = []  # scores, changes, and of which count
    found += [(born[false], np.ones(len(false)), 1), (gone[false], -np.ones(len(false)), 1)]
    for onset, offset in times[label]:
        at, change = _find_crossings(
            onset, offset, scenario.truth_intersection, (onsets, offsets, born, gone), np.flatnonzero(relevant)
        )
        found.append((at, change, 0))
    if scenario.cross_trigger_weight:
        for other, their_times in enumerate(times):
            if other != label and len(their_times):
                shared = np.round(_overlap(their_times, onsets[false], offsets[false]), _DECIMALS)
                least = np.round(scenario.cross_trigger_tolerance * lengths[false], _DECIMALS)
                cross = false[shared >= least]
                found += [
                    (born[cross], np.ones(len(cross)), 2 + other),
                    (gone[cross], -np.ones(len(cross)), 2 + other),
                ]
    at = np.concatenate([each for each, _, _ in found])
    counts = np.zeros((len(at), 2 + len(times)))
    columns = np.repeat([column for _, _, column in found], [len(each) for each, _, _ in found])
    counts[np.arange(len(at)), columns] = np.concatenate([change for _, change, _ in found])
    real = at > -np.inf
    return Changes(at[real], counts[real])


def _find_stretches(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """All stretches of frames that are detections at some threshold.

    Returns:
        Of each its first frame, the frame after its last, its lowest score, from which on it is one, and the score at
        which it becomes a part of a longer one, -inf for the whole recording.
    """
    values = [*map(float, scores), -math.inf]
    begins: list[int] = []
    ends: list[int] = []
    born: list[float] = []
    gone: list[float] = []
    open_stretches: list[tuple[float, int]] = []  # scores, rising, and where each begins
    for frame, value in enumerate(values):
        begin = frame
        while open_stretches and open_stretches[-1][0] > value:
            score, begin = open_stretches.pop()
            below = open_stretches[-1][0] if open_stretches else -math.inf
            begins.append(begin)
            ends.append(frame)
            born.append(score)
            gone.append(max(below, value))
        if not open_stretches or open_stretches[-1][0] < value:
            open_stretches.append((value, begin))
    return np.array(begins, dtype=np.int64), np.array(ends, dtype=np.int64), np.array(born), np.array(gone)


def _overlap(times: np.ndarray, onsets: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Seconds that stretches share with events, summed over the events: (stretches,)."""
    if not len(times):
        return np.zeros(len(onsets))
    starts, stops = np.sort(times[:, 0]), np.sort(times[:, 1])
    start_sums, stop_sums = (np.concatenate([[0.0], np.cumsum(values)]) for values in (starts, stops))

    def sounded(moments: np.ndarray) -> np.ndarray:
        """Seconds of all events before each moment."""
        begun, ended = np.searchsorted(starts, moments), np.searchsorted(stops, moments)
        return np.asarray((begun - ended) * moments - start_sums[begun] + stop_sums[ended])

    return sounded(offsets) - sounded(onsets)


def _find_crossings(
    onset: float,
    offset: float,
    share: float,
    stretches: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    relevant: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The scores at which a true event is found, and lost again, as the threshold falls.

    stretches: onsets, offsets, and the scores at which they come and go; relevant: indices of those that count.
    """
    onsets, offsets, born, gone = (values[relevant] for values in stretches)
    shared = np.minimum(offsets, offset) - np.maximum(onsets, onset)
    touching = shared > 0
    at = np.concatenate([born[touching], gone[touching]])
    change = np.concatenate([shared[touching], -shared[touching]])
    order = np.argsort(-at, kind="stable")
    at, totals = at[order], np.round(np.cumsum(change[order]), _DECIMALS)
    last = np.append(at[1:] != at[:-1], True) if len(at) else np.zeros(0, dtype=bool)
    at, totals = at[last], totals[last]
    is_found = (totals >= np.round(share * (offset - onset), _DECIMALS)).astype(float)
    change = np.diff(is_found, prepend=0.0)
    return at[change != 0], change[change != 0]
