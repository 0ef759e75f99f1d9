"""Annotations, in whichever form people have them: tables, Raven's selections, Audacity's and Praat's labels."""

import os
import statistics
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from ...audio.loading import open_audio
from ...errors import AudioError, DataError
from ...folders import RealPaths, name_some
from ...remote.paths import as_path
from ..classes import composed, find_alike, order_classes
from ..layouts.part_names import name_parts
from ..tables.columns import TRAIN, Columns, guess_split, read_parts
from ..tables.tags import unquote
from .annotated_recordings import AnnotatedRecording, AnnotatedRecordings, Annotation
from .annotation_files import Sheet, read_sheets
from .annotation_tables import AnnotationRow, Notice, several_labels, split_label
from .times import SAMPLES, SECONDS

__all__ = ["UNANNOTATED", "AnnotatedRecording", "AnnotatedRecordings", "Annotation", "Unannotated", "find_annotations"]

Unannotated = Literal["background", "ignore"]
UNANNOTATED = get_args(Unannotated)
# Seconds by which a label may reach over the end of its recording, as rounding lets it.
ROUNDING = 0.1
# What ends with the last annotation, and goes on for longer than this, than so many times what lay between any before
# it, and than half of the recording, may not have been listened to.
LONGEST_REST, GAPS, REST_SHARE = 60.0, 3, 0.5
# Of clips that were cut out of recordings, the times are those of the recordings: each clip lasts as long as they say.
SHARE_OF_CLIPS, CLIP_ROUNDING = 0.9, 0.1
# Of two files of annotations, those with one label that share so much of their time are one.
SAME_SHARE = 0.5
SHORTEST_SOUND = 0.005  # seconds
# Of times that spreadsheets keep as fractions of a day: those of sounds of a minute and a half or less.
DAYS_A_SECOND, SHORTEST_IN_A_DAY = 1 / 86400, 0.001
SHARE_BEYOND = 0.5  # of a file's annotations, from which on its unit is another one


class _Length(NamedTuple):
    seconds: float
    rate: int


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
    lengths, unreadable = _measure({file for sheet in found.sheets for file in sheet.files.values()})
    are_clips = [_is_of_clips(sheet, lengths) for sheet in found.sheets]
    if all(are_clips):
        return None
    # Beside other annotations, a file that says one thing of one recording, from end to end, is one of them.
    pairs = zip(found.sheets, are_clips, strict=True)
    sheets = [sheet for sheet, is_of_clips in pairs if not is_of_clips or len(sheet.rows) == 1]
    _split_labels(sheets)
    problems = _Problems()
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
    said = [*_describe(sheets, recordings), *_count(notice for sheet in sheets for notice in sheet.said)]
    notices = [*found.warnings, *(notice for sheet in sheets for notice in sheet.warnings), *problems.notices]
    warnings = [*_count(notices), *problems.further]
    return AnnotatedRecordings(
        source.stem if source.is_file() else source.resolve().name,
        sorted(recordings, key=lambda recording: str(recording.path)),
        labels,
        said,
        warnings,
        is_complete=unannotated != "ignore",
    )


@dataclass
class _Problems:
    """What is odd about annotations, and further sentences."""

    notices: list[Notice] = field(default_factory=list)
    further: list[str] = field(default_factory=list)

    def add(self, kind: str, case: str, remedy: str = "") -> None:
        self.notices.append(Notice(kind, case, remedy))


def _count(notices: Iterable[Notice]) -> list[str]:
    """A sentence for all notices of a kind, with one of their cases."""
    cases: dict[str, list[Notice]] = defaultdict(list)
    for notice in notices:
        cases[notice.kind].append(notice)
    return [
        f"{len(own)} {kind}, {own[0].case} for one{own[0].remedy and ': '}{own[0].remedy}."
        for kind, own in cases.items()
    ]


