"""Recordings in a folder a class: which folders are the classes, and which are parts, sessions or something else."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ..classes import composed
from ..tables.columns import TEST, TRAIN
from .known_layouts import NOISE_FOLDER
from .part_names import WORD, name_parts, read_part_name

NAMES_TOLD = 3

# What holds a data set, and is no class beside a folder of noise.
CONTAINERS = frozenset(
    "audio audios classes clips commands corpus data dataset datasets keywords recordings samples "  # noqa: SIM905
    "sounds wav wavs words".split()
)
NOISE_WORDS = frozenset({"ambience", "ambient", "background", "backgrounds", "noise", "noises", "silence"})
# Where recordings wait for somebody to sort them.
UNSORTED = frozenset(
    "download downloads inbox incoming temp tmp to_label to_sort trash unlabeled unlabelled "  # noqa: SIM905
    "unsorted upload uploads".split()
)


class Kind(NamedTuple):
    """What folders are that are called so."""

    words: str
    pattern: re.Pattern[str]
    is_sure: bool
    """That they are no classes; others may be, of a network that tells people or devices apart."""


_YEAR, _MONTH, _DAY = r"(?:19|20)\d\d", r"(?:0[1-9]|1[0-2])", r"(?:0[1-9]|[12]\d|3[01])"
_MONTHS = "|".join(
    rf"{month[:3]}(?:{month[3:]})?"
    for month in (
        *("january", "february", "march", "april", "may", "june", "july"),
        *("august", "september", "october", "november", "december"),
    )
)
FOLDS = Kind("folds", re.compile(r"(?:cv|k)?[-_ ]?(?:fold|split)s?[-_ ]?(\d+)"), True)
KINDS = (
    FOLDS,
    Kind("dates", re.compile(rf"(?:.*[^\d])?{_YEAR}[-_.]?{_MONTH}(?:[-_.]?{_DAY}(?:[^\d].*|T?\d{{4,6}})?)?"), True),
    Kind("dates", re.compile(rf"{_DAY}[-_.]{_MONTH}[-_.]{_YEAR}(?:\D.*)?"), True),
    Kind(
        "dates",
        re.compile(rf"(?:\d{{1,2}}[-_. ]*)?(?:{_MONTHS})[-_. ]*(?:\d{{1,2}}|{_YEAR})(?:[-_. ,]+{_YEAR})?"),
        True,
    ),
    Kind("ids", re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"), True),
    Kind("ids", re.compile(r"(?=.*\d)[0-9a-f]{16,}"), True),
    Kind("ids", re.compile(r"\d{9,}"), True),
    Kind("folders without a name", re.compile(r"(?:new|untitled) folder(?: ?\(?\d+\)?)?"), True),
    Kind("years", re.compile(rf"(?P<stem>){_YEAR}"), False),
    Kind(
        "people, devices or sessions",
        re.compile(
            r"(?P<stem>actor|batch|channel|chunk|client|day|device|folder|part|participant|patient|person|phone|mic|"
            r"microphone|rec|recorder|recording|recordist|sensor|session|singer|site|spk|speaker|station|subject|tape|"
            r"upload|user|visit|week)[-_ ]?(?:\d+|[a-z]|[0-9a-f]{4,})"
        ),
        False,
    ),
    Kind("ids", re.compile(r"(?P<stem>[a-z]{1,3}[-_]?)\d{3,8}"), False),  # p225, of a speaker
    Kind("ids", re.compile(r"(?P<stem>)(?:\d{4,8}|(?=.*\d)(?=.*[a-f])[0-9a-f]{8,15})"), False),
)


class Sorted(NamedTuple):
    """A recording in its folders."""

    path: Path
    label: str
    """The name of the class folder, composed (NFC): macOS and Linux write two forms."""
    part: str = ""
    """As its folder is called."""
    group: str = ""


@dataclass
class ClassFolders:
    """What the folders of a directory are taken for."""

    rows: list[Sorted] = field(default_factory=list)
    group: str | None = None
    """What the clips of one group share."""
    has_parts: bool = False
    outside: list[Path] = field(default_factory=list)
    """Recordings in no class folder."""
    messages: list[str] = field(default_factory=list)
    """What was done that nobody asked for, in sentences."""
    warnings: list[str] = field(default_factory=list)
    problem: str | None = None
    """Why these can be no classes, in a sentence."""

    @property
    def classes(self) -> list[str]:
        """The names of the classes."""
        return sorted({row.label for row in self.rows})


def read_class_folders(directory: Path, audio: Iterable[Path]) -> ClassFolders:
    """Which recordings are of which class, by the folders they lie in.

    Folders are classes. Above them may be the parts of a split, or folds, dates or people that hold the same classes
    again and again; below them, such parts, or whatever else, which counts for nothing.

    Args:
        directory: that holds the folders.
        audio: the recordings in it, at any depth.
    """
    reading = ClassFolders()
    found: list[tuple[Path, tuple[str, ...]]] = []
    for file in audio:
        places = file.parts[len(directory.parts) : -1]
        if places:
            found.append((file, places))
        else:
            reading.outside.append(file)
    placed = _set_noise_aside(directory, found, reading)
    tops = sorted({places[0] for _, places in placed})
    parts = name_parts(tops)
    if parts and len(parts) == len(tops):
        _read_parts_above(directory, placed, reading)
    elif (torn := _find_torn_parts(tops, placed)) is not None:
        train, other = torn
        reading.problem = _explain_torn_parts(directory, train, other)
    elif _are_parts_below(placed):
        reading.has_parts = True
        reading.rows = [Sorted(file, composed(places[0]), part=places[1]) for file, places in placed]
        reading.messages.append(
            f"Below the class folders of {directory}, the folders are taken for parts: {_some(tops)}."
        )
    elif (kind := _kind_above(placed)) is not None:
        _read_kind_above(directory, placed, kind, reading)
    else:
        reading.rows = [Sorted(file, composed(places[0])) for file, places in placed]
        _look_for_containers(directory, placed, reading)
    if reading.problem is None:
        _doubt_names(directory, reading)
    return reading


Placed = Sequence[tuple[Path, tuple[str, ...]]]
"""Files with the folders they lie in, from the outermost."""


def _set_noise_aside(directory: Path, placed: Placed, reading: ClassFolders) -> Placed:
    """What is left without the background noise of Speech Commands' layout."""
    kept = [row for row in placed if NOISE_FOLDER not in row[1]]
    if not kept or len(kept) == len(placed):
        return placed
    places = next(places for _, places in placed if NOISE_FOLDER in places)
    reading.messages.append(_offer_background(directory.joinpath(*places[: places.index(NOISE_FOLDER) + 1])))
    return kept


