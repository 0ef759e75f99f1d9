"""Annotated recordings to rows to train on: parts of files, cut in time, with what sounds in each and when."""

import logging
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import datasets
import numpy as np
from datasets import ClassLabel, Dataset

from ...errors import DataError
from ..collection import Collection
from ..rows import COMPLETE_COLUMN, END_COLUMN, EVENTS_COLUMN, OWN_COLUMNS, START_COLUMN
from ..tables.columns import TEST, Columns
from .annotated_recordings import AnnotatedRecording, AnnotatedRecordings
from .frame_targets import events_within

logger = logging.getLogger(__name__)

RECORDING_COLUMN = "recording"
# Of a row, in seconds: some times what most events last, so that few are cut in two.
AROUND, MOST_EVENTS = 4.0, 0.9
SHORTEST_ROW, LONGEST_ROW = 4.0, 10.0
# Events shorter than this are calls of bats and clicks, of which many are in a short row.
SHORT_EVENT, SHORTEST_ULTRASONIC_ROW = 0.05, 0.5
# A row has a tag where so much of an event lies in it, or so long a part of it.
TAGGED_SHARE, TAGGED_SECONDS = 0.25, 0.5
ROUNDING = 1e-6  # seconds: an event that is cut need not end exactly where the clip does
# Rows without an event for every one with some, and how many there may be at least: hours of nothing teach little.
BACKGROUND_SHARE, FEWEST_BACKGROUND = 2, 100
LEAST_SECONDS = 0.25  # of a row beside which nothing is known
MOST_KINDS = 20  # of recordings, that a column tells apart


@dataclass(frozen=True)
class _Row:
    recording: AnnotatedRecording
    start: float
    end: float
    events: list[list[float]]
    """From the row's start."""
    complete: float
    """Up to which second of the row all that sounds is annotated."""


def choose_row_seconds(found: AnnotatedRecordings) -> tuple[float, str]:
    """How long rows are where nobody has said it, and why."""
    durations = [
        annotation.offset - annotation.onset for recording in found.recordings for annotation in recording.annotations
    ]
    usual = float(np.quantile(durations, MOST_EVENTS))
    shortest = SHORTEST_ULTRASONIC_ROW if usual < SHORT_EVENT else SHORTEST_ROW
    seconds = round(min(max(AROUND * usual, shortest), LONGEST_ROW), 1)
    return seconds, f"{MOST_EVENTS:.0%} of the annotations last up to {usual:.2g} s"


def cut_rows(found: AnnotatedRecordings, seconds: float, columns: Columns | None = None) -> Collection:
    """The collection of rows of so many seconds that cover what is annotated, divided where the recordings are.

    A row has `path`, `start` and `end` in seconds, `label`, the tags that sound in it, `events`, a list of onset,
    offset and class from the row's start, `complete`, up to which of its seconds all that sounds is annotated, and
    `RECORDING_COLUMN`. Where recordings are annotated as a whole, rows lie behind one another, and of those without
    any event some are left out. Elsewhere, and where something sounds that has no label, rows are the annotations
    themselves.

    Args:
        found: the recordings.
        seconds: of a row, or the whole of a shorter recording.
        columns: that the user has named; `group` is kept.
    """
    columns = columns or Columns()
    numbers = {label: number for number, label in enumerate(found.labels)}
    rows = [row for recording in found.recordings for row in _cut(recording, seconds, numbers)]
    rows = _leave_out_background(rows)
    cells = _further(found, columns)
    data: dict[str, list[Any]] = {
        "path": [str(row.recording.path) for row in rows],
        START_COLUMN: [row.start for row in rows],
        END_COLUMN: [row.end for row in rows],
        "label": [tags_of(row.events, row.end - row.start) for row in rows],
        EVENTS_COLUMN: [row.events for row in rows],
        COMPLETE_COLUMN: [row.complete for row in rows],
        RECORDING_COLUMN: [str(row.recording.path) for row in rows],
        **{name: [row.recording.further.get(name) or str(row.recording.path) for row in rows] for name in cells},
    }
    text, real = datasets.Value("string"), datasets.Value("float64")
    features = datasets.Features(
        {
            **dict.fromkeys(data, text),
            **dict.fromkeys([START_COLUMN, END_COLUMN, COMPLETE_COLUMN], real),
            "label": datasets.List(ClassLabel(names=found.labels)),
            EVENTS_COLUMN: datasets.List(datasets.List(real)),
        }
    )
    parts = np.array([row.recording.part for row in rows], dtype=object)
    sentence = "The test recordings are those that the data came with." if (parts == TEST).any() else ""
    group = columns.group or RECORDING_COLUMN
    return Collection(
        found.name,
        Dataset.from_dict(data, features=features),
        parts,
        sentence,
        columns,
        group_column=group,
    )


