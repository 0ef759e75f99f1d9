"""Two trainings for one network: the first is validated, the second learns from the validation clips too."""

import copy
import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers.trainer_utils import IntervalStrategy

from ..arguments import RecipeArguments
from ..runs.folder import check_same_arguments, prepare_preceding, run_unless_finished
from ..runs.hub import read_destination
from ..runs.scores import Scores, read_scores
from .trainer import AudioTrainer

logger = logging.getLogger(__name__)

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

    @property
    def scores(self) -> Scores:
        """Of the validation clips, by the network that was not trained on them."""
        return read_scores(Path(self.folder))["validation"]

    def arguments(self, args: RecipeArguments) -> RecipeArguments:
        """Those of a command, for its second training."""
        second = copy.copy(args)
        second.num_train_epochs, second.max_steps = self.epochs, -1
        validate_nothing(second)
        return second


def refitting(fine_tune: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Have a function train twice where `args.refit` asks for it.

    The first training lies in `OUTPUT_DIR-validated`; after a kill, the same command goes on, with
    `--resume_from_checkpoint last` in the second one. Where nothing validates, or no network is kept, the function is
    called as it is.

    Args:
        fine_tune: of arguments, config and data; it takes `validated` for its second training, and leaves what that
            takes over in its results, by `describe_fit`.
    """

    @functools.wraps(fine_tune)
    def train(args: RecipeArguments, config: Any, *data: Any, **options: Any) -> dict[str, Any]:
        stays = args.search or args.baseline or options.get("stream") is not None  # which does not go with it
        if not args.refit or args.validation_fraction == 0 or stays:
            return fine_tune(args, config, *data, **options)
        read_destination(args)
        first = copy.copy(args)
        first.output_dir = prepare_preceding(args, "validated")
        first.push_to_hub, first.refit = False, False
        check_same_arguments(first)

        def run(part: RecipeArguments) -> None:
            fine_tune(part, copy.deepcopy(config), *data, **options)

        results = run_unless_finished(first, Path(first.output_dir), run)
        validated = Validated(first.output_dir, results["train_runtime"], **results[FITTED_NAME])
        logger.info("What %s has chosen is trained on all clips.", first.output_dir)
        return fine_tune(args, config, *data, validated=validated, **options)

    return train


def describe_fit(trainer: AudioTrainer, temperature: float, rejection_margin: float) -> dict[str, Any]:
    """What a second training takes over of a first one, for its results."""
    state = trainer.state
    best = state.best_global_step if trainer.args.load_best_model_at_end else None
    # Of a run that was stopped early, or after so many steps, the epochs are those it has come to.
    epochs = round((state.epoch or 0) * (best or state.global_step) / state.global_step, 6)
    return {FITTED_NAME: {"epochs": epochs, "temperature": temperature, "rejection_margin": rejection_margin}}


def validate_nothing(args: RecipeArguments) -> None:
    """Have a run train on all its clips."""
    args.validation_fraction, args.early_stopping_patience, args.load_best_model_at_end = 0, 0, False
    args.eval_strategy, args.eval_on_start = IntervalStrategy.NO, False
