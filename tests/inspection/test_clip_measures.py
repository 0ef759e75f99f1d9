"""What is measured of a recording, against what was put into it."""

import math
import tracemalloc

import numpy as np
import pytest
import soundfile
import soxr
from helpers.recordings import RATE, tone
from helpers.scenes import SCENE_RATE, scene
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_audio.audio import recording
from hf_audio.inspection.clip_measures import ClipMeasures, measure_clip


def measured(path, samples, rate=SCENE_RATE, **options) -> ClipMeasures:
    soundfile.write(path, samples, rate, **options)
    clip = measure_clip(str(path))
    assert isinstance(clip, ClipMeasures)
    return clip


def test_header_and_levels(tmp_path):
    t = np.arange(2 * 8000) / 8000
    samples = np.stack([0.5 * np.sin(2 * np.pi * 440 * t), 0.5 * np.sin(2 * np.pi * 440 * t) + 0.05], axis=1)
    clip = measured(tmp_path / "a.flac", samples, 8000)
    assert (clip.rate, clip.channels, clip.format, clip.seconds) == (8000, 2, "FLAC PCM_16", 2.0)
    assert clip.peak == pytest.approx(20 * math.log10(0.55), abs=0.01)
    assert clip.level == pytest.approx(
        10 * math.log10((0.5**2 + 0.05**2 / 1) / 2 - 0.05**2 / 2 + 0.05**2 / 2), abs=0.1
    )
    assert clip.offset == pytest.approx(0.05, abs=1e-3)
    assert not clip.is_silent and clip.n_clipped == 0


def test_clipping_is_counted_in_runs(tmp_path):
    samples = 0.5 * scene(1)
    for start, length in ((100, 2), (500, 5), (900, 12), (2000, 1)):
        samples[start : start + length] = 1 if start != 500 else -1
    assert measured(tmp_path / "a.wav", samples).n_clipped == 17
    loud = np.clip(scene(1) * 20, -1, 1)
    assert measured(tmp_path / "b.mp3", loud).n_clipped > 1000


def test_a_loud_sine_is_not_clipped(tmp_path):
    t = np.arange(44100) / 44100
    assert measured(tmp_path / "a.wav", np.sin(2 * np.pi * 100 * t), 44100).n_clipped == 0


def test_silent_ends_and_silence(tmp_path):
    samples = np.concatenate([np.zeros(SCENE_RATE), np.full(SCENE_RATE // 2, 0.1), np.full(2 * SCENE_RATE, 5e-4)])
    clip = measured(tmp_path / "a.wav", samples)
    assert (clip.silent_start, clip.silent_end) == (1.0, 2.0)
    faint = measured(tmp_path / "b.wav", scene(2) * 1e-3)
    assert faint.is_silent and faint.silent_start + faint.silent_end >= faint.seconds
    assert measured(tmp_path / "c.wav", np.zeros(10)).is_silent


@pytest.mark.parametrize(("low", "high"), [(8000, 44100), (16000, 48000), (8000, 16000)])
def test_a_band_that_a_lower_rate_has_cut(low, high, tmp_path):
    samples = soxr.resample(scene(3, rate=low) + 0.01 * np.random.default_rng(0).standard_normal(3 * low), low, high)
    clip = measured(tmp_path / "a.wav", samples, high)
    assert clip.ends_sharply and clip.bandwidth == pytest.approx(low / 2, rel=0.1)


def test_an_open_band_ends_nowhere(tmp_path):
    noise = np.random.default_rng(0).standard_normal(3 * 44100)
    rumble = np.cumsum(noise)
    rumble -= soxr.resample(soxr.resample(rumble, 44100, 100), 100, 44100)[: len(rumble)]
    for name, samples in {"white": noise, "rumble": rumble, "scene": scene(4, rate=44100)}.items():
        clip = measured(tmp_path / f"{name}.wav", 0.3 * samples / np.abs(samples).max(), 44100)
        assert not clip.ends_sharply, name


@settings(max_examples=20, deadline=None)
@given(size=st.integers(2100, 90_000), block=st.sampled_from([1 << 11, 5000, 1 << 14]))
def test_blocks_do_not_matter(size, block, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp()
    samples = scene(9)[:size] if size <= 3 * SCENE_RATE else scene(9, 5.0)[:size]
    samples = np.clip(4 * samples, -1, 1)
    whole = measured(folder / "blocks.wav", samples)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recording, "BLOCK_FRAMES", block)
        parts = measure_clip(str(folder / "blocks.wav"))
    for name in ("digest", "seconds", "peak", "silent_start", "silent_end"):
        assert getattr(parts, name) == getattr(whole, name)
    assert parts.level == pytest.approx(whole.level) and parts.offset == pytest.approx(whole.offset)


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "is empty (0 bytes)"), (b"no sound at all", "is not audio"), (None, "cannot be read")],
)
def test_what_cannot_be_read_is_told(content, says, tmp_path):
    path = tmp_path / "a.wav"
    if content is not None:
        path.write_bytes(content)
    assert says in measure_clip(str(path))


