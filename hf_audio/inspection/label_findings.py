"""What is wrong with the classes: too few, too small, misspelt, or told by the microphone."""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from ..data.classes import find_alike
from .clip_measures import ClipMeasures
from .findings import Case, Finding, count, find
from .listing import Entry

LARGEST_IMBALANCE = 10
MOST_BROKEN = 0.5  # of a class's files
CASES_OF_A_CLASS = 20
# What is said of a class must hold of so many clips, and of such shares of it and of the others.
FEWEST_CLIPS = 8
SHARE_WITHIN, SHARE_WITHOUT = 0.9, 0.1
# Levels in dB; that nearly all of a class are louder, or quieter, than nearly all others.
LEAST_DIFFERENCE, LEAST_ORDER = 12.0, 0.99
TRAINING_NAMES = ("train", "training")

TRAITS: tuple[tuple[str, Callable[[ClipMeasures], Any]], ...] = (
    ("sampling rate", lambda clip: f"{clip.rate} Hz"),
    ("number of channels", lambda clip: str(clip.channels)),
    ("format", lambda clip: clip.format),
    ("band", lambda clip: f"up to about {clip.bandwidth / 1000:.0f} kHz" if clip.ends_sharply else "open"),
)


def find_in_labels(entries: Sequence[Entry], label_names: Sequence[str]) -> list[Finding]:
    """Findings about the classes of all files that are listed, for each label column."""
    findings = []
    for column, name in enumerate(label_names):
        by_class = _by_class(entries, column)
        findings += _find_sizes(by_class, f" of {name!r}" if len(label_names) > 1 else "")
        findings += _find_misspelt(by_class)
        findings += _find_untaught(by_class)
    return findings


def _by_class(entries: Sequence[Entry], column: int) -> dict[str, list[Entry]]:
    """The files of every class of a label column."""
    by_class: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.labels[column]:
            by_class[entry.labels[column]].append(entry)
    return by_class


def find_broken_classes(
    entries: Sequence[Entry], label_names: Sequence[str], usable: Collection[str]
) -> list[Finding]:
    """Classes of which most files are broken or silent, as where one recorder's are.

    usable: paths of the files that are neither.
    """
    findings = []
    for column, name in enumerate(label_names):
        by_class = _by_class(entries, column)
        cases = []
        for label, own in by_class.items():
            broken = [entry for entry in own if entry.path not in usable]
            if len(broken) >= MOST_BROKEN * len(own):
                counted = f"{len(own) - len(broken)} of {count(len(own), 'file')} can be used"
                cases.append(_named(broken, f"{label}: {counted}"))
        column_name = f" of {name!r}" if len(label_names) > 1 else ""
        title = f"In classes{column_name} of which half or more cannot be used, {len(cases)} of {len(by_class)}"
        findings += find("error", "broken-class", title, "See below why: they are left out of training.", cases)
    return findings


def _named(entries: Sequence[Entry], name: str) -> Case:
    return Case(tuple(entry.path for entry in entries), name)


def _find_sizes(by_class: dict[str, list[Entry]], column: str) -> list[Finding]:
    sizes = {name: len(entries) for name, entries in by_class.items()}
    if len(sizes) == 1:
        name = next(iter(by_class))
        detail = f"All labelled files carry the one label{column} {name!r}."
        remedy = "Add clips of another class, in a folder of their own or with another label: a classifier needs two."
        return [Finding("error", "one-class", detail, remedy, ())]
    small = [_named(entries, name) for name, entries in by_class.items() if len(entries) == 1]
    findings = find(
        "warning",
        "single-clip",
        f"Classes{column} of one clip, {len(small)} of {len(sizes)}",
        "Add clips, or leave the class out: one clip can train or test, not both.",
        small,
    )
    if sizes and max(sizes.values()) >= LARGEST_IMBALANCE * min(sizes.values()):
        most, least = max(sizes, key=sizes.__getitem__), min(sizes, key=sizes.__getitem__)
        detail = f"Classes{column} are of unequal size: {sizes[most]} clips of {most!r}, {sizes[least]} of {least!r}."
        remedy = "Add clips of the small ones, or train with --balance sampler or --balance loss."
        findings.append(Finding("warning", "imbalance", detail, remedy, ()))
    return findings


