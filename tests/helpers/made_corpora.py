"""Shared by tests of corpora made on the spot: a fresh process to make them in, and how well sounds are told apart."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import hf_audio


def run_in_another_process(code: str, folder: Path) -> None:
    """Python code, for which `folder` is the folder given."""
    # A stand-in for the package itself, whose import would take most of the time.
    setup = """if True:
        import pathlib, sys, types
        package = sys.modules["hf_audio"] = types.ModuleType("hf_audio")
        package.__path__ = [sys.argv[1]]
        folder = pathlib.Path(sys.argv[2])
    """
    parent = Path(hf_audio.__file__).parent
    subprocess.run([sys.executable, "-c", f"{setup}\n{code}", str(parent), str(folder)], check=True)


def log_spectrum(audio: np.ndarray) -> np.ndarray:
    """The power in dB of about 32 bands in each frame of the part that is not digital silence."""
    frames = audio[: np.flatnonzero(audio)[-1] + 1]
    frames = frames[: len(frames) // 1024 * 1024].reshape(-1, 1024) * np.hanning(1024)
    power = np.abs(np.fft.rfft(frames)[:, 1:]) ** 2
    edges = np.unique(np.geomspace(1, 513, 33).astype(int)) - 1
    return 10 * np.log10(np.add.reduceat(power, edges[:-1], axis=1) + 1e-8)


def mean_log_spectrum(audio: np.ndarray) -> np.ndarray:
    """Average it over time, whatever the level."""
    level = log_spectrum(audio).mean(axis=0)
    return level - level.mean()


def find_accuracy(features: np.ndarray, labels: np.ndarray, test: np.ndarray) -> float:
    """Of a linear classifier on the test clips, a mask."""
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    return classifier.fit(features[~test], labels[~test]).score(features[test], labels[test])
