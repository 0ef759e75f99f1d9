"""`hf-audio similar`: the windows of an archive that are nearest to some examples, by their embeddings."""

import logging
import os
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...audio.loading import load_audio
from ...errors import ArgumentError, DataError, Refusal
from ...folders import RealPaths, name_some
from ...inference.embedder import AudioEmbedder, load_embedder
from ...remote.paths import as_path
from ..clips import find_all_clips, find_clips
from ..embed import EmbeddingQuestion
from ..predict import JOURNAL_SUFFIX, Sources, fingerprint, predict_files
from ..vectors.vector_files import Vectors, is_vectors, name_from_here, read_vectors

logger = logging.getLogger(__name__)

KEPT_NAME = "archive.parquet"
# Rows that are compared at once: what a product of matrices leaves stays small beside the vectors themselves.
ROWS_AT_ONCE = 1 << 16
UNKNOWN = [-1, -1]  # size and time of a file


@dataclass(frozen=True)
class Neighbour:
    """A window of the archive."""

    rank: int
    """The nearest one has 1."""
    file: str
    start: float
    """In seconds."""
    end: float
    """In seconds."""
    similarity: float
    """Cosine of the angle between its vector and that of the nearest example, -1 to 1."""
    example: str
    """The example that it is nearest to."""


@dataclass(frozen=True)
class Search:
    """What was looked for, and what was found."""

    examples: list[str]
    """Files."""
    neighbours: list[Neighbour]
    """The nearest first."""
    sampling_rate: int
    """Of what the network hears, in Hz."""
    n_windows: int
    """Of the archive."""


def find_similar(
    checkpoint: str,
    examples: Sequence[str | os.PathLike],
    archive: str | os.PathLike,
    count: int = 20,
    keep: str | os.PathLike | None = None,
) -> Search:
    """The windows of an archive that sound most like some examples.

    Near are two sounds whose vectors point into the same direction: their cosine is compared, because the length of a
    vector tells before all how loud or how plain a sound is. An archive of a hundred thousand windows is one product
    of matrices, a tenth of a second, and exact; so there is no index to be built.

    Files of the examples themselves are left out, and of windows that overlap, the nearest alone is told.

    Args:
        checkpoint: a finished folder, a Hub id or an ONNX file with embeddings.
        examples: recordings, each of which may be what is looked for.
        archive: a folder or file of recordings, which are embedded in windows, or a file that `hf-audio embed` wrote.
        count: how many windows.
        keep: where the archive's embeddings are kept, .parquet or .npz, to be searched again.

    Raises:
        ArgumentError: a count that is none, or embeddings to keep that are kept already.
        DataError: there are no clips; the embeddings are of another checkpoint or of several, or the files have
            changed since.
        AudioError: an example cannot be read.
        CheckpointError: the checkpoint cannot be used, or has no embeddings.
    """
    if count < 1:
        raise ArgumentError(f"--count {count} must be 1 or more.")
    embedded = is_vectors(archive)
    if keep is not None and embedded:
        raise ArgumentError(f"--keep {keep}: the embeddings are kept already, in {archive}: leave it out.")
    if keep is not None and not is_vectors(Path(keep).name):
        raise ArgumentError(f"--keep {keep} must end in .parquet or .npz: embeddings are written so.")
    files = [clip["path"] for clip in find_all_clips(examples)]
    vectors = read_vectors(archive) if embedded else None
    if vectors is not None:
        _check(vectors, checkpoint)
    embedder = load_embedder(checkpoint)
    queries = np.stack([embedder.embed_recording(load_audio(file, embedder.sampling_rate)) for file in files])
    if vectors is None:
        vectors = _embed(embedder, checkpoint, str(archive), keep)
    elif vectors.vectors.shape[1] != queries.shape[1]:
        raise _of_another_checkpoint(vectors, checkpoint)
    neighbours = _nearest(vectors, queries, files, count)
    return Search(files, neighbours, embedder.sampling_rate, len(vectors.vectors))


