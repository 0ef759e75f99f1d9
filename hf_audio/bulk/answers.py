"""What a checkpoint answered, as a table, JSON lines, CSV or Parquet; the same columns everywhere."""

import itertools
import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from tqdm.auto import tqdm

from ..data.tables import write_cells
from ..errors import DataError
from ..files import written_whole

ROWS_PER_GROUP = 10_000  # of Parquet
# Of a table, that say what a clip is, by the names that answers have.
TRUTH_COLUMNS = ("label", "number")
Row = dict[str, Any]


@dataclass(frozen=True)
class Heading:
    """What the columns are.

    `path`, the further columns of a table that named the clips, `start` and `end` in seconds where clips are judged
    over time, `label` or `number` and `confidence`, `label_2` and `confidence_2` and so on, and `error`. A further
    column that has one of these names is kept under another: `true_label`, `true_number`, `table_confidence`.
    """

    further: Sequence[str]
    """Further columns of the clips."""
    kind: str
    """"label", or "number" of models that read numbers."""
    n_answers: int
    """How many labels each clip gets."""
    over_time: bool
    """Whether a row is a window rather than a clip."""
    sampling_rate: int
    """Of what the checkpoint hears, in Hz."""

    @property
    def columns(self) -> list[str]:
        """All names in their order."""
        return ["path", *self._clip_columns.values(), *self._times, *itertools.chain(*self._answer_columns), "error"]

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

    @cached_property
    def _clip_columns(self) -> dict[str, str]:
        """The further columns' names, and those by which they stand beside the answer's."""
        own = {"path", *self._times, *itertools.chain(*self._answer_columns), "error"}
        taken = own | set(self.further)
        names = {}
        for name in self.further:
            names[name] = name if name not in own else free_name(_kept_name(name), taken)
            taken.add(names[name])
        return names

    def rows(
        self,
        clip: Mapping[str, str],
        spans: Iterable[Sequence[float]],
        answers: Iterable[Sequence[Sequence[Any]]],
        problem: str | None,
    ) -> Iterator[Row]:
        """Of one clip; what is not known is `None`."""
        of_clip = {new: clip.get(name, "") for name, new in self._clip_columns.items()}
        # A name of a file may be no text.
        of_clip["path"] = os.fsencode(clip["path"]).decode(errors="backslashreplace")
        row: Row = {**dict.fromkeys(self.columns), **of_clip}
        if problem is not None:
            yield {**row, "error": problem}
            return
        for (start, end), best in zip(spans, answers, strict=True):
            cells = {"start": round(start, 6), "end": round(end, 6)} if self.over_time else {}
            for names, answer in zip(self._answer_columns, best, strict=False):
                cells |= dict(zip(names, answer, strict=True))
            yield {**row, **cells}


def _kept_name(name: str) -> str:
    return f"true_{name}" if name in TRUTH_COLUMNS else f"table_{name}"


def free_name(name: str, taken: Collection[str]) -> str:
    """The name, or with the first number behind it that makes it another one than those that are taken."""
    numbered = (f"{name}_{number}" for number in itertools.count(2))
    return next(new for new in itertools.chain([name], numbered) if new not in taken)


H = TypeVar("H")
Writer = Callable[[Path, H, Iterable[Row]], None]
"""Takes the file, the heading and the rows."""


def write_csv(path: Path, heading: Heading, rows: Iterable[Row]) -> None:
    """Confidences and times with six digits behind the point."""
    columns = heading.columns
    cells = ((f"{row[name]:.6f}" if isinstance(row[name], float) else row[name] for name in columns) for row in rows)
    write_cells(path, columns, cells)


def write_json_lines(path: Path, heading: Heading, rows: Iterable[Row]) -> None:
    """An object a line; what is not known is null."""
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def write_parquet(path: Path, heading: Heading, rows: Iterable[Row]) -> None:
    """Columns of strings, and of doubles for times and confidences."""
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    schema = pyarrow.schema(
        (name, pyarrow.float64() if name in heading.real_columns else pyarrow.string()) for name in heading.columns
    )
    rows = iter(rows)
    with path.open("wb") as file, ParquetWriter(file, schema) as writer:
        while group := list(itertools.islice(rows, ROWS_PER_GROUP)):
            writer.write_table(pyarrow.Table.from_pylist(group, schema))


