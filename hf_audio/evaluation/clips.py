"""Labelled clips as a checkpoint is asked about them: its own labels alone, and what else a table tells of each."""

import logging
import math
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset

from ..bulk.decoding import Cut
from ..bulk.scoring import default_workers, judge_clips
from ..data.classes import simple_name
from ..data.collection import name_further, read_parts_of
from ..data.hub_datasets import SAVED_NAMES, read_hub_rows
from ..data.layouts.reading import read_recordings
from ..data.normal_recordings import SECTION_COLUMN, read_normal_recordings
from ..data.rows import ENCODED_COLUMN, NO_DIGIT
from ..data.shards import read_shards
from ..data.tables.clip_tables import ClipTable
from ..data.tables.columns import TEST, Columns, read_labels
from ..data.tables.text_tables import is_table
from ..data.tables.voice_tables import SPEAKER_COLUMN, is_voice_table, read_voice_table
from ..errors import ArgumentError, DataError, NoSpeechError
from ..folders import SHARD_SUFFIXES, search_folder
from ..inference.classifier import AudioClassifier
from ..inference.facts import Facts
from ..models.configuration_audio_cnn import ANOMALY, NONE_OF_THESE, NORMAL
from ..problems import count_problems
from ..runs.group_figures import few_valued
from ..runs.predictions.columns import OWN_COLUMNS
from ..runs.predictions.kinds import AnyPredictions, kind_of_predictions
from ..runs.summary import name_labels

logger = logging.getLogger(__name__)

NUMBER_COLUMN = "number"
HUB_ID = r"[\w-][\w.-]*/[\w.-]+"


@dataclass
class LabelledClips:
    """Clips with what they are, in words; nothing says that a checkpoint knows these words."""

    source: str
    paths: list[str]
    labels: list[tuple[str, ...]]
    """Of each clip; one, or several tags, or none."""
    groups: list[str] | None = None
    """What clips belong together by, as `Predictions` has it."""
    group_column: str | None = None
    further: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Further columns, (clips,) cells each."""
    rows: Dataset | None = None
    """With `ENCODED_COLUMN`, what the clips hold, where they lie in no files of their own."""

    @property
    def contents(self) -> Sequence[bytes | None] | None:
        """What each clip holds, `None` of a file."""
        return None if self.rows is None else self.rows[ENCODED_COLUMN]

    def select(self, rows: Sequence[int] | np.ndarray) -> "LabelledClips":
        """These clips alone."""
        chosen = [int(row) for row in rows]
        return replace(
            self,
            paths=[self.paths[row] for row in chosen],
            labels=[self.labels[row] for row in chosen],
            groups=None if self.groups is None else [self.groups[row] for row in chosen],
            further={name: [cells[row] for row in chosen] for name, cells in self.further.items()},
            rows=None if self.rows is None else self.rows.select(chosen),
        )


def read_labelled_clips(
    source: str, columns: Columns, audio_dir: str | None, facts: Facts, *, several: bool
) -> LabelledClips:
    """The clips of a folder or a table that have labels; where these are divided, those to test on.

    Args:
        source: the folder or the table, in any layout that training reads.
        columns: of the table, those that the user has named.
        audio_dir: where the table's files are.
        facts: of the checkpoint that is asked; one of numbers reads the column `number`.
        several: whether a clip may have several tags.

    Raises:
        DataError: there are no such clips, or they cannot be read.
    """
    voices = _find_voice_table(Path(source))
    if voices is not None and columns == Columns():
        return _read_voices(voices, audio_dir)
    if facts.labels == (NORMAL, ANOMALY):
        return _read_conditions(source, columns, audio_dir)
    if facts.num_digits and not columns.labels:
        columns = columns._replace(labels=(NUMBER_COLUMN,))
    found = read_recordings(source, columns, audio_dir=audio_dir, several=several)
    if found.problem is not None and not found.table.columns.labels:
        raise DataError(found.problem)
    for sentence in found.messages:
        logger.info("%s", sentence)
    for sentence in found.warnings:
        logger.warning("%s", sentence)
    table = found.table
    clips = LabelledClips(
        source,
        [str(file) for file in table.files],
        _read_labels(table, several),
        None if table.columns.group is None else table.column(table.columns.group),
        table.columns.group,
        {name: table.column(name) for name in name_further(table.cells, table.columns) if name not in OWN_COLUMNS},
    )
    return _choose_tested(clips, read_parts_of(table))


def _read_conditions(source: str, columns: Columns, audio_dir: str | None) -> LabelledClips:
    """Normal clips and anomalies, as names, folders or a table tell them."""
    found = read_normal_recordings(source, columns, audio_dir)
    for sentence in found.messages:
        logger.info("%s", sentence)
    labels: list[tuple[str, ...]] = [(label,) if label else () for label in found.labels]
    further = {SECTION_COLUMN: found.sections} if len(set(found.sections)) > 1 else {}
    clips = LabelledClips(source, found.paths, labels, found.groups, found.columns.group, further)
    return _choose_tested(clips, found.parts)


def _choose_tested(clips: LabelledClips, part_names: Sequence[str]) -> LabelledClips:
    """The clips to test on, where some are; told: the part of each."""
    parts = np.array(part_names, dtype=object)
    if (parts == TEST).any() and not (parts == TEST).all():
        logger.info("Of %d clips, the %d test clips are judged.", len(parts), int((parts == TEST).sum()))
        return clips.select(np.flatnonzero(parts == TEST))
    return clips


def is_data_set(source: str) -> bool:
    """Whether a source is a data set of the Hub, or a folder of one's files: saved, in Parquet or in tars."""
    if not os.path.exists(source):
        is_mistyped = Path(source).parent.is_dir()  # a folder of this machine
        return re.fullmatch(HUB_ID, source) is not None and not is_table(source) and not is_mistyped
    folder = Path(source)
    if not folder.is_dir():
        return False
    if any((folder / saved).is_file() for saved in SAVED_NAMES):
        return True
    searched = search_folder(folder)
    shards = any(file.suffix.lower() in SHARD_SUFFIXES for file in searched.others)
    return shards and not searched.audio and not any(map(is_table, searched.others))


