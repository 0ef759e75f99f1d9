"""Peaks and landmarks: the same however the samples come, shared by copies, and by nothing else."""

import functools

import numpy as np
import pytest
import soxr
from helpers.scenes import SCENE_RATE, scene
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_audio.inspection import fingerprints
from hf_audio.inspection.fingerprints import (
    FRAMES_PER_SECOND,
    HOP,
    LOWEST_BIN,
    RATE,
    WINDOW,
    find_matches,
    take_fingerprint,
)


@functools.cache
def at_16k(seed: int, seconds: float = 3.0) -> np.ndarray:
    return soxr.resample(scene(seed, seconds), SCENE_RATE, RATE)


@settings(max_examples=6, deadline=None)
@given(cuts=st.lists(st.integers(0, 3 * RATE), max_size=6), frames=st.sampled_from([700, 1000, 4096]))
def test_blocks_of_any_size_give_the_same_peaks(cuts, frames):
    samples = at_16k(1, 12.0)
    whole = take_fingerprint([samples])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fingerprints, "FRAMES_AT_ONCE", frames)
        parts = take_fingerprint(np.split(samples, sorted(cuts)))
    np.testing.assert_array_equal(parts.peaks.frames, whole.peaks.frames)
    np.testing.assert_array_equal(parts.peaks.bins, whole.peaks.bins)
    np.testing.assert_array_equal(parts.outstanding.numbers(), whole.outstanding.numbers())
    assert parts.n_frames == whole.n_frames == (len(samples) - WINDOW) // HOP + 1


def test_a_beep_is_a_peak_at_its_time_and_pitch():
    samples = np.zeros(2 * RATE, np.float32)
    t = np.arange(round(0.1 * RATE)) / RATE
    samples[RATE : RATE + len(t)] = 0.5 * np.sin(2 * np.pi * 1000 * t) * np.hanning(len(t))
    peaks = take_fingerprint([samples]).peaks
    # The window that is centred on the beep holds it 32 ms after its own beginning.
    assert abs(peaks.frames[0] / FRAMES_PER_SECOND - (1.05 - 0.032)) < 0.01
    assert peaks.bins[0] == round(1000 / RATE * WINDOW) - LOWEST_BIN


def test_silence_and_stubs_have_no_peaks():
    for samples in (np.zeros(RATE), np.zeros(3), np.full(RATE, 1e-6)):
        peaks = take_fingerprint([samples.astype(np.float32)])
        assert len(peaks.peaks) == len(peaks.outstanding) == 0 and peaks.n_frames >= 1
    silent = take_fingerprint([np.zeros(RATE, np.float32)])
    assert find_matches([silent] * 30) == []


def test_a_shifted_copy_matches_at_its_shift_and_nothing_else_does():
    sounds = [at_16k(seed) for seed in range(25)]
    copy = 0.3 * sounds[7][round(0.613 * RATE) :]
    match, *others = find_matches([take_fingerprint([samples]) for samples in [*sounds, copy]])
    assert {(other.first, other.second) for other in others} <= {(7, 25)}
    assert (match.first, match.second) == (7, 25)
    assert match.shift == pytest.approx(-0.613, abs=0.016)
    assert match.n_votes > 50 and match.share > 0.6


def test_thinned_landmarks_still_find_copies(monkeypatch):
    monkeypatch.setattr(fingerprints, "MOST_LANDMARKS", 20_000)
    monkeypatch.setattr(fingerprints, "LANDMARKS_AT_ONCE", 1500)
    sounds = [at_16k(seed) for seed in range(25)]
    copies = [0.5 * sounds[seed] for seed in (3, 20)]
    matches = find_matches([take_fingerprint([samples]) for samples in [*sounds, *copies]])
    assert {(match.first, match.second) for match in matches} == {(3, 25), (20, 26)}


def test_a_glide_crosses_frequencies_when_its_pitch_is_there():
    t = np.arange(2 * RATE) / RATE
    samples = (0.3 * np.sin(2 * np.pi * (1000 * t + 250 * t**2))).astype(np.float32)  # 1000 to 2000 Hz
    found = take_fingerprint([samples]).outstanding
    pitch = (found.bins.astype(float) + LOWEST_BIN) * RATE / WINDOW
    times = (found.frames * HOP + WINDOW / 2) / RATE
    assert len(found) > 50
    assert np.abs(pitch - (1000 + 500 * times)).max() < 10


def test_no_recordings_match_nothing():
    assert find_matches([]) == []
