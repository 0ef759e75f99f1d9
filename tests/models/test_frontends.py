"""The front-ends against librosa, and what is random in them."""

import itertools

import librosa
import numpy as np
import pytest
import torch
from helpers.checkpoints import tiny_config
from helpers.recordings import RATE, tone

from hf_audio.models.frontends import (
    MFCC,
    FilterAugment,
    LogMel,
    MelSpectrogram,
    MelWarp,
    SpecAugment,
    TimeStretch,
    center,
)

VARIANTS = list(itertools.product(["slaney", "htk"], ["slaney", None], [1.0, 2.0]))


def waveforms() -> np.ndarray:
    noise = np.random.default_rng(1).standard_normal(4000) * 0.1
    return np.stack([tone(440), noise, tone(3000) * np.linspace(0, 1, 4000)]).astype(np.float32)


def librosa_mel(x: np.ndarray, config) -> np.ndarray:
    return librosa.feature.melspectrogram(
        y=x,
        sr=config.sampling_rate,
        n_fft=config.n_fft,
        win_length=config.win_length,
        hop_length=config.hop_length,
        n_mels=config.n_mels,
        fmin=config.f_min,
        fmax=config.f_max,
        power=config.power,
        htk=config.mel_scale == "htk",
        norm=config.mel_norm,
    )


@pytest.mark.parametrize(("scale", "norm", "power"), VARIANTS)
def test_mel_spectrogram_equals_librosa(scale, norm, power):
    config = tiny_config(mel_scale=scale, mel_norm=norm, power=power, f_min=50.0, f_max=3800.0)
    ours = MelSpectrogram(config)(torch.from_numpy(waveforms())).numpy()
    theirs = np.stack([librosa_mel(x, config) for x in waveforms()])
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-6 * theirs.max())


@pytest.mark.parametrize("top_db", [None, 80.0, 30.0])
@pytest.mark.parametrize(("scale", "norm", "power"), VARIANTS)
def test_log_mel_equals_librosa(scale, norm, power, top_db):
    config = tiny_config(mel_scale=scale, mel_norm=norm, power=power, top_db=top_db)
    ours = LogMel(config)(torch.from_numpy(waveforms())).numpy()
    theirs = [
        librosa.power_to_db(librosa_mel(x, config), ref=1.0, amin=config.amin, top_db=top_db) for x in waveforms()
    ]
    np.testing.assert_allclose(ours, np.stack(theirs), atol=2e-3)


@pytest.mark.parametrize("scale", ["slaney", "htk"])
def test_mfcc_equals_librosa(scale):
    config = tiny_config(frontend="mfcc", mel_scale=scale, top_db=80.0)
    ours = MFCC(config)(torch.from_numpy(waveforms())).numpy()
    theirs = []
    for x in waveforms():
        decibels = librosa.power_to_db(librosa_mel(x, config), amin=config.amin)
        theirs.append(librosa.feature.mfcc(S=decibels, n_mfcc=config.n_mfcc))
    np.testing.assert_allclose(ours, np.stack(theirs), atol=5e-3)


def test_odd_window_lengths_are_centred_as_in_librosa():
    config = tiny_config(n_fft=256, win_length=185, hop_length=92)
    ours = MelSpectrogram(config)(torch.from_numpy(waveforms())).numpy()
    theirs = np.stack([librosa_mel(x, config) for x in waveforms()])
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-6 * theirs.max())


