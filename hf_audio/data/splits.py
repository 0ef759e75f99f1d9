"""Which clips are trained on, validate and test; groups stay whole."""

import logging
import warnings
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from datasets import ClassLabel, Dataset
from sklearn.model_selection import StratifiedGroupKFold, StratifiedShuffleSplit

from ..errors import DataError
from ..models.configuration_audio_cnn import NONE_OF_THESE
from .rows import UNVERIFIED_COLUMN, class_names, has_tags

logger = logging.getLogger(__name__)

JUDGED = {"validation": "validated", "test": "tested"}  # what happens to the clips of a part


def split_held_out(
    dataset: Dataset, held_out: Sequence[np.ndarray], group_column: str | None = None, unheard: Collection[str] = ()
) -> list[Dataset]:
    """Training clips, and those of each mask, (clips,) of bool; of the classes `unheard`, no clip need be trained on.

    With `group_column` (speaker, recording), clips that share its value with a held-out one are not trained on.

    Raises:
        DataError: a part would be empty, or no training clip of a class is left.
    """
    tested = np.any([np.zeros(len(dataset), dtype=bool), *held_out], axis=0)
    trained = ~tested
    if group_column is not None:
        groups = np.asarray(dataset[group_column])
        trained &= ~np.isin(groups, groups[tested])
    if not all(mask.any() for mask in held_out) or not trained.any():
        raise DataError(f"The split leaves no clips to {'test' if trained.any() else 'train'} on: check the data.")
    n_dropped = len(dataset) - tested.sum() - trained.sum()
    if n_dropped:
        logger.warning(
            "%d clips are not trained on: they share their %s with held-out clips.", n_dropped, group_column
        )
    parts = [dataset.select(np.flatnonzero(rows)) for rows in (trained, *held_out)]
    if isinstance(dataset.features["label"], ClassLabel):
        counts = {name: count for name, count in class_counts(parts[0]).items() if name not in unheard}
        check_classes(counts, parts[1:])
    return parts


def check_classes(counts: Mapping[str, int], tests: Sequence[Dataset]) -> None:
    """Tell of classes with hardly a training clip; counts: training clips of each class.

    Raises:
        DataError: a class of a test part has none.
    """
    tested = [class_counts(test) for test in tests]
    missing = [name for name, count in counts.items() if count == 0 and name != NONE_OF_THESE]  # of a background
    untaught = [name for name in missing if any(test[name] for test in tested)]
    if untaught:
        raise DataError(
            f"No training clip of {', '.join(untaught)}: add some, or leave the class out of the test clips."
        )
    if missing:
        logger.warning("No clip at all, so these are never learnt and never judged: %s.", ", ".join(missing))
    single = [name for name, count in counts.items() if count == 1]
    if single:
        logger.warning("One training clip only, too few to learn from: %s. Add clips.", ", ".join(single))


def class_counts(dataset: Dataset) -> dict[str, int]:
    """How many clips each class has."""
    counts = Counter(dataset["label"][:])
    return {name: counts[number] for number, name in enumerate(dataset.features["label"].names)}


def split_validation(
    dataset: Dataset, fraction: float, seed: int, group_column: str | None = None
) -> tuple[Dataset, Dataset]:
    """The data set in two, the second with about `fraction` of the rows, as `split_off` draws them.

    Clips whose label nobody has verified count for nothing; they are in the first part, or, of a group in the second,
    in none.

    Raises:
        DataError: a fraction outside (0, 0.5], or too few clips or groups to split.
    """
    if not 0 < fraction <= 0.5:
        raise DataError(f"The validation fraction {fraction} must lie between 0 and 0.5.")
    unverified = np.zeros(len(dataset), dtype=bool)
    if UNVERIFIED_COLUMN in dataset.column_names:
        unverified = np.asarray(dataset[UNVERIFIED_COLUMN][:], dtype=bool)
    rows = np.flatnonzero(~unverified)
    if len(rows) == 0:
        raise DataError("No training clip has a verified label to validate by: leave --validation_fraction at 0.")
    validated = np.zeros(len(dataset), dtype=bool)
    validated[rows] = split_off(dataset.select(rows), fraction, seed, group_column, "validation")
    left_out = validated
    if group_column is not None:
        groups = np.asarray(dataset[group_column])
        left_out = validated | (unverified & np.isin(groups, groups[validated]))
    return dataset.select(np.flatnonzero(~left_out)), dataset.select(np.flatnonzero(validated))


