"""Several trainings for one network: others are validated or judged, and the last one learns from all clips."""

import copy
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...arguments import RecipeArguments
from ...runs.folder.preceding import prepare_preceding, run_unless_finished
from ...runs.folder.sameness import check_same_arguments
from ...runs.hub import read_destination
from ..fine_tune import fine_tune
from ..judgement.crossed import Crossed
from ..judgement.validated import FITTED_NAME, Validated
from ..optimization.budget import share_time
from ..task import Task
from .cross_validation import cross_validate

logger = logging.getLogger(__name__)


def refit(args: RecipeArguments, task: Task) -> dict[str, Any]:
    """Train twice, and leave the second network's folder finished; returns its results.

    The first training lies in `OUTPUT_DIR-validated`; after a kill, the same command goes on, with
    `--resume_from_checkpoint last` in the second one.

    Raises:
        ArgumentError: either folder cannot be used; and as `fine_tune`.
    """
    read_destination(args)
    first = copy.copy(share_time(args, 2))
    first.output_dir = prepare_preceding(args, "validated")
    first.push_to_hub, first.refit = False, False
    check_same_arguments(first)
    first_task = replace(task, purpose="preparation")
    results = run_unless_finished(first, Path(first.output_dir), lambda part: fine_tune(part, first_task))
    validated = Validated(first.output_dir, results["train_runtime"], **results[FITTED_NAME])
    logger.info("What %s has chosen is trained on all clips.", first.output_dir)
    seconds = {**task.preceding_seconds, "validated_runtime": validated.seconds}
    last = replace(task, validated=validated, preceding_seconds=seconds, is_retold=True)
    return fine_tune(args, last)


def refit_on_all(
    args: RecipeArguments, task: Task, train: Callable[[RecipeArguments, Task], dict[str, Any]]
) -> dict[str, Any]:
    """Judge a task by cross-validation, and leave a network that is trained on all clips; returns its results.

    The folds lie in `OUTPUT_DIR-folds`; after a kill, the same command goes on, with `--resume_from_checkpoint last`
    in the last training.

    Args:
        args: of all trainings.
        task: with `folds`.
        train: trains and judges a task with one split, and leaves its folder finished.

    Raises:
        ArgumentError: either folder cannot be used; and as `cross_validate` and `fine_tune`.
    """
    assert task.folds is not None
    read_destination(args)
    folded = copy.copy(share_time(args, len(task.folds) + 1, len(task.folds)))
    folded.output_dir = prepare_preceding(args, "folds")
    folded.push_to_hub, folded.overwrite = False, False
    check_same_arguments(folded)
    folder = Path(folded.output_dir)
    judged = replace(task, refits=False, purpose="preparation")
    run_unless_finished(folded, folder, lambda part: cross_validate(part, judged, train))
    crossed = Crossed.read(folder, task.dataset, task.folds, task.group_column)
    logger.info("What the %d folds have judged is trained on all clips.", len(crossed.names))
    seconds = {**task.preceding_seconds, "folds_runtime": crossed.seconds}
    nothing = np.zeros(len(task.dataset), dtype=bool)
    last = replace(
        task,
        folds=None,
        refits=False,
        held_out=nothing,
        crossed=crossed,
        validated=crossed.validated,
        preceding_seconds=seconds,
        is_retold=True,
    )
    return fine_tune(args, last)
