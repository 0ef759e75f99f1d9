"""Altered copies of test clips."""

import numpy as np
import pytest
from datasets import Dataset

from hf_audio.audio.packing import pack_samples
from hf_audio.augmentation.altered import alter, alterations, choose_clips, telephone, vary

RATE = 16000


def clips(n: int, seconds: float = 0.25) -> Dataset:
    samples = (0.3 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)
    names = list(map(str, range(n)))
    rows = {"path": names, "audio": [pack_samples(samples)] * n, "index": list(range(n)), "label": [0] * n}
    return Dataset.from_dict(rows)


def test_copies_are_the_same_every_time_and_differ_from_clip_to_clip():
    for name in ("noise", "room", "telephone"):
        first, again = (alter(clips(3), RATE, name) for _ in range(2))
        assert first["audio"][:] == again["audio"][:] and first["path"][:] == ["0", "1", "2"]
        # The third one by itself.
        assert alter(clips(3).select([2]), RATE, name)["audio"][0] == first["audio"][2]
        assert len(first["audio"][0]) == len(clips(1)["audio"][0]) and first["audio"][0] != clips(1)["audio"][0]
        assert (name == "telephone") == (first["audio"][0] == first["audio"][1])


def test_too_few_clips_and_too_long_ones_are_left_out():
    assert choose_clips(clips(29), RATE, 1000) is None and choose_clips(clips(30, 60), RATE, 1000) is None
    assert [len(choose_clips(clips(600), RATE, *limits)) for limits in ((1000,), (10**7,), (1000, 50))] == [
        500,
        30,
        50,
    ]
    assert choose_clips(clips(600), RATE, 1000, 50)["index"][:][-1] == 599


def test_noise_lies_ten_decibels_below():
    samples = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    noise = alterations(RATE)["noise"](samples=samples, sample_rate=RATE) - samples
    assert 20 * np.log10(samples.std() / noise.std()) == pytest.approx(10, abs=0.4)


def test_a_telephone_carries_its_band_alone():
    time = np.arange(RATE) / RATE
    low, middle, high = (np.sin(2 * np.pi * hertz * time).astype(np.float32) / 4 for hertz in (60, 1000, 6000))
    heard = telephone(low + middle + high, RATE)
    assert len(heard) == RATE and heard.dtype == np.float32
    spectrum = np.abs(np.fft.rfft(heard)) / len(heard) * 2
    assert spectrum[1000] == pytest.approx(0.25, rel=0.05) and max(spectrum[60], spectrum[6000]) < 0.01
    assert "telephone" not in alterations(4000) and not telephone(np.zeros(0, np.float32), RATE).any()


def test_copies_of_training_clips_are_the_louder_excerpts_altered_in_turn():
    generator = np.random.default_rng(0)
    quiet, loud = generator.standard_normal(3 * 8000) * 1e-3, generator.standard_normal(8000) * 0.3
    clip = pack_samples(np.concatenate([quiet, loud]).astype(np.float32))
    clips = Dataset.from_dict({"audio": [clip] * 3})
    copies = list(vary(clips, 8000, seed=0))
    assert [len(copy) for copy in copies] == [20000] * 3 and all(np.abs(copy).max() <= 1 for copy in copies)
    assert all(np.array_equal(*pair) for pair in zip(copies, vary(clips, 8000, seed=0), strict=True))
    assert [len(copy) for copy in vary(clips, 8000, seed=0, whole=True)] == [32000] * 3
    assert not np.array_equal(next(vary(clips, 8000, seed=1)), copies[0])
