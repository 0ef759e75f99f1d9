"""What suits recordings that nobody has tuned anything for: signal and length of the training, with reasons."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ...arguments import ADAMW, MUON
from ...data.bands import DEEP, RUMBLE, deep, unheard, upper_end
from ...data.survey import Survey

# Of the networks' inputs, Hz. Above 11 kHz there is little left to tell most sounds by, and twice the time to pay.
RATES = (8000, 11025, 16000, 22050)
# Where the user, or where the sounds lie, asks for others.
LOW_RATES = (500, 1000, 2000, 4000)
HIGH_RATES = (32000, 44100, 48000, 64000, 96000, 128000, 192000, 256000, 384000)
# Above this, recorders are for ultrasound: a few recordings of it are enough.
HIGHEST_AUDIBLE_RATE = 50000
SHARE_UNHEARD, SHARE_ULTRASONIC = 0.5, 0.1
FAR_ABOVE = 10  # so many times as high, a mel scale has few bands left for what lies deep
# What the sounds that would not be heard reach up to: the share of their energy, and of them.
ENERGY_HEARD, RECORDINGS_HEARD = 0.95, 0.9
# Of the windows in which recordings are judged, seconds.
SHORTEST_CLIP = 0.3
LONGEST_CLIP = 10.0
# The share of recordings that fit into one window.
WHOLE_SHARE = 0.95
# Of the excerpts trained on, seconds: half a recording costs half as much and is another one every time.
SHORTEST_EXCERPT = 1.0
LONGEST_EXCERPT = 2.5
# ESC-50: 1600 training clips, heard 240 times each, 64 a step. With Muon, a third of that was enough for own
# sounds; of few clips, networks still want so many excerpts in all.
KNOWN_CLIPS = 1600
KNOWN_EPOCHS, MUON_EPOCHS = 240, 80
FEWEST_HEARD = 6000
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
        given: arguments that are known, by their names; the others follow from them too, the rate from `f_max`, and
            the epochs from `optim`.
        drawn: clips of an epoch, where some of them come several times; by default, each comes once.
    """
    choices: dict[str, Choice] = {}

    def settle(name: str, value: Any, why: str) -> Any:
        if name in given:
            return given[name]
        choices[name] = Choice(value, why)
        return value

    settle("sampling_rate", *_choose_rate(survey, given.get("f_max")))
    clip_seconds = settle("clip_seconds", *_choose_clip_seconds(survey.seconds))
    settle("excerpt_seconds", *_choose_excerpt_seconds(survey.seconds, clip_seconds))
    settle("per_device_train_batch_size", *_choose_batch_size(survey.n_clips))
    rate = given.get("sampling_rate") or choices["sampling_rate"].value
    settle("per_device_eval_batch_size", *_choose_judged_together(survey.seconds, rate))
    drawn = survey.n_clips if drawn is None else drawn
    settle("num_train_epochs", *_choose_epochs(survey, clip_seconds, drawn, given.get("optim", ADAMW)))
    return choices


def suitable_epochs(n_clips: float, optim: str = ADAMW) -> float:
    """Epochs for a number of training clips: the more clips, the more steps in all, and the fewer epochs."""
    known = MUON_EPOCHS if optim == MUON else KNOWN_EPOCHS
    return max(known * min((KNOWN_CLIPS / n_clips) ** 0.5, 1), FEWEST_HEARD / n_clips if optim == MUON else 0)


def higher_rate(survey: Survey, rate: float) -> int | None:
    """The rate that holds the sounds of which most is lost at this one; `None` where that is less than a tenth."""
    if survey.bands is None:
        return None
    lost = unheard(survey.bands, rate / 2)
    if lost.mean() < SHARE_ULTRASONIC:
        return None
    needed = 2 * np.quantile(upper_end(survey.bands[lost], ENERGY_HEARD, RUMBLE), RECORDINGS_HEARD, method="higher")
    return min((usual for usual in HIGH_RATES if usual >= 0.99 * needed), default=HIGH_RATES[-1])


def describe_unheard(survey: Survey, rate: int, f_min: float, f_max: float) -> list[str]:
    """Sentences on recordings whose sounds a network of such a band would miss, or hear in a few of its bands."""
    if survey.bands is None:
        return []
    sentences = []
    higher = higher_rate(survey, 2 * f_max)
    held = int(survey.rates.max())
    if higher is not None and 2 * f_max < held:
        sentences.append(
            f"{unheard(survey.bands, f_max).mean():.0%} of the recordings have most of their sound above {f_max:g} "
            f"Hz, which the network does not hear: if classes differ there, give --sampling_rate {min(higher, held)}."
        )
    sounding = survey.bands[survey.bands.any(axis=1)]
    if len(sounding) and deep(sounding).mean() >= RECORDINGS_HEARD and f_max > FAR_ABOVE * DEEP:
        sentences.append(
            f"Next to all of the sound lies below {DEEP:.0f} Hz, where the network has few of its bands: give --f_max "
            f"{DEEP:.0f}, and --f_min 5 if there is sound below {f_min:g} Hz."
        )
    return sentences


def _choose_rate(survey: Survey, f_max: float | None) -> Choice:
    held = int(np.quantile(survey.rates, 0.5, method="lower"))  # that at least half of the recordings reach
    if f_max is not None:
        wanted = (rate for rate in (*LOW_RATES, *RATES, *HIGH_RATES) if 2 * f_max <= rate <= held)
        return Choice(min(wanted, default=held), f"it holds what lies below --f_max {f_max:g}")
    value = max((rate for rate in RATES if rate <= held), default=held)
    higher = higher_rate(survey, value)
    if survey.bands is not None and higher is not None and value < held:
        share = float(unheard(survey.bands, value / 2).mean())
        if share >= (SHARE_ULTRASONIC if held > HIGHEST_AUDIBLE_RATE else SHARE_UNHEARD):
            why = f"{share:.0%} of the recordings have most of their sound above {value / 2000:.0f} kHz"
            return Choice(min(higher, held), why)
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


def _choose_judged_together(seconds: np.ndarray, rate: float) -> Choice:
    longest = float(seconds.max())
    value = min(max(int(SECONDS_JUDGED / longest / max(rate / RATES[-1], 1)), 1), LARGEST_BATCH)
    return Choice(value, f"recordings last up to {longest:.1f} s, and wait whole in memory to be judged")


def _choose_epochs(survey: Survey, clip_seconds: float, drawn: int, optim: str) -> Choice:
    # An epoch takes one excerpt of every recording, which of long ones is little.
    parts = min(max(float(survey.seconds.mean()) / clip_seconds, 1), 4)
    value = max(round(parts * suitable_epochs(survey.n_clips * parts, optim) * survey.n_clips / drawn), 1)
    long = " of long recordings" if parts > 1 else ""
    often = (
        ", of each an excerpt an epoch" if drawn == survey.n_clips else f", of which an epoch draws {drawn} excerpts"
    )
    return Choice(value, f"{survey.n_clips} clips{long}{often}: {value * drawn} in all")
