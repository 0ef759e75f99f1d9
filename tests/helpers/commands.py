"""Recipes started as users start them."""

import importlib.util
import subprocess
import sys

import pytest

from helpers import tones as tones_recipe
from helpers.recordings import REPOSITORY
from hf_audio.training.start import run_recipe


def command(tones, out, *flags, launcher=(), recipe="tones.py"):
    common = ["--data_dir", str(tones), "--output_dir", str(out), "--bf16", "false", "--seed", "1"]
    return [sys.executable, *launcher, str(REPOSITORY / "tests" / "helpers" / recipe), *common, *flags]


def run(environment, *arguments, **keywords):
    done = subprocess.run(
        command(*arguments, **keywords), env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    return done.returncode, done.stdout + done.stderr


def load_recipe(name: str):
    """The module of `recipes/<name>.py`."""
    spec = importlib.util.spec_from_file_location(name, REPOSITORY / "recipes" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


TWO_PROCESSES = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]


def refused(tones, out, *flags, capsys) -> str:
    """The sentence a recipe ends with, without starting a process for it."""
    with pytest.raises(SystemExit) as stop, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", command(tones, out, *flags)[1:])
        run_recipe(tones_recipe.make_task, tones_recipe.TonesArguments)
    printed = capsys.readouterr().err
    assert stop.value.code == 2
    (sentence,) = [line for line in printed.splitlines() if line.startswith("error: ")]
    return sentence
