"""Scores of a network for held-out clips, kept as numbers to compute with later."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

SCORES_NAME = "scores.npz"


@dataclass
class Scores:
    """Clips with what they are and the probability of every label, for ensembles of models that judged the same."""

    paths: Sequence[str]
    """Relative to the folder that holds all files, and of background each window's name, (clips,)."""
    references: np.ndarray
    """Class indices (clips,), or 1 for a clip's tags and 0 for others (clips, tags)."""
    probabilities: np.ndarray
    """(clips, labels)."""

    def select(self, paths: Sequence[str]) -> "Scores":
        """These clips alone, in this order."""
        places = {path: place for place, path in enumerate(self.paths)}
        rows = [places[path] for path in paths]
        return Scores(list(paths), self.references[rows], self.probabilities[rows])


def write_scores(folder: Path, parts: Mapping[str, Scores]) -> None:
    """Leave the scores of some parts of the data, by their names, in a folder's `scores.npz`."""
    arrays = {
        f"{part}_{field.name}": getattr(scores, field.name)
        for part, scores in parts.items()
        for field in fields(scores)
    }
    np.savez_compressed(folder / SCORES_NAME, **arrays)


def read_scores(folder: Path) -> dict[str, Scores]:
    """What `write_scores` has left.

    Raises:
        OSError: there is nothing.
    """
    with np.load(folder / SCORES_NAME) as arrays:
        names = dict.fromkeys(name.partition("_")[0] for name in arrays)
        parts = {part: [arrays[f"{part}_{field.name}"] for field in fields(Scores)] for part in names}
    return {part: Scores(paths.tolist(), *others) for part, (paths, *others) in parts.items()}


def relative_paths(paths: Sequence[str]) -> list[str]:
    """The files' names below the folder that holds them all, with forward slashes."""
    absolute = [Path(path).absolute() for path in paths]
    try:
        root = Path(os.path.commonpath([path.parent for path in absolute]))
    except ValueError:  # two drives of Windows
        root = Path()
    return [path.relative_to(root).as_posix() for path in absolute]
