"""The split as published, networks that are as small as they say, and folders that are no spoken digits."""

from pathlib import Path

import numpy as np
import pytest
from helpers.commands import load_recipe

import hf_audio


def test_spoken_digits_splits_as_published(real_digits):
    recipe = load_recipe("spoken_digits")
    dataset = recipe.load_recordings(real_digits)
    assert dataset.features["label"].names == list("0123456789")
    held_out = recipe.hold_out(dataset, None)
    assert (len(held_out), held_out.sum()) == (3000, 300)
    names = [Path(path).stem for path in dataset.select(np.flatnonzero(held_out))["path"]]
    assert {int(name.rsplit("_", 1)[1]) for name in names} == set(range(5))
    held_out = recipe.hold_out(dataset, "theo")
    assert held_out.sum() == 500
    assert all(("_theo_" in path) == out for path, out in zip(dataset["path"], held_out, strict=True))


def test_spoken_digits_presets_are_small():
    recipe = load_recipe("spoken_digits")
    for name, preset in recipe.PRESETS.items():
        config = hf_audio.AudioCNNConfig(**preset, num_labels=10)
        model = hf_audio.AudioCNNForAudioClassification(config)
        assert sum(parameter.numel() for parameter in model.parameters()) <= 100_000, name
        assert (config.clip_samples, config.min_samples) == (18_400, 10_000)


def test_spoken_digits_refuses_other_folders_and_unknown_speakers(tmp_path, real_digits):
    recipe = load_recipe("spoken_digits")
    with pytest.raises(ValueError, match="holds no recordings"):
        recipe.load_recordings(tmp_path)
    with pytest.raises(ValueError, match=r"--held_out_speaker anna: .* george, jackson"):
        recipe.hold_out(recipe.load_recordings(real_digits), "anna")
