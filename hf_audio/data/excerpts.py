"""Long recordings cut into excerpts, of which the last are tested: where hardly a class has a second recording."""

import hashlib
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import datasets
import numpy as np
import soundfile

from ..audio.loading import open_audio, stream_audio
from ..errors import AudioError, DataError
from ..files import folder_written_whole
from .tables.columns import TEST, TRAIN

# Raised whenever excerpts would come out differently.
VERSION = 1
TEST_SHARE = 0.2  # of the time
SHORTEST, LONGEST = 1.0, 5.0  # seconds of an excerpt
EXCERPTS = 60  # of the class with the shortest recordings, if that is possible
FEWEST_EXCERPTS = 15  # of a class
FEWEST_TO_CUT = 5  # of a recording
SUBTYPE = "PCM_24"  # finer than the 16 bits in which training keeps clips


class Excerpt(NamedTuple):
    """A file with a piece of a recording."""

    path: Path
    label: str
    part: str


@dataclass(frozen=True)
class Excerpts:
    """All pieces of a collection."""

    pieces: list[Excerpt]
    sentence: str
    """How the test pieces were chosen, and what figures of them tell."""


def cut_recordings(recordings: Sequence[tuple[Path, str]]) -> Excerpts | None:
    """Cut recordings into excerpts, where fewer than two classes have a second one that could be held out.

    All excerpts are as long, a 60th of what the class with the shortest recordings has, but 1 to 5 s. The last fifth
    of each recording's time is tested; the excerpt before it is left out, so that no sound goes on from training into
    the test. Where one class has many short recordings, they stay whole, excerpts of the others are as long as these,
    and every fifth is tested. Excerpts are kept as files in the `datasets` cache.

    Args:
        recordings: files and their labels.

    Returns:
        The excerpts, or `None` where there are recordings to hold out, or some that cannot be read.

    Raises:
        DataError: no class has a second recording, and one is too short to be cut; or there is no room for the
            excerpts.
    """
    counts = Counter(label for _, label in recordings)
    many = [label for label, count in counts.items() if count > 1]
    if len(counts) < 2 or len(many) > 1:
        return None
    try:
        lengths = [_measure(path) for path, _ in recordings]
    except (OSError, AudioError):
        return None
    of_many = [length for (_, label), length in zip(recordings, lengths, strict=True) if label in many]
    usual = float(np.median(of_many)) if of_many else 0
    seconds: dict[str, float] = defaultdict(float)
    for (_, label), length in zip(recordings, lengths, strict=True):
        seconds[label] += length
    are_short = 0 < usual < FEWEST_EXCERPTS * SHORTEST
    cut = [label for label in seconds if label not in many or not are_short]
    shortest = min(cut, key=lambda label: seconds[label])
    window = _round(usual if are_short else seconds[shortest] / EXCERPTS)
    if seconds[shortest] < FEWEST_EXCERPTS * window:
        if many:
            return None
        raise DataError(
            f"{len(recordings)} recordings of {len(counts)} classes are too few to hold out any, and too short to be "
            f"cut: {shortest!r} has {seconds[shortest]:.1f} s; record two or more of each class, or "
            f"{FEWEST_EXCERPTS * window:g} s."
        )
    pieces: list[Excerpt] = []
    for number, ((path, label), length) in enumerate(zip(recordings, lengths, strict=True)):
        if label in cut:
            pieces += _cut_recording(path, label, window, int(length / window))
        else:
            pieces.append(Excerpt(path, label, TEST if number % round(1 / TEST_SHARE) == 0 else TRAIN))
    return Excerpts(pieces, _explain(sum(label in cut for _, label in recordings), window))


def _round(seconds: float) -> float:
    return round(min(max(seconds, SHORTEST), LONGEST), 1)


def _explain(n_cut: int, window: float) -> str:
    return (
        f"{n_cut} recordings were cut into excerpts of {window:g} s, because their classes have no others; the last "
        f"fifth of each recording in time was tested, {window:g} s before it left out. So the figures tell about "
        "known recordings only, and new ones may be judged worse."
    )


def _cut_recording(path: Path, label: str, window: float, n_windows: int) -> list[Excerpt]:
    """The excerpts of a recording, but for the one before those that are tested; or itself, if it cannot be cut."""
    files = _cut(path, window) if n_windows >= FEWEST_TO_CUT else []
    first = n_windows - max(round(TEST_SHARE * n_windows), 1)
    return [
        Excerpt(file, label, TEST if number >= first else TRAIN)
        for number, file in enumerate(files)
        if number != first - 1
    ] or [Excerpt(path, label, TRAIN)]


def _measure(path: Path) -> float:
    """Seconds of a recording, of which some headers do not tell.

    Raises:
        AudioError: it cannot be read.
    """
    with open_audio(path) as recording:
        frames = recording.frames
        if frames is None:
            frames = sum(len(block) for block in recording.blocks())
        return frames / recording.rate


def _cut(path: Path, window: float) -> list[Path]:
    """The files of a recording's excerpts, one after the other; none where it cannot be read."""
    status = os.stat(path)
    made_by = [VERSION, os.path.realpath(path), status.st_size, status.st_mtime_ns, window]
    digest = hashlib.sha256(json.dumps(made_by).encode()).hexdigest()[:32]
    folder = Path(datasets.config.HF_DATASETS_CACHE) / "hf_audio" / "excerpts" / digest
    if not folder.is_dir():
        try:
            with folder_written_whole(folder, folder.is_dir) as temporary:
                _write_excerpts(path, window, temporary)
        except AudioError:
            return []
        except (OSError, soundfile.LibsndfileError) as error:
            raise DataError(
                f"Excerpts of {path} cannot be kept in {folder.parent} ({error}): make room there, or set HF_HOME to "
                "a folder on another disk."
            ) from error
    return sorted(folder.iterdir())


def _write_excerpts(path: Path, window: float, folder: Path) -> None:
    with open_audio(path) as recording:
        rate = recording.rate
    size = round(window * rate)
    for number, samples in enumerate(_windows(stream_audio(path, rate), size)):
        start = number * window
        name = f"{path.stem}_{start:08.1f}-{start + window:08.1f}s.wav"
        soundfile.write(folder / name, samples, rate, SUBTYPE, format="WAV")


def _windows(blocks: Iterator[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Blocks of samples in pieces of one size; what is left at the end is dropped."""
    held = np.zeros(0, dtype=np.float32)
    for block in blocks:
        held = np.concatenate([held, block])
        while len(held) >= size:
            yield held[:size]
            held = held[size:]
