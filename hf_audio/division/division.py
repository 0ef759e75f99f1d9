"""How a user's own recordings are divided, so that the figure of a run is what others will find."""

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..data.classes import order_classes
from ..data.collection import Collection, draw_test
from ..data.groups import Grouping, group_by_names, join_groups
from ..data.layouts.one_table import FOLD_NAMES
from ..data.splits import fold_groups, strata
from ..data.tables.columns import TEST, TRAIN, VALIDATION
from ..errors import ArgumentError
from .recording_groups import GROUP_COLUMN, Clips, Wishes, find_grouping, keep_together, with_groups

logger = logging.getLogger(__name__)

# Of every draw of what is held out. `--seed` leaves it alone: runs of several seeds are judged on the same clips.
DRAW_SEED = 0
# A test part of fewer clips or recordings tells little: all are held out once, in so many folds, where recordings are
# in so many pieces on the average. That takes long: for recordings alone, not of more clips than these.
FEW_CLIPS, FEW_RECORDINGS, PIECES, MOST_FOLDS = 30, 3, 1.5, 5
MOST_FOLDED = 1000
FEWEST_NORMAL_GROUPS = 10  # by names, that are recordings
# Of recordings that are trained on, so many clips are kept to tell how much better those are known than new ones.
KNOWN_SHARE, FEWEST_KNOWN, MOST_KNOWN = 0.05, 20, 200
LARGEST_KNOWN_SHARE = 0.2  # of one recording's clips
# Further test clips, by their names in the results.
KNOWN, UNHEARD, WITHOUT_COPIES = "known_recordings", "unheard_recordings", "without_copies"


@dataclass(frozen=True)
class Division:
    """A collection that is divided, and what its figures then tell."""

    collection: Collection
    folds: Mapping[str, np.ndarray] | None = None
    """Name -> which rows it holds out, (rows,) of bool, where all are held out once."""
    further_tests: Mapping[str, np.ndarray] = field(default_factory=dict)
    tells: str = ""
    """What the figures tell, in sentences for the card."""
    hears_known: bool = True
    """Whether recordings of the test clips may have been trained on."""
    keeps_groups: bool = True
    """Whether clips are not trained on that share their group with held-out ones."""


def divide_collection(collection: Collection, wishes: Wishes, kept: np.ndarray | None = None) -> Division:
    """A collection divided so that what belongs together, by names or as copies, is on one side.

    Args:
        collection: with the parts that the data came with.
        wishes: the user's.
        kept: test clips of an earlier run, (rows,) of bool, instead of any draw.

    Raises:
        ArgumentError: the wishes do not go with the collection.
        DataError: there are too few clips or groups.
    """
    clips = Clips.of(collection)
    grouping, why_not = find_grouping(clips, wishes)
    if collection.rows(TEST).any():
        return _judge_division(clips, grouping, wishes)
    collection = keep_together(clips, grouping, wishes)
    if kept is not None:
        return _keep_held_out(draw_test(collection, DRAW_SEED, kept=kept))
    drawn = draw_test(collection, DRAW_SEED, clips.usable)
    if _wants_folds(drawn, grouping, wishes):
        return _fold(drawn, grouping, clips)
    return _describe(drawn, grouping, why_not, clips)


def divide_by_folds(collection: Collection) -> Division:
    """A collection each of whose folds is held out once: as a column of the data tells them, or folds of its groups.

    Args:
        collection: of clips with one label or several tags, or rows of annotated recordings, which are their groups.

    Raises:
        ArgumentError: there is no such column, or it tells one fold only, and nothing groups the clips.
        DataError: there is one group only.
    """
    dataset = collection.dataset
    column = next((name for name in dataset.column_names if name.strip().casefold() in FOLD_NAMES), None)
    values = [] if column is None else dataset[column][:]
    names = order_classes(values)
    if len(names) < 2 and collection.group_column is not None:
        return _fold_groups(collection, collection.group_column)
    if len(names) < 2:
        raise ArgumentError(
            "--folds all holds out each fold once, and no column of the data, called fold, tells two or more: add "
            "one, or name what clips belong together by, with --group_column, or leave it out."
        )
    folds = {name: np.asarray(values) == name for name in names}
    sentence = f"Each of {len(names)} folds, by `{column}`, was held out once, from a network trained on the others."
    parts = np.full(len(values), TRAIN, dtype=object)
    divided = replace(collection, parts=parts, split=sentence, is_drawn=False)
    return Division(divided, folds, hears_known=collection.group_column is None)


