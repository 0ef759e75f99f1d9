"""Events as targets of frames, against counting fine steps of time."""

import numpy as np

from hf_audio.data.annotations.frame_targets import UNKNOWN, events_within, frame_targets


def test_targets_are_shares_of_frames():
    events = [[0.05, 0.3, 0], [0.25, 0.45, 0], [0.1, 0.2, 1]]
    targets = frame_targets(events, 6, 0.1, 3)
    fine = np.zeros((600, 3))
    for onset, offset, label in events:
        fine[round(onset * 1000) : round(offset * 1000), label] = 1
    counted = fine.reshape(6, 100, 3).mean(axis=1)
    # A frame that two events of one class share in parts counts the larger part.
    counted[2, 0] = 1
    np.testing.assert_allclose(targets, counted, atol=1e-5)
    assert targets.dtype == np.float32


def test_what_nobody_has_annotated_is_unknown():
    targets = frame_targets([[0.0, 0.1, 0]], 4, 0.1, 2, complete_until=0.2)
    assert (targets == [[1, 0], [0, 0], [UNKNOWN, UNKNOWN], [UNKNOWN, UNKNOWN]]).all()


def test_a_part_of_a_clip_has_its_events():
    events = [[0.0, 1.0, 2], [1.5, 3.0, 1], [4.0, 5.0, 0]]
    assert events_within(events, 0.5, 2.0) == [[0.0, 0.5, 2], [1.0, 1.5, 1]]