def read_data_set(source: str, config: str | None, columns: Columns, facts: Facts, *, several: bool) -> LabelledClips:
    """The clips of a data set, see `is_data_set`; where these are divided, those to test on.

    Args:
        source: its name on the Hub, or its folder.
        config: of a data set that has several.
        columns: those that the user has named.
        facts: of the checkpoint that is asked; one of numbers reads the column `number`.
        several: whether a clip may have several tags.

    Raises:
        DataError: there are no such clips, or they cannot be read.
    """
    if facts.num_digits and not columns.labels:
        columns = columns._replace(labels=(NUMBER_COLUMN,))
    if Path(source).is_dir() and any(file.suffix.lower() == ".tar" for file in search_folder(source).others):
        if several:
            raise DataError(f"{source} holds tars, which tell one label a clip: give a table of tags.")
        rows = read_shards(source, config, columns)
        return LabelledClips(source, rows["path"][:], [(label,) for label in rows["label"]], rows=rows)
    found = read_hub_rows(source, config, columns, several=several)
    group = found.columns.group
    clips = LabelledClips(
        source,
        found.recordings["path"][:],
        _as_tuples(found.labels),
        None if group is None else found.further[group],
        group,
        {name: cells for name, cells in found.further.items() if name != group and name not in OWN_COLUMNS},
        found.recordings if ENCODED_COLUMN in found.recordings.column_names else None,
    )
    return _choose_tested(clips, found.parts)


def _read_labels(table: ClipTable, several: bool) -> list[tuple[str, ...]]:
    """The labels of every row; an empty tuple where it has none."""
    if table.path.is_dir():  # names of folders
        rows: Sequence[str | list[str]] = table.cells[table.columns.labels[0]]
    else:
        rows = read_labels(str(table.path), table.cells, table.columns.labels, several=several)
    return _as_tuples(rows)


