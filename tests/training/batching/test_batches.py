"""Rows to batches: draws that repeat, windows, padding and masks."""

import functools
import random

import numpy as np
import pytest
import torch
from datasets import Dataset
from helpers.checkpoints import FRAMES, tiny_config
from helpers.recordings import RATE
from hypothesis import given
from hypothesis import strategies as st

from hf_audio.audio.packing import pack_samples
from hf_audio.augmentation.amortized import Amortized, seed_transforms, seeded
from hf_audio.augmentation.transforms import RandomPlacement
from hf_audio.data.annotations.frame_targets import UNKNOWN
from hf_audio.data.cache import cache_audio
from hf_audio.data.rows import BELIEVED_COLUMN, COMPLETE_COLUMN, EVENTS_COLUMN, UNVERIFIED_COLUMN, load_class_folders
from hf_audio.errors import DataError
from hf_audio.training.batching.batches import BalancedSampler, ClipTransform, WindowCollator


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
    assert batch["input_values"].shape == (3 + 2, 100)
    assert batch["window_counts"].tolist() == [3, 1, 1]
    assert batch["labels"].tolist() == [1, 1, 1]
    assert batch["attention_mask"].sum(-1).tolist() == [100] * 3 + [40, 100]
    assert next(iter(batch)) == "labels"


@pytest.fixture
def long_clips() -> Dataset:
    """Twelve of noise, longer than what is cropped from them."""
    noise = np.random.default_rng(0).integers(-9, 9, (12, 60_000), dtype="<i2")
    return Dataset.from_dict({"audio": [row.tobytes() for row in noise], "index": range(12), "label": [0] * 12})


def cropped(dataset, transform, rows=None) -> list[np.ndarray]:
    """The batches of three that some rows make, by default all."""
    loader = torch.utils.data.DataLoader(
        dataset.with_transform(transform), batch_size=3, sampler=rows, collate_fn=WindowCollator(60_000)
    )
    batches = list(loader)
    assert all("attention_mask" not in batch for batch in batches), "clips of one batch differ in length"
    return [batch["input_values"].numpy() for batch in batches]


def test_every_batch_draws_a_length_of_its_own(long_clips):
    low, high = 4000, 50_000
    transform = ClipTransform(RATE, clip_samples=(low, high), seed=3)
    lengths = []
    for epoch in range(30):
        transform.set_epoch(epoch)
        lengths.append([batch.shape[1] for batch in cropped(long_clips, transform)])
    lengths = np.array(lengths)  # (epochs, batches)
    assert low <= lengths.min() < low + 8192 and lengths.max() == high
    assert all(len(set(column)) > 3 for column in lengths.T) and sum(len(set(row)) > 1 for row in lengths) > 25
    # Uniform over the six lengths that are asked for.
    assert abs(lengths.mean() - (high + high - 5 * 8192) / 2) < 4 * 8192 * np.sqrt(35 / 12 / lengths.size)


def test_lengths_and_places_follow_from_seed_epoch_and_rows_alone(long_clips):
    draw = functools.partial(ClipTransform, RATE, clip_samples=(4000, 50_000))
    first, again, other = draw(seed=3), draw(seed=3), draw(seed=4)
    np.random.seed(5)
    expected = cropped(long_clips, first)
    np.random.seed(6)
    backwards = cropped(long_clips, again, [9, 10, 11, 6, 7, 8, 3, 4, 5, 0, 1, 2])[::-1]
    for batch, same in zip(expected, backwards, strict=True):
        np.testing.assert_array_equal(batch, same)
    assert [batch.shape for batch in cropped(long_clips, other)] != [batch.shape for batch in expected]


def test_shorter_clips_stay_whole_beside_cropped_ones():
    transform = ClipTransform(RATE, clip_samples=(500, 500))
    audio = [np.ones(n, "<i2").tobytes() for n in (300, 900)]
    batch = transform({"audio": audio, "index": [0, 1], "label": [0, 1]})
    assert [len(waveform) for waveform in batch["input_values"]] == [300, 500]