def _measure(files: set[Path]) -> tuple[dict[Path, _Length], dict[Path, str]]:
    """How long recordings last, and why others cannot be read."""
    lengths, unreadable = {}, {}
    for path in sorted(files):
        try:
            with open_audio(path) as recording:
                frames = recording.frames
                if frames is None:  # its header does not tell
                    frames = sum(len(block) for block in recording.blocks())
                lengths[path] = _Length(frames / recording.rate, recording.rate)
        except (OSError, AudioError) as error:
            unreadable[path] = str(error)
    return lengths, unreadable


def _is_of_clips(sheet: Sheet, lengths: Mapping[Path, _Length]) -> bool:
    """Whether a table is one of clips, and its times are those of the recordings that they were cut from."""
    rows = [row for row in sheet.rows if row.name in sheet.files and sheet.files[row.name] in lengths]
    if sheet.table is None or sheet.unit != SECONDS or len({row.name for row in rows}) < len(rows):
        return False
    alike = [
        abs(lengths[sheet.files[row.name]].seconds - (row.offset - row.onset))
        <= max(CLIP_ROUNDING, 0.02 * (row.offset - row.onset))
        for row in rows
    ]
    return bool(alike) and sum(alike) >= SHARE_OF_CLIPS * len(alike)


def _split_labels(sheets: Sequence[Sheet]) -> None:
    """Take apart what holds several labels, by those that stand alone in any of the files."""
    known = {row.label for sheet in sheets for row in sheet.rows}
    parts = {label: split_label(label, known) for label in known}
    for sheet in sheets:
        sheet.said += [several_labels(row.label, sheet.path) for row in sheet.rows if len(parts[row.label]) > 1]
        sheet.rows = [row._replace(label=label) for row in sheet.rows for label in parts[row.label]]


