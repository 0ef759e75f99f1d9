"""A finished network, measured once on its test clips and on altered copies of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from transformers import EvalPrediction, PreTrainedConfig
from transformers.trainer_utils import PredictionOutput

from ...augmentation.altered import alter, alterations, choose_clips
from ...data.rows import OWN_COLUMNS as CLIP_COLUMNS
from ...models.modeling_audio_cnn import probabilities
from ...runs.card import HARMONIC, METRIC_NAMES
from ...runs.confidence import ALTERED, measure_confidence
from ...runs.group_figures import few_valued
from ...runs.predictions.anomalies import AnomalyPredictions
from ...runs.predictions.classes import Predictions
from ...runs.predictions.columns import OWN_COLUMNS as PREDICTION_COLUMNS
from ...runs.predictions.kinds import AnyPredictions, predictions_class
from ...runs.rejection import Rejection
from ...runs.scores import Scores, relative_paths
from ..parts import Parts
from ..task import TEST, Task
from ..trainer import AudioTrainer
from .calibration import Transform, cross_fit, scores_of
from .clip_map import ClipMap
from .crossed import Crossed

RESERVED_COLUMNS = CLIP_COLUMNS | PREDICTION_COLUMNS
HARMONIC_METRICS = frozenset({"cer", "cer_corpus"})  # told as a mean over several test sets too


@dataclass
class Judgement:
    """What a finished network's predictions on the held-out clips are, and how good."""

    metrics: dict[str, Any]
    """`eval_<metric>`, of further clips `eval_<metric>_<name>`; and `ALTERED`, where copies were judged."""
    predictions: AnyPredictions
    others: dict[str, AnyPredictions]
    """Of further test sets, and of clips pooled by a column, by their names."""
    scores: Scores | None
    rejection: Rejection | None
    background: Scores | None = None
    """Of the background that `rejection` is of."""
    rival: Predictions | None = None
    """The answers of logistic regression to the same clips, or to some of them."""
    clip_map: ClipMap | None = None
    """The same clips in the plane, where that says something."""


def compute_metrics(prediction: EvalPrediction, config: PreTrainedConfig) -> dict[str, float]:
    """The task's metrics. predictions: (clips, labels) logits; label_ids: (clips,) classes or (clips, digits)."""
    scores = probabilities(torch.from_numpy(prediction.predictions), config).numpy()
    paths = [""] * len(scores)
    report = predictions_class(config).from_probabilities(paths, _names(config), prediction.label_ids, scores)
    return report.metrics()


def pool_scores(scores: Scores, groups: Sequence[str]) -> Scores:
    """The mean of the probabilities of clips of one group (speaker), whose name takes the place of a path.

    groups: (clips,), each of one label.
    """
    names, first, members = np.unique(np.asarray(groups), return_index=True, return_inverse=True)
    means = np.stack([scores.probabilities[members == group].mean(0) for group in range(len(names))])
    return Scores(names.tolist(), scores.references[first], means)


def judge(
    trainer: AudioTrainer,
    parts: Parts,
    plain: Transform,
    config: PreTrainedConfig,
    margin: float,
    task: Task,
) -> Judgement:
    """The network on every test clip, once.

    Args:
        trainer: whose training is over.
        parts: of the run.
        plain: makes inputs of clips as they are.
        config: of the task.
        margin: that `fit_answers` has fitted.
        task: that was trained.
    """
    pooled_column = task.pooled_column

    def predict(clips: Dataset) -> PredictionOutput:
        return trainer.predict(clips, metric_key_prefix="eval")

    outputs = {name: predict(clips.with_transform(plain)) for name, clips in parts.tests.items()}
    scores = {
        name: scores_of(config, relative_paths(clips["path"][:]), outputs[name]) for name, clips in parts.tests.items()
    }
    predictions = {name: _predictions(config, clips["path"][:], scores[name]) for name, clips in parts.tests.items()}
    for name, clips in parts.tests.items():
        add_columns(predictions[name], clips, task)
    if pooled_column is not None:
        pooled = pool_scores(scores[TEST], parts.test[pooled_column][:])
        predictions[pooled_column] = _predictions(config, pooled.paths, pooled)
    metrics: dict[str, Any] = {**outputs[TEST].metrics}
    others = {name: other for name, other in predictions.items() if name != TEST}
    if isinstance(predictions[TEST], AnomalyPredictions):  # by sections too, which were not known before
        metrics |= {f"eval_{name}": value for name, value in predictions[TEST].metrics().items()}
    for name, other in others.items():
        metrics |= _beside(other.metrics(), name)
    if len(parts.tests) > 1:
        metrics |= _harmonic([predictions[name].metrics() for name in parts.tests])
    rejection = background = None
    if parts.background is not None:
        background_output = predict(parts.background.test.with_transform(plain))
        background = scores_of(config, parts.background.test_names, background_output)
        logits, labels = outputs[TEST].predictions, outputs[TEST].label_ids
        hours = parts.background.hours(parts.background.test)
        rejection = Rejection.measure(logits, labels, background_output.predictions, hours, margin)
        metrics |= {f"eval_{name}": value for name, value in rejection.metrics().items()}
    if task.purpose != "preparation" and not config.normal_centers:
        metrics |= _judge_altered(trainer, parts, plain, config)
    return Judgement(metrics, predictions[TEST], others, scores[TEST], rejection, background)


