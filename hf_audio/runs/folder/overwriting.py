"""`--overwrite`: a run makes way for another, and what is no run's stays."""

import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from ...arguments import RecipeArguments
from ...errors import ArgumentError
from .checkpoints import last_checkpoint, wants_resume
from .contents import (
    ARGUMENTS_NAME,
    PRECEDING,
    RESULTS_NAME,
    SEARCH,
    UNFINISHED_FOLDS,
    UNFINISHED_RUN,
    preceding_folder,
    written_files,
)
from .finishing import discard_moved

logger = logging.getLogger(__name__)

# Arguments that may name something in the output folder and read nothing from there.
WRITTEN = ("output_dir", "logging_dir", "run_name", "hub_model_id")


def make_way(args: RecipeArguments) -> bool:
    """Where `--overwrite` asks for it, delete the run in the output folder and those that preceded it.

    What the runs have not written themselves stays; of a folder that holds no run, nothing is deleted.

    Returns:
        Whether there was a run in the output folder.

    Raises:
        ArgumentError: the new run reads something that would be deleted, or it cannot be deleted.
    """
    if not args.overwrite or wants_resume(args):
        return False
    output_dir = Path(args.output_dir)
    with args.main_process_first(desc="overwriting"):
        finished = (output_dir / RESULTS_NAME).exists()
        begun = not args.search and last_checkpoint(output_dir) is not None
        if args.process_index > 0 or not (finished or begun):
            return finished or begun
        preceding = [Path(preceding_folder(args, name)) for name in PRECEDING]
        folders = [output_dir, *(folder for folder in preceding if (folder / ARGUMENTS_NAME).is_file())]
        _check_spared(args, folders)
        logger.warning("--overwrite: deleting the run in %s.", " and ".join(map(str, folders)))
        try:
            for folder in folders:
                discard_moved(folder)
                _delete_run(folder)
            for folder in folders[1:]:
                if not any(folder.iterdir()):
                    folder.rmdir()
        except OSError as error:
            raise ArgumentError(
                f"--output_dir {output_dir} cannot be emptied ({error.strerror}): choose another folder."
            ) from error
    return True


def _delete_run(folder: Path) -> None:
    own = written_files(folder) if (folder / RESULTS_NAME).exists() else set()
    unfinished = UNFINISHED_FOLDS if any(folder.glob("fold_*")) else UNFINISHED_RUN
    for entry in folder.iterdir():
        if entry.name not in own and not unfinished.fullmatch(entry.name) and not SEARCH.fullmatch(entry.name):
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _check_spared(args: RecipeArguments, folders: Sequence[Path]) -> None:
    for name, value in args.to_dict().items():
        if name in WRITTEN or not isinstance(value, str) or not value or not os.path.exists(value):
            continue
        if any(Path(value).resolve().is_relative_to(folder.resolve()) for folder in folders):
            raise ArgumentError(
                f"--{name} {value} lies in what --overwrite would delete: choose another --output_dir."
            )
