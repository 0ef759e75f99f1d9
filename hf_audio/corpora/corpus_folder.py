"""Folders of corpora that are made on the spot: in the cache, written whole, and made once."""

import errno
import io
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import soundfile
from huggingface_hub import constants

from ..errors import DataError
from ..files import folder_written_whole

VERSION = 1  # of the corpora: raise it whenever a change gives other bytes
SEED = 20  # of the corpora whose callers choose none


def make_corpus(
    directory: str | os.PathLike[str] | None,
    name: str,
    n_clips: int,
    write: Callable[[Path], None],
    other_files: Mapping[str, bytes | None] | None = None,
) -> Path:
    """Have `write` fill a new folder and put it in place whole, so that no reader ever sees half a corpus.

    What makes a corpus complete is `n_clips` WAV files in its folders, and `other_files` with their contents, where
    those tell it from a corpus made by other arguments.
    """
    cache = Path(constants.HF_HOME) / "hf_audio" / "demo"
    target = cache / f"{name}-v{VERSION}" if directory is None else Path(directory).absolute()

    def is_complete() -> bool:
        clips_there = sum(1 for _ in target.glob("*/*.wav")) == n_clips
        return clips_there and all(
            (target / file).is_file() and content in (None, (target / file).read_bytes())
            for file, content in (other_files or {}).items()
        )

    try:
        occupied = target.is_dir() and any(target.iterdir())  # looked up first: another process may finish in between
        if is_complete():
            return target
        if occupied:
            raise FileExistsError(errno.EEXIST, "it holds something else, or only a part of the corpus")
        with folder_written_whole(target, is_complete) as draft:  # what another process has made is the same
            write(draft)
    except OSError as error:
        raise DataError(f"The demo corpus cannot be made in {target}: {error.strerror or error}.") from error
    return target


def write_wav(path: Path, audio: np.ndarray, rate: int) -> None:
    """Write mono samples as a 16-bit WAV; (samples,) float in [-1, 1], rate in Hz."""
    # Through memory: soundfile reports a full disk as a RuntimeError, write_bytes as the OSError that it is.
    content = io.BytesIO()
    soundfile.write(content, audio, rate, subtype="PCM_16", format="WAV")
    path.write_bytes(content.getvalue())
