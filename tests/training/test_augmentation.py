"""The project's own waveform transforms, audiomentations around them, and mixing."""

import shutil

import numpy as np
import pytest
import torch
from audiomentations import AddGaussianNoise, Compose, PitchShift, TimeStretch
from helpers.recordings import RATE, tone
from hypothesis import given
from hypothesis import strategies as st

from hf_audio.audio.loading import open_packed, pack_samples
from hf_audio.models.modeling_audio_cnn import IGNORED
from hf_audio.training.amortized import Amortized, Occasional, seeded
from hf_audio.training.augmentation import (
    AddFastGaussianSNR,
    Beginning,
    RandomExcerpt,
    RandomPlacement,
    SyntheticRoom,
    TelephoneLine,
    mix,
    overlay,
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


def test_mixing_blends_waveforms_and_targets_alike():
    torch.manual_seed(0)
    n = 64
    x = torch.eye(n)  # clip i is 1 at sample i alone, so a mix tells its parts and their weights
    targets = torch.eye(n)
    mask = torch.tril(torch.ones(n, n))  # clip i has i + 1 samples
    weights = torch.linspace(0, 1, n)
    mixed, blended = mix({"input_values": x, "attention_mask": mask}, {"labels": targets, "weights": weights}, 0.4)
    soft = blended["labels"]
    torch.testing.assert_close(blended["weights"], soft @ weights)
    torch.testing.assert_close(mixed["input_values"], soft)
    last = torch.stack([row.nonzero().max() for row in soft])
    torch.testing.assert_close(mixed["attention_mask"].sum(1), last + 1.0)
    torch.testing.assert_close(soft.sum(1), torch.ones(n))
    assert (soft.diagonal() >= 0.5).all() and soft.diagonal().min() < 0.9
    assert len(set(soft.diagonal().tolist())) > n // 2


def test_laid_over_each_other_both_clips_sound_and_what_either_leaves_unknown_stays_so():
    torch.manual_seed(0)
    n = 100
    frames = torch.randint(-1, 2, (n, 7, 2)).float()
    frames[frames < 0] = IGNORED
    tags = torch.randint(0, 2, (n, 3)).float()
    heard, told = overlay({"input_values": torch.eye(n)}, {"labels": tags, "frame_labels": frames})
    levels = []
    for clip, samples in enumerate(heard["input_values"]):
        parts = samples.nonzero().flatten().tolist()  # clip i is 1 at sample i alone
        levels += [20 * samples[part].log10().item() for part in parts if part != clip]
        assert samples[clip] >= 1 and (told["labels"][clip] == tags[parts].amax(0)).all()
        for place, value in np.ndenumerate(told["frame_labels"][clip].numpy()):
            each = [frames[(part, *place)].item() for part in parts]
            assert value == (1 if 1 in each else IGNORED if IGNORED in each else 0)
    assert 15 < len(levels) < 45 and min(levels) >= -15 and max(levels) <= 5 and np.std(levels) > 3


def random_level(samples, sample_rate):
    return samples * np.random.uniform(0.1, 1)


def test_amortised_results_serve_for_their_epochs_and_are_renewed_in_turn(tmp_path):
    amortized = Amortized(random_level, 4, tmp_path / "results")
    clip = open_packed(pack_samples(np.ones(50, dtype=np.float32)))

    def levels(epoch):
        return [round(float(amortized(clip, index, RATE, 7, epoch).unpack()[0]), 4) for index in range(8)]

    epochs = np.array([levels(epoch) for epoch in range(12)])  # (epochs, clips)
    changed = np.diff(epochs, axis=0, prepend=1.0) != 0
    assert (changed.sum(1) == 2).all(), "in every epoch a quarter of the clips is drawn anew"
    for index in range(8):
        assert np.flatnonzero(changed[:, index]).tolist() == list(range(index % 4, 12, 4))
    assert len({*epochs[8:].ravel()}) == 8 + 3 * 2, "no two draws are alike"
    assert len(list((tmp_path / "results").iterdir())) == 8, "old results are deleted"
    # What a resumed run finds missing, it makes again the same.
    shutil.rmtree(amortized.folder)
    assert levels(11) == epochs[11].tolist()


def test_an_amortised_result_costs_one_call(tmp_path):
    calls = []

    def slow(samples, sample_rate):
        calls.append(len(samples))
        return samples

    amortized = Amortized(slow, 10, tmp_path)
    for epoch in range(100):
        for index in range(20):
            amortized(open_packed(bytes(10)), index, RATE, 0, epoch)
    assert len(calls) == 20 * 10
    with pytest.raises(ValueError, match="epochs=0"):
        Amortized(slow, 0, tmp_path)
    every = Amortized(random_level, 1, tmp_path / "none")
    clip = open_packed(pack_samples(np.ones(5, np.float32)))
    assert len({int(every(clip, 0, RATE, 0, epoch).samples[0]) for epoch in range(9)}) == 9
    assert not (tmp_path / "none").exists()


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


def test_of_clips_that_are_not_kept_one_in_so_many_is_changed_in_every_epoch():
    def louder(samples, sample_rate):
        return samples * np.float32(np.random.uniform(2, 3))

    occasional, clip = Occasional(louder, 4), open_packed(pack_samples(np.ones(8, np.float32)))

    def level(index, epoch):
        heard = occasional(clip, index, 8000, 0, epoch)
        return heard[0] if isinstance(heard, np.ndarray) else heard.unpack()[0]

    heard = np.array([[level(index, epoch) for index in range(8)] for epoch in range(8)])
    changed = heard > 1
    assert (changed.sum(axis=1) == 2).all() and (changed.sum(axis=0) == 2).all(), "each in turn"
    assert len(set(heard[changed])) == 16, "drawn anew"
    assert level(3, 3) == heard[3, 3], "by the seed, the clip and the epoch"
