"""`hf-audio detect`: many recordings to the events in them, by the engine that answers `hf-audio predict`."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property, partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from ..audio.start_times import read_start_time, start_time
from ..errors import ArgumentError, DataError
from ..files import written_whole
from ..folders import RealPaths
from ..inference.classifier import AudioClassifier
from ..inference.events import EventFinder, EventRule, SoundEvent
from ..inference.facts import Facts
from ..inference.frames import FrameWindows
from ..remote.addresses import is_remote
from .activity import Activity
from .answers import WRITERS, ClipHeading, Row, Writer, print_table, shown_name, written_at_once
from .clips import STANDARD_INPUT
from .journal import Entry
from .label_formats import LABEL_SUFFIXES, OF_ONE_RECORDING, Mark, write_marks
from .moments import MomentJoiner, MomentScorer, OverMoments
from .predict import JOURNAL_SUFFIX, Sources
from .questions import Answerer
from .scoring import Judgement

SUFFIXES = (*WRITERS, *LABEL_SUFFIXES)
SITE_NAMES = ("site", "location", "station", "plot", "recorder", "place")


@dataclass(frozen=True)
class Recordings(Sources):
    """Where recordings are found, each once, whatever a table says about stretches of it."""

    def clips(self) -> list[dict[str, str]]:
        """All recordings in their order, with the cells of a table in which all rows of a recording agree."""
        return self._recordings

    @cached_property
    def _recordings(self) -> list[dict[str, str]]:  # looked for once, and asked for by more than one check
        found: dict[str, dict[str, str]] = {}
        real_path = RealPaths()
        for clip in super().clips():
            first = found.setdefault(real_path(clip["path"]), clip)
            if first is not clip:
                for name in [name for name in first if name != "path" and first[name] != clip.get(name)]:
                    del first[name]
        return list(found.values())


@dataclass(frozen=True)
class EventHeading(ClipHeading):
    """The columns of events.

    `path`, `onset` and `offset` in seconds from the recording's beginning, `label`, `confidence`, `time`, the onset by
    the clock where it is known when the recording began, the further columns of a table that named the recordings, and
    `error`. A further column that has one of these names is kept under another: `true_label`, `table_onset`.
    """

    sampling_rate: int
    """Of what the checkpoint hears, in Hz."""
    start_column: str | None = None
    """That says when each recording began."""
    activity: Activity | None = None
    """Counts the events by the clock."""
    lengths: dict[str, float] = field(default_factory=dict)
    """Of recordings that were heard, in seconds; filled while rows are made."""

    @property
    def columns(self) -> list[str]:
        """All names in their order."""
        return ["path", *self.own_columns, *self.clip_columns.values(), "error"]

    @property
    def own_columns(self) -> list[str]:
        """See `ClipHeading.own_columns`."""
        return ["onset", "offset", "label", "confidence", "time"]

    @property
    def real_columns(self) -> list[str]:
        """Names of those that hold numbers rather than text."""
        return ["onset", "offset", "confidence"]

    @property
    def answer_columns(self) -> list[str]:
        """Names of those that hold labels."""
        return ["label"]

    @cached_property
    def _site_column(self) -> str | None:
        return next((name for name in self.further if name.strip().casefold() in SITE_NAMES), None)

    def cells(
        self, clip: Mapping[str, str], spans: Iterable[Sequence[float]], answers: Iterable[Sequence[Sequence[Any]]]
    ) -> Iterator[Row]:
        """See `ClipHeading.cells`: a row an event."""
        for (_, end), events in zip(spans, answers, strict=True):
            self.lengths[shown_name(clip["path"])] = end
            began = self.started(clip)
            if self.activity is not None:
                site = clip.get(self._site_column or "", "")
                self.activity.add(clip["path"], site, began, end, [SoundEvent(*event) for event in events])
            for onset, offset, label, confidence in events:
                cells = {"onset": onset, "offset": offset, "label": label, "confidence": confidence}
                if began is not None:
                    cells["time"] = (began + timedelta(seconds=onset)).isoformat(timespec="milliseconds")
                yield cells

    def started(self, clip: Mapping[str, str]) -> datetime | None:
        """When a recording began, by the table or by itself."""
        if self.start_column is not None:
            return read_start_time(clip.get(self.start_column, ""))
        return None if clip["path"] == STANDARD_INPUT else start_time(clip["path"])


@dataclass(frozen=True)
class EventQuestion(OverMoments[EventHeading]):
    """What happens when: events by the checkpoint's rule, or by one that the user changes."""

    thresholds: tuple[str, ...] = ()
    """A number, or `label=number` each."""
    min_seconds: float | None = None
    gap_seconds: float | None = None
    start_column: str | None = None
    """See `EventHeading.start_column`."""
    beside: bool = False
    """Whether each recording's events are written beside it; then the output's end says the format."""
    activity: Activity | None = field(default=None, compare=False)
    """Counts the events by the clock."""

    action = "Detecting"

    def __post_init__(self) -> None:
        for name in ("min_seconds", "gap_seconds"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < np.inf:
                raise ArgumentError(f"--{name} {value} must be 0 or more, and a number.")
        _parse_thresholds(self.thresholds)

    @property
    def request(self) -> dict[str, Any]:
        """See `WindowQuestion.request`."""
        flags = {"threshold": list(self.thresholds), "min_seconds": self.min_seconds, "gap_seconds": self.gap_seconds}
        named = {f"--{name}": value for name, value in flags.items()}
        return {"command": "detect", "--hop_seconds": self.hop_seconds, **named}

    def complaints_in(self, output: Path) -> str:
        """See `WindowQuestion.complaints_in`."""
        return "" if self.beside or output.name.lower().endswith(LABEL_ENDS) else str(output)

    def answerer(self, network: AudioClassifier, checkpoint: str) -> "EventAnswerer":
        """See `WindowQuestion.answerer`."""
        return EventAnswerer(network, self)

    def choose_writer(self, output: Path, n_clips: int) -> Writer[EventHeading]:
        """See `WindowQuestion.choose_writer`."""
        suffix = find_suffix(output.name)
        if suffix is None:
            raise DataError(f"--output {output} must end in {', '.join(SUFFIXES)}.")
        if self.beside:
            return partial(write_beside, suffix)
        if suffix in OF_ONE_RECORDING and n_clips > 1:
            raise DataError(
                f"--output {output} labels one recording, and there are {n_clips}: give --beside {suffix} for a file "
                "beside each, or name a .csv or .selections.txt."
            )
        return written_at_once(partial(write_events, suffix))

    def rule(self, facts: Facts) -> EventRule:
        """The rule of a checkpoint, with what the user has changed.

        Raises:
            ArgumentError: a threshold is of no label of it.
        """
        rule = facts.event_rule or EventRule.usual(len(facts.labels))
        thresholds = dict(zip(facts.labels, rule.thresholds, strict=True))
        for label, threshold in _parse_thresholds(self.thresholds):
            if label is not None and label not in thresholds:
                raise ArgumentError(f"--threshold {label}={threshold:g} is of no label: {', '.join(thresholds)}.")
            thresholds |= dict.fromkeys(thresholds if label is None else [label], threshold)
        changes = {"min_seconds": self.min_seconds, "gap_seconds": self.gap_seconds}
        given: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
        return replace(rule, thresholds=tuple(thresholds[label] for label in facts.labels), **given)


LABEL_ENDS = tuple(suffix.lower() for suffix in LABEL_SUFFIXES)


def find_suffix(name: str) -> str | None:
    """Which of the formats a file's name says; `None`: none."""
    return next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix.lower())), None)


