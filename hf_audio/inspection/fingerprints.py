"""What a sound is known by, however it was encoded: peaks of its spectrogram, as in Wang, ISMIR 2003.

Of two recordings that hold the same sound, the peaks lie alike, all shifted by one time. Pairs of peaks that are near
to each other (landmarks) are looked up in a table, and each that two recordings have in common is a vote for a shift.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.fft
from scipy.ndimage import maximum_filter

RATE = 16_000
HOP = 128
FRAMES_PER_SECOND = RATE / HOP
WINDOW = 1024
_TAPER = (np.hanning(WINDOW + 1)[:-1] * 2 / WINDOW).astype(np.float32)
LOWEST_BIN = 4  # below lies rumble
N_BINS = WINDOW // 2 + 1 - LOWEST_BIN

# A peak is the largest value within so many frames and bins, no further below the loudest one near it in time than
# noise at -30 dB lies, and above what rounding to 16 bits leaves of silence.
NEAR_FRAMES, NEAR_BINS = 6, 8
NEAR_IN_TIME = round(2.5 * FRAMES_PER_SECOND)
DYNAMIC_RANGE = 10 ** (-50 / 20)
FAINTEST = 10 ** (-95 / 20)
PEAKS_PER_SECOND = 120
FRAMES_AT_ONCE = 4096

# The second peak of a landmark lies so many frames behind the first and so many bins beside it, at most.
REACH_FRAMES, REACH_BINS = 128, 64
LANDMARKS_PER_SECOND = 600
FEWEST_PARTNERS, MOST_PARTNERS = 6, 60
# Beyond so many in a collection, every second one, or third, ... is left out, the same ones everywhere.
MOST_LANDMARKS = 16_000_000
# A landmark that hundreds of recordings share is compared with so many of its neighbours in the table.
MOST_NEIGHBOURS = 40
LANDMARKS_AT_ONCE = 400_000

# How a vote is written as one number.
PAIR_BITS, SHIFT_BITS = 20, 24
NO_SHIFT = 1 << 23

FEWEST_VOTES = 8
LEAST_SHARE = 0.25


@dataclass(frozen=True)
class Fingerprint:
    """The peaks of one recording, in the order of time; a second of sound takes 720 bytes at most."""

    frames: np.ndarray
    """(peaks,) int32, in hops of 8 ms."""
    bins: np.ndarray
    """(peaks,) int16, in steps of 15.6 Hz."""
    n_frames: int

    @property
    def seconds(self) -> float:
        """How long the recording lasts, to the hop."""
        return self.n_frames / FRAMES_PER_SECOND


@dataclass(frozen=True)
class Match:
    """Two recordings that seem to hold the same sound."""

    first: int
    second: int
    shift: float
    """Seconds by which the sound comes later in the second."""
    n_votes: int
    share: float
    """Of the peaks that the recording with fewer of them has where both overlap, how many the other one has too."""


def find_peaks(blocks: Iterable[np.ndarray]) -> Fingerprint:
    """Blocks of a recording at 16 kHz, (samples,) float32 each -> its peaks."""
    frames, bins = [np.empty(0, np.int32)], [np.empty(0, np.int16)]
    n_frames = 0
    for start, magnitudes, first, end in _spectrogram(blocks):
        n_frames = start + end
        highest = maximum_filter(magnitudes, (2 * NEAR_FRAMES + 1, 2 * NEAR_BINS + 1), mode="constant")
        loudest = maximum_filter(magnitudes.max(axis=1), 2 * NEAR_IN_TIME + 1, mode="constant")
        floor = np.maximum(loudest * DYNAMIC_RANGE, FAINTEST)[:, None]
        at, bin_at = np.nonzero((magnitudes == highest) & (magnitudes > floor))
        chosen = _strongest(at, magnitudes[at, bin_at], start)
        chosen = chosen[(at[chosen] >= first) & (at[chosen] < end)]
        frames.append((at[chosen] + start).astype(np.int32))
        bins.append(bin_at[chosen].astype(np.int16))
    return Fingerprint(np.concatenate(frames), np.concatenate(bins), n_frames)


def _spectrogram(blocks: Iterable[np.ndarray]) -> Iterator[tuple[int, np.ndarray, int, int]]:
    """Parts of it, (frames, bins), with the number of their first frame and what is no margin: first frame and end."""
    size = (FRAMES_AT_ONCE - 1) * HOP + WINDOW
    step = FRAMES_AT_ONCE - 2 * NEAR_IN_TIME
    held = np.empty(0, np.float32)
    start = 0
    for block in blocks:
        held = np.concatenate([held, block])
        while len(held) >= size + HOP:  # so that something is left for the last part
            magnitudes = _magnitudes(held[:size])
            yield start, magnitudes, NEAR_IN_TIME if start else 0, FRAMES_AT_ONCE - NEAR_IN_TIME
            held = held[step * HOP :]
            start += step
    # What is too short for one window is padded with silence, and the end, less than a hop, does not count.
    magnitudes = _magnitudes(np.pad(held, (0, max(0, WINDOW - len(held)))))
    yield start, magnitudes, NEAR_IN_TIME if start else 0, len(magnitudes)


def _magnitudes(samples: np.ndarray) -> np.ndarray:
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    return np.abs(scipy.fft.rfft(frames * _TAPER, axis=1))[:, LOWEST_BIN:]


def _strongest(at: np.ndarray, magnitudes: np.ndarray, start: int) -> np.ndarray:
    """Places of the strongest peaks of every second, in the order of time."""
    seconds = (at + start) // round(FRAMES_PER_SECOND)
    order = np.lexsort((-magnitudes, seconds))
    rank = np.arange(len(order)) - np.searchsorted(seconds[order], seconds[order])
    return np.sort(order[rank < PEAKS_PER_SECOND])


def find_matches(fingerprints: Sequence[Fingerprint]) -> list[Match]:
    """Pairs of recordings that have many landmarks in common at one shift, and peaks besides; the surest ones first.

    Time and memory grow with the seconds of sound rather than with the number of pairs.
    """
    hashes, frames, owners = _tabulate(fingerprints)
    counts = np.bincount(owners, minlength=len(fingerprints))
    matches = []
    for start, end in _blocks_of(counts):
        for first, second, shift, n_votes in _vote(hashes, frames, owners, start, end):
            share = _shared(fingerprints[first], fingerprints[second], shift)
            if share >= LEAST_SHARE:
                matches.append(Match(first, second, shift / FRAMES_PER_SECOND, n_votes, share))
    return sorted(matches, key=lambda match: -match.n_votes * match.share)


def _tabulate(fingerprints: Sequence[Fingerprint]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Landmarks of all recordings, their frames and owners, each (landmarks,), sorted by landmark, then by owner."""
    seconds = sum(fingerprint.seconds for fingerprint in fingerprints)
    kept = 1 + int(seconds * LANDMARKS_PER_SECOND) // MOST_LANDMARKS
    parts = [_landmarks(fingerprint, kept) for fingerprint in fingerprints]
    empty = np.empty(0, np.int32)
    hashes = np.concatenate([empty, *(hashes for hashes, _ in parts)])
    frames = np.concatenate([empty, *(frames for _, frames in parts)])
    owners = np.repeat(np.arange(len(parts), dtype=np.int32), [len(hashes) for hashes, _ in parts])
    order = np.lexsort((owners, hashes))
    return hashes[order], frames[order], owners[order]


