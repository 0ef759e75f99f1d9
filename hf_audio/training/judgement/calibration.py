"""How sure a finished network may be: a temperature and a margin, fitted to clips that it was not trained on."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from scipy.optimize import minimize_scalar
from transformers import PreTrainedConfig
from transformers.trainer_utils import PredictionOutput

from ...augmentation.altered import alter, choose_clips
from ...data.rows import UNVERIFIED_COLUMN
from ...models.modeling_audio_cnn import add_margin, classification_loss, probabilities, to_logits
from ...runs.confidence import NOISE, ROOM
from ...runs.rejection import fit_margin, margins, sparing_margin
from ...runs.scores import Scores, relative_paths
from ..networks.network_parts import set_event_rule, set_rejection_margin, set_temperature
from ..parts import Parts
from ..task import Task
from ..trainer import AudioTrainer
from .crossed import Crossed
from .event_fit import fit_rule_to_rows

FITTED_BY = (NOISE, ROOM)  # alterations of training clips
MOST_FITTED = 150  # training clips, which cost a second or two
SPREAD = 1.0  # of temperatures, beforehand: those of networks here lie between 0.3 and 2
Transform = Callable[[dict[str, list[Any]]], dict[str, list[Any]]]


def fit_temperature(
    logits: np.ndarray, labels: np.ndarray, config: PreTrainedConfig, spread: float | None = None
) -> float:
    """What logits must be divided by for the least loss on clips that were not trained on.

    Few clips, all judged right, would ask for a temperature of zero: it lies between 0.1 and 10 in any case, and with
    a `spread`, it is the likelier beforehand the nearer to 1 it is. Source: Guo et al. 2017,
    https://arxiv.org/abs/1706.04599.

    Args:
        logits: (clips, labels).
        labels: (clips,) or (clips, digits).
        config: of the network.
        spread: standard deviation of its logarithm, beforehand.
    """
    scores, targets = torch.from_numpy(logits), torch.from_numpy(labels)

    def loss(log_temperature: float) -> float:
        surprise = float(classification_loss(scores / math.exp(log_temperature), targets, config))
        return surprise if spread is None else surprise + (log_temperature / spread) ** 2 / (2 * len(labels))

    return math.exp(minimize_scalar(loss, bounds=(math.log(0.1), math.log(10)), method="bounded").x)


@dataclass
class Fit:
    """What was fitted to clips that were not trained on, and is now in the network."""

    validation: Scores | None
    """Of the validation clips, as the network now tells them; where it learnt from them too, as the first one did."""
    temperature: float = 1.0
    rejection_margin: float = 0.0
    event_rule: dict[str, Any] | None = None
    """How events follow from scores over time, as `EventRule.to_dict` has it; `None` where no events said it."""
    fitted_to: str = ""
    """What the temperature was fitted to, in words; nothing where it was not fitted."""
    background: Scores | None = None
    """Of the background that was held out from training to fit the margin, as the network now tells it."""
    told: str = ""
    """What scores mean, in place of that, where there is no temperature."""

    @property
    def fitted(self) -> dict[str, Any]:
        """What another training takes over, by name."""
        numbers = {"temperature": self.temperature, "rejection_margin": self.rejection_margin}
        return numbers if self.event_rule is None else {**numbers, "event_rule": self.event_rule}

    def describe(self) -> str:
        """How the temperature came about, for the card."""
        if self.told:
            return self.told
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
    sentence = trainer.describe_threshold()
    if sentence:
        return Fit(None, told=sentence)
    background_output = validation_output = None
    if parts.background is not None:
        background_output = trainer.predict(parts.background.fit.with_transform(plain))
    fit = _take_over(task, config)
    if parts.validation is not None:
        validation_output = trainer.predict(parts.validation.with_transform(plain))
        fit.temperature = fit_temperature(*_with_background(validation_output, background_output), config, SPREAD)
        fit.fitted_to = f"{len(parts.validation)} validation clips"
        validation_output = validation_output._replace(predictions=validation_output.predictions / fit.temperature)
    clips = fitting_clips(parts, config, task, trainer.model.num_parameters())
    if clips is not None:
        fit = _fit_to_training(trainer, clips, plain, config)
    set_temperature(trainer.model, fit.temperature)
    if parts.background is not None and background_output is not None:
        rate = trainer.args.false_alarms_per_hour
        if rate is not None:
            above = margins(background_output.predictions) / fit.temperature
            fit.rejection_margin = fit_margin(above, rate, parts.background.hours(above))
        elif validation_output is not None:
            fit.rejection_margin = sparing_margin(validation_output.predictions, validation_output.label_ids)
        set_rejection_margin(trainer.model, fit.rejection_margin)
        logits = add_margin(torch.from_numpy(background_output.predictions) / fit.temperature, fit.rejection_margin)
        background_output = background_output._replace(predictions=logits.numpy())
        fit.background = scores_of(config, parts.background.fit_names, background_output)
    if parts.validation is not None:
        fit.event_rule = fit_rule_to_rows(trainer.model, trainer.processing_class, parts.validation)
    set_event_rule(trainer.model, fit.event_rule)
    if parts.validation is not None:
        if fit.rejection_margin:  # which changes the logits
            validation_output = trainer.predict(parts.validation.with_transform(plain))
        fit.validation = scores_of(config, relative_paths(parts.validation["path"][:]), validation_output)
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
        return Fit(scores, validated.temperature, validated.rejection_margin, validated.event_rule, fitted_to)
    return Fit(None)


def fitting_clips(parts: Parts, config: PreTrainedConfig, task: Task, n_parameters: int) -> Dataset | None:
    """Training clips to whose altered copies a temperature is fitted, where there are no others to fit it to.

    Args:
        parts: of the run.
        config: of the task.
        task: that is trained.
        n_parameters: of the network.
    """
    others = parts.validation is not None or task.validated is not None or task.crossed is not None
    others = others or config.normal_centers > 0
    if others or task.purpose == "preparation" or not isinstance(parts.train, Dataset):
        return None
    clips = parts.train.with_format(None)
    if UNVERIFIED_COLUMN in clips.column_names:
        clips = clips.select(np.flatnonzero(~np.asarray(clips[UNVERIFIED_COLUMN][:], dtype=bool)))
    return choose_clips(clips, config.sampling_rate, n_parameters, MOST_FITTED)


def _fit_to_training(trainer: AudioTrainer, clips: Dataset, plain: Transform, config: PreTrainedConfig) -> Fit:
    """A temperature that is fitted to training clips in noise and in a room.

    As they were trained on, networks know them by heart. Altered, they are judged about as well as unheard clips, and
    what label smoothing and mixing do to confidence is the same in both. By telephone too little is left of sounds
    other than speech. docs/experiments.md has what was tried.
    """
    unheard = trainer.unheard_answers()
    if unheard is not None:
        fitted_to = (
            f"what heads that were fitted to parts of the {len(unheard[1])} training clips answered to the others"
        )
        return Fit(None, fit_temperature(*unheard, config, SPREAD), fitted_to=fitted_to)
    copies = [alter(clips, config.sampling_rate, name).with_transform(plain) for name in FITTED_BY]
    outputs = [trainer.predict(altered) for altered in copies]
    logits, labels = (np.concatenate([output[place] for output in outputs]) for place in (0, 1))
    what = f"{len(labels)} altered copies of training clips ({' and '.join(FITTED_BY)})"
    fitted_to = f"{what}, because no clips were held out to fit it to"
    return Fit(None, fit_temperature(logits, labels, config, SPREAD), fitted_to=fitted_to)


def cross_fit(crossed: Crossed, config: PreTrainedConfig) -> tuple[float, Scores]:
    """A temperature for the network that is trained on all clips, and the folds' answers as they would then be.

    The temperature is fitted to all clips, each as the network answered that had not heard it. What a fold's clips are
    given for their figures is fitted to those of the other folds: so no clip has a say in how sure its own answer is.
    """
    scores = crossed.scores
    # As the networks gave them before their own temperatures.
    logits = to_logits(torch.from_numpy(scores.probabilities), config).numpy() * crossed.temperatures[:, None]
    cooled = np.empty_like(scores.probabilities)
    for fold in np.unique(crossed.fold):
        own = crossed.fold == fold
        temperature = fit_temperature(logits[~own], scores.references[~own], config, SPREAD)
        cooled[own] = probabilities(torch.from_numpy(logits[own] / temperature), config).numpy()
    return fit_temperature(logits, scores.references, config, SPREAD), replace(scores, probabilities=cooled)


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


def scores_of(config: PreTrainedConfig, names: Sequence[str], output: PredictionOutput) -> Scores:
    """What a network has predicted of clips, as probabilities under their names."""
    scores = probabilities(torch.from_numpy(output.predictions), config).numpy()
    return Scores(names, output.label_ids, scores)
