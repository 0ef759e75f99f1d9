"""Environmental sounds out of formulas, under the names that ESC-50 gives to such sounds.

Each sound is built of what makes the real one: impacts that ring and die away, bands of noise, tones that sweep. Any
two recordings of one category differ in pitch, pace, colour, room noise, microphone and level.
"""

import itertools
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from .corpus_folder import SEED, make_corpus, write_wav
from .synthesis import decibels, draw_log, ring, shape_spectrum

RATE = 22050  # Hz
CLIP_SAMPLES = 5 * RATE  # all clips of ESC-50 last 5 s
_FOLDS = (1, 2, 3, 4, 5)
_TAKES = ("AB", "A", "A")  # of the recordings that a class has in a fold
_ESC10 = {
    *("dog", "rain", "sea_waves", "crying_baby", "clock_tick"),
    *("sneezing", "helicopter", "chainsaw", "rooster", "crackling_fire"),
}


def make_environmental_sounds(directory: str | os.PathLike[str] | None = None) -> Path:
    """Make a corpus of environmental sounds in the layout of ESC-50, or return at once if it is already there.

    The clips are `audio/{fold}-{src_file}-{take}-{target}.wav`, 22,050 Hz, 16-bit, mono, 5 s: 10 classes named as in
    ESC-50, 5 folds, 3 recordings (`src_file`) a class and fold, one of which gives two clips, the takes A and B. In
    `meta/esc50.csv` they have ESC-50's columns; the target numbers are other ones, 0 to 9. As in ESC-50, no recording
    is in two folds, and clips of short sounds end in zeros. The same files are made each time, byte for byte (on one
    platform: the last bit of a sine or a Fourier transform is the processor's).

    Args:
        directory: the folder of the corpus; by default one in the Hugging Face cache (`HF_HOME`).

    Returns:
        The folder of the corpus, the parent of `audio` and `meta`.

    Raises:
        DataError: the folder cannot be written, or holds something else.

    Source of the layout: https://github.com/karolpiczak/ESC-50
    """
    table = "meta/esc50.csv"

    def write(folder: Path) -> None:
        (folder / "audio").mkdir()
        (folder / "meta").mkdir()
        rows = []
        for category in tqdm(SOUNDS, desc="Making environmental sounds", unit="class"):
            rows += _write_sounds(folder / "audio", category)
        header = "filename,fold,target,category,esc10,src_file,take"
        (folder / table).write_text("\n".join([header, *sorted(rows), ""]), encoding="utf-8", newline="\n")

    n_clips = len(SOUNDS) * len(_FOLDS) * len("".join(_TAKES))
    return make_corpus(directory, "environmental_sounds", n_clips, write, other_files={table: None})


def _write_sounds(folder: Path, category: str) -> list[str]:
    """Write the clips of one class and give their rows of the table."""
    target = list(SOUNDS).index(category)
    rows = []
    for position, (fold, takes) in enumerate(itertools.product(_FOLDS, _TAKES)):
        # By category and position: no recording depends on the others.
        random = np.random.default_rng([SEED, *category.encode(), position])
        src_file = 100_000 + 1000 * target + position
        clips = record_sound(category, random, len(takes))
        for take, audio in zip(takes, clips, strict=True):
            name = f"{fold}-{src_file}-{take}-{target}.wav"
            write_wav(folder / name, audio, RATE)
            rows.append(f"{name},{fold},{target},{category},{category in _ESC10},{src_file},{take}")
    return rows


