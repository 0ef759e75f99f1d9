"""Which files a collection has and what is said of them, however broken it is."""

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..data.columns import LABEL_COLUMNS
from ..data.tables import TABLE_SUFFIXES, read_table
from ..errors import DataError
from ..files import AUDIO_SUFFIXES
from .findings import Case, Finding, find

SPLIT_NAMES = frozenset(
    ["train", "training", "validation", "valid", "val", "dev", "test", "testing", "eval", "evaluation"]
)
SPLIT_COLUMN = "split"


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
class Columns:
    """How the columns of a table are called."""

    path: str = "path"
    labels: tuple[str, ...] = ()
    """None: those of `number` and `label` that there are."""
    split: str | None = None
    """`None`: `split`, if there is such a column."""
    group: str | None = None


@dataclass(frozen=True)
class Listing:
    """The files of a collection, each once, and what is odd about how they lie there."""

    entries: list[Entry]
    label_names: tuple[str, ...]
    findings: list[Finding]


def list_files(data: str | os.PathLike, columns: Columns, audio_dir: str | os.PathLike | None = None) -> Listing:
    """The files of a folder or a table.

    Args:
        data: a folder with one folder a class, or with one folder a split above those, or with neither; or a table.
        columns: those of the table.
        audio_dir: where the table's files are, by default beside it.

    Raises:
        DataError: there is no such folder or table, no such column, or no audio in it.
    """
    path = Path(data)
    if path.is_dir():
        if columns != Columns() or audio_dir is not None:
            raise DataError(f"{data} is a folder, and columns are of a table: give the table, or leave them out.")
        listing = _list_folder(path)
    elif path.suffix.lower() in TABLE_SUFFIXES:
        listing = _list_table(path, columns, Path(audio_dir) if audio_dir is not None else path.parent)
    else:
        raise DataError(f"{data} is neither a folder nor a table that ends in .csv or .tsv: check the path.")
    if not any(os.path.isfile(entry.path) for entry in listing.entries):
        raise DataError(f"{data} holds no audio files: give a folder of recordings, or a table with their paths.")
    return listing


def _list_folder(folder: Path) -> Listing:
    sounds: list[Path] = []
    others: list[Case] = []
    hidden: list[Case] = []
    unreachable: list[Case] = []
    for file in _walk(folder, unreachable):
        if any(part.startswith(".") for part in file.relative_to(folder).parts):
            hidden.append(Case((str(file),)))
        elif file.suffix.lower() not in AUDIO_SUFFIXES:
            others.append(Case((str(file),)))
        else:
            sounds.append(file)
    places = [file.relative_to(folder).parts for file in sounds]
    tops = {parts[0].lower() for parts in places if len(parts) > 1}
    # Folders `train` and `test` may be classes, too, of trains and of tests; all of them together are not.
    split = len(tops) > 0 and tops <= SPLIT_NAMES
    entries = []
    outside = []
    for file, parts in zip(sounds, places, strict=True):
        above = parts[int(split and len(parts) > 1) : -1]
        entries.append(Entry(str(file), above[:1] or ("",), parts[0] if split and len(parts) > 1 else ""))
        if not above:
            outside.append(Case((str(file),)))
    classless = len(outside) == len(entries)
    if classless:
        entries = [Entry(entry.path, (), entry.split) for entry in entries]
    findings = [
        *find(
            "warning",
            "unreachable",
            "Links or folders that lead nowhere, in a circle, or may not be read",
            "Remove links that lead in a circle or nowhere, and let yourself read the folder.",
            unreachable,
        ),
        *find(
            "warning",
            "outside-classes",
            "In no class folder",
            "Move each into the folder of its class.",
            [] if classless else outside,
        ),
        *find(
            "note",
            "no-audio",
            "No audio by the name, and left out",
            "Convert sounds among them to WAV or FLAC.",
            others,
        ),
        *find("note", "hidden", "Hidden, and left out", "Delete them, if they are of no use.", hidden),
    ]
    return Listing(entries, () if classless else ("label",), findings)


def _walk(folder: Path, unreachable: list[Case]) -> Iterator[Path]:
    """All files below a folder, through links too, but into no folder that it lies in itself."""
    stack = [(folder, frozenset([os.path.realpath(folder)]))]
    while stack:
        place, above = stack.pop()
        try:
            found = sorted(place.iterdir())
        except OSError as error:
            unreachable.append(Case((str(place),), error.strerror or str(error)))
            continue
        for file in found:
            if file.is_dir():
                real = os.path.realpath(file)
                if real in above:
                    unreachable.append(Case((str(file),), "a link to a folder that it lies in"))
                else:
                    stack.append((file, above | {real}))
            elif file.is_file():
                yield file
            elif file.is_symlink():
                unreachable.append(Case((str(file),), "a link that leads nowhere"))


def _list_table(path: Path, columns: Columns, folder: Path) -> Listing:
    named = [name for name in (columns.split, columns.group) if name is not None]
    table = read_table(path, [columns.path, *columns.labels, *named])
    label_names = columns.labels or tuple(name for name in LABEL_COLUMNS if name in table)
    split = columns.split or (SPLIT_COLUMN if SPLIT_COLUMN in table else None)
    by_path: dict[str, list[Entry]] = defaultdict(list)
    for row in table.to_dict("records"):
        file = str(folder / row[columns.path].strip())
        labels = tuple(row[name].strip() for name in label_names)
        others = [row[name].strip() if name is not None else "" for name in (split, columns.group)]
        by_path[file].append(Entry(file, labels, *others))
    missing = [Case((file,)) for file in by_path if not os.path.isfile(file)]
    repeated = [Case((file,), f"{len(rows)} times") for file, rows in by_path.items() if len(rows) > 1]
    torn = [Case((file,), _differences(rows)) for file, rows in by_path.items() if len(set(rows)) > 1]
    blank = [
        Case((file,)) for file, rows in by_path.items() if label_names and not any(label for label in rows[0].labels)
    ]
    findings = [
        *find(
            "error",
            "missing",
            "In the table, but not on the disk",
            f"Restore them, remove their rows, or say by --audio_dir where they are, if not in {folder}.",
            missing,
        ),
        *find(
            "error",
            "contradicted",
            "Listed more than once, under different labels, splits or groups",
            "Keep the row that is right; of several tags, tagging recipes know.",
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
    return Listing([rows[0] for rows in by_path.values()], label_names, findings)


def _differences(rows: Sequence[Entry]) -> str:
    told = ["/".join(filter(None, [*row.labels, row.split, row.group])) for row in rows]
    return " and ".join(dict.fromkeys(told))
