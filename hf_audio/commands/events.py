"""Commands on events, what sounds from when to when: found in recordings, and thresholds fitted to annotated ones."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..errors import ArgumentError
from ..remote.paths import as_path
from .bulk import as_frame
from .paths import File, check_sources, check_writable, several

if TYPE_CHECKING:
    import pandas as pd

    from ..inference.events import EventRule


def detect(
    checkpoint: File,
    paths: Sequence[File],
    *,
    output: File | None = None,
    beside: str | None = None,
    threshold: Sequence[str] | float | None = None,
    min_seconds: float | None = None,
    gap_seconds: float | None = None,
    hop_seconds: float | None = None,
    summary: Sequence[File] | None = None,
    start_column: str | None = None,
    path_column: str | None = None,
    audio_dir: File | None = None,
    num_workers: int | None = None,
    resume: bool = False,
) -> "pd.DataFrame | Path | None":
    """Find the events in recordings of any length.

    What sounds from when to when, with its confidence, each event once; where nothing is heard there is none. On the
    screen, or with --output or --beside into files, which a killed run goes on with (--resume). By any checkpoint:
    times are as fine as its frame scores, or as a quarter of its window where it has none.

    Args:
        checkpoint: a finished folder, a Hub id or an ONNX file
        paths: a file, a folder, a pattern in quotes, a table that names files, or - for standard input
        output: .csv, .jsonl, .parquet or .selections.txt (Raven), or a folder for Parquet parts; of one recording also
            .txt (Audacity) or .TextGrid (Praat)
        beside: in place of --output, a file beside each recording: its end, such as .txt, says the format
        threshold: the confidence from which on an event is one, for all labels, or label=number for some; by default
            what was fitted (hf-audio fit-events), or 0.5
        min_seconds: shorter events are none
        gap_seconds: events of a label with a shorter gap between them are one
        hop_seconds: from window to window; by default a quarter of one, or as suits frame scores
        summary: .csv and .png for how much happens by hour, day and site
        start_column: of a table: when recordings began; by default as recorders write it into a WAV file, or name it
        path_column: of a table: names of files; by default one with a usual name
        audio_dir: where a table's files are; by default beside it
        num_workers: processes that decode; by default one for two cores
        resume: go on with what a killed run has left, if anything

    Returns:
        A row an event: `path`, `onset`, `offset`, `label`, `confidence`, `time`, the columns of a table, and `error`
        where a recording cannot be read. With `output`, its path; nothing with `beside`.

    Raises:
        ArgumentError: arguments that do not go together.
        DataError: there are no recordings, or the output does not suit.
        AudioError: no recording can be read.
        CheckpointError: the checkpoint cannot be used.
    """
    tables: list[pd.DataFrame] = []
    detect_events(
        lambda heading, rows, *_: tables.append(as_frame(heading, rows)),
        checkpoint,
        paths,
        output=output,
        beside=beside,
        threshold=threshold,
        min_seconds=min_seconds,
        gap_seconds=gap_seconds,
        hop_seconds=hop_seconds,
        summary=summary,
        start_column=start_column,
        path_column=path_column,
        audio_dir=audio_dir,
        num_workers=num_workers,
        resume=resume,
    )
    if output is not None:
        return Path(output)
    return tables[0] if tables else None


def detect_events(
    show: Callable[..., None] | None,
    checkpoint: File,
    paths: Sequence[File],
    *,
    output: File | None,
    beside: str | None,
    threshold: Sequence[str] | float | None,
    summary: Sequence[File] | None,
    num_workers: int | None,
    resume: bool,
    **options: Any,
) -> tuple[int, int]:
    """What `detect` does; its arguments are explained there.

    show: takes the heading and rows of events without an output, as they come; `None` prints them.

    Returns:
        The numbers of recordings and of those that cannot be read.
    """
    if output is not None and beside is not None:
        raise ArgumentError("--output is one file for all recordings, and --beside one for each: leave one out.")
    sources = check_sources(paths, output, num_workers, kept=resume and beside is None)
    summaries = [Path(file) for file in several(summary or ())]
    for file in summaries:
        check_writable(file, "--summary", sources)
    from ..bulk.activity import Activity, check_summaries
    from ..bulk.detect import EventQuestion, Recordings, plan_beside
    from ..bulk.predict import predict_files  # loads torch
    from ..data.tables.columns import Columns

    recordings = Recordings(sources, Columns(options["path_column"]), options["audio_dir"])
    place = None if output is None else as_path(output)
    if beside is not None:
        place = plan_beside(recordings.clips(), beside, resume=resume)
    check_summaries(summaries, None if options["start_column"] else recordings.clips)
    words = [threshold] if isinstance(threshold, str | float | int) else threshold or ()
    question = EventQuestion(
        hop_seconds=options["hop_seconds"],
        thresholds=tuple(map(str, words)),
        min_seconds=options["min_seconds"],
        gap_seconds=options["gap_seconds"],
        start_column=options["start_column"],
        beside=beside is not None,
        activity=Activity() if summaries else None,
    )
    counts = predict_files(
        os.fspath(checkpoint), recordings, place, question, num_workers=num_workers, resume=resume, show=show
    )
    if question.activity is not None:
        question.activity.write(summaries)
    return counts


def fit_events(
    checkpoint: File,
    data: File,
    *,
    precision: float | None = None,
    false_alarms_per_hour: float | None = None,
    path_column: str | None = None,
    label_column: Sequence[str] = (),
    split_column: str | None = None,
    audio_dir: File | None = None,
    unannotated: Literal["background", "ignore"] | None = None,
) -> "EventRule":
    """Fit thresholds of events to annotated recordings.

    From which confidence on something is an event, a label each, and what ends one, in the checkpoint's config.json
    and so in detect, stream, serve, evaluate, and what is exported from now on. By default for the best F1 of events.

    Args:
        checkpoint: a finished folder
        data: annotated recordings that it was not trained on, as hf-audio train own_sounds reads them
        precision: the share of found events that shall be right, for as many as can be found so
        false_alarms_per_hour: how many found events of each label may be wrong, for as many as can be found so
        path_column: of a table: names of files; by default one with a usual name
        label_column: of a table: labels; by default one with a usual name
        split_column: of a table: the parts, of which that to validate on is taken; by default one with a usual name
        audio_dir: where a table's files are; by default beside it
        unannotated: what is not annotated

    Returns:
        The rule, with `thresholds` in the order of the labels, `release`, `min_seconds` and `gap_seconds`.

    Raises:
        ArgumentError: arguments that do not go together, or a checkpoint that reads numbers.
        CheckpointError: the checkpoint is no folder.
        DataError: there are no annotations with times, or none of a label that the checkpoint knows.
    """
    if precision is not None and false_alarms_per_hour is not None:
        raise ArgumentError("--precision and --false_alarms_per_hour are two aims: leave one out.")
    from ..data.tables.columns import Columns
    from ..evaluation.evaluation import Data  # loads torch
    from ..evaluation.fitting import fit_events as fit

    objective: str | tuple[str, float] = "f1"
    if precision is not None:
        objective = "precision", precision
    elif false_alarms_per_hour is not None:
        objective = "false_alarms_per_hour", false_alarms_per_hour
    columns = Columns(path_column, several(label_column), None, split_column)
    place = None if audio_dir is None else os.fspath(audio_dir)
    return fit(os.fspath(checkpoint), Data(os.fspath(data), columns, place, unannotated), objective)