def test_cut_off_empty_and_broken_samples_are_told(tmp_path):
    soundfile.write(tmp_path / "a.wav", scene(1), SCENE_RATE)
    (tmp_path / "cut.wav").write_bytes((tmp_path / "a.wav").read_bytes()[:50_000])
    soundfile.write(tmp_path / "none.wav", np.zeros(0), SCENE_RATE)
    soundfile.write(tmp_path / "nan.wav", np.array([0.1, np.nan]), SCENE_RATE, subtype="FLOAT")
    assert "is cut off" in measure_clip(str(tmp_path / "cut.wav"))
    assert "contains no samples" in measure_clip(str(tmp_path / "none.wav"))
    assert "NaN" in measure_clip(str(tmp_path / "nan.wav"))


def test_memory_does_not_grow_with_length(tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "BLOCK_FRAMES", 1 << 15)
    minute = scene(6, 60.0, 8000)
    peaks = []
    for minutes in (1, 4):
        soundfile.write(tmp_path / "long.wav", np.tile(minute, minutes), 8000)
        tracemalloc.start()
        assert isinstance(measure_clip(str(tmp_path / "long.wav")), ClipMeasures)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 2**20, "three minutes more, which at 16 kHz are 11 MB"


def test_channels_that_cancel_each_other_or_are_dead(tmp_path):
    sound = tone(300, 1.0)
    pairs = {"opposed": (sound, -sound), "dead": (sound, 0 * sound), "both": (sound, sound)}
    measures = {}
    for name, pair in pairs.items():
        soundfile.write(tmp_path / f"{name}.wav", np.stack(pair, 1), RATE)
        measures[name] = measure_clip(str(tmp_path / f"{name}.wav"))
    assert [measures[name].is_opposed for name in pairs] == [True, False, False]
    assert [measures[name].dead_channels for name in pairs] == [(), (2,), ()]
    peaks = [measures[name].fingerprint.peaks for name in pairs]  # of one channel, as training and use hear it
    for other in peaks[1:]:
        np.testing.assert_array_equal(peaks[0].bins, other.bins)


def test_floats_beyond_full_scale_and_faint_ones(tmp_path):
    sound = tone(300, 1.0)
    for name, factor in (("loud", 5000.0), ("plain", 1.0), ("faint", 1e-8)):
        soundfile.write(tmp_path / f"{name}.wav", sound * factor, RATE, subtype="FLOAT")
    loud, plain, faint = (measure_clip(str(tmp_path / f"{name}.wav")) for name in ("loud", "plain", "faint"))
    assert loud.full_scale == pytest.approx(5000 * np.abs(sound).max()) and loud.peak == pytest.approx(0, abs=1e-4)
    assert loud.n_clipped == 0 and (plain.full_scale, faint.full_scale) == (1, 1)
    assert faint.peak == pytest.approx(plain.peak - 160, abs=0.1) and faint.is_silent
