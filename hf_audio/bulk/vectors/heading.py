"""What the columns of a file of embeddings are, and what is known of all its rows."""

import json
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from ...errors import DataError, NoSpeechError
from ..answers import Row, kept_names, shown_name
from ..clips import STANDARD_INPUT

# Keys in a Parquet file's metadata, and arrays of an .npz file; their values are JSON.
METADATA, UNREADABLE = "hf_audio", "hf_audio_unreadable"
ROWS_PER_GROUP = 8192  # of Parquet, and of what is copied at once
OWN_COLUMNS = ("file", "start", "end", "vector", "checkpoint", "file_bytes", "file_modified_ns")
Part: TypeAlias = tuple[dict[str, np.ndarray], dict[str, Any], dict[str, str]]
"""The columns of a file, what is told of all its rows, and the clips without one."""


@dataclass
class VectorHeading:
    """What the columns are, and what is known of all rows, which Parquet's metadata has as JSON by `hf_audio`.

    | column | type | |
    |---|---|---|
    | `file` | string | the clip's file, as it was named |
    | `start`, `end` | float64 | of what was embedded, in seconds |
    | `vector` | fixed-size list of float32 | the embedding |
    | `checkpoint` | string | fingerprint of the checkpoint, see `fingerprint` |
    | `file_bytes`, `file_modified_ns` | int64 | of the file when it was embedded, nanoseconds since 1970; else null |

    Behind them are the further columns of a table that named the clips, as strings, one of these names as `table_...`.
    An .npz file has an array a column, `vector` of (rows, size), -1 in the place of null, and the metadata as further
    arrays. Clips without a row, which cannot be read or in which nobody speaks, stand in the metadata as
    `hf_audio_unreadable`.
    """

    further: Sequence[str]
    """Further columns of the clips."""
    size: int
    """Numbers of a vector."""
    checkpoint: str
    """Its fingerprint."""
    metadata: dict[str, Any]
    """What else is told of all rows: the checkpoint's name, its `sampling_rate`, ..."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """Clips without a row, and why; filled while rows are written."""
    _written: str = ""
    """The clip of the last row."""

    @property
    def columns(self) -> list[str]:
        """All names in their order."""
        return [*OWN_COLUMNS, *self.clip_columns.values()]

    @cached_property
    def clip_columns(self) -> dict[str, str]:
        """The further columns, each with its name in the file of embeddings."""
        return kept_names(self.further, {*OWN_COLUMNS, "path"})

    def rows(
        self,
        clip: Mapping[str, str],
        spans: Iterable[Sequence[float]],
        answers: Iterable[Any],
        problem: str | None,
    ) -> Iterator[Row]:
        """The rows of a clip; a clip that cannot be read has none."""
        name = shown_name(clip["path"])
        if problem is not None:
            self.unreadable[name] = problem
            return
        spans = list(spans)
        if spans:
            self.unreadable.pop(name, None)
            self._written = name
        elif name != self._written:  # all parts of a clip come one behind the other
            self.unreadable[name] = str(NoSpeechError(name, 0.0))
        further = {new: clip.get(old, "") for old, new in self.clip_columns.items()}
        for (start, end), (text, n_bytes, modified) in zip(spans, answers, strict=True):
            if clip["path"] == STANDARD_INPUT:
                n_bytes = modified = None
            values = (name, round(start, 6), round(end, 6), unpack(text), self.checkpoint, n_bytes, modified)
            yield {**dict(zip(OWN_COLUMNS, values, strict=True)), **further}

    @property
    def written_metadata(self) -> str:
        """What is told of all rows, as JSON."""
        return json.dumps({"checkpoint": self.checkpoint, "size": self.size, **self.metadata}, ensure_ascii=False)

    @property
    def written_complaints(self) -> str:
        """Clips without a row, and why, as JSON; whole when the rows are written."""
        return json.dumps(self.unreadable, ensure_ascii=False)


def unpack(text: str) -> np.ndarray:
    """A vector out of a journal, (size,) float32."""
    import base64

    return np.frombuffer(base64.b64decode(text), dtype="<f4")


def pack(vector: np.ndarray) -> str:
    """A vector, (size,), as a journal keeps it."""
    import base64

    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


def mixed_checkpoints(path: Path, n_checkpoints: int) -> DataError:
    """The refusal of vectors that no distance can be measured between."""
    return DataError(
        f"{path} mixes embeddings of {n_checkpoints} checkpoints, which cannot be compared: embed all clips by one."
    )


def read_object(text: str | bytes) -> dict[str, Any]:
    """The object of JSON that metadata are.

    Raises:
        ValueError: they are something else.
    """
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("its metadata is no object of JSON")
    return found


def check_columns(table_columns: Container[str]) -> None:
    """Refuse a file without one of `OWN_COLUMNS`.

    Raises:
        KeyError: with the column that is missing.
    """
    for name in OWN_COLUMNS:
        if name not in table_columns:
            raise KeyError(name)
