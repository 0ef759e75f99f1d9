"""How high a voice is, and what a network makes of it."""

from pathlib import Path

import librosa
import numpy as np

from .audio import AudioError, load_audio
from .plots import plot_pitch_scores
from .reports import TwoClassPredictions

PITCH_NAME = "pitch_scores.png"
LOWEST, HIGHEST = 60, 400  # Hz, of adults
RATE = 8000  # Hz, more than enough for that
FRAME = 512  # samples, 64 ms, every 32 ms
HEARD_SECONDS = 3
CLIPS_SHOWN = 120  # a dozen seconds of computing


def median_pitch(waveform: np.ndarray, sampling_rate: int) -> float:
    """The median over voiced frames of the fundamental frequency, in Hz; NaN where nothing is voiced.

    waveform: (samples,). By librosa's pYIN. Source: Mauch and Dixon 2014, https://doi.org/10.1109/ICASSP.2014.6853678.
    """
    pitches, voiced, _ = librosa.pyin(
        waveform,
        fmin=LOWEST,
        fmax=HIGHEST,
        sr=sampling_rate,
        frame_length=FRAME * sampling_rate // RATE,
        resolution=0.2,
        fill_na=np.nan,
    )
    return float(np.median(pitches[voiced])) if voiced.any() else np.nan


def plot_pitch(predictions: TwoClassPredictions, folder: Path) -> list[str]:
    """Leave `pitch_scores.png`, of some evenly chosen clips, in a folder; returns the picture's name.

    Which voices are judged wrongly, high or low ones, is what the picture shows.
    """
    chosen = np.unique(np.linspace(0, len(predictions.paths) - 1, CLIPS_SHOWN).round().astype(int))
    pitches = np.array([_pitch_of_file(predictions.paths[row]) for row in chosen])
    shown = predictions.second_scores[chosen], predictions.references[chosen]
    plot_pitch_scores(pitches, *shown, predictions.names, folder / PITCH_NAME)
    return [PITCH_NAME]


def _pitch_of_file(path: str) -> float:
    try:
        waveform = load_audio(path, RATE)
    except AudioError:  # it has been moved away since it was judged
        return np.nan
    middle = max(len(waveform) - HEARD_SECONDS * RATE, 0) // 2
    return median_pitch(waveform[middle : middle + HEARD_SECONDS * RATE], RATE)
