"""Runs that a command trains before its own, or as parts of it, each in a folder of its own."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...arguments import RecipeArguments
from ..agreement import gather
from .checkpoints import AUTO, last_checkpoint, wants_resume
from .contents import preceding_folder, read_finished_results
from .preparing import prepare_output_dir


def prepare_preceding(args: RecipeArguments, name: str) -> str:
    """The folder `OUTPUT_DIR-name` of runs that precede the command's own, whose folder is prepared first.

    Before any time is spent: a folder that cannot be used is found at once. Of a command that was killed in the runs
    before its own, there is nothing to resume yet.

    Raises:
        ArgumentError: as `prepare_output_dir`.
    """
    folder = preceding_folder(args, name)
    if wants_resume(args) and Path(folder).exists() and last_checkpoint(args.output_dir) is None:
        args.resume_from_checkpoint = None
    prepare_output_dir(args)
    return folder


def run_unless_finished(args: RecipeArguments, folder: Path, run: Callable[[RecipeArguments], Any]) -> dict[str, Any]:
    """One of several runs of a command: read where it is finished, resumed where it has begun; returns its results.

    Args:
        args: of the command.
        folder: of this run.
        run: trains, given `args` with that folder, and leaves it finished.
    """
    # The first process says so for all: another machine may see later what it has written.
    results = gather(args, read_finished_results(folder))[0]
    if results is None:
        part = copy.copy(args)
        part.output_dir = str(folder)
        part.resume_from_checkpoint = AUTO
        run(part)
        results = gather(args, read_finished_results(folder))[0]
        assert results is not None, f"{folder} is finished"
    return results