def _as_tuples(rows: Sequence[Any]) -> list[tuple[str, ...]]:
    """Labels or lists of tags as tuples, empty ones of rows without."""
    return [tuple(filter(None, [row.strip()] if isinstance(row, str) else row)) for row in rows]


def _find_voice_table(source: Path) -> Path | None:
    """Common Voice's table of test clips, given by itself or by its folder."""
    table = source / "test.tsv" if source.is_dir() else source
    return table if table.is_file() and is_voice_table(table) else None


def _read_voices(table: Path, audio_dir: str | None) -> LabelledClips:
    voices = read_voice_table(table, audio_dir)
    labels: list[tuple[str, ...]] = [(gender,) if gender else () for gender in voices["gender"]]
    speakers = [str(speaker) for speaker in voices["client_id"]]
    return LabelledClips(str(table), voices["path"].tolist(), labels, speakers, SPEAKER_COLUMN)


@dataclass(frozen=True)
class KnownClips:
    """Clips whose labels a checkpoint knows, as it is judged by them."""

    clips: LabelledClips
    references: np.ndarray
    """As of the kind of predictions."""
    unknown: Mapping[str, int]
    """Labels that the checkpoint does not know, and how many clips have them."""
    n_unlabelled: int
    """Clips without any label, which are left out."""


def match_labels(labels: Sequence[str], known_labels: Sequence[str]) -> dict[str, str]:
    """Labels of somebody's data -> those of a checkpoint, where it has them.

    Equal but for capitals, blanks and signs will do, if that is said of one label alone.
    """
    exact = set(known_labels)
    plain: dict[str, list[str]] = {}
    for name in known_labels:
        plain.setdefault(simple_name(name), []).append(name)
    matched = {}
    for label in dict.fromkeys(labels):
        alike = plain.get(simple_name(label), [])
        if label in exact:
            matched[label] = label
        elif len(alike) == 1 and simple_name(label):
            matched[label] = alike[0]
    return matched


def know_clips(clips: LabelledClips, facts: Facts) -> KnownClips:
    """The clips that a checkpoint can be right about.

    Raises:
        DataError: there are none.
    """
    if facts.num_digits:
        return _know_numbers(clips, facts)
    counts = Counter(label for labels in clips.labels for label in set(labels))
    matched = match_labels(list(counts), facts.labels)
    unknown = {label: n for label, n in counts.items() if label not in matched}
    if not matched:
        raise DataError(
            f"None of the labels of {clips.source} ({_told(list(counts)) or 'it has none'}) is one of the "
            f"checkpoint's, which are {_told(facts.labels)}: give recordings of these."
        )
    numbers = {label: number for number, label in enumerate(facts.labels)}
    ids = [sorted({numbers[matched[label]] for label in labels if label in matched}) for labels in clips.labels]
    if facts.multi_label:
        # A clip without tags may be one in which nothing sounds; one of unknown tags alone tells nothing.
        rows = [row for row, labels in enumerate(clips.labels) if ids[row] or not labels]
        references = np.zeros((len(rows), len(facts.labels)), dtype=int)
        for place, row in enumerate(rows):
            references[place, ids[row]] = 1
        return KnownClips(clips.select(rows), references, unknown, 0)
    rows = [row for row, found in enumerate(ids) if found]
    n_unlabelled = sum(not labels for labels in clips.labels)
    references = np.array([ids[row][0] for row in rows])
    return KnownClips(clips.select(rows), references, unknown, n_unlabelled)


def _know_numbers(clips: LabelledClips, facts: Facts) -> KnownClips:
    rows, digits, unknown = [], [], Counter[str]()
    for row, labels in enumerate(clips.labels):
        for label in labels:
            read = _digits(label, facts.num_digits)
            if read is None:
                unknown[label] += 1
            else:
                rows.append(row)
                digits.append(read)
    if not rows:
        raise DataError(
            f"{clips.source} has no number from 0 to {10**facts.num_digits - 1} in its column of labels, and this "
            "checkpoint reads numbers: name their column by --label_column."
        )
    n_unlabelled = sum(not labels for labels in clips.labels)
    return KnownClips(clips.select(rows), np.array(digits), unknown, n_unlabelled)