def _offer_background(folder: Path) -> str:
    return f"{folder.name} is background and not a class: to learn from it, add --background {folder}."


def _read_parts_above(directory: Path, placed: Placed, reading: ClassFolders) -> None:
    """`train/dog/1.wav`."""
    flat = sorted({places[0] for _, places in placed if len(places) == 1})
    deep = sorted({places[0] for _, places in placed if len(places) > 1})
    if not deep:
        reading.has_parts = True
        reading.outside += [file for file, _ in placed]
        reading.problem = (
            f"{directory} holds {_some(flat)}, called as the parts of a data set are, and no class folders in them: "
            "put a metadata.csv with the columns file_name and label into each, or sort their recordings into class "
            "folders."
        )
        return
    if flat_only := [name for name in flat if name not in deep]:
        train = next((name for name in deep if name_parts([name])), deep[0])
        reading.problem = _explain_torn_parts(directory, train, flat_only[0])
    reading.has_parts = True
    reading.outside += [file for file, places in placed if len(places) == 1]
    reading.rows = [Sorted(file, composed(places[1]), part=places[0]) for file, places in placed if len(places) > 1]


def _find_torn_parts(tops: Sequence[str], placed: Placed) -> tuple[str, str] | None:
    """A folder of the training part, with class folders, and one beside it that is no part; `None` if there is none.

    A class may be called train, after the vehicle: it then has ordinary neighbours.
    """
    named = [top for top in tops if read_part_name(top) is not None]
    train = [top for top in name_parts(tops) if read_part_name(top) == (TRAIN, ())]
    divided = [top for top in train if len({places[1] for _, places in placed if places[0] == top and places[1:]}) > 1]
    if not divided or len(named) < 2:
        return None
    with_classes = {places[0] for _, places in placed if len(places) > 1 and places[0] in named}
    others = [top for top in tops if top not in with_classes] or [top for top in tops if top not in name_parts(tops)]
    return divided[0], others[0]