def _landmarks(fingerprint: Fingerprint, kept: int) -> tuple[np.ndarray, np.ndarray]:
    """Of one recording, every `kept`-th: the two bins and the time between them as one number, and the first frame."""
    frames, bins = fingerprint.frames, fingerprint.bins.astype(np.int32)
    # A short knock among silence has few peaks: each is paired with more of the others.
    partners = int(LANDMARKS_PER_SECOND * fingerprint.seconds / max(len(frames), 1))
    partners = min(max(partners, FEWEST_PARTNERS), MOST_PARTNERS)
    n_partners = np.zeros(len(frames), np.int32)
    hashes, firsts = [np.empty(0, np.int32)], [np.empty(0, np.int32)]
    for step in range(1, min(2 * partners + 1, len(frames))):
        behind, beside = frames[step:] - frames[:-step], bins[step:] - bins[:-step]
        near = (behind > 0) & (behind < REACH_FRAMES) & (np.abs(beside) < REACH_BINS)
        near &= n_partners[:-step] < partners
        n_partners[:-step] += near
        # Frames begin anywhere in the sound: twice the hop is as exact as times are.
        landmark = (bins[:-step] * 2 * REACH_BINS + beside + REACH_BINS) * (REACH_FRAMES // 2) + behind // 2
        # By a multiplication that leaves no pattern, not by what the number means.
        near &= (landmark.astype(np.uint32) * np.uint32(2654435761) >> np.uint32(8)) % np.uint32(kept) == 0
        hashes.append(landmark[near])
        firsts.append(frames[:-step][near])
    return np.concatenate(hashes), np.concatenate(firsts)


def _blocks_of(counts: np.ndarray) -> Iterator[tuple[int, int]]:
    start = n_landmarks = 0
    for number, count in enumerate(counts):
        if n_landmarks + count > LANDMARKS_AT_ONCE and number > start:
            yield start, number
            start, n_landmarks = number, 0
        n_landmarks += int(count)
    if start < len(counts):
        yield start, len(counts)


def _vote(
    hashes: np.ndarray, frames: np.ndarray, owners: np.ndarray, start: int, end: int
) -> Iterator[tuple[int, int, int, int]]:
    """Of the recordings from `start` to `end`, each with one behind it: the shift that most vote for, in frames.

    Yields the two, the shift and the votes, if they are enough.
    """
    places = np.flatnonzero((owners >= start) & (owners < end))
    ballots = [np.empty(0, np.int64)]
    for step in range(1, MOST_NEIGHBOURS + 1):
        places = places[: np.searchsorted(places, len(hashes) - step)]
        places = places[hashes[places] == hashes[places + step]]
        at = places[owners[places] != owners[places + step]]
        # One number a ballot, first recording, second and shift, so that sorting brings equal ones together.
        pair = (owners[at].astype(np.int64) - start) << PAIR_BITS | owners[at + step]
        ballots.append(pair << SHIFT_BITS | (frames[at + step] - frames[at] + NO_SHIFT))
    cast, n_votes = np.unique(np.concatenate(ballots), return_counts=True)
    # Frames begin anywhere in the sound, so votes for one shift may be spread over its neighbours.
    together = n_votes.copy()
    following = np.diff(cast) == 1
    together[:-1][following] += n_votes[1:][following]
    together[1:][following] += n_votes[:-1][following]
    cast, together = cast[together >= FEWEST_VOTES], together[together >= FEWEST_VOTES]
    order = np.lexsort((-together, cast >> SHIFT_BITS))
    pairs = cast[order] >> SHIFT_BITS
    for place in order[np.diff(pairs, prepend=-1) > 0]:
        pair, shift = divmod(int(cast[place]), 1 << SHIFT_BITS)
        first, second = divmod(pair, 1 << PAIR_BITS)
        yield first + start, second, shift - NO_SHIFT, int(together[place])


def _shared(first: Fingerprint, second: Fingerprint, shift: int) -> float:
    """Share of the peaks, where both overlap and of the recording with fewer, that the other one has too."""
    frames = first.frames + shift
    heard = (frames >= 0) & (frames < second.n_frames)
    left = _Peaks(frames[heard], first.bins[heard])
    heard = (second.frames >= shift) & (second.frames < shift + first.n_frames)
    right = _Peaks(second.frames[heard], second.bins[heard])
    fewer, more = sorted((left, right), key=lambda peaks: len(peaks.frames))
    if len(fewer.frames) == 0:
        return 0.0
    near = [more.numbers(behind, beside) for behind in range(-2, 3) for beside in range(-1, 2)]
    return float(np.isin(fewer.numbers(), np.concatenate(near)).mean())


@dataclass(frozen=True)
class _Peaks:
    frames: np.ndarray
    bins: np.ndarray

    def numbers(self, behind: int = 0, beside: int = 0) -> np.ndarray:
        """Each peak, so many frames and bins away, as one number."""
        return (self.frames.astype(np.int64) + behind) * 2 * N_BINS + self.bins + beside