def split_off(dataset: Dataset, fraction: float, seed: int, group_column: str | None, part: str) -> np.ndarray:
    """Which rows to hold out, (rows,) of bool: about `fraction` of them, classes in their proportions.

    Of several tags, the rarest one counts as the class. A class with one clip keeps it, with a warning. With
    `group_column` (speaker, recording), whole groups are drawn, one of `round(1 / fraction)` folds of them, but none
    that has all clips of a class. To test on, a clip or a group of every class is drawn that has two.

    Args:
        dataset: rows with a `label`.
        fraction: to be held out.
        seed: of the draw.
        group_column: or `None`.
        part: "validation" or "test".

    Raises:
        DataError: too few clips or groups.
    """
    labels, names = strata(dataset)
    if group_column is None:
        drawn = _draw_clips(labels, names, fraction, seed, part)
        groups = np.arange(len(labels)).astype(str)
    else:
        if group_column not in dataset.column_names:
            raise DataError(f"There is no column {group_column!r} to group by: {', '.join(dataset.column_names)}.")
        groups = np.asarray(dataset[group_column])
        drawn = _draw_groups(groups, labels, names, fraction, seed, part, group_column)
    if part == "test":
        _cover_classes(drawn, groups, labels, seed)
    return drawn


def _draw_clips(labels: np.ndarray, names: Sequence[str], fraction: float, seed: int, part: str) -> np.ndarray:
    """Single clips to hold out, as `split_off`; labels: (rows,) of indices of names."""
    drawn = np.zeros(len(labels), dtype=bool)
    counts = np.bincount(labels, minlength=labels.max() + 1)
    single = counts[labels] < 2
    if single.any():
        lonely = ", ".join(sorted({names[label] for label in labels[single]}))
        logger.warning("One clip only, so trained on and not %s: %s.", JUDGED[part], lonely)
    rows, left = np.flatnonzero(~single), labels[~single]
    n_classes = len(set(left.tolist()))
    n_drawn = max(round(fraction * len(rows)), n_classes)
    if n_classes == 0 or len(rows) - n_drawn < n_classes:
        raise DataError(f"{len(labels)} clips are too few to hold out {fraction:g} of them for {part}.")
    splitter = StratifiedShuffleSplit(1, test_size=n_drawn, random_state=seed)
    drawn[rows[next(splitter.split(rows, left))[1]]] = True
    return drawn


def _draw_groups(
    groups: np.ndarray, labels: np.ndarray, names: Sequence[str], fraction: float, seed: int, part: str, column: str
) -> np.ndarray:
    """Whole groups to hold out, as `split_off`."""
    drawn = np.zeros(len(labels), dtype=bool)
    kept = needed_groups(groups, labels)
    if kept:
        classes = [names[label] for label in np.unique(labels) if len(np.unique(groups[labels == label])) == 1]
        logger.warning(
            "All clips of a class are of one %s, so trained on and not %s: %s.",
            column,
            JUDGED[part],
            ", ".join(f"{name} ({group})" for name, group in zip(classes, kept.values(), strict=True)),
        )
    rows = np.flatnonzero(~np.isin(groups, list(kept.values())))
    n_groups = len(set(groups[rows].tolist()))
    if n_groups < 2:
        raise DataError(f"Only one {column} is left: a {part} part needs another one.")
    labels_left, groups_left = labels[rows], groups[rows]
    if np.bincount(labels_left).max() < 2:
        raise DataError(f"{len(rows)} clips are too few to hold out {fraction:g} of them for {part}.")
    # scikit-learn asks for as many clips of the most frequent class as there are folds.
    n_folds = max(2, min(round(1 / fraction), n_groups, np.bincount(labels_left).max()))
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of classes with fewer clips than there are folds
        folds = [fold for _, fold in splitter.split(labels_left, labels_left, groups_left)]
    # A group that is much larger than others makes a fold of its own.
    fitting = [fold for fold in folds if len(fold) <= 2 * fraction * len(rows)] or [min(folds, key=len)]
    # Of few groups, some folds hold one more than others.
    near = 1.5 * fraction * len(rows) if part == "test" else np.inf
    held_out = max(fitting, key=lambda fold: (len(np.unique(labels_left[fold])), len(fold) <= near))
    drawn[rows[held_out]] = True
    return drawn


