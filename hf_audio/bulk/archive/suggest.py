"""`hf-audio suggest`: which windows of recordings a person had better label next."""

import logging
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from ...data.annotations.finding import find_annotations
from ...errors import ArgumentError, AudioError, DataError
from ...folders import RealPaths
from ...inference.checkpoint import load_classifier
from ...inference.classifier import AudioClassifier
from ...inference.embedder import AudioEmbedder, embedder_of
from ...inference.events import is_event
from ...problems import count_problems
from ..clips import STANDARD_INPUT, find_all_clips, find_examples
from ..decoding import Cut
from ..scoring import default_workers, judge_clips

logger = logging.getLogger(__name__)

COUNT = 50
# However sure of them a network is, windows that are unlike all others teach a little.
LEAST_UNCERTAINTY = 0.01


@dataclass(frozen=True)
class Suggestion:
    """A window that would teach a network."""

    rank: int
    """The one to begin with has 1."""
    path: str
    start: float
    """In seconds."""
    end: float
    """In seconds."""
    guess: str
    """What the network takes it for."""
    confidence: float
    """How probable it finds that."""
    uncertainty: float
    """0 where the network is sure, 1 where two answers are equally likely."""
    novelty: float
    """How far it is from what was labelled and suggested before it: 0 if the same to the network, 1 if unlike it."""


@dataclass(frozen=True)
class Suggestions:
    """What was chosen, and what a page needs to ask about it."""

    chosen: list[Suggestion]
    """The most telling first."""
    labels: list[str]
    """That the network knows, without those that mean that there is nothing."""
    sampling_rate: int
    """Of what it hears, in Hz."""
    n_windows: int
    """Which there was to choose from."""


@dataclass(frozen=True)
class _Windows:
    """What a network makes of the windows of many recordings."""

    paths: Sequence[str]
    """Of each window."""
    spans: np.ndarray
    """(windows, 2) start and end, in seconds."""
    scores: np.ndarray
    """(windows, labels)."""
    vectors: np.ndarray
    """(windows, size)."""