def divide_normal(collection: Collection, wishes: Wishes) -> Division:
    """Normal clips and anomalies: where no normal clips are to test on, a fifth is drawn, whole groups of them.

    Raises:
        ArgumentError: the wishes do not go with the collection.
        DataError: there are too few clips or groups.
    """
    normal = np.asarray(collection.dataset["label"][:]) == 0
    if (normal & collection.rows(TEST)).any():
        return Division(collection, hears_known=True, keeps_groups=False)
    rows = np.flatnonzero(normal)
    own = replace(collection, dataset=collection.dataset.select(rows), parts=collection.parts[rows])
    clips, grouping = Clips.of(own), None
    asked = own.group_column is not None or wishes.by is not None or wishes.pattern is not None
    by_names = None if asked else group_by_names(clips.names, clips.labels, asked=False)
    # Names that tell a few groups tell machines, each of which has to be heard.
    if asked or (by_names is not None and by_names.n_groups >= FEWEST_NORMAL_GROUPS):
        grouping, _ = find_grouping(clips, wishes)
    drawn = draw_test(keep_together(clips, grouping, wishes), DRAW_SEED, clips.usable)
    parts = collection.parts.copy()
    parts[rows] = drawn.parts
    sentence = "A fifth of the normal clips, drawn at random, was held out"
    if drawn.group_column is not None:
        keys = np.array(collection.dataset["path"][:], dtype=object)
        keys[rows] = drawn.dataset[drawn.group_column][:]
        collection = with_groups(collection, keys.tolist())
        sentence = "A fifth of the normal clips, in whole groups of what belongs together, was held out"
    anomalies = int((~normal).sum())
    sentence += f", and all {anomalies} anomalies." if anomalies else "; there are no anomalies to test on."
    return Division(replace(collection, parts=parts, split=sentence, is_drawn=True), hears_known=grouping is None)


def _fold_groups(collection: Collection, column: str) -> Division:
    """A collection whose groups are held out once, in a few folds."""
    groups, (labels, _) = np.asarray(collection.dataset[column][:]), strata(collection.dataset)
    drawn = fold_groups(groups, labels, MOST_FOLDS, DRAW_SEED)
    folds = {str(number): rows for number, rows in enumerate(drawn, start=1)}
    left = int((~np.any(drawn, axis=0)).sum())
    n_groups = len(set(groups.tolist()))
    sentence = (
        f"Each of {len(folds)} folds of {n_groups} groups of clips, by `{column}`, was held out once, from a network "
        "trained on the others."
    )
    if left:
        sentence += f" {left} clips are in none, as without their group nothing would be left to learn their label by."
    logger.info("%s", sentence)
    parts = np.full(len(groups), TRAIN, dtype=object)
    return Division(replace(collection, parts=parts, split=sentence, is_drawn=True), folds, hears_known=False)


def _wants_folds(drawn: Collection, grouping: Grouping | None, wishes: Wishes) -> bool:
    """Whether all clips are held out once, because a part of them is too few to judge by."""
    if not wishes.may_refit or drawn.rows(VALIDATION).any() or wishes.refits is False:
        return False
    if wishes.refits or grouping is None:
        return bool(wishes.refits)
    n_clips, tested = len(drawn.parts), drawn.rows(TEST)
    if n_clips < PIECES * grouping.n_groups:
        return False
    n_recordings = len(set(np.asarray(drawn.dataset[drawn.group_column])[tested].tolist()))
    few_recordings = n_recordings < FEW_RECORDINGS and n_clips <= MOST_FOLDED
    return bool(tested.sum() < FEW_CLIPS or few_recordings)


