"""What suits recordings that nobody has tuned anything for: signal and length of the training, with reasons."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..data.survey import Survey

# Of the networks' inputs, Hz. Above 11 kHz there is little left to tell most sounds by, and twice the time to pay.
RATES = (8000, 11025, 16000, 22050)
# Of the windows in which recordings are judged, seconds.
SHORTEST_CLIP = 0.3
LONGEST_CLIP = 10.0
# The share of recordings that fit into one window.
WHOLE_SHARE = 0.95
# Of the excerpts trained on, seconds: half a recording costs half as much and is another one every time.
SHORTEST_EXCERPT = 1.0
LONGEST_EXCERPT = 2.5
# ESC-50: 1600 training clips, heard 240 times each, 64 a step.
KNOWN_CLIPS = 1600
KNOWN_EPOCHS = 240
# Of a quarter of them and fewer, half as often is as good; of very few clips, an epoch has too few steps for that.
FEW_EPOCHS = 120
VERY_FEW_CLIPS = 100
LARGEST_BATCH = 64
SMALLEST_BATCH = 8
STEPS_AN_EPOCH = 12  # of small sets
# Of recordings that are judged together, in memory with all their windows.
SECONDS_JUDGED = 640


class Choice(NamedTuple):
    """A value, and why it is this one."""

    value: Any
    why: str


def choose_defaults(survey: Survey, given: Mapping[str, Any], drawn: int | None = None) -> dict[str, Choice]:
    """The arguments of a recipe that the user has not given, by their names.

    Args:
        survey: of the recordings to train on.
        given: arguments that the user has given, by their names; the others follow from them too.
        drawn: clips of an epoch, where some of them come several times; by default, each comes once.
    """
    choices: dict[str, Choice] = {}

    def settle(name: str, value: Any, why: str) -> Any:
        if name in given:
            return given[name]
        choices[name] = Choice(value, why)
        return value

    settle("sampling_rate", *_choose_rate(survey.rates))
    clip_seconds = settle("clip_seconds", *_choose_clip_seconds(survey.seconds))
    settle("excerpt_seconds", *_choose_excerpt_seconds(survey.seconds, clip_seconds))
    settle("per_device_train_batch_size", *_choose_batch_size(survey.n_clips))
    settle("per_device_eval_batch_size", *_choose_judged_together(survey.seconds))
    settle("num_train_epochs", *_choose_epochs(survey, clip_seconds, survey.n_clips if drawn is None else drawn))
    return choices


def suitable_epochs(n_clips: float) -> float:
    """How often to hear each of so many training clips: more of them are heard more in all, and each less often."""
    return KNOWN_EPOCHS * min((KNOWN_CLIPS / n_clips) ** 0.5, 1)


def _sufficient_epochs(n_clips: float) -> float:
    """As `suitable_epochs`; of fewer clips than those of ESC-50, as often as they were found to gain by."""
    few = FEW_EPOCHS * max(VERY_FEW_CLIPS / n_clips, (n_clips / KNOWN_CLIPS) ** 0.5 * KNOWN_EPOCHS / FEW_EPOCHS, 1)
    return min(few, suitable_epochs(n_clips))


def _choose_rate(rates: np.ndarray) -> Choice:
    held = int(np.quantile(rates, 0.5, method="lower"))  # that at least half of the recordings reach
    value = max((rate for rate in RATES if rate <= held), default=held)
    if value == held:
        return Choice(value, f"most recordings have {held} Hz, and no network can hear more")
    if value == RATES[-1]:
        return Choice(value, f"most recordings have {held} Hz, but above 11 kHz little is left to tell sounds by")
    return Choice(value, f"most recordings have {held} Hz; this is the next of the usual rates below")


def _choose_clip_seconds(seconds: np.ndarray) -> Choice:
    whole = float(np.quantile(seconds, WHOLE_SHARE, method="lower"))
    value = min(max(math.ceil(round(whole * 10, 2)) / 10, SHORTEST_CLIP), LONGEST_CLIP)
    if value < whole:
        return Choice(value, f"recordings last up to {seconds.max():.1f} s; they are judged in windows of this length")
    return Choice(value, f"{np.mean(seconds <= value):.0%} of the recordings are no longer")


def _choose_excerpt_seconds(seconds: np.ndarray, clip_seconds: float) -> Choice:
    half = round(float(np.median(seconds)) / 2, 1)
    value = min(max(half, SHORTEST_EXCERPT), LONGEST_EXCERPT, clip_seconds)
    if value == half:
        return Choice(value, "half of a usual recording, at another place every time")
    if value == clip_seconds:
        return Choice(value, "recordings are too short to be trained on in parts")
    return Choice(value, f"of a usual recording of {2 * half:.1f} s, at another place every time")


def _choose_batch_size(n_clips: int) -> Choice:
    wanted = 2 ** round(math.log2(max(n_clips / STEPS_AN_EPOCH, 1)))
    value = min(max(wanted, SMALLEST_BATCH), LARGEST_BATCH)
    return Choice(value, f"{n_clips} clips are {math.ceil(n_clips / value)} steps an epoch")


def _choose_judged_together(seconds: np.ndarray) -> Choice:
    longest = float(seconds.max())
    value = min(max(int(SECONDS_JUDGED / longest), 1), LARGEST_BATCH)
    return Choice(value, f"recordings last up to {longest:.1f} s, and wait whole in memory to be judged")


def _choose_epochs(survey: Survey, clip_seconds: float, drawn: int) -> Choice:
    # An epoch takes one excerpt of every recording, which of long ones is little.
    parts = min(max(float(survey.seconds.mean()) / clip_seconds, 1), 4)
    value = max(round(parts * _sufficient_epochs(survey.n_clips * parts) * survey.n_clips / drawn), 1)
    long = " of long recordings" if parts > 1 else ""
    often = (
        ", of each an excerpt an epoch" if drawn == survey.n_clips else f", of which an epoch draws {drawn} excerpts"
    )
    return Choice(value, f"{survey.n_clips} clips{long}{often}: {value * drawn} in all")
