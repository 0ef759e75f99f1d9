"""`hf-audio predict --engine ray`: the clips in pieces to the machines of a Ray cluster, which write a part each."""

import glob
import hashlib
import itertools
import json
import logging
import os
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from tqdm.auto import tqdm

from ..data.shard_rows import UNREADABLE, describe_shard, read_sounds
from ..data.tables.text_tables import is_table
from ..errors import AudioError, DataError, MissingExtraError
from ..files import write_text, written_whole
from ..folders import SHARD_SUFFIXES, SOUND_SUFFIXES, search_folder
from ..problems import count_problems
from ..remote.addresses import is_remote, public_name
from ..remote.claims import claimed
from ..remote.paths import as_path
from ..remote.stores import CONNECT_SECONDS
from .answers import Row, write_parquet
from .clips import STANDARD_INPUT
from .decoding import Sound
from .lock import FileLock
from .predict import Sources, make_parts_folder
from .questions import WindowQuestion
from .tagger import AudioTagger, Recording

logger = logging.getLogger(__name__)

# What a run is asked, beside its parts while it lasts; by its name, readers of Parquet folders leave it out.
RUN_FILE = ".hf-audio-run.json"
# A piece is judged by one worker, and is done anew if that dies: as many clips as make about so many pieces.
PIECES, FEWEST_CLIPS, MOST_CLIPS = 400, 32, 2048
SOUNDS_TOGETHER = 64  # of a shard, that are in memory
HOST = re.compile(r"(ray://)?(?P<host>[^/]+):(?P<port>\d+)")
SENTENCE = re.compile(r"(?:DataError|CheckpointError|MissingExtraError|ArgumentError|DecodingError): ([^\n]+)")


@dataclass(frozen=True)
class Piece:
    """Clips that one worker judges, and that become one part."""

    number: int
    clips: tuple[dict[str, str], ...] = ()
    shard: str = ""
    """In their place, a shard."""
    group: int = 0
    """Of its row groups."""

    def recordings(self) -> Iterator[Recording]:
        """What is judged. Behind what can be read of a damaged shard, one that says so."""
        yield from (Recording(clip["path"], clip) for clip in self.clips)
        if not self.shard:
            return
        number = 0
        try:
            for name, audio, cells in read_sounds(self.shard, self.group):
                yield Recording(Sound(name, audio), {"path": name, **cells})
                number += 1
        except UNREADABLE as error:
            if isinstance(error, DataError):
                raise
            name, reason = public_name(self.shard), " ".join(str(error).split()).rstrip(".")
            problem = AudioError(f"{name} is damaged ({reason}), and {number} of its clips are read: copy it again.")
            yield Recording(Sound(name, problem), {"path": name})


def predict_on_ray(
    checkpoint: str,
    sources: Sources,
    output: Path,
    question: WindowQuestion[Any],
    *,
    address: str | None = None,
    num_workers: int | None = None,
    resume: bool = False,
) -> tuple[int, int]:
    """What a checkpoint answers to all clips of some sources, as Parquet parts in a folder.

    A worker that dies costs time alone: its piece is judged by another one. After the death of the process that calls
    this, `resume` goes on with the pieces that have no part.

    Args:
        checkpoint: as `AudioTagger` takes it, reached by all machines.
        sources: of the clips, reached by all machines; or shards, Parquet files or tars, or folders of such.
        output: the folder, reached by all machines.
        question: what is asked.
        address: of the cluster; by default that of the environment, or one that lasts as long as this call.
        num_workers: processes that decode for each worker; by default none or, of workers with a GPU, as many as there
            are cores for each.
        resume: go on with what a killed run has left.

    Returns the numbers of clips and of those that cannot be read.

    Raises:
        DataError: there are no clips, none can be read, the output does not suit or another run writes it, or the
            cluster is not there or has other versions.
        CheckpointError: the checkpoint cannot be used.
        MissingExtraError: Ray is not installed.
    """
    if output.suffix:
        raise DataError(f"--output {output}: with --engine ray, Parquet parts are written, so name a folder.")
    pieces, further = _divide(sources)
    tagger = AudioTagger.asking(checkpoint, question)
    tagger.load()  # what cannot be used is told here rather than by a worker
    width = len(str(len(pieces)))
    parts = [output / f"part-{piece.number:0{max(width, 5)}d}-of-{len(pieces):05d}.parquet" for piece in pieces]
    request = {"checkpoint": tagger.fingerprint, "clips": _digest(pieces), **question.request}
    if _take_up(output, request, parts, resume) is None:
        logger.warning("%s is finished already: to judge its clips anew, name another folder.", output)
        return _look_through(parts)[0], 0
    with _cluster(address), _held(output):
        written = _take_up(output, request, parts, resume) or set()  # again, as nobody else writes now
        left = [piece for piece in pieces if parts[piece.number].name not in written]
        write_text(output / RUN_FILE, json.dumps(request))
        for _ in tqdm(_judged(tagger, left, parts, further, num_workers), total=len(left), unit="part"):
            pass
        n_clips, problems = _look_through(parts)
        if len(problems) == n_clips:
            for part in parts:
                part.unlink()
        (output / RUN_FILE).unlink()
    if n_clips == 0:
        raise DataError(f"{public_name(str(sources.names[0]))} and what is beside it hold no recordings: give others.")
    if len(problems) == n_clips:
        others = f" The other {n_clips - 1} cannot be read either." if n_clips > 1 else ""
        raise AudioError(problems[0]["reason"] + others)
    for sentence in count_problems(problems, str(output)):
        logger.warning("%s", sentence)
    return n_clips, len(problems)


