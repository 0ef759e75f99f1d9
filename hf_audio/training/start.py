"""How a recipe starts: its command line, the recordings it reads, and which trainings its arguments ask for."""

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers.utils.logging import disable_progress_bar

from ..arguments import RecipeArguments
from ..errors import ArgumentError, refusals_end_in_a_sentence
from ..recipe_flags import Arguments, parse_arguments
from ..runs.agreement import lost_processes_are_told, warn_of_old_addresses
from ..runs.folder.holding import let_go_after
from ..runs.folder.preparing import read_finished
from ..runs.folder.sameness import check_same_command
from .fine_tune import fine_tune
from .finish import train_baseline
from .heads.head import fits_head, settle_head
from .rehearsal import rehearse
from .series.cross_validation import cross_validate
from .series.label_audit import doubt_labels
from .series.pretraining import pretrain
from .series.refit import refit, refit_on_all
from .series.search import search_arguments
from .setup import clear_working_files, find_weights
from .task import Task

logger = logging.getLogger(__name__)


def run_recipe(
    make_task: Callable[[Arguments], Task],
    arguments_class: type[Arguments],
    argv: Sequence[str] | None = None,
    command: Sequence[str] | None = None,
) -> None:
    """Parse the command line and train a recipe's task; what the user can mend ends in a sentence and exit code 2.

    Args:
        make_task: makes the recipe's task of its arguments, and may set those that the user has not given.
        arguments_class: of the recipe.
        argv: the flags, by default those of this process.
        command: the words before them, by default this process's program.
    """
    first = os.environ.get("RANK", "0") == "0"  # of several processes, one tells how it goes on
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.INFO if first else logging.ERROR)
    for library in ("httpx", "httpx2", "datasets", "absl"):
        logging.getLogger(library).setLevel(logging.WARNING)
    disable_progress_bar()  # of single files; Trainer's own stays
    try:
        # Of each machine, one says what is wrong: it may be wrong there alone.
        speaks = os.environ.get("LOCAL_RANK", "0") == "0"
        with refusals_end_in_a_sentence(speaks), lost_processes_are_told():
            args = parse_arguments(arguments_class, argv, command)
            warn_of_old_addresses()
            check_same_command(args)
            train_task(args, make_task(args))
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


@let_go_after()
def train_task(args: RecipeArguments, task: Task) -> dict[str, Any]:
    """Train a task in the ways its arguments ask for; returns what `all_results.json` of the output folder holds.

    Before its training may go others that hand something on to it: a label audit, a pretraining, a validated training
    (`--refit`). `--search`, `--baseline` and a task with folds leave other things than one network.

    With `--resume_from_checkpoint auto`, a run that is finished already is read, and nothing is trained.

    Raises:
        Refusal: as `fine_tune`, `cross_validate`, `search_arguments` and the others do.
    """
    if (finished := read_finished(args)) is not None:
        clear_working_files(args)  # of a run that was killed behind its last step
        return finished
    if fits_head(args):
        args, task = settle_head(args, task)
    args.check_validation()
    find_weights(args, task)  # what refuses here leaves no folder
    rehearse(args)
    if task.folds is not None:
        return refit_on_all(args, task, train_task) if task.refits else cross_validate(args, task, train_task)
    if task.label_rounds:
        dataset, seconds = doubt_labels(args, task.dataset, task.held_out, task.label_rounds, task.label_encoder)
        before = {**task.preceding_seconds, **({"audit_runtime": seconds} if seconds else {})}
        task = replace(task, label_rounds=0, dataset=dataset, preceding_seconds=before)
    if task.pretraining is not None:
        task = pretrain(args, task, task.pretraining, train_task)
    if args.search:
        return search_arguments(args, task)
    if args.baseline:
        return train_baseline(args, task)
    if args.refit and args.validation_fraction > 0 and task.stream is None:
        return refit(args, task)
    return fine_tune(args, task)


def find_recordings(
    args: RecipeArguments, *, demo: Callable[[], Path], demo_words: str, download: Callable[[], Path] | None = None
) -> Path:
    """The folder a recipe reads: `--data_dir`, or what `--download` fetches, or a demo corpus, said aloud.

    Raises:
        ArgumentError: `--data_dir` is not a folder, or the task has nothing to download.
    """
    # On a disk that several machines share, two that download at once would write the same file.
    with args.main_process_first(local=False, desc="recordings"), args.main_process_first(desc="recordings"):
        if args.data_dir is not None:
            folder = Path(args.data_dir)
            if not folder.is_dir():
                raise ArgumentError(f"--data_dir {folder} is not a folder: give the one that holds the recordings.")
            return folder
        if args.download:
            if download is None:
                raise ArgumentError("--download: this task has no official recordings to fetch; pass --data_dir.")
            return download()
        logger.warning(
            "No --data_dir: training on a DEMO corpus, %s. Pass --data_dir or --download for real recordings.",
            demo_words,
        )
        return demo()
