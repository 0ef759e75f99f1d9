"""`hf-audio predict`: many recordings to one file of answers, which a killed run goes on with, or to a table."""

import atexit
import hashlib
import itertools
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic

from tqdm.auto import tqdm

from ..data.tables.columns import Columns
from ..errors import AudioError, DataError
from ..files import unwritable
from ..folders import name_some
from ..problems import count_problems
from ..remote.addresses import is_remote, public_name
from ..remote.claims import claimed
from .answers import Row, Writer
from .clips import STANDARD_INPUT, find_all_clips, open_clips
from .journal import Entry, Journal
from .questions import H, Question, WindowQuestion, fingerprint
from .scoring import Memory, default_workers
from .tagger import AudioTagger, in_order, rows_of

logger = logging.getLogger(__name__)

JOURNAL_SUFFIX = ".journal"

Show = Callable[[H, Iterable[Row], Iterable[str]], None]


@dataclass(frozen=True)
class Sources:
    """Where clips are found; see `find_all_clips`."""

    names: Sequence[str]
    """Of folders, files, patterns and tables; `-` is the standard input."""
    columns: Columns | None = None
    """Of tables, those that the user has named."""
    audio_dir: str | os.PathLike | None = None
    """Where the files of tables are, by default beside them."""

    def clips(self) -> list[dict[str, str]]:
        """All clips in their order.

        Raises:
            DataError: a source holds none.
        """
        return find_all_clips(self.names, self.columns, audio_dir=self.audio_dir)


