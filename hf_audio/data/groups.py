"""Which recordings belong together, by names, folders or a pattern: those of one group stay on one side of a split."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..errors import ArgumentError
from .layouts.known_layouts import NAME_SCHEMES, UUID
from .tables.columns import PARTS

SCHEME_SHARE = 0.6  # of a class's names, those that must be of a scheme
DATE = re.compile(
    r"(?<!\d)((?:19|20)\d\d)([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?=\D|(?:[01]\d|2[0-3])[0-5]\d[0-5]\d(?!\d)|$)"
)
ATOM = re.compile(rf"{UUID}|[^\W_]+")
RUN = re.compile(r"\d+|[^\W\d_]+")
TRIMMED = "-_. ()[]#"
# Names fall into groups where a group has so many files on the average, and hardly a file is alone.
LEAST_MEAN, LEAST_SHARE = 2.0, 0.8
FEWEST_WORDS = 3  # that classes share; two are rather conditions, such as loud and quiet
NUMBERS_STRIPPED = 4  # a piece's name may end with its place and its times
# A name without its class's is a speaker's or a place's; `rec1`, which is left of `dog_rec1`, is the class's own.
OF_A_CLASS = re.compile(
    r"(?:rec|recording|file|clip|take|track|seg|segment|part|sample|audio|sound|no)[-_ ]?\d*", re.I
)
SINGLE_WORD = re.compile(r"[^\W\d_]{2,}[-_ ]?\d*|[^\W\d_]\d+")


@dataclass(frozen=True)
class Grouping:
    """Which files belong together, and how that is known."""

    keys: list[str | None]
    """The group of every file; of one that belongs to no other, `None`."""
    by: str
    """In words that follow "by": "their names"."""
    example: str
    """Key of one group."""
    sparse: list[str]
    """Classes whose files are all of one group, so that they cannot be on both sides of a split."""

    @property
    def n_groups(self) -> int:
        """How many there are, files that belong to no other among them."""
        return len(set(self.keys) - {None}) + self.keys.count(None)


def group_by_names(paths: Sequence[str], labels: Sequence[str], *, asked: bool = False) -> Grouping | None:
    """The groups into which names fall, or `None` where they fall into none, as names that are numbered only.

    They fall by a known scheme, by folders below the class, by recorder and day, or by what stands before a number.

    Args:
        paths: of the files.
        labels: the class of every file; of several tags, one word for all.
        asked: whether the user says that the names tell groups. Words without a number, which may as well be kinds of
            sounds, are believed then, and not only where files of several classes share them.
    """
    by_class: dict[str, list[int]] = defaultdict(list)
    for row, label in enumerate(labels):
        by_class[label].append(row)
    names = _read_names(paths, labels)
    keys: list[str | None] = [None] * len(paths)
    in_words: set[str] = set()  # classes of whose keys words alone tell one from another
    for label, rows in sorted(by_class.items()):
        chosen, is_known = _choose([names[row] for row in rows])
        for row, key in zip(rows, chosen, strict=True):
            keys[row] = key
        if is_known:
            continue
        if _told_by_words(chosen):
            in_words.add(label)
        else:  # names before which no number stands are of no recording
            for row in rows:
                key = keys[row]
                keys[row] = key if key is not None and any(map(str.isdigit, key)) else None
    keys = _without_classes(keys, labels)
    if not asked:
        for label in in_words - _sharing(keys, labels):
            for row in by_class[label]:
                keys[row] = None
    sizes = Counter(keys)
    keys = [key if sizes[key] > 1 else None for key in keys]
    found: dict[str, set[str]] = defaultdict(set)
    for key, label in zip(keys, labels, strict=True):
        found[label] |= set() if key is None else {key}
    if all(len(class_keys) < 2 for class_keys in found.values()):
        return None
    return _grouping(keys, labels, "their names")


def group_by_folders(paths: Sequence[str], labels: Sequence[str]) -> Grouping:
    """The folders below the class's folder, or below the one that holds all files, as groups.

    Raises:
        ArgumentError: there are no such folders.
    """
    keys: list[str | None] = ["/".join(name.folders) or None for name in _read_names(paths, labels)]
    if not any(keys):
        raise ArgumentError(
            f"--group_by folder groups by folders below the classes, and there are none, {paths[0]} for one: leave it "
            "out, or sort the files of each recording into a folder of its own."
        )
    return _grouping(keys, labels, "their folders")


def group_by_pattern(paths: Sequence[str], labels: Sequence[str], pattern: str) -> Grouping:
    """What a regular expression finds in the names, without their endings: its first group, or all that it matches.

    Raises:
        ArgumentError: the pattern is none, or finds nothing in a name.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ArgumentError(f"--group_pattern {pattern} is no regular expression ({error}): mend it.") from error
    keys: list[str | None] = []
    missing = []
    for path in paths:
        found = compiled.search(PurePath(path).stem)
        key = None if found is None else next((part for part in found.groups() if part), found[0])
        missing += [] if key else [path]
        keys.append(key or None)
    if missing:
        raise ArgumentError(
            f"--group_pattern {pattern} finds nothing in {len(missing)} of {len(paths)} names, "
            f"{PurePath(missing[0]).stem} for one: give one that finds the recording or the speaker in every name."
        )
    return _grouping(keys, labels, f"the pattern {pattern} in their names")


