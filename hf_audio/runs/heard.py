"""What a finished run has read its clips from, and which of them it has trained on."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..data.tables.text_tables import read_table
from ..errors import DataError
from .folder.contents import is_trained_on_all, read_arguments, read_members
from .predictions.columns import PREDICTIONS_NAME


def read_sources(run: Path) -> list[Any]:
    """What a run, or the members of an ensemble, have read their clips from."""
    arguments = read_arguments(run)
    own = [arguments.get(name) for name in ("data_dir", "dataset_name")]
    return own + [source for member in read_members(run) for source in read_sources(Path(member))]


def path_endings(path: str) -> list[str]:
    """A path's last part, last two parts, and so on: a run names clips from the folder on that holds all of them."""
    parts = os.path.abspath(path).replace(os.sep, "/").split("/")
    return ["/".join(parts[start:]) for start in range(len(parts))]


def count_heard(checkpoint: str, source: str, paths: Sequence[str]) -> int:
    """How many clips of a source a checkpoint was trained on, as far as its folder tells.

    Args:
        checkpoint: its folder; another checkpoint tells nothing.
        source: of the clips; of another one than the training's, nothing is known.
        paths: of the clips.
    """
    folder = Path(checkpoint)
    if os.path.realpath(source) not in _find_places(folder):
        return 0
    return _count_learnt(folder, paths)


def count_beside_heard(checkpoint: str, paths: Sequence[str]) -> int:
    """How many clips lie in the folder that a checkpoint was trained from, and are none that it has held out.

    Args:
        checkpoint: its folder; another checkpoint tells nothing.
        paths: of the clips.
    """
    folder = Path(checkpoint)
    places = tuple(os.path.join(place, "") for place in _find_places(folder) if os.path.isdir(place))
    return _count_learnt(folder, [path for path in paths if os.path.realpath(path).startswith(places)])


def _find_places(run: Path) -> list[str]:
    return [os.path.realpath(name) for name in read_sources(run) if isinstance(name, str)]


def _count_learnt(run: Path, paths: Sequence[str]) -> int:
    """How many clips of a run's own collection it has not held out."""
    judged: set[str] = set()
    for table in run.glob(f"{Path(PREDICTIONS_NAME).stem}*.csv"):  # of further test clips too
        with suppress(OSError, DataError, KeyError):
            judged |= set(read_table(table)["path"])
    hears_judged = is_trained_on_all(run)  # then networks of folds have judged all clips that this one has heard
    return sum(judged.isdisjoint(path_endings(path)) != hears_judged for path in paths)
