"""The classical baseline of any task: clip statistics computed with librosa, and scikit-learn's MLPClassifier."""

import hashlib
import json
import math
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import datasets
import librosa
import numpy as np
from datasets import Dataset
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ...data.cache import cached_waveform
from ...errors import AudioError, DataError
from ...files import written_whole
from ...processes import count_cores

# Raised whenever `clip_statistics` would give other numbers for the same samples.
STATISTICS_VERSION = 1

FRAME_SECONDS = 0.093  # librosa's 2048 samples at 22050 Hz; other rates get the nearest power of two
N_MELS = 128  # librosa's default
N_MFCC = 20  # librosa's default
LOWEST_CONTRAST_EDGE = 200.0  # Hz, librosa's default
LOWEST_RATE = 2000  # samples per second; below, some of the mel bands lie between two bins of the STFT
PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def statistic_names(sampling_rate: int) -> list[str]:
    """A name for each number of `clip_statistics`, such as `rms_mean`, `mfcc_0_std` or `chroma_C#_mean`.

    Raises:
        DataError: a rate below 2000 Hz.
    """
    rows = ["zero_crossing_rate", "rms", "spectral_centroid", "spectral_bandwidth", "spectral_rolloff"]
    rows += ["spectral_flatness"]
    rows += [f"spectral_contrast_{band}" for band in range(_contrast_bands(sampling_rate) + 1)]
    rows += [f"chroma_{pitch_class}" for pitch_class in PITCH_CLASSES]
    rows += [f"mfcc_{number}" for number in range(N_MFCC)]
    rows += [f"mfcc_delta_{number}" for number in range(N_MFCC)]
    return [f"{row}_mean" for row in rows] + [f"{row}_std" for row in rows] + ["tempo"]


def clip_statistics(waveform: np.ndarray, sampling_rate: int) -> np.ndarray:
    """Mean and standard deviation over the frames of what librosa measures in each: (statistics,) float32.

    In the order of `statistic_names`, 131 numbers above 12.8 kHz. From `librosa.feature`: `zero_crossing_rate`
    (share of the samples) and `rms` of the waveform; of one shared STFT (centred Hann frames of the power of two
    nearest to 93 ms, every quarter of a frame; 2048 and 512 samples at 22050 Hz) `spectral_centroid`,
    `spectral_bandwidth` and `spectral_rolloff` at 85 % (Hz), `spectral_flatness`, `spectral_contrast` (dB; six octave
    bands above 200 Hz, fewer up to 12.8 kHz, and one below them), `chroma_stft` (12 pitch classes, tuned to
    A = 440 Hz), 20 `mfcc` of 128 mel bands with their `delta`; and, a single number a clip, `tempo` (beats per
    minute) of `librosa.onset.onset_strength`. Clips shorter than a frame are padded with zeros to one. A clip without
    onsets has the tempo at which librosa's prior peaks, about 120.

    Args:
        waveform: (samples,), full scale being 1.
        sampling_rate: samples per second.

    Raises:
        AudioError: no samples, more than one channel, NaN or infinite values.
        DataError: a rate below 2000 Hz.
    """
    n_bands = _contrast_bands(sampling_rate)
    waveform = np.asarray(waveform, dtype=np.float32)
    if waveform.ndim != 1 or waveform.size == 0:
        raise AudioError(f"The array has the shape {waveform.shape}: give (samples,), one or more.")
    if not np.isfinite(waveform).all():
        raise AudioError("The array contains NaN or infinite samples: repair it or leave it out.")
    n_fft = 2 ** round(math.log2(FRAME_SECONDS * sampling_rate))
    hop_length = n_fft // 4
    if len(waveform) < n_fft:
        waveform = librosa.util.fix_length(waveform, size=n_fft)

    feature = librosa.feature
    magnitude = np.abs(librosa.stft(waveform, n_fft=n_fft, hop_length=hop_length))  # (bins, frames)
    power = magnitude**2
    mel = feature.melspectrogram(S=power, sr=sampling_rate, n_fft=n_fft, n_mels=N_MELS)
    decibels = librosa.power_to_db(mel)  # (mels, frames)
    centroid = feature.spectral_centroid(S=magnitude, sr=sampling_rate, n_fft=n_fft)
    mfcc = feature.mfcc(S=decibels, n_mfcc=N_MFCC)
    rows = [  # each (rows, frames)
        feature.zero_crossing_rate(waveform, frame_length=n_fft, hop_length=hop_length),
        feature.rms(y=waveform, frame_length=n_fft, hop_length=hop_length),
        centroid,
        feature.spectral_bandwidth(S=magnitude, sr=sampling_rate, n_fft=n_fft, centroid=centroid),
        feature.spectral_rolloff(S=magnitude, sr=sampling_rate, n_fft=n_fft),
        feature.spectral_flatness(S=power, power=1.0),
        feature.spectral_contrast(
            S=magnitude, sr=sampling_rate, n_fft=n_fft, fmin=LOWEST_CONTRAST_EDGE, n_bands=n_bands
        ),
        # Not estimated clip by clip, librosa's default: most sounds have no tuning, and it takes six times as long.
        feature.chroma_stft(S=power, sr=sampling_rate, n_fft=n_fft, tuning=0),
        mfcc,
        # librosa's default mode needs nine frames, and a clip of one frame's length has five.
        feature.delta(mfcc, mode="nearest"),
    ]
    onset_strength = librosa.onset.onset_strength(S=decibels, sr=sampling_rate, n_fft=n_fft, hop_length=hop_length)
    tempo = feature.tempo(onset_envelope=onset_strength, sr=sampling_rate, hop_length=hop_length)
    frames = np.concatenate(rows).astype(np.float64)
    return np.concatenate([frames.mean(axis=1), frames.std(axis=1), tempo]).astype(np.float32)


