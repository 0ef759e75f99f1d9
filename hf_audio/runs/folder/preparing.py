"""The beginning of a run: its folder is made, or refused because it is taken, before any time is spent."""

import json
import logging
import re
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from ...arguments import RecipeArguments
from ...errors import ArgumentError
from ...files import write_text
from ..agreement import gather, refuse_together
from .checkpoints import NEWEST, check_resumable, goes_on_or_begins, newest_of_all, wants_resume
from .contents import ARGUMENTS_NAME, CONTINUED_NAME, RESULTS_NAME, SEARCH, UNFINISHED_RUN, read_finished_results
from .finishing import discard_moved
from .holding import hold
from .overwriting import make_way
from .sameness import check_same_arguments, saved_arguments

logger = logging.getLogger(__name__)


def prepare_output_dir(args: RecipeArguments) -> Path | None:
    """Refuse a folder that is taken, else make it and note the arguments; returns the checkpoint to resume from.

    Raises:
        ArgumentError: the folder cannot be written, holds a run or other files, or has nothing to resume from; or it
            holds a search with other arguments, or another process writes it.
    """
    output_dir = Path(args.output_dir)
    makes_way = any(gather(args, refuse_together(args, partial(_take_over, args))))
    own = re.compile(".*") if makes_way else UNFINISHED_RUN
    if args.search:
        check_same_arguments(args)
        open_output_dir(args, SEARCH)
        return None
    checkpoint, newest = None, newest_of_all(args)
    finished = any(gather(args, (output_dir / RESULTS_NAME).exists()))
    if wants_resume(args):
        resume = str(args.resume_from_checkpoint)
        checkpoint = newest if resume.lower() in NEWEST else Path(resume)
        if checkpoint is not None or not goes_on_or_begins(args):
            refuse_together(args, partial(check_resumable, args, checkpoint))
    elif finished or newest is not None:
        raise ArgumentError(
            f"--output_dir {output_dir} already holds {'a finished' if finished else 'an unfinished'} run: choose "
            f"another folder{'' if finished else ', go on with --resume_from_checkpoint last'}, or replace it by "
            "--overwrite true."
        )
    resumed_here = checkpoint is not None and checkpoint.parent == output_dir
    refuse_together(args, partial(open_output_dir, args, re.compile(".*") if resumed_here else own))
    if checkpoint is None:
        _check_other_folders(args)
    return checkpoint


def open_output_dir(args: RecipeArguments, own: re.Pattern) -> None:
    """Make the folder and note the arguments in it; it may hold nothing but files whose names are `own` ones.

    Raises:
        ArgumentError: the folder cannot be written, holds other files, or another process writes it.
    """
    output_dir = Path(args.output_dir)
    with args.main_process_first(local=False, desc="output folder"):  # which may be one for all machines
        try:
            output_dir.mkdir(parents=True, exist_ok=True)
            if args.process_index == 0:
                hold(output_dir)
                discard_moved(output_dir)
            names = sorted(entry.name for entry in output_dir.iterdir())
            foreign = [name for name in names if not own.fullmatch(name)]
            if foreign:
                raise ArgumentError(
                    f"--output_dir {output_dir} already holds other files, {foreign[0]} for one: choose a new folder."
                )
            if args.process_index == 0:
                if (output_dir / RESULTS_NAME).exists():
                    (output_dir / CONTINUED_NAME).touch()
                write_text(output_dir / ARGUMENTS_NAME, json.dumps(saved_arguments(args), indent=2) + "\n")
        except OSError as error:
            raise ArgumentError(
                f"--output_dir {output_dir} cannot be written ({error.strerror}): choose another folder."
            ) from error


def _take_over(args: RecipeArguments) -> bool:
    if args.process_index == 0:
        with suppress(OSError):  # there is no folder yet; or what is wrong is told when it is opened
            hold(Path(args.output_dir))
    return make_way(args)


def _check_other_folders(args: RecipeArguments) -> None:
    """Say at the beginning that nothing will be able to go on, where the first process alone sees checkpoints.

    Raises:
        ArgumentError: the best checkpoint is wanted, which the others would miss: they keep their last weights then,
            and what all judge together is of two networks.
    """
    seen = gather(args, (Path(args.output_dir) / ARGUMENTS_NAME).is_file())
    if all(seen) or args.save_on_each_node:
        return
    unseen = f"Process {seen.index(False)} does not see what process 0 writes to --output_dir {args.output_dir}"
    remedy = "give a folder on a disk that all machines see, or --save_on_each_node true."
    if args.load_best_model_at_end:
        raise ArgumentError(f"{unseen}, and would miss the best epoch: {remedy}")
    logger.warning("%s: to go on after a restart, %s", unseen, remedy)


def read_finished(args: RecipeArguments) -> dict[str, Any] | None:
    """With `--resume_from_checkpoint auto`, the results of the run that the output folder holds finished.

    So a command that is started again, by a launcher or a scheduler, ends well where there is nothing left to do.

    Raises:
        ArgumentError: that run had other arguments.
    """
    if not goes_on_or_begins(args):
        return None
    output_dir = Path(args.output_dir)
    results = next((each for each in gather(args, read_finished_results(output_dir)) if each is not None), None)
    if results is not None:
        refuse_together(args, partial(check_same_arguments, args))
        pushed = f"; hf-audio push {output_dir} uploads it, if that is missing" if args.push_to_hub else ""
        logger.info("%s holds this run already, finished: there is nothing to go on with%s.", output_dir, pushed)
    return results
