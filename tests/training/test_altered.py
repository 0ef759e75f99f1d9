"""Altered copies of test clips."""

import numpy as np
import pytest
from datasets import Dataset

from hf_audio.audio.loading import pack_samples
from hf_audio.training.altered import alterations, altered_copies, telephone

RATE = 16000


def clips(n: int, seconds: float = 0.25) -> Dataset:
    samples = (0.3 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)
    return Dataset.from_dict({"audio": [pack_samples(samples)] * n, "index": list(range(n)), "label": [0] * n})


def test_copies_are_the_same_every_time_and_differ_from_clip_to_clip():
    first, again = (altered_copies(clips(40), RATE, None, 1000) for _ in range(2))
    assert sorted(first) == ["noise", "room", "telephone"]
    for name, copies in first.items():
        rows = copies[:3]["input_values"]
        np.testing.assert_array_equal(rows[2], again[name][2]["input_values"])
        assert len(rows[0]) == RATE // 4 and (name == "telephone") == np.array_equal(rows[0], rows[1])


def test_too_few_clips_and_too_long_ones_are_left_out():
    assert altered_copies(clips(29), RATE, None, 1000) == {}
    assert altered_copies(clips(30, 60), RATE, None, 1000) == {}
    assert {len(copies) for copies in altered_copies(clips(600), RATE, None, 1000).values()} == {500}
    assert {len(copies) for copies in altered_copies(clips(600), RATE, None, 10**7).values()} == {30}


def test_noise_lies_ten_decibels_below():
    samples = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    noise = alterations(RATE)["noise"](samples=samples, sample_rate=RATE) - samples
    assert 20 * np.log10(samples.std() / noise.std()) == pytest.approx(10, abs=0.1)


def test_a_telephone_carries_its_band_alone():
    time = np.arange(RATE) / RATE
    low, middle, high = (np.sin(2 * np.pi * hertz * time).astype(np.float32) / 4 for hertz in (60, 1000, 6000))
    heard = telephone(low + middle + high, RATE)
    assert len(heard) == RATE and heard.dtype == np.float32
    spectrum = np.abs(np.fft.rfft(heard)) / len(heard) * 2
    assert spectrum[1000] == pytest.approx(0.25, rel=0.05) and max(spectrum[60], spectrum[6000]) < 0.01
    assert "telephone" not in alterations(4000) and not telephone(np.zeros(0, np.float32), RATE).any()
