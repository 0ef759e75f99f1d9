"""How a recipe starts: its command line, the recordings it reads, and what the user can mend told in a sentence."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers.utils.logging import disable_progress_bar

from ..arguments import Arguments, RecipeArguments, parse_arguments
from ..errors import ArgumentError, refusals_end_in_a_sentence

logger = logging.getLogger(__name__)


def run_recipe(main: Callable[[Arguments], Any], arguments_class: type[Arguments]) -> None:
    """Parse the command line and run a recipe's `main`; what the user can mend ends in a sentence and exit code 2."""
    first = os.environ.get("RANK", "0") == "0"  # of several processes, one speaks
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.INFO if first else logging.ERROR)
    for library in ("httpx", "httpx2", "datasets", "absl"):
        logging.getLogger(library).setLevel(logging.WARNING)
    disable_progress_bar()  # of single files; Trainer's own stays
    try:
        with refusals_end_in_a_sentence(speaks=first):
            main(parse_arguments(arguments_class))
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def find_recordings(
    args: RecipeArguments, *, demo: Callable[[], Path], demo_words: str, download: Callable[[], Path] | None = None
) -> Path:
    """The folder a recipe reads: `--data_dir`, or what `--download` fetches, or a demo corpus, said aloud.

    Raises:
        ArgumentError: `--data_dir` is not a folder, or the task has nothing to download.
    """
    with args.main_process_first(desc="recordings"):
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
