"""Windows of long waveforms."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_audio.audio.windows import cut_running, cut_windows, running_windows, shifted_crops, split_windows

overlaps = st.sampled_from([0.0, 0.25, 0.5, 0.9])


@given(samples=st.integers(1, 500), window=st.integers(1, 120), overlap=overlaps)
def test_windows_cover_everything_and_are_whole(samples, window, overlap):
    waveform = np.arange(samples)
    windows = split_windows(waveform, window, overlap)
    assert {int(i) for part in windows for i in part} == set(range(samples))
    assert all(len(part) == min(window, samples) for part in windows)
    starts = [int(part[0]) for part in windows]
    assert starts == sorted(set(starts))
    step = max(math.floor(window * (1 - overlap)), 1)
    assert len(windows) == 1 + math.ceil(max(samples - window, 0) / step)
    assert all(after - before == step for before, after in itertools.pairwise(starts[:-1]))


@given(samples=st.integers(1, 400), n=st.integers(1, 9))
def test_shifted_crops_are_even_and_hold_the_clip_or_zeros(samples, n):
    clip = np.arange(1, samples + 1, dtype=np.float32)
    crops = shifted_crops(clip, 100, n)
    assert len(crops) == n and {len(crop) for crop in crops} == {100}
    starts = []
    for crop in crops:
        inside = np.flatnonzero(crop)
        assert np.all(np.diff(crop[inside]) == 1) and np.all(np.diff(inside) == 1)
        starts.append(crop[inside[0]] - 1 - inside[0])
    assert np.ptp(np.diff(starts)) <= 1 if n > 1 else True
    if samples >= 100:
        assert starts[0] > -25 and starts[-1] < samples - 75
    if n == 1:
        assert starts[0] == pytest.approx((samples - 100) / 2, abs=1)


@given(samples=st.integers(1, 500), window=st.integers(1, 120), hop=st.integers(1, 200))
def test_running_windows_are_whole_begin_after_every_hop_and_end_with_the_waveform(samples, window, hop):
    windows = list(running_windows(samples, window, hop))
    starts = [start for start, _ in windows]
    assert starts == sorted({*range(0, samples - window + 1, hop), max(samples - window, 0)})
    assert all(end - start == min(window, samples) for start, end in windows)


blocks_of_samples = st.lists(st.integers(0, 150), max_size=8)


def in_blocks(samples: int, sizes: list[int]) -> list[np.ndarray]:
    ends = np.minimum(np.cumsum(sizes, dtype=int), samples)
    return np.split(np.arange(samples, dtype=np.float32), ends)


@given(samples=st.integers(1, 500), window=st.integers(1, 120), overlap=overlaps, sizes=blocks_of_samples)
def test_windows_are_the_same_however_a_waveform_comes(samples, window, overlap, sizes):
    whole = split_windows(np.arange(samples, dtype=np.float32), window, overlap)
    cut = list(cut_windows(in_blocks(samples, sizes), window, overlap))
    assert [start for start, _ in cut] == [int(part[0]) for part in whole]
    assert [part.tolist() for _, part in cut] == [part.tolist() for part in whole]


@given(samples=st.integers(1, 500), window=st.integers(1, 120), hop=st.integers(1, 200), sizes=blocks_of_samples)
def test_running_windows_are_the_same_however_a_waveform_comes(samples, window, hop, sizes):
    cut = list(cut_running(in_blocks(samples, sizes), window, hop))
    spans = list(running_windows(samples, window, hop))
    assert [part.tolist() for _, part in cut] == [list(range(start, end)) for start, end in spans]
    assert [start for start, _ in cut] == [start for start, _ in spans]
