"""The project's own waveform transforms, and audiomentations around them."""

import numpy as np
import pytest
from audiomentations import AddGaussianNoise, Compose, PitchShift, TimeStretch
from helpers.recordings import RATE, tone
from hypothesis import given
from hypothesis import strategies as st

from hf_audio.augmentation.amortized import seeded
from hf_audio.augmentation.transforms import (
    AddFastGaussianSNR,
    Beginning,
    RandomExcerpt,
    RandomPlacement,
    SyntheticRoom,
    TelephoneLine,
    vary_background,
)


@given(samples=st.integers(1, 300), seed=st.integers(0, 1000))
def test_placement_keeps_the_clip_or_an_excerpt_whole(samples, seed):
    clip = np.arange(1, samples + 1, dtype=np.float32)
    with seeded(seed):
        placed = RandomPlacement(duration=0.0125)(samples=clip, sample_rate=RATE)  # 100 samples
    assert placed.shape == (100,) and placed.dtype == np.float32
    kept = placed[placed > 0]
    assert len(kept) == min(samples, 100) and np.all(np.diff(kept) == 1)
    assert np.all(np.diff(np.flatnonzero(placed)) == 1)


def test_every_place_is_reached():
    clip = np.ones(98, dtype=np.float32)
    starts = set()
    for seed in range(60):
        with seeded(seed):
            starts.add(int(np.flatnonzero(RandomPlacement(duration=0.0125)(samples=clip, sample_rate=RATE))[0]))
    assert starts == {0, 1, 2}


def test_placement_refuses_a_canvas_of_no_length():
    with pytest.raises(ValueError, match="duration=0"):
        RandomPlacement(duration=0)


@given(samples=st.integers(1, 500), zeros=st.integers(0, 300), seed=st.integers(0, 1000))
def test_excerpts_are_of_one_length_and_hold_what_sounds(samples, zeros, seed):
    clip = np.concatenate([np.arange(1, samples + 1), np.zeros(zeros)]).astype(np.float32)
    with seeded(seed):
        excerpt = RandomExcerpt(duration=0.0125)(samples=clip, sample_rate=RATE)  # 100 samples
    assert excerpt.shape == (100,) and excerpt.dtype == np.float32
    sounding = excerpt[excerpt > 0]
    assert np.all(np.diff(sounding) == 1)
    assert len(sounding) >= min(samples, 100 - 50 - 12) - 12


def test_excerpts_reach_both_ends_of_a_clip():
    clip = np.arange(1, 301, dtype=np.float32)
    seen = set()
    for seed in range(300):
        with seeded(seed):
            seen |= {*RandomExcerpt(duration=0.0125)(samples=clip, sample_rate=RATE)}
    assert {1.0, 150.0, 300.0} <= seen


@given(samples=st.integers(1, 300), seed=st.integers(0, 1000))
def test_a_beginning_starts_in_the_first_eighth(samples, seed):
    clip = np.arange(samples, dtype=np.float32)
    with seeded(seed):
        taken = Beginning(duration=0.0125)(samples=clip, sample_rate=RATE)  # 100 samples
    start = int(taken[0])
    assert start <= min(samples, 100) // 8
    np.testing.assert_array_equal(taken, clip[start : start + 100])


@pytest.mark.parametrize("snr_db", [0, 30])
def test_noise_is_normal_and_as_loud_as_asked(snr_db):
    clip = tone(440, 2.0)
    transform = AddFastGaussianSNR(snr_db, snr_db, p=1.0)
    with seeded(1):
        noise = transform(samples=clip, sample_rate=RATE) - clip
    assert noise.dtype == np.float32
    measured = 10 * np.log10(np.mean(clip**2) / np.mean(noise**2))
    assert measured == pytest.approx(snr_db, abs=0.3)
    assert abs(np.mean(np.abs(noise) < noise.std()) - 0.683) < 0.02
    with seeded(1):
        assert np.array_equal(transform(samples=clip, sample_rate=RATE) - clip, noise)
    assert not np.array_equal(transform(samples=clip, sample_rate=RATE) - clip, noise)


