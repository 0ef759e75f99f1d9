"""What a run has held out with whose network another training begins: it stays held out there.

Else the figure would be of clips that the network has heard.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..data.tables.text_tables import read_table
from ..errors import ArgumentError
from ..runs.folder.contents import is_trained_on_all
from ..runs.heard import path_endings, read_sources
from ..runs.predictions.columns import PREDICTIONS_NAME


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
    held_out = np.array([not judged.isdisjoint(path_endings(path)) for path in paths], dtype=bool)
    if not held_out.any():
        return None
    # Of another collection, a few names may be the same by chance.
    is_same = held_out.sum() >= len(judged) or source in read_sources(folder)
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