def _divide(sources: Sources) -> tuple[list[Piece], list[str]]:
    """All that is to be judged, in pieces, and the names of the further columns."""
    found = [_find_shards(name) for name in sources.names]
    shards = [shard for of_one in found for shard in of_one]
    if shards:
        if not all(found):
            other = sources.names[found.index([])]
            raise DataError(
                f"{public_name(str(other))} holds no shards, and others do: judge each kind in its own run."
            )
        described = [_describe(shard) for shard in shards]
        groups = [(shard, group) for shard, (n, _) in zip(shards, described, strict=True) for group in range(n)]
        pieces = [Piece(number, (), shard, group) for number, (shard, group) in enumerate(groups)]
        return pieces, list(dict.fromkeys(name for _, names in described for name in names if name != "path"))
    clips = sources.clips()
    if any(clip["path"] == STANDARD_INPUT for clip in clips):
        raise DataError("Machines of a cluster do not share the standard input: give files.")
    for clip in clips:
        if not is_remote(clip["path"]):
            clip["path"] = os.path.abspath(clip["path"])  # workers have other folders
    size = min(max(-(-len(clips) // PIECES), FEWEST_CLIPS), MOST_CLIPS)
    starts = range(0, len(clips), size)
    pieces = [Piece(number, tuple(clips[start : start + size])) for number, start in enumerate(starts)]
    return pieces, list(dict.fromkeys(name for clip in clips for name in clip if name != "path"))


def _describe(shard: str) -> tuple[int, list[str]]:
    try:
        return describe_shard(shard)
    except DataError:
        raise
    except UNREADABLE:  # of which a row of the answers tells
        return 1, []


def _find_shards(name: str | os.PathLike) -> list[str]:
    """The shards that a source names or, of a folder without recordings, holds."""
    path = as_path(name)
    if path.suffix in SHARD_SUFFIXES and path.name != "metadata.parquet":
        return [str(path)]
    named = is_table(path) or path.suffix.lower() in SOUND_SUFFIXES or glob.has_magic(str(path))
    if named if is_remote(path) else not path.is_dir():
        return []
    found = search_folder(path)
    return [] if found.audio else [str(file) for file in found.others if file.suffix in SHARD_SUFFIXES]


def _digest(pieces: Sequence[Piece]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        names = [clip["path"] for clip in piece.clips] or [piece.shard, str(piece.group)]
        digest.update(os.fsencode("\n".join(map(public_name, names)) + "\n\n"))
    return digest.hexdigest()


@contextmanager
def _held(output: Path) -> Iterator[None]:
    """While this lasts, no other run writes the folder."""
    if is_remote(output):
        with claimed(str(output)):
            yield
        return
    make_parts_folder(output)
    place = output / f"{RUN_FILE}.lock"
    lock = FileLock(place)
    try:
        yield
    finally:
        place.unlink(missing_ok=True)
        lock.release()


def _take_up(output: Path, request: Mapping[str, Any], parts: Sequence[Path], resume: bool) -> set[str] | None:
    """The names of the parts that a run before this one has written; `None` where it has ended.

    Raises:
        DataError: it was asked something else, or is not to be gone on with.
    """
    written = {part.name for part in output.glob("part-*-of-*.parquet")}
    if not written:
        return written
    try:
        before = json.loads((output / RUN_FILE).read_bytes())
    except (OSError, ValueError):
        before = None
    if before is None and resume and written == {part.name for part in parts}:
        return None
    if before is None or not resume:
        state = "another run" if before is None else "a run that did not end"
        remedy = "" if before is None else "go on with --resume, or "
        raise DataError(f"{output} holds {len(written)} parts of {state}: {remedy}name another folder.")
    changed = [name for name, value in request.items() if before.get(name) != value]
    if changed:
        raise DataError(
            f"{output} was begun with other {' and '.join(changed)}: give what was given then, or name another folder."
        )
    return written


class _Worker:
    """Judges pieces and writes their parts; one of the actors of the cluster.

    Args:
        tagger: judges.
        parts: the files, by the numbers of pieces.
        further: names of the further columns of all clips.
        num_workers: processes that decode.
    """

    def __init__(self, tagger: AudioTagger[Any], parts: Sequence[str], further: Sequence[str], num_workers: int):
        self.tagger = tagger
        self.parts = parts
        self.further = further
        self.num_workers = num_workers
        self.heading = tagger.load().heading(further)

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """A batch of pieces, `piece` each; tells their numbers."""
        for piece in batch["piece"]:
            part = as_path(self.parts[piece.number])
            if part.exists():  # by a worker that died before it could say so
                continue
            rows: list[Row] = []
            recordings, size = piece.recordings(), MOST_CLIPS if piece.clips else SOUNDS_TOGETHER
            while together := list(itertools.islice(recordings, size)):
                rows += self.tagger.judge(together, self.further, self.num_workers)[1]
            with written_whole(part) as temporary:
                write_parquet(temporary, self.heading, rows)
        return {"number": [piece.number for piece in batch["piece"]]}


@contextmanager
def _cluster(address: str | None) -> Iterator[None]:
    """A connection to a cluster, as it is there already or for as long as this lasts.

    Raises:
        DataError: there is none, or it has other versions of Python or Ray.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("--engine ray needs Ray: pip install 'hf-audio[ray]'.") from error
    if ray.is_initialized():
        yield
        return
    place = address or os.environ.get("RAY_ADDRESS") or "local"
    try:
        if found := HOST.fullmatch(place):  # Ray itself asks for minutes
            socket.create_connection((found["host"].strip("[]"), int(found["port"])), CONNECT_SECONDS).close()
        ray.init(address=place, include_dashboard=False if place == "local" else None, log_to_driver=False)
    except (ConnectionError, OSError, ValueError) as error:
        raise DataError(
            f"No Ray cluster answers at {place} ({type(error).__name__}): start one with ray start --head, or leave "
            "--address out."
        ) from error
    except Exception as error:  # versions that differ, and whatever keeps Ray from starting
        reason = " ".join(str(error).split()).rstrip(".")
        raise DataError(
            f"The Ray cluster at {place} cannot be used ({reason}): install the same versions of Python and Ray."
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _judged(
    tagger: AudioTagger[Any],
    pieces: Sequence[Piece],
    parts: Sequence[Path],
    further: Sequence[str],
    num_workers: int | None,
) -> Iterator[int]:
    """The numbers of pieces whose parts are written, as they are."""
    import ray
    from ray.data import ActorPoolStrategy, DataContext

    if not pieces:
        return
    context = DataContext.get_current()
    context.enable_progress_bars = False
    resources = ray.cluster_resources()
    n_gpus, n_cores = int(resources.get("GPU", 0)), max(int(resources.get("CPU", 1)), 1)
    n_actors = min(n_gpus or n_cores, len(pieces))
    cores = max(n_cores // n_gpus, 1) if n_gpus else 1
    decoding = (cores - 1 if n_gpus else 0) if num_workers is None else num_workers
    found = ray.data.from_items([{"piece": piece} for piece in pieces], override_num_blocks=len(pieces)).map_batches(
        cast(Any, _Worker),
        fn_constructor_args=(tagger, [str(part) for part in parts], list(further), decoding),
        batch_size=1,
        batch_format="numpy",
        compute=ActorPoolStrategy(min_size=1, max_size=n_actors),
        **({"num_gpus": 1} if n_gpus else {"num_cpus": 1}),
    )
    try:
        for row in found.iter_rows():
            yield int(row["number"])
    except ray.exceptions.RayError as error:
        sentence = SENTENCE.search(str(error))
        if sentence is None:
            raise
        raise DataError(f"{sentence[1].strip()} What is written stays: go on with --resume.") from error


def _look_through(parts: Sequence[Path]) -> tuple[int, list[dict[str, str]]]:
    """How many clips the parts hold, and those that cannot be read."""
    from pyarrow.parquet import ParquetFile

    problems, n_clips = [], 0
    for part in parts:
        with part.open("rb") as file:
            parquet = ParquetFile(file)
            rows = parquet.read(columns=["path", "error"]).to_pylist()
        answered = [row["path"] for row in rows if row["error"] is None]
        broken = [{"path": row["path"], "reason": row["error"]} for row in rows if row["error"] is not None]
        n_clips += len(set(answered) if "start" in parquet.schema_arrow.names else answered) + len(broken)
        problems += broken
    return n_clips, problems