class _Listener:
    """A network's probabilities and its embeddings, side by side.

    Args:
        classifier: has the ones.
        embedder: has the others.
    """

    def __init__(self, classifier: AudioClassifier, embedder: AudioEmbedder):
        self.classifier, self.embedder = classifier, embedder
        self.device: Any = getattr(classifier, "device", None)

    def score(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """Windows, (samples,) each -> (windows, labels + size)."""
        return np.concatenate([self.classifier.score(windows), self.embedder.embed(windows)], axis=1)


def suggest_windows(
    checkpoint: str,
    sources: Sequence[str | os.PathLike],
    count: int = COUNT,
    labelled: str | os.PathLike | None = None,
    num_workers: int | None = None,
) -> Suggestions:
    """The windows of recordings that would teach a network most, if a person labelled them.

    Windows are taken one after the other: each time the one of which the network is least sure and that is least like
    what is labelled and what was taken before, by the product of the two. Unlikeness is the cosine distance of
    embeddings to the nearest of those (k-centre: Sener, Savarese 2018, https://arxiv.org/abs/1708.00489).

    Args:
        checkpoint: a finished folder, a Hub id or an ONNX file with embeddings.
        sources: of the recordings.
        count: how many windows.
        labelled: what is labelled already: annotations with times, or a folder or table of labelled clips.
        num_workers: processes that decode.

    Raises:
        ArgumentError: a count that is none, or a checkpoint that reads numbers.
        AudioError: no recording can be read.
        CheckpointError: the checkpoint cannot be used, or has no embeddings.
        DataError: there are no recordings, or all is labelled.
    """
    if count < 1:
        raise ArgumentError(f"--count {count} must be 1 or more.")
    files = list(dict.fromkeys(clip["path"] for clip in find_all_clips(sources)))  # a table may name parts
    if STANDARD_INPUT in files:
        raise ArgumentError("A page of suggestions plays files, and standard input is none: give a file.")
    spans = {} if labelled is None else _find_labelled(labelled)
    classifier = load_classifier(checkpoint)
    if classifier.facts.num_digits:
        raise ArgumentError(f"{checkpoint} reads numbers, and windows of a recording hold none: give another.")
    listener = _Listener(classifier, embedder_of(classifier))
    wanted = set(map(RealPaths(), files))
    further = [file for file in spans if file not in wanted]
    windows = _listen(listener, [*files, *further], num_workers)
    candidates, seen = _part(windows, wanted, spans)
    if not len(candidates):
        raise DataError("All windows of these recordings are labelled already: give others.")
    uncertainty = measure_uncertainty(windows.scores, multi_label=classifier.facts.multi_label)
    order, novelty = _choose(windows, candidates, seen, uncertainty, count)
    chosen = []
    for rank, (row, distance) in enumerate(zip(order, novelty, strict=True), start=1):
        best = int(windows.scores[row].argmax())
        start, end = windows.spans[row].tolist()
        guess, confidence = classifier.labels[best], float(windows.scores[row, best])
        path = windows.paths[row]
        chosen.append(Suggestion(rank, path, start, end, guess, confidence, float(uncertainty[row]), distance))
    labels = [label for label in classifier.labels if is_event(label, classifier.labels)]
    return Suggestions(chosen, labels, classifier.sampling_rate, len(candidates))


def _find_labelled(labelled: str | os.PathLike) -> dict[str, list[tuple[float, float]]]:
    """Files by their real names, with what of each is labelled, in seconds."""
    annotated, real_path = find_annotations(labelled), RealPaths()
    if annotated is None:
        files, labels = find_examples(labelled)
        labelled_files = (
            files if labels is None else [file for file, label in zip(files, labels, strict=True) if label]
        )
        return {real_path(file): [(0.0, float("inf"))] for file in labelled_files}
    for sentence in annotated.warnings:
        logger.warning("%s", sentence)
    return {
        real_path(recording.path): [(each.onset, each.offset) for each in recording.annotations]
        for recording in annotated.recordings
        if recording.annotations
    }


def _listen(listener: _Listener, files: Sequence[str], num_workers: int | None) -> _Windows:
    """All windows of all files, each as long as what the network hears at once."""
    facts = listener.classifier.facts
    window, _ = facts.stream_windows()
    workers = default_workers(len(files)) if num_workers is None else num_workers
    paths: list[str] = []
    spans, rows = [], []
    problems = []
    progress = tqdm(total=len(files), desc="Listening", unit="recording")
    with progress:
        for judgement in judge_clips(listener, list(enumerate(files)), Cut(facts, (window, window)), workers):
            progress.update(judgement.ended)
            file = files[judgement.clip]
            if judgement.problem is not None:
                problems.append({"path": file, "reason": judgement.problem})
            for span, row, speech in zip(judgement.spans, judgement.scores, judgement.speech, strict=True):
                if speech is None:
                    paths.append(file)
                    spans.append(span)
                    rows.append(row.astype(np.float32))
    for sentence in count_problems(problems):
        logger.warning("%s", sentence)
    if not rows:
        raise AudioError(problems[0]["reason"] if problems else "Nobody speaks in these recordings: give others.")
    values = np.stack(rows)
    n_labels = len(facts.labels)
    return _Windows(paths, np.array(spans), values[:, :n_labels], values[:, n_labels:])


def _part(
    windows: _Windows, wanted: set[str], labelled: Mapping[str, Sequence[tuple[float, float]]]
) -> tuple[np.ndarray, np.ndarray]:
    """Windows that may be suggested, and those that are labelled, (windows,) indices each."""
    real_path = RealPaths()
    real = {path: real_path(path) for path in set(windows.paths)}
    candidates, seen = [], []
    for row, (path, (start, end)) in enumerate(zip(windows.paths, windows.spans.tolist(), strict=True)):
        file = real[path]
        if any(onset < end and start < offset for onset, offset in labelled.get(file, ())):
            seen.append(row)
        elif file in wanted:
            candidates.append(row)
    return np.array(candidates, dtype=int), np.array(seen, dtype=int)


def measure_uncertainty(scores: np.ndarray, *, multi_label: bool) -> np.ndarray:
    """How unsure a network is of each window, 0 to 1; scores: (windows, labels) probabilities.

    Of one label a clip, 1 less the margin of the first two (Scheffer et al. 2001); of tags, how near the most doubtful
    one is to being as likely as not.
    """
    if multi_label:
        return np.asarray(1 - np.abs(2 * scores - 1).min(axis=1))
    if scores.shape[1] < 2:
        return np.zeros(len(scores))
    first_two = np.sort(scores, axis=1)[:, -2:]
    return np.asarray(1 - (first_two[:, 1] - first_two[:, 0]))


def _choose(
    windows: _Windows, candidates: np.ndarray, seen: np.ndarray, uncertainty: np.ndarray, count: int
) -> tuple[list[int], list[float]]:
    """Rows of the windows to suggest, and how new each was when it was taken."""
    # Embeddings share a large part, which says nothing and would make all of them alike.
    centred = windows.vectors - windows.vectors[candidates].mean(axis=0)
    units = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    vectors, worth = units[candidates], np.maximum(uncertainty[candidates], LEAST_UNCERTAINTY)
    distances = np.ones(len(candidates))
    for row in seen:
        distances = np.minimum(distances, _distance(vectors, units[row]))
    free = np.ones(len(candidates), dtype=bool)
    by_file = defaultdict(list)
    for place, row in enumerate(candidates):
        by_file[windows.paths[row]].append(place)
    order, novelty = [], []
    for _ in range(min(count, len(candidates))):
        if not free.any():
            break
        place = int(np.where(free, worth * distances, -1.0).argmax())
        order.append(int(candidates[place]))
        novelty.append(float(distances[place]))
        start, end = windows.spans[candidates[place]]
        for other in by_file[windows.paths[candidates[place]]]:  # itself, and the last window may overlap another
            other_start, other_end = windows.spans[candidates[other]]
            free[other] &= not (other_start < end and start < other_end)
        distances = np.minimum(distances, _distance(vectors, vectors[place]))
    return order, novelty


def _distance(units: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Half the cosine distance, 0 to 1."""
    return np.asarray((1 - units @ other) / 2)


def table_rows(suggestions: Suggestions) -> list[dict[str, Any]]:
    """The rows of the table of suggestions."""
    return [
        {
            "rank": each.rank,
            "path": each.path,
            "start": f"{each.start:.3f}",
            "end": f"{each.end:.3f}",
            "guess": each.guess,
            "confidence": f"{each.confidence:.4f}",
            "uncertainty": f"{each.uncertainty:.4f}",
            "novelty": f"{each.novelty:.4f}",
        }
        for each in suggestions.chosen
    ]
