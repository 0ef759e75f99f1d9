"""`hf-audio evaluate`: a checkpoint's figures on further recordings, as a training tells them, or two checkpoints'."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..data.annotations.finding import AnnotatedRecordings, Unannotated, find_annotations
from ..data.tables.columns import Columns
from ..errors import ArgumentError, DataError
from ..inference.checkpoint import load_classifier
from ..inference.classifier import AudioClassifier
from ..runs.answers import answer_tables, measure_answers
from ..runs.card import METRIC_NAMES
from ..runs.comparison import UNTESTED
from ..runs.heard import count_beside_heard, count_heard
from ..runs.markdown import Table
from ..runs.predictions.kinds import AnyPredictions, select_clips
from ..runs.summary import name_labels
from .clips import (
    JudgedClips,
    LabelledClips,
    check_same_kind,
    describe_left_out,
    is_data_set,
    judge_labelled,
    read_data_set,
    read_labelled_clips,
)
from .events import METRIC_NAMES as EVENT_METRIC_NAMES
from .events import Collars, JudgedRecordings
from .pairs import Difference, compare_clips, compare_recordings, same_clips
from .recordings import choose_recordings, judge_recordings, know_recordings, settle_rule

logger = logging.getLogger(__name__)

NAMES = {**METRIC_NAMES, **EVENT_METRIC_NAMES}  # of figures, in words


@dataclass(frozen=True)
class Data:
    """What is judged by."""

    source: str
    columns: Columns = field(default_factory=Columns)
    """Of a table, those that the user has named."""
    audio_dir: str | None = None
    unannotated: Unannotated | None = None
    """What is not annotated, where there are annotations."""
    config: str | None = None
    """Of a data set of the Hub that has several."""


@dataclass(frozen=True)
class Options:
    """How it is judged."""

    collars: Collars = field(default_factory=Collars)
    threshold: float | None = None
    """Of events, in the place of the checkpoint's own."""
    num_workers: int | None = None


@dataclass
class Evaluation:
    """A checkpoint's figures on recordings that it was not trained on."""

    checkpoint: str
    results: dict[str, Any]
    """For `evaluation.json`, named as a training's results."""
    judged: AnyPredictions | JudgedRecordings
    notes: list[str]
    """What the figures are not of, and what must be known of them, a sentence each."""
    tables: list[Table]
    skipped: list[dict[str, str]] = field(default_factory=list)

    @property
    def figures(self) -> list[tuple[str, float, tuple[float, float] | None]]:
        """What each figure is in words, its value, and its 95 % interval."""
        return [
            (words, self.results[f"eval_{name}"], _pair(self.results.get(f"eval_{name}_interval")))
            for name, words in NAMES.items()
            if f"eval_{name}" in self.results
        ]

    @property
    def counted(self) -> str:
        """How much was judged, in words."""
        if isinstance(self.judged, JudgedRecordings):
            hours, n = sum(self.judged.lengths) / 3600, len(self.judged.paths)
            n_events = sum(map(len, self.judged.truth))
            return f"{n} recordings of {hours:.2f} h with {n_events} annotated events"
        return f"{len(self.judged.paths)} clips"


@dataclass
class Comparison:
    """Two checkpoints on the same recordings."""

    evaluations: tuple[Evaluation, Evaluation]
    differences: Mapping[str, Difference]
    """Of the second one's figures from the first one's, by name."""

    @property
    def results(self) -> dict[str, Any]:
        """What `evaluation.json` holds."""
        first, second = self.evaluations
        differences = {
            name: {"difference": each.value, "interval": None if each.interval is None else list(each.interval)}
            for name, each in self.differences.items()
        }
        return {"first": first.results, "second": second.results, "differences": differences}


