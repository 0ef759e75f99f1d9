"""What sounds in every frame of a clip, for networks that tell when."""

from collections.abc import Sequence

import numpy as np

UNKNOWN = -100.0  # of a frame of which nobody has said what sounds in it; it counts for nothing


def frame_targets(
    events: Sequence[Sequence[float]],
    n_frames: int,
    frame_seconds: float,
    n_labels: int,
    complete_until: float | None = None,
) -> np.ndarray:
    """Events to the share of each frame in which each class sounds, (frames, classes) float32.

    Args:
        events: onset and offset in seconds from the beginning, and the class.
        n_frames: of the clip.
        frame_seconds: of each, one behind the other.
        n_labels: how many classes there are.
        complete_until: frames that begin at this second or later, and in which nothing sounds, are `UNKNOWN`; by
            default, none are.
    """
    targets = np.zeros((n_frames, n_labels), dtype=np.float32)
    starts = np.arange(n_frames) * frame_seconds
    for onset, offset, label in events:
        covered = np.minimum(starts + frame_seconds, offset) - np.maximum(starts, onset)
        share = np.clip(covered / frame_seconds, 0, 1).astype(np.float32)
        targets[:, int(label)] = np.maximum(targets[:, int(label)], share)
    if complete_until is not None:
        targets[(starts >= complete_until) & ~targets.any(axis=1)] = UNKNOWN
    return targets


def events_within(events: Sequence[Sequence[float]], start: float, end: float) -> list[list[float]]:
    """The events of a part of a clip, from `start` to `end` in seconds, from the part's beginning on."""
    return [
        [max(onset - start, 0.0), min(offset, end) - start, label]
        for onset, offset, label in events
        if min(offset, end) > max(onset, start)
    ]
