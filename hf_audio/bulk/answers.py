"""What a checkpoint answered, as a table, JSON lines, CSV or Parquet; the same columns everywhere."""

import itertools
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from tqdm.auto import tqdm

from ..data.tables.text_tables import write_cells
from ..errors import DataError
from ..files import written_whole
from ..inference.events import DEFAULT_THRESHOLD, is_event
from ..remote.addresses import public_name
from .label_formats import LABEL_SUFFIXES, OF_ONE_RECORDING, Mark, write_marks

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_PER_GROUP = 10_000  # of Parquet
# Of a table, that say what a clip is, by the names that answers have.
TRUTH_COLUMNS = ("label", "number")
Row = dict[str, Any]


class TableHeading(Protocol):
    """The columns of a table that is written or shown row by row."""

    @property
    def columns(self) -> list[str]:
        """All names in their order."""

    @property
    def real_columns(self) -> Collection[str]:
        """Names of those that hold numbers rather than text."""

    @property
    def answer_columns(self) -> list[str]:
        """Names of those that hold labels or numbers."""


@dataclass(frozen=True)
class ClipHeading(ABC):
    """The columns of a table of answers, of which each row has its clip, the clip's further columns and `error`."""

    further: Sequence[str]
    """Further columns of the table that named the clips."""

    @property
    @abstractmethod
    def own_columns(self) -> list[str]:
        """Names of those that hold answers, in their order."""

    @property
    def columns(self) -> list[str]:
        """All names in their order."""
        return ["path", *self.clip_columns.values(), *self.own_columns, "error"]

    @cached_property
    def clip_columns(self) -> dict[str, str]:
        """The further columns, each with the name that it has beside the own ones."""
        return kept_names(self.further, {"path", *self.own_columns, "error"})

    @abstractmethod
    def cells(
        self, clip: Mapping[str, str], spans: Iterable[Sequence[float]], answers: Iterable[Sequence[Any]]
    ) -> Iterator[Row]:
        """The own cells of the rows of a clip, as far as they are known.

        Args:
            clip: its `path` and further cells.
            spans: start and end in seconds of what was judged.
            answers: one a span.
        """

    def rows(
        self,
        clip: Mapping[str, str],
        spans: Iterable[Sequence[float]],
        answers: Iterable[Sequence[Any]],
        problem: str | None,
    ) -> Iterator[Row]:
        """The rows of a clip, see `cells`, or one with the problem if there is one; what is not known is `None`."""
        row = empty_row(clip, self.columns, self.clip_columns)
        if problem is not None:
            yield {**row, "error": problem}
            return
        for cells in self.cells(clip, spans, answers):
            yield {**row, **cells}


@dataclass(frozen=True)
class Heading(ClipHeading):
    """The columns of labels or numbers.

    `path`, the further columns of a table that named the clips, `start` and `end` in seconds where clips are judged
    over time, `label` or `number` and `confidence`, `label_2` and `confidence_2` and so on, and `error`. A further
    column that has one of these names is kept under another: `true_label`, `true_number`, `table_confidence`.
    """

    kind: str
    """"label", or "number" of models that read numbers."""
    n_answers: int
    """How many labels each clip gets."""
    over_time: bool
    """Whether a row is a window rather than a clip."""
    sampling_rate: int
    """Of what the checkpoint hears, in Hz."""
    multi_label: bool = False
    """Whether several labels may sound at once, or none."""

    @property
    def own_columns(self) -> list[str]:
        """See `ClipHeading.own_columns`."""
        return [*self._times, *itertools.chain(*self._answer_columns)]

    @property
    def real_columns(self) -> set[str]:
        """Names of those that hold numbers rather than text."""
        return {*self._times, *(confidence for _, confidence in self._answer_columns)}

    @property
    def answer_columns(self) -> list[str]:
        """Names of those that hold labels or numbers."""
        return [answer for answer, _ in self._answer_columns]

    @property
    def _times(self) -> list[str]:
        return ["start", "end"] if self.over_time else []

    @property
    def _answer_columns(self) -> list[tuple[str, str]]:
        numbers = ["", *(f"_{i}" for i in range(2, self.n_answers + 1))]
        return [(f"{self.kind}{number}", f"confidence{number}") for number in numbers]

    def cells(
        self, clip: Mapping[str, str], spans: Iterable[Sequence[float]], answers: Iterable[Sequence[Sequence[Any]]]
    ) -> Iterator[Row]:
        """See `ClipHeading.cells`: a row a span."""
        for (start, end), best in zip(spans, answers, strict=True):
            cells = {"start": round(start, 6), "end": round(end, 6)} if self.over_time else {}
            for names, answer in zip(self._answer_columns, best, strict=False):
                cells |= dict(zip(names, answer, strict=True))
            yield cells


def kept_names(further: Sequence[str], own_columns: Collection[str]) -> dict[str, str]:
    """The further columns, each with its name in the table of answers: another one where an own column has it."""
    taken = {*own_columns, *further}
    names = {}
    for name in further:
        names[name] = name if name not in own_columns else free_name(_kept_name(name), taken)
        taken.add(names[name])
    return names


def empty_row(clip: Mapping[str, str], columns: Sequence[str], kept: Mapping[str, str]) -> Row:
    """A row of these columns, of which nothing is known but the clip and its further cells, see `kept_names`."""
    cells = {new: clip.get(name, "") for name, new in kept.items()}
    return {**dict.fromkeys(columns), **cells, "path": shown_name(clip["path"])}