def _explain_torn_parts(directory: Path, train: str, other: str) -> str:
    return (
        f"{directory} holds {train}/ with class folders, and {other}, which is no such part: move {other} elsewhere, "
        "or sort its recordings into class folders."
    )


def _are_parts_below(placed: Placed) -> bool:
    """Whether it is `dog/train/1.wav` everywhere."""
    if not placed or any(len(places) < 2 for _, places in placed):
        return False
    below = {places[1] for _, places in placed}
    parts = name_parts(below)
    return len(parts) == len(below) > 1 and len(set(parts.values())) > 1


def find_kind(name: str) -> Kind | None:
    """What a folder is that is called so, if it is likely to be no class."""
    return next((kind for kind in KINDS if kind.pattern.fullmatch(name.casefold())), None)


def _kind_above(placed: Placed) -> Kind | None:
    """What the outermost folders are, if they all are called so and hold the same folders again and again."""
    kinds = {find_kind(places[0]) for _, places in placed}
    kind = next(iter(kinds), None)
    if kind is None or len(kinds) > 1 or any(len(places) < 2 for _, places in placed):
        return None
    holders = _holders(placed)
    if len(holders) < 2 or any(find_kind(name) for name in holders):
        return None
    recurring = sum(len(above) > 1 for above in holders.values())
    return kind if 2 * recurring >= len(holders) else None


def _holders(placed: Placed) -> dict[str, set[str]]:
    """Inner folders by their names, and the outermost ones that hold them."""
    holders: dict[str, set[str]] = defaultdict(set)
    for _, places in placed:
        if len(places) > 1:
            holders[places[1]].add(places[0])
    return holders


def _read_kind_above(directory: Path, placed: Placed, kind: Kind, reading: ClassFolders) -> None:
    """`fold1/dog/1.wav`, `2023-05-01/dog/1.wav`."""
    tops = sorted({places[0] for _, places in placed})
    parts = dict.fromkeys(tops, "")
    if kind is FOLDS:
        last = max(tops, key=lambda name: int(re.findall(r"\d+", name)[-1]))
        parts = {top: TEST if top == last else TRAIN for top in tops}
        reading.has_parts = True
        done = f"the folders in them are the classes, and {last} is tested"
    else:
        reading.group = "folder"
        done = "the folders in them are the classes, and the clips of one of them stay together"
    reading.messages.append(f"{_some(tops)} of {directory} are taken for {kind.words}: {done}.")
    reading.rows = [
        Sorted(file, composed(places[1]), part=parts[places[0]], group=places[0]) for file, places in placed
    ]


