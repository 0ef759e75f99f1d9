"""Label tracks, as Audacity writes them: onset, offset and label a line, without a header."""

import re
from pathlib import Path

from ...errors import DataError
from ..tables.text_tables import read_text
from .annotated_recordings import Annotation
from .times import read_number

# Of the files that may be label tracks; others of these kinds are read, and are none.
TRACK_SUFFIXES = (".txt", ".lab", ".ann", ".labels")
NUMBER = r"[+-]?\d+(?:[.,]\d+)?(?:e[+-]?\d+)?"
# Audacity has tabs between; other programs write blanks, or commas or semicolons with a blank behind.
LINE = re.compile(
    rf"\s*({NUMBER})(?:[ \t]+|;[ \t]*|,[ \t]+)({NUMBER})(?:(?:[ \t]+|;[ \t]*|,[ \t]+)(.*))?", re.IGNORECASE
)
# Of the label before it: from which frequency to which.
FREQUENCIES = re.compile(rf"\\\s+({NUMBER})\s+({NUMBER})\s*", re.IGNORECASE)
POINT = re.compile(rf"\s*({NUMBER})\t(?!\s*{NUMBER}\s*$)(.*)", re.IGNORECASE)  # of old versions


class BrokenTrackError(DataError):
    """A label track in which a line is no label."""


def read_label_track(path: Path) -> list[Annotation] | None:
    """The labels of a track, of an empty file none; `None` where it is something else.

    Times are as they stand there: of a point label, onset and offset are the same.

    Source: https://manual.audacityteam.org/man/importing_and_exporting_labels.html.

    Raises:
        BrokenTrackError: most lines are labels in words, and another one is none.
    """
    found: list[Annotation] = []
    lines = [line for line in read_text(path).splitlines() if line.strip()]
    for line in lines:
        band = FREQUENCIES.fullmatch(line.strip())
        if band is not None and found:
            low, high = (read_number(cell) for cell in band.groups())
            # Audacity has -1 for what is not said.
            found[-1] = found[-1]._replace(low_freq=low if low >= 0 else None, high_freq=high if high >= 0 else None)
            continue
        match = LINE.fullmatch(line)
        if match is not None:
            onset, offset = read_number(match[1]), read_number(match[2])
            found.append(Annotation(onset, offset, (match[3] or "").strip()))
            continue
        point = POINT.fullmatch(line)
        if point is None:
            n_labels = sum(_is_in_words(line) for line in lines)
            if n_labels > 1 and 2 * n_labels > len(lines):
                raise BrokenTrackError(
                    f"{path} is a label track, but for {line.strip()!r}: write onset, offset and label into each "
                    "line, with tabs between."
                )
            return None
        found.append(Annotation(read_number(point[1]), read_number(point[1]), point[2].strip()))
    return found


def _is_in_words(line: str) -> bool:
    """Whether a line is a label with two times; other texts have lines of numbers alone."""
    match = LINE.fullmatch(line)
    return match is not None and re.search(r"[^\W\d_]", match[3] or "") is not None
