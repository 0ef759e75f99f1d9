"""Where in the spectrum sounds lie, and noise does not."""

import numpy as np
import pytest
import soundfile

from hf_audio.data.bands import BORDERS, Spectrum, deep, measure_bands, share_above, spectra, unheard, upper_end


def bands(samples, rate):
    spectrum = Spectrum(rate)
    for power in spectra(np.asarray(samples, dtype=np.float32)):
        spectrum.add(power)
    return spectrum.bands()[None]


def noise(rate, seconds=2.0, slope=0.0, seed=0):
    """Of a power that falls with the frequency to the `slope`."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(int(rate * seconds)))
    spectrum *= np.maximum(np.arange(len(spectrum)) / seconds, 20) ** (-slope / 2)
    samples = np.fft.irfft(spectrum)
    return samples / samples.std()


def calls(hertz, rate, seconds=0.005, every=0.1, level=0.3):
    """Short tones in silence, two seconds of them."""
    samples = np.zeros(2 * rate)
    length = int(seconds * rate)
    for start in np.arange(0.05, 1.9, every):
        first = int(start * rate)
        samples[first : first + length] += np.hanning(length) * np.sin(2 * np.pi * hertz * np.arange(length) / rate)
    return level * samples


def test_the_borders_are_half_of_usual_rates():
    for hertz in (5512.5, 11025, 22050):
        assert np.isclose(BORDERS, hertz).any()


@pytest.mark.parametrize("slope", [0, 1])
@pytest.mark.parametrize("level", [0.3, 0.01])
def test_calls_are_found_in_noise(level, slope):
    found = bands(calls(45000, 256000, level=level) + 0.001 * noise(256000, slope=slope), 256000)
    assert unheard(found, 11025).all() and not unheard(found, 64000).any()
    assert 45000 <= upper_end(found, 0.95)[0] <= 1.3 * 45000


def test_wind_does_not_count_for_how_high_calls_are():
    rate = 256000
    wind = np.convolve(noise(rate, seed=1), np.hanning(4000), mode="same")
    found = bands(calls(45000, rate, level=0.05) + 0.3 * wind / wind.std() + 0.001 * noise(rate), rate)
    assert unheard(found, 11025).all() and upper_end(found, 0.95)[0] < 1000 < 45000 <= upper_end(found, 0.95, 1000)[0]


@pytest.mark.parametrize("rate", [8000, 44100, 192000])
@pytest.mark.parametrize("slope", [0, 1])
def test_noise_alone_is_no_sound(rate, slope):
    found = np.concatenate([bands(noise(rate, 1.0, slope, seed), rate) for seed in range(3)])
    assert not found.any() and not unheard(found, 4000).any() and upper_end(found, 0.95).tolist() == [0] * 3


def test_a_tone_that_lasts_is_a_sound():
    times = np.arange(44100) / 44100
    found = bands(0.3 * np.sin(2 * np.pi * 3000 * times) + 0.003 * noise(44100, 1.0), 44100)
    assert share_above(found, 2000)[0] > 0.99 and share_above(found, 4000)[0] < 0.01
    assert not deep(found).any()


@pytest.mark.parametrize("rate", [1000, 8000, 44100])
def test_rumbles_are_deep(rate):
    times = np.arange(10 * rate) / rate
    rumble = np.exp(-(((times - 5) / 1.5) ** 2)) * np.sin(2 * np.pi * 36 * times)
    found = bands(rumble + 0.003 * noise(rate, 10, 1), rate)
    assert deep(found).all() and not unheard(found, 11025).any() and upper_end(found, 0.95)[0] < 100


def test_files_are_measured_by_all_channels_and_silence_is_nothing(tmp_path):
    one = calls(30000, 96000)
    soundfile.write(tmp_path / "a.wav", np.stack([np.zeros_like(one), one], axis=1), 96000)
    soundfile.write(tmp_path / "b.wav", np.zeros(100), 96000)
    assert unheard(measure_bands(tmp_path / "a.wav")[None], 11025).all()
    assert not measure_bands((tmp_path / "b.wav").read_bytes()).any()
