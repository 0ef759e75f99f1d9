"""Annotations placed in their recordings: times in seconds, checked against how long the recordings last."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ...audio.loading import open_audio
from ...errors import AudioError, DataError
from ..classes import composed
from .annotated_recordings import Annotation
from .annotation_files import Sheet
from .annotation_tables import AnnotationRow
from .notices import Problems
from .times import SAMPLES, SECONDS

# Seconds by which a label may reach over the end of its recording, as rounding lets it.
ROUNDING = 0.1
# Of clips that were cut out of recordings, the times are those of the recordings: each clip lasts as long as they say.
SHARE_OF_CLIPS, CLIP_ROUNDING = 0.9, 0.1
SHORTEST_SOUND = 0.005  # seconds
# Of times that spreadsheets keep as fractions of a day: those of sounds of a minute and a half or less.
DAYS_A_SECOND, SHORTEST_IN_A_DAY = 1 / 86400, 0.001
SHARE_BEYOND = 0.5  # of a file's annotations, from which on its unit is another one


class Length(NamedTuple):
    """How long a recording is, and at which rate."""

    seconds: float
    rate: int


def measure_lengths(files: set[Path]) -> tuple[dict[Path, Length], dict[Path, str]]:
    """How long recordings last, and why others cannot be read."""
    lengths, unreadable = {}, {}
    for path in sorted(files):
        try:
            with open_audio(path) as recording:
                frames = recording.frames
                if frames is None:  # its header does not tell
                    frames = sum(len(block) for block in recording.blocks())
                lengths[path] = Length(frames / recording.rate, recording.rate)
        except (OSError, AudioError) as error:
            unreadable[path] = str(error)
    return lengths, unreadable


def is_of_clips(sheet: Sheet, lengths: Mapping[Path, Length]) -> bool:
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


def place_annotations(
    sheet: Sheet, lengths: Mapping[Path, Length], problems: Problems
) -> dict[Path, list[Annotation]]:
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
    rows = [(row, lengths[file]) for row, file, *_ in timed]
    if sheet.unit == SECONDS and rows and _are_of_a_day(rows):
        raise DataError(
            f"The annotations in {sheet.path} last less than a thousandth of a second each: they look like "
            "fractions of a day, as spreadsheets keep times; multiply them by 86400."
        )
    for row, file, onset, offset in timed:
        seconds, label = lengths[file].seconds, composed(" ".join(row.label.split()))
        case = f"{label or 'without a label'} from {onset:g} to {offset:g} s of {file} ({sheet.path.name})"
        if offset <= onset:
            how = "no length" if offset == onset else "a negative length"
            remedy = "say when they end, or what sounds there counts as what is not annotated"
            problems.add(f"annotations have {how} and are left out", case, remedy)
        elif onset >= seconds or offset <= 0:
            where = "after the end" if onset >= seconds else "before the beginning"
            problems.add(f"annotations lie {where} of their recordings and are left out", case)
        else:
            if offset > seconds + ROUNDING and not _goes_on(row, sheet, found, offset - seconds, label):
                problems.add("annotations reach over the ends of their recordings and are cut there", case)
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


def _in_seconds(sheet: Sheet, row: AnnotationRow, length: Length) -> tuple[float, float]:
    onset, offset = row.onset, row.offset
    if sheet.unit == SAMPLES:
        return onset / length.rate, offset / length.rate
    if sheet.start and sheet.length is not None and abs(sheet.length - length.seconds) <= 1:
        return onset - sheet.start, offset - sheet.start  # a part of a longer recording, whose times were kept
    return onset, offset


def _explain_beyond(sheet: Sheet, lengths: Mapping[Path, Length], n_beyond: int) -> str:
    """Why most annotations cannot be those of their recordings, and what the times may be."""
    rows = [row for row in sheet.rows if sheet.files.get(row.name) in lengths]
    last = max(rows, key=lambda row: row.offset)
    measured = [(row, lengths[sheet.files[row.name]]) for row in rows]
    longest = max(length.seconds for _, length in measured)
    guess = "give seconds from the beginning of each recording"
    if sheet.table is not None and sheet.table.has_clocks:
        guess = "they may be times of the day: give times from the beginning of each recording"
    elif sheet.table is not None and sheet.table.is_of_sequence:
        guess = (
            "they may count from the beginning of a sequence of files: export the table from Raven with the column "
            "File Offset (s) too"
        )
    elif _would_fit(measured, [1000] * len(measured)):
        guess = "they look like milliseconds: divide them by 1000, or add ms to the columns' names, as in start_ms"
    elif _would_fit(measured, [length.rate for _, length in measured]):
        guess = "they look like samples: divide them by the rate, or add samples to the names, as in start_samples"
    return (
        f"{n_beyond} of {len(rows)} annotations in {sheet.path} lie beyond the end of their recordings: {sheet.named} "
        f"go up to {last.offset:g}, and the longest recording lasts {longest:.6g} s; {guess}."
    )


def _would_fit(measured: Sequence[tuple[AnnotationRow, Length]], scales: Sequence[float]) -> bool:
    """Whether times divided so lie in their recordings, and last as long as sounds do."""
    inside = (
        row.offset / scale <= length.seconds + ROUNDING for (row, length), scale in zip(measured, scales, strict=True)
    )
    lasting = [(row.offset - row.onset) / scale for (row, _), scale in zip(measured, scales, strict=True)]
    return all(inside) and statistics.median(lasting) >= SHORTEST_SOUND


def _are_of_a_day(measured: Sequence[tuple[AnnotationRow, Length]]) -> bool:
    """Whether times are fractions of a day: no sounds are so short, and all so early."""
    longest = max(row.offset - row.onset for row, _ in measured)
    return 0 < longest < SHORTEST_IN_A_DAY and _would_fit(measured, [DAYS_A_SECOND] * len(measured))
