"""Arguments that the user has not given, chosen by the recordings."""

import logging
from collections.abc import Mapping

import numpy as np
from transformers.trainer_utils import IntervalStrategy

from ...data.collection import Collection
from ...data.shards import Split
from ...data.survey import Survey
from ...data.tables.columns import TRAIN, VALIDATION
from ...errors import ArgumentError
from ...models import AudioCNNConfig
from ..general_sounds.signal import SHORTEST_HEARD
from .arguments import CHOSEN, RecordingsArguments
from .defaults import Choice, choose_defaults, describe_unheard

logger = logging.getLogger(__name__)

HEARD = ("sampling_rate", "clip_seconds")  # of these, by a network that is not trained


def fill_in(args: RecordingsArguments, survey: Survey, drawn: int | None = None) -> Mapping[str, Choice]:
    """Set the arguments that the user has not given, and log the reason of each.

    drawn: clips of an epoch, where some of them come several times.

    Raises:
        ArgumentError: excerpts would be longer than clips, or shorter than the network can hear.
    """
    known = (*CHOSEN, "f_max", "optim")
    given = {name: getattr(args, name) for name in known if getattr(args, name) is not None}
    choices = choose_defaults(survey, given, drawn)
    for name, (value, why) in choices.items():
        setattr(args, name, value)
        if name in HEARD or not args.only_normal:
            logger.info("%s %s: %s.", name, value, why)
    assert args.sampling_rate and args.clip_seconds and args.excerpt_seconds, "given, or chosen above"
    if not SHORTEST_HEARD <= args.excerpt_seconds <= args.clip_seconds:
        raise ArgumentError(
            f"--excerpt_seconds {args.excerpt_seconds:g} must lie between {SHORTEST_HEARD:g} and --clip_seconds "
            f"{args.clip_seconds:g}: give another one, or leave it out."
        )
    check_band(survey, args.sampling_rate, args.f_min, args.f_max)
    return choices


def count_drawn(args: RecordingsArguments, collection: Collection) -> int | None:
    """How many clips an epoch of `--balance sampler` has: of every class as many as the largest one."""
    if args.balance != "sampler" or args.streaming or args.multi_label:
        return None
    counts = np.bincount(np.asarray(collection.dataset["label"][:])[collection.rows(TRAIN)])
    return int(counts.max() * (counts > 0).sum())


def check_band(survey: Survey, sampling_rate: int, f_min: float | None, f_max: float | None) -> None:
    """Warn where the network will not hear what there is to hear.

    Raises:
        ArgumentError: the band is none.
    """
    highest = sampling_rate / 2 if f_max is None else f_max
    lowest = AudioCNNConfig.f_min if f_min is None else f_min
    if not 0 <= lowest < highest <= sampling_rate / 2:
        raise ArgumentError(
            f"--f_min {lowest:g} and --f_max {highest:g} Hz must rise from 0 to half of --sampling_rate "
            f"{sampling_rate}: give others, or leave them out."
        )
    for sentence in describe_unheard(survey, sampling_rate, lowest, highest):
        logger.warning("%s", sentence)


def settle_validation(args: RecordingsArguments, collection: Collection, stream: Split | None) -> None:
    """Validate by the clips that the data puts aside for it, where there are some and the user has not said more."""
    validation = collection.rows(VALIDATION)
    if not validation.any() or args.validation_fraction > 0:
        return
    n_clips = len(validation) + (stream.rows if stream else 0)
    # More than nothing, so that it is used.
    args.validation_fraction = min(max(round(float(validation.sum() / n_clips), 4), 0.0001), 0.5)
    if args.eval_strategy == IntervalStrategy.NO:
        args.eval_strategy = IntervalStrategy.EPOCH
