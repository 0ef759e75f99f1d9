"""What recordings are like: how long, at which rates, and where in the spectrum their sounds lie."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from datasets import Dataset

from ..audio.loading import load_audio, open_audio
from ..audio.resampling import RATES
from ..errors import AudioError, DataError
from .bands import measure_bands
from .rows import ENCODED_COLUMN, END_COLUMN, START_COLUMN, part_columns
from .shard_rows import UNREADABLE, read_block
from .shards import Split

# Headers that are read: more tell nothing new.
MOST_FILES = 2000
# Whose spectrum is looked at.
MOST_MEASURED = 64
# Of a stream, whose recordings are read as a whole.
BLOCKS, ROWS_A_BLOCK = 12, 25


@dataclass(frozen=True)
class Survey:
    """What recordings to train on are like, or a fair sample of them."""

    rates: np.ndarray
    """Samples per second, (recordings,)."""
    seconds: np.ndarray
    """(recordings,)."""
    n_clips: int
    """How many there are to train on."""
    bands: np.ndarray | None = None
    """Of a few of them, the shares of `Spectrum.bands`, (recordings, bands)."""


def survey_recordings(dataset: Dataset, trained: np.ndarray, seed: int = 0) -> Survey:
    """Read the headers of the recordings that are trained on, or of 2000 of them, drawn by `seed`, and hear a few.

    Args:
        dataset: rows of `path`, as `from_rows` gives them.
        trained: which rows, (rows,) of bool.
        seed: of the draw.

    Raises:
        DataError: not one can be read.
    """
    rows = np.flatnonzero(trained)
    drawn = np.sort(np.random.default_rng(seed).choice(rows, min(len(rows), MOST_FILES), replace=False))
    columns = [name for name in ("path", ENCODED_COLUMN) if name in dataset.column_names] + part_columns(dataset)
    recordings = dataset.select(drawn).select_columns(columns)
    headers = [header for row in recordings if (header := _read_header(row)) is not None]
    if not headers:
        raise DataError(f"None of {len(recordings)} recordings can be read; the first: {_complain(recordings[0])}")
    rates, seconds = map(np.asarray, zip(*headers, strict=True))
    listened = recordings.select(np.linspace(0, len(recordings) - 1, min(len(recordings), MOST_MEASURED)).astype(int))
    return Survey(rates, seconds, len(rows), _measure(listened))


def survey_stream(split: Split, seed: int = 0) -> Survey:
    """As `survey_recordings`, by the first rows of a few shards or row groups, drawn by `seed`.

    Raises:
        DataError: not one can be read.
    """
    drawn = np.random.default_rng(seed).permutation(len(split.blocks))[:BLOCKS]
    headers, listened = [], []
    for block in (split.blocks[number] for number in drawn):
        with suppress(*UNREADABLE):  # it is told of when it is trained on
            for number, row in enumerate(read_block(block, 0, min(block.rows, ROWS_A_BLOCK), split.columns)):
                recording = {"path": row.name, ENCODED_COLUMN: row.audio}
                header = _read_header(recording) if row.audio else None
                if header is not None:
                    headers.append(header)
                    listened += [recording] if number <= MOST_MEASURED // BLOCKS else []
    if not headers:
        raise DataError(f"Of the first rows of {split.shards[0]} and shards beside it, none holds audio: check them.")
    rates, seconds = map(np.asarray, zip(*headers, strict=True))
    return Survey(rates, seconds, split.rows, _measure(listened))


def _measure(recordings: Iterable[dict[str, Any]]) -> np.ndarray | None:
    """The bands of those that can be read, (recordings, bands)."""
    found = []
    for row in recordings:
        with suppress(OSError, AudioError):
            part = (row[START_COLUMN], row[END_COLUMN]) if START_COLUMN in row else None
            found.append(measure_bands(row.get(ENCODED_COLUMN) or row["path"], part))
    return np.array(found) if found else None


def _read_header(row: dict[str, Any]) -> tuple[int, float] | None:
    """Rate and seconds; nothing where the header cannot be read or does not tell."""
    try:
        with open_audio(row.get(ENCODED_COLUMN) or row["path"]) as recording:
            frames = recording.frames
            if frames is None:  # it does not tell
                frames = sum(len(block) for block in recording.blocks())
            seconds = (frames or 0) / recording.rate
            if START_COLUMN in row:
                seconds = min(row[END_COLUMN], seconds) - row[START_COLUMN]
            return (recording.rate, seconds) if seconds > 0 and recording.rate in RATES else None
    except (OSError, AudioError):
        return None


def _complain(row: dict[str, Any]) -> str:
    try:
        load_audio(row.get(ENCODED_COLUMN) or row["path"], 8000, name=row["path"])
    except AudioError as error:
        return str(error)
    return f"the header of {row['path']} does not tell how long it is: convert it to WAV or FLAC."
