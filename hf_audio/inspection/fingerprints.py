"""What a sound is known by, however it was encoded: peaks of its spectrogram, as in Wang, ISMIR 2003, and its sweeps.

Of two recordings that hold the same sound, the peaks lie alike, all shifted by one time. Pairs of peaks that are near
to each other (landmarks) are looked up in a table, and each that two recordings have in common is a vote for a shift.

A whistle or a call that glides is one ridge of the spectrogram, with hardly a peak but those of the noise around it.
So what stands out is matched once more by itself: the loud peaks, and places where a pitch glides across fixed
frequencies. A steady tone has neither, and is not told from another one of its pitch.
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

# Pitch is that of the strongest partial in a window as short as glides are fast, where it has most of the energy and
# is not too far below the loudest moment near it in time. It glides by so many bins from frame to frame, at most.
PITCH_WINDOW = 256
_PITCH_TAPER = (np.hanning(PITCH_WINDOW + 1)[:-1] * 2 / PITCH_WINDOW).astype(np.float32)
PITCH_STEP = WINDOW // PITCH_WINDOW  # bins of the spectrogram in one of the short window
LOWEST_PITCH = 2
PARTIAL_WIDTH = 2  # bins of the short window on either side
LEAST_ENERGY = 0.5
LOUD_RANGE = 10 ** (-25 / 20)
PITCH_RANGE = 10 ** (-30 / 20)
FASTEST_GLIDE = 40.0
# Faint noise has no part in them, so both recordings must have most of them where they overlap.
LEAST_VOTED, LEAST_SHARE_OF_OUTSTANDING, LEAST_PART_OF_OUTSTANDING = 0.3, 0.6, 0.3
# Calls of one kind, or words of one voice, may be alike in thousands of pairs: each is compared with so many others.
FEWEST_VOTES_OF_OUTSTANDING, MOST_ALIKE = 16, 20


@dataclass(frozen=True)
class Points:
    """Places in a spectrogram, in the order of time."""

    frames: np.ndarray
    """(points,) int32, in hops of 8 ms."""
    bins: np.ndarray
    """(points,) int16, in steps of 15.6 Hz."""

    def __len__(self) -> int:
        return len(self.frames)

    def between(self, start: int, end: int) -> "Points":
        """Those of the frames from `start` to before `end`."""
        inside = (self.frames >= start) & (self.frames < end)
        return Points(self.frames[inside], self.bins[inside])

    def moved(self, shift: int) -> "Points":
        """All so many frames later."""
        return Points(self.frames + shift, self.bins)

    def numbers(self, behind: int = 0, beside: int = 0) -> np.ndarray:
        """Each point, so many frames and bins away, as one number."""
        return (self.frames.astype(np.int64) + behind) * 2 * N_BINS + self.bins + beside

    def share_in(self, other: "Points") -> float:
        """How many of the points, of which there is one at least, the other has, too, two frames or a bin away."""
        near = [other.numbers(behind, beside) for behind in range(-2, 3) for beside in range(-1, 2)]
        return float(np.isin(self.numbers(), np.concatenate(near)).mean())


@dataclass(frozen=True)
class Fingerprint:
    """What one recording is known by; a second of sound takes 1.5 kB at most."""

    peaks: Points
    outstanding: Points
    """The loud ones of the peaks, and where the pitch glides across a frequency, one a frame at most."""
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
    """Of the points that the recording with fewer of them has where both overlap, how many the other one has too."""
    by_outstanding: bool = False
    """Whether the points are those that stand out, and not all peaks."""


def take_fingerprint(blocks: Iterable[np.ndarray]) -> Fingerprint:
    """Blocks of a recording at 16 kHz, (samples,) float32 each -> what it is known by."""
    peaks: list[Points] = []
    outstanding: list[Points] = []
    n_frames = 0
    for start, samples, first, end in _stretches(blocks):
        n_frames = start + end
        found, loud = _find_peaks(samples, start)
        for points, own in ((peaks, found), (outstanding, _join([loud, _find_sweeps(samples)]))):
            points.append(own.between(first, end).moved(start))
    return Fingerprint(_join(peaks), _join(outstanding), n_frames)


def _join(parts: Sequence[Points]) -> Points:
    frames, bins = (np.concatenate(values) for values in ([p.frames for p in parts], [p.bins for p in parts]))
    order = np.argsort(frames, kind="stable")
    return Points(frames[order].astype(np.int32), bins[order].astype(np.int16))


def _find_peaks(samples: np.ndarray, start: int) -> tuple[Points, Points]:
    """Those of a stretch that begins with the frame `start`, and the loud ones of them."""
    magnitudes = _magnitudes(samples)
    highest = maximum_filter(magnitudes, (2 * NEAR_FRAMES + 1, 2 * NEAR_BINS + 1), mode="constant")
    loudest = _loudest(magnitudes)
    floor = np.maximum(loudest * DYNAMIC_RANGE, FAINTEST)[:, None]
    at, bin_at = np.nonzero((magnitudes == highest) & (magnitudes > floor))
    chosen = _strongest(at, magnitudes[at, bin_at], start)
    at, bin_at = at[chosen], bin_at[chosen]
    loud = magnitudes[at, bin_at] > loudest[at] * LOUD_RANGE
    return Points(at, bin_at), Points(at[loud], bin_at[loud])


def _loudest(magnitudes: np.ndarray) -> np.ndarray:
    """The largest magnitude near each frame in time, (frames,)."""
    return maximum_filter(magnitudes.max(axis=1), 2 * NEAR_IN_TIME + 1, mode="constant")


def _find_sweeps(samples: np.ndarray) -> Points:
    """Where the pitch crosses frequencies in a stretch, each at the frame that it is nearest to."""
    margin = (WINDOW - PITCH_WINDOW) // 2  # so that the short windows are in the middle of the long ones
    frames = np.lib.stride_tricks.sliding_window_view(samples[margin : len(samples) - margin], PITCH_WINDOW)[::HOP]
    magnitudes = np.abs(scipy.fft.rfft(frames * _PITCH_TAPER, axis=1))
    magnitudes[:, :LOWEST_PITCH] = 0
    strongest = magnitudes[:, PARTIAL_WIDTH:-PARTIAL_WIDTH].argmax(axis=1) + PARTIAL_WIDTH
    around = np.take_along_axis(magnitudes, strongest[:, None] + np.arange(-PARTIAL_WIDTH, PARTIAL_WIDTH + 1), axis=1)
    power = np.square(around).sum(axis=1)
    peak = around[:, PARTIAL_WIDTH]
    pitched = power > LEAST_ENERGY * np.square(magnitudes).sum(axis=1)
    pitched &= peak > np.maximum(_loudest(magnitudes) * PITCH_RANGE, FAINTEST)
    # Between bins by a parabola through the logarithms of three.
    before, own, after = np.log(np.maximum(around[:, PARTIAL_WIDTH - 1 : PARTIAL_WIDTH + 2], FAINTEST)).T
    offset = np.clip((before - after) / np.minimum(2 * (before - 2 * own + after), -1e-9), -0.5, 0.5)
    return _cross((strongest + offset) * PITCH_STEP - LOWEST_BIN, pitched)


def _cross(pitch: np.ndarray, pitched: np.ndarray) -> Points:
    """Which whole bins the pitch crosses from frame to frame; of several, the roundest one, which copies cross too.

    pitch: (frames,), in bins; pitched: (frames,), whether there is one.
    """
    before, after = pitch[:-1], pitch[1:]
    low = np.floor(np.minimum(before, after)).astype(int)
    high = np.floor(np.maximum(before, after)).astype(int)
    at = np.flatnonzero(pitched[:-1] & pitched[1:] & (np.abs(after - before) < FASTEST_GLIDE) & (high > low))
    low, high, before, after = low[at], high[at], before[at], after[at]
    crossed = high.copy()
    for power in range(1, int(np.log2(FASTEST_GLIDE)) + 2):
        crossed = np.where(high >> power > low >> power, high >> power << power, crossed)
    return Points(np.round(at + (crossed - before) / (after - before)).astype(np.int64), crossed)


def _stretches(blocks: Iterable[np.ndarray]) -> Iterator[tuple[int, np.ndarray, int, int]]:
    """Parts of a recording, with the number of their first frame and what is no margin: first frame and end."""
    size = (FRAMES_AT_ONCE - 1) * HOP + WINDOW
    step = FRAMES_AT_ONCE - 2 * NEAR_IN_TIME
    held = np.empty(0, np.float32)
    start = 0
    for block in blocks:
        held = np.concatenate([held, block])
        while len(held) >= size + HOP:  # so that something is left for the last part
            yield start, held[:size], NEAR_IN_TIME if start else 0, FRAMES_AT_ONCE - NEAR_IN_TIME
            held = held[step * HOP :]
            start += step
    # What is too short for one window is padded with silence, and the end, less than a hop, does not count.
    held = np.pad(held, (0, max(0, WINDOW - len(held))))
    yield start, held, NEAR_IN_TIME if start else 0, (len(held) - WINDOW) // HOP + 1


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
    """Pairs of recordings that have many landmarks in common at one shift, and peaks besides.

    Those by all peaks first, then those by what stands out, the surest ones of either first. Time and memory grow with
    the seconds of sound rather than with the number of pairs.
    """
    return [*_match(fingerprints, by_outstanding=False), *_match(fingerprints, by_outstanding=True)]


def _match(fingerprints: Sequence[Fingerprint], by_outstanding: bool) -> list[Match]:
    """The surest ones first."""
    points = [fingerprint.outstanding if by_outstanding else fingerprint.peaks for fingerprint in fingerprints]
    hashes, frames, owners = _tabulate(points, [fingerprint.seconds for fingerprint in fingerprints])
    counts = np.bincount(owners, minlength=len(fingerprints))
    elected = [pair for start, end in _blocks_of(counts) for pair in _vote(hashes, frames, owners, start, end)]
    matches = []
    for first, second, shift, n_votes in _choose_alike(elected, counts) if by_outstanding else elected:
        lengths = (fingerprints[first].n_frames, fingerprints[second].n_frames)
        share = _shared((points[first], points[second]), lengths, shift, by_outstanding)
        if share >= (LEAST_SHARE_OF_OUTSTANDING if by_outstanding else LEAST_SHARE):
            matches.append(Match(first, second, shift / FRAMES_PER_SECOND, n_votes, share, by_outstanding))
    return sorted(matches, key=lambda match: -match.n_votes * match.share)


def _choose_alike(elected: Sequence[tuple[int, int, int, int]], counts: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Of pairs that were voted for, those of which one recording has hardly any that are more alike.

    counts: (recordings,), their landmarks.
    """
    shares = [n_votes / min(counts[first], counts[second]) for first, second, _, n_votes in elected]
    n_chosen = np.zeros(len(counts), dtype=int)
    chosen = []
    for place in np.argsort(-np.array(shares), kind="stable"):
        first, second, _, n_votes = elected[place]
        if shares[place] < LEAST_VOTED:
            break
        if n_votes >= FEWEST_VOTES_OF_OUTSTANDING and min(n_chosen[first], n_chosen[second]) < MOST_ALIKE:
            n_chosen[[first, second]] += 1
            chosen.append(elected[place])
    return chosen


