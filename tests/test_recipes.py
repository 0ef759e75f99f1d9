"""Every recipe, found by being there: starts from its demo corpus, takes two steps and leaves a folder that runs."""

import importlib.util
import json
import os
import subprocess
import sys
import sysconfig

import pytest
from conftest import REPOSITORY
from transformers import pipeline

import hf_audio

RECIPES = sorted((REPOSITORY / "recipes").glob("*.py"))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_no_recipe_shadows_the_standard_library(recipe):
    assert recipe.stem not in sys.stdlib_module_names


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_two_steps_on_the_demo_corpus(recipe, tmp_path):
    pytest.importorskip("espeakng_loader")
    out = tmp_path / "out"
    launch = [os.path.join(sysconfig.get_path("scripts"), "accelerate"), "launch"]
    config = ["--config_file", str(REPOSITORY / "accelerate_config.yaml")]
    done = subprocess.run(
        [*launch, *config, str(recipe), "--output_dir", str(out), "--max_steps", "2"],
        env={**os.environ, "HF_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "DEMO corpus" in done.stdout + done.stderr
    assert json.loads((out / "all_results.json").read_text())["eval_samples"] > 0
    assert "demo" in (out / "README.md").read_text().lower()
    clip = next((tmp_path / "hf_audio" / "demo").glob("*/*/*.wav"))
    assert pipeline("audio-classification", model=str(out))(str(clip))


def load_recipe(name: str):
    spec = importlib.util.spec_from_file_location(name, REPOSITORY / "recipes" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def test_spoken_digits_splits_as_published(real_digits):
    recipe = load_recipe("spoken_digits")
    train, test = recipe.load_recordings(real_digits)
    assert (len(train), len(test)) == (2700, 300)
    assert {int(path.rsplit("_", 1)[1][:-4]) for path in test["path"]} == set(range(5))
    assert train.features["label"].names == list("0123456789")
    train, test = recipe.load_recordings(real_digits, "theo")
    assert (len(train), len(test)) == (2500, 500)
    assert set(test["speaker"]) == {"theo"} and "theo" not in train["speaker"][:]


def test_spoken_digits_presets_are_small():
    recipe = load_recipe("spoken_digits")
    for name, preset in recipe.PRESETS.items():
        config = hf_audio.AudioCNNConfig(**preset, num_labels=10)
        model = hf_audio.AudioCNNForAudioClassification(config)
        assert sum(parameter.numel() for parameter in model.parameters()) <= 100_000, name
        assert config.clip_samples == config.min_samples == 18_400


def test_spoken_digits_refuses_other_folders_and_unknown_speakers(tmp_path, real_digits):
    recipe = load_recipe("spoken_digits")
    with pytest.raises(ValueError, match="holds no recordings"):
        recipe.load_recordings(tmp_path)
    with pytest.raises(ValueError, match=r"--held_out_speaker anna: .* george, jackson"):
        recipe.load_recordings(real_digits, "anna")