def group_by_values(values: Sequence[str], labels: Sequence[str], column: str) -> Grouping:
    """The groups that a column of a table tells."""
    return _grouping(list(values), labels, f"their `{column}`")


def join_groups(
    names: Sequence[str], groupings: Iterable[Sequence[str | None]], copies: Iterable[Sequence[int]] = ()
) -> list[str]:
    """One group for every file: files that any of several groupings has together, directly or by way of others.

    Args:
        names: of the files; a file that belongs to no other is named by it.
        groupings: the key of every file in each of them; `None` where it belongs to no other.
        copies: rows of files that hold one sound.

    Returns:
        Names of groups, equal for files that belong together, and for no others: the first key of a group's first
        file that has one.
    """
    pairs: list[tuple[int, int]] = [(members[0], row) for members in copies for row in members[1:]]
    first_keys: list[str | None] = [None] * len(names)
    for keys in groupings:
        firsts: dict[str, int] = {}
        for row, key in enumerate(keys):
            if key is not None:
                pairs.append((firsts.setdefault(key, row), row))
                first_keys[row] = first_keys[row] or key
    first, second = np.array(pairs, dtype=int).reshape(-1, 2).T
    links = coo_array((np.ones(len(pairs)), (first, second)), shape=(len(names), len(names)))
    components = connected_components(links, directed=False)[1].tolist()
    called: dict[int, str] = {}
    for component, key in zip(components, first_keys, strict=True):
        if key is not None:
            called.setdefault(component, key)
    taken: set[str] = set()
    result: dict[int, str] = {}
    for component, file_name in zip(components, names, strict=True):
        if component not in result:
            wanted = called.get(component, file_name)
            name, number = wanted, 2
            while name in taken:  # a name may be a key of another grouping
                name, number = f"{wanted} ({number})", number + 1
            taken.add(name)
            result[component] = name
    return [result[component] for component in components]


def groups_of_classes(keys: Sequence[str | None], labels: Sequence[str]) -> dict[str, int]:
    """Class -> how many groups it has; a file that belongs to no other is a group."""
    found: dict[str, set] = defaultdict(set)
    for row, (key, label) in enumerate(zip(keys, labels, strict=True)):
        found[label].add(row if key is None else key)
    return {label: len(groups) for label, groups in sorted(found.items())}


def _grouping(keys: list[str | None], labels: Sequence[str], by: str) -> Grouping:
    sizes = Counter(key for key in keys if key is not None)
    sparse = [label for label, number in groups_of_classes(keys, labels).items() if number < 2]
    return Grouping(keys, by, sizes.most_common(1)[0][0], sparse)


@dataclass(frozen=True)
class _Name:
    """A file's name in its parts."""

    stem: str
    folders: tuple[str, ...]
    """Below the class's."""
    label: str

    @property
    def runs(self) -> list[tuple[str, int, int]]:
        """Words and numbers, each with where it begins and ends; an identifier of letters and digits is one run."""
        found = []
        for atom in ATOM.finditer(self.stem):
            if _is_identifier(atom[0]):
                found.append((atom[0], atom.start(), atom.end()))
            else:
                places = ((run[0], run.start(), run.end()) for run in RUN.finditer(atom[0]))
                found += [(text, atom.start() + start, atom.start() + end) for text, start, end in places]
        return found

    def below(self, key: str) -> str | None:
        """A part of the name, behind the folders that it lies in; `None` of an empty part."""
        key = key.strip(TRIMMED)
        return "/".join([*self.folders, key]) if key else None


def _read_names(paths: Sequence[str], labels: Sequence[str]) -> list[_Name]:
    """The names, and the folders below those of the classes, or below the one that holds all files."""
    split = [[unicodedata.normalize("NFC", part) for part in PurePath(path).parts[:-1]] for path in paths]
    depth = next((place for place, parts in enumerate(zip(*split, strict=False)) if len(set(parts)) > 1), None)
    common = min(map(len, split), default=0) if depth is None else depth
    names = []
    for path, parts, label in zip(paths, split, labels, strict=True):
        places = [place for place, part in enumerate(parts) if part == label]
        below = parts[places[-1] + 1 if places else common :]
        folders = tuple(part for part in below if not any(run.casefold() in PARTS for run in RUN.findall(part)))
        names.append(_Name(unicodedata.normalize("NFC", PurePath(path).stem), folders, label))
    return names


def _is_identifier(atom: str) -> bool:
    """Whether letters and digits are mixed by chance, as in hashes, of which no part means anything."""
    if re.fullmatch(UUID, atom):
        return True
    changes = len(RUN.findall(atom))
    return changes > 6 or (changes > 2 and bool(re.fullmatch(r"[0-9a-fA-F]{8,}", atom)))