def evaluate_checkpoint(checkpoint: str, data: Data, options: Options) -> Evaluation:
    """Judge a checkpoint on labelled clips, or on recordings with annotated events.

    Raises:
        ArgumentError: a threshold that is none.
        CheckpointError: the checkpoint cannot be used.
        DataError: there is nothing to judge by, or the checkpoint knows none of the labels.
    """
    classifier = load_classifier(checkpoint)
    annotated = None if classifier.facts.num_digits else _find_annotations(data)
    if annotated is not None:
        events = know_recordings(annotated, data.source, classifier.labels)
        rule = settle_rule(classifier, options.threshold)
        judged, skipped = judge_recordings(classifier, events, rule, options.collars)
        return _tell_events(checkpoint, data, judged, skipped, events.unknown)
    _refuse_threshold(options)
    clips = _read_clips(classifier, data)
    judged_clips = judge_labelled(classifier, clips, options.num_workers)
    return _tell_clips(
        checkpoint, data, judged_clips, describe_left_out(judged_clips.unknown, judged_clips.n_unlabelled)
    )


def compare_checkpoints(checkpoints: Sequence[str], data: Data, options: Options) -> Comparison:
    """Judge two checkpoints on the same recordings, of the labels that both know.

    Raises:
        ArgumentError: they answer different questions; and as `evaluate_checkpoint`.
        CheckpointError: one cannot be used.
        DataError: there is nothing to judge both by.
    """
    classifiers = [load_classifier(checkpoint) for checkpoint in checkpoints]
    numbers = any(classifier.facts.num_digits for classifier in classifiers)
    annotated = None if numbers else _find_annotations(data)
    if annotated is not None:
        return _compare_events(checkpoints, classifiers, annotated, data, options)
    _refuse_threshold(options)
    check_same_kind(*(classifier.facts for classifier in classifiers))
    clips = _read_clips(classifiers[0], data)
    answers = [judge_labelled(classifier, clips, options.num_workers) for classifier in classifiers]
    rows = same_clips(answers[0].predictions, answers[1].predictions)
    if not len(rows[0]):
        raise DataError(f"No clip of {data.source} has a label that both checkpoints know: give recordings of these.")
    evaluations, compared = [], []
    for checkpoint, answered, chosen in zip(checkpoints, answers, rows, strict=True):
        notes = describe_left_out(answered.unknown, answered.n_unlabelled)
        n_others = len(answered.predictions.paths) - len(chosen)
        if n_others:
            notes.append(f"Clips that the other checkpoint cannot judge, and are left out: {n_others}.")
        predictions = select_clips(answered.predictions, chosen)
        compared.append(predictions)
        evaluations.append(_tell_clips(checkpoint, data, replace(answered, predictions=predictions), notes))
    return Comparison((evaluations[0], evaluations[1]), compare_clips(compared[0], compared[1]))


def _compare_events(
    checkpoints: Sequence[str],
    classifiers: Sequence[AudioClassifier],
    annotated: AnnotatedRecordings,
    data: Data,
    options: Options,
) -> Comparison:
    first, second = classifiers
    both = [label for label in first.labels if label in set(second.labels)]
    events = know_recordings(annotated, data.source, both)
    evaluations, compared = [], []
    for checkpoint, classifier in zip(checkpoints, classifiers, strict=True):
        rule = settle_rule(classifier, options.threshold)
        found, skipped = judge_recordings(classifier, events, rule, options.collars)
        compared.append(found)
        evaluations.append(_tell_events(checkpoint, data, found, skipped, events.unknown))
    return Comparison((evaluations[0], evaluations[1]), compare_recordings(compared[0], compared[1]))


def _find_annotations(data: Data) -> AnnotatedRecordings | None:
    if data.config is not None or is_data_set(data.source):
        return None
    found = find_annotations(data.source, data.columns, audio_dir=data.audio_dir, unannotated=data.unannotated)
    if found is None:
        if data.unannotated is not None:
            raise ArgumentError(f"--unannotated is of annotations, and {data.source} has none: leave it out.")
        return None
    return choose_recordings(found, data.source)


def _refuse_threshold(options: Options) -> None:
    for flag, given in (("--threshold", options.threshold is not None), ("--collar", options.collars != Collars())):
        if given:
            raise ArgumentError(f"{flag} is of events, and these are labelled clips: leave it out.")


