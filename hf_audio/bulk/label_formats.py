"""Labels over time as editors of sounds read them: Audacity, Raven and Praat."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

# The longer name first: it ends like the other one.
LABEL_SUFFIXES = (".selections.txt", ".txt", ".TextGrid")
# Which do not say what recording a label is of.
OF_ONE_RECORDING = (".txt", ".TextGrid")


class Mark(NamedTuple):
    """A label of a stretch of a recording."""

    path: str
    start: float
    """In seconds."""
    end: float
    text: str
    """Empty: the stretch was judged, and nothing is heard in it."""
    confidence: float


def write_marks(
    path: Path,
    suffix: str,
    marks: Iterable[Mark],
    kind: str,
    highest: float,
    lengths: Mapping[str, float] | None = None,
) -> None:
    """Labels in an editor's format.

    Args:
        path: of the file.
        suffix: of the final name, one of `LABEL_SUFFIXES`, which says the format.
        marks: recording by recording, in the order of time.
        kind: what a label is called.
        highest: frequency that was heard, in Hz.
        lengths: of recordings, in seconds, filled when the marks have come; by default up to the last mark's end.
    """
    if suffix == ".TextGrid":
        write_text_grid(path, marks, kind, lengths)
    elif suffix == ".selections.txt":
        write_raven_table(path, marks, kind, highest)
    else:
        write_audacity_labels(path, marks, confidences=lengths is None)


def write_audacity_labels(path: Path, marks: Iterable[Mark], *, confidences: bool) -> None:
    """A label track: start, end and label.

    Of windows, a label has its confidence behind it; of events it has not, so that the track is read as annotations.

    Source: https://manual.audacityteam.org/man/importing_and_exporting_labels.html.
    """
    with path.open("w", encoding="utf-8") as file:
        for mark in marks:
            if mark.text:
                confidence = f" {mark.confidence:.2f}" if confidences else ""
                file.write(f"{mark.start:.6f}\t{mark.end:.6f}\t{_one_line(mark.text)}{confidence}\n")


def write_raven_table(path: Path, marks: Iterable[Mark], kind: str, highest: float) -> None:
    """A selection table: each label a selection of the whole band.

    Of several recordings, times are those within each, which `Begin Path` names; `File Offset (s)` repeats them.

    Source: https://www.ravensoundsoftware.com/knowledge-base/.
    """
    columns = ["Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)"]
    columns += ["Begin File", "Begin Path", "File Offset (s)", kind.title(), "Confidence"]
    with path.open("w", encoding="utf-8") as file:
        file.write("\t".join(columns) + "\n")
        for number, mark in enumerate((mark for mark in marks if mark.text), start=1):
            start, end = f"{mark.start:.6f}", f"{mark.end:.6f}"
            names = _one_line(Path(mark.path).name), _one_line(mark.path)
            answer = _one_line(mark.text), f"{mark.confidence:.6f}"
            cells = str(number), "Spectrogram 1", "1", start, end, "0.0", f"{highest:.1f}", *names, start, *answer
            file.write("\t".join(cells) + "\n")


def write_text_grid(path: Path, marks: Iterable[Mark], kind: str, lengths: Mapping[str, float] | None) -> None:
    """Interval tiers, whose intervals may not overlap.

    Of windows, one tier, in which each interval is what its window hears for the first time; of events, whose
    recordings' `lengths` are known, a tier a label. What lies between them is an interval without text.

    Source: https://www.fon.hum.uva.nl/praat/manual/TextGrid_file_formats.html.
    """
    tiers: dict[str, list[tuple[float, float, str]]] = {}
    last = 0.0
    for mark in marks:
        last = max(last, mark.end)
        intervals = tiers.setdefault(kind if lengths is None else mark.text, [])
        begin = intervals[-1][1] if intervals else 0.0
        if mark.start > begin:
            intervals.append((begin, mark.start, ""))
            begin = mark.start
        if mark.end > begin:
            intervals.append((begin, mark.end, _one_line(mark.text)))
    tiers = tiers or {kind: []}  # where nothing was heard
    if lengths:  # of the one recording
        last = max(last, *lengths.values())
    for intervals in tiers.values():
        if not intervals or intervals[-1][1] < last:
            intervals.append((intervals[-1][1] if intervals else 0.0, last, ""))
    with path.open("w", encoding="utf-8") as file:
        file.write('File type = "ooTextFile"\nObject class = "TextGrid"\n\n')
        file.write(f"xmin = 0\nxmax = {last}\ntiers? <exists>\nsize = {len(tiers)}\nitem []:\n")
        for number, (tier, intervals) in enumerate(tiers.items(), start=1):
            file.write(f'    item [{number}]:\n        class = "IntervalTier"\n        name = "{_quoted(tier)}"\n')
            file.write(f"        xmin = 0\n        xmax = {last}\n        intervals: size = {len(intervals)}\n")
            for place, (start, end, text) in enumerate(intervals, start=1):
                file.write(f"        intervals [{place}]:\n            xmin = {start}\n            xmax = {end}\n")
                file.write(f'            text = "{_quoted(text)}"\n')


def _quoted(text: str) -> str:
    return _one_line(text).replace('"', '""')


def _one_line(text: str) -> str:
    return " ".join(text.split())
