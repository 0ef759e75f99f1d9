"""Commands that label many files by a checkpoint: to know it, or to train on it."""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from ..errors import ArgumentError
from ..remote.paths import as_path
from .paths import File, check_sources, check_writable

if TYPE_CHECKING:
    import pandas as pd


@overload
def predict(
    checkpoint: File,
    paths: Sequence[File],
    *,
    output: None = None,
    top_k: int = 1,
    whole: Literal["mean", "max", "any"] = "mean",
    windows: bool = False,
    frames: bool = False,
    hop_seconds: float | None = None,
    path_column: str | None = None,
    audio_dir: File | None = None,
    num_workers: int | None = None,
    resume: bool = False,
    submission: bool = False,
    engine: Literal["ray"] | None = None,
    address: str | None = None,
) -> "pd.DataFrame": ...


@overload
def predict(
    checkpoint: File,
    paths: Sequence[File],
    *,
    output: File,
    top_k: int = 1,
    whole: Literal["mean", "max", "any"] = "mean",
    windows: bool = False,
    frames: bool = False,
    hop_seconds: float | None = None,
    path_column: str | None = None,
    audio_dir: File | None = None,
    num_workers: int | None = None,
    resume: bool = False,
    submission: bool = False,
    engine: Literal["ray"] | None = None,
    address: str | None = None,
) -> Path: ...


def predict(
    checkpoint: File,
    paths: Sequence[File],
    *,
    output: File | None = None,
    top_k: int = 1,
    whole: Literal["mean", "max", "any"] = "mean",
    windows: bool = False,
    frames: bool = False,
    hop_seconds: float | None = None,
    path_column: str | None = None,
    audio_dir: File | None = None,
    num_workers: int | None = None,
    resume: bool = False,
    submission: bool = False,
    engine: Literal["ray"] | None = None,
    address: str | None = None,
) -> "pd.DataFrame | Path":
    """Run a checkpoint on audio files.

    What a checkpoint answers to each clip, with its confidence: on the screen, or with --output into a file, which a
    killed run goes on with (--resume). `accelerate launch -m hf_audio.cli predict ...` shares the clips out among
    processes.

    Args:
        checkpoint: a finished folder, a Hub id or an ONNX file
        paths: a file, a folder, a pattern in quotes, a table that names files, or - for standard input
        output: .csv, .jsonl or .parquet, or a folder for Parquet parts; with --windows also .selections.txt (Raven)
            or, of one recording, .txt (Audacity) or .TextGrid (Praat)
        top_k: how many labels, best first
        whole: of a recording's windows: mean is what it is of the longest, max what is heard best at some moment (a
            call of a second in ten minutes has a mean of nearly nothing), any how likely it is heard at some moment
        windows: scores over time, window by window; for what happens when, hf-audio detect finds events
        frames: what is heard in every moment of 0.1 s or less, a column a label, in .csv, .jsonl or .parquet
        hop_seconds: from window to window; by default half a window, so that no short event is cut in two
        path_column: of a table: names of files; by default one with a usual name
        audio_dir: where a table's files are; by default beside it
        num_workers: processes that decode; by default one for two cores
        resume: go on with what a killed run has left, if anything
        submission: write fname,label with three tags a clip, as Kaggle takes it
        engine: ray shares the clips, or shards (Parquet files or tars with sounds), out among the machines of a Ray
            cluster, and writes Parquet parts into the folder --output
        address: of the cluster, as ray://host:10001; by default RAY_ADDRESS, or this machine alone

    Returns:
        A row a clip, or a window: `path`, the columns of a table, `label` or `number`, `confidence`, `label_2` and so
        on, and `error` where a clip cannot be read. A table's own `label` is then `true_label`. With `frames`, a row a
        moment: `start` and `end` in seconds, and a column a label. With `output`, its path.

    Raises:
        ArgumentError: arguments that do not go together.
        DataError: there are no clips, or the output does not suit.
        AudioError: no clip can be read.
        CheckpointError: the checkpoint cannot be used.
    """
    tables: list[pd.DataFrame] = []
    answer_clips(
        lambda heading, rows, *_: tables.append(as_frame(heading, rows)),
        checkpoint,
        paths,
        output=output,
        top_k=top_k,
        whole=whole,
        windows=windows,
        frames=frames,
        hop_seconds=hop_seconds,
        path_column=path_column,
        audio_dir=audio_dir,
        num_workers=num_workers,
        resume=resume,
        submission=submission,
        engine=engine,
        address=address,
    )
    return tables[0] if output is None else as_path(output)