def _fold(drawn: Collection, grouping: Grouping | None, clips: Clips) -> Division:
    """All clips held out once, in folds of whole groups; the parts say that all are trained on."""
    what = "clip" if grouping is None else "recording"
    rows = np.flatnonzero(clips.usable)
    column = drawn.group_column
    groups = np.asarray(clips.paths if column is None else drawn.dataset[column][:])[rows]
    labels = np.unique(np.asarray(clips.labels), return_inverse=True)[1][rows]
    folds = {}
    for number, fold in enumerate(fold_groups(groups, labels, MOST_FOLDS, DRAW_SEED), start=1):
        mask = np.zeros(len(clips.paths), dtype=bool)
        mask[rows[fold]] = True
        folds[str(number)] = mask
    logger.info(
        "A test part would be %d clips of %d %ss: instead, all are held out once, in %d folds, and the network that "
        "is left is trained on all of them. These are %d trainings; --refit false is one, with that test part.",
        drawn.rows(TEST).sum(),
        len(set(groups[drawn.rows(TEST)[rows]].tolist())),
        what,
        len(folds),
        len(folds) + 1,
    )
    parts = drawn.parts.copy()
    parts[drawn.rows(TEST)] = TRAIN
    sentence = (
        f"Every {what} was held out once, in one of {len(folds)} folds, from a network that was trained on the "
        "others; this network was trained on all of them."
    )
    return Division(
        replace(drawn, parts=parts, split=sentence),
        folds,
        tells=_tell(grouping),
        hears_known=grouping is None,
    )


def _keep_held_out(collection: Collection) -> Division:
    """A collection whose test clips are those of the run whose network training begins with."""
    tested = collection.rows(TEST)
    logger.info("The %d clips that --model_name_or_path has held out stay held out.", tested.sum())
    sentence = f"The {tested.sum()} clips that the run held out whose network training began with stayed held out."
    shares = collection.group_column is None
    if collection.group_column is not None:
        groups = np.asarray(collection.dataset[collection.group_column])
        shares = bool(np.isin(groups[tested], groups[~tested]).any())
    # What that run has heard, it has heard: nothing would be gained by leaving it out now.
    return Division(replace(collection, split=sentence), hears_known=shares, keeps_groups=not shares)


def _describe(drawn: Collection, grouping: Grouping | None, why_not: str, clips: Clips) -> Division:
    """A collection whose test clips are drawn."""
    sentence = "A fifth of the clips, drawn at random in every class, was held out"
    if grouping is not None:
        sentence = f"A fifth of the clips, in whole groups by {grouping.by}, was held out"
    if drawn.group_column == GROUP_COLUMN and clips.copies:
        sentence += "; copies of one sound stayed together"
    sentence += "; the draw does not depend on `--seed`."
    drawn = replace(drawn, split=sentence)
    tells, further = _tell(grouping, why_not), {}
    if grouping is not None:
        tested = np.unique(np.asarray(drawn.dataset[drawn.group_column])[drawn.rows(TEST)])
        if len(tested) == 1:
            logger.warning(
                "All test clips are of one recording, %s: how far others differ from it is not known.", tested[0]
            )
        drawn, known = _keep_known(drawn, clips)
        if known.any():
            further[KNOWN] = known
            tells += (
                f" For comparison, {known.sum()} clips of recordings that were trained on were held out too: those "
                f"figures end with `{KNOWN}`."
            )
    return Division(drawn, None, further, tells, grouping is None)


