"""Vectors that networks compute of clips, kept on disk under a key of the network, the clips and the settings."""

import hashlib
import os
import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path

import datasets
import numpy as np
import torch
from torch import nn

KEY_BYTES = 16


class VectorCache:
    """Vectors of one length, each under a key, in a folder of the cache of `datasets`.

    What is added is on disk at once, so a run that is killed goes on where it was. Every run appends to a file of its
    own, so several may fill one cache, and none rewrites what is there.

    Args:
        name: of the kind of vectors, and of everything that decides on them but the clip, see `fingerprint`.
        size: numbers of a vector.
    """

    def __init__(self, name: str, size: int):
        self.folder = Path(datasets.config.HF_DATASETS_CACHE) / "hf_audio" / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.row = np.dtype([("key", f"S{2 * KEY_BYTES}"), ("vector", "<f4", (size,))])
        self.places: dict[bytes, tuple[Path, int]] = {}
        for file in sorted(self.folder.glob("*.vectors")):
            self._note(file, self._read(file)["key"], 0)
        self.own = self.folder / f"{os.getpid()}-{secrets.token_hex(4)}.vectors"

    def __contains__(self, key: str) -> bool:
        return key.encode() in self.places

    def add(self, keys: Sequence[str], vectors: np.ndarray) -> None:
        """Keep vectors, (keys, size), for good."""
        rows = np.empty(len(keys), dtype=self.row)
        rows["key"], rows["vector"] = [key.encode() for key in keys], vectors
        start = self.own.stat().st_size // self.row.itemsize if self.own.exists() else 0
        with self.own.open("ab") as file:
            file.write(rows.tobytes())
        self._note(self.own, rows["key"], start)

    def read(self, keys: Sequence[str]) -> np.ndarray:
        """The vectors of some keys, (keys, size) float32.

        Raises:
            KeyError: one of them is not kept.
        """
        places = [self.places[key.encode()] for key in keys]
        files = {file: self._read(file) for file in {file for file, _ in places}}
        vectors = np.empty((len(keys), *self.row["vector"].shape), dtype=np.float32)
        for number, (file, row) in enumerate(places):
            vectors[number] = files[file]["vector"][row]
        return vectors

    def _read(self, file: Path) -> np.ndarray:
        """The whole rows of a file; the last one may have been cut off by a kill."""
        n_rows = file.stat().st_size // self.row.itemsize
        return np.memmap(file, self.row, mode="r", shape=(n_rows,)) if n_rows else np.empty(0, self.row)

    def _note(self, file: Path, keys: Iterable[bytes], start: int) -> None:
        self.places.update((key, (file, row)) for row, key in enumerate(keys, start))


def fingerprint(weights: nn.Module | dict[str, torch.Tensor], *settings: str) -> str:
    """Stands for weights, and for whatever else in words decides on what a network gives."""
    digest = hashlib.sha256(repr(settings).encode())
    state = weights.state_dict() if isinstance(weights, nn.Module) else weights
    for name, value in state.items():
        digest.update(name.encode())
        digest.update(value.cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()[:32]


def file_key(path: str | os.PathLike) -> str:
    """The key of a file: its name, size and time."""
    status = os.stat(path)
    return _digest(repr((os.fspath(path), status.st_size, status.st_mtime_ns)).encode())


def samples_key(samples: np.ndarray) -> str:
    """The key of samples: a digest of them."""
    return _digest(np.ascontiguousarray(samples).data)


def _digest(content: bytes | memoryview) -> str:
    return hashlib.sha256(content).hexdigest()[: 2 * KEY_BYTES]