def _digits(text: str, n_digits: int) -> list[int] | None:
    if text == NONE_OF_THESE:
        return [NO_DIGIT] * n_digits
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (value.is_integer() and 0 <= value < 10**n_digits):
        return None
    return [int(digit) for digit in f"{int(value):0{n_digits}d}"]


def _told(labels: Sequence[str]) -> str:
    return name_labels(labels, repr)


@dataclass(frozen=True)
class JudgedClips:
    """What a checkpoint answers to labelled clips."""

    predictions: AnyPredictions
    group_column: str | None
    unknown: Mapping[str, int]
    skipped: list[dict[str, str]]
    """Clips that cannot be judged, `path` and `reason`."""
    n_unlabelled: int


def judge_labelled(classifier: AudioClassifier, clips: LabelledClips, num_workers: int | None = None) -> JudgedClips:
    """Ask a checkpoint about all clips whose labels it knows.

    Raises:
        DataError: it knows no label, or no clip can be read.
        DecodingError: a process that decodes died.
    """
    facts = classifier.facts
    labelled = know_clips(clips, facts)
    n_clips = len(labelled.clips.paths)
    scores: dict[int, np.ndarray] = {}
    skipped = []
    files = list(enumerate(labelled.clips.paths))
    workers = default_workers(n_clips) if num_workers is None else num_workers
    cut = Cut(facts, contents=labelled.clips.contents)
    for judgement in judge_clips(classifier, files, cut, workers):
        path = labelled.clips.paths[judgement.clip]
        if judgement.problem is not None:
            skipped.append({"path": path, "reason": judgement.problem})
        elif judgement.speech[0] is not None:
            skipped.append({"path": path, "reason": str(NoSpeechError(path, judgement.speech[0]))})
        else:
            scores[judgement.clip] = judgement.scores[0]
    if not scores:
        raise DataError(f"No clip of {clips.source} can be judged: {skipped[0]['reason']}")
    for sentence in count_problems(skipped):
        logger.warning("%s", sentence)
    rows = sorted(scores)
    tested = labelled.clips.select(rows)
    kind = kind_of_predictions(facts.num_digits, facts.multi_label, facts.labels)
    predictions = kind.from_probabilities(
        tested.paths, list(facts.labels), labelled.references[rows], np.stack([scores[row] for row in rows])
    )
    predictions.groups = None if tested.groups is None else np.asarray(tested.groups)
    single = predictions.references if predictions.references.ndim == 1 else None
    chosen = few_valued(tested.further, single)
    predictions.columns = {name: np.asarray(tested.further[name]) for name in chosen}
    return JudgedClips(predictions, tested.group_column, labelled.unknown, skipped, labelled.n_unlabelled)


def check_same_kind(first: Facts, second: Facts) -> None:
    """Refuse to compare checkpoints that answer different questions.

    Raises:
        ArgumentError: they do.
    """
    words = [_describe_kind(facts) for facts in (first, second)]
    if words[0] != words[1]:
        raise ArgumentError(f"The first checkpoint {words[0]} and the second {words[1]}: give two of one kind.")


def _describe_kind(facts: Facts) -> str:
    if facts.num_digits:
        return f"reads numbers of {facts.num_digits} digits"
    return "tells several tags a clip" if facts.multi_label else "tells one label a clip"


def describe_left_out(unknown: Mapping[str, int], n_unlabelled: int, what: str = "clips") -> list[str]:
    """What of the data the figures are not of, a sentence each."""
    sentences = []
    if unknown:
        names = [f"{label!r} ({n})" for label, n in sorted(unknown.items(), key=lambda item: -item[1])]
        sentences.append(
            f"Labels that the checkpoint does not know, and whose {what} are left out: {name_labels(names, str)}."
        )
    if n_unlabelled:
        sentences.append(f"Without a label, and left out: {n_unlabelled} {what}.")
    return sentences
