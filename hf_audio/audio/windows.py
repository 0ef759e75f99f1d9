"""Long waveforms cut into windows; numpy alone."""

from collections.abc import Iterable, Iterator

import numpy as np


def split_windows(waveform: np.ndarray, window: int, overlap: float = 0.0) -> list[np.ndarray]:
    """(samples,) -> windows of `window` samples that cover all; a short clip stays as it is.

    Each hears a share of the one before again, `overlap`, and the last one, which ends with the clip, perhaps more of
    it: none is padded.
    """
    spans = running_windows(len(waveform), window, _step(window, overlap))
    return [waveform[start:end] for start, end in spans]


def _step(window: int, overlap: float) -> int:
    return max(int(window * (1 - overlap)), 1)


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
    """Start and end of what is judged over time of a waveform of `n_samples`: from its beginning on, after every hop.

    All are whole: the last one, which ends with the waveform, may begin less than a hop behind the one before. A
    waveform that is shorter than a window is one.
    """
    last = max(n_samples - window, 0)
    for start in [*range(0, last, hop), last]:
        yield start, min(start + window, n_samples)


def cut_windows(blocks: Iterable[np.ndarray], window: int, overlap: float = 0.0) -> Iterator[tuple[int, np.ndarray]]:
    """A waveform in blocks, (samples,) each -> start and samples of what `split_windows` cuts the whole into."""
    return cut_running(blocks, window, _step(window, overlap))


def cut_running(blocks: Iterable[np.ndarray], window: int, hop: int) -> Iterator[tuple[int, np.ndarray]]:
    """A waveform in blocks, (samples,) each -> start and samples of its `running_windows`."""
    samples = np.zeros(0, dtype=np.float32)
    begin = start = 0  # of what is kept, and of the next window
    for block in blocks:
        samples = np.concatenate([samples, block])
        while begin + len(samples) > start + window:
            yield start, samples[start - begin : start - begin + window]
            start += hop
        # The last window ends with the waveform, and so may begin just behind the one before.
        forgotten = max(start - hop, 0) - begin
        samples, begin = samples[forgotten:].copy(), begin + forgotten
    first = max(len(samples) - window, 0)
    yield begin + first, samples[first:]
