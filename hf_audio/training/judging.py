"""A trained network fitted on its validation clips, and measured once on its test clips."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from scipy.optimize import minimize_scalar
from transformers import EvalPrediction, PreTrainedConfig
from transformers.trainer_utils import PredictionOutput

from ..data.rows import OWN_COLUMNS as CLIP_COLUMNS
from ..models.modeling_audio_cnn import classification_loss, probabilities, to_logits
from ..runs.card import HARMONIC, METRIC_NAMES
from ..runs.confidence import ALTERED, measure_confidence
from ..runs.group_figures import few_valued
from ..runs.predictions import OWN_COLUMNS as PREDICTION_COLUMNS
from ..runs.predictions import AnyPredictions, Predictions, predictions_class
from ..runs.rejection import Rejection, fit_margin, margins, sparing_margin
from ..runs.scores import Scores, relative_paths
from .altered import altered_copies
from .clip_map import ClipMap
from .crossed import Crossed
from .network_parts import set_rejection_margin, set_temperature
from .parts import Parts
from .task import TEST, Task
from .trainer import AudioTrainer

RESERVED_COLUMNS = CLIP_COLUMNS | PREDICTION_COLUMNS
HARMONIC_METRICS = frozenset({"cer", "cer_corpus"})  # told as a mean over several test sets too
Transform = Callable[[dict[str, list[Any]]], dict[str, list[Any]]]


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


def fit_temperature(logits: np.ndarray, labels: np.ndarray, config: PreTrainedConfig) -> float:
    """What logits must be divided by for the least loss on clips that were not trained on.

    logits: (clips, labels); labels: (clips,) or (clips, digits). Source: Guo et al. 2017,
    https://arxiv.org/abs/1706.04599.
    """
    scores, targets = torch.from_numpy(logits), torch.from_numpy(labels)

    def loss(log_temperature: float) -> float:
        return float(classification_loss(scores / math.exp(log_temperature), targets, config))

    # Few clips, all judged right, would ask for a temperature of zero.
    return math.exp(minimize_scalar(loss, bounds=(math.log(0.1), math.log(10)), method="bounded").x)


def pool_scores(scores: Scores, groups: Sequence[str]) -> Scores:
    """The mean of the probabilities of clips of one group (speaker), whose name takes the place of a path.

    groups: (clips,), each of one label.
    """
    names, first, members = np.unique(np.asarray(groups), return_index=True, return_inverse=True)
    means = np.stack([scores.probabilities[members == group].mean(0) for group in range(len(names))])
    return Scores(names.tolist(), scores.references[first], means)


@dataclass
class Fit:
    """What was fitted to clips that were not trained on, and is now in the network."""

    validation: Scores | None
    """Of the validation clips, as the network now tells them; where it learnt from them too, as the first one did."""
    temperature: float = 1.0
    rejection_margin: float = 0.0
    fitted_to: str = ""
    """What the temperature was fitted to, in words; nothing where it was not fitted."""

    def describe(self) -> str:
        """How the temperature came about, for the card."""
        if not self.fitted_to:
            return (
                "No clips were held out from training to fit a temperature to, so its confidence is what training has "
                "made of it."
            )
        return f"Its logits are divided by a temperature of {self.temperature:.3g}, fitted to {self.fitted_to}."


def fit_answers(trainer: AudioTrainer, parts: Parts, plain: Transform, config: PreTrainedConfig, task: Task) -> Fit:
    """Have probabilities come true, by clips that were not trained on, and background be told as none of the classes.

    What is fitted goes into the network itself, so that every runtime gives the same answers.

    Args:
        trainer: whose training is over.
        parts: of the run.
        plain: makes inputs of clips as they are.
        config: of the task.
        task: that was trained, with what the runs before it have fitted.
    """
    background_output = validation_output = None
    if parts.background is not None:
        background_output = trainer.predict(parts.background.fit.with_transform(plain))
    fit = _take_over(task, config)
    if parts.validation is not None:
        validation_output = trainer.predict(parts.validation.with_transform(plain))
        fit.temperature = fit_temperature(*_with_background(validation_output, background_output), config)
        fit.fitted_to = f"{len(parts.validation)} validation clips"
        validation_output = validation_output._replace(predictions=validation_output.predictions / fit.temperature)
    set_temperature(trainer.model, fit.temperature)
    if parts.background is not None and background_output is not None:
        rate = trainer.args.false_alarms_per_hour
        if rate is not None:
            above = margins(background_output.predictions) / fit.temperature
            fit.rejection_margin = fit_margin(above, rate, parts.background.hours(above))
        elif validation_output is not None:
            fit.rejection_margin = sparing_margin(validation_output.predictions, validation_output.label_ids)
        set_rejection_margin(trainer.model, fit.rejection_margin)
    if parts.validation is not None:
        if fit.rejection_margin:  # which changes the logits
            validation_output = trainer.predict(parts.validation.with_transform(plain))
        fit.validation = _scores(config, parts.validation, validation_output)
    return fit


def _take_over(task: Task, config: PreTrainedConfig) -> Fit:
    """What the runs before this one have fitted, whose clips it was trained on."""
    validated, crossed = task.validated, task.crossed
    if crossed is not None and validated is None:
        fitted_to = (
            f"what the networks of the folds answered to the {len(crossed.scores.paths)} clips that each had not "
            "heard; these answers, which are judged here, have temperatures fitted to the clips of the other folds"
        )
        return Fit(None, cross_fit(crossed, config)[0], fitted_to=fitted_to)
    if validated is not None:
        fitted_to = "validation clips by a network that was not trained on them"
        scores = None if crossed is not None else validated.scores  # a fold's say nothing of the whole
        return Fit(scores, validated.temperature, validated.rejection_margin, fitted_to)
    return Fit(None)


def cross_fit(crossed: Crossed, config: PreTrainedConfig) -> tuple[float, Scores]:
    """A temperature for the network that is trained on all clips, and the folds' answers as they would then be.

    The temperature is fitted to all clips, each as the network answered that had not heard it. What a fold's clips are
    given for their figures is fitted to those of the other folds: so no clip has a say in how sure its own answer is.
    """
    scores = crossed.scores
    logits = to_logits(torch.from_numpy(scores.probabilities), config).numpy()
    cooled = np.empty_like(scores.probabilities)
    for fold in np.unique(crossed.fold):
        own = crossed.fold == fold
        temperature = fit_temperature(logits[~own], scores.references[~own], config)
        cooled[own] = probabilities(torch.from_numpy(logits[own] / temperature), config).numpy()
    return fit_temperature(logits, scores.references, config), replace(scores, probabilities=cooled)


def _with_background(
    validation: PredictionOutput, background: PredictionOutput | None
) -> tuple[np.ndarray, np.ndarray]:
    """Logits and labels of validation clips, and of background as many, that hours of it do not decide alone."""
    if background is None:
        return validation.predictions, validation.label_ids
    n_rows = min(len(background.label_ids), len(validation.label_ids))
    rows = np.linspace(0, len(background.label_ids) - 1, n_rows).astype(int)
    return (
        np.concatenate([validation.predictions, background.predictions[rows]]),
        np.concatenate([validation.label_ids, background.label_ids[rows]]),
    )


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
    scores = {name: _scores(config, clips, outputs[name]) for name, clips in parts.tests.items()}
    predictions = {name: _predictions(config, clips["path"][:], scores[name]) for name, clips in parts.tests.items()}
    for name, clips in parts.tests.items():
        add_columns(predictions[name], clips, task)
    if pooled_column is not None:
        pooled = pool_scores(scores[TEST], parts.test[pooled_column][:])
        predictions[pooled_column] = _predictions(config, pooled.paths, pooled)
    metrics: dict[str, Any] = {**outputs[TEST].metrics}
    others = {name: other for name, other in predictions.items() if name != TEST}
    for name, other in others.items():
        metrics |= _beside(other.metrics(), name)
    if len(parts.tests) > 1:
        metrics |= _harmonic([predictions[name].metrics() for name in parts.tests])
    rejection = None
    if parts.background is not None:
        background_logits = predict(parts.background.test.with_transform(plain)).predictions
        logits, labels = outputs[TEST].predictions, outputs[TEST].label_ids
        rejection = Rejection(
            margins(logits),
            logits[:, :-1].argmax(1) == labels,
            margins(background_logits),
            parts.background.hours(parts.background.test),
            margin,
        )
        metrics |= {f"eval_{name}": value for name, value in rejection.metrics().items()}
    if task.purpose != "preparation":
        metrics |= _judge_altered(predict, parts, config, trainer)
    return Judgement(metrics, predictions[TEST], others, scores[TEST], rejection)


def _judge_altered(
    predict: Callable[[Dataset], PredictionOutput], parts: Parts, config: PreTrainedConfig, trainer: AudioTrainer
) -> dict[str, Any]:
    """How good and how sure the network is where the test clips are noisy, say, for the results."""
    copies = altered_copies(parts.test, config.sampling_rate, parts.n_tags, trainer.model.num_parameters())
    measured = {}
    for name, clips in copies.items():
        scores = _scores(config, clips.with_format(None), predict(clips))
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
    """Have predictions know what clips belong together by, and by which further columns figures are told apart.

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


def _scores(config: PreTrainedConfig, clips: Dataset, output: PredictionOutput) -> Scores:
    scores = probabilities(torch.from_numpy(output.predictions), config).numpy()
    return Scores(relative_paths(clips["path"][:]), output.label_ids, scores)


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
