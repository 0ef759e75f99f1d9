"""Recordings of the place where a model will listen: cut into windows, and shared out to train, fit and test."""

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from datasets import ClassLabel, Dataset

from ..audio.loading import stream_audio
from ..audio.packing import pack_samples
from ..audio.windows import cut_running
from ..errors import AudioError, DataError
from ..folders import search_folder
from ..models.configuration_audio_cnn import NONE_OF_THESE

logger = logging.getLogger(__name__)

# Of the background: what is trained on, and with what the margin is fitted; the rest judges both.
TRAINED_SHARE, FITTED_SHARE = 0.6, 0.2
# So many recordings or more are shared out as wholes; of fewer, each is cut in time.
MANY_RECORDINGS = 10
FEWEST_WINDOWS = 10


@dataclass
class Background:
    """Windows of the sound of a place, none of them any of the classes."""

    window_seconds: float
    """From one window to the next."""
    train: Dataset
    fit: Dataset
    test: Dataset
    fit_names: list[str]
    """Of the windows of `fit`: the recording, from the folder on, and the window's seconds in it."""
    test_names: list[str]
    """Of the windows of `test`."""

    def hours(self, windows: Dataset | np.ndarray) -> float:
        """How long so many windows last."""
        return len(windows) * self.window_seconds / 3600


def add_none(dataset: Dataset) -> Dataset:
    """Clips, with `NONE_OF_THESE` as one more class, the last, which none of them is of.

    Raises:
        DataError: there is such a class already.
    """
    names = dataset.features["label"].names
    if NONE_OF_THESE in names:
        raise DataError(f"A class is called {NONE_OF_THESE!r}, which is what --background adds: rename it.")
    return dataset.cast_column("label", ClassLabel(names=[*names, NONE_OF_THESE]))


def load_background(
    directory: str | os.PathLike, sampling_rate: int, clip_seconds: float, beside: Dataset, seed: int
) -> Background:
    """All recordings of a folder, at any depth, in windows of `clip_seconds` that do not overlap, in three parts.

    Many recordings are shared out as wholes, so that no part has heard what judges it; a few are each cut in time. The
    windows are kept in the `datasets` cache, so recordings of many hours need no memory. Rows have `path`, `audio` and
    `index` as `cache_audio` gives them, and `label`, the last class.

    Args:
        directory: of the recordings.
        sampling_rate: of the windows.
        clip_seconds: how long a window is.
        beside: clips that `add_none` has given the class; the windows' numbers follow on theirs.
        seed: of the sharing out.

    Raises:
        DataError: no folder, no audio that can be read, or too little of it.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise DataError(f"--background {directory} is not a folder: give one of recordings of the place.")
    searched = search_folder(directory)
    for sentence in searched.left_out():
        logger.warning("%s", sentence)
    stamps = ((file, file.stat()) for file in searched.audio)
    found = [(str(file), stamp.st_size, stamp.st_mtime_ns) for file, stamp in stamps]  # changed: decoded anew
    windows = None
    if found:
        try:
            windows = Dataset.from_generator(
                _cut,
                features=datasets.Features(path=beside.features["path"], audio=datasets.Value("binary")),
                gen_kwargs={"files": found, "sampling_rate": sampling_rate, "clip_seconds": clip_seconds},
            )
        except ValueError as error:
            if "corresponds to no data" not in str(error):  # so `datasets` says that nothing could be read
                raise
    if windows is None or len(windows) < FEWEST_WINDOWS:
        raise DataError(
            f"--background {directory} holds {0 if windows is None else len(windows)} windows of {clip_seconds:g} s "
            f"that can be read, too few to learn from: give {FEWEST_WINDOWS * clip_seconds / 60:.1g} minutes, better "
            "hours."
        )
    paths = np.asarray(windows["path"])
    part, names = _share_out(paths, seed), _name_windows(directory, paths, clip_seconds)
    label = beside.features["label"]
    # Before the rows are chosen: afterwards, `datasets` would copy the sound to add a column.
    windows = windows.add_column("label", np.full(len(windows), len(label.names) - 1), feature=label)
    windows = windows.add_column("index", max(beside["index"][:]) + 1 + np.arange(len(windows)))
    rows = [np.flatnonzero(part == number) for number in range(3)]
    parts = [windows.select(of_part) for of_part in rows]
    return Background(clip_seconds, *parts, *([names[row] for row in of_part] for of_part in rows[1:]))


def _cut(files: Sequence[tuple[str, int, int]], sampling_rate: int, clip_seconds: float) -> Iterator[dict[str, Any]]:
    window = round(clip_seconds * sampling_rate)
    for file, *_ in files:
        try:
            for _, samples in cut_running(stream_audio(file, sampling_rate), window, window):
                yield {"path": file, "audio": pack_samples(samples)}
        except AudioError as error:
            logger.warning("Left out: %s", error)


def _name_windows(directory: Path, paths: np.ndarray, clip_seconds: float) -> list[str]:
    recordings = [Path(path).relative_to(directory).as_posix() for path in paths]
    starts = clip_seconds * _places(paths)
    return [
        f"{recording} {start:.6g}-{start + clip_seconds:.6g} s"
        for recording, start in zip(recordings, starts, strict=True)
    ]


def _places(paths: np.ndarray) -> np.ndarray:
    """Of each window, (windows,), which of its recording's it is. paths: of these, one after another."""
    _, first, counts = np.unique(paths, return_index=True, return_counts=True)
    return np.arange(len(paths)) - np.repeat(np.sort(first), counts[np.argsort(first)])


def _share_out(paths: np.ndarray, seed: int) -> np.ndarray:
    """Of each window, (windows,), the part it belongs to: 0, 1 or 2. paths: of their recordings, one after another."""
    recordings, counts = np.unique(paths, return_counts=True)
    numbers = np.searchsorted(recordings, paths)
    if len(recordings) < MANY_RECORDINGS:
        position = (_places(paths) + 0.5) / counts[numbers]
    else:
        order = np.random.default_rng(seed).permutation(len(recordings))
        middle = np.empty(len(recordings))
        middle[order] = np.cumsum(counts[order]) - counts[order] / 2
        position = middle[numbers] / len(paths)
    ends = [TRAINED_SHARE, TRAINED_SHARE + FITTED_SHARE]
    part = np.searchsorted(ends, position, side="right")
    if np.bincount(part, minlength=3).min() < len(paths) / 10:  # the recordings are too short for that, or too unequal
        part = np.searchsorted(ends, (np.arange(len(paths)) + 0.5) / len(paths), side="right")
    return part
