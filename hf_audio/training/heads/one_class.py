"""`--only_normal`: the anomaly score of a sound is its distance from normal sounds, which alone are trained on."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.special import expit, logit
from sklearn.cluster import KMeans
from sklearn.covariance import LedoitWolf
from transformers import PreTrainedModel
from transformers.trainer_utils import TrainOutput

from ...data.splits import fold_groups
from ...errors import DataError, DivergedError
from ...models.one_class import LEAST, NormalDistance
from ..networks.embeddings import ClipEmbeddings
from ..networks.network_parts import head_layer
from .head import HeadTrainer

FALSE_ALARM_SHARE = 0.1  # of normal clips that were not heard, as in DCASE's baselines
MEDIAN_SCORE = 0.1  # of anomaly, that the median of such windows gets
MOST_FOLDS = 5
FEWEST_CLIPS = 10  # of which a share of one in ten can be told
MOST_CENTERS = 256
STEADY = 1e-3  # beside a standard deviation, for numbers that hardly vary


@dataclass(frozen=True)
class NormalModel:
    """The distribution of normal embeddings: normal distributions of one covariance around several centers."""

    mean: np.ndarray
    """(size,)."""
    whitening: np.ndarray
    """(size, size), by which the shape becomes a sphere."""
    centers: np.ndarray
    """(centers, size), whitened."""

    @classmethod
    def fit(cls, vectors: np.ndarray, seed: int) -> "NormalModel":
        """Fit the model to embeddings, (windows, size), with the shrunken covariance of Ledoit and Wolf 2004."""
        vectors = vectors.astype(np.float64)
        mean, spread = vectors.mean(0), vectors.std(0) + STEADY
        standard = (vectors - mean) / spread
        covariance = LedoitWolf(assume_centered=True).fit(standard).covariance_ + STEADY**2 * np.eye(len(mean))
        precision = np.linalg.inv(covariance)
        whitening = np.linalg.cholesky((precision + precision.T) / 2) / spread[:, None]
        placed = (vectors - mean) @ whitening
        if len(placed) > MOST_CENTERS:
            placed = KMeans(MOST_CENTERS, n_init=1, random_state=seed).fit(placed).cluster_centers_
        return cls(mean, whitening, placed)

    def distances(self, vectors: np.ndarray) -> np.ndarray:
        """Mahalanobis distances, (windows,), of embeddings, (windows, size), from the nearest center."""
        placed = (vectors - self.mean) @ self.whitening
        squared = (placed**2).sum(1)[:, None] - 2 * placed @ self.centers.T + (self.centers**2).sum(1)
        return np.sqrt(squared.min(1).clip(LEAST**2))


@dataclass(frozen=True)
class FittedHead:
    """A head of normal recordings, and how its threshold came about."""

    model: NormalModel
    threshold: float
    """Distance above which a clip is called an anomaly."""
    slope: float
    n_clips: int
    n_folds: int
    alarms: int
    """How many clips lie above the threshold, each scored by a head that was not fitted to it."""


def fit_normal(embedded: ClipEmbeddings, groups: np.ndarray, seed: int) -> FittedHead:
    """Fit a head to normal clips; the threshold comes from heads that score clips which they were not fitted to.

    Args:
        embedded: of the clips.
        groups: (clips,): a head scores no clip of a group (recording) that it was fitted to.
        seed: of the folds.

    Raises:
        DataError: too few clips or groups.
    """
    n_clips = len(embedded.counts)
    if n_clips < FEWEST_CLIPS:
        raise DataError(
            f"{n_clips} normal clips to train on are too few to tell a share of {FALSE_ALARM_SHARE:.0%} false alarms: "
            f"give {FEWEST_CLIPS} or more."
        )
    owners = np.repeat(np.arange(n_clips), embedded.counts)
    vectors, distances = embedded.vectors, np.empty(len(embedded.vectors))
    folds = fold_groups(groups, np.zeros(n_clips, dtype=int), MOST_FOLDS, seed)
    for fold in folds:
        judged = fold[owners]
        distances[judged] = NormalModel.fit(vectors[~judged], seed).distances(vectors[judged])
    logs = np.log(distances)
    # Of single windows, how far the threshold lies above the median; clips have the mean of their windows' scores.
    far = max(float(np.quantile(logs, 1 - FALSE_ALARM_SHARE) - np.median(logs)), STEADY)
    slope = float(-logit(MEDIAN_SCORE)) / far
    borders = np.sort(clip_borders(logs, embedded.counts, slope))
    # So many of the clips, and of as many others (Vovk et al. 2005, conformal prediction), are not above it.
    rank = min(int(np.ceil((n_clips + 1) * (1 - FALSE_ALARM_SHARE))), n_clips)
    threshold = float(borders[rank - 1]) + STEADY / slope
    model = NormalModel.fit(vectors, seed)
    return FittedHead(model, float(np.exp(threshold)), slope, n_clips, len(folds), int((borders > threshold).sum()))


def clip_borders(logs: np.ndarray, counts: np.ndarray, slope: float) -> np.ndarray:
    """At which threshold each clip's score would be 0.5: its windows' scores are averaged, whose distances differ.

    Args:
        logs: logarithms of the windows' distances, (windows,).
        counts: windows of each clip, (clips,).
        slope: of the scores.
    """
    starts = np.cumsum(counts) - counts
    low, high = np.minimum.reduceat(logs, starts), np.maximum.reduceat(logs, starts)
    for _ in range(50):
        middle = (low + high) / 2
        scores = expit(slope * (logs - np.repeat(middle, counts)))
        above = np.add.reduceat(scores, starts) / counts > 0.5
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return (low + high) / 2


class OneClassTrainer(HeadTrainer):
    """Fits the head of one class to the embeddings of normal clips; everything else is as of a fitted head."""

    fitted: FittedHead | None = None

    def train(self, *args: Any, **kwargs: Any) -> TrainOutput:
        """Fit the head to the training clips; there are no steps.

        Raises:
            DataError: too few clips.
            DivergedError: the network gives numbers that are not finite.
        """
        start = time.perf_counter()
        clips = self.train_dataset.with_format(None)
        with self.args.main_process_first(desc="embeddings"):
            embedded = self._find_embedder()(clips)
        if not np.isfinite(embedded.vectors).all():
            raise DivergedError(
                "The network gives numbers that are not finite: its weights are broken, fetch it again."
            )
        self.fitted = fit_normal(embedded, self._groups_of(clips), self.args.seed)
        put_head(self.model, self.fitted)
        return TrainOutput(0, float("nan"), {"train_runtime": time.perf_counter() - start})

    def unheard_answers(self) -> None:
        """There is no temperature to fit."""

    def describe_threshold(self) -> str:
        """How the threshold came about, for the card."""
        assert self.fitted is not None
        fit = self.fitted
        return (
            f"Scores are no probabilities, as no anomaly was heard: 0.5 is the threshold, above which {fit.alarms} "
            f"of {fit.n_clips} normal training clips lie where each is judged by one of {fit.n_folds} heads that "
            f"had not heard it (it was set for a share of {FALSE_ALARM_SHARE:.0%}), and half of their windows get "
            f"less than {MEDIAN_SCORE:g}."
        )

    def describe_head(self, on_all: bool) -> str:
        """How the head was found, in sentences for the card; on_all: of no meaning here, as there are no folds."""
        assert self.fitted is not None
        return (
            "Of every window, the distance of its embedding from the nearest of "
            f"{len(self.fitted.model.centers)} normal ones, in units of how embeddings vary (the covariance is shrunk "
            f"as Ledoit and Wolf have it). {self.describe_threshold()} The test clips chose nothing."
        )


def put_head(model: PreTrainedModel, fitted: FittedHead) -> None:
    """Have a model answer by a fitted head."""
    name, before = head_layer(model)
    centers = fitted.model.centers
    layer = NormalDistance(before.in_features, len(centers)).to(model.device)
    values = {
        "mean": fitted.model.mean,
        "whitening": fitted.model.whitening,
        "centers": centers,
        "threshold": np.array([fitted.threshold]),
        "slope": np.array([fitted.slope]),
    }
    with torch.no_grad():
        for key, value in values.items():
            getattr(layer, key).copy_(torch.from_numpy(value))
    model.set_submodule(name, layer)
    model.config.normal_centers = len(centers)
