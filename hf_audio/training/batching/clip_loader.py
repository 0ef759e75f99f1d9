"""Clips on their way to the model: read where they lie, and made into batches while it computes."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from datasets import Dataset
from torch.utils.data import DataLoader

from .batches import COLUMNS, ClipTransform


class ClipRows(torch.utils.data.Dataset):
    """The rows of decoded clips, as their transform makes them, without a copy of what is decoded.

    What `clips[row]` gives, `datasets` has copied from its file, and copied again into Python objects.

    Args:
        clips: rows of `cache_audio`, with a `ClipTransform`.
    """

    def __init__(self, clips: Dataset):
        self.transform: ClipTransform = clips.format["format_kwargs"]["transform"]
        known = [name for name in clips.column_names if name in COLUMNS]
        self.clips = clips.select_columns(known).with_format("arrow")

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, row: int) -> dict[str, Any]:
        """One row, as `__getitems__` makes it."""
        return self.__getitems__([row])[0]

    def __getitems__(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        """The rows of a batch, transformed together."""
        table = self.clips[list(rows)]  # slices of the file
        batch = {name: table[name].to_pylist() for name in table.column_names if name != "audio"}
        # A chunk is a slice of one row; to iterate over all of them takes longer.
        batch["audio"] = [memoryview(cell.as_buffer()) for chunk in table["audio"].chunks for cell in chunk]
        made = self.transform(batch)
        return [dict(zip(made, values, strict=True)) for values in zip(*made.values(), strict=True)]


class AheadLoader(DataLoader):
    """A loader without workers whose batches are made by a thread, each while the caller works on the one before.

    numpy, scipy and torch let other threads run while they compute. What a batch holds does not depend on when it is
    made; what goes wrong there is raised where the batch is asked for.
    """

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        batches, end = super().__iter__(), object()
        pool = ThreadPoolExecutor(1, thread_name_prefix="clips")
        try:
            ahead = pool.submit(next, batches, end)
            while (batch := ahead.result()) is not end:
                ahead = pool.submit(next, batches, end)
                yield batch
        finally:
            pool.shutdown(cancel_futures=True)


def quick_rows(clips: Any) -> Any:
    """Rows of a `ClipTransform` as `ClipRows`; other clips as they are."""
    if isinstance(clips, Dataset) and isinstance(clips.format["format_kwargs"].get("transform"), ClipTransform):
        return ClipRows(clips)
    return clips


def run_ahead(loader: DataLoader) -> None:
    """Have a loader of `ClipRows`, perhaps one that accelerate has wrapped, make its batches ahead, if no worker does.

    Only of such: what other data sets draw from generators that are not theirs would depend on the threads.
    """
    inner = getattr(loader, "base_dataloader", loader)
    if type(inner) is DataLoader and inner.num_workers == 0 and isinstance(inner.dataset, ClipRows):
        inner.__class__ = AheadLoader
