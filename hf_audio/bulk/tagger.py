"""A checkpoint that judges tables of recordings: the same for a list of files, for Ray Data and for Spark."""

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, cast

import numpy as np

from ..data.tables.columns import FURTHER_PATH_NAMES, PATH_NAMES
from ..errors import ArgumentError, CheckpointError, DataError
from ..inference.facts import Whole
from .answers import Row, TableHeading, arrow_schema
from .decoding import Clip, Sound, name_of
from .journal import Entry
from .moments import MomentQuestion
from .questions import Answerer, AnyHeading, H, Question, WindowQuestion, fingerprint
from .scoring import Memory, judge_clips

if TYPE_CHECKING:
    import pyarrow as pa

Cells = Mapping[str, Sequence[Any]]
# Columns of recordings themselves; behind them those of their names.
SOUND_NAMES = ("audio", "bytes", "wav", "flac", "mp3", "ogg", "opus")  # WebDataset calls them by their kinds
# What this process has loaded last, by what it was asked to load: many tasks of a cluster come to one process.
_networks: dict[tuple[str, str, str], Any] = {}


def ask(
    *,
    windows: bool = False,
    frames: bool = False,
    hop_seconds: float | None = None,
    top_k: int = 1,
    whole: Whole = "mean",
) -> WindowQuestion[Any]:
    """What `predict` asks of each recording.

    Raises:
        ArgumentError: arguments that do not go together.
    """
    if not frames:
        return Question(windows, hop_seconds, top_k, whole)
    if windows or top_k > 1 or whole != "mean":
        raise ArgumentError("--frames tells all labels of every moment: leave --windows, --top_k and --whole out.")
    return MomentQuestion(hop_seconds=hop_seconds)


def _version() -> str:
    from .. import __version__

    return __version__


