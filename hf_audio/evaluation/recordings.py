"""Annotated recordings through a checkpoint: scores moment by moment, and the events that follow from them."""

import logging
import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from ..audio.loading import stream_audio
from ..data.annotations.annotated_recordings import AnnotatedRecording, AnnotatedRecordings
from ..data.tables.columns import TEST
from ..errors import ArgumentError, AudioError, DataError
from ..inference.classifier import AudioClassifier
from ..inference.events import EventRule, find_events, is_event
from ..inference.frames import frame_scores
from ..problems import count_problems
from ..runs.summary import name_labels
from .clips import match_labels
from .events import Collars, JudgedRecordings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EventData:
    """Annotated recordings to judge by, with the labels of a checkpoint."""

    source: str
    recordings: Sequence[AnnotatedRecording]
    labels: Sequence[str]
    """Names that the checkpoint has, in its order, of labels that are annotated."""
    unknown: Mapping[str, int]
    """Labels that the checkpoint does not know, and how many annotations have them."""


def choose_recordings(annotated: AnnotatedRecordings, source: str | os.PathLike) -> AnnotatedRecordings:
    """Those to test on, where the recordings came divided; what was read is told."""
    for sentence in annotated.messages:
        logger.info("%s", sentence)
    for sentence in annotated.warnings:
        logger.warning("%s", sentence)
    if not annotated.is_complete:
        logger.warning(
            "Not all that sounds in %s is annotated: what is found beside the annotations counts as false, and may be "
            "right.",
            source,
        )
    chosen = [recording for recording in annotated.recordings if recording.part == TEST]
    if annotated.has_parts and chosen:
        logger.info("Of %d recordings, the %d test recordings are judged.", len(annotated.recordings), len(chosen))
        return replace(annotated, recordings=chosen)
    return annotated


def know_recordings(annotated: AnnotatedRecordings, source: str, known_labels: Sequence[str]) -> EventData:
    """Annotations in a checkpoint's words.

    Args:
        annotated: recordings.
        source: their name.
        known_labels: labels of the checkpoint, or those that several have in common.

    Raises:
        DataError: it knows none of their labels.
    """
    counts = Counter(annotation.label for recording in annotated.recordings for annotation in recording.annotations)
    matched = match_labels(list(counts), [label for label in known_labels if is_event(label, known_labels)])
    unknown = {label: n for label, n in counts.items() if label not in matched}
    if not matched:
        raise DataError(
            f"None of the labels of {source} ({name_labels(list(counts), repr) or 'it has none'}) is one of the "
            f"checkpoint's, which are {name_labels(list(known_labels), repr)}: give recordings of these."
        )
    recordings = [
        replace(
            recording,
            annotations=[
                annotation._replace(label=matched[annotation.label])
                for annotation in recording.annotations
                if annotation.label in matched
            ],
        )
        for recording in annotated.recordings
    ]
    labels = [label for label in known_labels if label in set(matched.values())]
    return EventData(source, recordings, labels, unknown)


def settle_rule(classifier: AudioClassifier, threshold: float | None) -> EventRule:
    """The rule of a checkpoint, or the usual one, with another threshold where one is given.

    Raises:
        ArgumentError: the threshold is none.
    """
    labels = classifier.facts.labels
    rule = classifier.facts.event_rule or EventRule.usual(len(labels))
    if threshold is None:
        return rule
    if not 0 < threshold < 1:
        raise ArgumentError(f"--threshold {threshold} must lie between 0 and 1.")
    return replace(rule, thresholds=(threshold,) * len(labels))


def judge_recordings(
    classifier: AudioClassifier, data: EventData, rule: EventRule, collars: Collars
) -> tuple[JudgedRecordings, list[dict[str, str]]]:
    """What a checkpoint finds in annotated recordings, and those that cannot be read, as `path` and `reason`.

    Raises:
        ArgumentError: the checkpoint finds no events.
        DataError: no recording can be read.
    """
    labels = list(classifier.facts.labels)
    places = [labels.index(label) for label in data.labels]
    kept, scores, found, lengths = [], [], [], []
    skipped: list[dict[str, str]] = []
    n_beside, frame_seconds = 0, 0.0
    for recording in tqdm(data.recordings, desc="Listening", unit="recording", delay=2):
        try:
            blocks = stream_audio(recording.path, classifier.sampling_rate)
            stretches = list(frame_scores(classifier, blocks))
        except (AudioError, OSError) as error:
            skipped.append({"path": str(recording.path), "reason": str(error)})
            continue
        frame_seconds = stretches[0].frame_seconds
        frames = np.concatenate([stretch.scores for stretch in stretches])
        _leave_out_unlabelled(frames, frame_seconds, recording, labels)
        seconds = len(frames) * frame_seconds if recording.seconds is None else recording.seconds
        if 0 < recording.complete_until < seconds:
            seconds = recording.complete_until
            frames = frames[: round(seconds / frame_seconds)]
        events = find_events(frames, frame_seconds, labels, rule)
        events = [event._replace(offset=min(event.offset, seconds)) for event in events if event.onset < seconds]
        of_labels = [event for event in events if event.label in set(data.labels)]
        n_beside += len(events) - len(of_labels)
        kept.append(recording)
        scores.append(frames[:, places])
        found.append(of_labels)
        lengths.append(seconds)
    if not kept:
        raise DataError(f"No recording of {data.source} can be judged: {skipped[0]['reason']}")
    for sentence in count_problems(skipped):
        logger.warning("%s", sentence)
    truth = [
        [annotation for annotation in recording.annotations if annotation.onset < length]
        for recording, length in zip(kept, lengths, strict=True)
    ]
    paths = [str(Path(recording.path)) for recording in kept]
    judged = JudgedRecordings(paths, data.labels, truth, found, scores, frame_seconds, lengths, collars, n_beside)
    return judged, skipped


def _leave_out_unlabelled(
    frames: np.ndarray, frame_seconds: float, recording: AnnotatedRecording, labels: Sequence[str]
) -> None:
    """Set scores to 0 where something sounds that has no label, but for labels that are annotated there.

    So nothing that is found there counts as false.

    Args:
        frames: (frames, labels).
        frame_seconds: from one frame to the next.
        recording: they are of.
        labels: in their order.
    """
    for onset, offset in recording.unlabelled:
        known = {each.label for each in recording.annotations if each.onset < offset and each.offset > onset}
        rows = slice(math.floor(onset / frame_seconds), math.ceil(offset / frame_seconds))
        frames[rows, [label not in known for label in labels]] = 0.0