def record_sound(category: str, random: np.random.Generator, n_takes: int) -> np.ndarray:
    """Make one recording and cut it into clips: equal generators give equal recordings.

    As in ESC-50, some recordings are of short sounds: their clips end in zeros.

    Args:
        category: a key of `SOUNDS`.
        random: draws all that tells this recording from others of its category.
        n_takes: how many clips are cut from it, one after the other.

    Returns:
        Samples, shape [n_takes, CLIP_SAMPLES], in (-0.9, 0.9), at `RATE`.

    Raises:
        KeyError: an unknown category.
    """
    n_samples = n_takes * CLIP_SAMPLES
    sound = SOUNDS[category](random, n_samples)
    sound /= sound.std()
    if random.random() < 0.25:
        onset = int(random.uniform(0.2, 1.5) * RATE)
        sound *= np.clip((np.arange(n_samples) - onset) / (0.01 * RATE), 0, 1)
    background = _make_noise(random, n_samples, slope=random.uniform(0, 2))
    microphone = _pass_band(n_samples, random.uniform(20, 200), draw_log(random, 3000, 11000))
    recording = shape_spectrum(sound + background * decibels(random.uniform(-40, -10)), microphone)
    recording *= decibels(random.uniform(-24, -1)) / np.abs(recording).max()
    clips = recording.reshape(n_takes, CLIP_SAMPLES)
    if random.random() < 0.3:
        clips = np.stack([_keep_loudest(clip, random) for clip in clips])
    return clips


