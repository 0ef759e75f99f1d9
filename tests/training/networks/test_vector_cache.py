"""Vectors that are computed once: kept, found again, shared by runs, and lost by no kill."""

import os
import time

import datasets
import numpy as np
import pytest
import torch
from torch import nn

from hf_audio.training.networks.vector_cache import VectorCache, file_key, fingerprint, samples_key


@pytest.fixture
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    return tmp_path / "hf_audio" / "kind"


def test_vectors_are_found_again_in_any_order(cache_folder):
    cache = VectorCache("kind", 3)
    rows = np.arange(12, dtype=np.float32).reshape(4, 3)
    keys = [samples_key(row) for row in rows]
    assert keys[0] not in cache
    cache.add(keys[:1], rows[:1])
    cache.add(keys[1:3], rows[1:3])
    other = VectorCache("kind", 3)  # another run, which adds to the same ones
    other.add(keys[3:], rows[3:])
    np.testing.assert_array_equal(cache.read([keys[2], keys[0]]), rows[[2, 0]])
    assert keys[3] not in cache and all(key in VectorCache("kind", 3) for key in keys)
    np.testing.assert_array_equal(VectorCache("kind", 3).read(keys[::-1]), rows[::-1])
    assert VectorCache("kind", 3).read([]).shape == (0, 3)


def test_a_row_that_a_kill_cut_off_is_not_there(cache_folder):
    cache = VectorCache("kind", 2)
    cache.add(["a", "b"], np.ones((2, 2)))
    (file,) = cache_folder.iterdir()
    file.write_bytes(file.read_bytes()[:-3])
    again = VectorCache("kind", 2)
    assert "a" in again and "b" not in again
    again.add(["b"], np.full((1, 2), 5.0))
    np.testing.assert_array_equal(VectorCache("kind", 2).read(["a", "b"]), [[1, 1], [5, 5]])


def test_other_weights_other_words_and_changed_files_have_other_keys(tmp_path):
    layer = nn.Linear(2, 2)
    before = fingerprint(layer, "a")
    assert before == fingerprint(layer.state_dict(), "a") != fingerprint(layer, "b")
    with torch.no_grad():
        layer.bias[0] += 1e-6
    assert fingerprint(layer, "a") != before
    file = tmp_path / "clip.wav"
    file.write_bytes(b"sound")
    key = file_key(str(file))
    os.utime(file, (time.time(), 1))
    assert file_key(str(file)) != key