def tags_of(events: Sequence[Sequence[float]], seconds: float) -> list[int]:
    """The classes that a clip of so many seconds has, by its events, which are cut at its ends.

    An event of which hardly anything is heard is none.
    """
    tags = set()
    for onset, offset, label in events:
        is_cut = onset <= ROUNDING or offset >= seconds - ROUNDING
        if not is_cut or offset - onset >= min(TAGGED_SECONDS, TAGGED_SHARE * seconds):
            tags.add(int(label))
    return sorted(tags)


def _cut(recording: AnnotatedRecording, seconds: float, numbers: Mapping[str, int]) -> list[_Row]:
    """The rows of a recording."""
    events = [[event.onset, event.offset, float(numbers[event.label])] for event in recording.annotations]
    seconds_in_all = recording.seconds or 0.0
    end = min(recording.complete_until, seconds_in_all)
    known = _without([(0.0, end)] if end > 0 else [], recording.unlabelled)
    beside = _without([(onset, offset) for onset, offset, _ in events], known)
    stretches = [*known, *_without(_around(beside, seconds_in_all), known)]
    are_known = [True] * len(known) + [False] * (len(stretches) - len(known))
    pieces = [pairwise(_borders(start, stop, seconds)) for start, stop in stretches]
    spans = [(*span, is_known) for own, is_known in zip(pieces, are_known, strict=True) for span in own]
    # Of hours with thousands of events, each row looks at those near it.
    onsets, reached = [event[0] for event in events], list(accumulate((event[1] for event in events), max))
    near = [events[bisect_right(reached, start) : bisect_left(onsets, stop)] for start, stop, _ in spans]
    return [
        _Row(recording, start, stop, events_within(events_near, start, stop), stop - start if is_known else 0.0)
        for (start, stop, is_known), events_near in zip(spans, near, strict=True)
    ]


def _borders(start: float, end: float, seconds: float) -> list[float]:
    """What a stretch is cut into, pieces of one length."""
    n_pieces = max(int(np.ceil((end - start) / seconds - 1e-6)), 1)
    return [start + number * (end - start) / n_pieces for number in range(n_pieces)] + [end]


def _without(
    stretches: Sequence[tuple[float, float]], others: Sequence[tuple[float, float]]
) -> list[tuple[float, float]]:
    """What is left of stretches beside others, without rests that are too short to tell anything."""
    left = []
    for start, end in stretches:
        own = sorted(span for span in others if span[0] < end and span[1] > start)
        stops, starts = [*(onset for onset, _ in own), end], [start, *accumulate((offset for _, offset in own), max)]
        shortest = LEAST_SECONDS if own else 0.0
        left += [span for span in zip(starts, stops, strict=True) if span[1] - span[0] > shortest]
    return left


def _around(events: Sequence[Sequence[float]], seconds: float) -> list[tuple[float, float]]:
    """The stretches that annotations cover, joined where they touch; what lies around them is not known."""
    spans: list[tuple[float, float]] = []
    for onset, offset in sorted((event[0], event[1]) for event in events):
        short = max(LEAST_SECONDS - (offset - onset), 0) / 2
        start, end = max(onset - short, 0.0), min(offset + short, seconds)
        if spans and start <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(spans[-1][1], end)
        else:
            spans.append((start, end))
    return spans


def _leave_out_background(rows: list[_Row]) -> list[_Row]:
    """All rows with events and, spread evenly over the others, some of those."""
    empty = [number for number, row in enumerate(rows) if not row.events]
    most = max(BACKGROUND_SHARE * (len(rows) - len(empty)), FEWEST_BACKGROUND)
    if len(empty) <= most:
        return rows
    kept = {empty[place] for place in np.linspace(0, len(empty) - 1, most).round().astype(int)}
    logger.info(
        "%d of %d stretches in which nothing is annotated are taken for background; more would teach little.",
        len(kept),
        len(empty),
    )
    return [row for number, row in enumerate(rows) if row.events or number in kept]


def _further(found: AnnotatedRecordings, columns: Columns) -> list[str]:
    """Columns of recordings that are kept: the group, and those that tell a few kinds apart."""
    values: dict[str, set[str]] = {}
    for recording in found.recordings:
        for name, cell in recording.further.items():
            values.setdefault(name, set()).add(cell)
    rows_own = (START_COLUMN, END_COLUMN, EVENTS_COLUMN, COMPLETE_COLUMN, RECORDING_COLUMN)
    taken = {*OWN_COLUMNS, *rows_own, columns.split}
    kept = [name for name, kinds in values.items() if name not in taken and 2 <= len(kinds) <= MOST_KINDS]
    if columns.group is not None and columns.group not in kept:
        if columns.group in taken:
            raise DataError(f"--group_column {columns.group}: a column of this name is used otherwise: rename it.")
        kept.append(columns.group)
    return kept
