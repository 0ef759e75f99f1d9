"""Which files a collection has and what is said of them, however broken it is."""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..data.annotations.finding import AnnotatedRecordings, find_annotations
from ..data.classes import composed
from ..data.layouts.reading import read_recordings
from ..data.layouts.recordings import Recordings
from ..data.tables.columns import Columns
from ..data.tables.tags import holds_lists, suspect_tags
from ..errors import DataError
from ..folders import FOREIGN_REMEDY
from ..remote.paths import is_file
from .findings import Case, Finding, Severity, find


@dataclass(frozen=True)
class Entry:
    """A file of a collection."""

    path: str
    labels: tuple[str, ...] = ()
    """One of each label column, or the name of the class folder; an empty one says nothing."""
    split: str = ""
    group: str = ""
    """Whose the sound is, or of which recording."""


@dataclass(frozen=True)
class Listing:
    """The files of a collection, each once, and what is odd about how they lie there."""

    entries: list[Entry]
    label_names: tuple[str, ...]
    findings: list[Finding]
    annotated: AnnotatedRecordings | None = None
    """Of recordings that have annotations with times, and no labels as a whole."""


def list_files(
    data: str | os.PathLike, columns: Columns | None = None, audio_dir: str | os.PathLike | None = None
) -> Listing:
    """The files of a folder or a table, read as training reads them, see `read_recordings`.

    Args:
        data: the folder or the table.
        columns: of the table, those that the user has named; the others go by their names, see `settle_columns`.
        audio_dir: where the table's files are, by default in the folder, or beside the table.

    Raises:
        DataError: there is no such folder or table, no such column, or no audio in it. That nothing can be trained on
            the files is a finding.
    """
    annotated = find_annotations(data, columns, audio_dir=audio_dir)
    if annotated is not None:
        return _list_annotated(annotated, columns)
    found = read_recordings(data, columns, audio_dir=audio_dir, needs_labels=False)
    table, label_names = found.table, tuple(found.table.columns.labels)
    named = ([composed(cell) for cell in table.column(name)] for name in label_names)
    labels = zip(*named, strict=True) if label_names else ((),) * len(table.files)
    others = (table.column(table.columns.split), table.column(table.columns.group))
    by_path: dict[str, list[Entry]] = defaultdict(list)
    for file, own, split, group in zip(map(str, table.files), labels, *others, strict=True):
        by_path[file].append(Entry(file, own, split, group))
    entries = [rows[0] for rows in by_path.values()]
    if found.is_sorted:
        entries += [Entry(str(file), ("",) * len(label_names)) for file in found.outside]
    if not any(is_file(entry.path) for entry in entries):
        problem = found.problem if not entries else None
        raise DataError(
            problem or f"{data} holds no audio files: give a folder of recordings, or a table with their paths."
        )
    if found.is_sorted and found.searched is not None:
        entries += _of_foreign_kinds(found.searched.unreadable, entries, len(label_names))
    place = str(table.path.parent if audio_dir is None else audio_dir)
    findings = [*_tell_reading(found), *_find_in_rows(by_path, bool(label_names), place), *_find_left_out(found)]
    if not found.is_sorted:
        findings += _find_several(label_names, [rows[0].labels for rows in by_path.values()])
    return Listing(entries, label_names, findings)


def _list_annotated(found: AnnotatedRecordings, columns: Columns | None) -> Listing:
    """Recordings that have annotations with times."""
    group = None if columns is None else columns.group
    entries = [
        Entry(
            str(recording.path),
            split=recording.part if found.has_parts else "",
            group="" if group is None else recording.further.get(group, ""),
        )
        for recording in found.recordings
    ]
    silent = [
        Case((str(recording.path),))
        for recording in found.recordings
        if not recording.annotations and not recording.unlabelled
    ]
    findings = [
        *(Finding("warning", "annotations", sentence, "") for sentence in found.warnings),
        *(Finding("note", "annotations", sentence, "") for sentence in found.messages),
        *find("note", "background", "Without annotations, and so taken for background", "", silent),
    ]
    return Listing(entries, (), findings, found)


