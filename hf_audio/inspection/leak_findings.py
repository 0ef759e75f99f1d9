"""What is on both sides of a split, or twice under different names."""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from .duplicates import Copies, Link
from .findings import Case, Finding, Severity, find
from .listing import Entry

# Of two recordings that hold the same sound, the shares of both that count as whole.
WHOLE = 0.9
# A prefix that is common to more files than these is no recording's name.
LARGEST_GROUP, LARGEST_GROUP_SHARE = 50, 0.1
SEPARATORS = re.compile(r"[-_. ]")


def find_copies(entries: Sequence[Entry], copies: Sequence[Copies], seconds: Sequence[float]) -> list[Finding]:
    """Findings about the groups of `find_same_samples` and `find_same_sounds`; seconds: how long each entry lasts."""
    split: list[Case] = []
    torn: list[Case] = []
    plain: dict[bool, list[Case]] = {True: [], False: []}
    for group in copies:
        members = [entries[number] for number in group.members]
        how = "; ".join(_tell(link, entries, seconds) for link in group.links) or "the same samples"
        case = Case(tuple(entry.path for entry in members), how)
        splits = {entry.split for entry in members}
        labels = {entry.labels for entry in members if any(entry.labels)}
        if len(splits) > 1:
            split.append(Case(case.files, f"{' and '.join(sorted(splits))}: {how}"))
        if len(labels) > 1:
            names = sorted("/".join(filter(None, label)) for label in labels)
            torn.append(Case(case.files, f"{' and '.join(names)}: {how}"))
        if len(splits) == 1 and len(labels) <= 1:
            plain[not group.links].append(case)
    return [
        *find(
            "error",
            "copies-across-splits",
            "The same sound in several splits, so that the score would be too good",
            "Keep one of each group, or all of it in one split.",
            split,
        ),
        *find(
            "error",
            "copies-under-labels",
            "The same sound, in part at least, under different labels",
            "Keep the right label; what holds several classes is for a tagging recipe.",
            torn,
        ),
        *find("warning", "same-samples", "The same samples", "Keep one of each.", plain[True]),
        *find(
            "warning",
            "same-sound",
            "The same sound, in part at least",
            "Keep one of each, or keep each group in one split, by --group_column.",
            plain[False],
        ),
    ]


def _tell(link: Link, entries: Sequence[Entry], seconds: Sequence[float]) -> str:
    first, second = (os.path.basename(entries[number].path) for number in (link.first, link.second))
    whole = [link.seconds >= WHOLE * seconds[number] for number in (link.first, link.second)]
    if all(whole):
        sentence = "one sound"
    elif whole[0]:
        sentence = f"{first} is part of {second}"
    elif whole[1]:
        sentence = f"{second} is part of {first}"
    else:
        sentence = f"{link.seconds:.2f} s of {first} and {second} are one sound"
    later = first if link.shift > 0 else second
    if abs(link.shift) >= 0.01:
        sentence += f", {later} begins {abs(link.shift):.2f} s later"
    return f"{sentence} (correlation {link.correlation:.2f})"


def find_shared_groups(entries: Sequence[Entry]) -> list[Finding]:
    """Groups, by their column or by a hint in the names, of which several splits have files."""
    if len({entry.split for entry in entries}) < 2:
        return []
    if any(entry.group for entry in entries):
        grouped = _group((entry.group, entry) for entry in entries)
        remedy = "Split by groups: a network knows the speaker, the room or the recording again."
        return _find_shared(grouped, "error", "groups-across-splits", "Of groups in several splits", remedy)
    grouped = _group((_prefix(entry.path), entry) for entry in entries)
    largest = min(LARGEST_GROUP, max(2, LARGEST_GROUP_SHARE * len(entries)))
    grouped = {name: members for name, members in grouped.items() if len(members) <= largest}
    return _find_shared(
        grouped,
        "note",
        "names-across-splits",
        "Names that begin as others in another split, as parts of one recording do",
        "If they are, keep each recording in one split.",
    )


def _group(named: Iterable[tuple[str, Entry]]) -> dict[str, list[Entry]]:
    grouped = defaultdict(list)
    for name, entry in named:
        if name:
            grouped[name].append(entry)
    return grouped


def _prefix(path: str) -> str:
    """What a file's name says before its last separator, if that is followed by a part's letter or number."""
    stem = os.path.splitext(os.path.basename(path))[0]
    places = [found.start() for found in SEPARATORS.finditer(stem)]
    if not places or not re.fullmatch(r"[a-zA-Z]|(part|take|seg)?\d{1,3}", stem[places[-1] + 1 :], re.IGNORECASE):
        return ""
    prefix = stem[: places[-1]]
    return prefix if any(map(str.isdigit, prefix)) else ""  # or it is a class's name, and the number is the clip's


def _find_shared(
    grouped: dict[str, list[Entry]], severity: Severity, kind: str, title: str, remedy: str
) -> list[Finding]:
    cases = []
    for name, members in sorted(grouped.items()):
        splits = sorted({entry.split for entry in members})
        if len(splits) > 1:
            cases.append(Case(tuple(entry.path for entry in members), f"{name}: {' and '.join(splits)}"))
    return find(severity, kind, title, remedy, cases)
