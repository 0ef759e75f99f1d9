"""The folder a run leaves: never another's overwritten, never half-written, finished when it holds its results."""

import copy
import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from ..arguments import RecipeArguments
from ..errors import ArgumentError
from ..files import write_text

logger = logging.getLogger(__name__)

RESULTS_NAME = "all_results.json"  # written last: a folder that has it is finished
ARGUMENTS_NAME = "training_args.json"
PARTS_NAME = ".unfinished"
# Seconds, in a run's results: of its own training, and of those that it took before.
RUNTIMES = ("train_runtime", "audit_runtime", "pretrain_runtime", "validated_runtime")
# What an unfinished run leaves, and an unfinished cross-validation; into other files nothing is mixed.
UNFINISHED_RUN = re.compile(r"training_args\.json|runs|checkpoint-\d+|tmp-checkpoint-\d+|\..*")
SEARCH_NAME = "search.db"
TRIALS_NAME = "trials.csv"
SEARCH_PICTURE = "search.png"
BEST_NAME = "best_arguments.yaml"
SEARCH = re.compile(r"training_args\.json|runs|search\.(db(-journal)?|png)|trials\.csv|best_arguments\.yaml|\..*")
UNFINISHED_FOLDS = re.compile(r"training_args\.json|fold_.+|\..*")
# What another run would choose for its own machine and folder is left to it.
NOT_SAVED = ("overwrite", "resume_from_checkpoint", "use_cpu", "hub_token", "push_to_hub_token")
# May differ between the command that began a cross-validation or a search and the one that goes on with it.
FREE_ARGUMENTS = {"output_dir", "run_name", "disable_tqdm", "report_to", "dataloader_num_workers", "search"}

# Of `OUTPUT_DIR-name`: what a command trains before its own run.
PRECEDING = ("audit", "pretrained", "validated")
# Arguments that may name something in the output folder and read nothing from there.
WRITTEN = ("output_dir", "logging_dir", "run_name", "hub_model_id")


def prepare_output_dir(args: RecipeArguments) -> Path | None:
    """Refuse a folder that is taken, else make it and note the arguments; returns the checkpoint to resume from.

    Raises:
        ArgumentError: the folder cannot be written, holds a run or other files, or has nothing to resume from; or it
            holds a search with other arguments.
    """
    output_dir = Path(args.output_dir)
    make_way(args)
    if args.search:
        check_same_arguments(args)
        open_output_dir(args, SEARCH)
        return None
    checkpoint = None
    if wants_resume(args):
        resume = str(args.resume_from_checkpoint)
        checkpoint = last_checkpoint(output_dir) if resume.lower() in ("true", "last") else Path(resume)
        if checkpoint is None or not (checkpoint / "trainer_state.json").is_file():
            raise ArgumentError(
                f"--resume_from_checkpoint {resume}: {checkpoint or output_dir} holds no complete checkpoint; "
                "start without the flag."
            )
    elif (output_dir / RESULTS_NAME).exists() or last_checkpoint(output_dir) is not None:
        finished = (output_dir / RESULTS_NAME).exists()
        raise ArgumentError(
            f"--output_dir {output_dir} already holds {'a finished' if finished else 'an unfinished'} run: choose "
            f"another folder{'' if finished else ', go on with --resume_from_checkpoint last'}, or replace it by "
            "--overwrite true."
        )
    resumed_here = checkpoint is not None and checkpoint.parent == output_dir
    open_output_dir(args, re.compile(".*") if resumed_here else UNFINISHED_RUN)
    return checkpoint


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


def preceding_folder(args: RecipeArguments, name: str) -> str:
    """The folder of runs that precede a command's own; name: one of `PRECEDING`."""
    return f"{args.output_dir.rstrip('/')}-{name}"


def make_way(args: RecipeArguments) -> None:
    """Where `--overwrite` asks for it, delete the run in the output folder and those that preceded it.

    Of a folder that holds no run, nothing is deleted.

    Raises:
        ArgumentError: the new run reads something that would be deleted, or it cannot be deleted.
    """
    if not args.overwrite or wants_resume(args):
        return
    output_dir = Path(args.output_dir)
    with args.main_process_first(desc="overwriting"):
        finished = (output_dir / RESULTS_NAME).exists()
        begun = not args.search and last_checkpoint(output_dir) is not None
        if args.process_index > 0 or not (finished or begun):
            return
        preceding = [Path(preceding_folder(args, name)) for name in PRECEDING]
        folders = [output_dir, *(folder for folder in preceding if (folder / ARGUMENTS_NAME).is_file())]
        _check_spared(args, folders)
        logger.warning("--overwrite: deleting the run in %s.", " and ".join(map(str, folders)))
        try:
            for entry in [*output_dir.iterdir(), *folders[1:]]:
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
        except OSError as error:
            raise ArgumentError(
                f"--output_dir {output_dir} cannot be emptied ({error.strerror}): choose another folder."
            ) from error


