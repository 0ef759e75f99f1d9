"""Recordings and what a person has heard in them, with times: annotations."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ..tables.columns import TRAIN


class Annotation(NamedTuple):
    """What sounds from one moment of a recording to another, as a person says."""

    onset: float
    """Seconds from the recording's first sample, as `offset`."""
    offset: float
    label: str
    low_freq: float | None = None
    """Hz, where the person has said between which frequencies it lies."""
    high_freq: float | None = None


@dataclass
class AnnotatedRecording:
    """A recording with what sounds in it."""

    path: Path
    annotations: list[Annotation]
    """In the order of their times; none of a recording in which nothing of interest sounds."""
    seconds: float | None
    """How long it is; `None` where nobody has looked."""
    further: dict[str, str] = field(default_factory=dict)
    """Cells of further columns (site, day, start time), where all rows of the recording agree."""
    complete_until: float = 0.0
    """Up to which second all that sounds is annotated, so that the rest of that is background."""
    unlabelled: list[tuple[float, float]] = field(default_factory=list)
    """From when to when something sounds of which nobody says what it is, in seconds: this is no background."""
    part: str = TRAIN
    """`TRAIN`, `VALIDATION` or `TEST`."""


@dataclass
class AnnotatedRecordings:
    """Annotated recordings, and how they were read."""

    name: str
    recordings: list[AnnotatedRecording]
    labels: list[str]
    """Of all annotations, in the order of their ids."""
    messages: list[str] = field(default_factory=list)
    """What was done that nobody asked for, in sentences."""
    warnings: list[str] = field(default_factory=list)
    is_complete: bool = True
    """Whether what is not annotated is background; otherwise nothing is known of it."""

    @property
    def has_parts(self) -> bool:
        """Whether the recordings came divided into parts to train and to test on."""
        return len({recording.part for recording in self.recordings}) > 1