def write_audacity_labels(path: Path, heading: Heading, rows: Iterable[Row]) -> None:
    """A label track: start, end and best label of each window.

    Source: https://manual.audacityteam.org/man/importing_and_exporting_labels.html.
    """
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            label = f"{_one_line(row[heading.kind])} {row['confidence']:.2f}"
            file.write(f"{row['start']:.6f}\t{row['end']:.6f}\t{label}\n")


def write_raven_table(path: Path, heading: Heading, rows: Iterable[Row]) -> None:
    """A selection table: each window a selection of the whole band, with its best label.

    Source: https://www.ravensoundsoftware.com/knowledge-base/.
    """
    columns = ["Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)"]
    with path.open("w", encoding="utf-8") as file:
        file.write("\t".join([*columns, "Begin File", heading.kind.title(), "Confidence"]) + "\n")
        for number, row in enumerate(rows, start=1):
            times = f"{row['start']:.6f}", f"{row['end']:.6f}"
            band = "0.0", f"{heading.sampling_rate / 2:.1f}"
            answer = _one_line(row[heading.kind]), f"{row['confidence']:.6f}"
            cells = str(number), "Spectrogram 1", "1", *times, *band, _one_line(Path(row["path"]).name), *answer
            file.write("\t".join(cells) + "\n")


def write_text_grid(path: Path, heading: Heading, rows: Iterable[Row]) -> None:
    """An interval tier of best labels. Intervals may not overlap: each is what its window hears for the first time.

    What lies between windows, and was not judged, is an interval without text.

    Source: https://www.fon.hum.uva.nl/praat/manual/TextGrid_file_formats.html.
    """
    intervals = []
    begin = 0.0
    for row in rows:
        if row["start"] > begin:
            intervals.append((begin, row["start"], ""))
            begin = row["start"]
        intervals.append((begin, row["end"], _one_line(row[heading.kind]).replace('"', '""')))
        begin = row["end"]
    with path.open("w", encoding="utf-8") as file:
        file.write('File type = "ooTextFile"\nObject class = "TextGrid"\n\n')
        file.write(f"xmin = 0\nxmax = {begin}\ntiers? <exists>\nsize = 1\nitem []:\n    item [1]:\n")
        file.write(f'        class = "IntervalTier"\n        name = "{heading.kind}"\n')
        file.write(f"        xmin = 0\n        xmax = {begin}\n        intervals: size = {len(intervals)}\n")
        for number, (start, end, text) in enumerate(intervals, start=1):
            file.write(f"        intervals [{number}]:\n            xmin = {start}\n            xmax = {end}\n")
            file.write(f'            text = "{text}"\n')


def _one_line(text: str) -> str:
    return " ".join(text.split())


WRITERS: dict[str, Writer[Heading]] = {".csv": write_csv, ".jsonl": write_json_lines, ".parquet": write_parquet}
# Of one recording over time. The longer name first: it ends like the other one.
LABEL_WRITERS: dict[str, Writer[Heading]] = {
    ".selections.txt": write_raven_table,
    ".txt": write_audacity_labels,
    ".TextGrid": write_text_grid,
}


def choose_writer(output: Path, *, over_time: bool, n_clips: int) -> Writer[Heading]:
    """By the name's end, the writer of a file, which it writes whole or not at all.

    Raises:
        DataError: a name that says nothing, or a format that does not fit.
    """
    for suffix, write in {**WRITERS, **LABEL_WRITERS}.items():
        if not output.name.lower().endswith(suffix.lower()):
            continue
        if suffix in LABEL_WRITERS and not over_time:
            raise DataError(f"--output {output} is for labels over time: add --windows.")
        if suffix in LABEL_WRITERS and n_clips > 1:
            raise DataError(f"--output {output} labels one recording, and there are {n_clips}: name one, or a .csv.")
        return written_at_once(write)
    labels = ", ".join(LABEL_WRITERS)
    raise DataError(f"--output {output} must end in {', '.join(WRITERS)}, or, with --windows, in {labels}.")


def written_at_once(write: Writer[H]) -> Writer[H]:
    """A writer whose file is written whole or not at all."""

    def write_whole(path: Path, heading: H, rows: Iterable[Row]) -> None:
        with written_whole(path) as temporary:
            write(temporary, heading, rows)

    return write_whole


def print_table(heading: Heading, rows: Iterable[Row], paths: Iterable[str], labels: Iterable[str]) -> None:
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