def _contrast_bands(sampling_rate: int) -> int:
    """As many octaves above 200 Hz, six at most, as begin below half the sampling rate."""
    if sampling_rate < LOWEST_RATE:
        raise DataError(f"The sampling rate {sampling_rate} is too low for clip statistics: choose {LOWEST_RATE} up.")
    return min(6, math.ceil(math.log2(sampling_rate / 2 / LOWEST_CONTRAST_EDGE)))


def cache_statistics(dataset: Dataset, sampling_rate: int) -> np.ndarray:
    """`clip_statistics` of every row, each clip's computed once and kept on disk: (rows, statistics) float32.

    Kept in the `datasets` cache, one file a sampling rate and version, under a hash of each clip's samples. So a clip
    is found again whatever its name, table, row or fold; which rows are for training and which for testing can change
    from run to run, and nothing is computed anew.

    Args:
        dataset: rows with the column `audio` that `cache_audio` adds, any selection of them in any order.
        sampling_rate: of `audio`, as `cache_audio` was called with.

    Raises:
        DataError: a rate below 2000 Hz.
        OSError: the cache folder cannot be written.
    """
    names = statistic_names(sampling_rate)
    audio = dataset.with_format(None).select_columns("audio")
    keys = [hashlib.sha256(row["audio"]).digest() for row in audio]
    versions = json.dumps([STATISTICS_VERSION, version("librosa"), sampling_rate])
    folder = Path(datasets.config.HF_DATASETS_CACHE) / "hf_audio"
    store = folder / f"statistics-{hashlib.sha256(versions.encode()).hexdigest()[:32]}.npz"
    known = _read_statistics(store)
    missing: dict[bytes, int] = {}  # key -> the first row that has it
    for row, key in enumerate(keys):
        if key not in known:
            missing.setdefault(key, row)
    if missing:
        workers = min(count_cores(), max(1, len(missing) // 200))
        computed = audio.select(list(missing.values())).map(
            _row_statistics,
            fn_kwargs={"sampling_rate": sampling_rate},
            remove_columns="audio",
            features=datasets.Features({"statistics": datasets.List(datasets.Value("float32"))}),
            keep_in_memory=True,
            load_from_cache_file=False,
            num_proc=workers if workers > 1 else None,
            desc=f"Statistics at {sampling_rate} Hz",
        )
        found = np.array(computed["statistics"][:], dtype=np.float32)
        # Read again: what another process has written meanwhile stays.
        known = _read_statistics(store) | dict(zip(missing, found, strict=True))
        _write_statistics(store, known)
    return np.array([known[key] for key in keys], dtype=np.float32).reshape(len(keys), len(names))


def _row_statistics(row: Mapping[str, Any], sampling_rate: int) -> dict[str, np.ndarray]:
    return {"statistics": clip_statistics(cached_waveform(row["audio"]), sampling_rate)}


def _read_statistics(store: Path) -> dict[bytes, np.ndarray]:
    try:
        with np.load(store) as stored:
            return {key.tobytes(): row for key, row in zip(stored["keys"], stored["statistics"], strict=True)}
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return {}  # not there yet, or damaged by a crash of the system: computed again


def _write_statistics(store: Path, known: Mapping[bytes, np.ndarray]) -> None:
    store.parent.mkdir(parents=True, exist_ok=True)
    keys = np.frombuffer(b"".join(known), dtype=np.uint8).reshape(len(known), -1)  # (clips, bytes of a hash)
    with written_whole(store) as temporary, temporary.open("wb") as file:
        np.savez(file, keys=keys, statistics=np.stack(list(known.values())))


def fit_baseline(
    train_statistics: np.ndarray,
    train_labels: Sequence[int] | np.ndarray,
    test_statistics: np.ndarray,
    n_classes: int,
    seed: int,
) -> np.ndarray:
    """Probabilities of scikit-learn's `MLPClassifier`, trained on clip statistics: (test clips, classes) float64.

    With its defaults (one hidden layer of 100, Adam, 200 epochs) behind a `StandardScaler`. A class without a training
    clip has the probability 0.

    Args:
        train_statistics: (training clips, statistics).
        train_labels: (training clips,), numbers below `n_classes`.
        test_statistics: (test clips, statistics).
        n_classes: columns of the result.
        seed: of the first weights and the order of the clips; the same one gives the same probabilities.

    Raises:
        DataError: training clips of fewer than two classes.
    """
    if len(np.unique(train_labels)) < 2:
        raise DataError("The training clips of the baseline are of fewer than two classes: check the split.")
    baseline = make_pipeline(StandardScaler(), MLPClassifier(random_state=seed))
    with warnings.catch_warnings():
        # That it stops after its 200 epochs is part of the defaults, and nothing that the user could mend.
        warnings.simplefilter("ignore", ConvergenceWarning)
        baseline.fit(np.asarray(train_statistics, dtype=np.float64), np.asarray(train_labels))
    probabilities = np.zeros((len(test_statistics), n_classes))
    if len(test_statistics):
        known = baseline.predict_proba(np.asarray(test_statistics, dtype=np.float64))
        probabilities[:, baseline.classes_] = known
    return probabilities