def _cover_classes(drawn: np.ndarray, groups: np.ndarray, labels: np.ndarray, seed: int) -> None:
    """Draw a group more of every class of which none is drawn, where one is left to train on; drawn: changed.

    Of those that can be drawn without taking a class's last one, it is one of the smallest.
    """
    names, members, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.searchsorted(names, np.random.default_rng(seed).permutation(names))
    order = order[np.argsort(sizes[order], kind="stable")]
    for label in np.unique(labels):
        if drawn[labels == label].any():
            continue
        for group in order[np.isin(order, members[labels == label])]:
            taken = members == group
            left = ~drawn & ~taken
            if np.isin(labels[taken], labels[left]).all():
                drawn |= taken
                break


def choose_groups(groups: np.ndarray, rows: np.ndarray, share: float, seed: int) -> np.ndarray:
    """All rows of a few groups that have a share of some rows at least, (rows,) of bool.

    Args:
        groups: of each row, (rows,).
        rows: which rows may be chosen, (rows,) of bool.
        share: of these.
        seed: of the order in which groups are taken.
    """
    chosen = np.zeros(len(groups), dtype=bool)
    for group in np.random.default_rng(seed).permutation(np.unique(groups[rows])):
        if chosen.sum() >= share * rows.sum():
            break
        chosen |= rows & (groups == group)
    return chosen


def fold_groups(groups: np.ndarray, labels: np.ndarray, n_folds: int, seed: int) -> list[np.ndarray]:
    """Folds of whole groups, each to be held out once, (rows,) of bool each; classes in their proportions.

    A class is never held out as a whole: a group without which a class had no clip to train on is in no fold.

    Args:
        groups: (rows,).
        labels: indices of classes, (rows,).
        n_folds: at most so many; fewer where there are fewer groups.
        seed: of the draw.

    Raises:
        DataError: fewer than two groups can be held out.
    """
    kept = list(needed_groups(groups, labels).values())
    names, members = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(names), labels.max() + 1))  # clips of each class in each group
    np.add.at(counts, (members, labels), 1)
    order = [group for group in np.random.default_rng(seed).permutation(len(names)) if names[group] not in kept]
    n_folds = min(n_folds, len(order))
    if n_folds < 2:
        raise DataError(f"{len(order)} groups of clips are too few to hold each out once: two are needed at least.")
    filled = np.zeros((n_folds, counts.shape[1]))
    fold_of = np.full(len(names), -1)
    shares = counts / counts.sum(0).clip(1)  # a rare class counts as much as a frequent one
    # The largest first; each into the fold that has least of its classes, and of those into the one that has least.
    for group in sorted(order, key=lambda group: -counts[group].sum()):
        fold = min(range(n_folds), key=lambda fold: (filled[fold] @ (counts[group] > 0), filled[fold].sum()))
        fold_of[group] = fold
        filled[fold] += shares[group]
    folds = [fold_of[members] == fold for fold in range(n_folds)]
    for fold in folds:
        untaught = ~np.isin(labels, labels[~fold])
        fold &= ~np.isin(groups, groups[untaught])
    return [fold for fold in folds if fold.any()]


def strata(dataset: Dataset) -> tuple[np.ndarray, list[str]]:
    """What a split keeps in proportion, (rows,) of indices, and what they are called: classes, or the rarest tags."""
    names = class_names(dataset)
    if names is None:
        return np.zeros(len(dataset), dtype=int), ["all"]
    if not has_tags(dataset):
        return np.asarray(dataset["label"][:]), names
    tags = dataset["label"][:]
    counts = Counter(tag for row in tags for tag in row)
    return np.array([min(row, key=counts.__getitem__, default=len(names)) for row in tags]), [*names, "no tag"]


def needed_groups(groups: np.ndarray, labels: np.ndarray) -> dict[int, str]:
    """Classes all of whose clips are of one group, by their indices, and that group, which has to be trained on."""
    owners = {int(label): np.unique(groups[labels == label]) for label in np.unique(labels)}
    return {label: str(groups_of_class[0]) for label, groups_of_class in owners.items() if len(groups_of_class) == 1}