def shown_name(path: str) -> str:
    """The name of a file, which may be no text, as text, without the credentials that an address may hold."""
    return os.fsencode(public_name(path)).decode(errors="backslashreplace")


def _kept_name(name: str) -> str:
    return f"true_{name}" if name in TRUTH_COLUMNS else f"table_{name}"


def free_name(name: str, taken: Collection[str]) -> str:
    """The name, or with the first number behind it that makes it another one than those that are taken."""
    numbered = (f"{name}_{number}" for number in itertools.count(2))
    return next(new for new in itertools.chain([name], numbered) if new not in taken)


H = TypeVar("H")
Writer = Callable[[Path, H, Iterable[Row]], None]
"""Takes the file, the heading and the rows."""


def write_csv(path: Path, heading: TableHeading, rows: Iterable[Row]) -> None:
    """Confidences and times with six digits behind the point."""
    columns = heading.columns
    cells = ((f"{row[name]:.6f}" if isinstance(row[name], float) else row[name] for name in columns) for row in rows)
    write_cells(path, columns, cells)


def write_json_lines(path: Path, heading: TableHeading, rows: Iterable[Row]) -> None:
    """An object a line; what is not known is null."""
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def arrow_schema(heading: TableHeading) -> "pa.Schema":
    """Strings, and doubles for times and confidences."""
    import pyarrow as pa

    return pa.schema(
        [(name, pa.float64() if name in heading.real_columns else pa.string()) for name in heading.columns]
    )


def write_parquet(path: Path, heading: TableHeading, rows: Iterable[Row]) -> None:
    """Columns of strings, and of doubles for times and confidences."""
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    schema = arrow_schema(heading)
    rows = iter(rows)
    with path.open("wb") as file, ParquetWriter(file, schema) as writer:
        while group := list(itertools.islice(rows, ROWS_PER_GROUP)):
            writer.write_table(pyarrow.Table.from_pylist(group, schema))


def write_labels(suffix: str, path: Path, heading: Heading, rows: Iterable[Row]) -> None:
    """Best labels over time in the format of an editor; where nothing is heard, there is no label.

    That is where the answer is that it is none of the labels or, of tags, where none is more likely than not.
    """
    marks = (
        Mark(str(row["path"]), row["start"], row["end"], _heard(row, heading), row["confidence"])
        for row in rows
        if row["error"] is None
    )
    write_marks(path, suffix, marks, heading.kind, heading.sampling_rate / 2)


def _heard(row: Row, heading: Heading) -> str:
    label = str(row[heading.kind])
    return label if is_event(label) and not (heading.multi_label and row["confidence"] < DEFAULT_THRESHOLD) else ""


WRITERS: dict[str, Writer[TableHeading]] = {".csv": write_csv, ".jsonl": write_json_lines, ".parquet": write_parquet}


def choose_writer(output: Path, *, over_time: bool, n_clips: int) -> Writer[Heading]:
    """The writer of a file by the end of its name; it writes the file whole or not at all.

    Raises:
        DataError: a name that says nothing, or a format that does not fit.
    """
    editors = {suffix: partial(write_labels, suffix) for suffix in LABEL_SUFFIXES}
    writers: dict[str, Writer[Heading]] = {**WRITERS, **editors}
    for suffix, write in writers.items():
        if not output.name.lower().endswith(suffix.lower()):
            continue
        if suffix in LABEL_SUFFIXES and not over_time:
            raise DataError(f"--output {output} is for labels over time: add --windows.")
        if suffix in OF_ONE_RECORDING and n_clips > 1:
            raise DataError(
                f"--output {output} labels one recording, and there are {n_clips}: name one, or a .csv or "
                ".selections.txt."
            )
        return written_at_once(write)
    labels = ", ".join(LABEL_SUFFIXES)
    raise DataError(f"--output {output} must end in {', '.join(WRITERS)}, or, with --windows, in {labels}.")


def written_at_once(write: Writer[H]) -> Writer[H]:
    """A writer whose file is written whole or not at all."""

    def write_whole(path: Path, heading: H, rows: Iterable[Row]) -> None:
        with written_whole(path) as temporary:
            write(temporary, heading, rows)

    return write_whole


def print_table(heading: TableHeading, rows: Iterable[Row], paths: Iterable[str], labels: Iterable[str]) -> None:
    """Rows as they come, in columns wide enough for these paths and labels."""
    widths = {"path": max(map(len, ["path", *paths]))}
    widths |= {name: max(len(name), 9) for name in heading.real_columns}  # hours of seconds
    widths |= {name: max(map(len, [name, *labels])) for name in heading.answer_columns}
    shown = [name for name in heading.columns if name in widths]
    tqdm.write("  ".join(name.ljust(widths[name]) for name in shown).rstrip())  # above a progress bar
    for row in rows:
        cells = [shown_cell(row[name]).ljust(widths[name]) for name in shown]
        tqdm.write("  ".join(cells if row["error"] is None else [cells[0], f"error: {row['error']}"]).rstrip())


def shown_cell(value: Any) -> str:
    """A value for a terminal, which obeys some letters of strangers' names and labels."""
    if isinstance(value, float):
        return f"{value:.4f}"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str("" if value is None else value))
