"""A first network, trained on clips of its own, with whose weights the task's network begins."""

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...arguments import RecipeArguments
from ...runs.folder.preceding import prepare_preceding, run_unless_finished
from ...runs.folder.sameness import check_same_arguments
from ...runs.hub import read_destination
from ..judgement.validated import validate_nothing
from ..optimization.budget import share_time
from ..task import Pretraining, Task


def pretrain(
    args: RecipeArguments, task: Task, pretraining: Pretraining, train: Callable[[RecipeArguments, Task], Any]
) -> Task:
    """Have a first network trained, in `OUTPUT_DIR-pretrained`; after a kill, the same command goes on.

    It has no teacher, validates nothing and is not uploaded.

    Args:
        args: of the command, whose output folder is looked at before any time is spent.
        task: of the second training.
        pretraining: what the first one is trained on.
        train: leaves the folder of the first training finished.

    Returns:
        The task, which begins with those weights.

    Raises:
        ArgumentError: either folder cannot be used, or the first run had other arguments.
    """
    read_destination(args)
    folder = prepare_preceding(args, "pretrained")
    first = copy.copy(share_time(args, 2))
    first.output_dir = folder
    first.push_to_hub, first.teacher, first.pseudo_labels, first.search, first.refit = False, None, None, 0, False
    validate_nothing(first)
    for name, value in pretraining.arguments.items():
        setattr(first, name, value)
    check_same_arguments(first)

    def train_first(part: RecipeArguments) -> None:
        train(part, replace(pretraining.make_task(part), purpose="preparation"))

    results = run_unless_finished(first, Path(folder), train_first)
    seconds = {**task.preceding_seconds, "pretrain_runtime": results["train_runtime"]}
    return replace(task, pretraining=None, begins_with=folder, preceding_seconds=seconds)
