"""How annotated recordings are divided: none is on two sides of the split, nor one site or day, where that is told."""

import logging
from dataclasses import replace

import numpy as np

from ..data.annotations.annotated_rows import RECORDING_COLUMN
from ..data.collection import Collection, draw_test
from ..data.groups import group_by_folders, group_by_names, group_by_pattern
from ..data.rows import START_COLUMN
from ..data.splits import split_off
from ..data.tables.columns import TEST, TRAIN, VALIDATION
from ..errors import ArgumentError, DataError
from .division import DRAW_SEED, Division
from .recording_groups import Wishes, with_groups

logger = logging.getLogger(__name__)

FEWEST_TO_VALIDATE = 6  # recordings, or groups of them
VALIDATION_FRACTION = 0.15
LATE_SHARE = 0.2  # of each recording's rows, where no recording can be held out as a whole


def divide_annotated(collection: Collection, wishes: Wishes, kept: np.ndarray | None = None) -> Division:
    """Rows of annotated recordings divided so that whole recordings are tested on, or whole groups of them.

    Where there is one recording only, or none that could be held out without taking a class's last one, the end of
    each is tested on.

    Args:
        collection: as `cut_rows` gives it.
        wishes: what groups recordings, where no column does.
        kept: test rows of an earlier run, (rows,) of bool, instead of any draw.

    Raises:
        ArgumentError: the wishes do not go with the collection.
        DataError: there is too little to hold anything out.
    """
    collection, by = _group(collection, wishes)
    if collection.rows(TEST).any():
        return Division(_hold_validation(collection), hears_known=False)
    if kept is not None:
        return Division(_hold_validation(draw_test(collection, DRAW_SEED, kept=kept)), hears_known=False)
    groups = set(np.asarray(collection.dataset[collection.group_column]).tolist())
    try:
        if len(groups) < 2:
            raise DataError("There is one recording only.")
        drawn = draw_test(collection, DRAW_SEED)
    except DataError as error:
        return _divide_in_time(collection, str(error))
    n_tested = len(set(np.asarray(drawn.dataset[drawn.group_column])[drawn.rows(TEST)].tolist()))
    sentence = (
        f"{n_tested} of {len(groups)} {by}, drawn at random, were held out as a whole; the draw does not depend on "
        "`--seed`."
    )
    logger.info("%s", sentence)
    drawn = _hold_validation(replace(drawn, split=sentence))
    return Division(drawn, tells=f"So the figures tell of {by} that were never heard.", hears_known=False)


def can_validate(division: Division) -> bool:
    """Whether every fold leaves recordings enough to train on that some of them can say thresholds for events."""
    dataset = division.collection.dataset
    groups = np.asarray(dataset[division.collection.group_column][:])
    trained = [set(groups[~rows].tolist()) - set(groups[rows].tolist()) for rows in (division.folds or {}).values()]
    return min(map(len, trained), default=0) >= FEWEST_TO_VALIDATE


def _hold_validation(collection: Collection) -> Collection:
    """The collection with some of its training recordings to validate by, where there are enough.

    Thresholds for events are fitted to these: of recordings that it was trained on, a network is too sure.
    """
    groups = np.asarray(collection.dataset[collection.group_column])
    trained = np.flatnonzero(collection.rows(TRAIN) & ~np.isin(groups, groups[collection.rows(TEST)]))
    if collection.rows(VALIDATION).any() or len(set(groups[trained].tolist())) < FEWEST_TO_VALIDATE:
        return collection
    try:
        part = collection.dataset.select(trained)
        drawn = split_off(part, VALIDATION_FRACTION, DRAW_SEED, collection.group_column, VALIDATION)
    except DataError:
        return collection
    parts = collection.parts.copy()
    parts[trained[drawn]] = VALIDATION
    n_groups = len(set(groups[trained[drawn]].tolist()))
    logger.info("%d of the others validate: thresholds for events are fitted to these.", n_groups)
    return replace(collection, parts=parts)


def _group(collection: Collection, wishes: Wishes) -> tuple[Collection, str]:
    """The collection with what groups its recordings, and what the groups are called."""
    column = collection.columns.group
    if column is not None:
        return collection, f"groups of recordings by `{column}`"
    if wishes.pattern is None and wishes.by in (None, "none"):
        return collection, "recordings"
    recordings = sorted(set(collection.dataset[RECORDING_COLUMN][:]))
    labels = ["all"] * len(recordings)
    if wishes.pattern is not None:
        found = group_by_pattern(recordings, labels, wishes.pattern)
    elif wishes.by == "folder":
        found = group_by_folders(recordings, labels)
    else:
        named = group_by_names(recordings, labels, asked=True)
        if named is None:
            raise ArgumentError(
                "--group_by name: the names of the recordings fall into no groups: say by --group_pattern what of "
                "them tells the site or the day."
            )
        found = named
    keys = {recording: key or recording for recording, key in zip(recordings, found.keys, strict=True)}
    rows = [keys[recording] for recording in collection.dataset[RECORDING_COLUMN][:]]
    logger.info("%d recordings are %d groups by %s, %s for one.", len(recordings), len(set(rows)), found.by, rows[0])
    return with_groups(collection, rows), f"groups of recordings by {found.by}"


def _divide_in_time(collection: Collection, why: str) -> Division:
    """The end of each recording to test on, and nothing of a row before it."""
    starts = np.asarray(collection.dataset[START_COLUMN][:])
    recordings = np.asarray(collection.dataset[RECORDING_COLUMN][:])
    parts = collection.parts.copy()
    kept = np.ones(len(parts), dtype=bool)
    for recording in np.unique(recordings):
        rows = np.flatnonzero((recordings == recording) & (parts == TRAIN))
        rows = rows[np.argsort(starts[rows])]
        n_late = round(LATE_SHARE * len(rows))
        if n_late and len(rows) - n_late >= 2:
            parts[rows[-n_late:]] = TEST
            kept[rows[-n_late - 1]] = False
    if not (parts == TEST).any():
        raise DataError(
            f"{collection.name} has too little that is annotated to hold some of it out for the test ({why}): "
            "annotate a second recording, or more of this one."
        )
    sentence = "The last fifth of each recording was held out, but for the stretch before it."
    logger.warning(
        "%s (%s) So the figures tell about known recordings only, and new ones may be judged worse.", sentence, why
    )
    left = replace(
        collection,
        dataset=collection.dataset.select(np.flatnonzero(kept)),
        parts=parts[kept],
        split=sentence,
        is_drawn=True,
    )
    left.group_column = None
    _check_learnt(left)
    tells = "So the figures tell of known recordings, and new ones may be judged worse."
    return Division(left, tells=tells, hears_known=True, keeps_groups=False)


def _check_learnt(collection: Collection) -> None:
    """Refuse classes that are tested and not trained on.

    Raises:
        DataError: there is one.
    """
    names = collection.dataset.features["label"].feature.names
    tags = collection.dataset["label"][:]
    labels_in: dict[str, set[int]] = {TRAIN: set(), TEST: set()}
    for own, part in zip(tags, collection.parts, strict=True):
        labels_in.setdefault(part, set()).update(own)
    missing = sorted(labels_in[TEST] - labels_in[TRAIN])
    if missing:
        raise DataError(
            f"{', '.join(names[tag] for tag in missing)} sounds only at the end of the recordings, which is held out: "
            "annotate more, or name what is to be tested on in a column `split`."
        )