def test_tags_become_a_row_of_ones_and_zeros_and_unverified_clips_weigh_less():
    rows = {"audio": [np.ones(50, "<i2").tobytes()] * 3, "index": [0, 1, 2], "label": [[2], [], [0, 1]]}
    rows[UNVERIFIED_COLUMN] = [False, True, False]
    batch = ClipTransform(RATE, n_tags=3, unverified_weight=0.25)(rows)
    np.testing.assert_array_equal(batch["labels"], [[0, 0, 1], [0, 0, 0], [1, 1, 0]])
    assert batch["weights"] == [1, 0.25, 1]
    collated = WindowCollator(20)([{key: value[row] for key, value in batch.items()} for row in range(3)])
    assert next(iter(collated)) == "labels" and collated["labels"].dtype == torch.float32
    torch.testing.assert_close(collated["weights"], torch.tensor([1, 0.25, 1]))
    assert collated["window_counts"].tolist() == [3, 3, 3]


def test_what_is_believed_is_trained_on_in_the_place_of_labels():
    rows = {"audio": [np.ones(50, "<i2").tobytes()] * 2, "index": [0, 1], "label": [0, 2]}
    rows[BELIEVED_COLUMN] = [[1, 0, 0], [0, 0.25, 0.75]]
    batch = ClipTransform(RATE)(rows)
    labels = WindowCollator(None)([{key: value[row] for key, value in batch.items()} for row in range(2)])["labels"]
    assert labels.dtype == torch.float32 and labels.tolist() == rows[BELIEVED_COLUMN]


@pytest.mark.parametrize("weight", [1.0, 0.5])
def test_nothing_weighs_where_every_clip_weighs_the_same(weight):
    rows = {"audio": [np.ones(50, "<i2").tobytes()], "index": [0], "label": [0]}
    if weight == 1:
        rows[UNVERIFIED_COLUMN] = [True]
    assert "weights" not in ClipTransform(RATE, unverified_weight=weight)(rows)


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


@given(st.lists(st.integers(0, 3), min_size=1, max_size=50), st.integers(0, 9))
def test_classes_come_equally_often_and_no_row_is_left_out(labels, epoch):
    sampler = BalancedSampler(np.array(labels), seed=3)
    sampler.set_epoch(epoch)
    rows = list(sampler)
    assert len(rows) == len(sampler) and set(rows) == set(range(len(labels)))
    drawn = np.bincount(np.array(labels)[rows])
    assert len(set(drawn[drawn > 0])) == 1
    for label in set(labels):
        times = [rows.count(row) for row in range(len(labels)) if labels[row] == label]
        assert max(times) - min(times) <= 1
    assert rows == list(sampler)


def test_every_epoch_has_an_order_of_its_own():
    sampler = BalancedSampler(np.array([0] * 20 + [1] * 5), seed=3)
    first = list(sampler)
    sampler.set_epoch(1)
    assert list(sampler) != first


def test_what_sounds_goes_along_with_what_a_part_is_cropped_to():
    samples = np.zeros(4 * RATE, dtype=np.float32)
    samples[2 * RATE : 3 * RATE] = 0.5  # the second event
    rows = {
        "audio": [pack_samples(samples)] * 8,
        "index": list(range(8)),
        "label": [[0, 1]] * 8,
        EVENTS_COLUMN: [[[0.0, 0.5, 0], [2.0, 3.0, 1]]] * 8,
        COMPLETE_COLUMN: [3.5] * 8,
    }
    config = tiny_config(**FRAMES, num_labels=2, clip_seconds=4.0)
    transform = ClipTransform(RATE, clip_samples=(2 * RATE, 2 * RATE), n_tags=2, seed=1)

    made = transform(rows)
    crops = [dict(zip(made, row, strict=True)) for row in zip(*made.values(), strict=True)]
    batch = WindowCollator(4 * RATE, frames=config)(crops)

    assert batch["frame_targets"].shape == (8, config.count_frames(2 * RATE), 2)
    moments = (np.arange(batch["frame_targets"].shape[1]) + 0.5) * config.frame_seconds
    for crop, labels in zip(crops, batch["frame_targets"].numpy(), strict=True):
        sounding = np.flatnonzero(crop["input_values"] > 0.4) / RATE
        assert crop["labels"][1] == (len(sounding) > 0.5 * RATE) or 0.2 < len(sounding) / RATE < 0.8
        inside = (moments > sounding.min(initial=9)) & (moments < sounding.max(initial=-9))
        known = labels[:, 1] != UNKNOWN
        assert (labels[inside, 1] > 0.4).all()
        assert labels[~inside & known, 1].max(initial=0) < 0.6
        assert known.sum() >= 0.7 * len(known)
    plain = ClipTransform(RATE, n_tags=2)(rows)
    assert plain["labels"][0].tolist() == [1, 1] and plain[EVENTS_COLUMN][0] == rows[EVENTS_COLUMN][0]
