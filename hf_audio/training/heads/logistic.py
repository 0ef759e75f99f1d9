"""Logistic regression on features of clips, its penalty chosen by cross-validation inside the training clips.

One class a clip is one softmax, a number one softmax a digit, and of tags each is one sigmoid.
"""

import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from threadpoolctl import threadpool_limits

from ...processes import count_cores

# What scikit-learn calls C, from the strongest penalty to the weakest; tried in this order, until it gets worse.
PENALTIES = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
USUAL_PENALTY = 0.03  # where there are too few clips to compare any
WORSE_PENALTIES = 2  # in a row, behind which no better one is expected
N_FOLDS = 5
# Logit of a class without a training clip, and the least log-probability that a clip can cost: a fold may lack all
# clips of a class, which says nothing of the penalty.
ABSENT, LEAST = -20.0, np.log(1e-4)
# Of a feature's deviation, the least one in shares of the usual one: what hardly ever varied here may do so elsewhere.
LEAST_DEVIATION = 0.1
NEGLIGIBLE = 1e-3  # a probability that a clip is of a class
MOST_ITERATIONS = 300
TOLERANCE = 1e-3  # of the fits that penalties are compared by; of the last one, scikit-learn's own


@dataclass(frozen=True)
class Targets:
    """What clips are, as one or several distributions each: what a softmax or a sigmoid is fitted to.

    A class is one distribution over all of them, each digit of a number one over its values, each tag one over
    absence and presence.
    """

    probabilities: np.ndarray
    """(clips, distributions, values): one-hot labels, or the probabilities that the clips come with."""
    tags: bool = False

    @classmethod
    def of_classes(cls, labels: np.ndarray, n_classes: int) -> "Targets":
        """labels: (clips,) class indices."""
        return cls(np.eye(n_classes, dtype=np.float32)[labels][:, None])

    @classmethod
    def of_beliefs(cls, believed: np.ndarray) -> "Targets":
        """believed: (clips, classes) probabilities."""
        return cls(np.asarray(believed, dtype=np.float32)[:, None])

    @classmethod
    def of_digits(cls, digits: np.ndarray) -> "Targets":
        """digits: (clips, digits)."""
        return cls(np.eye(10, dtype=np.float32)[digits])

    @classmethod
    def of_tags(cls, present: np.ndarray) -> "Targets":
        """present: (clips, tags) of 0 and 1."""
        return cls(np.stack([1 - present, present], axis=-1).astype(np.float32), tags=True)

    def twice(self) -> "Targets":
        """The same of clips and of as many copies behind them."""
        return Targets(np.concatenate([self.probabilities, self.probabilities]), self.tags)

    def __len__(self) -> int:
        return len(self.probabilities)

    @property
    def n_logits(self) -> int:
        """Outputs of a linear layer for them."""
        return self.probabilities.shape[1] * (1 if self.tags else self.probabilities.shape[2])

    @property
    def strata(self) -> np.ndarray:
        """(clips,) of int, of which folds shall have like shares: the classes, where each clip has one."""
        if self.probabilities.shape[1] > 1 or self.tags:
            return np.zeros(len(self), dtype=int)
        return self.probabilities[:, 0].argmax(-1)

    def losses(self, logits: np.ndarray) -> np.ndarray:
        """The cross-entropy of each clip, (clips,): the mean over its distributions. logits: (clips, n_logits)."""
        values = logits.reshape(len(logits), self.probabilities.shape[1], -1)
        if self.tags:
            values = np.concatenate([np.zeros_like(values), values], axis=-1)
        log_probabilities = np.maximum(log_softmax(values, axis=-1), LEAST)
        return -(self.probabilities * log_probabilities).sum(-1).mean(-1)


@dataclass(frozen=True)
class CrossFit:
    """What fits to parts of some clips say of the others."""

    penalty: float
    """The strongest one that is not worse than the best by more than chance, see `choose_penalty`."""
    losses: dict[float, float]
    """Of the penalties that were tried, the mean cross-entropy of clips that were not fitted to."""
    n_folds: int
    logits: np.ndarray
    """Of each clip, by that penalty and the fold that did not hear it: (clips, logits)."""


