"""`hf-audio inspect`: what a collection of recordings is like and what is wrong with it, before training."""

import json
import os
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.annotations.finding import AnnotatedRecordings
from ..data.bands import upper_end
from ..data.groups import group_by_names, join_groups
from ..data.tables.columns import Columns
from ..data.tables.text_tables import is_table, write_rows
from ..errors import DataError
from ..files import written_whole
from ..processes import work_off
from ..remote.addresses import is_remote, public_name
from ..remote.paths import as_path, is_file
from .clip_measures import ClipMeasures, measure_clip
from .duplicates import Copies, find_same_samples, find_same_sounds
from .findings import SEVERITIES, Case, Finding, count
from .label_findings import find_broken_classes, find_device_leaks, find_in_labels
from .leak_findings import find_copies, find_shared_groups
from .listing import Entry, list_files
from .sound_findings import find_in_sounds

if TYPE_CHECKING:
    from .doubtful_labels import EmbeddedCollection

CASES_SHOWN = 5
FILES_SHOWN = 3
CLASSES_SHOWN = 8
LONGEST_DETAIL = 160
ZERO = -799  # dB of full scale, of a peak: every sample is zero
QUANTILES = {"min": 0.0, "lower_quartile": 0.25, "median": 0.5, "upper_quartile": 0.75, "max": 1.0}


@dataclass(frozen=True)
class Inspection:
    """A collection as it was found."""

    data: str
    entries: list[Entry]
    """Of the files that can be read."""
    measures: list[ClipMeasures]
    """Of each of those."""
    n_files: int
    label_names: tuple[str, ...]
    label_counts: dict[str, dict[str, int]]
    """Of each label column: how many files each class has, the unreadable ones among them."""
    readable_counts: dict[str, dict[str, int]]
    """As `label_counts`, of the files that can be read."""
    split_counts: dict[str, int]
    copies: list[Copies]
    """Which of `entries` hold one sound."""
    findings: list[Finding]
    """Errors first."""
    embedded: "EmbeddedCollection | None" = None
    """Where an encoder was asked for."""
    annotated: AnnotatedRecordings | None = None
    """Where recordings have annotations with times; classes are then counted by these."""

    def __str__(self) -> str:
        return "\n".join(tell(self))

    __repr__ = __str__

    def summary(self) -> dict[str, Any]:
        """What the collection consists of, for JSON; seconds and dB of full scale."""
        return {
            "data": public_name(self.data),
            "n_files": self.n_files,
            "n_readable": len(self.entries),
            "seconds": round(sum(clip.seconds for clip in self.measures), 3),
            "classes": self.label_counts,
            "readable_classes": self.readable_counts,
            "splits": self.split_counts,
            "rates": _frequencies(clip.rate for clip in self.measures),
            "channels": _frequencies(clip.channels for clip in self.measures),
            "formats": _frequencies(clip.format for clip in self.measures),
            "lengths": _quantiles([clip.seconds for clip in self.measures]),
            "levels": _quantiles([clip.level for clip in self.measures]),
            "bands": self.reach(),
            **({} if self.annotated is None else {"annotations": _describe_annotations(self.annotated)}),
        }

    def reach(self) -> dict[str, float]:
        """The Hz below which 5, 95 and 99 % of the sounds' energy lies, each file counted alike, noise apart."""
        bands = np.array([clip.bands for clip in self.measures if any(clip.bands)])
        if not len(bands):
            return {}
        together = bands.mean(axis=0, keepdims=True)
        return {f"{share:.0%}": round(float(upper_end(together, share)[0])) for share in (0.05, 0.95, 0.99)}


def inspect(
    data: str | os.PathLike,
    columns: Columns | None = None,
    audio_dir: str | os.PathLike | None = None,
    encoder: str | None = None,
) -> Inspection:
    """Read every file of a folder or a table once, and find what would spoil training or its score.

    Args:
        data: see `list_files`.
        columns: of a table, those that the user has named.
        audio_dir: where the table's files are, by default beside it.
        encoder: a checkpoint by whose embeddings clips are found that lie among those of another class.

    Raises:
        DataError: there is nothing to inspect; what is wrong with single files is a finding.
        CheckpointError: the encoder cannot be used.
    """
    listing = list_files(data, columns, audio_dir)
    present = [entry for entry in listing.entries if is_file(entry.path)]
    try:
        measured = list(work_off(measure_clip, [entry.path for entry in present], "Reading", "file"))
    except BrokenProcessPool as error:
        raise DataError("A process that reads files has died: free some memory, or inspect fewer at once.") from error
    pairs = [(entry, clip) for entry, clip in zip(present, measured, strict=True) if isinstance(clip, ClipMeasures)]
    unreadable = [(entry.path, clip) for entry, clip in zip(present, measured, strict=True) if isinstance(clip, str)]
    entries, measures = [entry for entry, _ in pairs], [clip for _, clip in pairs]
    usable = {entry.path for entry, clip in pairs if clip.peak > ZERO}
    copies = [*find_same_samples(measures), *find_same_sounds([entry.path for entry in entries], measures)]
    findings = [
        *listing.findings,
        *find_in_labels(listing.entries, listing.label_names),
        *find_broken_classes(listing.entries, listing.label_names, usable),
        *find_in_sounds(entries, measures, unreadable),
        *find_copies(entries, copies, [clip.seconds for clip in measures]),
        *find_shared_groups(listing.entries),
        *find_device_leaks(entries, measures),
    ]
    embedded = None
    if encoder is not None:
        from .doubtful_labels import embed_collection  # loads torch

        sounding = [entry for entry in entries if entry.path in usable]
        embedded = embed_collection(sounding, encoder, str(data))
        findings += embedded.findings()
    annotated = listing.annotated
    counts = _count_labels(listing.entries, listing.label_names), _count_labels(entries, listing.label_names)
    if annotated is not None:
        counts = (_count_annotations(annotated),) * 2
    return Inspection(
        str(data),
        entries,
        measures,
        len(listing.entries),
        listing.label_names,
        *counts,
        _frequencies(entry.split for entry in listing.entries if entry.split),
        copies,
        sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)),
        embedded,
        annotated,
    )