def _parse_thresholds(words: Sequence[str]) -> list[tuple[str | None, float]]:
    """Labels, `None` for all, and their thresholds; those of all come first."""
    found: list[tuple[str | None, float]] = []
    for word in words:
        label, equals, text = str(word).rpartition("=")
        try:
            value = float(text)
        except ValueError:
            value = 0.0
        if not 0 < value <= 1:
            raise ArgumentError(f"--threshold {word}: give a number above 0, 1 at most, or label=number.")
        found.append((label if equals else None, value))
    return sorted(found, key=lambda pair: pair[0] is not None)


class _Listening:
    """A recording that has been heard up to some moment."""

    def __init__(self, labels: Sequence[str], rule: EventRule):
        self.finder = EventFinder(labels, rule)
        self.events: list[SoundEvent] = []
        self.end = 0.0


class EventAnswerer(Answerer[EventHeading]):
    """A classifier that is asked for events.

    Args:
        classifier: is asked.
        question: by what rule.
    """

    def __init__(self, classifier: AudioClassifier, question: EventQuestion):
        windows = FrameWindows.of(classifier.facts, question.hop_seconds)
        super().__init__(MomentScorer(classifier, windows), classifier.facts)
        self.question = question
        self.rule = question.rule(classifier.facts)
        self._joiner = MomentJoiner(windows)
        self._listening: dict[int, _Listening] = {}

    def heading(self, further: Sequence[str]) -> EventHeading:
        """See `Answerer.heading`."""
        column = self.question.start_column
        if column is not None and column not in further:
            raise DataError(f"--start_column {column} is no column of the table: {', '.join(further) or 'none'}.")
        return EventHeading(further, self.facts.sampling_rate, column, self.question.activity)

    def entry(self, judgement: Judgement, file: str) -> Entry:
        """See `Answerer.entry`. A recording's events come when it has ended, in the order of their onsets."""
        listening = self._listening.setdefault(judgement.clip, _Listening(self.facts.labels, self.rule))
        for stretch in self._joiner.add(judgement):
            listening.events += listening.finder.push(*stretch)
        listening.end = judgement.spans[-1][1] if judgement.spans else listening.end
        if judgement.ended:
            del self._listening[judgement.clip]
        if not judgement.ended or judgement.problem is not None:
            return Entry(judgement.clip, [], [], judgement.ended, judgement.problem)
        events = sorted([*listening.events, *listening.finder.flush()])
        answers = [
            [round(onset, 6), round(min(offset, listening.end), 6), label, round(confidence, 6)]
            for onset, offset, label, confidence in events
        ]
        return Entry(judgement.clip, [[0.0, listening.end]], [answers], True, None)

    def show(self, heading: EventHeading, rows: Iterable[Row], paths: Iterable[str]) -> None:
        """See `Answerer.show`."""
        print_table(heading, rows, paths, self.facts.labels)


