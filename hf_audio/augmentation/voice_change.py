"""The same person speaking otherwise: pitch, formants, pace and tilt of a voice, each moved without the others."""

import math
import random
from typing import NamedTuple

import numpy as np
import soxr
from audiomentations.core.transforms_interface import BaseWaveformTransform
from scipy.fft import irfft, next_fast_len, rfft

from ..runs.pitch import RATE, track_pitch

UNVOICED_PERIOD = 0.005  # seconds: such pieces of what has no pitch are as short as the periods of voices
LARGEST_JITTER = 0.2  # of a period, by which a mark may lie beside its place
TILTED_FROM, TILTED_TO = 250, 4000  # Hz: beyond, a tilted spectrum is level
DB_A_DOUBLING = 20 * math.log10(2)
MOST_MARKS = 1 << 21  # that are kept, of 17 bytes each: those of some four hours of speech


class Marks(NamedTuple):
    """Where periods of a waveform lie, in samples."""

    places: np.ndarray
    """(marks,) int, rising: one a period where there is a pitch, and everywhere else one in `UNVOICED_PERIOD`."""
    periods: np.ndarray
    """(marks,) samples until the next one."""
    voiced: np.ndarray
    """(marks,) of bool."""


class ChangeVoice(BaseWaveformTransform):
    """Lets the same person speak otherwise: at another pitch and pace, with a mouth of another size, softer or louder.

    Pitch and pace change by pitch-synchronous overlap and add, which leaves the spectrum's envelope where it is, and
    formants by playing the result faster or slower. The clip keeps its loudness. The pitch is not moved by an amount
    but to a place: so of changed voices, high and low ones are equally often a man's or a woman's, and what tells them
    apart is something else. Everything is drawn evenly, factors by their logarithms, and independently.

    Source: Moulines and Charpentier 1990, Pitch-synchronous waveform processing techniques for text-to-speech
    synthesis using diphones.

    Args:
        min_pitch, max_pitch: in Hz, between which a clip's median pitch comes to lie.
        max_semitones: by which it is moved at most, even if it would lie outside.
        max_formant_change: share by which formants are raised or lowered at most.
        min_pace, max_pace: how fast the person speaks; above 1 is faster.
        max_tilt_db: by which every octave becomes louder or softer than the one below, at most: a voice that is raised
            has more of the high ones.
    """

    def __init__(
        self,
        min_pitch: float = 90.0,
        max_pitch: float = 330.0,
        max_semitones: float = 14.0,
        max_formant_change: float = 0.0,
        min_pace: float = 1.0,
        max_pace: float = 1.0,
        max_tilt_db: float = 0.0,
        p: float = 0.5,
    ):
        super().__init__(p)
        if not 0 < min_pitch <= max_pitch or not 0 < min_pace <= max_pace:
            raise ValueError(f"{min_pitch=} and {max_pitch=}, {min_pace=} and {max_pace=} must be positive and rise.")
        if not 0 <= max_formant_change < 1 or max_semitones < 0 or max_tilt_db < 0:
            raise ValueError(
                f"{max_formant_change=} must lie in [0, 1), and {max_semitones=} and {max_tilt_db=} not be negative."
            )
        self.pitch = min_pitch, max_pitch
        self.max_semitones = max_semitones
        self.formant_change = max_formant_change
        self.pace = min_pace, max_pace
        self.tilt_db = max_tilt_db
        self._marks: dict[tuple[int, int, int], Marks] = {}
        self._n_marks = 0

    def randomize_parameters(self, samples: np.ndarray, sample_rate: int) -> None:
        """Draw the new voice."""
        super().randomize_parameters(samples, sample_rate)
        if self.parameters["should_apply"]:
            widest = np.log1p(self.formant_change)
            self.parameters["pitch"] = float(np.exp(random.uniform(*np.log(self.pitch))))
            self.parameters["formants"] = float(np.exp(random.uniform(-widest, widest)))
            self.parameters["pace"] = float(np.exp(random.uniform(*np.log(self.pace))))
            self.parameters["tilt_db"] = random.uniform(-self.tilt_db, self.tilt_db)

    def apply(self, samples: np.ndarray, sample_rate: int) -> np.ndarray:
        """(samples,) -> (samples / pace,) float32."""
        formants, pace, tilt_db = (self.parameters[name] for name in ("formants", "pace", "tilt_db"))
        marks = self._find_marks(samples, sample_rate)
        factor = 1.0
        if marks.voiced.any():
            own = sample_rate / np.median(marks.periods[marks.voiced])
            widest = 2 ** (self.max_semitones / 12)
            factor = float(np.clip(self.parameters["pitch"] / own, 1 / widest, widest))
        changed = move_pitch(samples, marks, factor / formants, pace / formants)
        changed = soxr.resample(changed, formants * sample_rate, sample_rate)
        if tilt_db:
            changed = tilt(changed, sample_rate, tilt_db)
        loudness = np.sqrt(np.mean(np.square(samples)) / max(np.mean(np.square(changed)), 1e-16))
        return (changed * loudness).astype(np.float32)

    def _find_marks(self, samples: np.ndarray, sample_rate: int) -> Marks:
        """As `find_marks`, which takes as long as all else, but for a clip that was heard before."""
        # All others stay when there are too many: to forget the oldest would forget each just before it comes again.
        clip = hash(samples.tobytes()), len(samples), sample_rate
        marks = self._marks.get(clip)
        if marks is None:
            marks = find_marks(samples, sample_rate)
            if self._n_marks + len(marks.places) <= MOST_MARKS:
                self._marks[clip] = marks
                self._n_marks += len(marks.places)
        return marks


