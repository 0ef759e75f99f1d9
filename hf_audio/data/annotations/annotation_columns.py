"""The columns of a table of annotations that name recordings, labels and frequencies, found by their names."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ...errors import DataError
from ..classes import simple_name
from ..tables.columns import FURTHER_PATH_NAMES, PATH_NAMES, guess_label, holds_sounds, is_indicator
from .times import KILOHERTZ, are_numbers, is_blank, read_name, read_number

# What people call columns, the likeliest name first; capitals, blanks, signs and units do not count.
LOW_NAMES = (
    *(
        "lowfreq",
        "lowf",
        "minfreq",
        "freqlow",
        "freqmin",
        "fmin",
        "flow",
        "bottomfreq",
        "lowfrequency",
        "minfrequency",
    ),
    *("frequencymin", "frequencylow", "minimumfreq", "lowerfrequency", "lowestfreq"),
)
HIGH_NAMES = (
    *("highfreq", "highf", "maxfreq", "freqhigh", "freqmax", "fmax", "fhigh", "topfreq", "highfrequency"),
    *("maxfrequency", "frequencymax", "frequencyhigh", "maximumfreq", "upperfrequency", "highestfreq"),
)
WARBLER_NAMES = ("bottomfreq", "topfreq")  # which are in kHz
# Of recordings, beside the names that all tables use; Raven's path says more than its name.
RECORDING_NAMES = (
    "beginpath",
    "beginfile",
    "infile",
    "recording",
    "soundfiles",
    "soundfile",
    "recordingname",
    "recordingid",
    "source",
)
LABEL_NAMES = (
    *("annotation", "annotations", "eventlabel", "calltype", "behavior", "behaviour", "speciescode", "ebirdcode"),
    *("manualid", "autoid", "speciesid", "labelid", "classid"),
)
# Parts of the names of columns of labels that somebody has made up.
LABEL_WORDS = ("annotation", "species", "label", "call", "class", "sound", "vocal", "tag", "event")
MARKER_NAME = "name"  # of Audition's and Reaper's markers, whose `Type` says of which kind a marker is
FURTHER_LABEL_WORDS = ("code", "type", "name")
# Raven's own measurements, which no person has written.
MEASURED = ("selec", "view", "channel", "freq", "time", "power", "energy", "entropy", "file", "path", "date", "hz")


def find_column(cells: Mapping[str, Sequence[str]], *usual: str) -> str | None:
    """The first column that is called by one of these names, the likeliest name first."""
    keys = {read_name(name).key: name for name in reversed(list(cells))}
    return next((keys[key] for key in usual if key in keys), None)


def guess_recording(cells: Mapping[str, Sequence[str]]) -> str | None:
    """The column of the names of recordings, by its name, or because its cells end as those of audio files do."""
    keys = {read_name(name).key: name for name in reversed(list(cells))}
    usual = (*RECORDING_NAMES[:3], *map(simple_name, (*PATH_NAMES, *FURTHER_PATH_NAMES)), *RECORDING_NAMES[3:])
    named = (keys[key] for key in usual if key in keys and not all(map(is_blank, cells[keys[key]])))
    return next(named, None) or next((name for name in cells if holds_sounds(cells[name])), None)


def guess_labels(path: Path, cells: Mapping[str, Sequence[str]], used: set[str | None]) -> Sequence[str]:
    """The column of the labels, or columns of 0 and 1 that are named as what sounds.

    Raises:
        DataError: there is none.
    """
    left = [name for name in cells if name not in used and not all(map(is_blank, cells[name]))]
    usual = guess_label(left, several=True)
    if usual is not None:
        return [usual]
    keys = {read_name(name).key: name for name in reversed(left)}
    written = [name for key, name in keys.items() if not any(word in key for word in MEASURED)]
    exact = next((keys[key] for key in LABEL_NAMES if key in keys), None)
    if exact is not None:
        return [exact]
    marks = [name for name in written if is_indicator(cells[name])]
    spoken = [name for name in written if not are_numbers(cells[name]) and name not in marks]
    if len(marks) > 1 or (marks and not spoken):
        return [name for name in cells if name in marks]
    likely = next((name for word in LABEL_WORDS for name in spoken if word in read_name(name).key), None)
    likely = likely or next((name for name in spoken if read_name(name).key == MARKER_NAME), None)
    likely = likely or next(
        (name for word in FURTHER_LABEL_WORDS for name in spoken if word in read_name(name).key), None
    )
    # A single column of 0 and 1 beside words may be what sounds, or tell what somebody has verified.
    if likely is None and (len(spoken) != 1 or marks):
        raise DataError(
            f"{path} says from when to when, and has no column that is called as one of labels usually is; its "
            f"columns are {', '.join(cells)}: add --label_column NAME, or a column `label`."
        )
    return [likely or spoken[0]]


def is_label_name(column: str) -> bool:
    """Whether a column is called as one of labels, so that 0 and 1 in it are classes."""
    return guess_label([column], several=True) is not None or read_name(column).key in LABEL_NAMES


def are_marks(cells: Mapping[str, Sequence[str]], columns: Sequence[str]) -> bool:
    """Whether columns say by 1 and 0 what sounds, by their names."""
    return all(is_indicator(cells[name]) for name in columns) and (
        len(columns) > 1 or (len(columns) == 1 and not is_label_name(columns[0]))
    )


def read_frequencies(cells: Mapping[str, Sequence[str]], usual: Sequence[str]) -> list[float | None]:
    """The cells of a column of frequencies, in Hz; nothing where there is no such column."""
    column = find_column(cells, *usual)
    n_rows = len(next(iter(cells.values()), []))
    if column is None:
        return [None] * n_rows
    named = read_name(column)
    scale = 1000 if named.unit == KILOHERTZ or named.key in WARBLER_NAMES else 1
    found: list[float | None] = []
    for cell in cells[column]:
        try:
            found.append(read_number(cell) * scale)
        except ValueError:
            found.append(None)
    return found
