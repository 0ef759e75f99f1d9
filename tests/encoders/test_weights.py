"""Weights of packages under the names of our networks."""

import zipfile

import pytest
import torch
from helpers.wheels import random_encoder, write_wheel

from hf_audio.encoders.weights import READERS


@pytest.mark.parametrize("name", READERS)
def test_every_weight_comes_to_its_place(name, tmp_path, monkeypatch):
    with zipfile.ZipFile(write_wheel(tmp_path, name, monkeypatch)) as wheel:
        found = READERS[name](wheel)
    expected = random_encoder(name).state_dict()
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, atol=0, rtol=0)
