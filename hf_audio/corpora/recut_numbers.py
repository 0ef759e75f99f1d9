"""Other numbers of the same voices: spoken numbers are cut into their words, and these are put together anew.

Where a word begins is found without a network: eSpeak NG says the words one after another, and what it says is laid
along the recording, frame by frame, as it fits best (dynamic time warping, Sakoe and Chiba 1978).
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soxr

from ..audio.loading import load_audio
from ..errors import DataError
from ..processes import work_off
from .corpus_folder import make_corpus
from .espeak import open_engine, synthesise
from .russian_numbers import number_words
from .synthetic_numbers import draw_number, write_numbers
from .synthetic_voices import trim
from .varied_numbers import vary_words
from .word_joins import join_words

RATE = 16000  # Hz
HOP, FRAME = 160, 400  # samples: 10 and 25 ms
BANDS = np.geomspace(120, 7000, 25)  # Hz, edges
GUIDES = ("ru+f2", "ru+m3")  # voices that say the words; the one that fits better is followed
GUIDES_PACE = 150  # words a minute
FASTEST = 3  # frames of the guide in one of the recording
UNEVEN = 0.2  # what it costs to be slower or faster than the guide for a frame
FEWEST_WORDS = 20  # of a speaker
BEST_SHARE = 0.75  # of the recordings, those that fit best: others may be cut amiss
MOST_RECORDINGS = 800
REACH = 4  # frames within which a border is moved to where it is most quiet
FADE_SECONDS = 0.008
EVENED = 0.7  # of the differences of loudness between words of different recordings, in decibels
MAX_SECONDS = 9.5
TRIES = 10_000
PER_TASK = 8  # recordings that one process cuts at a time


class Recording(NamedTuple):
    """A number that was recorded."""

    file: str
    number: int
    speaker: str


class Cut(NamedTuple):
    """Where a recording's words lie."""

    borders: tuple[int, ...]
    """In samples of RATE: where each begins, and where the last one ends."""
    misfit: float
    """Mean distance from the guide."""


def make_recut_numbers(
    recordings: Sequence[Recording],
    directory: str | os.PathLike[str] | None = None,
    *,
    count: int = 1500,
    seed: int = 0,
) -> Path:
    """Make a corpus of numbers out of recorded ones, in the layout of numbers2, or return at once if it is there.

    A number's words are of one speaker, where speakers have said `FEWEST_WORDS` different ones; else they are of all.

    Args:
        recordings: numbers that people or machines have said fluently, of one speaker or of several.
        directory: of the corpus; by default one in the Hugging Face cache.
        count: of numbers, evenly of all speakers.
        seed: of all draws.

    Returns:
        The folder of `train.csv` with the columns path, number and speaker.

    Raises:
        DataError: the recordings have too few words, or the corpus cannot be written.
        MissingExtraError: eSpeak NG is not installed.
    """

    def write(folder: Path) -> None:
        write_numbers(folder, "train", _make_clips(chosen, count, seed), RATE)

    order = np.random.default_rng(seed).permutation(len(recordings))[:MOST_RECORDINGS]
    chosen = [recordings[place] for place in sorted(order)]
    found = [[os.path.abspath(each.file), os.stat(each.file).st_mtime_ns, *each[1:]] for each in chosen]
    digest = hashlib.sha256(json.dumps(found).encode()).hexdigest()[:12]
    return make_corpus(directory, f"recut_numbers-{count}-{seed}-{digest}", count, write, {"train.csv": None})


def _make_clips(recordings: Sequence[Recording], count: int, seed: int) -> Iterator[tuple[int, str, np.ndarray]]:
    """Number, speaker and samples (samples,) of one clip after the other."""
    by_speaker = _cut_all(recordings)
    speakers = sorted(by_speaker)
    for position in range(count):
        speaker = speakers[position % len(speakers)]
        number, samples = _draw_clip(by_speaker[speaker], np.random.default_rng([seed, position]))
        yield number, speaker, samples


def _cut_all(recordings: Sequence[Recording]) -> dict[str, dict[str, list[np.ndarray]]]:
    """The recordings of each word by each speaker: speaker -> word -> (samples,) each."""
    tasks = [recordings[first : first + PER_TASK] for first in range(0, len(recordings), PER_TASK)]
    cut = [each for part in work_off(_cut_some, tasks, "Cutting numbers into words", "part") for each in part]
    order = np.argsort([misfit for misfit, _ in cut], kind="stable")
    words_of: dict[str, dict[str, list[np.ndarray]]] = {}
    pooled: dict[str, list[np.ndarray]] = {}
    for place in sorted(order[: max(round(BEST_SHARE * len(cut)), 1)]):
        of_speaker = words_of.setdefault(recordings[place].speaker, {})
        for word, samples in cut[place][1]:
            of_speaker.setdefault(word, []).append(samples)
            pooled.setdefault(word, []).append(samples)
    enough = {speaker: words for speaker, words in words_of.items() if len(words) >= FEWEST_WORDS}
    return enough or {"all": pooled}


