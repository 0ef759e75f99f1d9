"""Recordings that are one sound: the same samples, or the same waveform after all that encoding does to it."""

from collections import OrderedDict, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.fft

from ..audio.loading import stream_audio
from ..errors import AudioError
from .clip_measures import ClipMeasures
from .fingerprints import FRAMES_PER_SECOND, RATE, Match, find_matches

# Of what two recordings share, so much is compared as a waveform.
LONGEST_COMPARED = 10.0
# Fingerprints tell a shift to one of their hops and are blurred by their window.
SHIFT_TOLERANCE = 0.02
# Below lies rumble, and the hum of the same mains.
LOWEST_HERTZ = 60
OVERSAMPLING = 4
BLOCK_OF_ENERGY = 64
# Many votes are proof enough of waveforms that an encoder or a filter has changed. Few are no more than what vowels of
# one voice have in common by chance, or strokes of one bell: then the waveforms must be the same.
MANY_VOTES = 25
LEAST_CORRELATION, LEAST_WITH_FEW_VOTES = 0.5, 0.93
# Points that stand out are few, and alike where an animal calls or a drum is struck again: then the waveforms must be
# the same but for noise. The fewer values of them could differ at all (seconds times the width of the band), the less
# may; of steady tones one value could, and equal ones prove nothing.
LEAST_WITH_OUTSTANDING, DISTINCT, LEAST_DISTINCT = 0.97, 16_000, 20
SAMPLES_HELD = 1 << 25  # 128 MB


@dataclass(frozen=True)
class Copies:
    """Recordings of one sound, the first one first."""

    members: tuple[int, ...]
    links: tuple["Link", ...]
    """How the others hang together with the first one; none, where the samples are the same."""


@dataclass(frozen=True)
class Link:
    """How two recordings lie against each other."""

    first: int
    second: int
    shift: float
    """Seconds by which the sound comes later in the second."""
    seconds: float
    """For how long both hold the sound."""
    correlation: float
    """Of the waveforms there; 1 says that they are the same but for the level."""


def find_same_samples(measures: Sequence[ClipMeasures]) -> list[Copies]:
    """Groups of recordings that are decoded to the same samples, whatever their formats; silent ones are left out."""
    by_digest = defaultdict(list)
    for number, clip in enumerate(measures):
        if not clip.is_silent:
            by_digest[clip.digest].append(number)
    return [Copies(tuple(members), ()) for members in by_digest.values() if len(members) > 1]


def find_same_sounds(paths: Sequence[str], measures: Sequence[ClipMeasures]) -> list[Copies]:
    """Groups of recordings that hold, in part at least, the same sound; of those with the same samples, the first one.

    paths: of the recordings, which are read once more where fingerprints match.
    """
    seen: set[str] = set()
    distinct = []
    for number, clip in enumerate(measures):
        if not clip.is_silent and clip.digest not in seen:
            seen.add(clip.digest)
            distinct.append(number)
    reader = _Reader()
    groups = {number: number for number in distinct}  # a forest, each tree one group

    def root(number: int) -> int:
        while groups[number] != number:
            groups[number] = groups[groups[number]]
            number = groups[number]
        return number

    links = []
    for match in find_matches([measures[number].fingerprint for number in distinct]):
        first, second = distinct[match.first], distinct[match.second]
        if root(first) != root(second):
            link = _compare(reader, paths, measures, first, second, match)
            if link is not None:
                links.append(link)
                groups[root(second)] = root(first)
    return _gather(links)


def _compare(
    reader: "_Reader", paths: Sequence[str], measures: Sequence[ClipMeasures], first: int, second: int, match: Match
) -> Link | None:
    start = max(0.0, -match.shift)  # in the time of the first
    end = min(measures[first].seconds, measures[second].seconds - match.shift)
    compared = min(end - start, LONGEST_COMPARED)
    if compared <= 0:
        return None
    fingerprint = measures[first].fingerprint
    points = fingerprint.outstanding if match.by_outstanding else fingerprint.peaks
    begin = _richest_stretch(points.frames / FRAMES_PER_SECOND, start, end, compared)
    try:
        left = reader.read(paths[first], begin, compared)
        right = reader.read(paths[second], begin + match.shift, compared)
    except AudioError:  # it has been removed meanwhile
        return None
    correlation, lag = correlate(left, right)
    if match.by_outstanding:
        distinct = min(distinctness(left), distinctness(right))
        if distinct < LEAST_DISTINCT:
            return None
        needed = max(LEAST_WITH_OUTSTANDING, 1 - distinct / DISTINCT)
    else:
        needed = LEAST_CORRELATION if match.n_votes >= MANY_VOTES else LEAST_WITH_FEW_VOTES
    return Link(first, second, match.shift + lag, end - start, correlation) if correlation >= needed else None


