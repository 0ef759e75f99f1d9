"""What a finished run has read its clips from, and which of them it has trained on."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..data.tables.text_tables import read_table
from ..errors import DataError
from .folder.contents import is_trained_on_all, read_arguments
from .predictions.columns import PREDICTIONS_NAME


def read_sources(run: Path) -> list[Any]:
    """What a run has read its clips from."""
    arguments = read_arguments(run)
    return [arguments.get(name) for name in ("data_dir", "dataset_name")]


def path_endings(path: str) -> list[str]:
    """A path's last part, last two parts, and so on: a run names clips from the folder on that holds all of them."""
    parts = os.path.abspath(path).replace(os.sep, "/").split("/")
    return ["/".join(parts[start:]) for start in range(len(parts))]


def count_heard(checkpoint: str, source: str, paths: Sequence[str]) -> int:
    """How many clips of a source a checkpoint was trained on, as far as its folder tells.

    Args:
        checkpoint: its folder; another checkpoint tells nothing.
        source: of the clips; of another one than the training's, nothing is told.
        paths: of the clips.
    """
    folder = Path(checkpoint)
    sources = [os.path.realpath(name) for name in read_sources(folder) if isinstance(name, str)]
    if os.path.realpath(source) not in sources:
        return 0
    judged: set[str] = set()
    with suppress(OSError, DataError):
        judged = set(read_table(folder / PREDICTIONS_NAME)["path"])
    hears_judged = is_trained_on_all(folder)  # then networks of folds have judged all clips that this one has heard
    return sum(judged.isdisjoint(path_endings(path)) != hears_judged for path in paths)