def _of_foreign_kinds(files: Sequence[Path], entries: Sequence[Entry], n_labels: int) -> list[Entry]:
    """Recordings of kinds that are not read here, as files of the classes in whose folders they lie."""
    beside = {os.path.dirname(entry.path): entry for entry in entries}
    found = []
    for file in files:
        own = next((beside[str(folder)] for folder in file.parents if str(folder) in beside), None)
        if own is None and n_labels == 1:  # nothing of the class can be read
            found.append(Entry(str(file), (file.parent.name,)))
        else:
            found.append(Entry(str(file), ("",) * n_labels if own is None else own.labels, own.split if own else ""))
    return found


def _tell_reading(found: Recordings) -> list[Finding]:
    """How the files were read, and why nothing can be trained on them."""
    severity: Severity = "error" if found.table.columns.labels else "warning"  # recordings may be none of any class
    problem = [] if found.problem is None else [Finding(severity, "layout", found.problem, "")]
    doubts = [Finding("warning", "layout", sentence, "") for sentence in found.warnings]
    return [*problem, *doubts, *(Finding("note", "layout", sentence, "") for sentence in found.messages)]


def _find_in_rows(by_path: Mapping[str, Sequence[Entry]], labelled: bool, place: str) -> list[Finding]:
    """What is wrong with the rows of a table, those of each file together."""
    missing = [Case((file,)) for file in by_path if not is_file(file)]
    repeated = [Case((file,), f"{len(rows)} times") for file, rows in by_path.items() if len(rows) > 1]
    torn = [Case((file,), _differences(rows)) for file, rows in by_path.items() if len(set(rows)) > 1]
    blank = [Case((file,)) for file, rows in by_path.items() if labelled and not any(filter(None, rows[0].labels))]
    return [
        *find(
            "error",
            "missing",
            "In the table, but not on the disk",
            f"Restore them, remove their rows, or say by --audio_dir where they are, if not in {place}.",
            missing,
        ),
        *find(
            "error",
            "contradicted",
            "Listed more than once, under different labels, splits or groups",
            "Keep the row that is right; if a recording may have several labels, train with --multi_label.",
            torn,
        ),
        *find("note", "repeated", "Listed more than once", "Remove the rows that repeat one before.", repeated),
        *find(
            "note",
            "unlabelled",
            "Without a label",
            "Label them, or let `hf-audio pseudo-label` do it; they are not trained on.",
            blank,
        ),
    ]


def _find_left_out(found: Recordings) -> list[Finding]:
    """What lies in the folder and is not trained on."""
    outside = [Case((str(file),)) for file in found.outside]
    if found.is_sorted:
        findings = find(
            "warning", "outside-classes", "In no class folder", "Move each into the folder of its class.", outside
        )
    else:
        findings = find("warning", "outside-table", "Not in the table, and left out", "Add rows for them.", outside)
    searched = found.searched
    if searched is None:
        return findings
    return [
        *find(
            "warning",
            "unreachable",
            "Links or folders that lead nowhere, in a circle, or may not be read",
            "Remove links that lead in a circle or nowhere, and let yourself read the folder.",
            [Case((str(path),), reason) for path, reason in (*searched.unreachable, *searched.repeated)],
        ),
        *find(
            "warning",
            "unreadable-kind",
            "Sound of a kind that is not read here, and left out",
            f"{FOREIGN_REMEDY[0].upper()}{FOREIGN_REMEDY[1:]}.",
            [] if found.is_sorted else [Case((str(file),)) for file in searched.unreadable],
        ),
        *findings,
        *find(
            "note",
            "no-audio",
            "No audio by the name, and left out",
            "Convert sounds among them to WAV or FLAC.",
            [Case((str(file),)) for file in searched.others],
        ),
        *find(
            "note",
            "hidden",
            "Hidden, and left out",
            "Delete them, if they are of no use.",
            [Case((str(file),)) for file in searched.hidden],
        ),
    ]


def _find_several(names: Sequence[str], labels: Sequence[tuple[str, ...]]) -> list[Finding]:
    """Columns whose cells look as if several tags were in them."""
    found = []
    for name, cells in zip(names, zip(*labels, strict=True), strict=False):
        doubt = "They are the text of lists" if holds_lists(cells) else suspect_tags(cells)
        if doubt is not None:
            found.append(Finding("note", "several", f"Column {name}: {doubt}.", "For tags, train with --multi_label."))
    return found


def _differences(rows: Sequence[Entry]) -> str:
    described = ["/".join(filter(None, [*row.labels, row.split, row.group])) for row in rows]
    return " and ".join(dict.fromkeys(described))
