"""Commands that look through an archive: what sounds alike, and what to label next."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .paths import File, check_sources, check_writable, several

if TYPE_CHECKING:
    from ..bulk.similar import Neighbour
    from ..bulk.suggest import Suggestion


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
    from ..bulk.listening_page import check_output, write_search
    from ..bulk.similar import find_similar  # loads torch

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
    from ..bulk.labelling_page import write_suggestions
    from ..bulk.listening_page import check_output
    from ..bulk.suggest import suggest_windows  # loads torch

    if output is not None:
        check_writable(output, read=[labelled])
        check_output(Path(output))
    suggestions = suggest_windows(os.fspath(checkpoint), sources, count, labelled, num_workers)
    if output is not None:
        write_suggestions(suggestions, Path(output))
    return suggestions.chosen