def _read_clips(classifier: AudioClassifier, data: Data) -> LabelledClips:
    several = classifier.facts.multi_label
    if data.config is not None or is_data_set(data.source):
        for flag, given in (("--audio_dir", data.audio_dir), ("--unannotated", data.unannotated)):
            if given is not None:
                raise ArgumentError(
                    f"{flag} is of tables and annotations, and {data.source} is a data set: leave it out."
                )
        return read_data_set(data.source, data.config, data.columns, classifier.facts, several=several)
    return read_labelled_clips(data.source, data.columns, data.audio_dir, classifier.facts, several=several)


def _tell_clips(checkpoint: str, data: Data, judged: JudgedClips, notes: list[str]) -> Evaluation:
    predictions, untested = judged.predictions, judged.predictions.untested()
    results: dict[str, Any] = {
        "checkpoint": checkpoint,
        "data": data.source,
        "eval_samples": len(predictions.paths),
        "skipped_samples": len(judged.skipped),
        "unknown_labels": dict(judged.unknown),
        UNTESTED: untested,
        "labels": list(predictions.names),
    }
    results |= {f"eval_{name}": value for name, value in predictions.metrics().items()}
    results |= {f"eval_{name}_interval": list(interval) for name, interval in predictions.intervals().items()}
    results |= measure_answers(predictions, judged.group_column)
    if untested:
        notes = [*notes, f"Not tested, because no clip is of them: {name_labels(untested, str)}."]
    notes = [*notes, *_describe_heard(checkpoint, data, predictions.paths)]
    if judged.skipped:
        notes = [*notes, f"Clips that cannot be judged, and are left out: {len(judged.skipped)}."]
    return Evaluation(checkpoint, results, predictions, notes, answer_tables(results, predictions), judged.skipped)


def _tell_events(
    checkpoint: str,
    data: Data,
    judged: JudgedRecordings,
    skipped: list[dict[str, str]],
    unknown: Mapping[str, int],
) -> Evaluation:
    hours = sum(judged.lengths) / 3600
    results: dict[str, Any] = {
        "checkpoint": checkpoint,
        "data": data.source,
        "eval_samples": len(judged.paths),
        "hours": hours,
        "skipped_samples": len(skipped),
        "unknown_labels": dict(unknown),
        "labels": list(judged.labels),
        "collar": judged.collars.collar,
        "offset_share": judged.collars.offset_share,
        "segment_seconds": judged.collars.segment_seconds,
        "events_of_other_labels": judged.n_beside,
        "per_label": judged.per_label(),
    }
    results |= {f"eval_{name}": value for name, value in judged.metrics().items()}
    intervals = judged.intervals()
    results |= {f"eval_{name}_interval": list(interval) for name, interval in intervals.items()}
    notes = describe_left_out(unknown, 0, "annotations")
    if judged.n_beside:
        notes.append(
            f"Found beside these, of labels that nobody has annotated there: {judged.n_beside} events, "
            f"{judged.n_beside / hours:.1f} an hour; they are in no figure."
        )
    notes += _describe_heard(checkpoint, data, judged.paths)
    if not intervals:
        notes.append("There are too few recordings to tell how far other ones would differ.")
    if skipped:
        notes.append(f"Recordings that cannot be judged, and are left out: {len(skipped)}.")
    return Evaluation(checkpoint, results, judged, notes, judged.tables(), skipped)


def _describe_heard(checkpoint: str, data: Data, paths: Sequence[str]) -> list[str]:
    n_heard, n_beside = count_heard(checkpoint, data.source, paths), count_beside_heard(checkpoint, paths)
    if n_heard:
        sentence = (
            f"{n_heard} of these {len(paths)} recordings were heard in the training of {checkpoint}, so the figures "
            "are too good: give other ones, or those that it has held out."
        )
    elif n_beside:
        sentence = (
            f"{n_beside} of these {len(paths)} recordings lie in the folder that {checkpoint} was trained from, and "
            "are none that it has held out: if it has heard them, the figures are too good."
        )
    else:
        return []
    logger.warning("%s", sentence)
    return [sentence]


def _pair(interval: Sequence[float] | None) -> tuple[float, float] | None:
    return None if interval is None else (float(interval[0]), float(interval[1]))
