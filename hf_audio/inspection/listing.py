"""Which files a collection has and what is said of them, however broken it is."""

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..data.clip_tables import read_clip_table
from ..data.columns import PARTS, Columns
from ..data.tables import is_table
from ..data.tags import holds_lists, suspect_tags
from ..errors import DataError
from ..files import FOREIGN_REMEDY, name_some, search_folder
from .findings import Case, Finding, find


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
class Listing:
    """The files of a collection, each once, and what is odd about how they lie there."""

    entries: list[Entry]
    label_names: tuple[str, ...]
    findings: list[Finding]


def list_files(
    data: str | os.PathLike, columns: Columns | None = None, audio_dir: str | os.PathLike | None = None
) -> Listing:
    """The files of a folder or a table.

    Args:
        data: a folder with one folder a class, or with one folder a split above those, or with neither; or a table.
        columns: of the table, those that the user has named; the others go by their names, see `settle_columns`.
        audio_dir: where the table's files are, by default beside it.

    Raises:
        DataError: there is no such folder or table, no such column, or no audio in it.
    """
    path = Path(data)
    columns = columns or Columns()
    if path.is_dir():
        if columns != Columns() or audio_dir is not None:
            raise DataError(f"{data} is a folder, and columns are of a table: give the table, or leave them out.")
        listing = _list_folder(path)
    elif is_table(path):
        listing = _list_table(path, columns, audio_dir)
    else:
        raise DataError(f"{data} is neither a folder nor a table that ends in .csv or .tsv: check the path.")
    if not any(os.path.isfile(entry.path) for entry in listing.entries):
        raise DataError(f"{data} holds no audio files: give a folder of recordings, or a table with their paths.")
    return listing


def _list_folder(folder: Path) -> Listing:
    found = search_folder(folder)
    if found.unreadable and not found.audio:
        raise DataError(
            f"{folder} holds recordings of kinds that are not read, {name_some(found.unreadable)}: {FOREIGN_REMEDY}."
        )
    sounds = found.audio
    places = [file.relative_to(folder).parts for file in sounds]
    tops = {parts[0].lower() for parts in places if len(parts) > 1}
    # Folders `train` and `test` may be classes, too, of trains and of tests; all of them together are not.
    split = len(tops) > 0 and tops <= set(PARTS)
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
            [Case((str(path),), reason) for path, reason in (*found.unreachable, *found.repeated)],
        ),
        *find(
            "warning",
            "unreadable-kind",
            "Sound of a kind that is not read, and left out",
            "Convert them to WAV or FLAC.",
            [Case((str(file),)) for file in found.unreadable],
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
            [Case((str(file),)) for file in found.others],
        ),
        *find(
            "note",
            "hidden",
            "Hidden, and left out",
            "Delete them, if they are of no use.",
            [Case((str(file),)) for file in found.hidden],
        ),
    ]
    return Listing(entries, () if classless else ("label",), findings)


def _list_table(path: Path, columns: Columns, audio_dir: str | os.PathLike | None) -> Listing:
    table = read_clip_table(path, columns, audio_dir=audio_dir)
    folder = path.parent if audio_dir is None else audio_dir
    label_names = tuple(table.columns.labels)
    labels = zip(*map(table.column, label_names), strict=True) if label_names else ((),) * len(table.files)
    others = (table.column(table.columns.split), table.column(table.columns.group))
    by_path: dict[str, list[Entry]] = defaultdict(list)
    for file, own, split, group in zip(map(str, table.files), labels, *others, strict=True):
        by_path[file].append(Entry(file, own, split, group))
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
            "Keep the row that is right; if a recording may have several labels, train with --multi_label.",
            torn,
        ),
        *_find_several(label_names, [rows[0].labels for rows in by_path.values()]),
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


def _find_several(names: Sequence[str], labels: Sequence[tuple[str, ...]]) -> list[Finding]:
    """Columns whose cells look as if several tags were in them."""
    found = []
    for name, cells in zip(names, zip(*labels, strict=True), strict=False):
        doubt = "They are the text of lists" if holds_lists(cells) else suspect_tags(cells)
        if doubt is not None:
            found.append(Finding("note", "several", f"Column {name}: {doubt}.", "For tags, train with --multi_label."))
    return found


def _differences(rows: Sequence[Entry]) -> str:
    told = ["/".join(filter(None, [*row.labels, row.split, row.group])) for row in rows]
    return " and ".join(dict.fromkeys(told))