def _keep_loudest(clip: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Move the loudest moment and what is around it to the beginning, and leave zeros after it."""
    n_kept = int(random.uniform(1, 3.5) * RATE)
    start = int(np.abs(clip).argmax() - random.uniform(0.1, 0.9) * n_kept)
    start = min(max(start, 0), len(clip) - n_kept)
    return np.concatenate([clip[start : start + n_kept], np.zeros(len(clip) - n_kept)])


def _make_rain(random: np.random.Generator, n_samples: int) -> np.ndarray:
    low, high = draw_log(random, 200, 1500), random.uniform(5000, 10000)
    hiss = _make_noise(random, n_samples, slope=random.uniform(-0.5, 1), low=low, high=high)
    drops = np.zeros(n_samples)
    for _ in range(6):  # kinds of drops: what they fall on
        pitch = draw_log(random, 800, 7000)
        drop = _ring([pitch, 1.6 * pitch], [random.uniform(0.001, 0.006)] * 2, [1, 0.5])
        drops += _scatter(random, n_samples, rate=draw_log(random, 5, 80), spread=0.7, sound=drop)
    return hiss + drops / drops.std() * decibels(random.uniform(-15, 3))


def _make_sea_waves(random: np.random.Generator, n_samples: int) -> np.ndarray:
    interval, rise, fall = random.uniform(2.5, 6), random.uniform(0.3, 1.2), random.uniform(0.6, 2.2)
    crests = np.arange(random.uniform(-interval, 0), n_samples / RATE + interval, interval)
    crests += random.uniform(-0.2, 0.2, len(crests)) * interval
    since = np.arange(n_samples) / RATE - crests[:, None]
    swells = np.exp(np.where(since < 0, since / rise, -since / fall)) * random.uniform(0.5, 1, (len(crests), 1))
    swell = swells.sum(axis=0)
    surf = _make_noise(random, n_samples, slope=random.uniform(0, 1), low=random.uniform(200, 600), high=9000)
    roar = _make_noise(random, n_samples, slope=random.uniform(1, 2), low=40, high=random.uniform(500, 1200))
    # The crest breaks: it is not only louder than the trough but brighter.
    return surf * swell**2 + roar * decibels(random.uniform(-12, -3)) * (0.3 + swell)


def _make_crackling_fire(random: np.random.Generator, n_samples: int) -> np.ndarray:
    flames = _make_noise(random, n_samples, slope=random.uniform(0.5, 1.5), low=40, high=draw_log(random, 1000, 8000))
    flames *= np.exp(0.3 * _wander(random, n_samples, rate=8))
    crackles = np.zeros(n_samples)
    for _ in range(5):  # kinds of crackles, from clicks to pops
        decay = draw_log(random, 0.0005, 0.008)
        burst = random.standard_normal(int(6 * decay * RATE) + 1)
        burst *= np.exp(-np.arange(len(burst)) / (decay * RATE))
        crackles += _scatter(random, n_samples, rate=draw_log(random, 1, 12), spread=1, sound=burst / burst.std())
    crackles = shape_spectrum(crackles, _pass_band(n_samples, draw_log(random, 400, 2000), 9000))
    return flames + crackles * (decibels(random.uniform(18, 33)) / np.abs(crackles).max())


def _make_chirping_birds(random: np.random.Generator, n_samples: int) -> np.ndarray:
    song = np.zeros(n_samples + RATE)
    for distance in random.uniform(0, 15, random.integers(1, 4)):  # birds, in decibels of attenuation
        seconds = draw_log(random, 0.04, 0.25)
        along = np.linspace(0, 1, int(seconds * RATE))
        octaves = random.uniform(-0.6, 0.6) * along + random.uniform(-0.4, 0.4) * np.sin(np.pi * along)
        octaves += random.uniform(0, 0.12) * np.sin(2 * np.pi * random.uniform(15, 45) * seconds * along)  # a trill
        pitch = draw_log(random, 2200, 5500) * 2**octaves
        gap, pause, n_chirps = draw_log(random, 0.03, 0.25), random.uniform(0.2, 1.2), random.integers(1, 9)
        onset = random.uniform(0, 0.8)
        while onset * RATE < n_samples:
            for _ in range(n_chirps + random.integers(0, 3)):
                phase = 2 * np.pi * np.cumsum(pitch * 2 ** random.normal(0, 0.03)) / RATE
                chirp = np.sin(np.pi * along) ** 2 * (np.sin(phase) + 0.15 * np.sin(2 * phase))
                chirp *= decibels(random.uniform(-4, 0) - distance)
                start = int(onset * RATE)
                part = song[start : start + len(chirp)]
                part += chirp[: len(part)]
                onset += seconds + gap * random.uniform(0.9, 1.1)
            onset += pause * random.uniform(0.6, 1.4)
    return song[:n_samples]


def _make_wind(random: np.random.Generator, n_samples: int) -> np.ndarray:
    gust = _wander(random, n_samples, rate=random.uniform(0.4, 1.5))
    rumble = _make_noise(random, n_samples, slope=random.uniform(1.5, 3), low=30, high=draw_log(random, 300, 1500))
    # The howl is a narrow band of noise that rises with the gust, as air whistles higher the faster it moves.
    pitch = draw_log(random, 250, 900) * 2 ** (random.uniform(0.1, 0.35) * gust)
    width = random.uniform(15, 60)  # Hz
    cosine, sine = (_make_noise(random, n_samples, low=0.5, high=width) for _ in range(2))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    howl = (cosine * np.cos(phase) + sine * np.sin(phase)) * np.exp(0.5 * gust)
    return (rumble + howl * decibels(random.uniform(-15, 3))) * np.exp(random.uniform(0.3, 0.8) * gust)


def _make_footsteps(random: np.random.Generator, n_samples: int) -> np.ndarray:
    thump_pitch, thump_gain = random.uniform(50, 150), decibels(random.uniform(-6, 12))
    decay = draw_log(random, 0.015, 0.07)  # s: short on stone, long on gravel
    low, high = draw_log(random, 120, 800), draw_log(random, 1200, 7000)
    roll = random.uniform(0.05, 0.14)  # s from heel to toe
    since = np.arange(int((roll + 6 * decay + 0.15) * RATE)) / RATE
    steps = []
    for _ in range(8):
        scrape = _make_noise(random, len(since), low=low, high=high)
        heel, toe = (
            np.where(since < start, 0, np.exp(-(since - start) / decay) * np.clip((since - start) / 0.002, 0, 1))
            for start in (0, roll * random.uniform(0.8, 1.2))
        )
        thump = np.sin(2 * np.pi * thump_pitch * random.uniform(0.9, 1.1) * since) * np.exp(-since / 0.03)
        steps.append(scrape * (heel + toe * random.uniform(0.3, 0.9)) + thump_gain * thump)
    return _repeat(random, n_samples, steps, interval=random.uniform(0.35, 0.75), jitter=0.05)


def _make_clock_tick(random: np.random.Generator, n_samples: int) -> np.ndarray:
    pitch = draw_log(random, 1200, 4000)
    modes = np.array([1, *random.uniform(1.2, 2.4, 3)])
    ticks = []
    for shift in (1, random.uniform(0.75, 1.1)):  # tick and tock
        decays = draw_log(random, 0.002, 0.012) * random.uniform(0.5, 1, 4)
        tick = _ring(shift * pitch * modes, decays, random.uniform(0.3, 1, 4))
        # The wheel catches a moment after the pallet drops.
        late = int(random.uniform(0.004, 0.02) * RATE)
        double = np.concatenate([tick, np.zeros(late)])
        double[late:] += random.uniform(0.2, 0.8) * tick
        ticks.append(double)
    return _repeat(random, n_samples, ticks, interval=draw_log(random, 0.2, 1), jitter=0.005)


def _make_siren(random: np.random.Generator, n_samples: int) -> np.ndarray:
    time = np.arange(n_samples) / RATE + random.uniform(0, 10)
    low, octaves = draw_log(random, 380, 750), random.uniform(0.6, 1.3)
    kind = random.integers(3)
    if kind == 0:  # wail
        height = 0.5 - 0.5 * np.cos(2 * np.pi * time / random.uniform(1.5, 5))
    elif kind == 1:  # yelp: up and down, or up and back at once
        cycle = time / random.uniform(0.2, 0.5) % 1
        peak = random.uniform(0.5, 0.95)
        height = np.minimum(cycle / peak, (1 - cycle) / (1 - peak))
    else:  # two tones
        octaves = random.uniform(0.25, 0.5)
        height = np.clip(0.5 + 10 * np.sin(2 * np.pi * time / random.uniform(0.8, 1.6)), 0, 1)
    phase = 2 * np.pi * np.cumsum(low * 2 ** (octaves * height)) / RATE
    steepness = random.uniform(0.7, 2.2)
    tone = sum(np.sin(k * phase) * k**-steepness for k in range(1, 7))
    return tone * np.exp(0.3 * _wander(random, n_samples, rate=0.5))


def _make_engine(random: np.random.Generator, n_samples: int) -> np.ndarray:
    n_cylinders = random.choice([1, 2, 3, 4, 6])
    firing = draw_log(random, 14, 90)  # Hz
    speed = firing / n_cylinders * np.exp(random.uniform(0.01, 0.06) * _wander(random, n_samples, rate=1))
    cycle = np.cumsum(speed) / RATE * n_cylinders  # one whole number a firing
    cylinder = cycle.astype(int) % n_cylinders
    pulse = np.exp(-random.uniform(4, 9) * (cycle % 1)) * random.uniform(0.6, 1, n_cylinders)[cylinder]
    frequencies = np.fft.rfftfreq(n_samples, 1 / RATE)
    body = np.full(len(frequencies), 0.05)
    for _ in range(4):  # resonances of exhaust and bonnet
        centre = draw_log(random, 60, 1500)
        body += random.uniform(0.3, 1) * (100 / centre) ** 0.5 / (1 + ((frequencies - centre) / (0.2 * centre)) ** 2)
    exhaust = shape_spectrum(pulse, body * _pass_band(n_samples, 25, random.uniform(1500, 6000)))
    hiss = _make_noise(random, n_samples, slope=random.uniform(0.5, 1.5), low=200, high=8000) * (0.3 + pulse)
    return exhaust / exhaust.std() + hiss / hiss.std() * decibels(random.uniform(-25, -6))


def _make_church_bells(random: np.random.Generator, n_samples: int) -> np.ndarray:
    # Partials of a tuned bell: hum, prime, tierce, quint, nominal, and those above; the hum rings longest.
    partials = np.array([0.5, 1, 1.2, 1.5, 2, 2.5, 3, 4, 5.4])
    gains = np.array([0.5, 0.7, 0.8, 0.3, 1, 0.4, 0.5, 0.4, 0.2])
    prime, ringing = draw_log(random, 180, 700), random.uniform(0.6, 2.5)
    bells = []
    for step in random.permutation([0, 2, 4, 5, 7])[: random.integers(1, 5)]:  # semitones: a peal of up to four
        detuned = partials * 2 ** (step / 12) * (1 + random.normal(0, 0.005, len(partials)))
        bells.append(_ring(prime * detuned, ringing / partials**0.8, gains * random.uniform(0.5, 1.2, len(partials))))
    return _repeat(random, n_samples, bells, interval=random.uniform(0.5, 1.8), jitter=0.04)


# By category, in the order that ESC-50 has them in.
SOUNDS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "rain": _make_rain,
    "sea_waves": _make_sea_waves,
    "crackling_fire": _make_crackling_fire,
    "chirping_birds": _make_chirping_birds,
    "wind": _make_wind,
    "footsteps": _make_footsteps,
    "clock_tick": _make_clock_tick,
    "siren": _make_siren,
    "engine": _make_engine,
    "church_bells": _make_church_bells,
}


def _pass_band(n_samples: int, low: float, high: float) -> np.ndarray:
    """Give the gain at each frequency of an FFT: 1 from `low` to `high` in Hz, falling by 24 dB an octave outside."""
    frequencies = np.fft.rfftfreq(n_samples, 1 / RATE)
    rise, fall = (frequencies / low) ** 4, (frequencies / high) ** 4
    return rise / np.hypot(1, rise) / np.hypot(1, fall)


def _make_noise(
    random: np.random.Generator, n_samples: int, *, slope: float = 0, low: float = 20, high: float = RATE / 2
) -> np.ndarray:
    """Make noise of unit power in a band; its slope is 0 for white, 1 for pink, 2 for brown."""
    frequencies = np.fft.rfftfreq(n_samples, 1 / RATE)
    tilt = np.maximum(frequencies, 1) ** (-slope / 2)
    noise = shape_spectrum(random.standard_normal(n_samples), tilt * _pass_band(n_samples, low, high))
    return noise / noise.std()


def _wander(random: np.random.Generator, n_samples: int, rate: float) -> np.ndarray:
    """Draw a curve of about unit variance that goes up and down `rate` times a second at most."""
    knots = random.standard_normal(int(2 * rate * n_samples / RATE) + 3)
    return np.interp(np.arange(n_samples) * (2 * rate / RATE), np.arange(len(knots)), knots)


def _ring(
    frequencies: Sequence[float] | np.ndarray,
    decays: Sequence[float] | np.ndarray,
    gains: Sequence[float] | np.ndarray,
) -> np.ndarray:
    """Add up partials that start at once and fade away: Hz, s (to 1/e), and amplitudes."""
    return ring(frequencies, decays, gains, int(5 * max(decays) * RATE), RATE, highest=RATE / 2)


def _scatter(
    random: np.random.Generator, n_samples: int, *, rate: float, spread: float, sound: np.ndarray
) -> np.ndarray:
    """Strew a short sound at random, `rate` times a second, at levels whose logarithm varies by `spread`."""
    impulses = np.zeros(n_samples)
    n_sounds = 1 + random.poisson(rate * n_samples / RATE)
    np.add.at(impulses, random.integers(n_samples, size=n_sounds), random.lognormal(0, spread, n_sounds))
    return shape_spectrum(impulses, np.fft.rfft(sound, n_samples))


def _repeat(
    random: np.random.Generator, n_samples: int, sounds: Sequence[np.ndarray], *, interval: float, jitter: float
) -> np.ndarray:
    """Play sounds in turn every `interval` seconds, each late by up to the share of it that `jitter` gives."""
    lead = max(map(len, sounds))  # played from before the beginning, so that what rang then still rings
    track = np.zeros(lead + n_samples + lead)
    onsets = np.arange(random.random(), (lead + n_samples) / (interval * RATE) - jitter)  # in intervals
    onsets += random.uniform(0, jitter, len(onsets))
    for position, start in enumerate((onsets * interval * RATE).astype(int)):
        sound = sounds[position % len(sounds)]
        track[start : start + len(sound)] += sound * random.uniform(0.7, 1)
    return track[lead : lead + n_samples]
