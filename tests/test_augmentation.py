"""The project's own waveform transform, audiomentations around it, and mixing."""

import numpy as np
import pytest
import torch
from audiomentations import AddGaussianNoise, Compose, PitchShift, TimeStretch
from conftest import RATE, tone
from hypothesis import given
from hypothesis import strategies as st

from hf_audio.augmentation import RandomPlacement, mix
from hf_audio.data import seeded


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
    mixed, soft = mix({"input_values": x, "attention_mask": mask}, targets, alpha=0.4)
    torch.testing.assert_close(mixed["input_values"], soft)
    last = torch.stack([row.nonzero().max() for row in soft])
    torch.testing.assert_close(mixed["attention_mask"].sum(1), last + 1.0)
    torch.testing.assert_close(soft.sum(1), torch.ones(n))
    assert (soft.diagonal() >= 0.5).all() and soft.diagonal().min() < 0.9
    assert len(set(soft.diagonal().tolist())) > n // 2