def test_top_db_does_not_depend_on_the_padding_around_a_clip():
    config = tiny_config(top_db=20.0)
    clip = torch.from_numpy(waveforms()[:1])
    frames = torch.tensor([1 + clip.shape[1] // config.hop_length])
    padded = torch.nn.functional.pad(clip, (0, 3000))
    alone = LogMel(config)(clip, frames)
    within = LogMel(config)(padded, frames)[..., : alone.shape[-1]]
    torch.testing.assert_close(within, alone)


@pytest.mark.parametrize("frontend", [LogMel, MFCC])
def test_constants_stay_in_float32_through_casts_and_autocast(frontend):
    x = torch.from_numpy(waveforms())
    module = frontend(tiny_config())
    expected = module(x)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(module(x), expected)
    cast = module.to(torch.bfloat16)
    assert {buffer.dtype for buffer in cast.buffers()} == {torch.float32}
    torch.testing.assert_close(cast(x), expected)


@pytest.mark.parametrize("frontend", [LogMel, MFCC])
def test_constants_have_their_values_after_the_device_that_holds_none(frontend):
    x = torch.from_numpy(waveforms())
    expected = frontend(tiny_config())(x)
    module = frontend(tiny_config()).to("meta").to_empty(device="cpu")
    torch.testing.assert_close(module(x), expected)
    with torch.device("meta"):
        module = frontend(tiny_config())
    torch.testing.assert_close(module.to_empty(device="cpu")(x), expected)


def test_centred_features_ignore_loudness_and_the_frames_behind_the_clip():
    config = tiny_config(amin=1e-12)
    x = torch.from_numpy(waveforms()[1:2])
    frames = torch.tensor([1 + x.shape[1] // config.hop_length])
    quiet = LogMel(config)(0.1 * x)
    torch.testing.assert_close(center(LogMel(config)(x), frames), center(quiet, frames), atol=2e-3, rtol=0)
    padded = torch.nn.functional.pad(quiet, (0, 50), value=-120.0)
    torch.testing.assert_close(center(padded, frames)[..., : frames[0]], center(quiet, None))


def test_spec_augment_masks_within_its_bounds_and_only_in_training():
    config = tiny_config(time_mask_count=2, time_mask_frames=7, freq_mask_count=1, freq_mask_bins=4)
    module = SpecAugment(config)
    features = torch.ones(200, 20, 60)
    torch.manual_seed(0)
    out = module.train()(features)
    frames_gone = (out == 0).all(1).sum(1)
    bins_gone = (out == 0).all(2).sum(1)
    assert frames_gone.max() <= 14 and bins_gone.max() <= 4
    assert frames_gone.float().mean() > 4 and len(set(bins_gone.tolist())) == 5
    assert out.unique().tolist() == [0, 1]
    assert torch.equal(module.eval()(features), features)


def test_filter_augment_adds_a_smooth_curve_a_clip_and_only_in_training():
    module = FilterAugment(tiny_config(filter_augment_db=4))
    features = torch.randn(500, 20, 30)
    torch.manual_seed(0)
    curves = module.train()(features) - features  # (batch, mels, frames)
    torch.testing.assert_close(curves, curves[:, :, :1].expand_as(curves), atol=1e-5, rtol=0)
    gains = curves[:, :, 0].numpy()
    knots = np.linspace(0, 19, FilterAugment.KNOTS)
    for curve in gains[:5]:  # linear between its knots: the values there, interpolated, are all of it
        ends = np.interp(knots, np.arange(20), curve)
        between = np.interp(np.arange(20), knots, ends)
        assert np.abs(between - curve).max() < 0.5 * np.abs(np.diff(curve)).max() + 1e-5
    assert gains[:, 0].std() == pytest.approx(4, rel=0.1) and abs(gains.mean()) < 0.3
    assert torch.equal(module.eval()(features), features)


def test_mel_warp_stretches_the_bands_from_the_lowest_on_and_only_in_training():
    module = MelWarp(tiny_config(mel_warp=0.2))
    bands = torch.arange(20.0)[None, :, None].expand(300, 20, 5)  # each band's value is its number
    torch.manual_seed(0)
    warped = module.train()(bands)
    factors = warped[:, 10, 0] / 10
    expected = (torch.arange(20) * factors[:, None]).clamp(max=19)
    torch.testing.assert_close(warped, expected[:, :, None].expand_as(warped), atol=1e-4, rtol=0)
    assert 0.8 <= factors.min() < 0.82 and 1.18 < factors.max() <= 1.2
    assert torch.equal(module.eval()(bands), bands)


def test_time_stretch_keeps_both_ends_of_a_clip_and_only_in_training():
    module = TimeStretch(tiny_config(time_stretch=0.25)).train()
    n_frames = torch.tensor([100, 40, 1]).repeat(100)
    ramp = torch.arange(130.0) / (n_frames[:, None] - 1).clamp(min=1)  # 0 to 1 within the clip
    features = torch.stack([ramp, -ramp], dim=1)  # (batch, 2, frames)
    features[torch.arange(130) >= n_frames[:, None, None].expand(-1, 2, -1)] = torch.nan  # padding
    torch.manual_seed(0)
    stretched, new = module(features, n_frames)
    assert stretched.shape == features.shape
    for row, count in zip(stretched, new.tolist(), strict=True):
        expected = torch.linspace(0, 1, count)
        torch.testing.assert_close(row[:, :count], torch.stack([expected, -expected]), atol=1e-4, rtol=0)
    for frames in (100, 40):
        factors = new[n_frames == frames] / frames
        assert factors.min() < 0.83 and factors.max() > 1.22 and factors.min() > 0.79 and factors.max() < 1.26
    assert factors.log().mean().abs() < 0.03 and (new[n_frames == 1] == 1).all()
    full, new = module(features[::3, :, :100], None)
    assert new.min() < 85 and new.max() == 100 and not full.isnan().any()
    same, unchanged = module.eval()(features, n_frames)
    assert same is features and unchanged is n_frames


def test_frame_count_is_one_more_than_the_hops():
    for samples in (1, 79, 80, 81, 4000):
        features = LogMel(tiny_config(n_fft=256))(torch.zeros(1, samples))
        assert features.shape[-1] == 1 + samples // 80
    assert RATE // 80 == 100
