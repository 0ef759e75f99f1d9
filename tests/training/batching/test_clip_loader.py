"""Clips read where they lie, and batches that are made ahead."""

import threading

import numpy as np
import pytest
import torch
from datasets import Dataset, concatenate_datasets
from helpers.recordings import RATE
from torch.utils.data import DataLoader

from hf_audio.audio.packing import pack_samples
from hf_audio.augmentation.transforms import RandomPlacement
from hf_audio.training.batching.batches import ClipTransform, WindowCollator
from hf_audio.training.batching.clip_loader import AheadLoader, ClipRows, quick_rows, run_ahead


@pytest.fixture
def clips() -> Dataset:
    """Twelve of noise, of two tables and in another order; every third so faint that it was made louder."""
    noise = np.random.default_rng(0).normal(0, 0.1, (12, RATE // 2)).astype(np.float32)
    rows = [
        {
            "path": str(row),
            "audio": pack_samples(samples * (1e-3 if row % 3 == 0 else 1)),
            "index": row,
            "label": row % 2,
        }
        for row, samples in enumerate(noise)
    ]
    joined = concatenate_datasets([Dataset.from_list(rows[:5]), Dataset.from_list(rows[5:])])
    return joined.select([11, 0, 3, 1, 2, 7, 8, 9, 4, 10])


def batches(rows, kind=DataLoader, **options) -> list[np.ndarray]:
    loader = kind(rows, batch_size=3, collate_fn=WindowCollator(RATE), **options)
    return [batch["input_values"].numpy() for batch in loader]


def test_rows_are_those_of_the_data_set(clips):
    transform = ClipTransform(RATE, augmentation=RandomPlacement(1.0), seed=3)
    rows = quick_rows(clips.with_transform(transform))
    assert isinstance(rows, ClipRows) and len(rows) == 10 and quick_rows(clips) is clips
    wanted = batches(clips.with_transform(transform))
    for made in (batches(rows), batches(rows, AheadLoader), batches(rows, num_workers=1)):
        for batch, same in zip(wanted, made, strict=True):
            np.testing.assert_array_equal(batch, same)
    np.testing.assert_array_equal(rows[1]["input_values"], clips.with_transform(transform)[1]["input_values"])


def test_one_batch_is_made_ahead_and_no_more(clips):
    made, gone_on = [], threading.Event()

    class Watched(ClipRows):
        def __getitems__(self, rows):
            made.append(threading.current_thread().name)
            if len(made) == 2:
                gone_on.set()
            return super().__getitems__(rows)

    loader = DataLoader(
        Watched(clips.with_transform(ClipTransform(RATE))), batch_size=3, collate_fn=WindowCollator(RATE)
    )
    run_ahead(loader)
    iterator = iter(loader)
    assert not made, "nothing begins before the first batch is asked for"
    next(iterator)
    assert gone_on.wait(10) and len(made) == 2 and all(name.startswith("clips") for name in made)
    del iterator
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("clips")]


def test_what_goes_wrong_in_the_thread_is_raised_where_the_batch_is_asked_for(clips):
    def broken(samples, sample_rate):
        raise OSError("no such noise")

    rows = ClipRows(clips.with_transform(ClipTransform(RATE, augmentation=broken)))
    with pytest.raises(OSError, match="no such noise"):
        batches(rows, AheadLoader)


def test_other_data_sets_keep_their_loader():
    loader = DataLoader([{"input_values": torch.zeros(3)}])
    run_ahead(loader)
    assert type(loader) is DataLoader
