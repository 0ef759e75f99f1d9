"""Figures of found events against sed_eval's and sed_scores_eval's, and against their definitions spelt out."""

from collections import namedtuple
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_audio.runs.metrics.sound_events import (
    PSDS1,
    Scenario,
    detection_curves,
    event_counts,
    f1_of_counts,
    macro_f1,
    micro_f1,
    onset_errors,
    segment_counts,
)

Event = namedtuple("Event", "onset offset label")
LABELS = ("cat", "dog", "owl")
FRAME_SECONDS = 0.1


def draw_scene(seed: int, n_recordings: int = 4, seconds: float = 10.0):
    """Events of recordings, and scores that follow them with noise: whole tenths in the last recording, ties."""
    random = np.random.default_rng(seed)
    n_frames = round(seconds / FRAME_SECONDS)
    truth, scores = [], []
    for recording in range(n_recordings):
        events, frames = [], random.normal(0, 0.8, (n_frames, len(LABELS)))
        for label, name in enumerate(LABELS):
            start = random.uniform(0, 2)
            while start < seconds - 1:
                event = Event(round(start, 3), round(min(start + random.uniform(0.2, 2.5), seconds), 3), name)
                events.append(event)
                frames[round(event.onset / FRAME_SECONDS) : round(event.offset / FRAME_SECONDS), label] += 1.5
                start = event.offset + random.uniform(0.5, 4)
        frames = 1 / (1 + np.exp(1 - 2 * frames))
        truth.append(events)
        scores.append(np.round(frames, 1) if recording == n_recordings - 1 else frames)
    return truth, scores


def detect(scores, threshold: float) -> list[Event]:
    """Stretches of frames above a threshold."""
    found = []
    for label, name in enumerate(LABELS):
        above = np.flatnonzero(np.diff(np.r_[0, scores[:, label] > threshold, 0]))
        found += [Event(float(a * FRAME_SECONDS), float(b * FRAME_SECONDS), name) for a, b in above.reshape(-1, 2)]
    return found


SEED = 7
# By sed_eval 0.2.1, with empty_system_output_handling="zero_score", and sed_scores_eval 0.0.4, on draw_scene(7) and
# what is above 0.5 of it: micro and macro F1 of events and of segments, and PSDS.
SED_EVAL_EVENTS = {
    (0.2, 0.5): (0.11864406779661017, 0.11944444444444446),
    (0.5, 0.2): (0.1610169491525424, 0.16153846153846155),
    (0.2, None): (0.2627118644067797, 0.26324786324786326),
}
SED_EVAL_SEGMENTS = {1.0: (0.77720207253886, 0.7740573152337858), 0.25: (0.7430555555555556, 0.7380744445937554)}
SED_SCORES_EVAL = {
    PSDS1._replace(max_false_positives=3000): 0.2769592670465447,
    Scenario(0.5, 0.5, 0.3, 0.5, max_false_positives=3000): 0.4014694720325856,
    Scenario(0.5, 0.5, instability_weight=0, max_false_positives=3000): 0.7167424242424242,
}


@pytest.mark.parametrize("collars", SED_EVAL_EVENTS)
def test_f1_of_events_is_that_of_sed_eval(collars):
    truth, scores = draw_scene(SEED)
    counts = event_counts(truth, [detect(each, 0.5) for each in scores], LABELS, *collars).sum(axis=0)
    assert (micro_f1(counts), macro_f1(counts)) == pytest.approx(SED_EVAL_EVENTS[collars], abs=1e-12)


@pytest.mark.parametrize("seconds", SED_EVAL_SEGMENTS)
def test_f1_of_segments_is_that_of_sed_eval(seconds):
    truth, scores = draw_scene(SEED)
    found = [detect(each, 0.5) for each in scores]
    counts = segment_counts(truth, found, LABELS, seconds, [10.0] * len(truth)).sum(axis=0)
    assert (micro_f1(counts), macro_f1(counts)) == pytest.approx(SED_EVAL_SEGMENTS[seconds], abs=1e-12)


@pytest.mark.parametrize("scenario", SED_SCORES_EVAL)
def test_psds_is_that_of_sed_scores_eval(scenario):
    truth, scores = draw_scene(SEED)
    curves = detection_curves(scores, FRAME_SECONDS, truth, LABELS, [10.0] * len(truth), scenario)
    assert curves.psds() == pytest.approx(SED_SCORES_EVAL[scenario], abs=1e-9)