def _judge_altered(trainer: AudioTrainer, parts: Parts, plain: Transform, config: PreTrainedConfig) -> dict[str, Any]:
    """How good and how sure the network is where the test clips are noisy, say, for the results."""
    chosen = choose_clips(parts.test, config.sampling_rate, trainer.model.num_parameters())
    measured = {}
    for name in alterations(config.sampling_rate) if chosen is not None else ():
        altered = alter(chosen, config.sampling_rate, name)
        names = relative_paths(altered["path"][:])
        scores = scores_of(config, names, trainer.predict(altered.with_transform(plain)))
        measured[name] = measure_confidence(_predictions(config, scores.paths, scores))
    return {ALTERED: measured} if measured else {}


def judge_by_folds(crossed: Crossed, config: PreTrainedConfig, task: Task) -> Judgement:
    """The networks of a cross-validation, in the place of one that was trained on all clips afterwards."""
    scores = crossed.scores if crossed.validated is not None else cross_fit(crossed, config)[1]
    predictions = _predictions(config, scores.paths, scores)
    add_columns(predictions, task.dataset.select(crossed.places), task)
    metrics = {f"eval_{name}": value for name, value in predictions.metrics().items()}
    scores = Scores(relative_paths(scores.paths), scores.references, scores.probabilities)
    return Judgement(metrics, predictions, {}, scores, None)


def add_columns(predictions: AnyPredictions, clips: Dataset, task: Task) -> None:
    """Give predictions the groups of their clips, and the further columns by whose values figures are given.

    Those are columns that the task names for other purposes, and columns of text with a few values.

    clips: the same ones, as rows of the task's data set.
    """
    plain = clips.with_format(None)
    column = task.group_column or task.pooled_column
    if column in plain.column_names:
        predictions.groups = np.asarray(plain[column][:]).astype(str)
    named = [task.pooled_column, task.validation_group_column]
    known = {
        name: plain[name][:]
        for name, feature in plain.features.items()
        if name != column and name not in RESERVED_COLUMNS and "string" in getattr(feature, "dtype", "")
    }
    labels = predictions.references if predictions.references.ndim == 1 else None
    chosen = [name for name in known if name in named]
    chosen += few_valued({name: cells for name, cells in known.items() if name not in named}, labels)
    predictions.columns = {name: np.asarray(known[name]).astype(str) for name in chosen}


def judge_crops(trainer: AudioTrainer, collator: Callable, test: Dataset, plain: Transform) -> dict[str, float]:
    """Metrics of test clips in shifted crops, as `collator` cuts them, under their names."""
    trainer.data_collator = collator
    shifted = trainer.predict(test.with_transform(plain)).metrics
    return {
        f"eval_{name}_tta": shifted[f"test_{name}"]
        for name in METRIC_NAMES
        if f"{name}_tta" in METRIC_NAMES and f"test_{name}" in shifted
    }


def _predictions(config: PreTrainedConfig, paths: Sequence[str], scores: Scores) -> AnyPredictions:
    kind = predictions_class(config)
    return kind.from_probabilities(paths, _names(config), scores.references, scores.probabilities)


def _names(config: PreTrainedConfig) -> list[str]:
    return [config.id2label[number] for number in range(config.num_labels)]


def _beside(metrics: Mapping[str, float], name: str) -> dict[str, float]:
    """Metrics of further test clips under their names."""
    return {f"eval_{metric}_{name}": value for metric, value in metrics.items()}


def _harmonic(results: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Harmonic means of error rates over all test sets."""
    means = {}
    for metric in sorted(HARMONIC_METRICS):
        rates = [metrics[metric] for metrics in results if metric in metrics]
        if len(rates) > 1:
            # With a rate of zero the harmonic mean is zero, whatever the other ones.
            means[f"eval_{metric}_{HARMONIC}"] = (
                0.0 if min(rates) == 0 else len(rates) / sum(1 / rate for rate in rates)
            )
    return means
