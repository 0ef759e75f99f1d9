"""Every recipe, found by being there: starts from its demo corpus, takes two steps and leaves a folder that runs."""

import json
import logging
import os
import subprocess
import sys
import sysconfig

import pytest
from helpers.recordings import REPOSITORY
from transformers import pipeline

RECIPES = sorted((REPOSITORY / "recipes").glob("*.py"))


LAUNCHED = "own_sounds"  # by accelerate, which checks what two steps do
# In further tests, of these recipes alone or of the command.
TRAINED = (LAUNCHED, "esc50", "spoken_digits", "spoken_numbers", "voice_gender")


FEW = ("--max_train_samples", "60", "--max_eval_samples", "20", "--per_device_train_batch_size", "8")


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_no_recipe_shadows_the_standard_library(recipe):
    assert recipe.stem not in sys.stdlib_module_names


def check_demo_run(out, cache):
    assert json.loads((out / "all_results.json").read_text())["eval_samples"] > 0
    assert "demo" in (out / "README.md").read_text().lower()
    clip = next((cache / "hf_audio" / "demo").glob("*/*/*.wav"))
    assert pipeline("audio-classification", model=str(out))(str(clip))


@pytest.mark.slow
@pytest.mark.parametrize(
    "recipe",
    [pytest.param(path, marks=[pytest.mark.exhaustive] * (path.stem in TRAINED), id=path.stem) for path in RECIPES],
)
def test_two_steps_on_the_demo_corpus(recipe, run_script, demo_home, tmp_path, caplog):
    pytest.importorskip("espeakng_loader")
    with caplog.at_level(logging.INFO):
        run_script(recipe, "--output_dir", str(tmp_path / "out"), "--max_steps", "2", *FEW)
    assert "DEMO corpus" in caplog.text
    check_demo_run(tmp_path / "out", demo_home)


@pytest.mark.slow
def test_accelerate_launches_a_recipe(tmp_path, demo_home):
    pytest.importorskip("espeakng_loader")
    recipe = str(REPOSITORY / "recipes" / f"{LAUNCHED}.py")
    launch = [os.path.join(sysconfig.get_path("scripts"), "accelerate"), "launch"]
    config = ["--config_file", str(REPOSITORY / "accelerate_config.yaml")]
    done = subprocess.run(
        [*launch, *config, recipe, "--output_dir", str(tmp_path / "out"), "--max_steps", "2", *FEW],
        env={**os.environ, "HF_HOME": str(demo_home)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "DEMO corpus" in done.stdout + done.stderr
    check_demo_run(tmp_path / "out", demo_home)
