"""How much happens when: events by hour, day and site, as a table and as a picture."""

import logging
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..audio.start_times import name_before_time, start_time
from ..data.tables.text_tables import write_cells
from ..errors import DataError
from ..files import written_whole
from ..inference.events import SoundEvent

logger = logging.getLogger(__name__)

COLUMNS = ("site", "date", "hour", "label", "events", "event_seconds", "recorded_seconds")
SUFFIXES = (".csv", ".png")
HOUR = timedelta(hours=1)
# That one picture has room for.
MOST_LABELS, MOST_SITES, MOST_DAYS = 12, 6, 400
PANEL_WIDTH, DPI, LETTERS = 3.4, 120, 8


class Place(NamedTuple):
    """What tells sites apart, the surest first."""

    cell: str
    """Of a table."""
    folder: str
    prefix: str
    """Of the file's name, before its time: the recorder's number of a Song Meter."""


class Hour(NamedTuple):
    """An hour of a day at a place."""

    place: Place
    day: date
    hour: int


class Activity:
    """Events and time recorded, counted by the clock as recordings come, in memory that grows with hours alone."""

    def __init__(self) -> None:
        self.recorded: defaultdict[Hour, float] = defaultdict(float)
        """Seconds."""
        self.events: Counter[tuple[Hour, str]] = Counter()
        self.event_seconds: defaultdict[tuple[Hour, str], float] = defaultdict(float)
        self.n_untimed = 0
        """Recordings of which nobody knows when they began; they are not counted."""

    def add(self, path: str, site: str, began: datetime | None, seconds: float, events: Sequence[SoundEvent]) -> None:
        """A recording; an event counts in the hour of its onset, and its seconds in those that it lasts through.

        Args:
            path: of the recording.
            site: by a table; else empty.
            began: by the clock.
            seconds: that it lasts.
            events: in it.
        """
        if began is None:
            self.n_untimed += 1
            return
        path = os.path.abspath(path)
        place = Place(site, os.path.dirname(path), name_before_time(os.path.basename(path)))
        for hour, part in _split(began, seconds):
            self.recorded[Hour(place, hour.date(), hour.hour)] += part
        for onset, offset, label, _ in events:
            moment = began + timedelta(seconds=onset)
            key = Hour(place, moment.date(), moment.hour), label
            self.events[key] += 1
            for hour, part in _split(moment, offset - onset):
                self.event_seconds[Hour(place, hour.date(), hour.hour), label] += part

    def sites(self) -> dict[Place, str]:
        """Names of the places: those of a table, or of folders, or where all lie in one, what names begin with."""
        places = sorted({hour.place for hour in self.recorded})
        folders = {place.folder for place in places}
        common = os.path.commonpath(folders) if folders else ""
        names = {}
        for place in places:
            folder = os.path.relpath(place.folder, common)
            names[place] = place.cell or (folder if len(folders) > 1 else place.prefix)
        return names

    def rows(self) -> Iterator[list[Any]]:
        """The cells of `COLUMNS`: of every hour that was recorded, each label that was found at all, 0 included."""
        names = self.sites()
        hours: dict[tuple[str, date, int], list[Hour]] = defaultdict(list)
        for hour in self.recorded:
            hours[names[hour.place], hour.day, hour.hour].append(hour)
        labels = sorted({label for _, label in self.events})
        for (site, day, clock), parts in sorted(hours.items()):
            recorded = sum(self.recorded[hour] for hour in parts)
            for label in labels:
                n_events = sum(self.events[hour, label] for hour in parts)
                seconds = sum(self.event_seconds[hour, label] for hour in parts)
                yield [site, day.isoformat(), clock, label, n_events, f"{seconds:.3f}", f"{recorded:.3f}"]

    def write(self, files: Sequence[Path]) -> None:
        """A .csv and a .png, or one of them, each whole or not at all.

        Raises:
            DataError: nothing is known to have been recorded at any time, or a file cannot be written.
        """
        if not self.recorded:
            raise untimed()
        if self.n_untimed:
            sentence = "Recordings that do not tell when they began, and so are not in --summary: %d."
            logger.warning(sentence, self.n_untimed)
        for path in files:
            with written_whole(path) as temporary:
                if path.suffix.lower() == ".csv":
                    write_cells(temporary, COLUMNS, self.rows())
                else:
                    with temporary.open("wb") as file:
                        draw_activity(list(self.rows()), file)


