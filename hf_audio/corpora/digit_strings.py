"""Six-digit strings of real people, put together from recordings of single digits."""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..audio.loading import load_audio
from ..errors import DataError
from .corpus_folder import make_corpus, write_wav

RATE = 8000  # Hz, of the Free Spoken Digit Dataset
N_DIGITS = 6
TEST_TAKES = range(5)  # the official test split
N_UNSEEN_SPEAKERS = 2
GAP_SECONDS = (0.02, 0.25)  # between two digits
EDGE_SECONDS = (0.05, 0.4)


def make_digit_strings(
    digits: Path, directory: str | os.PathLike[str] | None = None, *, count: int = 3000, seed: int = 0
) -> Path:
    """Make strings of six digits out of FSDD's recordings, in the layout of numbers2, or return at once if they exist.

    One speaker says a string. The last two speakers by name are heard in `test-ood.csv` alone, and the official test
    takes of the others in `test.csv` alone.

    Args:
        digits: a folder with `recordings/{digit}_{speaker}_{take}.wav`.
        directory: of the strings; by default one in the Hugging Face cache.
        count: of the training strings; either test has a tenth as many.
        seed: of all draws.

    Raises:
        DataError: the folder holds no such recordings, of three speakers or more.
        OSError: the folder of the strings cannot be written, or holds something else.
    """
    takes = _find_takes(digits)
    speakers = sorted({speaker for _, speaker in takes})
    if len(speakers) <= N_UNSEEN_SPEAKERS:
        raise DataError(
            f"{digits} holds no recordings/DIGIT_SPEAKER_TAKE.wav of more than {N_UNSEEN_SPEAKERS} speakers: give the "
            "folder above recordings/ of the Free Spoken Digit Dataset."
        )
    known, unseen = speakers[:-N_UNSEEN_SPEAKERS], speakers[-N_UNSEEN_SPEAKERS:]
    parts = {
        "train": (count, known, lambda take: take not in TEST_TAKES),
        "test": (max(count // 10, 1), known, lambda take: take in TEST_TAKES),
        "test-ood": (max(count // 10, 1), unseen, lambda take: True),
    }

    def write(folder: Path) -> None:
        for part, (n_clips, who, is_of_part) in parts.items():
            (folder / part).mkdir()
            random = np.random.default_rng([seed, *part.encode()])
            rows = ["path,number,speaker"]
            for position in range(n_clips):
                speaker = who[random.integers(len(who))]
                number = random.integers(10, size=N_DIGITS)
                chosen = []
                for digit in number.tolist():
                    said = [take for take in takes.get((digit, speaker), {}) if is_of_part(take)]
                    if not said:
                        raise DataError(f"{digits} holds no recording of {digit} by {speaker} for {part}: add some.")
                    chosen.append(takes[digit, speaker][said[random.integers(len(said))]])
                name = f"{part}/{position:06}.wav"
                write_wav(folder / name, np.concatenate(list(_with_gaps(chosen, random))), RATE)
                rows.append(f"{name},{''.join(map(str, number))},{speaker}")
            (folder / f"{part}.csv").write_text("\n".join([*rows, ""]), encoding="utf-8", newline="\n")

    n_clips = sum(part[0] for part in parts.values())
    tables = {f"{part}.csv": None for part in parts}
    # Of other recordings, other strings: whoever adds a take or mends one gets them anew.
    files = [file for said in takes.values() for file in said.values()]
    found = [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]
    digest = hashlib.sha256(json.dumps(found).encode()).hexdigest()[:12]
    return make_corpus(directory, f"digit_strings-{count}-{seed}-{digest}", n_clips, write, tables)


def _find_takes(digits: Path) -> dict[tuple[int, str], dict[int, Path]]:
    takes: dict[tuple[int, str], dict[int, Path]] = {}
    for file in sorted(digits.glob("recordings/*.wav")):
        if match := re.fullmatch(r"([0-9])_([^_]+)_([0-9]+)", file.stem):
            takes.setdefault((int(match[1]), match[2]), {})[int(match[3])] = file
    return takes


def _with_gaps(files: list[Path], random: np.random.Generator) -> Iterator[np.ndarray]:
    yield _silence(random, EDGE_SECONDS)
    for place, file in enumerate(files):
        if place:
            yield _silence(random, GAP_SECONDS)
        yield load_audio(file, RATE)
    yield _silence(random, EDGE_SECONDS)


def _silence(random: np.random.Generator, seconds: tuple[float, float]) -> np.ndarray:
    return np.zeros(round(random.uniform(*seconds) * RATE), dtype=np.float32)
