"""Rows to batches: draws that repeat, windows, padding and masks."""

import random

import numpy as np
import pytest
import torch
from conftest import RATE

from hf_audio.augmentation import Amortized, RandomPlacement, seed_transforms, seeded
from hf_audio.batches import ClipTransform, WindowCollator
from hf_audio.data import (
    DataError,
    cache_audio,
    load_class_folders,
)


def drawn(dataset, transform, workers=0) -> np.ndarray:
    loader = torch.utils.data.DataLoader(
        dataset.with_transform(transform),
        batch_size=7,
        num_workers=workers,
        collate_fn=WindowCollator(RATE),
        persistent_workers=workers > 0,
    )
    return torch.cat([batch["input_values"] for batch in loader]).numpy()


def test_draws_differ_between_epochs_and_clips_but_not_between_numbers_of_workers(tone_folder):
    dataset, _ = cache_audio(load_class_folders(tone_folder), RATE)
    transform = ClipTransform(RATE, augmentation=RandomPlacement(1.0), clip_samples=RATE, seed=3)
    first = drawn(dataset, transform)
    assert np.array_equal(first, drawn(dataset, transform, workers=2))
    transform.set_epoch(1)
    second = drawn(dataset, transform, workers=2)
    assert first.shape == second.shape and not any(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    transform.set_epoch(0)
    assert np.array_equal(first, drawn(dataset, transform))
    other = ClipTransform(RATE, augmentation=RandomPlacement(1.0), clip_samples=RATE, seed=4)
    assert not np.array_equal(first, drawn(dataset, other))


def test_living_workers_hear_of_a_new_epoch(tone_folder):
    dataset, _ = cache_audio(load_class_folders(tone_folder), RATE)
    transform = ClipTransform(RATE, augmentation=RandomPlacement(1.0), clip_samples=RATE)
    loader = torch.utils.data.DataLoader(
        dataset.with_transform(transform),
        batch_size=36,
        num_workers=1,
        persistent_workers=True,
        collate_fn=WindowCollator(RATE),
    )
    epochs = []
    for epoch in range(2):
        transform.set_epoch(epoch)
        epochs.append(next(iter(loader))["input_values"].numpy())
        transform.set_epoch(epoch)
        assert np.array_equal(epochs[-1], drawn(dataset, transform))
    assert not np.array_equal(*epochs)


def test_seeding_leaves_the_global_generators_alone():
    random.seed(1)
    np.random.seed(1)
    expected = random.random(), np.random.rand()
    random.seed(1)
    np.random.seed(1)
    with seeded(5, 6):
        inside = random.random(), np.random.rand()
    assert (random.random(), np.random.rand()) == expected
    with seeded(5, 6):
        assert (random.random(), np.random.rand()) == inside
    with seeded():
        seed_transforms(5, 6)
        assert (random.random(), np.random.rand()) == inside


def test_long_clips_are_cropped_in_training_and_split_in_evaluation():
    transform = ClipTransform(RATE, clip_samples=100)
    samples = (np.arange(250) * 10).astype("<i2").tobytes()
    batch = transform({"audio": [samples], "index": [0], "label": [1]})
    assert len(batch["input_values"][0]) == 100 and batch["labels"] == [1]
    rows = [{"input_values": np.full(n, n, np.float32), "labels": n % 3} for n in (250, 40, 100)]
    batch = WindowCollator(100)(rows)
    assert batch["input_values"].shape == (4 + 2, 100)
    assert batch["window_counts"].tolist() == [4, 1, 1]
    assert batch["labels"].tolist() == [1, 1, 1]
    assert batch["attention_mask"].sum(-1).tolist() == [100] * 4 + [40, 100]
    assert next(iter(batch)) == "labels"


def test_an_augmentation_that_makes_nan_is_named():
    transform = ClipTransform(RATE, augmentation=lambda samples, sample_rate: samples * np.nan)
    with pytest.raises(DataError, match="turned clip 4 into NaN"):
        transform({"audio": [np.ones(10, "<i2").tobytes()], "index": [4], "label": [0]})


def test_whole_clips_are_padded_to_one_of_a_few_lengths():
    rows = [{"input_values": np.ones(n, dtype=np.float32), "labels": 0} for n in (9000, 20000)]
    batch = WindowCollator(None)(rows)
    assert batch["input_values"].shape == (2, 24576) and batch["attention_mask"].sum(1).tolist() == [9000, 20000]
    assert (batch["input_values"].sum(1) == torch.tensor([9000, 20000])).all()
    alone = WindowCollator(None)(rows[:1])  # with a mask, though all of its lengths are equal
    assert alone["input_values"].shape == (1, 16384) and alone["attention_mask"].sum() == 9000


def test_full_batches_have_no_mask_and_no_counts():
    batch = WindowCollator(100)([{"input_values": np.zeros(60, np.float32), "labels": [0.0, 1.0]}] * 2)
    assert set(batch) == {"labels", "input_values"} and batch["labels"].shape == (2, 2)


def test_amortised_and_fresh_augmentation_follow_each_other(tmp_path):
    amortized = Amortized(lambda samples, sample_rate: samples / 2, 1, tmp_path)
    transform = ClipTransform(RATE, amortized=amortized, augmentation=lambda samples, sample_rate: samples + 1)
    batch = transform({"audio": [np.full(4, 32767, "<i2").tobytes()], "index": [0], "label": [0]})
    np.testing.assert_allclose(batch["input_values"][0], np.full(4, 1.5), atol=1e-4)


def test_shifted_crops_replace_windows():
    rows = [{"input_values": np.full(n, 1, np.float32), "labels": 0} for n in (250, 100, 40)]
    batch = WindowCollator(100, crops=3)(rows)
    assert batch["input_values"].shape == (9, 100) and batch["window_counts"].tolist() == [3, 3, 3]
    assert "attention_mask" not in batch
