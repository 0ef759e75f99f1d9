"""What a run has held out with whose network another training begins: it stays held out there.

Else the figure would be of clips that the network has heard.
"""

import logging
import os
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from ..data.tables.text_tables import read_table
from ..errors import ArgumentError
from ..runs.folder.contents import is_trained_on_all
from ..runs.heard import path_endings, read_sources
from ..runs.predictions.columns import GROUP_COLUMN, PREDICTIONS_NAME

logger = logging.getLogger(__name__)

SAME_SHARE = 0.5  # of what a run has held out, from which on the clips are those of its collection


def find_held_out(
    model: str | None, source: str, paths: Sequence[str], tested: np.ndarray | None = None
) -> np.ndarray | None:
    """Which clips a finished run has held out, (clips,) of bool; `None` where it has heard none of them.

    Clips are known by their names, and those whose folder has been renamed by what they are called in it. Those that
    are not found in the run's collection are warned of.

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
    table = read_table(folder / PREDICTIONS_NAME)
    judged = set(table["path"])
    named = {path: judged.intersection(path_endings(path)) for path in paths}
    missing = judged.difference(*named.values())
    # Of another collection, a few names may be the same by chance.
    is_same = sum(map(bool, named.values())) >= len(judged) or source in read_sources(folder)
    renamed: dict[str, str] = {}
    if is_same or len(missing) <= SAME_SHARE * len(judged):
        renamed = _find_renamed(missing, named)
        if len(renamed) < len(missing):
            logger.warning(
                "%d of the %d clips that %s has held out are not found here, %s for one: if they were renamed, "
                "they may be trained on here, and others tested on that it has heard.",
                len(missing) - len(renamed),
                len(judged),
                model,
                min(missing.difference(renamed.values())),
            )
    held_out = np.array([bool(named[path]) or path in renamed for path in paths], dtype=bool)
    if not held_out.any():
        return None
    kept: np.ndarray | None = held_out
    heard = None
    if is_trained_on_all(folder):
        heard = held_out if tested is None else held_out & tested
        kept = None
    elif tested is not None and (held_out & ~tested).any():  # so the data was divided otherwise then
        heard = tested & ~held_out
    elif tested is None:
        n_files = len({path for path, own in zip(paths, held_out, strict=True) if own})
        # Names that are of several files, or recordings of which a part alone was held out.
        if n_files > len(judged) or (held_out.sum() > n_files and GROUP_COLUMN not in table):
            heard = held_out
    if is_same and heard is not None and heard.any():
        raise ArgumentError(
            f"--model_name_or_path {model} was trained on clips that would be tested on here, "
            f"{paths[int(np.flatnonzero(heard)[0])]} for one: train from the beginning, or give as a test part "
            "(a folder test/, or --split_column) clips that it has not heard."
        )
    return kept


def _find_renamed(missing: Collection[str], named: Mapping[str, Collection[str]]) -> dict[str, str]:
    """Clips whose folders were renamed -> their names before.

    These are as many as were called so, in any folder, or in folders in which no clip has its name still.

    Args:
        missing: names that no clip has.
        named: names that the clips have, by their paths.
    """
    kept = {os.path.dirname(path) for path, own in named.items() if own}
    before, now = defaultdict(list), defaultdict(list)
    for name in sorted(missing):
        before[os.path.basename(name)].append(name)
    for path, own in named.items():
        if not own:
            now[os.path.basename(path)].append(path)
    renamed: dict[str, str] = {}
    for called, names in before.items():
        paths = now[called]
        if len(paths) > len(names):
            paths = [path for path in paths if os.path.dirname(path) not in kept]
        if len(paths) == len(names):
            renamed.update(zip(paths, names, strict=True))
    return renamed