def test_a_room_keeps_loudness_and_length_and_decays_as_asked():
    impulse = np.zeros(RATE, dtype=np.float32)
    impulse[0] = 1
    with seeded(3):
        heard = SyntheticRoom(0.5, 0.5, 0.0, 0.0, p=1)(samples=impulse, sample_rate=RATE)
    assert heard.shape == impulse.shape and heard.dtype == np.float32
    assert np.sum(heard**2) == pytest.approx(1, rel=1e-3)
    assert np.sum(heard[1:] ** 2) == pytest.approx(heard[0] ** 2, rel=1e-3)  # 0 dB between the sound and its echoes
    early, late = (np.mean(heard[start : start + 800] ** 2) for start in (1, 1 + RATE // 4))
    assert 10 * np.log10(early / late) == pytest.approx(30, abs=2)  # half of 60 dB in half of the time
    with pytest.raises(ValueError, match="min_decay_seconds=0"):
        SyntheticRoom(0, 1)
    with pytest.raises(ValueError, match="min_direct_db=3"):
        SyntheticRoom(min_direct_db=3, max_direct_db=2)


def test_a_telephone_line_keeps_half_the_band_the_length_and_about_the_loudness():
    time = np.arange(16001) / 16000
    low, high = (0.2 * np.sin(2 * np.pi * hertz * time).astype(np.float32) for hertz in (1000, 5000))
    for codec in TelephoneLine.CODECS:
        line = TelephoneLine(p=1)
        line.CODECS = (codec,)
        heard = line(samples=low, sample_rate=16000)
        assert heard.shape == low.shape and heard.dtype == np.float32
        assert np.std(heard) == pytest.approx(np.std(low), rel=0.2), codec
        assert np.std(line(samples=low + high, sample_rate=16000) - heard) < 0.5 * np.std(high), codec
    assert np.abs(TelephoneLine(p=1)(samples=np.zeros(100, np.float32), sample_rate=16000)).max() < 1e-6
    with pytest.raises(ValueError, match="max_high_hz=4000"):
        TelephoneLine(max_high_hz=4000)


def test_excerpts_refuse_no_length():
    with pytest.raises(ValueError, match="duration=0"):
        RandomExcerpt(duration=0)


def test_the_digits_augmentation_fills_its_canvas_with_noise_too():
    chain = Compose(
        [
            PitchShift(-4, 4, p=1),
            TimeStretch(0.8, 1.25, leave_length_unchanged=False, p=1),
            RandomPlacement(2.3),
            AddGaussianNoise(0.01, 0.01, p=1),
        ]
    )
    with seeded(0):
        out = chain(samples=tone(440, 0.4), sample_rate=RATE)
    assert out.shape == (18400,) and (out == 0).mean() < 0.01
    quiet = np.sort(np.abs(out).reshape(-1, 400).std(1))[:10]
    assert quiet.mean() == pytest.approx(0.006, rel=0.3)  # the spread of |noise| of 0.01


def test_a_varied_background_is_the_same_sound_at_another_speed_or_backwards():
    waveform = tone(1000, 1.0)
    with seeded(3):
        varied = [vary_background(waveform) for _ in range(40)]
    lengths = np.array([len(clip) for clip in varied]) / len(waveform)
    assert 0.5 <= lengths.min() < 0.7 and 1.4 < lengths.max() <= 2.0
    for clip, length in zip(varied, lengths, strict=True):
        peak = np.abs(np.fft.rfft(clip)).argmax() * RATE / len(clip)
        assert peak == pytest.approx(1000 / length, rel=0.02)
    rising = [clip[0] < clip[-1] for clip in (vary_background(np.linspace(-1, 1, 500)) for _ in range(40))]
    assert 5 < sum(rising) < 35
