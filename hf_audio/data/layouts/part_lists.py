"""Lists of files beside class folders, which say the parts, such as Speech Commands' `testing_list.txt`."""

import os
from dataclasses import replace
from pathlib import Path

from ..tables.columns import TRAIN
from .part_names import read_part_name
from .recordings import Recordings, with_parts

LIST_SUFFIXES = (".txt", ".lst")


def take_lists(found: Recordings, directory: Path) -> Recordings:
    """The parts that lists of files beside class folders say, such as Speech Commands' `testing_list.txt`."""
    if found.searched is None or found.table.columns.split is not None:
        return found
    lists = [file for file in found.searched.others if file.suffix.lower() in LIST_SUFFIXES]
    lists = [file for file in lists if file.parent == directory]
    named_parts = {
        file.stem: read for file in lists if (read := read_part_name(file.stem)) is not None and not read[1]
    }
    names = {os.path.normpath(file): row for row, file in enumerate(found.table.files)}
    parts = [TRAIN] * len(found.table.files)
    read_from = []
    for file in lists:
        if file.stem not in named_parts:
            continue
        rows = _listed_rows(file, directory, names)
        for row in rows:
            parts[row] = named_parts[file.stem][0]
        if rows:
            read_from.append(file)
    if not read_from:
        return found
    found.searched.others = [file for file in found.searched.others if file not in read_from]
    sentence = f"The parts are those of {' and '.join(file.name for file in read_from)}."
    return replace(with_parts(found, parts), split=sentence, messages=[*found.messages, f"{directory}: {sentence}"])


def _listed_rows(file: Path, directory: Path, names: dict[str, int]) -> list[int]:
    """The rows of the files that a list names, a line each; none where it is a text of another kind."""
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, ValueError):
        return []
    places = [directory / line.replace("\\", "/") for line in lines if line]
    return [names[name] for place in places if (name := os.path.normpath(place)) in names]