def _cut_some(recordings: Sequence[Recording]) -> list[tuple[float, list[tuple[str, np.ndarray]]]]:
    """How badly the guide fits each recording, and the recording's words with their samples."""
    results: list[tuple[float, list[tuple[str, np.ndarray]]]] = []
    with open_engine() as engine:
        for recording in recordings:
            waveform, words = load_audio(recording.file, RATE), number_words(recording.number)
            if not waveform.any():
                results.append((np.inf, []))
                continue
            guides = []
            for voice in GUIDES:
                spoken = [synthesise(engine, word, voice, GUIDES_PACE, 50, 50) for word in words]
                guides.append([soxr.resample(trim(samples, rate), rate, RATE) for samples, rate in spoken])
            waveform = trim(waveform, RATE)
            cut = find_borders(waveform, guides)
            parts = [waveform[first:end] for first, end in zip(cut.borders, cut.borders[1:], strict=False)]
            kept = [(word, _fade(part)) for word, part in zip(words, parts, strict=True) if len(part) > RATE // 20]
            results.append((cut.misfit, kept))
    return results


def _fade(samples: np.ndarray) -> np.ndarray:
    """Without a click where it was cut."""
    ramp = np.linspace(0, 1, round(FADE_SECONDS * RATE), dtype=np.float32)
    faded = samples.copy()
    faded[: len(ramp)] *= ramp
    faded[-len(ramp) :] *= ramp[::-1]
    return faded


def _draw_clip(pieces: dict[str, list[np.ndarray]], random: np.random.Generator) -> tuple[int, np.ndarray]:
    """A number that a speaker's words can say, and its samples, (samples,)."""
    for _ in range(TRIES):
        number = draw_number(random)
        words = vary_words(number_words(number), number, random)
        if any(word not in pieces for word in words):
            continue
        parts = [pieces[word][random.integers(len(pieces[word]))] for word in words]
        loudness = [max(float(np.sqrt(np.mean(np.square(part)))), 1e-4) for part in parts]
        parts = [part * (np.median(loudness) / own) ** EVENED for part, own in zip(parts, loudness, strict=True)]
        samples = join_words(parts, RATE, random)
        if len(samples) <= MAX_SECONDS * RATE:
            return number, np.clip(samples, -1, 1)
    raise DataError("The recorded numbers have too few words to put others together: give more of each speaker.")


def find_borders(waveform: np.ndarray, guides: Sequence[Sequence[np.ndarray]]) -> Cut:
    """Find where the words of a number lie.

    waveform: (samples,) at 16 kHz, trimmed; guides: its words, said one by one by other voices, (samples,) each.
    """
    features, energies = _describe(waveform)
    best: Cut | None = None
    for guide in guides:
        guide_features, _ = _describe(np.concatenate([np.zeros(RATE // 20), *guide, np.zeros(RATE // 20)]))
        path, misfit = _align(features, guide_features)
        starts = RATE // 20 + np.cumsum([0, *(len(word) for word in guide)])
        frames = np.searchsorted(path, starts / HOP - 1)
        if best is None or misfit < best.misfit:
            borders = [_settle(energies, int(frame)) for frame in frames]
            best = Cut(tuple(min(HOP * border, len(waveform)) for border in borders), misfit)
    assert best is not None
    return best


def _describe(waveform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A waveform's spectral shape, (frames, features), without what is constant in it, and its energies in dB."""
    padded = np.pad(np.asarray(waveform, dtype=np.float32), FRAME // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP] * np.hanning(FRAME)
    power = np.square(np.abs(np.fft.rfft(frames, 512)))
    edges = np.round(BANDS * 512 / RATE).astype(int)
    edges = np.maximum(edges, np.arange(len(edges)) + edges[0])  # at least one line a band
    bands = np.add.reduceat(power, edges, axis=1)[:, :-1] / np.diff(edges)
    levels = 10 * np.log10(np.maximum(bands, bands.max() * 1e-5))
    energies = 10 * np.log10(np.maximum(power.sum(1), power.sum(1).max() * 1e-5))
    # Relative to the clip's mean spectrum, in standard deviations: voices and microphones differ in both.
    shape = (levels - levels.mean(0)) / levels.std(0).clip(1e-3)
    loudness = (energies - energies.mean()) / energies.std().clip(1e-3)
    change = np.gradient(shape, axis=0)
    features = [shape / np.sqrt(shape.shape[1]), change / np.sqrt(shape.shape[1]), loudness[:, None]]
    return np.concatenate(features, axis=1), energies


def _align(features: np.ndarray, guide_features: np.ndarray) -> tuple[np.ndarray, float]:
    """The guide's frame of each frame that is heard, (frames,), never falling, and the mean distance."""
    distances = np.linalg.norm(features[:, None] - guide_features[None], axis=2)
    total = np.full(len(guide_features), np.inf)
    total[0] = distances[0, 0]
    steps = np.zeros(distances.shape, dtype=np.int8)
    for frame in range(1, len(features)):
        ways = np.full((FASTEST + 1, len(guide_features)), np.inf)
        for step in range(FASTEST + 1):
            ways[step, step:] = total[: len(guide_features) - step] + UNEVEN * (step != 1)
        steps[frame] = ways.argmin(0)
        total = ways.min(0) + distances[frame]
    path = np.zeros(len(features), dtype=int)
    place = len(guide_features) - 1
    for frame in range(len(features) - 1, -1, -1):
        path[frame] = place
        place -= int(steps[frame, place])
    return path, float(total[-1]) / len(features)


def _settle(energies: np.ndarray, frame: int) -> int:
    """The most quiet frame near one."""
    first = max(frame - REACH, 0)
    return first + int(energies[first : frame + REACH + 1].argmin()) if first < len(energies) else len(energies)