def _richest_stretch(times: np.ndarray, start: float, end: float, length: float) -> float:
    """Where, between two times, a stretch of a length begins that has the most peaks."""
    times = times[(times >= start) & (times <= end)]
    begins = np.minimum(times, end - length)
    if len(begins) == 0:
        return start
    n_peaks = np.searchsorted(times, begins + length, side="right") - np.searchsorted(times, begins)
    return float(begins[n_peaks.argmax()])


class _Reader:
    """Parts of recordings at 16 kHz; those read last are kept, for one is often compared with several."""

    def __init__(self) -> None:
        self.held: OrderedDict[str, tuple[int, np.ndarray]] = OrderedDict()
        self.n_held = 0

    def read(self, path: str, start: float, seconds: float) -> np.ndarray:
        """(samples,) float32."""
        begin, end = round(max(start, 0) * RATE), round((start + seconds) * RATE)
        first, samples = self.held.get(path, (0, np.empty(0, np.float32)))
        if not (first <= begin and end <= first + len(samples)):
            first, samples = self._read(path, begin, end)
        self.held.move_to_end(path)
        return samples[begin - first : end - first]

    def _read(self, path: str, begin: int, end: int) -> tuple[int, np.ndarray]:
        """A part, or all from the beginning, if that is no more than what is compared at most; and where it begins."""
        first = 0 if end <= LONGEST_COMPARED * RATE else begin
        parts = []
        position = 0
        for block in stream_audio(path, RATE):
            parts.append(block[max(first - position, 0) : max(end - position, 0)])
            position += len(block)
            if position >= end:
                break
        samples = np.concatenate(parts)
        self.n_held += len(samples) - len(self.held.pop(path, (0, parts[0][:0]))[1])
        self.held[path] = first, samples
        while self.n_held > SAMPLES_HELD and len(self.held) > 1:
            self.n_held -= len(self.held.popitem(last=False)[1][1])
        return first, samples


def correlate(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Two waveforms at 16 kHz, (samples,), that lie against each other within 20 ms.

    Returns their largest normalised correlation, in absolute value, and how many seconds later the second one is
    there.
    """
    reach = round(SHIFT_TOLERANCE * RATE)
    size = scipy.fft.next_fast_len(max(len(first), len(second)) + 2 * reach, real=True)
    spectra = np.stack([scipy.fft.rfft(samples, size) for samples in (first, second)]).astype(np.complex128)
    spectra[:, : int(LOWEST_HERTZ * size / RATE) + 1] = 0
    # Between samples too: of high notes, half a sample is half a period.
    products = scipy.fft.irfft(spectra[0].conj() * spectra[1], OVERSAMPLING * size) * OVERSAMPLING
    energies = 2 * np.square(np.abs(spectra)).sum(axis=1) / size
    lags = np.arange(-reach * OVERSAMPLING, reach * OVERSAMPLING + 1)
    best = lags[np.abs(products[lags]).argmax()]
    before, highest, after = np.abs(products[best - 1]), np.abs(products[best]), np.abs(products[best + 1])
    # And by a parabola between those, which are an eighth of the period of the highest notes apart.
    offset = np.clip((before - after) / min(2 * (before - 2 * highest + after), -1e-20), -0.5, 0.5)
    highest -= (before - after) * offset / 4
    correlation = min(highest / max(float(np.sqrt(energies.prod())), 1e-20), 1.0)
    return float(correlation), float(best + offset) / OVERSAMPLING / RATE


def distinctness(samples: np.ndarray) -> float:
    """How many values of a waveform at 16 kHz, (samples,), could differ: its duration times the width of its band.

    Both are effective ones, of which a sum's square over the sum of squares tells how many values have a part in it.
    """
    spectrum = np.square(np.abs(scipy.fft.rfft(samples.astype(np.float64))))
    spectrum[: int(LOWEST_HERTZ * len(samples) / RATE) + 1] = 0
    energies = np.add.reduceat(np.square(samples, dtype=np.float64), np.arange(0, len(samples), BLOCK_OF_ENERGY))
    width = _participants(spectrum) * RATE / len(samples)
    return width * _participants(energies) * BLOCK_OF_ENERGY / RATE


def _participants(values: np.ndarray) -> float:
    return float(values.sum() ** 2 / max(float(np.square(values).sum()), 1e-40))


def _gather(links: Sequence[Link]) -> list[Copies]:
    """Groups of all that is linked, each with its links from the first one on."""
    neighbours: dict[int, list[Link]] = defaultdict(list)
    for link in links:
        neighbours[link.first].append(link)
        neighbours[link.second].append(Link(link.second, link.first, -link.shift, link.seconds, link.correlation))
    gathered = []
    reached: set[int] = set()
    for number in sorted(neighbours):
        if number in reached:
            continue
        reached.add(number)
        waiting, found = deque([number]), []
        while waiting:
            for link in neighbours[waiting.popleft()]:
                if link.second not in reached:
                    reached.add(link.second)
                    waiting.append(link.second)
                    found.append(link)
        gathered.append(Copies((number, *sorted(link.second for link in found)), tuple(found)))
    return gathered