def answer_clips(
    show: Callable[..., None] | None,
    checkpoint: File,
    paths: Sequence[File],
    *,
    output: File | None,
    num_workers: int | None,
    resume: bool,
    submission: bool,
    **options: Any,
) -> tuple[int, int]:
    """What `predict` does; its arguments are explained there.

    show: takes the heading and rows of answers without an output, as they come; `None` prints them.

    Returns:
        The numbers of clips and of those that cannot be read.
    """
    sources = check_sources(paths, output, num_workers, kept=resume or submission or options["engine"] is not None)
    if options["engine"] is None and options["address"] is not None:
        raise ArgumentError(f"--address {options['address']} is of a Ray cluster: add --engine ray.")
    if submission and options["engine"] is not None:
        raise ArgumentError("--submission is written at once: leave --engine out.")
    from ..data.tables.columns import Columns

    columns = Columns(options["path_column"])
    if submission:
        if resume or options["windows"] or options["frames"]:
            raise ArgumentError(
                "--submission is written at once and of whole clips: leave --resume, --windows and --frames out."
            )
        from ..bulk.clips import find_all_clips
        from ..bulk.pseudo_labels import predict_tags  # loads torch
        from ..data.tables.text_tables import write_rows

        rows = predict_tags(os.fspath(checkpoint), find_all_clips(sources, columns, audio_dir=options["audio_dir"]))
        write_rows(as_path(str(output)), rows)
        return len(rows), 0
    from ..bulk.predict import Sources, predict_files  # loads torch
    from ..bulk.tagger import ask

    question = ask(**{name: options[name] for name in ("windows", "frames", "hop_seconds", "top_k", "whole")})
    clips = Sources(sources, columns, options["audio_dir"])
    if options["engine"] is not None:
        from ..bulk.on_ray import predict_on_ray

        return predict_on_ray(
            os.fspath(checkpoint),
            clips,
            as_path(str(output)),
            question,
            address=options["address"],
            num_workers=num_workers,
            resume=resume,
        )
    return predict_files(
        os.fspath(checkpoint),
        clips,
        None if output is None else as_path(output),
        question,
        num_workers=num_workers,
        resume=resume,
        show=show,
    )


def pseudo_label(
    checkpoint: File,
    data: File,
    *,
    min_confidence: float = 0.9,
    output: File,
    path_column: str | None = None,
    label_column: str | None = None,
    audio_dir: File | None = None,
) -> tuple[int, int]:
    """Label clips by a checkpoint, to train on.

    Labels what is unlabelled where a checkpoint is confident; a recipe's --pseudo_labels reads it.

    Args:
        checkpoint: a finished folder or a Hub id
        data: a folder, or a table whose labels are empty in part
        min_confidence: probability of the answer, 0 to 1
        output: the CSV to write
        path_column: of the table: names of files; by default one with a usual name
        label_column: of the table: labels, empty where there is none; by default one with a usual name
        audio_dir: where the table's files are; by default beside it

    Returns:
        How many clips are labelled, and of how many.

    Raises:
        DataError: there are no clips, or none is confident enough.
        CheckpointError: the checkpoint cannot be used.
    """
    from ..bulk.clips import find_clips
    from ..bulk.pseudo_labels import confident_labels, predict, write_answers  # loads torch
    from ..data.tables.columns import Columns

    if not 0 < min_confidence <= 1:
        raise ArgumentError(f"--min_confidence {min_confidence} must lie above 0 and not above 1.")
    check_writable(output, read=[data])
    columns = Columns(path_column, () if label_column is None else (label_column,))
    clips = find_clips(data, columns, audio_dir=audio_dir, unlabelled=True)
    rows = confident_labels(predict(os.fspath(checkpoint), clips, Path(output).parent), min_confidence)
    write_answers(output, rows)
    return len(rows), len(clips)


def as_frame(heading: Any, rows: Iterable[dict[str, Any]]) -> "pd.DataFrame":
    """Answers or vectors as they come, as a table."""
    import pandas as pd

    return pd.DataFrame(list(rows), columns=heading.columns)
