"""Whether anything was learnt: a run's answers beside those that need no hearing, and beside a cheap rival's."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import stats

from ..models.configuration_audio_cnn import NONE_OF_THESE
from .intervals import balanced_accuracy_interval, is_better
from .predictions.anomalies import AnomalyPredictions
from .predictions.classes import Predictions
from .predictions.kinds import AnyPredictions, join_clips
from .predictions.numbers import NumberPredictions
from .predictions.tags import TagPredictions

# Of a run's results.
LEARNT = "learnt"  # whether it is better than an answer that needs no hearing, beyond chance; not told of numbers
MAJORITY = "majority_label"  # the class that is always answered
MAJORITY_ACCURACY = "eval_majority_accuracy"
ONE_SIDED = 0.025  # of the chance that a network of one tag has learnt nothing
PRIOR_LWLRAP = "eval_prior_lwlrap"  # of tags that are always ranked by how many training clips have them
RIVAL_ACCURACY = "eval_rival_accuracy"
RIVAL_BALANCED_ACCURACY = "eval_rival_balanced_accuracy"
RIVAL = "rival"  # how it compares to the network: one of the next three
BETTER, WORSE, ALIKE = "better", "worse", "alike"
RIVAL_CLIPS = "rival_samples"  # test clips that both were compared on, where not all
UNTESTED = "untested_labels"
COMPARISONS = (
    LEARNT,
    MAJORITY,
    MAJORITY_ACCURACY,
    PRIOR_LWLRAP,
    RIVAL_ACCURACY,
    RIVAL_BALANCED_ACCURACY,
    RIVAL,
    RIVAL_CLIPS,
    UNTESTED,
)
RIVAL_NAME = "predictions_rival.csv"


def compare_with_constant(predictions: AnyPredictions, counts: Mapping[str, int]) -> dict[str, Any]:
    """The figures of an answer that needs no hearing, and whether the predictions are better beyond chance.

    Of one class a clip, that is the largest class of the training clips. Its accuracy may be high and hard to beat;
    its balanced accuracy is 1 / classes, and a network that beats either has learnt something. Of tags, it is all of
    them in the order of how frequent they are. Of numbers there is none worth the comparison: whoever always reads the
    same number has hardly a digit right.

    Args:
        predictions: of the test clips.
        counts: training clips of every class or tag, by their names.

    Returns:
        For a run's results.
    """
    compared: dict[str, Any] = {UNTESTED: predictions.untested()} if predictions.untested() else {}
    if isinstance(predictions, NumberPredictions):
        return compared
    if isinstance(predictions, AnomalyPredictions):
        area = predictions.intervals().get("anomaly_auc")
        return compared if area is None else {**compared, LEARNT: area[0] > 0.5}
    if isinstance(predictions, TagPredictions):
        return compared | _compare_with_frequency(predictions, counts)
    return compared | compare_with_label(predictions, largest_class(counts))


def largest_class(counts: Mapping[str, int]) -> str:
    """The class with the most training clips, the first of several; counts: of every class, by their names."""
    return max((name for name in counts if name != NONE_OF_THESE), key=counts.__getitem__)


def compare_with_label(predictions: Predictions, label: str) -> dict[str, Any]:
    """As `compare_with_constant`, given the class that is always answered."""
    constant = predictions.references == list(predictions.names).index(label)
    return {
        MAJORITY: label,
        MAJORITY_ACCURACY: float(constant.mean()),
        LEARNT: has_learnt(predictions, constant),
    }


def has_learnt(predictions: Predictions, constant: np.ndarray) -> bool:
    """Whether answers are better than constant ones, by their accuracy or by their balanced accuracy.

    predictions: of the test clips; constant: whether the constant answer is right, (clips,).
    """
    differences = predictions.right.astype(int) - constant.astype(int)
    if is_better(differences, groups=predictions.groups):
        return True
    references, n_classes = predictions.references, len(np.unique(predictions.references))
    low, _ = balanced_accuracy_interval(references, predictions.predictions, predictions.groups)
    return n_classes > 1 and low > 1 / n_classes


def compare_with_rival(predictions: Predictions, rival: Predictions, clips: np.ndarray) -> dict[str, Any]:
    """The figures of a rival, and which of the two is better beyond chance.

    Args:
        predictions: of the test clips.
        rival: of some of them.
        clips: which, indices.

    Returns:
        For a run's results.
    """
    differences = predictions.right[clips].astype(int) - rival.right.astype(int)
    groups = None if predictions.groups is None else predictions.groups[clips]
    outcome = ALIKE
    if is_better(differences, groups=groups):
        outcome = WORSE
    elif is_better(-differences, groups=groups):
        outcome = BETTER
    metrics = rival.metrics()
    compared = {
        RIVAL_ACCURACY: metrics["accuracy"],
        RIVAL_BALANCED_ACCURACY: metrics["balanced_accuracy"],
        RIVAL: outcome,
    }
    return compared | ({RIVAL_CLIPS: len(clips)} if len(clips) < len(predictions.paths) else {})


def compare_folds(
    folds: Sequence[tuple[Mapping[str, Any], Predictions | TagPredictions, Predictions | None]],
) -> dict[str, Any]:
    """The comparison of one run, for the folds of a cross-validation together.

    Args:
        folds: of each its results, its network's predictions and its rival's. Where one fold has no rival, or one of
            some of its clips, the whole has none.

    Returns:
        For the results of the whole; nothing of folds of older versions, which compared nothing.
    """
    priors = [results[PRIOR_LWLRAP] for results, _, _ in folds if PRIOR_LWLRAP in results]
    if len(priors) == len(folds):
        return {
            PRIOR_LWLRAP: float(np.mean(priors)),
            LEARNT: 2 * sum(told[LEARNT] for told, _, _ in folds) > len(folds),
        }
    labels = [str(results.get(MAJORITY, "")) for results, _, _ in folds]
    if not all(labels):
        return {}
    judged = join_clips([predictions for _, predictions, _ in folds if isinstance(predictions, Predictions)])
    constant = np.concatenate(
        [
            predictions.references == list(predictions.names).index(label)
            for label, (_, predictions, _) in zip(labels, folds, strict=True)
            if isinstance(predictions, Predictions)
        ]
    )
    told: dict[str, Any] = {
        MAJORITY: max(sorted(set(labels)), key=labels.count),
        MAJORITY_ACCURACY: float(constant.mean()),
        LEARNT: has_learnt(judged, constant),
    }
    if judged.untested():
        told[UNTESTED] = judged.untested()
    rivals = [rival for _, _, rival in folds if rival is not None]
    if sum(len(rival.paths) for rival in rivals) == len(judged.paths):
        told |= compare_with_rival(judged, join_clips(rivals), np.arange(len(judged.paths)))
    return told


def _compare_with_frequency(predictions: TagPredictions, counts: Mapping[str, int]) -> dict[str, Any]:
    frequencies = np.array([counts[name] for name in predictions.names], dtype=float)
    # Of equal frequency, the tag that comes first.
    ranks = -np.argsort(np.argsort(-frequencies, kind="stable")).astype(float)
    constant = replace(predictions, scores=np.tile(ranks, (len(predictions.references), 1)))
    (precision, n_tags), (needs_no_hearing, _) = predictions.tag_precision(), constant.tag_precision()
    tagged = n_tags > 0
    groups = None if predictions.groups is None else predictions.groups[tagged]
    if len(predictions.names) == 1 and 0 < tagged.sum() < len(tagged):  # ranking one tag is no art: clips are ranked
        scores = predictions.scores[:, 0]
        chance = stats.mannwhitneyu(scores[tagged], scores[~tagged], alternative="greater").pvalue
        return {PRIOR_LWLRAP: constant.metrics()["lwlrap"], LEARNT: bool(chance < ONE_SIDED)}
    return {
        PRIOR_LWLRAP: constant.metrics()["lwlrap"],
        LEARNT: is_better((precision - needs_no_hearing)[tagged], n_tags[tagged].astype(float), groups),
    }
