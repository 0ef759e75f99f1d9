"""An evaluation on the screen, and as a folder: figures as JSON, a report in Markdown, tables and pictures."""

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..data.tables.text_tables import write_rows
from ..errors import DataError
from ..files import temporary_folder_beside, write_text
from ..runs.folder.contents import SKIPPED_NAME, as_json
from ..runs.group_figures import GROUPS, describe_worst
from ..runs.markdown import code, escape, escape_rows, write_table
from ..runs.predictions.numbers import NumberPredictions
from .evaluation import NAMES, Comparison, Evaluation
from .events import JudgedRecordings

RESULTS_NAME = "evaluation.json"
REPORT_NAME = "evaluation.md"
PARTS = ("first", "second")  # folders of two checkpoints


def check_output(output: Path) -> None:
    """Refuse a folder that cannot be written, before anything is judged.

    Raises:
        DataError: it holds something else than an evaluation, or lies in no folder that exists.
    """
    if not output.absolute().parent.is_dir():
        raise DataError(f"--output {output} is in no folder that exists: make it first.")
    if output.exists() and not (output.is_dir() and _is_free(output)):
        raise DataError(f"--output {output} holds something else than an evaluation: choose a new folder.")


def _is_free(folder: Path) -> bool:
    return (folder / RESULTS_NAME).is_file() or not any(folder.iterdir())


def write_evaluation(result: Evaluation | Comparison, output: Path) -> None:
    """Leave everything in a folder, in the place of an earlier evaluation.

    Raises:
        DataError: it cannot be written.
    """
    check_output(output)
    with temporary_folder_beside(output) as folder:
        write_text(folder / RESULTS_NAME, as_json(result.results))
        if isinstance(result, Comparison):
            for name, evaluation in zip(PARTS, result.evaluations, strict=True):
                (folder / name).mkdir()
                _write_one(evaluation, folder / name)
            write_text(folder / REPORT_NAME, _compare(result))
        else:
            _write_one(result, folder)
        if output.is_dir():  # an earlier one
            shutil.rmtree(output)
        os.replace(folder, output)


def _write_one(evaluation: Evaluation, folder: Path) -> None:
    judged = evaluation.judged
    if isinstance(judged, JudgedRecordings):
        pictures = judged.write(folder)
    else:
        judged.write(folder)
        pictures = judged.pictures
    if evaluation.skipped:
        write_rows(folder / SKIPPED_NAME, evaluation.skipped)
    write_text(folder / REPORT_NAME, "\n\n".join(_sections(evaluation, pictures)) + "\n")


def _sections(evaluation: Evaluation, pictures: Sequence[str]) -> Iterator[str]:
    data = code(str(evaluation.results["data"]))
    yield f"# {escape(Path(evaluation.checkpoint).name)} on {escape(Path(evaluation.results['data']).name)}"
    yield f"The checkpoint {code(evaluation.checkpoint)} on {evaluation.counted}, from {data}."
    yield write_table(
        ["Figure", "Value", "95 % interval"],
        escape_rows(_figure_rows(evaluation)),
    )
    if isinstance(evaluation.judged, JudgedRecordings):
        yield _explain_events(evaluation.judged)
    notes = [*map(escape, evaluation.notes), *describe_worst(evaluation.results.get(GROUPS, {}), code)]
    if notes:
        yield "\n".join(f"- {note}" for note in notes)
    for table in evaluation.tables:
        if table.intro:
            yield table.intro
        yield write_table(table.header, escape_rows(table.rows))
    yield from (f"![{picture.removesuffix('.png').replace('_', ' ')}]({picture})" for picture in pictures)


def _explain_events(judged: JudgedRecordings) -> str:
    collars = judged.collars
    return (
        f"An event is right where its label is, its onset is within {collars.collar:g} s of a true one's, and its "
        f"offset too, or within {collars.offset_share:g} of the true event's length; so sed_eval counts. Segments "
        f"last {collars.segment_seconds:g} s. PSDS is sed_scores_eval's: 1 with DTC and GTC of 0.7; 2 with DTC and "
        "GTC of 0.1, CTTC of 0.3 and a weight of cross triggers of 0.5; both up to 100 false alarms an hour, with a "
        "weight of 1 for how far labels differ. Intervals are over recordings."
    )


def _compare(comparison: Comparison) -> str:
    first, second = comparison.evaluations
    rows = escape_rows(comparison_rows(comparison))
    sections = [
        f"# {escape(Path(first.checkpoint).name)} and {escape(Path(second.checkpoint).name)}",
        f"The first is {code(first.checkpoint)}, the second {code(second.checkpoint)}, on {first.counted} from "
        f"{code(str(first.results['data']))}. More of each is in `first/` and `second/`.",
        write_table(["Figure", "First", "Second", "Difference", "95 % interval"], rows),
        "The interval of a difference comes of drawing the same clips, groups of clips or recordings anew for both: "
        "where it does not hold 0, chance alone would hardly make the difference.",
    ]
    return "\n\n".join(sections) + "\n"


def comparison_rows(comparison: Comparison) -> list[list[str]]:
    """A row a figure: what it is, its value of both checkpoints, the difference and its interval."""
    first, second = (evaluation.results for evaluation in comparison.evaluations)
    rows = []
    for name, words in NAMES.items():
        key = f"eval_{name}"
        if key not in first or key not in second:
            continue
        paired = comparison.differences.get(name)
        difference = second[key] - first[key] if paired is None else paired.value
        interval = "" if paired is None or paired.interval is None else "{:+.4f} to {:+.4f}".format(*paired.interval)
        rows.append([words, f"{first[key]:.4f}", f"{second[key]:.4f}", f"{difference:+.4f}", interval])
    return rows


def lines_of(result: Evaluation | Comparison) -> Iterator[str]:
    """What is printed."""
    if isinstance(result, Comparison):
        first, second = result.evaluations
        yield f"First: {first.checkpoint}, second: {second.checkpoint}, on {first.counted} of {first.results['data']}"
        yield from _columns(["", "first", "second", "difference", "95 % interval"], comparison_rows(result))
        for name, evaluation in zip(PARTS, result.evaluations, strict=True):
            yield from (f"Of the {name}: {note}" for note in evaluation.notes)
        return
    yield f"{result.checkpoint} on {result.counted} of {result.results['data']}"
    yield from _columns(["", "value", "95 % interval"], _figure_rows(result))
    if not isinstance(result.judged, NumberPredictions):
        table = result.judged.tables()[-1]  # of every label
        yield ""
        yield from _columns(table.header, table.rows)
    notes = [*describe_worst(result.results.get(GROUPS, {}), repr), *result.notes]
    yield from ["", *notes] if notes else []


def _figure_rows(evaluation: Evaluation) -> list[list[str]]:
    """A row a figure: what it is, its value and its interval."""
    return [
        [words, f"{value:.4f}", "" if interval is None else "{:.4f} to {:.4f}".format(*interval)]
        for words, value, interval in evaluation.figures
    ]


def _columns(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    """A table on the screen: words to the left, figures to the right."""
    cells = [list(header), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(header))]
    for row in cells:
        first, *others = zip(row, widths, strict=True)
        yield "  ".join([f"{first[0]:<{first[1]}}", *(f"{cell:>{width}}" for cell, width in others)]).rstrip()
