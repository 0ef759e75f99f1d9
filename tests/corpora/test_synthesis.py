"""What sounds out of formulas are made of."""

import numpy as np
import pytest

from hf_audio.corpora.synthesis import decibels, draw_log, ring, shape_spectrum


def test_levels_and_octaves():
    assert decibels(-20) == pytest.approx(0.1) and decibels(0) == 1
    drawn = np.log2([draw_log(np.random.default_rng(seed), 100, 1600) for seed in range(400)])
    octaves, _ = np.histogram(drawn, bins=np.log2([100, 200, 400, 800, 1600]))
    assert octaves.sum() == 400 and octaves.min() > 70


def test_what_rings_is_a_sum_of_sines_that_fade_away():
    frequencies, decays, gains = [100.0, 330.0, 5000.0], [0.1, 0.05, 1.0], [1.0, 0.5, 9.0]
    time = np.arange(1001) / 8000
    expected = sum(
        gain * np.sin(2 * np.pi * frequency * time) * np.exp(-time / decay)
        for frequency, decay, gain in zip(frequencies[:2], decays, gains, strict=False)
    )
    np.testing.assert_allclose(ring(frequencies, decays, gains, 1001, 8000, highest=4000), expected, atol=1e-12)


def test_a_spectrum_is_shaped_and_what_rings_on_is_cut_off():
    samples, response = np.random.default_rng(0).standard_normal(50), np.array([1.0, 0.5, 0.25])
    shaped = shape_spectrum(samples, np.fft.rfft(response, 64), 64)
    np.testing.assert_allclose(shaped, np.convolve(samples, response)[:50], atol=1e-12)
