"""Frame scores to events."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_audio.errors import ArgumentError, CheckpointError
from hf_audio.inference.events import EventFinder, EventRule, SoundEvent, count_events, find_events, fit_event_rule

LABELS = ["low", "high", "none of these"]
FRAME = 0.1


class Annotation(NamedTuple):
    onset: float
    offset: float
    label: str


def line(*runs: tuple[int, int, float], frames: int = 40) -> np.ndarray:
    scores = np.zeros((frames, 1), dtype=np.float32)
    for first, end, score in runs:
        scores[first:end] = score
    return scores


def rounded(events: list[SoundEvent]) -> list[tuple]:
    return sorted((round(e.onset, 6), round(e.offset, 6), e.label, round(e.confidence, 6)) for e in events)


@pytest.mark.parametrize(
    ("runs", "rule", "events"),
    [
        ([(5, 8, 0.6), (8, 10, 0.4)], {"release": 1.0}, [(0.5, 0.8)]),
        ([(3, 5, 0.3), (5, 8, 0.6), (8, 10, 0.3)], {"release": 0.5}, [(0.3, 1.0)]),
        ([(5, 8, 0.4)], {"release": 0.5}, []),  # never reaches the threshold
        ([(0, 3, 0.9), (38, 40, 0.9)], {}, [(0.0, 0.3), (3.8, 4.0)]),
        ([(5, 8, 0.9), (10, 12, 0.8)], {"gap_seconds": 0.2}, [(0.5, 1.2)]),
        ([(5, 8, 0.9), (11, 12, 0.8)], {"gap_seconds": 0.2}, [(0.5, 0.8), (1.1, 1.2)]),
        ([(5, 8, 0.9), (9, 10, 0.3), (11, 12, 0.8)], {"gap_seconds": 0.2}, [(0.5, 0.8), (1.1, 1.2)]),
        ([(5, 6, 0.9), (7, 8, 0.9), (20, 22, 0.9)], {"gap_seconds": 0.1, "min_seconds": 0.3}, [(0.5, 0.8)]),
        ([], {}, []),
    ],
)
def test_events_follow_a_rule(runs, rule, events):
    scores = line(*runs)
    found = find_events(scores, FRAME, ["bird"], EventRule((0.5,), **rule))
    assert [(round(onset, 6), round(offset, 6)) for onset, offset, *_ in found] == events
    for onset, offset, label, confidence in found:
        assert label == "bird"
        assert confidence == scores[round(onset / FRAME) : round(offset / FRAME)].max()


@given(seed=st.integers(0, 10_000), sizes=st.lists(st.integers(0, 30), max_size=12))
def test_events_are_the_same_however_the_scores_come(seed, sizes):
    rng = np.random.default_rng(seed)
    scores = np.repeat(rng.random((30, 3)), rng.integers(1, 5, 30), axis=0).astype(np.float32)
    rule = EventRule((0.6, 0.5, 0.1), 0.7, min_seconds=0.2, gap_seconds=0.2)
    whole = find_events(scores, FRAME, LABELS, rule, start=2.0)
    finder, events = EventFinder(LABELS, rule), []
    ends = np.minimum(np.cumsum(sizes, dtype=int), len(scores)).tolist()
    for first, end in zip([0, *ends], [*ends, len(scores)], strict=True):
        events += finder.push(2.0 + first * FRAME, FRAME, scores[first:end])
    assert rounded(events + finder.flush()) == rounded(whole)
    assert whole == sorted(whole) and {event.label for event in whole} <= {"low", "high"}
    assert finder.flush() == []


def test_an_event_comes_as_soon_as_nothing_can_go_on_with_it_and_none_goes_over_time_left_out():
    finder = EventFinder(["bird"], EventRule((0.5,), gap_seconds=0.3))
    assert finder.push(0.0, FRAME, line((5, 10, 0.9), frames=13)) == []
    assert len(finder.push(1.3, FRAME, line(frames=1))) == 1
    assert finder.push(1.4, FRAME, line((0, 5, 0.9), frames=5)) == []
    assert rounded(finder.push(9.0, FRAME, line((0, 5, 0.9), frames=5))) == [(1.4, 1.9, "bird", 0.9)]
    assert rounded(finder.flush()) == [(9.0, 9.5, "bird", 0.9)]


@pytest.mark.parametrize(
    "values",
    [
        {"thresholds": [0.5, "a"]}, {"thresholds": [0.0]}, {"thresholds": [0.5], "release": 0}, {"release": 0.5},
        {"thresholds": [0.5], "gap_seconds": -1}, {"thresholds": [0.5], "min_seconds": float("nan")},
        {"thresholds": 0.5}, {"thresholds": [0.5], "of_later": 1}, [0.5],
    ],
)  # fmt: skip
def test_what_is_no_rule_is_refused(values):
    with pytest.raises(CheckpointError):
        EventRule.from_dict(values)


def made_recordings(n: int, seed: int) -> list[tuple[np.ndarray, list[Annotation]]]:
    """Scores of a network that hears "high" less well than "low"."""
    rng = np.random.default_rng(seed)
    recordings = []
    for _ in range(n):
        scores, truth = rng.beta(1, 12, (300, 3)), []
        for place in (0, 1):
            first = int(rng.integers(5, 60))
            while (length := int(rng.integers(3, 12))) + first < 300:
                truth.append(Annotation(first * FRAME, (first + length) * FRAME, LABELS[place]))
                scores[first : first + length, place] = rng.beta(6 - 3 * place, 2 + 2 * place, length)
                first += length + int(rng.integers(10, 80))
        recordings.append((scores.astype(np.float32), truth))
    return recordings


def macro_f1(recordings: list[tuple[np.ndarray, list[Annotation]]], rule: EventRule) -> float:
    values = []
    for label in ("low", "high"):
        hits = found = true = 0
        for scores, truth in recordings:
            events = [e[:2] for e in find_events(scores, FRAME, LABELS, rule) if e.label == label]
            spans = [(onset, offset) for onset, offset, name in truth if name == label]
            hits += count_events(np.reshape(spans, (-1, 2)), np.reshape(events, (-1, 2)))[0]
            found, true = found + len(events), true + len(spans)
        values.append(2 * hits / (found + true))
    return float(np.mean(values))


def test_a_rule_fitted_on_some_recordings_does_nearly_as_well_on_others_as_one_fitted_on_these():
    test = made_recordings(15, seed=1)
    fitted = macro_f1(test, fit_event_rule(made_recordings(8, seed=0), LABELS, FRAME))
    best = macro_f1(test, fit_event_rule(test, LABELS, FRAME))
    assert fitted >= 0.95 * best
    assert fitted > macro_f1(test, EventRule.usual(3)) + 0.05


@pytest.mark.parametrize(("objective", "bound"), [("precision", 0.97), ("false_alarms_per_hour", 4)])
def test_a_rule_keeps_a_stated_precision_or_number_of_false_alarms(objective, bound):
    recordings = made_recordings(8, seed=2)
    rule = fit_event_rule(recordings, LABELS, FRAME, (objective, bound))
    right = found = 0
    for scores, truth in recordings:
        for onset, offset, label, _ in find_events(scores, FRAME, LABELS, rule):
            found += 1
            right += any(t.label == label and t.onset < offset and onset < t.offset for t in truth)
    assert found > 20
    if objective == "precision":
        assert right / found >= bound - 0.01
    else:
        assert found - right <= 2 * bound * 8 * 30 / 3600 + 1e-9
    with pytest.raises(ArgumentError):
        fit_event_rule(recordings, LABELS, FRAME, (objective, -1))
    with pytest.raises(ArgumentError, match="no rule"):
        fit_event_rule(recordings, ["cat", "dog", "fox"], FRAME, (objective, bound))