def _choose(names: Sequence[_Name]) -> tuple[list[str | None], bool]:
    """The keys of a class's files by the first way that tells several groups, or else one group, or none.

    Whether it is a known scheme's comes second.
    """
    for scheme in NAME_SCHEMES.values():
        found = [scheme.fullmatch(name.stem) for name in names]
        matches = [match for match in found if match is not None]
        written_labels = {match["label"] for match in matches if "label" in scheme.groupindex}
        if len(matches) >= SCHEME_SHARE * len(names) and len(written_labels) <= 1:
            return [None if match is None else match["group"] for match in found], True
    one_group: list[str | None] = [None] * len(names)
    for keys in (*_by_folder(names), *_by_day(names), *_by_number(names)):
        if not _is_grouping(keys):
            continue
        if len(set(keys)) > 1:
            return keys, False
        # A name before all numbers is the class's, unless a number in it tells a recording.
        bare_key = _without_label(str(keys[0]), names[0].label)
        if any(character.isdigit() for character in bare_key):
            one_group = one_group if any(one_group) else keys
    return one_group, False


def _is_grouping(keys: Sequence[str | None]) -> bool:
    """Whether hardly a file of a class is alone."""
    sizes = Counter(keys)
    alone = sizes.pop(None, 0) + sum(size for size in sizes.values() if size == 1)
    n_groups = len(set(keys) - {None}) + sum(key is None for key in keys)
    return len(keys) - alone >= LEAST_SHARE * len(keys) and len(keys) >= LEAST_MEAN * n_groups


def _by_folder(names: Sequence[_Name]) -> Iterator[list[str | None]]:
    keys = ["/".join(name.folders) or None for name in names]
    if len(set(keys)) > 1:
        yield keys


def _by_day(names: Sequence[_Name]) -> Iterator[list[str | None]]:
    """Keys by recorder and day; where all is of one day, `_by_number` tells the recordings."""
    dates = [DATE.search(name.stem) for name in names]
    if all(dates):
        pairs = [(name, date) for name, date in zip(names, dates, strict=True) if date is not None]
        yield [name.below(f"{name.stem[: date.start()]}{date[1]}{date[3]}{date[4]}") for name, date in pairs]


def _by_number(names: Sequence[_Name]) -> Iterator[list[str | None]]:
    """Keys by what stands before the last number, or ends with it where words follow, or before earlier numbers."""
    numbers = [[run for run in reversed(name.runs) if run[0].isdigit()] for name in names]
    for stripped in range(NUMBERS_STRIPPED):
        yield [
            name.below(name.stem[: runs[stripped][1]]) if len(runs) > stripped else None
            for name, runs in zip(names, numbers, strict=True)
        ]
        if stripped == 0:
            yield [
                name.below(name.stem[: runs[0][2]]) if runs else None
                for name, runs in zip(names, numbers, strict=True)
            ]


def _told_by_words(keys: Sequence[str | None]) -> bool:
    """Whether no number tells the keys of a class from one another."""
    runs_of = {key: set(RUN.findall(key)) for key in keys if key is not None}
    if len(runs_of) < 2:
        return False
    in_all = set.intersection(*runs_of.values())
    return not any(run.isdigit() or _is_identifier(run) for runs in runs_of.values() for run in runs - in_all)


def _without_classes(keys: Sequence[str | None], labels: Sequence[str]) -> list[str | None]:
    """Keys without the name of the class, where a speaker or a place is left that other classes have too."""
    left: list[str | None] = []
    classes: dict[str, set[str]] = defaultdict(set)
    for key, label in zip(keys, labels, strict=True):
        rest = None
        if key is not None:
            rest = _without_label(key, label)
            if not SINGLE_WORD.fullmatch(rest) or OF_A_CLASS.fullmatch(rest):
                rest = None
        left.append(rest)
        if rest is not None:
            classes[rest].add(label)
    return [rest if rest is not None and len(classes[rest]) > 1 else key for key, rest in zip(keys, left, strict=True)]


def _without_label(key: str, label: str) -> str:
    return re.sub(rf"(?<![^\W_]){re.escape(label)}(?![^\W_])", "", key, count=1, flags=re.I).strip(TRIMMED)


def _sharing(keys: Sequence[str | None], labels: Sequence[str]) -> set[str]:
    """Classes most of whose keys are words that other classes have too, as speakers and places are, not kinds."""
    classes: dict[str, set[str]] = defaultdict(set)
    keys_of: dict[str, set[str]] = defaultdict(set)
    for key, label in zip(keys, labels, strict=True):
        if key is not None and len(key) > 1:  # notes are single letters
            classes[key].add(label)
            keys_of[label].add(key)
    shared = {key for key, found in classes.items() if len(found) > 1}
    if len(shared) < FEWEST_WORDS:
        return set()
    return {label for label, class_keys in keys_of.items() if len(class_keys & shared) > len(class_keys) / 2}