def _embed(embedder: AudioEmbedder, checkpoint: str, archive: str, keep: str | os.PathLike | None) -> Vectors:
    """An archive's windows; of a checkpoint that reads numbers, whose halves are other numbers, its recordings."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / KEPT_NAME if keep is None else Path(keep)
        question = EmbeddingQuestion(not embedder.facts.num_digits, embedder=embedder, sources=[archive])
        killed = output.with_name(output.name + JOURNAL_SUFFIX).exists()
        predict_files(checkpoint, Sources([archive]), output, question, resume=killed)
        return replace(read_vectors(output), source=Path(archive))


def _check(vectors: Vectors, checkpoint: str) -> None:
    """Refuse embeddings that tell nothing of the archive as it is, to this checkpoint, and tell of new files in it.

    Raises:
        DataError: they are of another checkpoint, or files are gone or have changed.
    """
    if vectors.checkpoint != fingerprint(checkpoint):
        raise _of_another_checkpoint(vectors, checkpoint)
    files, places = np.unique(vectors.files.astype(str), return_index=True)
    changed = []
    for file, stamp in zip(files.tolist(), vectors.stamps[places].tolist(), strict=True):
        if stamp == UNKNOWN:  # of the standard input, or of an address
            continue
        try:
            about = os.stat(file)
        except OSError:
            changed.append((file, "is gone"))
            continue
        if stamp != [about.st_size, about.st_mtime_ns]:
            changed.append((file, "has changed"))
    if changed:
        (file, what), n_files = changed[0], len(changed)
        others = "" if n_files == 1 else f" (and {n_files - 1} more)"
        raise DataError(
            f"{file}{others} {what} since {vectors.source} was written: embed the archive anew by hf-audio embed."
        )
    if new := _find_new(vectors):
        logger.warning(
            "%d %s put into the archive since %s was written, and not searched: %s; embed it anew by hf-audio embed.",
            len(new),
            "file was" if len(new) == 1 else "files were",
            vectors.source,
            name_some(new),
        )


def _find_new(vectors: Vectors) -> list[Path]:
    """Files that were not in the folders yet, or did not fit the patterns, when these were embedded."""
    real_path = RealPaths()
    found: dict[str, Path] = {}
    for source in vectors.metadata.get("searched", ()):
        with suppress(Refusal):  # a folder that holds none any more
            clips = find_clips(name_from_here(source, vectors.metadata))
            found |= {real_path(clip["path"]): as_path(clip["path"]) for clip in clips}
    for file in {*vectors.files.tolist(), *vectors.without}:
        found.pop(real_path(file), None)
    return list(found.values())


def _of_another_checkpoint(vectors: Vectors, checkpoint: str) -> DataError:
    name = vectors.metadata.get("checkpoint_name")
    of = f", {name}, say" if name else ""
    return DataError(
        f"{vectors.source} holds embeddings of another checkpoint than {checkpoint}: give the one that made them{of}, "
        "or embed the archive anew."
    )


def _nearest(vectors: Vectors, queries: np.ndarray, examples: Sequence[str], count: int) -> list[Neighbour]:
    similarities, nearest = compare(vectors.vectors, queries)
    example_files = {os.path.realpath(example) for example in examples}
    found: list[Neighbour] = []
    chosen: dict[str, list[tuple[float, float]]] = defaultdict(list)  # spans of each file
    is_own: dict[str, bool] = {}
    for row in np.argsort(-similarities, kind="stable"):
        file, start, end = vectors.files[row], float(vectors.starts[row]), float(vectors.ends[row])
        if file not in is_own:
            is_own[file] = os.path.realpath(file) in example_files
        if is_own[file] or any(start < other_end and other_start < end for other_start, other_end in chosen[file]):
            continue
        chosen[file].append((start, end))
        example = str(examples[nearest[row]])
        found.append(Neighbour(len(found) + 1, file, start, end, float(similarities[row]), example))
        if len(found) == count:
            break
    if not found:
        raise DataError(
            f"{vectors.source} holds nothing but the examples, {name_some(list(map(Path, examples)))}: give others."
        )
    return found


def compare(vectors: np.ndarray, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cosine similarity of each vector to the nearest query, (rows,) float32, and which that is, (rows,).

    vectors: (rows, size) float32; queries: (queries, size) float32. A vector of zeros is near to nothing.
    """
    similarities = np.empty(len(vectors), dtype=np.float32)
    nearest = np.empty(len(vectors), dtype=np.int64)
    units = queries / np.maximum(np.linalg.norm(queries, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    for first in range(0, len(vectors), ROWS_AT_ONCE):
        part = vectors[first : first + ROWS_AT_ONCE]
        lengths = np.sqrt(np.einsum("ij,ij->i", part, part))
        cosines = (part @ units.T) / np.maximum(lengths, np.finfo(np.float32).tiny)[:, None]
        nearest[first : first + len(part)] = cosines.argmax(1)
        similarities[first : first + len(part)] = cosines.max(1)
    return similarities, nearest
