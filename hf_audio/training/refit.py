"""Two trainings for one network: the first is validated, the second learns from the validation clips too."""

import copy
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..arguments import RecipeArguments
from ..runs.folder import check_same_arguments, prepare_preceding, run_unless_finished
from ..runs.hub import read_destination
from .fine_tune import fine_tune
from .task import Task
from .validated import FITTED_NAME, Validated

logger = logging.getLogger(__name__)


def refit(args: RecipeArguments, task: Task) -> dict[str, Any]:
    """Train twice, and leave the second network's folder finished; returns its results.

    The first training lies in `OUTPUT_DIR-validated`; after a kill, the same command goes on, with
    `--resume_from_checkpoint last` in the second one.

    Raises:
        ArgumentError: either folder cannot be used; and as `fine_tune`.
    """
    read_destination(args)
    first = copy.copy(args)
    first.output_dir = prepare_preceding(args, "validated")
    first.push_to_hub, first.refit = False, False
    check_same_arguments(first)
    first_task = replace(task, purpose="preparation")
    results = run_unless_finished(first, Path(first.output_dir), lambda part: fine_tune(part, first_task))
    validated = Validated(first.output_dir, results["train_runtime"], **results[FITTED_NAME])
    logger.info("What %s has chosen is trained on all clips.", first.output_dir)
    seconds = {**task.preceding_seconds, "validated_runtime": validated.seconds}
    return fine_tune(args, replace(task, validated=validated, preceding_seconds=seconds))
