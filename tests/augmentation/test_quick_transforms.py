"""Quick transforms against those of audiomentations, and quick filters against scipy's."""

import audiomentations
import numpy as np
import pytest
from helpers.recordings import tone
from scipy.signal import butter, sosfreqz, welch

from hf_audio.augmentation.amortized import seeded
from hf_audio.augmentation.quick_transforms import QUICK, butterworth, quicken, split_excerpt
from hf_audio.augmentation.transforms import RandomExcerpt

RATE = 8000


@pytest.mark.parametrize(
    ("kind", "edges"), [("lowpass", 700), ("highpass", 90), ("bandpass", (60, 3900)), ("bandstop", (1000, 1100))]
)
def test_filters_are_those_that_scipy_designs(kind, edges):
    for order in (1, 2, 3, 8):
        wanted = sosfreqz(butter(order, edges, kind, fs=RATE, output="sos"))[1]
        made = sosfreqz(butterworth(order, np.atleast_1d(edges), kind, RATE))[1]
        np.testing.assert_allclose(made, wanted, atol=1e-7)


def test_a_quick_transform_gives_what_the_original_gives():
    names = audiomentations
    slow = names.Compose(
        [
            names.OneOf([names.LowPassFilter(p=1, max_rolloff=48), names.HighPassFilter(p=1)], p=0.8),
            names.BandPassFilter(p=0.5),
            names.BandStopFilter(p=0.5),
            names.LowPassFilter(zero_phase=True, p=0.2),
            names.ClippingDistortion(p=0.8),
            names.Gain(p=0.5),
        ]
    )
    quick, clip = quicken(slow), tone(440, 0.5) + np.float32(0.1)
    assert {type(part) for part in quick.transforms} & set(QUICK.values())
    assert not {type(part) for part in slow.transforms} & set(QUICK.values()), "the recipe's own stays"
    for seed in range(30):
        with seeded(seed):
            wanted = slow(samples=clip, sample_rate=RATE)
        with seeded(seed):
            made = quick(samples=clip, sample_rate=RATE)
        assert made.dtype == np.float32
        np.testing.assert_allclose(made, wanted, atol=2e-6)


@pytest.mark.parametrize("decay", [-9.0, 0.0, 3.0])
def test_coloured_noise_has_the_level_and_the_spectrum_of_the_original(decay):
    slow = audiomentations.AddColorNoise(10, 10, decay, decay, p=1)
    clip = tone(440, 2.0)
    spectra = []
    for transform in (slow, quicken(slow)):
        with seeded(1):
            noise = np.concatenate([transform(samples=clip, sample_rate=RATE) - clip for _ in range(16)])
        assert np.mean(noise**2) == pytest.approx(np.mean(clip**2) / 10, rel=0.05)
        spectra.append(10 * np.log10(welch(noise, RATE, nperseg=128)[1][2:-2]))
    assert np.abs(spectra[0] - spectra[1]).mean() < 2.0  # dB: both are drawn


def test_an_excerpt_is_taken_first_where_it_is_the_first():
    excerpt, gain = RandomExcerpt(0.5), audiomentations.Gain(p=1)
    first, rest = split_excerpt(audiomentations.Compose([excerpt, gain]))
    assert first is excerpt and rest.transforms == [gain]
    for whole in (audiomentations.Compose([gain, excerpt]), audiomentations.Compose([excerpt], p=0.5), excerpt, None):
        assert split_excerpt(whole) == (None, whole)