def _look_for_containers(directory: Path, placed: Placed, reading: ClassFolders) -> None:
    """`dataset/yes/1.wav` beside `background_noise/1.wav`, where the words are the classes."""
    tops = sorted({places[0] for _, places in placed})
    holders = _holders(placed)
    noises = [top for top in tops if NOISE_WORDS.intersection(_words(top))]
    direct = {places[0] for _, places in placed if len(places) == 1}
    inner = {top: sorted(name for name, above in holders.items() if above == {top}) for top in tops}
    shared = {top for above in holders.values() if len(above) > 1 for top in above}
    full = [top for top in tops if len(inner[top]) > 1 and top not in direct | shared and top not in noises]
    containers = [top for top in full if CONTAINERS.issuperset(_words(top))]
    others = [top for top in tops if top not in noises]
    if len(containers) == 1 and others == containers and noises:
        reading.rows = [Sorted(file, composed(places[1])) for file, places in placed if places[0] == containers[0]]
        reading.messages.append(
            f"The classes are the folders in {directory / containers[0]}: {_some(inner[containers[0]])}."
        )
        reading.messages += [_offer_background(directory / noise) for noise in noises]
    elif containers and len(tops) > 1:
        reading.problem = _explain_container(directory, containers[0], inner[containers[0]], tops)
    elif len(full) == 1 < len(tops) and not any(map(_is_session, inner[full[0]])):
        explained = _explain_container(directory, full[0], inner[full[0]], tops)
        if others == full:
            reading.problem = explained
        elif len(tops) == 1 + len(direct):  # one class may have been sorted further than the others
            reading.warnings.append(explained)


def _is_session(name: str) -> bool:
    """Whether a folder is called as one for the recordings of a day or a person: `2023-05-01`, `session2`, `r03`."""
    return find_kind(name) is not None or re.fullmatch(r"[^\W\d_]{0,2}[-_ ]?\d+", name) is not None


def _explain_container(directory: Path, container: str, inner: Sequence[str], tops: Sequence[str]) -> str:
    other = next(top for top in tops if top != container)
    return (
        f"{directory} holds {container}/ with the folders {_some(inner)}, and {other}: if those are the classes, pass "
        f"{directory / container} as --data_dir; if {container} is one class, move its recordings out of the folders."
    )


def _doubt_names(directory: Path, reading: ClassFolders) -> None:
    """Classes whose names are those of something else."""
    names = reading.classes
    kinds = {name: kind for name in names if (kind := find_kind(name)) is not None}
    sure = [name for name, kind in kinds.items() if kind.is_sure]
    unsorted = [name for name in names if "_".join(_words(name)) in UNSORTED]
    parts = [name for name in names if (read := read_part_name(name)) is not None and not read[1]]
    remedy = "put the label of each recording into a table with the columns file_name and label, or sort them by class"
    if len(sure) > 1:
        reading.problem = (
            f"{directory} holds the folders {_some(sure)}, which are {kinds[sure[0]].words} and no classes: {remedy}."
        )
    elif unsorted and len(names) > 1:
        reading.problem = (
            f"{directory} holds the folder {unsorted[0]} beside classes, where recordings wait to be sorted: move it "
            "elsewhere, or rename it if it is a class."
        )
    elif len({read_part_name(name) for name in parts}) > 1:
        reading.problem = (
            f"{directory} holds the folders {_some(parts)}, which are called as the parts of a data set are, beside "
            f"others: {remedy}."
        )
    elif sure or (len(kinds) == len(names) > 1 and len({_stem(name, kinds[name]) for name in names}) == 1):
        doubted = sure or names
        reading.warnings.append(
            f"The folders {_some(doubted)} of {directory} look like {kinds[doubted[0]].words}, and are trained as "
            f"classes: if they are none, {remedy}."
        )


def _stem(name: str, kind: Kind) -> tuple[str, str]:
    """What the names of several people have in common: aeroplanes are called a320 and b737, and are no people."""
    found = kind.pattern.fullmatch(name.casefold())
    return kind.words, found["stem"] if found else ""


def _words(name: str) -> list[str]:
    return [word.casefold() for word in WORD.findall(name)]


def _some(names: Sequence[str]) -> str:
    """The first few names, and how many more there are, for a sentence."""
    listed = ", ".join(names[:NAMES_TOLD])
    return listed if len(names) <= NAMES_TOLD else f"{listed} and {len(names) - NAMES_TOLD} more"
