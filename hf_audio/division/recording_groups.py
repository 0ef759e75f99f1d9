"""What belongs together among a user's recordings, by a column, their names or as copies, and what is said of it."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..data.collection import Collection
from ..data.groups import (
    Grouping,
    group_by_folders,
    group_by_names,
    group_by_pattern,
    group_by_values,
    groups_of_classes,
    join_groups,
)
from ..data.rows import ENCODED_COLUMN, class_names, has_tags
from ..data.tables.columns import TEST, TRAIN, VALIDATION
from ..errors import ArgumentError
from ..runs.summary import name_labels
from .same_sounds import SameSounds, search_same_sounds

logger = logging.getLogger(__name__)

GROUP_COLUMN = "group"
GROUP_BY = ("folder", "name", "none")  # how names may be told to group clips
ROW_NUMBER = re.compile(r"^\d+-")  # before the names of a data set's files


@dataclass(frozen=True)
class Wishes:
    """What the user says of the division."""

    pattern: str | None = None
    """That finds the group in a name."""
    by: str | None = None
    """One of `GROUP_BY`."""
    refits: bool | None = None
    """Whether all clips are held out once, and all trained on in the end; `None`: where there are few."""
    may_refit: bool = True
    """Whether the other arguments go with that."""


@dataclass(frozen=True)
class Clips:
    """A collection's clips, and what is known of them before they are divided."""

    collection: Collection
    paths: list[str]
    names: list[str]
    """Paths that end with the names of the files."""
    labels: list[str]
    """The class of each; of several tags, one word for all."""
    sounds: SameSounds | None

    @classmethod
    def of(cls, collection: Collection) -> "Clips":
        """A collection's clips, each of which is read once, unless there are very many."""
        dataset = collection.dataset
        paths = dataset["path"][:]
        classes = None if has_tags(dataset) else class_names(dataset)
        labels = ["all"] * len(paths) if classes is None else [classes[number] for number in dataset["label"][:]]
        names = paths
        if ENCODED_COLUMN in dataset.column_names:
            names = [str(Path(path).with_name(ROW_NUMBER.sub("", Path(path).name))) for path in paths]
        sounds = search_same_sounds(dataset)
        if sounds is None:
            logger.info("Copies are not searched for among so many recordings; `hf-audio inspect` does it.")
        return cls(collection, paths, names, labels, sounds)

    @property
    def usable(self) -> np.ndarray:
        """Which can be read, (rows,) of bool."""
        usable = np.ones(len(self.paths), dtype=bool)
        usable[[] if self.sounds is None else list(self.sounds.unusable)] = False
        return usable

    @property
    def copies(self) -> list[list[int]]:
        """Rows that hold one sound."""
        return [] if self.sounds is None else self.sounds.copies


def find_grouping(clips: Clips, wishes: Wishes) -> tuple[Grouping | None, str]:
    """The grouping of the clips, if there is one, and else why their names do not group them."""
    column = clips.collection.group_column
    if column is not None:
        return group_by_values(clips.collection.dataset[column][:], clips.labels, column), ""
    if wishes.by == "none":
        return None, ""
    if wishes.pattern is not None:
        grouping = group_by_pattern(clips.names, clips.labels, wishes.pattern)
    elif wishes.by == "folder":
        grouping = group_by_folders(clips.names, clips.labels)
    else:
        found = group_by_names(clips.names, clips.labels, asked=wishes.by == "name")
        if found is None and wishes.by == "name":
            raise ArgumentError(
                f"--group_by name: the names fall into no groups, {Path(clips.names[0]).name} for one: say by "
                "--group_pattern what of them tells the recording."
            )
        if found is None:
            return None, ""
        grouping = found
    counted = (
        f"{len(clips.paths)} files are {grouping.n_groups} recordings by {grouping.by}, {grouping.example} for one"
    )
    if wishes.by is None and wishes.pattern is None:
        if grouping.sparse:
            logger.warning(
                "%s, but of some classes there is one recording only: %s. So clips of one recording may be trained on "
                "and tested on; with --group_by name they are not, and these classes are not tested.",
                counted,
                name_labels(grouping.sparse, str),
            )
            return None, f"{counted}; of {name_labels(grouping.sparse, str)} there is one recording only"
        if not clips.collection.rows(TEST).any() and _crosses(clips.collection, grouping.keys):
            logger.warning("%s, and the validation part is not divided by them: they are not gone by.", counted)
            return None, f"{counted}; the validation part was not divided by them"
    if not clips.collection.rows(TEST).any():
        logger.info(
            "%s: those of one recording stay together, as a group, on one side of the split (--group_by none does not "
            "group them).",
            counted,
        )
    return grouping, ""


def _crosses(collection: Collection, keys: Sequence[str | None]) -> bool:
    """Whether a group has clips to train on and to validate by."""
    found = {
        part: {key for key, own in zip(keys, collection.parts, strict=True) if own == part}
        for part in (TRAIN, VALIDATION)
    }
    return bool((found[TRAIN] & found[VALIDATION]) - {None})


def keep_together(clips: Clips, grouping: Grouping | None, wishes: Wishes) -> Collection:
    """The collection with its groups, those of a grouping joined to those of copies, in a column."""
    collection = clips.collection
    copies = [] if wishes.by == "none" else _joinable(clips, grouping)
    if clips.copies:
        _tell_of_copies(clips, copies)
    if grouping is None and not copies:
        return collection
    if grouping is not None and collection.group_column is not None and not copies:
        return collection
    keys = join_groups(clips.paths, [] if grouping is None else [grouping.keys], copies)
    return with_groups(collection, keys)


def with_groups(collection: Collection, keys: Sequence[str]) -> Collection:
    """The collection with a column that says the group of every clip."""
    dataset = collection.dataset
    if GROUP_COLUMN in dataset.column_names:
        dataset = dataset.remove_columns(GROUP_COLUMN)
    return replace(collection, dataset=dataset.add_column(GROUP_COLUMN, list(keys)), group_column=GROUP_COLUMN)


def _joinable(clips: Clips, grouping: Grouping | None) -> list[list[int]]:
    """Copies that can stay together: not those that the data has divided, nor those that would leave a class whole."""
    parts = clips.collection.parts
    copies = [rows for rows in clips.copies if len(set(parts[rows])) == 1]
    if not copies:
        return []
    keys: list[str | None] = list(grouping.keys) if grouping is not None else [None] * len(clips.paths)
    before = groups_of_classes(keys, clips.labels)
    after = groups_of_classes(join_groups(clips.paths, [keys], copies), clips.labels)
    whole = {label for label, number in after.items() if number < 2 <= before[label]}
    if whole:
        logger.warning(
            "All recordings of %s hold one sound, so the figures are of sounds that were trained on.",
            name_labels(sorted(whole), str),
        )
    return [rows for rows in copies if not whole & {clips.labels[row] for row in rows}]


def _tell_of_copies(clips: Clips, joined: Sequence[Sequence[int]]) -> None:
    assert clips.sounds is not None
    kept = "each sound stays on one side of the split" if joined else "they are not kept together"
    logger.warning(
        "%d files are copies or parts of others, and hold %d sounds: %s. `hf-audio inspect` lists them.",
        clips.sounds.n_copies,
        len(clips.copies),
        kept,
    )
    torn = [rows for rows in clips.copies if len({clips.labels[row] for row in rows}) > 1]
    if torn:
        names = " and ".join(sorted({clips.labels[row] for row in torn[0]}))
        logger.warning(
            "%d sounds lie under several labels, %s for one, under %s: keep the right label.",
            len(torn),
            clips.paths[torn[0][0]],
            names,
        )
