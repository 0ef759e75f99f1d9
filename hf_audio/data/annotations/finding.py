"""Annotations, in whichever form people have them: tables, Raven's selections, Audacity's and Praat's labels."""

import os
import statistics
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

from ...errors import DataError
from ...folders import RealPaths, name_some
from ...remote.paths import as_path
from ..classes import find_alike, order_classes
from ..layouts.part_names import name_parts
from ..tables.columns import TRAIN, Columns, guess_split, read_parts
from ..tables.tags import unquote
from .annotated_recordings import AnnotatedRecording, AnnotatedRecordings, Annotation
from .annotation_files import Sheet, read_sheets
from .annotation_tables import several_labels, split_label
from .notices import Problems, count_notices
from .placing import Length, is_of_clips, measure_lengths, place_annotations

__all__ = ["UNANNOTATED", "AnnotatedRecording", "AnnotatedRecordings", "Annotation", "Unannotated", "find_annotations"]

Unannotated = Literal["background", "ignore"]
UNANNOTATED = get_args(Unannotated)
# What ends with the last annotation, and goes on for longer than this, than so many times what lay between any before
# it, and than half of the recording, may not have been listened to.
LONGEST_REST, GAPS, REST_SHARE = 60.0, 3, 0.5
# Of two files of annotations, those with one label that share so much of their time are one.
SAME_SHARE = 0.5


def find_annotations(
    source: str | os.PathLike,
    columns: Columns | None = None,
    *,
    audio_dir: str | os.PathLike | None = None,
    unannotated: Unannotated | None = None,
) -> AnnotatedRecordings | None:
    """The recordings that a table or a folder has annotations of, with times; `None` where it is no such material.

    Read are CSVs and TSVs whose rows say from when to when something sounds, Raven's selection tables, Audacity's
    label tracks and Praat's TextGrids, one for many recordings or one beside each. Clips that a table says to be cut
    from one second to another, such as UrbanSound8K's, are no such material. What had to be mended
    or left out is told.

    Args:
        source: the folder, or the file of annotations.
        columns: of tables, those that the user has named; of TextGrids, `labels` names tiers.
        audio_dir: where the recordings are, by default in the folder, or beside the file.
        unannotated: what is not annotated; by default background, but where that is doubtful.

    Raises:
        DataError: annotations cannot be used as they are.
    """
    source, wanted = as_path(source), columns or Columns()
    found = read_sheets(source, wanted, audio_dir)
    if found is None:
        return None
    lengths, unreadable = measure_lengths({file for sheet in found.sheets for file in sheet.files.values()})
    are_clips = [is_of_clips(sheet, lengths) for sheet in found.sheets]
    if all(are_clips):
        return None
    # Beside other annotations, a file that says one thing of one recording, from end to end, is one of them.
    pairs = zip(found.sheets, are_clips, strict=True)
    sheets = [sheet for sheet, is_of_clips in pairs if not is_of_clips or len(sheet.rows) == 1]
    _split_labels(sheets)
    problems = Problems()
    for path, reason in unreadable.items():
        problems.add("annotated recordings cannot be read and are left out", f"{path}", reason.rstrip("."))
    real_path = RealPaths()
    recordings = _join(sheets, lengths, problems, wanted, real_path)
    _merge_spellings(recordings, problems)
    _take_parts(recordings, sheets, source, wanted)
    listed = {real_path(recording.path) for recording in recordings}
    others = [file for file in found.audio if real_path(file) not in listed and file not in unreadable]
    if unannotated == "background":
        recordings += _without_annotations(others, problems)
    elif others:
        problems.further.append(
            f"{len(others)} recordings have no annotations, {others[0]} for one, and are left out, because it is not "
            "known whether anything sounds in them: with --unannotated background, they are taken for background."
        )
    labels = order_classes(annotation.label for recording in recordings for annotation in recording.annotations)
    if not labels:
        raise DataError(_explain_none(sheets, problems))
    for names in find_alike(labels):
        problems.add(
            "labels differ in spaces or marks alone, or are one number, and are trained as several",
            " and ".join(map(repr, names)),
            "give one sound one name",
        )
    _find_complete(recordings, unannotated, problems)
    messages = [*_describe(sheets, recordings), *count_notices(notice for sheet in sheets for notice in sheet.notices)]
    notices = [*found.warnings, *(notice for sheet in sheets for notice in sheet.warnings), *problems.notices]
    warnings = [*count_notices(notices), *problems.further]
    return AnnotatedRecordings(
        source.stem if source.is_file() else source.resolve().name,
        sorted(recordings, key=lambda recording: str(recording.path)),
        labels,
        messages,
        warnings,
        is_complete=unannotated != "ignore",
    )