def _check_spared(args: RecipeArguments, folders: Sequence[Path]) -> None:
    for name, value in args.to_dict().items():
        if name in WRITTEN or not isinstance(value, str) or not value or not os.path.exists(value):
            continue
        if any(Path(value).resolve().is_relative_to(folder.resolve()) for folder in folders):
            raise ArgumentError(
                f"--{name} {value} lies in what --overwrite would delete: choose another --output_dir."
            )


def wants_resume(args: RecipeArguments) -> bool:
    """Whether `--resume_from_checkpoint` is given."""
    return args.resume_from_checkpoint is not None and str(args.resume_from_checkpoint).lower() != "false"


def open_output_dir(args: RecipeArguments, own: re.Pattern) -> None:
    """Make the folder and note the arguments in it; it may hold nothing but files whose names are `own` ones.

    Raises:
        ArgumentError: the folder cannot be written or holds other files.
    """
    output_dir = Path(args.output_dir)
    with args.main_process_first(desc="output folder"):
        try:
            output_dir.mkdir(parents=True, exist_ok=True)
            names = sorted(entry.name for entry in output_dir.iterdir())
            foreign = [name for name in names if not own.fullmatch(name)]
            if foreign:
                raise ArgumentError(
                    f"--output_dir {output_dir} already holds other files, {foreign[0]} for one: choose a new folder."
                )
            if args.process_index == 0:
                write_text(output_dir / ARGUMENTS_NAME, json.dumps(saved_arguments(args), indent=2) + "\n")
        except OSError as error:
            raise ArgumentError(
                f"--output_dir {output_dir} cannot be written ({error.strerror}): choose another folder."
            ) from error


def saved_arguments(args: RecipeArguments) -> dict[str, Any]:
    """The arguments that repeat a run."""
    return {name: value for name, value in args.to_dict().items() if name not in NOT_SAVED}


def check_same_arguments(args: RecipeArguments) -> None:
    """Refuse to go on in a folder whose run had other arguments.

    Raises:
        ArgumentError: the folder's arguments are other ones, but for those that change no result.
    """
    try:
        before = json.loads((Path(args.output_dir) / ARGUMENTS_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    now = json.loads(json.dumps(saved_arguments(args)))
    for name in sorted(set(before) & set(now) - FREE_ARGUMENTS):
        if before[name] != now[name]:
            raise ArgumentError(
                f"--output_dir {args.output_dir} holds what was trained with --{name} {before[name]}, not "
                f"{now[name]}: give the same arguments to go on, or choose another folder."
            )


def run_unless_finished(args: RecipeArguments, folder: Path, run: Callable[[RecipeArguments], Any]) -> dict[str, Any]:
    """One of several runs of a command: read where it is finished, resumed where it has begun; returns its results.

    Args:
        args: of the command.
        folder: of this run.
        run: trains, given `args` with that folder, and leaves it finished.
    """
    if not (folder / RESULTS_NAME).exists():
        part = copy.copy(args)
        part.output_dir = str(folder)
        part.resume_from_checkpoint = None if last_checkpoint(folder) is None else "last"
        run(part)
    return json.loads((folder / RESULTS_NAME).read_text(encoding="utf-8"))


@contextmanager
def finishing(output_dir: Path, results: Mapping[str, Any]) -> Iterator[Path]:
    """A folder to write a run's files into; they are moved to `output_dir` together, and then the results follow."""
    parts = output_dir / PARTS_NAME
    shutil.rmtree(parts, ignore_errors=True)
    parts.mkdir()
    yield parts
    for file in sorted(parts.iterdir()):
        os.replace(file, output_dir / file.name)
    parts.rmdir()
    write_text(output_dir / RESULTS_NAME, json.dumps(results, indent=2) + "\n")


def training_seconds(results: Mapping[str, Any]) -> float:
    """Of all the trainings that a finished run took, those before its own among them."""
    return sum(results.get(name, 0.0) for name in RUNTIMES)


def last_checkpoint(output_dir: str | os.PathLike) -> Path | None:
    """The newest complete `checkpoint-N` in a folder; one that a kill cut off in the middle does not count."""
    found = []
    for folder in Path(output_dir).glob(f"{PREFIX_CHECKPOINT_DIR}-*"):
        try:
            # Trainer writes this file last.
            found.append((json.loads((folder / "trainer_state.json").read_text())["global_step"], folder))
        except (OSError, ValueError, KeyError):
            continue
    return max(found)[1] if found else None