def check_summaries(files: Sequence[Path], find: Callable[[], Sequence[Mapping[str, str]]] | None) -> None:
    """Refuse a summary that cannot be written, before anything is listened to.

    Args:
        files: for it.
        find: the recordings; `None` where a table tells when they began.

    Raises:
        DataError: a name or a folder that does not suit, or no recording tells when it began.
    """
    for file in files:
        if file.suffix.lower() not in SUFFIXES:
            raise DataError(f"--summary {file} must end in {' or '.join(SUFFIXES)}.")
        if not file.absolute().parent.is_dir():
            raise DataError(f"--summary {file} is in no folder that exists: make it first.")
    if files and find is not None and not any(start_time(clip["path"]) for clip in find()):
        raise untimed()


def untimed() -> DataError:
    """The refusal of a summary by the clock of recordings that do not tell when they began."""
    return DataError(
        "--summary is by the clock, and no recording tells in its file or its name when it began: give a table with "
        "--start_column."
    )


def _split(began: datetime, seconds: float) -> Iterator[tuple[datetime, float]]:
    """The hours that a recording lasts through, and seconds in each."""
    end = began + timedelta(seconds=seconds)
    while began < end:
        following = min(began.replace(minute=0, second=0, microsecond=0) + HOUR, end)
        yield began, (following - began).total_seconds()
        began = following


def draw_activity(rows: Sequence[Sequence[Any]], file: Any) -> None:
    """Events an hour recorded, over the hours of the days: a row of panels a label, the most frequent first.

    Sites beyond the first few stand in one panel together.

    Args:
        rows: of `COLUMNS`.
        file: to write PNG to.
    """
    from matplotlib.figure import Figure

    from ..lettering import letter

    totals = Counter({label: 0 for _, _, _, label, *_ in rows})
    by_site: Counter[str] = Counter()
    for site, _, _, label, n_events, _, _ in rows:
        totals[label] += n_events
        by_site[site] += n_events
    labels = [label for label, _ in totals.most_common(MOST_LABELS)] or [""]
    sites = [site for site, _ in by_site.most_common(MOST_SITES)] or [""]
    days = sorted({date.fromisoformat(day) for _, day, *_ in rows})[:MOST_DAYS]
    first, n_days = (days[0], (days[-1] - days[0]).days + 1) if days else (date.today(), 1)
    n_days = min(n_days, MOST_DAYS)
    counts = np.zeros((len(labels), len(sites), n_days, 24))
    recorded = np.zeros_like(counts)
    for site, day, hour, label, n_events, _, seconds in rows:
        place = (date.fromisoformat(day) - first).days
        if label in labels and site in sites and place < n_days:
            at = labels.index(label), sites.index(site), place, hour
            counts[at] += n_events
            recorded[at] += float(seconds)
    height = min(max(0.12 * n_days, 0.9), 6.0)
    figure = Figure(figsize=(PANEL_WIDTH * len(sites) + 1, (height + 0.55) * len(labels) + 0.5), layout="constrained")
    panels = figure.subplots(len(labels), len(sites), squeeze=False, sharex=True, sharey=True)
    rates = np.where(recorded > 0, counts / np.maximum(recorded, 1) * 3600, np.nan)
    names = letter([*labels, *sites], 28)
    style: dict[str, Any] = {"fontfamily": names.families, "parse_math": False, "fontsize": LETTERS}
    for row, label_panels in enumerate(panels):
        highest = max(float(np.nan_to_num(rates[row]).max()), 1e-9)
        for column, axes in enumerate(label_panels):
            axes.set_facecolor("0.85")  # not recorded
            image = axes.imshow(rates[row, column], aspect="auto", vmin=0, vmax=highest, extent=(0, 24, n_days, 0))
            site = names.names[len(labels) + column]
            axes.set_title(f"{names.names[row]}{f', {site}' if site else ''}", **style)
            axes.tick_params(labelsize=LETTERS)
        bar = figure.colorbar(image, ax=list(label_panels), shrink=0.9)
        bar.ax.tick_params(labelsize=LETTERS)
    shown = np.unique(np.linspace(0, n_days - 1, min(n_days, 8)).round().astype(int))
    panels[0, 0].set_yticks(shown + 0.5, [(first + timedelta(days=int(day))).isoformat() for day in shown])
    panels[0, 0].set_xticks(range(0, 25, 6))
    figure.supxlabel("hour of the day; colours: events an hour of recording, grey: not recorded", fontsize=LETTERS + 1)
    figure.savefig(file, dpi=DPI, format="png")
