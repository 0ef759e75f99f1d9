"""The cheap rival of a network: logistic regression on statistics of the clips, on the same split, in a few seconds.

A network that does not beat it may not be worth its trouble; where it beats the network, something is wrong, or
training has ended too early. It draws no random number that the network's training would miss.
"""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from ...data.cache import cached_waveform
from ...models import AudioCNNConfig
from ...models.configuration_audio_cnn import NONE_OF_THESE
from ...models.frontends import LogMel
from ...runs.comparison import compare_with_constant, compare_with_rival
from ...runs.predictions.classes import Predictions
from ..parts import Parts
from ..task import Task
from .judging import Judgement

N_MELS = 64
FRAME_SECONDS = 0.046
# Of the weights' penalty, scikit-learn's C; what a few clips a class and thousands of them bear equally well.
PENALTY = 0.1
# So that it stays cheap, however much there is to hear.
MOST_CLIPS = 4000
MOST_SECONDS = 10.0
PARTS_HEARD = 4  # of a longer clip, evenly spaced


def compare(judgement: Judgement, parts: Parts, task: Task) -> dict[str, Any]:
    """What a network is worth beside a constant answer and, of one class a clip, beside the rival.

    Args:
        judgement: of the network; gains the rival's answers.
        parts: of the run.
        task: that was trained; before a training that counts, there is no rival.

    Returns:
        For the run's results.
    """
    predictions = judgement.predictions
    compared = compare_with_constant(predictions, parts.class_counts())
    if isinstance(predictions, Predictions) and task.purpose != "preparation":
        with threadpool_limits(1, user_api="blas"):  # as in training: they would spin on the cores of others
            judged = judge_rival(parts, predictions, task.config.sampling_rate)
        if judged is not None:
            judgement.rival, clips = judged
            compared |= compare_with_rival(predictions, judgement.rival, clips)
    return compared


def judge_rival(parts: Parts, predictions: Predictions, sampling_rate: int) -> tuple[Predictions, np.ndarray] | None:
    """The rival's answers to the test clips that a network was judged on, and which ones these are.

    Of more than 4000 training or test clips, so many are drawn.

    Args:
        parts: of the run, whose training clips it learns from.
        predictions: the network's, of the test clips.
        sampling_rate: of the decoded clips.

    Returns:
        The answers, and indices of their test clips; nothing where the training clips come as a stream or are of
        fewer than two classes.
    """
    if not isinstance(parts.train, Dataset):
        return None
    labels = np.asarray(parts.train.with_format(None)["label"][:])
    rows = _draw(_without_surplus(labels, predictions.names))
    if len(np.unique(labels[rows])) < 2:
        return None
    clips = _draw(np.arange(len(predictions.paths)))
    scores = _fit(
        spectrum_statistics(parts.train.select(rows), sampling_rate),
        labels[rows],
        spectrum_statistics(parts.test.select(clips), sampling_rate),
        len(predictions.names),
    )
    paths = [predictions.paths[clip] for clip in clips]
    answers = type(predictions).from_probabilities(paths, predictions.names, predictions.references[clips], scores)
    return answers, clips


def spectrum_statistics(clips: Dataset, sampling_rate: int) -> np.ndarray:
    """What clips sound like on average: (clips, 3 x mels) float32.

    Of each of 64 mel bands in dB, over the frames of a clip, the mean, the standard deviation and the mean change from
    one frame to the next. Of clips of more than 10 s, four parts are heard.

    Args:
        clips: rows of `audio`, as `cache_audio` gives them.
        sampling_rate: samples per second.
    """
    n_fft = 2 ** round(math.log2(FRAME_SECONDS * sampling_rate))
    front = LogMel(
        AudioCNNConfig(
            sampling_rate=sampling_rate,
            n_fft=n_fft,
            win_length=n_fft,
            hop_length=n_fft // 2,
            n_mels=N_MELS,
            f_min=0.0,
            f_max=None,
        )
    )
    statistics = np.empty((len(clips), 3 * N_MELS), dtype=np.float32)
    with torch.no_grad():
        for row, clip in enumerate(clips.with_format(None).select_columns("audio")):
            waveform = _shorten(cached_waveform(clip["audio"]), sampling_rate)
            bands = front(torch.from_numpy(waveform)[None])[0].numpy()  # (mels, frames)
            changes = np.abs(np.diff(bands, axis=1)) if bands.shape[1] > 1 else np.zeros_like(bands)
            statistics[row] = np.concatenate([bands.mean(1), bands.std(1), changes.mean(1)])
    return statistics


def _shorten(waveform: np.ndarray, sampling_rate: int) -> np.ndarray:
    """(samples,) -> at most 10 s of it."""
    most = round(MOST_SECONDS * sampling_rate)
    if len(waveform) <= most:
        return waveform
    length = most // PARTS_HEARD
    starts = np.linspace(0, len(waveform) - length, PARTS_HEARD).astype(int)
    return np.concatenate([waveform[start : start + length] for start in starts])


def _without_surplus(labels: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Rows to learn from; of a background, no more than of all classes together, as in an epoch of the network."""
    is_background = np.array([name == NONE_OF_THESE for name in names])[labels]
    background, known = np.flatnonzero(is_background), np.flatnonzero(~is_background)
    places = np.linspace(0, len(background) - 1, min(len(background), len(known))).astype(int)
    return np.concatenate([known, background[places]])


def _draw(rows: np.ndarray) -> np.ndarray:
    """At most 4000 of some rows, in their order."""
    if len(rows) <= MOST_CLIPS:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, MOST_CLIPS, replace=False))


def _fit(train: np.ndarray, labels: np.ndarray, test: np.ndarray, n_classes: int) -> np.ndarray:
    """Probabilities, (test clips, classes), 0 for a class without training clips. train, test: (clips, statistics)."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=PENALTY, max_iter=100, tol=1e-3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # nothing that the user could mend
        model.fit(train, labels)
    probabilities = np.zeros((len(test), n_classes))
    probabilities[:, model.classes_] = model.predict_proba(test)
    return probabilities