def move_pitch(waveform: np.ndarray, marks: Marks, pitch: float, pace: float) -> np.ndarray:
    """Speech with its pitch multiplied by `pitch`, and `pace` times as fast; the spectral envelope stays.

    Around each mark of the waveform lies a piece of two periods; they are laid out anew, some several times or not at
    all. waveform: (samples,) -> (samples / pace,) float32.
    """
    size = max(round(len(waveform) / pace), 1)
    periods = np.where(marks.voiced, marks.periods / pitch, marks.periods)
    ends = np.append((marks.places[1:] + marks.places[:-1]) / (2 * pace), size)  # up to where each mark is the nearest
    places: list[float] = []
    place, counts = marks.places[0] / pace, []
    for period, end in zip(periods.tolist(), ends.tolist(), strict=True):
        before = len(places)
        while place <= end and place < size:
            places.append(place)
            place += period
        counts.append(len(places) - before)
    sources, targets = marks.places.repeat(counts), np.rint(places).astype(int)
    # Not wider than a new period, so that pieces of a raised voice do not pile up.
    halves = np.minimum(periods, marks.periods).astype(int).clip(min=2).repeat(counts)
    left = np.maximum(-halves, -np.minimum(sources, targets))
    right = np.minimum(halves + 1, np.minimum(len(waveform) - sources, size - targets))
    # All pieces, one behind another.
    lengths = (right - left).clip(min=0)
    offsets = np.arange(lengths.sum()) - (lengths.cumsum() - lengths - left).repeat(lengths)
    steps = (np.pi / halves).astype(np.float32).repeat(lengths)
    window = 0.5 + 0.5 * np.cos(offsets.astype(np.float32) * steps)
    pieces = window * waveform[offsets + sources.repeat(lengths)]
    offsets += targets.repeat(lengths)
    # Where pieces leave gaps between them, as those of a lowered voice do, these stay silent.
    result = np.bincount(offsets, pieces, size) / np.bincount(offsets, window, size).clip(min=1)
    return result.astype(np.float32)


def find_marks(waveform: np.ndarray, sampling_rate: int) -> Marks:
    """Marks of a waveform (samples,), of which each lies where its period resembles the one before it best."""
    hop, tracked = track_pitch(soxr.resample(waveform, sampling_rate, RATE), RATE)
    pitches = tracked.tolist()
    frame = hop * sampling_rate / RATE
    steady = float(round(UNVOICED_PERIOD * sampling_rate))
    places: list[int] = []
    periods: list[float] = []
    voiced: list[bool] = []
    place, follows = 0, False
    while place < len(waveform):
        # Frames overlap by a half, so a frame's middle lies where the next one begins.
        pitch = pitches[min(max(round(place / frame) - 1, 0), len(pitches) - 1)]
        has_pitch = pitch > 0  # it is NaN where there is none
        period = sampling_rate / pitch if has_pitch else steady
        if has_pitch:
            place = _settle(waveform, place, int(period), places[-1] if follows else None)
        places.append(place)
        periods.append(period)
        voiced.append(has_pitch)
        follows = has_pitch
        place += max(round(period), 1)
    return Marks(np.array(places), np.array(periods), np.array(voiced))


def _settle(waveform: np.ndarray, place: int, period: int, before: int | None) -> int:
    """The place near another one that is like the period before, or else is the loudest of its period."""
    if before is None:
        return place + int(np.abs(waveform[place : place + period]).argmax())
    reach, half = max(int(LARGEST_JITTER * period), 1), period // 2
    first, last = place - reach - half, place + reach + half
    pattern = waveform[max(before - half, 0) : before + half]
    if first < 0 or last > len(waveform) or len(pattern) < 2 * half:
        return place
    likeness = np.correlate(waveform[first:last], pattern, "valid")
    return place - reach + int(likeness.argmax())


def tilt(waveform: np.ndarray, sampling_rate: int, db: float) -> np.ndarray:
    """A waveform (samples,) of which every octave is louder by so many decibels than the one below, and back."""
    size = next_fast_len(len(waveform), real=True)
    frequencies = np.arange(size // 2 + 1, dtype=np.float32) * np.float32(sampling_rate / size)
    octaves = np.log2(frequencies.clip(TILTED_FROM, TILTED_TO) / TILTED_FROM)
    gains = np.exp2(octaves * np.float32(db / DB_A_DOUBLING))
    return irfft(rfft(waveform, size) * gains, size)[: len(waveform)]
