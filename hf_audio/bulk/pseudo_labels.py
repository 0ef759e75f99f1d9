"""A checkpoint's answers to clips, in memory: labels for clips that have none, and tags for a competition."""

import logging
import os
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from ..data.tables.text_tables import write_rows
from ..errors import DataError
from ..inference.checkpoint import load_classifier
from ..inference.facts import NO_SPEECH, Answer
from ..models.configuration_audio_cnn import NONE_OF_THESE
from ..problems import count_problems
from .decoding import Cut
from .scoring import default_workers, judge_clips

logger = logging.getLogger(__name__)

SUBMITTED_TAGS = 3  # a clip, as Kaggle takes them


def predict(checkpoint: str, clips: Sequence[Mapping[str, str]], folder: str | os.PathLike) -> list[dict[str, Any]]:
    """Rows of `find_clips` with `number` or `label` and confidence, without clips that cannot be read, with a warning.

    Args:
        checkpoint: a finished folder or a Hub id.
        clips: rows with their files' names as `path`.
        folder: what the paths in the new rows are relative to.

    Raises:
        DataError: no clip can be read.
    """
    rows = []
    for clip, answer in _answers(checkpoint, clips, top_k=1):
        if answer is None:
            continue
        kind = "number" if isinstance(answer, dict) else "label"
        best = answer if isinstance(answer, dict) else answer[0]
        label = {kind: best.get("text", best.get("label")), "confidence": best["score"]}
        rows.append({**clip, "path": _relative(clip["path"], folder), **label})
    return rows


def predict_tags(checkpoint: str, clips: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Rows `fname`, `label` of every clip, the latter its best tags with spaces between: what Kaggle takes.

    A clip that cannot be read (three of the original test set are empty) gets the tags that come first most often.

    Raises:
        DataError: no clip can be read, or the checkpoint reads numbers.
    """
    ranked: dict[str, list[str] | None] = {}
    for clip, answer in _answers(checkpoint, clips, top_k=SUBMITTED_TAGS + 1):
        if isinstance(answer, dict):
            raise DataError(f"{checkpoint} reads numbers, and a submission is of tags: give a classifier.")
        tags = [tag["label"] for tag in answer or () if tag["label"] != NONE_OF_THESE]
        ranked[Path(clip["path"]).name] = tags[:SUBMITTED_TAGS] or None
    first = Counter(tags[0] for tags in ranked.values() if tags is not None)
    usual = [tag for tag, _ in first.most_common(SUBMITTED_TAGS)]
    return [{"fname": name, "label": " ".join(usual if tags is None else tags)} for name, tags in ranked.items()]


def _answers(
    checkpoint: str, clips: Sequence[Mapping[str, str]], top_k: int
) -> Iterator[tuple[Mapping[str, str], Answer | None]]:
    """Every clip with the answer to it; `None`, and a warning, where it cannot be read.

    Raises:
        DataError: that is so of all.
    """
    classifier = load_classifier(checkpoint)
    files = [(place, clip["path"]) for place, clip in enumerate(clips)]
    answers: dict[int, Answer] = {}
    problems = []
    judgements = judge_clips(classifier, files, Cut(classifier.facts), default_workers(len(clips)))
    for judgement in tqdm(judgements, desc="Predicting", unit="clip", total=len(clips)):
        if judgement.problem is None:
            answers[judgement.clip] = classifier.facts.name(judgement.scores[0], top_k)
        else:
            problems.append({"path": clips[judgement.clip]["path"], "reason": judgement.problem})
    for sentence in count_problems(problems):
        logger.warning("%s", sentence)
    if not answers:
        raise DataError(f"No clip could be read, {clips[0]['path']} for one: the warnings above say why.")
    for place, clip in enumerate(clips):
        yield clip, answers.get(place)


def _relative(path: str, folder: str | os.PathLike) -> str:
    path, folder = os.path.abspath(path), os.path.abspath(folder)
    if os.path.commonpath([path, folder]) != folder:
        # The way up from a folder leads where it really lies.
        path, folder = os.path.realpath(path), os.path.realpath(folder)
    return Path(os.path.relpath(path, folder)).as_posix()


def write_answers(path: str | os.PathLike, rows: Sequence[Mapping[str, Any]]) -> None:
    """The rows of `predict` as a CSV, whole or not at all."""
    write_rows(Path(path), [{**row, "confidence": f"{row['confidence']:.4f}"} for row in rows])


def confident_labels(rows: Sequence[dict[str, Any]], min_confidence: float) -> list[dict[str, Any]]:
    """The rows of `predict` to train on: the confident ones, at most twice as many of a class as of the median class.

    The median of an even number of classes is the lower one of the two in the middle. A model takes what it cannot
    tell for its favourite class; without the bound it would be confirmed in that. Numbers are no classes, nor are "no
    speech" and "none of these".
    """
    labelled = [row for row in rows if row.get("label") not in (NO_SPEECH, NONE_OF_THESE)]
    kept = [row for row in labelled if row["confidence"] >= min_confidence]
    if not kept:
        best = max((row["confidence"] for row in labelled), default=0.0)
        raise DataError(
            f"No clip reaches --min_confidence {min_confidence} (the best has {best:.2f}): lower it, or train longer, "
            "with --validation_fraction, which fits the confidences."
        )
    if "number" in kept[0]:
        return kept
    by_class = defaultdict(list)
    for row in sorted(kept, key=lambda row: -row["confidence"]):
        by_class[row["label"]].append(row)
    bound = 2 * statistics.median_low(len(members) for members in by_class.values())
    chosen = {id(row) for members in by_class.values() for row in members[:bound]}
    return [row for row in kept if id(row) in chosen]
