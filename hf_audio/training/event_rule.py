"""Thresholds for events, fitted to annotated recordings once a network is trained."""

import logging
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from datasets import Dataset

from ..data.annotated_rows import RECORDING_COLUMN
from ..data.cache import cached_waveform
from ..data.rows import COMPLETE_COLUMN, END_COLUMN, EVENTS_COLUMN, START_COLUMN
from ..inference.events import EventRule, fit_event_rule, is_event
from ..inference.facts import Facts
from ..inference.frames import frame_scores
from ..inference.torch_classifier import TorchAudioClassifier
from ..inference.torch_network import TorchNetwork
from .parts import Parts
from .trainer import AudioTrainer

logger = logging.getLogger(__name__)

MOST_SECONDS = 3600.0  # of sound that a rule is fitted to
FEWEST_EVENTS = 10  # of the validation recordings; with fewer, the training recordings tell more
TOUCHING = 0.001  # seconds between rows, or events, that follow one another


class _Stretch(NamedTuple):
    """Rows of one recording that follow one another, as one piece of it."""

    rows: list[int]
    events: list["_Event"]


class _Event(NamedTuple):
    onset: float
    offset: float
    label: str


def fit_rule(trainer: AudioTrainer, parts: Parts) -> str | None:
    """Put into the network by which thresholds events follow from its frames' scores, for the best F1 of events.

    They are fitted to the validation recordings or, where these have hardly an event, to those trained on. Rows in
    which not everything is annotated count only where their events are.

    Args:
        trainer: whose training is over, of a network that scores frames.
        parts: of the run.

    Returns:
        What was fitted to what, in a sentence; `None` of a network or of clips without times.
    """
    model = trainer.accelerator.unwrap_model(trainer.model)
    if getattr(model.config, "frame_seconds", None) is None or EVENTS_COLUMN not in parts.clips.column_names:
        return None
    labels = tuple(model.config.id2label[number] for number in range(model.config.num_labels))
    stretches, told = [], ""
    for name, clips in (("validation", parts.validation), ("training", parts.clips)):
        if clips is None:
            continue
        plain = clips.with_format(None)
        stretches = list(_join_rows(plain, labels))
        n_events = sum(is_event(event.label) for stretch in stretches for event in stretch.events)
        told = f"{n_events} annotations of the {name} recordings"
        if n_events >= FEWEST_EVENTS:
            break
    if not any(stretch.events for stretch in stretches):
        return None
    extractor = trainer.processing_class
    facts = Facts.from_config(model.config, extractor.sampling_rate)
    classifier = TorchAudioClassifier(TorchNetwork(model, extractor, facts, model.device))
    scored = []
    for stretch in stretches:
        blocks = (cached_waveform(plain[row]["audio"]) for row in stretch.rows)
        scored.append((np.concatenate([part.scores for part in frame_scores(classifier, blocks)]), stretch.events))
    rule = fit_event_rule(scored, labels, model.config.frame_seconds)
    model.config.event_rule = rule.to_dict()
    return f"{_describe(rule)}, fitted to {told} for the best F1 of events"


def _describe(rule: EventRule) -> str:
    lowest, highest = min(rule.thresholds), max(rule.thresholds)
    between = f"of {lowest:g}" if lowest == highest else f"from {lowest:g} to {highest:g}"
    return f"Events begin and end by thresholds {between}, a label each"


def _join_rows(clips: Dataset, labels: tuple[str, ...]) -> Iterator[_Stretch]:
    """The stretches of recordings that rows cover, those with events first, up to `MOST_SECONDS`."""
    columns = {name: clips[name][:] for name in (RECORDING_COLUMN, START_COLUMN, END_COLUMN, EVENTS_COLUMN)}
    complete = clips[COMPLETE_COLUMN][:]
    recordings, starts, ends, events = columns.values()
    order = sorted(range(len(clips)), key=lambda row: (recordings[row], starts[row]))
    stretches: list[_Stretch] = []
    last = None
    for row in order:
        follows = (
            last is not None
            and recordings[row] == recordings[last]
            and abs(starts[row] - ends[last]) < TOUCHING
            and complete[last] >= ends[last] - starts[last] - TOUCHING
        )
        if not follows:
            stretches.append(_Stretch([], []))
            begin = starts[row]
        stretches[-1].rows.append(row)
        for onset, offset, label in events[row]:
            _add(
                stretches[-1].events,
                _Event(starts[row] - begin + onset, starts[row] - begin + offset, labels[int(label)]),
            )
        last = row
    seconds = 0.0
    for stretch in sorted(stretches, key=lambda stretch: not stretch.events):
        if seconds >= MOST_SECONDS:
            return
        seconds += sum(ends[row] - starts[row] for row in stretch.rows)
        yield stretch


def _add(events: list[_Event], event: _Event) -> None:
    """Add an event, or join it to the one that ends at the border of a row where it begins."""
    for place, before in enumerate(events):
        if before.label == event.label and abs(before.offset - event.onset) < TOUCHING:
            events[place] = before._replace(offset=event.offset)
            return
    events.append(event)
