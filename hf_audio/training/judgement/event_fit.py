"""Thresholds of events, fitted to annotated recordings that a network was not trained on."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from datasets import Dataset
from transformers import PreTrainedModel, SequenceFeatureExtractor

from ...data.annotations.annotated_recordings import Annotation
from ...data.cache import cached_waveform
from ...data.rows import COMPLETE_COLUMN, END_COLUMN, EVENTS_COLUMN, START_COLUMN
from ...inference.events import EventRule, fit_event_rule
from ...inference.facts import Facts
from ...inference.frames import frame_scores
from ...inference.torch_classifier import TorchAudioClassifier
from ...inference.torch_network import TorchNetwork

logger = logging.getLogger(__name__)

FEWEST_EVENTS = 5  # from which a rule can be told at all
ROUNDING = 1e-3  # seconds between rows that follow on each other


def fit_rule_to_rows(
    model: PreTrainedModel, extractor: SequenceFeatureExtractor, clips: Dataset
) -> dict[str, Any] | None:
    """How events follow from a network's scores, as its config has it; `None` where the clips do not tell.

    Rows that follow on each other are heard as one recording, as events are found in the end.

    Args:
        model: whose training is over.
        extractor: of the model.
        clips: rows of annotated recordings, as `cache_audio` gives them, that it was not trained on.
    """
    if EVENTS_COLUMN not in clips.column_names:
        return None
    facts = Facts.from_config(model.config, extractor.sampling_rate)
    classifier = TorchAudioClassifier(TorchNetwork(model, extractor, facts, model.device))
    recordings, n_events, frame_seconds = [], 0, 0.0
    for waveforms, truth in _join(clips, facts):
        stretches = list(frame_scores(classifier, waveforms))
        frame_seconds = stretches[0].frame_seconds
        recordings.append((np.concatenate([stretch.scores for stretch in stretches]), truth))
        n_events += len(truth)
    if n_events < FEWEST_EVENTS:
        logger.info("%d events to validate on are too few to fit thresholds to: they stay at 0.5.", n_events)
        return None
    rule = fit_event_rule(recordings, facts.labels, frame_seconds)
    logger.info("Thresholds of events are fitted to %d events to validate on.", n_events)
    return rule.to_dict()


def _join(clips: Dataset, facts: Facts) -> Iterator[tuple[list[np.ndarray], list[Annotation]]]:
    """Stretches of recordings of which all that sounds is known: waveforms, (samples,) each, and what sounds."""
    kept = clips.with_format(None)
    about = zip(kept["path"][:], kept[START_COLUMN][:], range(len(kept)), strict=True)
    waveforms: list[np.ndarray] = []
    truth: list[Annotation] = []
    followed: tuple[str, float] | None = None
    seconds = 0.0  # of what is gathered
    for path, start, place in sorted(about):
        row = kept[place]
        if waveforms and (followed is None or followed[0] != path or abs(followed[1] - start) > ROUNDING):
            yield waveforms, truth
            waveforms, truth, seconds = [], [], 0.0
        waveform = cached_waveform(row["audio"])
        known = waveform[: round(row[COMPLETE_COLUMN] * facts.sampling_rate)]
        followed = None
        if not len(known):
            continue
        for onset, offset, label in row[EVENTS_COLUMN]:
            _add(truth, Annotation(seconds + onset, seconds + offset, facts.labels[int(label)]), seconds)
        waveforms.append(known)
        seconds += len(known) / facts.sampling_rate
        if len(known) == len(waveform):
            followed = path, row[END_COLUMN]
    if waveforms:
        yield waveforms, truth


def _add(truth: list[Annotation], event: Annotation, border: float) -> None:
    """An event of a row; one that a border of rows has cut in two is put together."""
    for place, before in enumerate(truth):
        touches = abs(before.offset - border) < ROUNDING and abs(event.onset - border) < ROUNDING
        if touches and before.label == event.label:
            truth[place] = before._replace(offset=event.offset)
            return
    truth.append(event)


def mean_rule(rules: Sequence[dict[str, Any] | None]) -> dict[str, Any] | None:
    """What several networks' rules have in the mean; `None` where one has none."""
    known = [EventRule.from_dict(rule) for rule in rules if rule is not None]
    if not known or len(known) < len(rules):
        return None
    thresholds = np.mean([rule.thresholds for rule in known], axis=0).tolist()
    names = ("release", "min_seconds", "gap_seconds")
    others = {name: float(np.median([getattr(rule, name) for rule in known])) for name in names}
    return EventRule(tuple(thresholds), **others).to_dict()
