"""Annotated soundscapes: events of known classes over backgrounds, at known times and signal-to-noise ratios.

Each lasts some seconds: a background without a break, and events laid over it, which may overlap unless they are of
one class. When an event begins and ends is when it is loud, see `find_event`.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import soxr

from ..audio.loading import load_audio
from ..data.tables.text_tables import read_table, write_cells
from ..errors import ArgumentError, DataError
from ..processes import work_off
from . import synthetic_instruments, synthetic_sounds
from .corpus_folder import make_corpus, write_wav
from .synthesis import decibels

RATE = 22050  # Hz
SECONDS = 10.0  # of a soundscape
TABLE_COLUMNS = ("path", "onset", "offset", "label", "signal_to_noise_db")
SIGNAL_TO_NOISE = (0.0, 20.0)  # dB: of an event's mean power to that of the background in the same time
EVENTS = (2, 6)  # in a soundscape, before those go that find no place
SAME_CLASS_GAP = 0.3  # s between two events of one class, so that nobody takes them for one
EVENT_SECONDS = 0.1, 3.5
_TRIES = 200  # for a place, and for a recording that has an event
_FRAME = 220  # samples, about 10 ms
_LOUD = 25.0  # dB below the loudest frame: what is fainter is not of the event
_JOINED = 0.3  # s: pauses in an event
_FADE = 0.005  # s at either end of an event
_CROSSFADE = 0.5  # s between the clips that a background is joined of
BACKGROUNDS = ("rain", "sea_waves", "wind", "engine", "crackling_fire")  # out of formulas
# ESC-50's classes of short sounds that begin and end, and of long ones without a break.
ESC50_EVENTS = (
    *("dog", "rooster", "cat", "crying_baby", "sneezing", "coughing", "laughing"),
    *("door_wood_knock", "can_opening", "glass_breaking"),
)
ESC50_BACKGROUNDS = (
    *("rain", "sea_waves", "wind", "washing_machine", "vacuum_cleaner"),
    *("engine", "train", "airplane", "helicopter"),
)
ESC50_FOLDS = ("1", "2", "3", "4", "5")


class LaidEvent(NamedTuple):
    """An event in a soundscape; times in seconds from its beginning."""

    onset: float
    offset: float
    label: str
    signal_to_noise: float
    """In dB."""


class Sounds(Protocol):
    """What soundscapes are made of; those of one split share no recording with those of another."""

    labels: Sequence[str]
    description: Mapping[str, str]
    """What tells them from others."""

    def event(self, label: str, split: str, random: np.random.Generator) -> np.ndarray:
        """A recording, (samples,) at `RATE`, with an event of a label in it."""

    def background(self, split: str, n_samples: int, random: np.random.Generator) -> np.ndarray:
        """Background without a break, (n_samples,) at `RATE`."""


class FormulaSounds:
    """Instruments over rain, wind, sea and engines, all out of formulas: no two recordings are the same."""

    labels: Sequence[str] = tuple(synthetic_instruments.SOUNDS)
    description: Mapping[str, str] = {"sounds": "formulas"}

    def event(self, label: str, split: str, random: np.random.Generator) -> np.ndarray:
        """A few notes."""
        notes = synthetic_instruments.record_sound(label, random)
        return np.asarray(soxr.resample(notes, synthetic_instruments.RATE, RATE))

    def background(self, split: str, n_samples: int, random: np.random.Generator) -> np.ndarray:
        """One recording of weather, fire or an engine."""
        make = synthetic_sounds.SOUNDS[random.choice(BACKGROUNDS)]
        sound = make(random, n_samples)
        return np.asarray(sound / sound.std())


class ESC50Sounds:
    """Short sounds of ESC-50 over long ones; the test split has the recordings of one fold, training the others.

    Args:
        directory: the parent of `audio` and `meta`.
        fold: "1" to "5".

    Raises:
        ArgumentError: there is no such fold.
        DataError: the folder is not ESC-50's.
    """

    labels: Sequence[str] = ESC50_EVENTS

    def __init__(self, directory: str | os.PathLike[str], fold: str):
        if fold not in ESC50_FOLDS:
            raise ArgumentError(f"--fold {fold} does not exist: ESC-50 has the folds 1 to 5.")
        self.directory, self.fold = Path(directory), fold
        self.description: Mapping[str, str] = {"sounds": "ESC-50", "fold": fold}
        table = self.directory / "meta" / "esc50.csv"
        if not table.is_file():
            raise DataError(f"{table} is not there: give the folder of ESC-50, which has audio and meta in it.")
        self.clips = self._list_clips(table)

    def _list_clips(self, table: Path) -> dict[tuple[str, str], list[Path]]:
        """Clips by their split and class; those cut from a recording of the test fold are not for training."""
        rows = read_table(table, ("filename", "fold", "category", "src_file")).to_dict("records")
        held_out = {row["src_file"] for row in rows if row["fold"] == self.fold}
        clips: dict[tuple[str, str], list[Path]] = {}
        for row in rows:
            split = "test" if row["fold"] == self.fold else "train"
            if split == "test" or row["src_file"] not in held_out:
                clips.setdefault((split, row["category"]), []).append(self.directory / "audio" / row["filename"])
        missing = [
            label
            for label in (*self.labels, *ESC50_BACKGROUNDS)
            if not all((split, label) in clips for split in ("train", "test"))
        ]
        if missing:
            raise DataError(f"{table} has no clips of {', '.join(missing)} in some fold: use the official table.")
        return clips

    def event(self, label: str, split: str, random: np.random.Generator) -> np.ndarray:
        """A clip of the class."""
        return self._load(split, label, random)

    def background(self, split: str, n_samples: int, random: np.random.Generator) -> np.ndarray:
        """Clips of one class one after the other, each of unit power, faded into each other."""
        label = str(random.choice(ESC50_BACKGROUNDS))
        fade = int(_CROSSFADE * RATE)
        sound = np.zeros(0)
        while len(sound) < n_samples:
            clip = self._load(split, label, random)
            clip = clip / (clip.std() + 1e-9)
            if len(sound):
                # Of unlike recordings powers add up: sine and cosine keep their sum.
                rise = np.sin(np.linspace(0, np.pi / 2, fade))
                joint = sound[-fade:] * rise[::-1] + clip[:fade] * rise
                clip = np.concatenate([joint, clip[fade:]])
                sound = sound[:-fade]
            sound = np.concatenate([sound, clip])
        return np.asarray(sound[:n_samples])

    def _load(self, split: str, label: str, random: np.random.Generator) -> np.ndarray:
        of_class = self.clips[split, label]
        return load_audio(of_class[random.integers(len(of_class))], RATE).astype(np.float64)


def make_soundscapes(
    directory: str | os.PathLike[str] | None = None,
    *,
    sounds: Sounds | None = None,
    count: int = 100,
    seed: int = 0,
) -> Path:
    """Make a corpus of annotated soundscapes, or return at once if it is already there.

    The recordings are `train/` and `test/{position}.wav`, 22,050 Hz, 16-bit, mono, 10 s; `train.csv` and `test.csv`
    have a row an event, with the columns path, onset, offset, label and signal_to_noise_db. A soundscape depends on
    the sounds, the seed, its split and its position alone, so a smaller corpus is the beginning of a larger one, and
    the same files are made each time, byte for byte (on one platform), on however many cores.

    Args:
        directory: the folder of the corpus; by default one in the Hugging Face cache (`HF_HOME`).
        sounds: what they are made of; by default instruments over weather and engines, out of formulas.
        count: training recordings, 1 or more; there are a third as many test recordings, at least one.
        seed: of all draws, 0 or more.

    Returns:
        The folder of the corpus.

    Raises:
        ArgumentError: an argument that cannot be.
        AudioError: a clip cannot be read.
        DataError: the folder cannot be written, or holds something else.
    """
    if count < 1 or seed < 0:
        problem = f"--count {count} must be 1 or more" if count < 1 else f"--seed {seed} must be 0 or more"
        raise ArgumentError(f"{problem}.")
    sounds = FormulaSounds() if sounds is None else sounds
    sizes = {"train": count, "test": max(count // 3, 1)}
    facts = json.dumps({**sounds.description, **sizes, "seed": seed}, indent=2).encode() + b"\n"

    def write(folder: Path) -> None:
        for split, size in sizes.items():
            (folder / split).mkdir()
            make = partial(_write_soundscape, folder, sounds, seed, split)
            rows = [row for rows in work_off(make, range(size), f"Making {split} soundscapes") for row in rows]
            write_cells(folder / f"{split}.csv", TABLE_COLUMNS, rows)
        (folder / "soundscapes.json").write_bytes(facts)

    tables = {"train.csv": None, "test.csv": None, "soundscapes.json": facts}
    name = "-".join(["soundscapes", *sounds.description.values(), str(count), str(seed)])
    return make_corpus(directory, name, sum(sizes.values()), write, other_files=tables)


def _write_soundscape(folder: Path, sounds: Sounds, seed: int, split: str, position: int) -> list[list[str]]:
    """Write one recording and give its rows of the table."""
    random = np.random.default_rng([seed, *split.encode(), position])
    samples, events = lay_soundscape(sounds, split, random)
    name = f"{split}/{position:04d}.wav"
    write_wav(folder / name, samples, RATE)
    return [
        [name, f"{event.onset:.3f}", f"{event.offset:.3f}", event.label, f"{event.signal_to_noise:.1f}"]
        for event in events
    ]


def lay_soundscape(sounds: Sounds, split: str, random: np.random.Generator) -> tuple[np.ndarray, list[LaidEvent]]:
    """Lay events over a background: equal generators give equal soundscapes.

    Returns:
        Samples, (SECONDS * RATE,) in (-1, 1), and the events in the order of their onsets.
    """
    n_samples = round(SECONDS * RATE)
    background = sounds.background(split, n_samples, random)
    track, events = np.zeros(n_samples), list[LaidEvent]()
    for label in random.choice(list(sounds.labels), random.integers(EVENTS[0], EVENTS[1] + 1)):
        sound = _draw_event(sounds, str(label), split, random)
        start = _find_place(events, str(label), len(sound), n_samples, random)
        if start is None:
            continue
        stop = start + len(sound)
        ratio = round(random.uniform(*SIGNAL_TO_NOISE), 1)
        noise = np.sqrt((background[start:stop] ** 2).mean())
        track[start:stop] += sound * (decibels(ratio) * noise / np.sqrt((sound**2).mean()))
        events.append(LaidEvent(start / RATE, stop / RATE, str(label), ratio))
    mixed = background + track
    mixed *= decibels(random.uniform(-20, -1)) / np.abs(mixed).max()
    return mixed, sorted(events)


def _draw_event(sounds: Sounds, label: str, split: str, random: np.random.Generator) -> np.ndarray:
    """The event of a recording, with its ends faded; of another recording, where one has none that is fit."""
    for _ in range(_TRIES):
        recording = sounds.event(label, split, random)
        found = find_event(recording)
        if found is not None:
            event = recording[found].copy()
            fade = np.linspace(0, 1, int(_FADE * RATE))
            event[: len(fade)] *= fade
            event[-len(fade) :] *= fade[::-1]
            return event
    raise DataError(f"Of {_TRIES} recordings of {label}, none has an event that begins and ends: leave the class out.")


def find_event(recording: np.ndarray) -> slice | None:
    """Where the loudest event of a recording is, (samples,) at `RATE`.

    From the first to the last 10 ms that are within 25 dB of its loudest ones, pauses of up to 0.3 s included.

    Returns:
        The samples; `None` where it is shorter than 0.1 s or longer than 3.5 s, as sounds without a break are.
    """
    n_frames = len(recording) // _FRAME
    power = (recording[: n_frames * _FRAME].reshape(n_frames, _FRAME) ** 2).mean(axis=1)
    if not power.any():
        return None
    loud = np.flatnonzero(power >= power.max() * decibels(-_LOUD) ** 2)
    breaks = np.flatnonzero(np.diff(loud) * _FRAME > _JOINED * RATE)
    peak = int(power.argmax())
    starts, stops = np.r_[loud[0], loud[breaks + 1]], np.r_[loud[breaks], loud[-1]] + 1
    part = int(np.searchsorted(stops, peak, side="right"))
    start, stop = int(starts[part]) * _FRAME, int(stops[part]) * _FRAME
    fits = EVENT_SECONDS[0] <= (stop - start) / RATE <= EVENT_SECONDS[1]
    return slice(start, stop) if fits else None


def _find_place(
    events: Sequence[LaidEvent], label: str, length: int, n_samples: int, random: np.random.Generator
) -> int | None:
    """A sample to begin at, where no event of the same label is near."""
    for start in _draw_starts(n_samples - length, random):
        onset, offset = start / RATE - SAME_CLASS_GAP, (start + length) / RATE + SAME_CLASS_GAP
        if not any(other.label == label and onset < other.offset and other.onset < offset for other in events):
            return start
    return None


def _draw_starts(last: int, random: np.random.Generator) -> Iterator[int]:
    for _ in range(_TRIES):
        yield int(random.integers(last + 1))