@dataclass(frozen=True)
class LinearHead:
    """A linear layer from features to logits, and how it was found."""

    weight: np.ndarray
    """(logits, features)."""
    bias: np.ndarray
    """(logits,)."""
    penalty: float
    crossed: CrossFit | None
    """What has chosen the penalty; `None` where there are too few clips."""

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """(clips, features) -> (clips, logits)."""
        return features @ self.weight.T + self.bias


def fit_head(
    features: np.ndarray, targets: Targets, weights: np.ndarray, groups: np.ndarray | None = None, seed: int = 0
) -> LinearHead:
    """A linear layer that gives training clips their targets, with the penalty that is best on held-out clips.

    Features are standardised for the fit, which the layer undoes. The penalty is that of `cross_fit`.

    Args:
        features: (clips, features).
        targets: of the clips.
        weights: (clips,), of the clips in the loss.
        groups: (clips,), speakers or recordings, of which none is on both sides of a fold.
        seed: of the folds.
    """
    crossed = cross_fit(features, targets, weights, find_folds(targets.strata, groups, seed), groups=groups)
    penalty = USUAL_PENALTY if crossed is None else crossed.penalty
    standardised, mean, scale = _standardise(features)
    weight, bias = _Fit(standardised, targets, weights, tolerance=1e-4).fit(penalty)
    weight = weight * scale
    return LinearHead(weight, bias - weight @ mean, penalty, crossed)


def cross_fit(
    features: np.ndarray,
    targets: Targets,
    weights: np.ndarray,
    folds: Sequence[tuple[np.ndarray, np.ndarray]],
    judging: np.ndarray | None = None,
    groups: np.ndarray | None = None,
) -> CrossFit | None:
    """Clips judged by fits to others, with the one of `PENALTIES` that `choose_penalty` takes.

    Args:
        features: (clips, features).
        targets: of the clips.
        weights: (clips,), of the clips in the loss of a fit.
        folds: as `find_folds` gives them; without any there is nothing to tell.
        judging: (clips,), what each clip counts for the choice of the penalty; by default, its weight.
        groups: (clips,), speakers or recordings, whose clips err together.
    """
    if not folds:
        return None
    features, _, _ = _standardise(features)
    judging = weights if judging is None else judging
    judged_by: dict[float, np.ndarray] = {}
    losses: dict[float, np.ndarray] = {}
    fits = [_Fit(features, targets, weights, fitted) for fitted, _ in folds]
    n_threads = min(len(folds), count_cores())
    with ThreadPoolExecutor(n_threads) as threads, threadpool_limits(1, user_api="blas"):
        for penalty in PENALTIES:
            logits = np.zeros((len(features), targets.n_logits), dtype=np.float32)
            layers = threads.map(_Fit.fit, fits, repeat(penalty))
            for (_, judged), (weight, bias) in zip(folds, layers, strict=True):
                logits[judged] = features[judged] @ weight.T + bias
            judged_by[penalty], losses[penalty] = logits, targets.losses(logits)
            means = [np.average(each, weights=judging) for each in losses.values()]
            if len(means) - 1 - int(np.argmin(means)) >= WORSE_PENALTIES:
                break
    penalty = choose_penalty(losses, judging, groups)
    return CrossFit(penalty, dict(zip(losses, map(float, means), strict=True)), len(folds), judged_by[penalty])


def choose_penalty(losses: Mapping[float, np.ndarray], judging: np.ndarray, groups: np.ndarray | None) -> float:
    """The strongest penalty whose mean loss is within a standard error of the least: what holds elsewhere, too.

    Source: the one-standard-error rule of Breiman et al. 1984, Classification and Regression Trees.

    Args:
        losses: penalty, the strongest first -> of each clip, (clips,).
        judging: (clips,), what each clip counts.
        groups: (clips,), of clips that err together; by default each errs for itself.
    """
    units = np.arange(len(judging)) if groups is None else np.unique(groups, return_inverse=True)[1]
    counted = np.bincount(units, judging)
    means = {penalty: float(np.average(each, weights=judging)) for penalty, each in losses.items()}
    best = min(means, key=means.__getitem__)
    of_units = np.bincount(units, judging * losses[best])[counted > 0] / counted[counted > 0]
    share = counted[counted > 0] / counted.sum()
    n_units = len(share)
    error = float(np.sqrt((share**2 * (of_units - means[best]) ** 2).sum() * n_units / max(n_units - 1, 1)))
    return next(penalty for penalty, mean in means.items() if mean <= means[best] + error)