def _join(
    sheets: Sequence[Sheet],
    lengths: Mapping[Path, _Length],
    problems: _Problems,
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
        own = _place(sheet, lengths, problems)
        for file, annotations in own.items():
            key = real_path(file)
            paths.setdefault(key, file)
            by_file[key].append((sheet, annotations))
        _note_cells(sheet, cells, real_path)
    recordings = []
    for key, told in by_file.items():
        united = _unite(paths[key], told, problems)
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
    """What annotations without a label cover, but for those that another one names; told: in the order of times."""
    named = [each for each in annotations if each.label]
    onsets = [each.onset for each in named]
    found = []
    for onset, offset, label, *_ in annotations:
        # What shares half of its time with it begins no longer before it than it lasts.
        near = named[bisect_left(onsets, 2 * onset - offset) : bisect_left(onsets, offset)]
        if not label and not any(_share_time((onset, offset), (other.onset, other.offset)) for other in near):
            found.append((onset, offset))
    return found


def _place(sheet: Sheet, lengths: Mapping[Path, _Length], problems: _Problems) -> dict[Path, list[Annotation]]:
    """The annotations of each recording of a file, in seconds, within the recording; of some the label is empty.

    Raises:
        DataError: most of them lie beyond the end of their recordings.
    """
    found: dict[Path, list[Annotation]] = {file: [] for file in dict.fromkeys(sheet.files.values()) if file in lengths}
    timed = []
    for row in sheet.rows:
        file = sheet.files.get(row.name)
        if file is not None and file in lengths:
            timed.append((row, file, *_in_seconds(sheet, row, lengths[file])))
    beyond = [(row, file, onset) for row, file, onset, _ in timed if onset >= lengths[file].seconds]
    if timed and len(beyond) > SHARE_BEYOND * len(timed):
        raise DataError(_explain_beyond(sheet, lengths, len(beyond)))
    own = [(row, lengths[file]) for row, file, *_ in timed]
    if sheet.unit == SECONDS and own and _are_of_a_day(own):
        raise DataError(
            f"The annotations in {sheet.path} last less than a thousandth of a second each: they look like "
            "fractions of a day, as spreadsheets keep times; multiply them by 86400."
        )
    for row, file, onset, offset in timed:
        seconds, label = lengths[file].seconds, composed(" ".join(row.label.split()))
        told = f"{label or 'without a label'} from {onset:g} to {offset:g} s of {file} ({sheet.path.name})"
        if offset <= onset:
            how = "no length" if offset == onset else "a negative length"
            remedy = "say when they end, or what sounds there counts as what is not annotated"
            problems.add(f"annotations have {how} and are left out", told, remedy)
        elif onset >= seconds or offset <= 0:
            where = "after the end" if onset >= seconds else "before the beginning"
            problems.add(f"annotations lie {where} of their recordings and are left out", told)
        else:
            if offset > seconds + ROUNDING and not _goes_on(row, sheet, found, offset - seconds, label):
                problems.add("annotations reach over the ends of their recordings and are cut there", told)
            inside = max(onset, 0.0), min(offset, seconds)
            found[file].append(Annotation(*inside, label, row.low_freq, row.high_freq))
    return found


def _goes_on(row: AnnotationRow, sheet: Sheet, found: dict[Path, list[Annotation]], rest: float, label: str) -> bool:
    """Whether an annotation ends in the next recording, as Raven has them in a sequence; then it goes on there."""
    following = sheet.files.get(row.end_name)
    if not row.end_name or following not in found:
        return False
    found[following].append(Annotation(0.0, rest, label, row.low_freq, row.high_freq))
    return True


def _in_seconds(sheet: Sheet, row: AnnotationRow, length: _Length) -> tuple[float, float]:
    onset, offset = row.onset, row.offset
    if sheet.unit == SAMPLES:
        return onset / length.rate, offset / length.rate
    if sheet.start and sheet.length is not None and abs(sheet.length - length.seconds) <= 1:
        return onset - sheet.start, offset - sheet.start  # a part of a longer recording, whose times were kept
    return onset, offset


def _explain_beyond(sheet: Sheet, lengths: Mapping[Path, _Length], n_beyond: int) -> str:
    """Why most annotations cannot be those of their recordings, and what the times may be."""
    rows = [row for row in sheet.rows if sheet.files.get(row.name) in lengths]
    last = max(rows, key=lambda row: row.offset)
    own = [(row, lengths[sheet.files[row.name]]) for row in rows]
    longest = max(length.seconds for _, length in own)
    guess = "give seconds from the beginning of each recording"
    if sheet.table is not None and sheet.table.has_clocks:
        guess = "they may be times of the day: give times from the beginning of each recording"
    elif sheet.table is not None and sheet.table.is_of_sequence:
        guess = (
            "they may count from the beginning of a sequence of files: export the table from Raven with the column "
            "File Offset (s) too"
        )
    elif _would_fit(own, [1000] * len(own)):
        guess = "they look like milliseconds: divide them by 1000, or add ms to the columns' names, as in start_ms"
    elif _would_fit(own, [length.rate for _, length in own]):
        guess = "they look like samples: divide them by the rate, or add samples to the names, as in start_samples"
    return (
        f"{n_beyond} of {len(rows)} annotations in {sheet.path} lie beyond the end of their recordings: {sheet.named} "
        f"go up to {last.offset:g}, and the longest recording lasts {longest:.6g} s; {guess}."
    )


def _would_fit(own: Sequence[tuple[AnnotationRow, _Length]], scales: Sequence[float]) -> bool:
    """Whether times divided so lie in their recordings, and last as long as sounds do."""
    inside = (
        row.offset / scale <= length.seconds + ROUNDING for (row, length), scale in zip(own, scales, strict=True)
    )
    lasting = [(row.offset - row.onset) / scale for (row, _), scale in zip(own, scales, strict=True)]
    return all(inside) and statistics.median(lasting) >= SHORTEST_SOUND


def _are_of_a_day(own: Sequence[tuple[AnnotationRow, _Length]]) -> bool:
    """Whether times are fractions of a day: no sounds are so short, and all so early."""
    longest = max(row.offset - row.onset for row, _ in own)
    return 0 < longest < SHORTEST_IN_A_DAY and _would_fit(own, [DAYS_A_SECOND] * len(own))


def _unite(path: Path, told: Sequence[tuple[Sheet, list[Annotation]]], problems: _Problems) -> list[Annotation]:
    """What several files say of one recording, each annotation once."""
    united: dict[Annotation, None] = {}
    n_same = 0
    for _, annotations in told:
        before = list(united)
        for annotation in annotations:
            if annotation in united or any(_are_same(annotation, other) for other in before):
                n_same += 1
            else:
                united[annotation] = None
    if len(told) > 1:
        names = [sheet.path.name for sheet, _ in told]
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
    return min(one[1], other[1]) - max(one[0], other[0]) >= SAME_SHARE * (
        max(one[1], other[1]) - min(one[0], other[0])
    )


def _note_cells(sheet: Sheet, cells: dict[str, dict[str, set[str]]], real_path: RealPaths) -> None:
    """What further columns say of each recording."""
    table = sheet.table
    if table is None or table.columns.path is None:
        return
    used = {table.columns.path, *table.columns.labels}
    keys = {name: real_path(file) for name, file in sheet.files.items()}
    own_keys = [keys.get(unquote(cell)) for cell in table.cells[table.columns.path]]
    for column, own in table.cells.items():
        if column in used:
            continue
        for key, cell in zip(own_keys, own, strict=True):
            if key is not None:
                cells[key][column].add(unquote(cell))


def _merge_spellings(recordings: Sequence[AnnotatedRecording], problems: _Problems) -> None:
    """Labels that differ by capitals alone as one, the one that is written most often."""
    counts = Counter(annotation.label for recording in recordings for annotation in recording.annotations)
    spellings: dict[str, list[str]] = defaultdict(list)
    for label, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0].swapcase())):
        spellings[label.casefold()].append(label)
    meant = {label: own[0] for own in spellings.values() for label in own}
    for own in spellings.values():
        if len(own) > 1:
            problems.add(
                "labels are written with and without capitals, and taken for one", " and ".join(map(repr, own))
            )
    for recording in recordings:
        recording.annotations = [
            annotation._replace(label=meant[annotation.label]) for annotation in recording.annotations
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
    told: dict[Path, str] = {}
    for sheet in sheets:
        if sheet.path.stem not in named:
            continue
        part = named[sheet.path.stem]
        for file in sheet.files.values():
            if told.setdefault(file, part) != part:
                raise DataError(
                    f"{file} is annotated in tables of two parts, {told[file]} and {part}: a recording is trained on "
                    "or tested on as a whole; put all of its rows into one table."
                )
    for recording in recordings:
        recording.part = told.get(recording.path, recording.part)


def _without_annotations(files: Sequence[Path], problems: _Problems) -> list[AnnotatedRecording]:
    """Recordings in which nothing is annotated, as background."""
    lengths, unreadable = _measure(set(files))
    for path, reason in unreadable.items():
        problems.add("recordings cannot be read and are left out", f"{path}", reason.rstrip("."))
    return [AnnotatedRecording(path, [], length.seconds) for path, length in lengths.items()]


def _find_complete(
    recordings: Sequence[AnnotatedRecording], unannotated: Unannotated | None, problems: _Problems
) -> None:
    """Note up to where recordings are annotated as a whole; what may not have been listened to is told."""
    for recording in recordings:
        seconds = recording.seconds or 0.0
        if unannotated == "ignore":
            continue
        recording.complete_until = seconds
        heard = sorted([*(each[:2] for each in recording.annotations), *recording.unlabelled])
        if not heard:
            continue
        last, longest = 0.0, 0.0
        for onset, offset in heard:
            longest, last = max(longest, onset - last), max(last, offset)
        rest = seconds - last
        if rest > max(LONGEST_REST, GAPS * longest, REST_SHARE * seconds):
            told = f"{recording.path}, of {seconds:.0f} s, after {last:.0f} s"
            if unannotated == "background":
                problems.add("recordings have a long rest without annotations, which is taken for background", told)
            else:
                recording.complete_until = last
                problems.add(
                    "recordings have a long rest without annotations, which is left out",
                    told,
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


def _explain_none(sheets: Sequence[Sheet], problems: _Problems) -> str:
    told = " ".join([*_count(problems.notices), *problems.further])
    return f"{sheets[0].path} has no annotation that can be used: {told or 'it is empty'}".rstrip(".") + "."
