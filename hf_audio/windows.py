"""Long waveforms cut into windows; numpy alone."""

from collections.abc import Iterator

import numpy as np


def split_windows(waveform: np.ndarray, window: int) -> list[np.ndarray]:
    """(samples,) -> windows of `window` samples that overlap by half and cover all; a short clip stays as it is.

    The last window ends with the clip, so that none is padded and the end counts like the rest.
    """
    if len(waveform) <= window:
        return [waveform]
    last = len(waveform) - window
    starts = [*range(0, last, max(window // 2, 1)), last]
    return [waveform[start : start + window] for start in starts]


def shifted_crops(waveform: np.ndarray, window: int, n: int) -> list[np.ndarray]:
    """(samples,) -> n crops of `window` samples, evenly spaced from a quarter of one before the clip to as much after.

    What a crop holds of before and after the clip is zeros.
    """
    margin = window // 4
    shortfall = max(window - len(waveform), 0)  # a short clip stands in the middle, as the models put it
    padded = np.pad(waveform, (margin + shortfall // 2, margin + shortfall - shortfall // 2))
    starts = np.linspace(0, len(padded) - window, n + 2).round().astype(int)[1:-1]
    return [padded[start : start + window] for start in starts]


def running_windows(n_samples: int, window: int, hop: int) -> Iterator[tuple[int, int]]:
    """Start and end of what is judged while a waveform of `n_samples` is heard: after every hop, the last window.

    At the beginning, windows are shorter; the last one ends with the waveform, whose end may be no whole hop.
    """
    for end in [*range(hop, n_samples, hop), n_samples]:
        yield max(end - window, 0), end
