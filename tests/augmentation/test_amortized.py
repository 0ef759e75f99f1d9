"""Costly transforms, applied now and then."""

import shutil

import numpy as np
import pytest
from helpers.recordings import RATE

from hf_audio.audio.packing import open_packed, pack_samples
from hf_audio.augmentation.amortized import Amortized, Occasional


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
    # What a resumed run finds missing, it makes again the same, and what it finds of a later epoch, too.
    shutil.rmtree(amortized.folder)
    assert levels(11) == epochs[11].tolist()
    assert levels(6) == epochs[6].tolist() and levels(1) == epochs[1].tolist()


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
