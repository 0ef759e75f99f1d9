"""What a validated training hands on to a second one, which learns from the validation clips too."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers.trainer_utils import IntervalStrategy, SaveStrategy

from ...arguments import RecipeArguments
from ...runs.scores import Scores, read_scores
from ..trainer import AudioTrainer

FITTED_NAME = "fitted"  # of a run's results


@dataclass
class Validated:
    """A finished run whose validation clips have said what another run, which trains on them too, takes over."""

    folder: str
    seconds: float
    """That it took."""
    epochs: float
    temperature: float
    rejection_margin: float
    event_rule: dict[str, Any] | None = None

    @property
    def scores(self) -> Scores:
        """Scores of the validation clips, by the network that was not trained on them."""
        return read_scores(Path(self.folder))["validation"]

    def arguments(self, args: RecipeArguments) -> RecipeArguments:
        """Those of a command, for its second training."""
        second = copy.copy(args)
        second.num_train_epochs, second.max_steps = self.epochs, -1
        validate_nothing(second)
        return second


def describe_fit(trainer: AudioTrainer, fitted: Mapping[str, Any]) -> dict[str, Any]:
    """What a second training takes over of a first one, for its results.

    Args:
        trainer: of the first one.
        fitted: what was fitted to the validation clips, by the names of `Validated`.
    """
    state = trainer.state
    best = state.best_global_step if trainer.args.load_best_model_at_end else None
    # Of a run that was stopped early, or after so many steps, the epochs are those it has come to; a fitted head has
    # neither.
    epochs = round((state.epoch or 0) * (best or state.global_step) / max(state.global_step, 1), 6)
    return {FITTED_NAME: {"epochs": epochs, **fitted}}


def validate_nothing(args: RecipeArguments) -> None:
    """Have a run train on all its clips."""
    args.validation_fraction, args.early_stopping_patience, args.load_best_model_at_end = 0, 0, False
    args.eval_strategy, args.eval_on_start = IntervalStrategy.NO, False
    if args.save_strategy == SaveStrategy.BEST:  # which no epoch would be
        args.save_strategy = SaveStrategy.EPOCH
