"""One recording over time, for the programs in which people listen and correct: Audacity, Raven, Praat."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .answers import Heading


def write_audacity_labels(path: Path, heading: "Heading", rows: Iterable[Mapping[str, Any]]) -> None:
    """A label track: start, end and best label of each window.

    Source: https://manual.audacityteam.org/man/importing_and_exporting_labels.html.
    """
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            label = f"{_one_line(row[heading.kind])} {row['confidence']:.2f}"
            file.write(f"{row['start']:.6f}\t{row['end']:.6f}\t{label}\n")


def write_raven_table(path: Path, heading: "Heading", rows: Iterable[Mapping[str, Any]]) -> None:
    """A selection table: each window a selection of the whole band, with its best label.

    Source: https://www.ravensoundsoftware.com/knowledge-base/.
    """
    columns = ["Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)"]
    with path.open("w", encoding="utf-8") as file:
        file.write("\t".join([*columns, "Begin File", heading.kind.title(), "Confidence"]) + "\n")
        for number, row in enumerate(rows, start=1):
            times = f"{row['start']:.6f}", f"{row['end']:.6f}"
            band = "0.0", f"{heading.sampling_rate / 2:.1f}"
            answer = _one_line(row[heading.kind]), f"{row['confidence']:.6f}"
            cells = str(number), "Spectrogram 1", "1", *times, *band, _one_line(Path(row["path"]).name), *answer
            file.write("\t".join(cells) + "\n")


def write_text_grid(path: Path, heading: "Heading", rows: Iterable[Mapping[str, Any]]) -> None:
    """An interval tier of best labels. Intervals may not overlap: each is what its window hears for the first time.

    Source: https://www.fon.hum.uva.nl/praat/manual/TextGrid_file_formats.html.
    """
    intervals = []
    begin = 0.0
    for row in rows:
        intervals.append((begin, row["end"], _one_line(row[heading.kind]).replace('"', '""')))
        begin = row["end"]
    with path.open("w", encoding="utf-8") as file:
        file.write('File type = "ooTextFile"\nObject class = "TextGrid"\n\n')
        file.write(f"xmin = 0\nxmax = {begin}\ntiers? <exists>\nsize = 1\nitem []:\n    item [1]:\n")
        file.write(f'        class = "IntervalTier"\n        name = "{heading.kind}"\n')
        file.write(f"        xmin = 0\n        xmax = {begin}\n        intervals: size = {len(intervals)}\n")
        for number, (start, end, text) in enumerate(intervals, start=1):
            file.write(f"        intervals [{number}]:\n            xmin = {start}\n            xmax = {end}\n")
            file.write(f'            text = "{text}"\n')


def _one_line(text: str) -> str:
    return " ".join(text.split())