def _tell(grouping: Grouping | None, why_not: str = "") -> str:
    """What figures tell of test clips that are drawn."""
    if grouping is not None:
        return (
            f"So the figures tell of recordings that were never heard, if {grouping.by} tell which clips are of one."
        )
    if why_not:
        return f"{why_not}. So the figures tell of new clips of known recordings."
    return "So the figures tell of new clips; where several are of one recording, of known recordings."


def _keep_known(drawn: Collection, clips: Clips) -> tuple[Collection, np.ndarray]:
    """A few clips of recordings that are trained on, (rows,) of bool, held out where that costs little."""
    chosen = np.zeros(len(clips.paths), dtype=bool)
    trained = drawn.rows(TRAIN) & clips.usable
    n_clips = min(round(KNOWN_SHARE * trained.sum()), MOST_KNOWN)
    if n_clips < FEWEST_KNOWN:
        return drawn, chosen
    groups = list(drawn.dataset[drawn.group_column])
    sizes = Counter(groups[row] for row in np.flatnonzero(trained))
    taken: Counter[str] = Counter()
    copied = {row for rows in clips.copies for row in rows}  # which would be known by heart
    for row in np.random.default_rng(DRAW_SEED).permutation(np.flatnonzero(trained)):
        group = groups[row]
        if row not in copied and taken[group] + 1 <= LARGEST_KNOWN_SHARE * sizes[group]:
            taken[group] += 1
            chosen[row] = True
            if chosen.sum() == n_clips:
                break
    if chosen.sum() < FEWEST_KNOWN:
        return drawn, np.zeros_like(chosen)
    # As groups of their own, or the recordings that they are of could not be trained on.
    keys = [f"{group} ({KNOWN}, {row})" if chosen[row] else group for row, group in enumerate(groups)]
    parts = drawn.parts.copy()
    parts[chosen] = KNOWN
    return replace(with_groups(drawn, keys), parts=parts), chosen


def _judge_division(clips: Clips, grouping: Grouping | None, wishes: Wishes) -> Division:
    """A collection that came with its test clips: how far they are known from training."""
    collection, further = clips.collection, {}
    tested = collection.rows(TEST)
    tells = []
    copied = tested & _of_both_sides(clips.copies, tested)
    if copied.any():
        counted = f"{copied.sum()} of {tested.sum()} test clips are copies, or parts, of clips that are trained on"
        tells.append(f"{counted}.")
        left = tested & ~copied
        if left.any():
            further[WITHOUT_COPIES] = left
            counted += f"; the figures without them end with {WITHOUT_COPIES}"
        logger.warning("%s.", counted)
    hears_known = grouping is None
    if grouping is not None and (wishes.by is not None or wishes.pattern is not None):
        collection = with_groups(collection, join_groups(clips.paths, [grouping.keys]))
    elif grouping is not None and collection.group_column is None:
        rows_of = defaultdict(list)
        for row, key in enumerate(grouping.keys):
            rows_of[key].append(row)
        rows_of.pop(None, None)
        known = tested & _of_both_sides(list(rows_of.values()), tested)
        hears_known = bool(known.any())
        counted = f"{known.sum() or 'none'} of {tested.sum()} test clips are of recordings that are trained on too"
        tells.append(f"By {grouping.by}, {counted}.")
        if hears_known:
            logger.warning("By %s, %s: the figures tell of known recordings.", grouping.by, counted)
            if (tested & ~known).sum() >= FEWEST_KNOWN:
                further[UNHEARD] = tested & ~known
                tells.append(f"The figures of the others end with `{UNHEARD}`.")
    return Division(collection, None, further, " ".join(tells), hears_known)


def _of_both_sides(groups: Sequence[Sequence[int]], tested: np.ndarray) -> np.ndarray:
    """Which rows are of groups that have test clips and others, (rows,) of bool."""
    found = np.zeros_like(tested)
    for rows in groups:
        found[list(rows)] |= 0 < tested[list(rows)].sum() < len(rows)
    return found