def _standardise(features: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features of mean 0 and deviation 1, float32, and by which means and factors, (features,)."""
    mean, deviation = features.mean(0, dtype=np.float64), features.std(0, dtype=np.float64)
    scale = 1 / np.maximum(deviation, max(LEAST_DEVIATION * float(np.median(deviation)), 1e-8))
    return ((features - mean) * scale).astype(np.float32), mean, scale


def find_folds(strata: np.ndarray, groups: np.ndarray | None, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Indices of the clips that are fitted to and of those that judge, of each fold; none of too few clips.

    Args:
        strata: (clips,) classes.
        groups: (clips,) of which none is on both sides.
        seed: of the draw.
    """
    n_units = len(strata) if groups is None else len(np.unique(groups))
    # Where every class has but one clip, a fold could tell nothing of the class it holds out.
    largest = int(np.bincount(strata).max())
    n_folds = min(N_FOLDS, n_units, largest)
    if n_folds < 2:
        return []
    splitter = StratifiedKFold if groups is None else StratifiedGroupKFold
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of classes with fewer clips than folds
        splits = splitter(n_folds, shuffle=True, random_state=seed).split(strata, strata, groups)
        return [(fitted, judged) for fitted, judged in splits if len(fitted) and len(judged)]


class _Fit:
    """Fits to some clips, one penalty after the other; each begins where the last one ended.

    Args:
        features: (clips, features) float32, standardised.
        targets: of the clips.
        weights: (clips,).
        rows: indices of the clips that are fitted to; by default all.
        tolerance: at which the solver stops.
    """

    def __init__(
        self,
        features: np.ndarray,
        targets: Targets,
        weights: np.ndarray,
        rows: np.ndarray | None = None,
        tolerance: float = TOLERANCE,
    ):
        rows = np.arange(len(features)) if rows is None else rows
        self.features, self.weights = features[rows], weights[rows]
        self.probabilities = targets.probabilities[rows]
        self.tags = targets.tags
        self.tolerance = tolerance
        # scikit-learn fits one distribution at a time.
        self.models: list[LogisticRegression | None] = [None] * self.probabilities.shape[1]

    def fit(self, penalty: float) -> tuple[np.ndarray, np.ndarray]:
        """The layer for a penalty: its weight (logits, features) and bias (logits,)."""
        parts = [self._fit_distribution(number, penalty) for number in range(self.probabilities.shape[1])]
        weights, biases = zip(*parts, strict=True)
        return np.concatenate(weights), np.concatenate(biases)

    def _fit_distribution(self, number: int, penalty: float) -> tuple[np.ndarray, np.ndarray]:
        probabilities = self.probabilities[:, number]  # (clips, values)
        # A clip that may be of several classes counts as several clips, each as much as it is probable.
        clips, values = np.nonzero(probabilities > NEGLIGIBLE)
        counted = self.weights[clips] * probabilities[clips, values]
        clips, values, counted = (part[counted > 0] for part in (clips, values, counted))
        n_values = probabilities.shape[1]
        weight = np.zeros((n_values, self.features.shape[1]))
        bias = np.full(n_values, ABSENT)
        known = np.unique(values)
        if len(known) == 1:
            bias[known] = 0
        else:
            model = self.models[number]
            if model is None:
                model = LogisticRegression(max_iter=MOST_ITERATIONS, tol=self.tolerance, warm_start=True)
                self.models[number] = model
            model.C = penalty
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # nothing that the user could mend
                model.fit(self.features[clips], values, counted)
            if len(known) == 2:  # of two, scikit-learn has the logit of the second against the first
                weight[known], bias[known] = np.array([[-0.5], [0.5]]) * model.coef_, [-0.5, 0.5] * model.intercept_
            else:
                weight[known], bias[known] = model.coef_, model.intercept_
        if self.tags:
            return weight[1:] - weight[:1], bias[1:] - bias[:1]
        return weight, bias
