"""Checkpoints in the folder of a run: which are complete, which is the newest, and what a command may go on from."""

import json
import os
from contextlib import suppress
from pathlib import Path

from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from ...arguments import RecipeArguments
from ...errors import ArgumentError
from ..agreement import gather
from .sameness import check_same_arguments

# Values of `--resume_from_checkpoint` that stand for the newest checkpoint; with `AUTO`, there need not be one.
AUTO = "auto"
NEWEST = ("true", "last", AUTO)
OPTIMIZER_NAME = "optimizer.pt"
STATE_NAME = "trainer_state.json"  # which Trainer writes last


def wants_resume(args: RecipeArguments) -> bool:
    """Whether `--resume_from_checkpoint` is given."""
    return args.resume_from_checkpoint is not None and str(args.resume_from_checkpoint).lower() != "false"


def goes_on_or_begins(args: RecipeArguments) -> bool:
    """Whether `--resume_from_checkpoint auto` is given."""
    return str(args.resume_from_checkpoint).lower() == AUTO


def last_checkpoint(output_dir: str | os.PathLike) -> Path | None:
    """The newest complete `checkpoint-N` in a folder; one that a kill cut off in the middle does not count."""
    steps = _complete_checkpoints(output_dir)
    return Path(output_dir) / max(steps, key=steps.__getitem__) if steps else None


def _complete_checkpoints(output_dir: str | os.PathLike) -> dict[str, int]:
    """The names of complete checkpoints, with their steps."""
    steps = {}
    for folder in Path(output_dir).glob(f"{PREFIX_CHECKPOINT_DIR}-*"):
        with suppress(OSError, ValueError, KeyError):
            steps[folder.name] = json.loads((folder / STATE_NAME).read_text())["global_step"]
    return steps


def newest_of_all(args: RecipeArguments) -> Path | None:
    """The newest checkpoint in the output folder that is complete for every process, wherever its disk is.

    Raises:
        ArgumentError: there are complete ones, and none that all processes see.
    """
    seen = gather(args, _complete_checkpoints(args.output_dir))
    steps = {name: step for each in seen for name, step in each.items()}
    common = set(steps).intersection(*seen)
    if steps and not common:
        newest = max(steps, key=steps.__getitem__)
        raise ArgumentError(
            f"Process {next(n for n, each in enumerate(seen) if newest not in each)} does not see "
            f"{Path(args.output_dir) / newest}, from which others could go on: give an --output_dir on a disk that "
            "all machines see, or train with --save_on_each_node true, in a new folder."
        )
    return Path(args.output_dir) / max(common, key=steps.__getitem__) if common else None


def planned_steps(checkpoint: Path) -> int:
    """How many steps the training was to have that has left a checkpoint."""
    return int(json.loads((checkpoint / STATE_NAME).read_text(encoding="utf-8"))["max_steps"])


def check_resumable(args: RecipeArguments, checkpoint: Path | None) -> None:
    """Refuse to go on from a checkpoint in another way than it was begun; a longer training may follow.

    Raises:
        ArgumentError: there is none, the run had other arguments, or the checkpoint holds weights alone.
    """
    if checkpoint is None or not (checkpoint / STATE_NAME).is_file():
        raise ArgumentError(
            f"--resume_from_checkpoint {args.resume_from_checkpoint}: {checkpoint or args.output_dir} holds no "
            "complete checkpoint; start without the flag."
        )
    if not (checkpoint / OPTIMIZER_NAME).is_file():
        raise ArgumentError(
            f"--resume_from_checkpoint: {checkpoint} holds weights without their optimiser (--save_only_model), so "
            "nothing goes on from there: begin with them, by --model_name_or_path."
        )
    check_same_arguments(args, checkpoint.parent, may_grow=("max_steps", "num_train_epochs"))
