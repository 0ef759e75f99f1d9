"""How high a voice is, and what a network makes of it."""

from pathlib import Path

import numpy as np
from scipy.fft import irfft, rfft

from ..audio.loading import load_audio
from ..errors import AudioError
from .plots import plot_pitch_scores
from .predictions.two_classes import TwoClassPredictions

PITCH_NAME = "pitch_scores.png"
LOWEST, HIGHEST = 60, 400  # Hz, of adults
RATE = 8000  # Hz, more than enough for that
FRAME = 512  # samples, 64 ms, every 32 ms
QUIETEST = 1e-3  # of the loudest frame's energy
VOICED = 0.6  # how much a voiced frame resembles itself a period later, at least
NEARLY = 0.9  # of the best resemblance: multiples of the period resemble as well as the period
HEARD_SECONDS = 3
CLIPS_SHOWN = 120


def median_pitch(waveform: np.ndarray, sampling_rate: int) -> float:
    """The median over voiced frames of the fundamental frequency, in Hz; NaN where nothing is voiced.

    waveform: (samples,); see `track_pitch`.
    """
    _, pitches = track_pitch(waveform, sampling_rate)
    voiced = pitches[np.isfinite(pitches)]
    return float(np.median(voiced)) if len(voiced) else np.nan


def track_pitch(waveform: np.ndarray, sampling_rate: int) -> tuple[int, np.ndarray]:
    """The fundamental frequency of every frame, in Hz; NaN where it is quiet or nothing is voiced.

    A frame's period is the shortest lag at which it resembles itself nearly as well as it ever does. Not librosa's
    pYIN, whose compiled code has crashed in a fresh installation.

    waveform: (samples,). Returns the samples from one frame to the next, and (frames,) of frequencies. Source: the
    normalised cross-correlation of Talkin 1995, A Robust Algorithm for Pitch Tracking.
    """
    size = FRAME * sampling_rate // RATE
    shortest, longest = sampling_rate // HIGHEST, sampling_rate // LOWEST
    padded = np.pad(waveform, (0, max(size + longest - len(waveform), 0)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size + longest)[:: size // 2]
    frames = frames - frames.mean(1, keepdims=True)
    n_fft = 1 << (2 * size + longest).bit_length()
    spectrum = rfft(frames[:, :size], n_fft).conj() * rfft(frames, n_fft)
    products = irfft(spectrum)[:, : longest + 1]  # (frames, lags)
    energies = np.pad(np.cumsum(np.square(frames), 1), ((0, 0), (1, 0)))
    energies = energies[:, size : size + longest + 1] - energies[:, : longest + 1]
    loud = energies[:, 0] > QUIETEST * energies[:, 0].max()
    likeness = products / np.sqrt(energies[:, :1] * energies).clip(min=1e-12)
    pitches = np.full(len(frames), np.nan)
    lags = np.arange(shortest, longest)
    for frame in np.flatnonzero(loud):
        row = likeness[frame]
        peaks = lags[(row[lags] >= row[lags - 1]) & (row[lags] > row[lags + 1])]
        peaks = peaks[row[peaks] > max(VOICED, NEARLY * row[shortest:].max())]
        if len(peaks):
            before, best, after = row[peaks[0] - 1 : peaks[0] + 2]
            offset = 0.5 * (before - after) / (before - 2 * best + after)  # of the parabola's top
            pitches[frame] = sampling_rate / (peaks[0] + offset)
    return size // 2, pitches


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
