"""Names of encoders, which stand wherever a folder or a Hub id can: each is fetched once and kept in a cache."""

import os
from pathlib import Path

from .sources import SOURCES

# Raised whenever the folders in the cache would come out differently.
CACHE_VERSION = 1


def find_checkpoint(name: str | os.PathLike) -> str:
    """A checkpoint's folder or Hub id, as it is; for the name of an encoder, its folder in the cache.

    An encoder is fetched at its first use, and says what it fetches and under which licence. A folder of that name in
    the current directory goes first. The cache is in `HF_HOME`.

    Args:
        name: a folder, a Hub id, a file, or `ge2e`, `speech` or `sfx`.

    Raises:
        CheckpointError: the encoder's package cannot be fetched.
        DataError: the cache cannot be written.
    """
    name = os.fspath(name)
    if name not in SOURCES or os.path.exists(name):
        return name
    folder = cache_folder(name)
    if not (folder / "config.json").is_file():
        from .checkpoint import write_encoder  # loads torch

        write_encoder(name, folder)
    return str(folder)


def cache_folder(name: str) -> Path:
    """Where an encoder is kept, once it was fetched."""
    from huggingface_hub import constants

    version = f"{name}-{SOURCES[name].wheel.version}-v{CACHE_VERSION}"
    return Path(constants.HF_HOME) / "hf_audio" / "encoders" / version


__all__ = ["cache_folder", "find_checkpoint"]
