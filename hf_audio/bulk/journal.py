"""What has been found out about each clip, kept as it comes, so that a killed run goes on where it was."""

import base64
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..errors import DataError
from ..files import NO_ROOM
from .lock import FileLock

# Windows of one recording whose scores are kept together: a recording of fewer is begun anew.
BLOCK_WINDOWS = 256


@dataclass(frozen=True)
class Entry:
    """Answers about a clip; of a clip judged over time, a part of them."""

    clip: int
    """Its place among the clips."""
    spans: list[list[float]]
    """Start and end of what was judged, in seconds."""
    answers: list[Any]
    """For each span what was answered: its best labels, or the number, each with its confidence; or its vector."""
    ended: bool
    """Whether nothing more comes of this clip."""
    problem: str | None
    """Why the clip cannot be read; then what was said about it does not count."""


class Journal:
    """A file of JSON lines: first what the run was asked, then an `Entry` a line; deleted when all is done.

    Of long recordings that have not ended, the network's scores stand in it too, block by block. While it is open, no
    other run can open it. A line that a kill has cut off, and answers about clips that it interrupted, do not count:
    those clips are done anew, but for the windows whose scores are known.

    Args:
        path: of the file.
        request: what the run is asked; a run that goes on must be asked the same.
        resume: whether to go on with what is there, if anything is.

    Raises:
        DataError: another run writes it; or what is there was asked something else, or is not to be gone on with; or
            nothing can be written.
    """

    def __init__(self, path: Path, request: Mapping[str, Any], resume: bool):
        self.path = path
        self._lines: dict[int, list[int]] = {}  # where each finished clip's lines begin
        self._unfinished: dict[int, list[int]] = {}
        self._blocks: defaultdict[int, list[int]] = defaultdict(list)  # of clips that have not ended, their lines
        self._recalled: dict[int, dict[int, np.ndarray]] = {}
        self._fresh: defaultdict[int, list[tuple[int, np.ndarray]]] = defaultdict(list)
        self.n_problems = 0
        try:
            self._lock = FileLock(path)
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            size = self._read(request, resume)
            self._open(size)
            if not size:
                self._write(dict(request))
        except BaseException:
            self._lock.release()
            raise

    def _open(self, size: int) -> None:
        try:
            self._file: IO[bytes] = self.path.open("r+b")
            self._file.truncate(size)  # what a kill has cut off
            self._file.seek(size)
        except OSError as error:
            raise self._unwritable(error) from error

    def _read(self, request: Mapping[str, Any], resume: bool) -> int:
        """Take in what is there and return its length, 0 where there is nothing to go on with."""
        with self.path.open("rb") as file:
            first = file.readline()
            if not first.endswith(b"\n"):
                return 0
            before = self._parse(first)
            changed = [name for name, value in request.items() if before.get(name) != value]
            position = file.tell()
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._note(self._parse(line), position)
                position += len(line)
        self._unfinished.clear()
        if not resume and (self._lines or self._blocks):
            held = f"{len(self._lines)} clips" if self._lines else "a part of a clip"
            raise DataError(
                f"{self.path} holds {held} of a run that did not end: go on with --resume, or delete it to begin anew."
            )
        if not resume:
            return 0
        if changed:
            raise DataError(
                f"{self.path} was begun with other {' and '.join(changed)}: give what was given then, or delete it to "
                "begin anew."
            )
        return position

    def _parse(self, line: bytes) -> dict[str, Any]:
        try:
            parsed = json.loads(line)
        except ValueError:
            parsed = None
        if not isinstance(parsed, dict):
            raise DataError(f"{self.path} is no journal of hf-audio, or is damaged: delete it to begin anew.")
        return parsed

    def _note(self, entry: Mapping[str, Any], position: int) -> None:
        if "clip" not in entry:  # the run was taken up here, and began interrupted clips anew
            self._unfinished.clear()
            return
        if "scores" in entry:
            self._blocks[entry["clip"]].append(position)
            return
        self._unfinished.setdefault(entry["clip"], []).append(position)
        if entry["ended"]:
            lines = self._unfinished.pop(entry["clip"])
            self._lines[entry["clip"]] = lines if entry["problem"] is None else lines[-1:]
            self.n_problems += entry["problem"] is not None
            for entries in (self._blocks, self._recalled, self._fresh):
                entries.pop(entry["clip"], None)

    def _write(self, line: Mapping[str, Any]) -> None:
        try:
            self._file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> DataError:
        full = error.errno in NO_ROOM
        remedy = "make room, then go on with --resume" if full else "choose another --output"
        return DataError(f"{self.path} cannot be written ({error.strerror}): {remedy}.")

    @property
    def finished(self) -> Set[int]:
        """Places of the clips about which nothing more is to be found out; a view, which is asked at no cost."""
        return self._lines.keys()

    def begin(self) -> None:
        """From here on, clips that were not finished come anew, see `recall`."""
        self._unfinished.clear()
        self._recall_all()
        self._write({"begun": len(self._lines)})

    def append(self, entry: Entry) -> None:
        """Keep an entry; it survives the process's death at once.

        Raises:
            DataError: the disk is full, say.
        """
        position = self._file.tell()
        self._write(asdict(entry))
        self._note(asdict(entry), position)

    def keep(self, clip: int, start: int, scores: np.ndarray) -> None:
        """See `scoring.Memory`; a block is written when it is full.

        Raises:
            DataError: the disk is full, say.
        """
        if start in self._recalled.get(clip, ()):
            return
        fresh = self._fresh[clip]
        fresh.append((start, scores))
        if len(fresh) < BLOCK_WINDOWS:
            return
        del self._fresh[clip]
        rows = [base64.b64encode(row.astype("<f4").tobytes()).decode() for _, row in fresh]
        shapes = [list(row.shape) for _, row in fresh]  # of moments, the last window has fewer
        position = self._file.tell()
        self._write({"clip": clip, "starts": [start for start, _ in fresh], "shapes": shapes, "scores": rows})
        self._blocks[clip].append(position)

    def recall(self, clip: int, start: int) -> np.ndarray | None:
        """See `scoring.Memory`; knows what runs before this one have kept."""
        return self._recalled.get(clip, {}).get(start)

    def _recall_all(self) -> None:
        for clip, positions in self._blocks.items():
            for block in self._lines_at(positions):
                rows = (np.frombuffer(base64.b64decode(row), dtype="<f4") for row in block["scores"])
                shaped = (row.reshape(shape) for row, shape in zip(rows, block["shapes"], strict=True))
                self._recalled.setdefault(clip, {}).update(zip(block["starts"], shaped, strict=True))

    def _lines_at(self, positions: Iterable[int]) -> Iterator[dict[str, Any]]:
        with self.path.open("rb") as file:
            for position in positions:
                file.seek(position)
                yield self._parse(file.readline())

    def entries(self) -> Iterator[Entry]:
        """Those of finished clips, in the order of the clips and of time."""
        positions = (position for clip in sorted(self._lines) for position in self._lines[clip])
        return (Entry(**line) for line in self._lines_at(positions))

    def close(self) -> None:
        """Leave the file for a run to come."""
        try:
            self._file.close()
        except OSError as error:  # what could not be written is tried once more
            raise self._unwritable(error) from error
        finally:
            self._lock.release()

    def abandon(self) -> None:
        """The run breaks off: leave the file for one to come, if there is anything in it."""
        if self._lines or self._blocks:
            self.close()
        else:
            self.delete()

    def delete(self) -> None:
        """All is done."""
        with suppress(OSError):  # what is deleted need not be written
            self._file.close()
        self.path.unlink()
        self._lock.release()