def _tabulate(points: Sequence[Points], seconds: Sequence[float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Landmarks of all recordings, their frames and owners, each (landmarks,), sorted by landmark, then by owner."""
    kept = 1 + int(sum(seconds) * LANDMARKS_PER_SECOND) // MOST_LANDMARKS
    parts = [_landmarks(own, length, kept) for own, length in zip(points, seconds, strict=True)]
    empty = np.empty(0, np.int32)
    hashes = np.concatenate([empty, *(hashes for hashes, _ in parts)])
    frames = np.concatenate([empty, *(frames for _, frames in parts)])
    owners = np.repeat(np.arange(len(parts), dtype=np.int32), [len(hashes) for hashes, _ in parts])
    order = np.lexsort((owners, hashes))
    return hashes[order], frames[order], owners[order]


def _landmarks(points: Points, seconds: float, kept: int) -> tuple[np.ndarray, np.ndarray]:
    """Every `kept`-th landmark of a recording: two bins and the time between as one number, and its first frame."""
    frames, bins = points.frames, points.bins.astype(np.int32)
    # A short knock among silence has few peaks: each is paired with more of the others.
    partners = int(LANDMARKS_PER_SECOND * seconds / max(len(frames), 1))
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


def _shared(points: tuple[Points, Points], n_frames: tuple[int, int], shift: int, by_outstanding: bool) -> float:
    """Share of the points, where two recordings overlap, that both have.

    Of all peaks, it is that of the recording with fewer; of what stands out, the smaller one of both, or 0 where most
    of both lie elsewhere.
    """
    first, second = points
    left = first.moved(shift).between(0, n_frames[1])
    right = second.between(shift, shift + n_frames[0])
    fewer, more = sorted((left, right), key=len)
    if len(fewer) == 0:
        return 0.0
    if not by_outstanding:
        return fewer.share_in(more)
    if max(len(left) / len(first), len(right) / len(second)) < LEAST_PART_OF_OUTSTANDING:
        return 0.0
    return min(fewer.share_in(more), more.share_in(fewer))