def write_events(suffix: str, path: Path, heading: EventHeading, rows: Iterable[Row]) -> None:
    """Events in the format of a suffix."""
    if suffix in LABEL_SUFFIXES:
        marks = (
            Mark(str(row["path"]), row["onset"], row["offset"], str(row["label"]), row["confidence"])
            for row in rows
            if row["error"] is None
        )
        write_marks(path, suffix, marks, "label", heading.sampling_rate / 2, heading.lengths)
    else:
        WRITERS[suffix](path, heading, rows)


def write_beside(suffix: str, _: Path, heading: EventHeading, rows: Iterable[Row]) -> None:
    """Events of each recording in a file beside it, of those without events too; none of what cannot be read."""

    def write(name: str, of_one: Sequence[Row]) -> None:
        with written_whole(beside(name, suffix)) as temporary:
            write_events(suffix, temporary, replace(heading, lengths={name: heading.lengths[name]}), of_one)

    written = set()
    for name, part in groupby(rows, key=lambda row: str(row["path"])):
        of_one = list(part)
        if of_one[0]["error"] is None:
            write(name, of_one)
            written.add(name)
    for name in heading.lengths.keys() - written:  # of all that were heard, those without an event
        write(name, [])


def beside(recording: str | os.PathLike, suffix: str) -> Path:
    """The file of a recording's events."""
    path = Path(recording)
    return path.with_name(path.stem + suffix)


def plan_beside(recordings: Sequence[Mapping[str, str]], suffix: str, *, resume: bool) -> Path:
    """A name in the folder of all recordings, whose end says the format, and beside which the journal lies.

    Raises:
        DataError: a format that is none, two recordings that would share a file, or files that are there already and
            may be a person's work.
    """
    if find_suffix(suffix) is None:
        raise DataError(f"--beside {suffix} must be one of {', '.join(SUFFIXES)}.")
    files: dict[Path, str] = {}
    for recording in recordings:
        if recording["path"] == STANDARD_INPUT:
            raise DataError("--beside needs files, and the standard input is none: give --output.")
        if is_remote(recording["path"]):
            raise DataError(
                "--beside writes into folders of this machine, and a recording is in a store: give --output."
            )
        file = beside(os.path.abspath(recording["path"]), suffix)
        other = files.setdefault(file, recording["path"])
        if other != recording["path"]:
            raise DataError(f"{other} and {recording['path']} would share {file}: give --output, or rename one.")
    output = Path(os.path.commonpath([file.parent for file in files])) / f"events{suffix}"
    if not (resume and output.with_name(output.name + JOURNAL_SUFFIX).exists()):
        for file in files:
            if file.exists():
                raise DataError(f"{file} exists already, and may hold somebody's labels: move it away first.")
    return output