def predict_files(
    checkpoint: str,
    sources: Sources,
    output: Path | None,
    question: WindowQuestion[H],
    *,
    num_workers: int | None = None,
    resume: bool = False,
    show: Show[H] | None = None,
) -> tuple[int, int]:
    """What a checkpoint answers to all clips of some sources, into a file or, without one, to `show`.

    Started as several processes (`accelerate launch`, `torchrun`), each answers to a part of the clips, in a Parquet
    part of its own.

    Args:
        checkpoint: a finished folder, a Hub id or an exported ONNX file.
        sources: of the clips.
        output: its name's end is its format; of a folder, a Parquet part in it.
        question: what is asked: for labels, a `Question`.
        num_workers: processes that decode; by default as many as suit the clips and this machine.
        resume: go on with what a killed run has left beside the output, if anything.
        show: takes the table's heading and its rows as they come, and the paths of all clips, where there is no
            output; by default `Answerer.show`, which prints them.

    Returns the numbers of clips and of those that cannot be read.

    Raises:
        DataError: there are no clips, none can be read, the output does not suit, or another run writes it; see also
            `Journal`.
        CheckpointError: the checkpoint cannot be used.
    """
    clips = sources.clips()
    rank, n_processes = _this_process()
    places = list(range(len(clips)))[rank * len(clips) // n_processes : (rank + 1) * len(clips) // n_processes]
    if n_processes > 1 and (output is None or any(clip["path"] == STANDARD_INPUT for clip in clips)):
        raise DataError("Several processes share files out and write parts: give files to read, and --output.")
    write: Writer[H] | None = None
    if output is not None:
        output = _name_part(output, rank, n_processes)
        write = question.choose_writer(output, len(clips))
    tagger = AudioTagger.asking(checkpoint, question)
    if output is None or write is None:
        inquiry = _Inquiry(tagger, clips, num_workers, quiet=rank > 0)
        return _show(inquiry.entries(places), clips, inquiry.heading, show or inquiry.answerer.show)
    notes = _journal_of(output)
    with claimed(str(output)) if is_remote(output) else nullcontext():
        if resume and output.exists() and not notes.exists():
            newer = _newer(output, [clips[place]["path"] for place in places])
            addition = f", and what has come or changed since is not in it ({name_some(newer)})" if newer else ""
            logger.warning("%s is finished already%s: to judge its clips anew, leave --resume out.", output, addition)
            return len(places), 0
        request = {
            "checkpoint": tagger.fingerprint,
            "clips": _digest(os.fsencode(public_name(clips[place]["path"])) + b"\n" for place in places),
            **question.request,
        }
        journal = Journal(notes, request, resume)  # before anything takes time, as it keeps others from the output
        try:
            inquiry = _Inquiry(tagger, clips, num_workers, quiet=rank > 0)
        except BaseException:
            journal.abandon()
            raise
        # Of several processes, one may get unreadable clips alone.
        return len(places), _write(journal, inquiry, places, output, write, all_may_fail=n_processes > 1)


def _journal_of(output: Path) -> Path:
    """Beside the output or, as nothing can be appended to a file in a store, in the cache."""
    if not is_remote(output):
        return output.with_name(output.name + JOURNAL_SUFFIX)
    import datasets

    folder = Path(datasets.config.HF_DATASETS_CACHE) / "hf_audio" / "journals"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{_digest([str(output).encode()])[:16]}-{output.name}{JOURNAL_SUFFIX}"


def _newer(output: Path, clips: Sequence[str]) -> list[Path]:
    """Those of these files that were made, moved here or written to after the output was."""
    if is_remote(output):
        return []
    written = output.stat().st_mtime_ns
    times = ((Path(clip), os.stat(clip)) for clip in clips if os.path.exists(clip))
    # What is copied or moved keeps the time of its contents, but not that of its entry.
    return [file for file, about in times if max(about.st_mtime_ns, about.st_ctime_ns) > written]


class _Inquiry(Generic[H]):
    """A tagger that is asked about clips which have names.

    Args:
        tagger: is asked, and loads its checkpoint for that.
        clips: all of them.
        num_workers: processes that decode; by default as many as suit the clips and this machine.
        quiet: whether no progress is shown.
    """

    def __init__(
        self, tagger: AudioTagger[H], clips: Sequence[dict[str, str]], num_workers: int | None, *, quiet: bool
    ):
        self.tagger = tagger
        self.clips = clips
        self.num_workers = num_workers
        self.quiet = quiet
        self.answerer = tagger.load()

    @property
    def heading(self) -> H:
        """The columns of the table of answers."""
        return self.answerer.heading(further_names(self.clips))

    def entries(self, places: Sequence[int], n_finished: int = 0, memory: Memory | None = None) -> Iterator[Entry]:
        """The answers to the clips at these places, as they come; `n_finished`: how many others have theirs."""
        num_workers = default_workers(len(places) + n_finished) if self.num_workers is None else self.num_workers
        total, action = n_finished + len(places), self.tagger.question.action
        progress = tqdm(total=total, initial=n_finished, desc=action, unit="clip", disable=self.quiet)
        with open_clips(self.clips) as files, progress:
            places_and_files = [(place, files[place]) for place in places]
            seconds = 0.0
            for entry in self.tagger.entries(self.answerer, places_and_files, num_workers, memory):
                progress.update(entry.ended)
                seconds += sum(end - start for start, end in entry.spans)
                progress.set_postfix_str(f"{seconds / 3600:.2f} h judged", refresh=False)
                if self.clips[entry.clip]["path"] == STANDARD_INPUT and entry.problem is not None:
                    problem = entry.problem.replace(files[entry.clip], "standard input")  # of whose copy it speaks
                    entry = replace(entry, problem=problem)
                yield entry


def _write(
    journal: Journal,
    inquiry: _Inquiry[H],
    places: Sequence[int],
    output: Path,
    write: Writer[H],
    *,
    all_may_fail: bool,
) -> int:
    """All answers into a file, by way of the journal, which is then deleted; returns how many cannot be read."""
    try:
        left = [place for place in places if place not in journal.finished]
        journal.begin()
        for entry in inquiry.entries(left, len(places) - len(left), journal):
            journal.append(entry)
        problem = None
        if places and journal.n_problems == len(places) and not all_may_fail:
            problem = next(journal.entries()).problem
        else:
            listed_in, heading = inquiry.tagger.question.complaints_in(output), inquiry.heading
            write(output, heading, rows_of(journal.entries(), inquiry.clips, heading))
            for sentence in count_problems(_problems(journal.entries(), inquiry.clips), listed_in):
                logger.warning("%s", sentence)
    except BaseException:
        journal.abandon()
        raise
    journal.delete()
    if problem is not None:
        raise _none_readable(problem, len(places))
    return journal.n_problems


def _problems(entries: Iterable[Entry], clips: Sequence[dict[str, str]]) -> Iterator[dict[str, str]]:
    for entry in entries:
        if entry.problem is not None:
            yield {"path": public_name(clips[entry.clip]["path"]), "reason": entry.problem}


def _show(
    entries: Iterable[Entry],
    clips: Sequence[dict[str, str]],
    heading: H,
    show: Show[H],
) -> tuple[int, int]:
    """A table, clip by clip in their order; nothing but a sentence, if none can be read."""
    ordered = in_order(entries)
    unreadable: list[Entry] = []
    for entry in ordered:
        if entry.problem is None:
            ordered = itertools.chain(unreadable, [entry], ordered)
            break
        unreadable.append(entry)
    else:
        raise _none_readable(str(unreadable[0].problem), len(clips))
    n_problems = 0

    def counted() -> Iterator[Entry]:
        nonlocal n_problems
        for entry in ordered:
            n_problems += entry.problem is not None
            yield entry

    show(heading, rows_of(counted(), clips, heading), [clip["path"] for clip in clips])
    return len(clips), n_problems


def _none_readable(problem: str, n_clips: int) -> AudioError:
    others = f" The other {n_clips - 1} cannot be read either." if n_clips > 1 else ""
    return AudioError(problem + others)


def further_names(clips: Sequence[Mapping[str, str]]) -> list[str]:
    """The further columns of clips."""
    return list(dict.fromkeys(name for clip in clips for name in clip if name != "path"))


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def _this_process() -> tuple[int, int]:
    """Its number and how many there are, as accelerate knows."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return 0, 1  # without joining a group of one
    import torch
    from accelerate import PartialState

    state = PartialState(cpu=not torch.cuda.is_available())
    atexit.register(state.destroy_process_group)
    return state.process_index, state.num_processes


def make_parts_folder(output: Path) -> None:
    """Make the folder of an output without a name's end, where there is none.

    Raises:
        DataError: it is a file, or cannot be made.
    """
    try:
        output.mkdir(exist_ok=True)
    except FileExistsError as error:
        raise DataError(f"--output {output} is a file: end it in .parquet, say, or name a new folder.") from error
    except OSError as error:
        raise unwritable(output, error) from error


def _name_part(output: Path, rank: int, n_processes: int) -> Path:
    """The output, or of a folder or several processes this one's part, named as `datasets` names parts."""
    number = f"{rank:05d}-of-{n_processes:05d}"
    if not output.suffix or (not is_remote(output) and output.is_dir()):
        make_parts_folder(output)
        others = [part.name for part in output.glob("part-*-of-*") if f"-of-{n_processes:05d}." not in part.name]
        if others:
            raise DataError(f"{output} holds parts of another number of processes, {others[0]}: give another folder.")
        return output / f"part-{number}.parquet"
    if n_processes == 1:
        return output
    if output.suffix.lower() != ".parquet":
        raise DataError(f"--output {output}: of several processes, each writes a Parquet part, so end it in .parquet.")
    return output.with_name(f"{output.stem}-{number}.parquet")


__all__ = ["JOURNAL_SUFFIX", "Question", "Sources", "fingerprint", "predict_files"]
