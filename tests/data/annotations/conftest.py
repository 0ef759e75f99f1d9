"""Recordings to annotate."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.annotations import RATE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three recordings of 20 s."""
    for name in ("a", "b", "c"):
        soundfile.write(tmp_path / f"{name}.wav", np.random.default_rng(0).standard_normal(20 * RATE) / 10, RATE)
    return tmp_path