class AudioTagger(Generic[H]):
    """Judges recordings by a checkpoint: a table of them in, a table of answers out, the same that `predict` writes.

    For whatever maps a function over batches: `map_batches` of Ray Data, `mapInPandas(AudioTagger("OUT").map, schema)`
    of Spark, or a loop. It can be pickled, weighs nothing until it is called, and then loads its network once a
    process. A recording that cannot be read becomes a row with a sentence in `error`.

    Args:
        checkpoint: a finished folder, a Hub id or an exported ONNX file, of the same contents on all machines.
        windows: a row a window rather than a recording.
        frames: a row a moment, a column a label.
        hop_seconds: from one window's beginning to the next one's; by default half a window.
        top_k: how many labels, best first.
        whole: what of its windows' scores becomes a recording's: `"mean"`, `"max"` or `"any"`.
        column: that holds the recordings; by default one with a usual name, `audio` or `bytes` before `path`.

    Raises:
        ArgumentError: arguments that do not go together.
    """

    def __init__(
        self,
        checkpoint: str | os.PathLike,
        *,
        windows: bool = False,
        frames: bool = False,
        hop_seconds: float | None = None,
        top_k: int = 1,
        whole: Whole = "mean",
        column: str | None = None,
    ):
        self.question: WindowQuestion[H] = ask(
            windows=windows, frames=frames, hop_seconds=hop_seconds, top_k=top_k, whole=whole
        )
        self.column = column
        self.checkpoint = os.fspath(checkpoint)
        self.fingerprint = fingerprint(self.checkpoint)
        """Of configuration and weights."""
        self._travelled = False  # by pickle, to a process that works for another one
        self._network: Any = None

    @classmethod
    def asking(cls, checkpoint: str, question: WindowQuestion[H], column: str | None = None) -> "AudioTagger[H]":
        """A tagger that asks the checkpoint something else, such as its embeddings."""
        tagger = cls(checkpoint, column=column)
        tagger.question = question
        return tagger

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_network": None, "_travelled": True, "version": _version()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        version = state.pop("version")
        if version != _version():
            raise DataError(
                f"hf_audio is {_version()} here and {version} where work is given out: install one on all machines."
            )
        vars(self).update(state)

    def load(self) -> Answerer[H]:
        """The checkpoint ready to be asked; its network is read once a process.

        Raises:
            ArgumentError: the checkpoint cannot be asked so.
            CheckpointError: it cannot be used, or is another one than where this was made.
        """
        key = type(self.question).__name__, self.checkpoint, self.fingerprint
        if self._network is None:
            self._network = _networks.get(key) if self._travelled else None
        if self._network is None:
            if self._travelled and fingerprint(self.checkpoint) != self.fingerprint:
                raise CheckpointError(
                    f"{self.checkpoint} is another checkpoint here than where work is given out: copy the same one to "
                    "all machines."
                )
            self._network = self.question.network(self.checkpoint)
            if self._travelled:
                _networks.clear()
                _networks[key] = self._network
        answerer = self.question.answerer(self._network, self.checkpoint)
        self.question.cut(answerer.facts)  # which refuses a hop that is no time, before anything is heard
        return answerer

    def entries(
        self,
        answerer: Answerer[H],
        clips: Sequence[tuple[int, Clip]],
        num_workers: int = 0,
        memory: Memory | None = None,
    ) -> Iterator[Entry]:
        """What is found out about recordings, as it comes, about in their order.

        Args:
            answerer: what `load` gave.
            clips: places, and the recordings.
            num_workers: processes that decode.
            memory: see `judge_clips`.
        """
        names = dict(clips)
        cut = self.question.cut(answerer.facts)
        for judgement in judge_clips(answerer.scorer, clips, cut, num_workers, answerer.running, memory):
            yield answerer.entry(judgement, name_of(names[judgement.clip]))

    def schema(self, further: Sequence[str] = ()) -> "pa.Schema":
        """Names and types of the columns of answers to recordings that have these further columns.

        Loads the checkpoint. Texts are strings, times and confidences float64; unknown is null.
        """
        return arrow_schema(cast(TableHeading, self.load().heading(further)))

    def __call__(self, batch: Any) -> Any:
        """Answers to a batch of recordings, in their order.

        A recording is a path, the bytes of a file, samples, (samples,) or (channels, samples) at the checkpoint's
        rate, or as `datasets` and the Hub have them, `{"bytes", "path"}` or `{"array", "sampling_rate"}`. All other
        columns go along, as texts.

        Args:
            batch: a table or record batch of pyarrow, a DataFrame, a mapping of names to columns, or a list.

        Returns:
            A table of the same kind, with the columns that `schema` tells; of a list, a DataFrame.

        Raises:
            ArgumentError: it is no batch, or has no column of recordings.
            CheckpointError: the checkpoint cannot be used.
        """
        clips, further = _read_clips(_columns(batch), self.column)
        heading, rows = self.judge(clips, further)
        return _as_given(rows, arrow_schema(cast(TableHeading, heading)), batch)

    def judge(self, clips: Sequence["Recording"], further: Sequence[str], num_workers: int = 0) -> tuple[H, list[Row]]:
        """The heading and the rows of answers to recordings, in their order.

        Args:
            clips: what is asked about.
            further: the names of their further columns.
            num_workers: processes that decode.

        Raises:
            CheckpointError: the checkpoint cannot be used.
        """
        answerer = self.load()
        heading = answerer.heading(further)
        sounds = [(place, clip.sound) for place, clip in enumerate(clips)]
        entries = _whole(in_order(self.entries(answerer, sounds, num_workers)))
        return heading, list(rows_of(entries, [clip.cells for clip in clips], heading))

    def map(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Answers to batches, one after the other: what `mapInPandas` and `mapInArrow` of Spark ask for."""
        return map(self, batches)


class Recording(NamedTuple):
    """A row of a batch."""

    sound: Clip
    cells: dict[str, str]
    """As a clip of `predict` has them: `path` and the further columns."""


def in_order(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Entries by the places of their clips, each as soon as all before it are known."""
    waiting: dict[int, list[Entry]] = {}
    following = 0
    for entry in entries:
        waiting.setdefault(entry.clip, []).append(entry)
        while following in waiting:
            parts = waiting.pop(following)
            yield from parts
            if not parts[-1].ended:
                break
            following += 1


def rows_of(entries: Iterable[Entry], clips: Sequence[Mapping[str, str]], heading: AnyHeading) -> Iterator[Row]:
    """The rows of a table of answers to clips."""
    for clip, parts in itertools.groupby(entries, key=lambda entry: entry.clip):
        for entry in parts:
            yield from heading.rows(clips[clip], entry.spans, entry.answers, entry.problem)


def _whole(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Entries in their order, without what was said of clips that turn out to be broken."""
    for _, parts in itertools.groupby(entries, key=lambda entry: entry.clip):
        of_one = list(parts)
        yield from of_one if of_one[-1].problem is None else of_one[-1:]


def _columns(batch: Any) -> Cells:
    """The cells of a batch, column by column."""
    if hasattr(batch, "column_names") and hasattr(batch, "schema"):  # of pyarrow
        return {name: batch.column(place).to_pylist() for place, name in enumerate(batch.column_names)}
    if hasattr(batch, "to_dict") and hasattr(batch, "columns"):  # of pandas
        return {
            str(name): [None if empty else cell for cell, empty in zip(column.tolist(), column.isna(), strict=True)]
            for name, column in batch.items()
        }
    if isinstance(batch, Mapping):
        return {str(name): list(column) for name, column in batch.items()}
    if isinstance(batch, Sequence) and not isinstance(batch, str | bytes):
        return {SOUND_NAMES[0]: list(batch)}
    raise ArgumentError(f"A batch is a table or a list of recordings, and no {type(batch).__name__}.")


def _read_clips(cells: Cells, column: str | None) -> tuple[list[Recording], list[str]]:
    """The rows of a batch, and the names of the further columns."""
    names = (*SOUND_NAMES, *PATH_NAMES, *FURTHER_PATH_NAMES)
    column = column or next((name for name in names if name in cells), None)
    if column is None or column not in cells:
        lack = f"no column {column!r}" if column is not None else "no column that is called as those of recordings are"
        raise ArgumentError(f"The batch has {lack}: its columns are {', '.join(cells) or 'none'}.")
    sounds = [_read_sound(cell) for cell in cells[column]]
    named = next((name for name in PATH_NAMES if name in cells and name != column), None)
    if named is not None and all(isinstance(cell, str) for cell in cells[named]):
        sounds = [Sound(name, sound.source, sound.rate) for name, sound in zip(cells[named], sounds, strict=True)]
    else:
        named = None
    further = [name for name in cells if name not in (column, named)]
    clips = []
    for row, sound in enumerate(sounds):
        kept_cells = {name: _as_text(cells[name][row]) for name in further}
        is_file = isinstance(sound.source, str) and sound.name == sound.source
        clip = sound.name if is_file else Sound(sound.name or f"row {row}", sound.source, sound.rate)
        clips.append(Recording(clip, {"path": sound.name, **kept_cells}))
    return clips, further


def _read_sound(cell: Any) -> Sound:
    """A recording as a cell of a table has it; its name is empty where nothing tells one."""
    if isinstance(cell, Mapping):
        name = str(cell.get("path") or "")
        samples = cell.get("array", cell.get("raw"))
        if samples is not None:
            return Sound(name, np.asarray(samples), cell.get("sampling_rate"))
        content = cell.get("bytes")
        return Sound(name, name or None if content is None else content)
    if isinstance(cell, str | os.PathLike):
        return Sound(os.fspath(cell), os.fspath(cell) or None)
    if isinstance(cell, bytes | bytearray | memoryview):
        return Sound("", bytes(cell))
    if isinstance(cell, np.ndarray | list | tuple):
        return Sound("", np.asarray(cell))
    if _is_empty(cell):
        return Sound("", None)
    raise ArgumentError(f"A recording is a path, bytes or samples, and no {type(cell).__name__}: name its column.")


def _is_empty(cell: Any) -> bool:
    return cell is None or (isinstance(cell, float | np.floating) and bool(np.isnan(cell)))


def _as_text(cell: Any) -> str:
    return "" if _is_empty(cell) else str(cell)


def _as_given(rows: Sequence[Row], schema: "pa.Schema", batch: Any) -> Any:
    """Rows as a table of the kind that a batch is."""
    import pyarrow as pa

    table = pa.Table.from_pylist(rows, schema)
    if isinstance(batch, pa.RecordBatch):
        return table.combine_chunks().to_batches()[0] if len(table) else pa.RecordBatch.from_pylist([], schema)
    if isinstance(batch, pa.Table):
        return table
    if isinstance(batch, Mapping):
        return {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names}
    return table.to_pandas()
