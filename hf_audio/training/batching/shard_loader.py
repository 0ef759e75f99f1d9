"""Batches of a collection too large to be decoded once: read, shuffled and decoded as they are trained on."""

import json
import logging
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from ...data.cache import decode_clip
from ...data.shard_rows import UNREADABLE, Block, Row, read_block
from ...data.shards import Split
from ...errors import AudioError, DataError
from ...processes import count_cores
from .batches import ClipTransform

logger = logging.getLogger(__name__)

# Encoded audio that a process and its loader workers hold together to draw from, in bytes.
SHUFFLED_BYTES = 1 << 26
# Batches that are decoded ahead, and by how many threads, where no loader workers do it.
BATCHES_AHEAD = 2


class ClipStream(IterableDataset):
    """The training clips of a split as finished batches, an epoch each time it is iterated over.

    An epoch's order is that of the shards, drawn anew, of the row groups in each, and of what a buffer of
    `SHUFFLED_BYTES` mixes; it follows from the seed and the epoch. It is cut into as many equal stretches as there are
    processes and loader workers: every row comes once in an epoch, but for fewer than a batch in each process, and
    every process has equally many batches however long the shards are, or one would wait for the other for ever.
    (`datasets` deals out whole shards.) A row that cannot be used is noted in a file, and another one comes twice
    in its place.

    Args:
        split: what is trained on.
        transform: of rows as `cache_audio` would give them; its epoch is the stream's.
        collate: rows to a batch.
        batch_size: clips a batch, in each process.
        process: number of this process, and of how many.
        seed: of the order.
        skipped: a file, where rows that cannot be used are noted; `None` where one is an error.
        speech_only: whether what is no speech is cut away.

    Raises:
        DataError: there are fewer rows than processes.
    """

    def __init__(
        self,
        split: Split,
        transform: ClipTransform,
        collate: Callable[[Sequence[dict[str, Any]]], dict[str, torch.Tensor]],
        *,
        batch_size: int,
        process: tuple[int, int],
        seed: int,
        skipped: Path | None,
        speech_only: bool = False,
    ):
        self.split = split
        self.transform = transform
        self.collate = collate
        self.process, self.processes = process
        rows = split.rows // self.processes
        if rows == 0:
            raise DataError(f"There are {split.rows} rows to train on by {self.processes} processes: start fewer.")
        self.batch_size = min(batch_size, rows)
        self.n_batches = rows // self.batch_size
        self.seed = seed
        self.skipped = skipped
        self.speech_only = speech_only
        self.passed_over = 0, 0
        self._numbers = {name: number for number, name in enumerate(split.names)}

    def __len__(self) -> int:
        """Batches of an epoch, in this process."""
        return self.n_batches

    def class_counts(self) -> np.ndarray:
        """Rows of each class, (classes,)."""
        return np.array([self.split.counts[name] for name in self.split.names])

    def pass_over(self, epoch: int, batches: int) -> None:
        """In that epoch, the first batches come empty: a resumed run has trained on them, and drops them.

        Their rows are read, for the order depends on them, and not decoded.
        """
        self.passed_over = epoch, batches

    def loader(self, num_workers: int, **options: Any) -> DataLoader:
        """An epoch's batches, each made by one of so many loader workers."""
        readers, shards = self.processes * max(num_workers, 1), len(self.split.shards)
        if shards < readers:
            logger.warning(
                "%d processes read %d shards, some of them the same one, each its part: write more, smaller shards, "
                "if reading is slow.",
                readers,
                shards,
            )
        return DataLoader(self, batch_size=None, num_workers=num_workers, **options)

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        worker = get_worker_info()
        number, workers = (0, 1) if worker is None else (worker.id, worker.num_workers)
        epoch = int(self.transform.epoch)
        batches = range(number, self.n_batches, workers)  # the loader takes one of each worker in turn
        resumed, passed_over = self.passed_over
        n_passed = sum(batch < passed_over for batch in batches) if epoch == resumed else 0
        useless = {row["path"] for row in self.read_skipped()}
        rows = self._rows(epoch, number, workers, useless)
        for _ in range(n_passed):
            deque(islice(rows, self.batch_size), maxlen=0)
            yield {}
        wanted = (len(batches) - n_passed) * self.batch_size
        # Of a loader worker, the batches come ahead already.
        clips = self._decode_each(rows, useless) if worker else self._decode_ahead(rows, useless, wanted)
        for _ in range(len(batches) - n_passed):
            yield self._make_batch(list(islice(clips, self.batch_size)))

    def _make_batch(self, clips: Sequence[tuple[Row, bytes]]) -> dict[str, torch.Tensor]:
        rows, audio = zip(*clips, strict=True)
        labels = [self._numbers[row.label] for row in rows]
        made = self.transform({"audio": list(audio), "index": [row.number for row in rows], "label": labels})
        return self.collate([dict(zip(made, values, strict=True)) for values in zip(*made.values(), strict=True)])

    def _stretch(self, number: int, workers: int) -> tuple[int, int]:
        """First row of an epoch's order that a worker reads, and the one behind the last."""
        first = self.process * self.split.rows // self.processes
        behind = (self.process + 1) * self.split.rows // self.processes

        def begin(worker: int) -> int:
            before = sum(len(range(other, self.n_batches, workers)) for other in range(worker))
            return behind if before == self.n_batches else first + before * self.batch_size

        return begin(number), begin(number + 1)

    def _rows(self, epoch: int, number: int, workers: int, useless: set[str]) -> Iterator[Row]:
        """A worker's rows, shuffled, and behind the last one the first again, for those that could not be used."""
        generator = np.random.default_rng((self.seed, epoch))
        order = _draw_order(self.split.blocks, generator)
        stretch = list(_cut(order, *self._stretch(number, workers)))
        generator = np.random.default_rng((self.seed, epoch, self.process, number))
        while True:
            usable = False
            for row in shuffle(self._read(stretch, useless), SHUFFLED_BYTES // workers, generator):
                if row.name not in useless:
                    usable = True
                    yield row
            if not usable:
                raise DataError(f"No row of {self.split.shards[0]} and the shards beside it can be used: see above.")

    def _read(self, stretch: Iterable[tuple[Block, int, int]], useless: set[str]) -> Iterator[Row]:
        for block, first, stop in stretch:
            try:
                for row in read_block(block, first, stop, self.split.columns):
                    if row.audio and row.label in self._numbers:
                        yield row
                    elif row.name not in useless:
                        reason = "no audio" if not row.audio else f"the label {row.label!r}, which is no class"
                        self._skip(row.name, f"{row.name} has {reason if row.label else 'no label'}.", useless)
            except UNREADABLE as error:
                if isinstance(error, DataError):
                    raise
                reason = " ".join(str(error).split()).rstrip(".")
                name = f"{block.shard}#{block.first + first}-{block.first + stop - 1}"
                if name not in useless:
                    self._skip(name, f"{block.shard} breaks off while it is read ({reason}): copy it again.", useless)

    def _decode_each(self, rows: Iterable[Row], useless: set[str]) -> Iterator[tuple[Row, bytes]]:
        for row in rows:
            if (audio := self._decode(row, useless)) is not None:
                yield row, audio

    def _decode_ahead(self, rows: Iterator[Row], useless: set[str], wanted: int) -> Iterator[tuple[Row, bytes]]:
        # soundfile and soxr let other threads run: the model's, too.
        waiting: deque[tuple[Row, Future[bytes | None]]] = deque()
        pool = ThreadPoolExecutor(min(2, count_cores()))
        try:
            while wanted:
                for row in islice(rows, min(BATCHES_AHEAD * self.batch_size, wanted) - len(waiting)):
                    waiting.append((row, pool.submit(self._decode, row, useless)))
                row, decoded = waiting.popleft()
                if (audio := decoded.result()) is not None:
                    yield row, audio
                    wanted -= 1
        finally:
            pool.shutdown(cancel_futures=True)

    def _decode(self, row: Row, useless: set[str]) -> bytes | None:
        assert row.audio is not None, "rows without audio are left out before"
        try:
            return decode_clip(row.audio, row.name, self.transform.sampling_rate, self.speech_only)
        except AudioError as error:
            if row.name not in useless:
                self._skip(row.name, str(error), useless)
            return None

    def _skip(self, name: str, reason: str, useless: set[str]) -> None:
        if self.skipped is None:
            raise DataError(f"A row cannot be used and --strict is on: {reason}")
        useless.add(name)
        logger.warning("Left out: %s", reason)
        self._note(json.dumps({"path": name, "reason": reason}) + "\n")

    def _note(self, lines: str) -> None:
        assert self.skipped is not None
        # In one piece, so that the lines of several loader workers do not mix.
        file = os.open(self.skipped, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(file, lines.encode())
        finally:
            os.close(file)

    def note_skipped(self, rows: Iterable[dict[str, str]]) -> None:
        """Note rows that other processes could not use, each `{"path", "reason"}`."""
        known = {row["path"] for row in self.read_skipped()}
        new = {row["path"]: row for row in rows if row["path"] not in known}
        if new and self.skipped is not None:
            self._note("".join(json.dumps(row) + "\n" for row in new.values()))

    def read_skipped(self) -> list[dict[str, str]]:
        """Rows that this process, or others by `note_skipped`, could not use, as `{"path", "reason"}`, each once."""
        try:
            noted = "" if self.skipped is None else self.skipped.read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        lines = noted.rpartition("\n")[0].splitlines()  # the last one may be just being written
        rows = {row["path"]: row for row in map(json.loads, lines)}
        return [rows[name] for name in sorted(rows)]

    def describe_skipped(self) -> list[dict[str, str]]:
        """As `read_skipped`, with the shards of which nothing can be used, and those that could not be opened."""
        skipped = self.read_skipped()
        counts = Counter(row["path"].rpartition("#")[0] for row in skipped)
        rows: Counter[str] = Counter()
        for block in self.split.blocks:
            rows[block.shard] += block.rows
        empty = [
            {"path": shard, "reason": f"None of the {rows[shard]} rows of {shard} can be used: write it again."}
            for shard, count in counts.items()
            if count >= rows[shard]
        ]
        for row in empty:
            logger.warning("%s", row["reason"])
        return [*self.split.unreadable, *empty, *skipped]


def shuffle(rows: Iterable[Row], n_bytes: int, generator: np.random.Generator) -> Iterator[Row]:
    """The same rows, each drawn from those before it that together have at most so many bytes of audio."""
    kept: list[Row] = []
    size = 0
    for row in rows:
        kept.append(row)
        size += len(row.audio or b"")
        while size > n_bytes:
            place = int(generator.integers(len(kept)))
            kept[place], kept[-1] = kept[-1], kept[place]
            drawn = kept.pop()
            size -= len(drawn.audio or b"")
            yield drawn
    generator.shuffle(kept)
    yield from kept


def _draw_order(blocks: Sequence[Block], generator: np.random.Generator) -> list[Block]:
    """Shards in random order, and so the blocks of each; a shard's blocks stay together."""
    by_shard: dict[str, list[Block]] = {}
    for block in blocks:
        by_shard.setdefault(block.shard, []).append(block)
    shards = list(by_shard.values())
    return [
        shards[shard][place]
        for shard in generator.permutation(len(shards))
        for place in generator.permutation(len(shards[shard]))
    ]


def _cut(order: Iterable[Block], first: int, behind: int) -> Iterator[tuple[Block, int, int]]:
    """What of each block lies between two rows of the order: its first row, and the one behind its last."""
    start = 0
    for block in order:
        begin, end = max(first - start, 0), min(behind - start, block.rows)
        if begin < end:
            yield block, begin, end
        start += block.rows
