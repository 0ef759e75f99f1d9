"""What a run has held out with whose network another training begins: it stays held out there.

Else the figure would be of clips that the network has heard.
"""

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ..data.tables import read_table
from ..errors import ArgumentError
from ..runs.folder import ARGUMENTS_NAME, is_trained_on_all
from ..runs.predictions import PREDICTIONS_NAME


def find_held_out(
    model: str | None, source: str, paths: Sequence[str], tested: np.ndarray | None = None
) -> np.ndarray | None:
    """Which clips a finished run has held out, (clips,) of bool; `None` where it has heard none of them.

    Args:
        model: folder of the run; a checkpoint without `predictions.csv` says nothing.
        source: folder, table or data set of the clips.
        paths: of the clips.
        tested: which of them the data names as test clips, (clips,) of bool; `None`: it names none.

    Raises:
        ArgumentError: the run's network was trained on what would be tested on.
    """
    if model is None or not (Path(model) / PREDICTIONS_NAME).is_file():
        return None
    folder = Path(model)
    judged = set(read_table(folder / PREDICTIONS_NAME)["path"])
    held_out = np.array([not judged.isdisjoint(_endings(path)) for path in paths], dtype=bool)
    if not held_out.any():
        return None
    # Of another collection, a few names may be the same by chance.
    is_same = held_out.sum() >= len(judged) or source in _sources(folder)
    kept: np.ndarray | None = held_out
    heard = None
    if is_trained_on_all(folder):
        heard = held_out if tested is None else held_out & tested
        kept = None
    elif tested is not None and (held_out & ~tested).any():  # so the data was divided otherwise then
        heard = tested & ~held_out
    elif tested is None and held_out.sum() > len(judged):  # names that are of several files
        heard = held_out
    if is_same and heard is not None and heard.any():
        raise ArgumentError(
            f"--model_name_or_path {model} was trained on clips that would be tested on here, "
            f"{paths[int(np.flatnonzero(heard)[0])]} for one: train from the beginning, or give as a test part "
            "(a folder test/, or --split_column) clips that it has not heard."
        )
    return kept


def _sources(run: Path) -> list[Any]:
    """What a run has read its clips from."""
    with suppress(OSError, ValueError):
        arguments = json.loads((run / ARGUMENTS_NAME).read_text(encoding="utf-8"))
        return [arguments.get(name) for name in ("data_dir", "dataset_name")]
    return []


def _endings(path: str) -> list[str]:
    """A path's last part, last two parts, and so on: a run names clips from the folder on that holds all of them."""
    parts = os.path.abspath(path).replace(os.sep, "/").split("/")
    return ["/".join(parts[start:]) for start in range(len(parts))]