def _split_labels(sheets: Sequence[Sheet]) -> None:
    """Take apart what holds several labels, by those that stand alone in any of the files."""
    distinct = {row.label for sheet in sheets for row in sheet.rows}
    parts = {label: split_label(label, distinct) for label in distinct}
    for sheet in sheets:
        sheet.notices += [several_labels(row.label, sheet.path) for row in sheet.rows if len(parts[row.label]) > 1]
        sheet.rows = [row._replace(label=label) for row in sheet.rows for label in parts[row.label]]


def _join(
    sheets: Sequence[Sheet],
    lengths: Mapping[Path, Length],
    problems: Problems,
    wanted: Columns,
    real_path: RealPaths,
) -> list[AnnotatedRecording]:
    """The recordings with what all files say of them."""
    by_file: dict[str, list[tuple[Sheet, list[Annotation]]]] = defaultdict(list)
    paths: dict[str, Path] = {}
    cells: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for sheet in sheets:
        missing = [name for name in sheet.names if name not in sheet.files]
        if missing:
            problems.further.append(
                f"{len(missing)} of the recordings that {sheet.path} names are not there, {missing[0]} for one: their "
                "annotations are left out."
            )
        placed = place_annotations(sheet, lengths, problems)
        for file, annotations in placed.items():
            key = real_path(file)
            paths.setdefault(key, file)
            by_file[key].append((sheet, annotations))
        _note_cells(sheet, cells, real_path)
    recordings = []
    for key, sheet_annotations in by_file.items():
        united = _unite(paths[key], sheet_annotations, problems)
        annotations, unlabelled = [each for each in united if each.label], _find_unlabelled(united)
        for onset, offset in unlabelled:
            problems.add(
                "annotations have no label, and nothing is known of their moments",
                f"from {onset:g} to {offset:g} s of {paths[key]}",
                "say what sounds there, or delete them where it is nothing of interest",
            )
        further = {name: next(iter(values)) for name, values in cells[key].items() if len(values) == 1}
        if wanted.group is not None and len(cells[key].get(wanted.group, "1")) != 1:
            raise DataError(
                f"{paths[key]} has several values in the column {wanted.group!r}, and a recording is of one group: "
                "name another column with --group_column."
            )
        seconds = lengths[paths[key]].seconds
        recordings.append(AnnotatedRecording(paths[key], annotations, seconds, further, unlabelled=unlabelled))
    return recordings


def _find_unlabelled(annotations: Sequence[Annotation]) -> list[tuple[float, float]]:
    """The spans in seconds of annotations without a label, but for those that a labelled one mostly covers.

    annotations: in the order of their onsets.
    """
    named = [each for each in annotations if each.label]
    onsets = [each.onset for each in named]
    found = []
    for onset, offset, label, *_ in annotations:
        # What shares half of its time with it begins no longer before it than it lasts.
        near = named[bisect_left(onsets, 2 * onset - offset) : bisect_left(onsets, offset)]
        if not label and not any(_share_time((onset, offset), (other.onset, other.offset)) for other in near):
            found.append((onset, offset))
    return found