def _count_annotations(found: AnnotatedRecordings) -> dict[str, dict[str, int]]:
    """How many annotations have each label."""
    labels = (annotation.label for recording in found.recordings for annotation in recording.annotations)
    return {"annotation": _frequencies(labels)}


def _describe_annotations(found: AnnotatedRecordings) -> dict[str, Any]:
    """How many there are and how long they last, in seconds, for JSON."""
    lengths = [event.offset - event.onset for recording in found.recordings for event in recording.annotations]
    return {
        "number": len(lengths),
        "recordings": sum(bool(recording.annotations) for recording in found.recordings),
        "seconds": round(sum(lengths), 3),
        "lengths": _quantiles(lengths),
    }


def _count_labels(entries: Sequence[Entry], label_names: Sequence[str]) -> dict[str, dict[str, int]]:
    return {
        name: _frequencies(entry.labels[column] for entry in entries if entry.labels[column])
        for column, name in enumerate(label_names)
    }


def _frequencies(values: Iterator[Any]) -> dict[str, int]:
    """The most frequent value first."""
    return {str(value): number for value, number in Counter(values).most_common()}


def _quantiles(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {}
    return {name: round(float(np.quantile(values, share)), 4) for name, share in QUANTILES.items()}


def write_report(inspection: Inspection, path: Path) -> None:
    """Everything as JSON: the summary, all findings with all their files, and what was measured of each file."""
    clips = []
    for entry, clip in zip(inspection.entries, inspection.measures, strict=True):
        measured = {name: value for name, value in vars(clip).items() if name not in ("fingerprint", "bands")}
        clips.append({**asdict(entry), "path": public_name(entry.path), **measured})
    report = {
        **inspection.summary(),
        "findings": [_as_public(finding) for finding in inspection.findings],
        "clips": clips,
    }
    text = json.dumps(report, ensure_ascii=False, indent=1)
    with written_whole(path) as temporary:
        # Names of files may hold bytes that are no UTF-8.
        temporary.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


def _as_public(finding: Finding) -> dict[str, Any]:
    """A finding for JSON, without credentials in names."""
    cases = tuple(replace(case, files=tuple(map(public_name, case.files))) for case in finding.cases)
    return asdict(replace(finding, cases=cases))


def write_groups(inspection: Inspection, path: Path) -> None:
    """A table of the labelled files that can be read, with the group of each.

    Files of one group hold one sound, are named as pieces of one recording, or have the group that their table tells.
    Training takes it as `--data_dir`, with `--group_column group`. Names tell groups where each class keeps several.

    Raises:
        DataError: no file can be read, or the table cannot be written.
    """
    labelled = [any(entry.labels) or not inspection.label_names for entry in inspection.entries]
    entries = [entry for entry, kept in zip(inspection.entries, labelled, strict=True) if kept]
    if not entries:
        raise DataError(f"No labelled file of {inspection.data} can be read: label some, or leave --groups out.")
    places = np.cumsum(labelled) - 1
    copies = [[int(places[row]) for row in group.members if labelled[row]] for group in inspection.copies]
    paths = [entry.path for entry in entries]
    told = [[entry.group or None for entry in entries]]
    if not any(told[0]):
        named = group_by_names(paths, ["/".join(entry.labels) for entry in entries])
        told = [] if named is None or named.sparse else [named.keys]
    groups = join_groups(paths, told, filter(None, copies))
    folder = str(path.parent.absolute())
    rows = []
    for entry, group in zip(entries, groups, strict=True):
        file = public_name(entry.path) if is_remote(entry.path) else os.path.abspath(entry.path)
        inside = not is_remote(file) and os.path.commonpath([file, folder]) == folder
        labels = dict(zip(inspection.label_names, entry.labels, strict=True))
        split = {"split": entry.split} if inspection.split_counts else {}
        name = os.path.relpath(group, folder) if inside and os.path.isabs(group) else public_name(group)
        rows.append({"path": os.path.relpath(file, folder) if inside else file, **labels, **split, "group": name})
    write_rows(path, rows)


def draw_report(inspection: Inspection, path: Path) -> None:
    """One picture, as PNG: classes, lengths, levels and sampling rates.

    Raises:
        DataError: no file can be read.
    """
    from .picture import plot_collection  # loads matplotlib

    if not inspection.measures:
        raise DataError(f"No file of {inspection.data} can be read, so there is nothing to draw: leave --png out.")
    first = inspection.label_names[0] if inspection.label_names else None
    embedded = inspection.embedded
    tells = None if embedded is None else embedded.tells
    with written_whole(path) as temporary, temporary.open("wb") as file:
        plot_collection(
            inspection.label_counts[first] if first is not None else {},
            np.array([clip.seconds for clip in inspection.measures]),
            np.array([clip.level for clip in inspection.measures]),
            np.array([clip.rate for clip in inspection.measures]),
            file,
            f"energy: {_reach(inspection)}" if inspection.reach() else "",
            None if tells is None or embedded is None else (tells, embedded.names),
        )


def tell(inspection: Inspection) -> Iterator[str]:
    """The report in lines: a summary, then the findings with the first of their files."""
    summary = inspection.summary()
    yield f"files         {summary['n_files']}, {summary['n_readable']} can be read"
    if inspection.measures:
        yield f"duration      {_duration(summary['seconds'])} in all"
        yield "lengths (s)   " + _tell_quantiles(summary["lengths"])
        for title, name, unit in (("rates", "rates", " Hz"), ("channels", "channels", ""), ("formats", "formats", "")):
            yield f"{title:<14}" + _listed({f"{key}{unit}": number for key, number in summary[name].items()})
        if summary["bands"]:
            yield f"{'energy':<14}{_reach(inspection)} (noise apart)"
    if annotations := summary.get("annotations"):
        seconds, recordings = _duration(annotations["seconds"]), count(annotations["recordings"], "recording")
        yield f"annotations   {annotations['number']} in {recordings}, {seconds} in all"
        yield "lasting (s)   " + _tell_quantiles(annotations["lengths"])
    for name, counts in inspection.label_counts.items():
        title = "classes" if len(inspection.label_counts) == 1 else f"{name}"
        read = inspection.readable_counts[name]
        counted = {
            label: number if read.get(label) == number else f"{read.get(label, 0)} of {number} can be read"
            for label, number in counts.items()
        }
        yield f"{title:<14}{len(counts)}: {_listed(counted)}" if counts else f"{title:<14}none"
    if inspection.split_counts:
        yield f"{'splits':<14}{_listed(inspection.split_counts)}"
    for finding in inspection.findings:
        yield ""
        yield f"{finding.severity}: {finding.message}"
        for case in finding.cases[:CASES_SHOWN]:
            yield f"    {_show(case, inspection.data)}"
        if len(finding.cases) > CASES_SHOWN:
            yield f"    and {len(finding.cases) - CASES_SHOWN} more"
        if finding.remedy:
            yield f"  -> {finding.remedy}"
    numbers = Counter(finding.severity for finding in inspection.findings)
    yield ""
    yield ", ".join(count(numbers[severity], severity) for severity in SEVERITIES) + "."


def _tell_quantiles(quantiles: Mapping[str, float]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in quantiles.items())


def _reach(inspection: Inspection) -> str:
    return ", ".join(f"{share} below {hertz / 1000:.3g} kHz" for share, hertz in inspection.reach().items())


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.2f} h"


def _listed(counts: Mapping[str, int | str]) -> str:
    shown = ", ".join(f"{name} ({number})" for name, number in list(counts.items())[:CLASSES_SHOWN])
    return f"{shown}, and {len(counts) - CLASSES_SHOWN} more" if len(counts) > CLASSES_SHOWN else shown


def _show(case: Case, data: str) -> str:
    is_folder = os.path.isdir(data) or (is_remote(data) and not is_table(as_path(data)))
    folder = public_name(data if is_folder else os.path.dirname(data))
    names = [os.path.relpath(public_name(file), folder or ".") for file in case.files[:FILES_SHOWN]]
    if len(case.files) > FILES_SHOWN:
        names.append(f"{len(case.files) - FILES_SHOWN} more")
    detail = case.detail.removeprefix(f"{case.files[0]} ")  # sentences about a file name it in full
    detail = textwrap.shorten(detail, LONGEST_DETAIL, placeholder=" ...")
    shown = " = ".join(names) if len(names) > 1 and case.detail else ", ".join(names)
    printable = f"{shown}: {detail}" if detail else shown
    return printable.encode("utf-8", "backslashreplace").decode()
