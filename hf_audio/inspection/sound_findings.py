"""What is wrong with recordings, each by itself and beside the others."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ..data.bands import DEEP, deep, unheard, upper_end
from ..problems import group_by_reason
from .clip_measures import ClipMeasures
from .findings import Case, Finding, Severity, count, find
from .listing import Entry

FEWEST_CLIPPED = 10
LARGEST_OFFSET = 0.01
# Silence at both ends together.
LONGEST_SILENCE, LARGEST_SILENT_SHARE = 1.0, 0.5
# Of half the sampling rate; in Hz, what no device is so narrow as, but a deep voice's vowel may be.
NARROW_BAND, NARROWEST_BAND = 0.6, 1500
# Beyond the quartiles, in distances of the quartiles, of logarithms; and where all are about equal, at least twofold.
OUTLYING, LEAST_RATIO = 3.0, 2.0
FEWEST_WITH_OUTLIERS = 8
# Hz, and the share of recordings that is worth a word.
USUAL_BAND, SHARE_UNHEARD = 11025, 0.1


class Check(NamedTuple):
    """What may be wrong with one recording that sounds at all."""

    severity: Severity
    kind: str
    title: str
    remedy: str
    holds: Callable[[ClipMeasures], bool]
    """Whether it is wrong with a clip."""
    detail: Callable[[ClipMeasures], str]
    """By how much."""


def _level(clip: ClipMeasures) -> str:
    return "every sample is zero" if clip.peak <= -799 else f"{clip.level:.0f} dBFS"


def _dead_channels(clip: ClipMeasures) -> str:
    numbers = ", ".join(map(str, clip.dead_channels))
    return f"channel {numbers} of {clip.channels}"


def _share(number: int, clip: ClipMeasures) -> str:
    return f"{number / (clip.seconds * clip.rate * clip.channels):.2%}"


def _has_silent_ends(clip: ClipMeasures) -> bool:
    silence = clip.silent_start + clip.silent_end
    return silence > LONGEST_SILENCE or silence > LARGEST_SILENT_SHARE * clip.seconds


CHECKS = (
    Check(
        "warning",
        "clipped",
        "Clipped, the waves cut off at full scale",
        "Record with a lower gain; if these are few, leave them out.",
        lambda clip: clip.n_clipped >= FEWEST_CLIPPED,
        lambda clip: f"{clip.n_clipped} samples, {_share(clip.n_clipped, clip)}",
    ),
    Check(
        "warning",
        "beyond-full-scale",
        "Floats beyond full scale, which is 1",
        "They are heard divided by their full scale or, where that is not known, each by its own peak: divide "
        "all by one number, so that loud ones stay louder than others.",
        lambda clip: clip.full_scale != 1,
        lambda clip: f"divided by {clip.full_scale:.6g}",
    ),
    Check(
        "warning",
        "opposite-phase",
        "Channels in opposite phase, whose mean is next to silence",
        "One channel is heard alone; look for a balanced cable on a stereo input, or a plug wired the wrong way.",
        lambda clip: clip.is_opposed,
        lambda clip: f"{clip.channels} channels",
    ),
    Check(
        "warning",
        "dead-channel",
        "A channel with next to nothing in it",
        "It is left out of the mean; look for a microphone that is not plugged in.",
        lambda clip: bool(clip.dead_channels),
        _dead_channels,
    ),
    Check(
        "warning",
        "narrow-band",
        "Nothing above a band far narrower than the sampling rate could hold",
        "They come from a telephone or a lower rate, which a network would learn to tell: train at a sampling "
        "rate of twice the lowest band, or record all with the same device.",
        lambda clip: clip.ends_sharply and NARROWEST_BAND < clip.bandwidth < NARROW_BAND * clip.rate / 2,
        lambda clip: f"{clip.bandwidth:.0f} Hz of {clip.rate / 2:.0f} Hz",
    ),
    Check(
        "note",
        "offset",
        "With an offset, the mean being not zero",
        "Take the mean away, or look for a fault in the sound card.",
        lambda clip: clip.offset >= LARGEST_OFFSET,
        lambda clip: f"{clip.offset:.3f} of full scale",
    ),
    Check(
        "note",
        "silent-ends",
        "Silence, below -60 dBFS, at the ends for more than a second or half the time",
        "Cut it away where classes differ in it, or a network may learn the length of the sound alone.",
        _has_silent_ends,
        lambda clip: f"{clip.silent_start:.2f} s before, {clip.silent_end:.2f} s after",
    ),
)


def find_in_sounds(
    entries: Sequence[Entry], measures: Sequence[ClipMeasures], unreadable: Sequence[tuple[str, str]]
) -> list[Finding]:
    """Findings of recordings, and of pairs (path, reason) that cannot be read."""
    clips = list(zip(entries, measures, strict=True))
    findings = [
        *_find_unreadable(unreadable),
        *find(
            "error",
            "silent",
            "Silent, below -60 dBFS",
            "Record them again or leave them out; if silence is a class, record the noise of an empty room for it.",
            [Case((entry.path,), _level(clip)) for entry, clip in clips if clip.is_silent],
        ),
    ]
    for check in CHECKS:
        wrong = [(entry, clip) for entry, clip in clips if not clip.is_silent and check.holds(clip)]
        cases = [Case((entry.path,), check.detail(clip)) for entry, clip in wrong]
        findings += find(check.severity, check.kind, check.title, check.remedy, cases)
    return [
        *findings,
        *_find_unheard(clips),
        *_find_outliers(entries, measures),
        *_find_mixture(clips, "mixed-rates", "sampling rates", lambda clip: f"{clip.rate} Hz"),
        *_find_mixture(clips, "mixed-channels", "numbers of channels", lambda clip: count(clip.channels, "channel")),
    ]


def _find_unheard(clips: Sequence[tuple[Entry, ClipMeasures]]) -> list[Finding]:
    """Sounds above and below what a network hears at the usual rate, where they are not single ones."""
    clips = [(entry, clip) for entry, clip in clips if clip.bands]
    if not clips:
        return []
    bands = np.array([clip.bands for _, clip in clips])
    found: list[Finding] = []
    for kind, rows, title, remedy in (
        (
            "high",
            unheard(bands, USUAL_BAND),
            f"Most of the sound above {USUAL_BAND / 1000:g} kHz, half the usual rate of training",
            "Training takes a higher rate where enough recordings are such, and says so; --sampling_rate sets it.",
        ),
        (
            "deep",
            deep(bands),
            f"Next to all of the sound below {DEEP:.0f} Hz, where a network has few bands",
            f"Train with --f_max {DEEP:.0f} and, for sound below 20 Hz, --f_min 5.",
        ),
    ):
        ends = upper_end(bands, 0.95)
        if rows.mean() >= SHARE_UNHEARD:
            cases = [
                Case((clips[row][0].path,), f"95 % below {ends[row]:.0f} Hz") for row in np.flatnonzero(rows).tolist()
            ]
            found += find("note", kind, title, remedy, cases)
    return found


def _find_unreadable(unreadable: Sequence[tuple[str, str]]) -> list[Finding]:
    """A finding for every reason, that of most files first."""
    findings = []
    for problems in group_by_reason({"path": path, "reason": reason} for path, reason in unreadable):
        findings += find(
            "error",
            "unreadable",
            "Cannot be read",
            "Record, copy or convert them again, or leave them out; training leaves them out and says so.",
            [Case((problem["path"],), problem["reason"]) for problem in problems],
        )
    return findings


def _find_outliers(entries: Sequence[Entry], measures: Sequence[ClipMeasures]) -> list[Finding]:
    if len(measures) < FEWEST_WITH_OUTLIERS:
        return []
    lengths = np.array([clip.seconds for clip in measures])
    low, high = np.quantile(np.log(lengths), [0.25, 0.75])
    reach = max(OUTLYING * (high - low), np.log(LEAST_RATIO))
    shortest, longest = np.exp(low - reach), np.exp(high + reach)
    cases = [
        Case((entries[place].path,), f"{lengths[place]:.3g} s")
        for place in np.argsort(-np.abs(np.log(lengths) - (low + high) / 2), kind="stable")
        if not shortest <= lengths[place] <= longest
    ]
    title = f"Much shorter or longer than the others, not {shortest:.2g} to {longest:.2g} s"
    return find("note", "outlying-lengths", title, "Listen to them: cut long ones, leave out stubs.", cases)


def _find_mixture(
    clips: Sequence[tuple[Entry, ClipMeasures]], kind: str, noun: str, value_of: Callable[[ClipMeasures], str]
) -> list[Finding]:
    values = Counter(value_of(clip) for _, clip in clips)
    if len(values) < 2:
        return []
    usual = values.most_common(1)[0][0]
    cases = [Case((entry.path,), value_of(clip)) for entry, clip in clips if value_of(clip) != usual]
    return find(
        "note",
        kind,
        f"{len(values)} {noun}; with another than the most frequent one, {usual}",
        "Training converts them by itself; see that no class has one of its own.",
        cases,
    )
