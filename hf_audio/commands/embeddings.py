"""Commands on embeddings: of many files, of what sounds alike among them, of what to label next."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from ..errors import ArgumentError
from ..remote.paths import as_path
from .bulk import as_frame
from .paths import File, check_sources, check_writable, several

if TYPE_CHECKING:
    import pandas as pd

    from ..bulk.archive.similar import Neighbour
    from ..bulk.archive.suggest import Suggestion


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
    tables: list[pd.DataFrame] = []
    embed_clips(
        lambda heading, rows, *_: tables.append(as_frame(heading, rows)),
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
    return tables[0] if output is None else as_path(output)


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
    sources = check_sources(paths, output, options["num_workers"], kept=options["resume"])
    from ..bulk.embed import EmbeddingQuestion
    from ..bulk.predict import Sources, predict_files  # loads torch
    from ..data.tables.columns import Columns

    return predict_files(
        os.fspath(checkpoint),
        Sources(sources, Columns(options["path_column"]), options["audio_dir"]),
        None if output is None else as_path(output),
        EmbeddingQuestion(options["windows"], options["hop_seconds"], sources=sources),
        num_workers=options["num_workers"],
        resume=options["resume"],
        show=show,
    )


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
    from ..bulk.archive.listening_page import check_output, write_search
    from ..bulk.archive.similar import find_similar  # loads torch

    read = [*several(examples), in_]
    if output is not None:
        check_writable(output, read=read)
        check_output(Path(output))
    if keep is not None:
        check_writable(keep, "--keep", read)
    search = find_similar(os.fspath(checkpoint), several(examples), in_, count, keep)
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
    sources = check_sources(paths, output, num_workers, kept=False)
    from ..bulk.archive.labelling_page import write_suggestions
    from ..bulk.archive.listening_page import check_output
    from ..bulk.archive.suggest import suggest_windows  # loads torch

    if output is not None:
        check_writable(output, read=[labelled])
        check_output(Path(output))
    suggestions = suggest_windows(os.fspath(checkpoint), sources, count, labelled, num_workers)
    if output is not None:
        write_suggestions(suggestions, Path(output))
    return suggestions.chosen
