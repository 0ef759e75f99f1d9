"""How high a voice is, and what a network makes of it."""

from pathlib import Path

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

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
    if len(waveform) < size + longest:
        waveform = np.pad(waveform, (0, size + longest - len(waveform)))
    frames = np.lib.stride_tricks.sliding_window_view(waveform, size + longest)[:: size // 2]
    frames = frames - frames.mean(1, keepdims=True)
    # Long enough that no lag up to the longest one meets another from behind.
    n_fft = next_fast_len(size + longest, real=True)
    spectrum = rfft(frames[:, :size], n_fft).conj() * rfft(frames, n_fft)
    products = irfft(spectrum, n_fft)[:, : longest + 1]  # (frames, lags)
    squares = np.square(frames)
    changes = squares[:, size:] - squares[:, :longest]  # of the energy, from one lag to the next
    energies = np.cumsum(np.concatenate([squares[:, :size].sum(1, keepdims=True), changes], 1), 1)
    likeness = products / np.sqrt((energies[:, :1] * energies).clip(min=1e-24))
    loud = energies[:, 0] > QUIETEST * energies[:, 0].max()
    enough = np.maximum(VOICED, NEARLY * likeness[:, shortest:].max(1))
    before, here, after = (likeness[:, shortest + step : longest + step] for step in (-1, 0, 1))
    peaks = (here >= before) & (here > after) & (here > enough[:, None]) & loud[:, None]
    voiced, first = np.flatnonzero(peaks.any(1)), peaks.argmax(1)
    before, here, after = (values[voiced, first[voiced]] for values in (before, here, after))
    offset = 0.5 * (before - after) / (before - 2 * here + after)  # of the parabola's top
    pitches = np.full(len(frames), np.nan)
    pitches[voiced] = sampling_rate / (shortest + first[voiced] + offset)
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
