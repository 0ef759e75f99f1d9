"""`hf-audio fit-events`: thresholds, hysteresis and lengths of events, fitted to annotated recordings."""

import json
import logging
from pathlib import Path

import numpy as np

from ..data.annotations.finding import find_annotations
from ..data.tables.columns import TEST, TRAIN, VALIDATION
from ..errors import ArgumentError, CheckpointError, DataError
from ..files import write_text
from ..inference.checkpoint import load_classifier
from ..inference.events import EventRule, fit_event_rule
from .evaluation import Data
from .events import Collars
from .recordings import EventData, judge_recordings, know_recordings

logger = logging.getLogger(__name__)

CONFIG_NAME = "config.json"
FEW_EVENTS = 10  # of a label, from which little can be known


def fit_events(checkpoint: str, data: Data, objective: str | tuple[str, float] = "f1") -> EventRule:
    """Fit how events follow from a checkpoint's scores, and write it into its configuration.

    Where the recordings came divided, those to validate on say it, else those to train on; never those to test on.

    Args:
        checkpoint: a finished folder.
        data: annotated recordings, which it was not trained on.
        objective: see `fit_event_rule`.

    Raises:
        CheckpointError: the checkpoint is no folder, or finds no events.
        DataError: the data has no annotations with times, or none of a label that the checkpoint knows.
    """
    config = Path(checkpoint) / CONFIG_NAME
    if not config.is_file():
        raise CheckpointError(
            f"{checkpoint} is no finished folder, and only there a rule for events can be kept: give the folder, and "
            "export it again where an ONNX file is wanted."
        )
    classifier = load_classifier(checkpoint)
    if classifier.facts.num_digits:
        raise ArgumentError(f"{checkpoint} reads numbers, and finds no events: give a classifier.")
    events = _read(data, classifier.labels)
    rule = EventRule.usual(len(classifier.labels))
    judged, _ = judge_recordings(classifier, events, rule, Collars())
    places = [classifier.labels.index(label) for label in judged.labels]
    recordings = []
    for scores, truth in zip(judged.scores, judged.truth, strict=True):
        spread = np.zeros((len(scores), len(classifier.labels)), dtype=np.float32)
        spread[:, places] = scores
        recordings.append((spread, truth))
    fitted = fit_event_rule(recordings, classifier.labels, judged.frame_seconds, objective)
    counts = {label: sum(each.label == label for truth in judged.truth for each in truth) for label in judged.labels}
    few = [label for label, count in counts.items() if count < FEW_EVENTS]
    if few:
        logger.warning(
            "Fewer than %d events are annotated of %s: their thresholds lean on those of the others.",
            FEW_EVENTS,
            ", ".join(few[:5]) + (f" and {len(few) - 5} more" if len(few) > 5 else ""),
        )
    values = json.loads(config.read_text(encoding="utf-8"))
    write_text(config, json.dumps({**values, "event_rule": fitted.to_dict()}, indent=2, sort_keys=True) + "\n")
    return fitted


def _read(data: Data, labels: list[str]) -> EventData:
    """The recordings to fit by, in the checkpoint's words."""
    annotated = find_annotations(data.source, data.columns, audio_dir=data.audio_dir, unannotated=data.unannotated)
    if annotated is None:
        raise DataError(f"{data.source} has no annotations with times, which thresholds of events are fitted to.")
    for sentence in annotated.messages:
        logger.info("%s", sentence)
    for sentence in annotated.warnings:
        logger.warning("%s", sentence)
    parts = {recording.part for recording in annotated.recordings}
    wanted = next((part for part in (VALIDATION, TRAIN) if part in parts), None)
    if wanted is None:
        raise DataError(f"All recordings of {data.source} are to test on ({TEST}), and thresholds must not know them.")
    if annotated.has_parts:
        annotated.recordings = [recording for recording in annotated.recordings if recording.part == wanted]
        logger.info("The %d recordings of the part %r say it.", len(annotated.recordings), wanted)
    return know_recordings(annotated, data.source, labels)