def _find_misspelt(by_class: dict[str, list[Entry]]) -> list[Finding]:
    cases = []
    for names in find_alike(by_class):
        entries = [entry for name in names for entry in by_class[name]]
        cases.append(_named(entries, " and ".join(f"{name!r} ({len(by_class[name])})" for name in names)))
    return find(
        "error",
        "similar-names",
        "Classes that differ in case, spaces or marks alone, or are one number",
        "Give one class one name.",
        cases,
    )


def _find_untaught(by_class: dict[str, list[Entry]]) -> list[Finding]:
    splits = {entry.split for entries in by_class.values() for entry in entries}
    if not any(split.lower() in TRAINING_NAMES for split in splits):
        return []
    cases = [
        _named(entries, name)
        for name, entries in by_class.items()
        if not any(entry.split.lower() in TRAINING_NAMES for entry in entries)
    ]
    return find(
        "error",
        "untaught-class",
        "Classes without a training clip",
        "Move some of their clips to the training split, of recordings that are not tested on.",
        cases,
    )


def find_device_leaks(entries: Sequence[Entry], measures: Sequence[ClipMeasures]) -> list[Finding]:
    """Classes that a network could tell by how they were recorded, stored or levelled."""
    clips = [(entry, clip) for entry, clip in zip(entries, measures, strict=True) if any(entry.labels)]
    labels = np.array(["/".join(filter(None, entry.labels)) for entry, _ in clips])
    names, classes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    # Read once, not again for each of perhaps hundreds of classes.
    traits = [(trait, *np.unique([read(clip) for _, clip in clips], return_inverse=True)) for trait, read in TRAITS]
    levels = np.array([clip.level for _, clip in clips])
    cases: list[Case] = []
    for number in np.flatnonzero((sizes >= FEWEST_CLIPS) & (len(labels) - sizes >= FEWEST_CLIPS)):
        own = classes == number
        sentences = [_tell_trait(trait, values, kinds, own) for trait, values, kinds in traits]
        sentences.append(_tell_level(levels, own))
        paths = tuple(clips[place][0].path for place in np.flatnonzero(own)[:CASES_OF_A_CLASS])
        cases += [Case(paths, f"{names[number]}: {sentence}") for sentence in sentences if sentence]
    if not cases:
        return []
    return [
        Finding(
            "warning",
            "told-by-device",
            f"{len(cases)} times a class can be told by how it was recorded, not by what is heard.",
            "Record all classes with all devices, convert all files alike, and test on files of another origin.",
            tuple(cases),
        )
    ]


def _tell_trait(trait: str, values: np.ndarray, kinds: np.ndarray, own: np.ndarray) -> str:
    """What tells a class, if anything does.

    kinds: of every clip, the place of its value among the values. own: which clips are of the class.
    """
    within, without = (np.bincount(kinds[some], minlength=len(values)) for some in (own, ~own))
    usual = within.argmax()
    share_within, share_without = within[usual] / within.sum(), without[usual] / without.sum()
    if share_within < SHARE_WITHIN or share_without > SHARE_WITHOUT:
        return ""
    shares = f"in {share_within:.0%} of its clips and in {share_without:.0%} of the others"
    return f"its {trait} is {values[usual]} {shares}"


def _tell_level(levels: np.ndarray, own: np.ndarray) -> str:
    difference = float(np.median(levels[own]) - np.median(levels[~own]))
    others = np.sort(levels[~own])
    order = np.searchsorted(others, levels[own]).mean() / len(others)
    if abs(difference) < LEAST_DIFFERENCE or max(order, 1 - order) < LEAST_ORDER:
        return ""
    return f"it is {abs(difference):.0f} dB {'louder' if difference > 0 else 'quieter'} than the others"