def _unite(
    path: Path, sheet_annotations: Sequence[tuple[Sheet, list[Annotation]]], problems: Problems
) -> list[Annotation]:
    """What several files say of one recording, each annotation once."""
    united: dict[Annotation, None] = {}
    n_same = 0
    for _, annotations in sheet_annotations:
        before = list(united)
        for annotation in annotations:
            if annotation in united or any(_are_same(annotation, other) for other in before):
                n_same += 1
            else:
                united[annotation] = None
    if len(sheet_annotations) > 1:
        names = [sheet.path.name for sheet, _ in sheet_annotations]
        same = f"; {n_same} annotations that several have count once" if n_same else ""
        problems.add(
            "recordings have several files of annotations, which are joined",
            f"{path} has {name_some([Path(name) for name in names])}{same}",
        )
    elif n_same:
        problems.add("recordings have annotations that repeat another one and count once", f"{path} has {n_same}")
    return sorted(united, key=lambda annotation: annotation[:3])  # frequencies may be none, which have no order


def _are_same(one: Annotation, other: Annotation) -> bool:
    is_named_alike = one.label.casefold() == other.label.casefold()
    return is_named_alike and _share_time((one.onset, one.offset), (other.onset, other.offset))


def _share_time(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether two spans, in seconds, are mostly one."""
    shared, whole = min(one[1], other[1]) - max(one[0], other[0]), max(one[1], other[1]) - min(one[0], other[0])
    return shared >= SAME_SHARE * whole


def _note_cells(sheet: Sheet, cells: dict[str, dict[str, set[str]]], real_path: RealPaths) -> None:
    """What further columns say of each recording."""
    table = sheet.table
    if table is None or table.columns.path is None:
        return
    used = {table.columns.path, *table.columns.labels}
    keys = {name: real_path(file) for name, file in sheet.files.items()}
    row_keys = [keys.get(unquote(cell)) for cell in table.cells[table.columns.path]]
    for column, column_cells in table.cells.items():
        if column in used:
            continue
        for key, cell in zip(row_keys, column_cells, strict=True):
            if key is not None:
                cells[key][column].add(unquote(cell))


def _merge_spellings(recordings: Sequence[AnnotatedRecording], problems: Problems) -> None:
    """Labels that differ by capitals alone as one, the one that is written most often."""
    counts = Counter(annotation.label for recording in recordings for annotation in recording.annotations)
    spellings: dict[str, list[str]] = defaultdict(list)
    for label, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0].swapcase())):
        spellings[label.casefold()].append(label)
    usual_spelling = {label: variants[0] for variants in spellings.values() for label in variants}
    for variants in spellings.values():
        if len(variants) > 1:
            problems.add(
                "labels are written with and without capitals, and taken for one", " and ".join(map(repr, variants))
            )
    for recording in recordings:
        recording.annotations = [
            annotation._replace(label=usual_spelling[annotation.label]) for annotation in recording.annotations
        ]


def _take_parts(
    recordings: Sequence[AnnotatedRecording], sheets: Sequence[Sheet], source: Path, wanted: Columns
) -> None:
    """The parts by a column, by the names of tables, or by folders.

    Raises:
        DataError: a recording is of two parts.
    """
    column = wanted.split
    tables = [sheet.table for sheet in sheets if sheet.table is not None]
    if column is None:
        column = next((name for table in tables if (name := guess_split(table.cells)) is not None), None)
    if column is not None:
        for recording in recordings:
            cell = recording.further.get(column)
            if cell is None and any(column in table.cells for table in tables):
                raise DataError(
                    f"{recording.path} has several values in the column {column!r}: a recording is trained on or "
                    "tested on as a whole; mend the column, or name another one with --split_column."
                )
            recording.part = TRAIN if cell is None else read_parts(str(source), column, [cell])[0]
        return
    named = name_parts({sheet.path.stem for sheet in sheets})
    if len(set(named.values())) > 1:
        _take_named_parts(recordings, sheets, named)
        return
    if not source.is_dir():
        return
    tops = {
        recording.path: recording.path.relative_to(source).parts[0]
        for recording in recordings
        if recording.path.is_relative_to(source) and recording.path.parent != source
    }
    parts = name_parts(tops.values())
    if len(tops) == len(recordings) and set(parts) == set(tops.values()) and len(set(parts.values())) > 1:
        for recording in recordings:
            recording.part = parts[tops[recording.path]]


def _take_named_parts(
    recordings: Sequence[AnnotatedRecording], sheets: Sequence[Sheet], named: Mapping[str, str]
) -> None:
    """Take the parts by the names of tables.

    Raises:
        DataError: a recording is of two parts.
    """
    part_of: dict[Path, str] = {}
    for sheet in sheets:
        if sheet.path.stem not in named:
            continue
        part = named[sheet.path.stem]
        for file in sheet.files.values():
            if part_of.setdefault(file, part) != part:
                raise DataError(
                    f"{file} is annotated in tables of two parts, {part_of[file]} and {part}: a recording is trained "
                    "on or tested on as a whole; put all of its rows into one table."
                )
    for recording in recordings:
        recording.part = part_of.get(recording.path, recording.part)


def _without_annotations(files: Sequence[Path], problems: Problems) -> list[AnnotatedRecording]:
    """Recordings in which nothing is annotated, as background."""
    lengths, unreadable = measure_lengths(set(files))
    for path, reason in unreadable.items():
        problems.add("recordings cannot be read and are left out", f"{path}", reason.rstrip("."))
    return [AnnotatedRecording(path, [], length.seconds) for path, length in lengths.items()]


def _find_complete(
    recordings: Sequence[AnnotatedRecording], unannotated: Unannotated | None, problems: Problems
) -> None:
    """Note up to where recordings are annotated as a whole; what may not have been listened to is told."""
    for recording in recordings:
        seconds = recording.seconds or 0.0
        if unannotated == "ignore":
            continue
        recording.complete_until = seconds
        spans = sorted([*(each[:2] for each in recording.annotations), *recording.unlabelled])
        if not spans:
            continue
        last, longest = 0.0, 0.0
        for onset, offset in spans:
            longest, last = max(longest, onset - last), max(last, offset)
        rest = seconds - last
        if rest > max(LONGEST_REST, GAPS * longest, REST_SHARE * seconds):
            case = f"{recording.path}, of {seconds:.0f} s, after {last:.0f} s"
            if unannotated == "background":
                problems.add("recordings have a long rest without annotations, which is taken for background", case)
            else:
                recording.complete_until = last
                problems.add(
                    "recordings have a long rest without annotations, which is left out",
                    case,
                    "with --unannotated background, it is taken for background",
                )


def _describe(sheets: Sequence[Sheet], recordings: Sequence[AnnotatedRecording]) -> list[str]:
    """How the annotations were read."""
    durations = [
        annotation.offset - annotation.onset for recording in recordings for annotation in recording.annotations
    ]
    hours = sum(recording.seconds or 0.0 for recording in recordings) / 3600
    of = sheets[0].path if len(sheets) == 1 else f"{len(sheets)} files, {sheets[0].path} for one"
    named = sheets[0].table
    how = f", by {sheets[0].named}, and labels by {', '.join(named.columns.labels)}" if named is not None else ""
    return [
        f"{len(durations)} annotations of {statistics.median(durations):.3g} s (median) in {len(recordings)} "
        f"recordings of {hours:.3g} h are read from {of}{how}."
    ]


def _explain_none(sheets: Sequence[Sheet], problems: Problems) -> str:
    reasons = " ".join([*count_notices(problems.notices), *problems.further])
    return f"{sheets[0].path} has no annotation that can be used: {reasons or 'it is empty'}".rstrip(".") + "."