def psds_by_definition(scores, truth, scenario: Scenario) -> float:
    """One label, no weights: every threshold tried, events and detections compared one by one."""
    hours = sum(map(len, scores)) * FRAME_SECONDS / 3600
    n_true, points = sum(map(len, truth)), [(0.0, 0.0)]
    for threshold in np.unique(np.concatenate(scores)):
        n_right = n_false = 0
        for frames, events in zip(scores, truth, strict=True):
            detections = [(each.onset, each.offset) for each in detect(frames, threshold - 1e-9)]
            shared = np.array(
                [[max(min(b, e.offset) - max(a, e.onset), 0) for e in events] for a, b in detections]
            ).reshape(len(detections), len(events))
            lengths = np.array([b - a for a, b in detections])
            relevant = shared.sum(axis=1) >= scenario.detection_tolerance * lengths - 1e-7
            n_false += int((~relevant).sum())
            found = shared[relevant].sum(axis=0)
            n_right += sum(
                part >= scenario.truth_intersection * (e.offset - e.onset) - 1e-7
                for part, e in zip(found, events, strict=True)
            )
        points.append((n_false / hours, n_right / n_true))
    most, area = scenario.max_false_positives, 0.0
    steps = sorted({false for false, _ in points if false <= most} | {most})
    for low, high in pairwise(steps):
        area += (high - low) * max(right for false, right in points if false <= low)
    return area / most


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 999))
def test_psds_follows_its_definition(seed):
    truth, scores = draw_scene(seed, n_recordings=2, seconds=4.0)
    cats = [[event for event in events if event.label == "cat"] for events in truth]
    only = [np.round(each[:, :1], 2) for each in scores]
    if not any(cats):
        return
    scenario = Scenario(0.6, 0.4, instability_weight=0.0, max_false_positives=2000.0)
    alone = [np.concatenate([each, np.full((len(each), 2), -np.inf)], axis=1) for each in only]
    by_definition = psds_by_definition(alone, cats, scenario)
    curves = detection_curves(only, FRAME_SECONDS, cats, ["cat"], [4.0, 4.0], scenario)
    assert curves.psds() == pytest.approx(by_definition, abs=1e-9)


def test_drawing_recordings_twice_is_as_having_them_twice():
    truth, scores = draw_scene(SEED)
    curves = detection_curves(scores, FRAME_SECONDS, truth, LABELS, [10.0] * 4)
    drawn = [0, 0, 2, 3, 3]
    again = detection_curves([scores[k] for k in drawn], FRAME_SECONDS, [truth[k] for k in drawn], LABELS, [10.0] * 5)
    assert curves.psds(np.bincount(drawn, minlength=4)) == pytest.approx(again.psds(), abs=1e-12)


def test_events_are_matched_so_that_most_are_right():
    """The first found event fits both true ones, the second only the first: greedily, one would be left over."""
    truth = [[Event(1.0, 2.0, "cat"), Event(1.3, 2.0, "cat")]]
    found = [[Event(1.15, 2.0, "cat"), Event(0.9, 2.0, "cat")]]
    assert event_counts(truth, found, ["cat"]).tolist() == [[[2, 2, 2]]]


def test_nothing_found_nothing_true_and_other_labels():
    assert macro_f1(event_counts([[]], [[]], ["cat"]).sum(axis=0)) == 0.0
    counts = event_counts([[Event(0, 1, "cat")], []], [[], [Event(0, 1, "dog")]], ["cat", "dog"]).sum(axis=0)
    assert f1_of_counts(counts).tolist() == [0, 0] and micro_f1(counts) == 0.0
    assert detection_curves([np.zeros((10, 1))], 0.1, [[]], ["cat"], [1.0]).psds() == 0.0
    flat = [np.full((10, 1), 0.5)]  # one detection, the whole recording
    curves = detection_curves(flat, 0.1, [[Event(0.0, 1.0, "cat")]], ["cat"], [1.0])
    assert curves.psds() == pytest.approx(1.0)


def test_onsets_are_late_or_early_by_the_nearest_event_that_overlaps():
    truth = [[Event(1.0, 2.0, "cat"), Event(5.0, 6.0, "cat"), Event(8.0, 9.0, "dog")]]
    found = [[Event(0.9, 1.2, "cat"), Event(1.5, 1.8, "cat"), Event(5.25, 6.0, "cat"), Event(8.0, 9.0, "cat")]]
    assert onset_errors(truth, found) == pytest.approx([-0.1, 0.25])
