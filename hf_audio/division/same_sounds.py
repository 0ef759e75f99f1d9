"""Which recordings of a collection cannot be used, and which hold one sound, as `hf-audio inspect` finds them."""

import hashlib
import itertools
import json
import logging
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import soundfile
from datasets import Dataset

from ..audio.loading import unreadable
from ..data.groups import join_groups
from ..data.rows import ENCODED_COLUMN
from ..errors import DataError
from ..files import write_text
from ..folders import foreign_decoder
from ..inspection.clip_measures import ClipMeasures, measure_clip
from ..inspection.duplicates import find_same_samples, find_same_sounds
from ..processes import work_off

logger = logging.getLogger(__name__)

# Raised whenever the search finds something else in the same files.
VERSION = 2
# Of larger collections every recording would be read for more than some minutes. Bytes of WAV; of what is compressed,
# each is about eight.
MOST_FILES, MOST_BYTES = 20_000, 8e9
UNCOMPRESSED = (".wav", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64", ".rf64")
COMPRESSION = 8
QUIET_SECONDS = 3  # before a bar of progress
SILENT = -799  # dB of full scale, of a peak: every sample is zero


@dataclass(frozen=True)
class SameSounds:
    """What a search has found in the files of a collection, by their rows."""

    unusable: dict[int, str]
    """Files that cannot be read or are silent, and the sentence that says why."""
    copies: list[list[int]]
    """Files that hold one sound, or a part of it; each file is in one of these at most."""

    @property
    def n_copies(self) -> int:
        """How many files hold a sound that another one holds too."""
        return sum(map(len, self.copies))


def search_same_sounds(dataset: Dataset) -> SameSounds | None:
    """Read every recording once and search for copies, however they were encoded; `None` of too large a collection.

    What was found is kept beside the decoded audio, under a name made of the files' names, sizes and times, or of
    their contents.

    Args:
        dataset: rows of `path`, and perhaps of `ENCODED_COLUMN`.

    Raises:
        DataError: a process that reads files has died, or there is no room for the contents of a data set.
    """
    digest = hashlib.sha256(json.dumps([VERSION, soundfile.__libsndfile_version__, foreign_decoder()]).encode())
    n_bytes = 0.0
    if len(dataset) > MOST_FILES:
        return None
    contents = dataset[ENCODED_COLUMN] if ENCODED_COLUMN in dataset.column_names else itertools.repeat(None)
    for path, content in zip(dataset["path"][:], contents, strict=False):  # rows one by one are slow
        identity: list[Any] = [path]
        size = 0
        if content:
            size = len(content)
            identity.append(hashlib.sha256(content).hexdigest())
        else:
            with suppress(OSError):
                status = os.stat(path)
                size = status.st_size
                identity += [size, status.st_mtime_ns]
        n_bytes += size * (1 if path.lower().endswith(UNCOMPRESSED) else COMPRESSION)
        if n_bytes > MOST_BYTES:
            return None
        digest.update(json.dumps(identity).encode())
    file = Path(datasets.config.HF_DATASETS_CACHE) / "hf_audio" / f"same-sounds-{digest.hexdigest()[:32]}.json"
    with suppress(OSError, ValueError, KeyError, AttributeError):
        kept = json.loads(file.read_text(encoding="utf-8"))
        return SameSounds({int(row): reason for row, reason in kept["unusable"].items()}, kept["copies"])
    with _as_files(dataset) as paths:
        found = _search(paths)
        momentary = any(reason.startswith(unreadable(paths[row])) for row, reason in found.unusable.items())
    if not momentary:
        with suppress(OSError, DataError):  # then the next run reads them again
            file.parent.mkdir(parents=True, exist_ok=True)
            write_text(file, json.dumps({"unusable": found.unusable, "copies": found.copies}))
    return found


@contextmanager
def _as_files(dataset: Dataset) -> Iterator[list[str]]:
    """Paths of the recordings; those that a data set comes with are written to a folder meanwhile."""
    paths = dataset["path"][:]
    if ENCODED_COLUMN not in dataset.column_names:
        yield paths
        return
    with tempfile.TemporaryDirectory() as folder:
        for row, content in enumerate(dataset[ENCODED_COLUMN]):
            if content:
                paths[row] = str(Path(folder) / f"{row}{Path(paths[row]).suffix}")
                try:
                    Path(paths[row]).write_bytes(content)
                except OSError as error:
                    raise DataError(
                        f"The recordings cannot be written to {folder} to search for copies ({error.strerror}): make "
                        "room there, or set TMPDIR to a folder on another disk."
                    ) from error
        yield paths


def _search(paths: Sequence[str]) -> SameSounds:
    try:
        measures = list(work_off(measure_clip, list(map(str, paths)), "Searching for copies", "file", QUIET_SECONDS))
    except BrokenProcessPool as error:
        raise DataError("A process that reads files has died: free some memory.") from error
    unusable = {row: clip for row, clip in enumerate(measures) if isinstance(clip, str)}
    measured = {row: clip for row, clip in enumerate(measures) if isinstance(clip, ClipMeasures)}
    for row, clip in measured.items():
        if clip.peak <= SILENT:
            unusable[row] = f"{paths[row]} is silent, every sample is zero."
    rows, clips = list(measured), list(measured.values())
    same = [*find_same_samples(clips), *find_same_sounds([str(paths[row]) for row in rows], clips)]
    together = defaultdict(list)
    pairs = [[rows[member] for member in group.members] for group in same]
    for row, group in enumerate(join_groups(list(map(str, paths)), [], pairs)):
        together[group].append(row)
    return SameSounds(unusable, [members for members in together.values() if len(members) > 1])
