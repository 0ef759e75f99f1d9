"""Recipes started as users start them."""

import runpy
import sys

import pytest


@pytest.fixture
def run_script(demo_home, monkeypatch):
    """Runs a recipe as `python RECIPE` does, in this process: what a fresh one adds is seconds of imports."""

    def run(recipe, *flags):
        monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(demo_home))
        monkeypatch.setattr(sys, "argv", [str(recipe), *flags])
        runpy.run_path(str(recipe), run_name="__main__")

    return run
