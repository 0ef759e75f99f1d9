"""Instruments and applause out of formulas, under the names that FSDKaggle2018 gives to such sounds.

Bells and drums are modes that ring and die away, winds and strings are harmonics, the rest is noise in bands. Any two
recordings of one label differ in instrument, pitch, number of notes, length, room, microphone, noise and level.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from .corpus_folder import SEED, make_corpus, write_wav
from .synthesis import decibels, draw_log, ring, shape_spectrum

RATE = 44100  # Hz
_LONGEST = 3.5  # s, of what is heard of a clip
_SCALE = (0, 2, 4, 7, 9)  # semitones: pentatonic, so that any melody is one
_TAGGED_TABLES = {  # table: its columns
    "FSDKaggle2018.meta/train_post_competition.csv": "fname,label,manually_verified,freesound_id,license",
    "FSDKaggle2018.meta/test_post_competition_scoring_clips.csv": "fname,label,usage,freesound_id,license",
    "truth.csv": "fname,label",
}
# Of a label: training clips that were verified, those that were not and carry a wrong label (36 % of such), or the
# right one; test clips that count for the public leaderboard, or the private one. About as in FSDKaggle2018.
_TAGGED_CLIPS = {"verified": 10, "wrong": 5, "right": 9, "Public": 2, "Private": 6}


def make_tagged_sounds(directory: str | os.PathLike[str] | None = None) -> Path:
    """Make a corpus of noisily labelled sounds in the layout of FSDKaggle2018, or return at once if it is there.

    The clips are `FSDKaggle2018.audio_train/` and `FSDKaggle2018.audio_test/{8 hex digits}.wav`, 44,100 Hz, 16-bit,
    mono, 0.3 to 4 s: 10 of FSDKaggle2018's 41 labels, 24 training and 8 test clips of each. The tables in
    `FSDKaggle2018.meta` have its columns. As in FSDKaggle2018, some training labels are wrong: 10 clips of a sound are
    verified and labelled rightly, 5 of the other 14 carry another label. Test labels are right. `truth.csv`, which
    FSDKaggle2018 has not, tells what each training clip really is. The same files are made each time, byte for byte
    (on one platform: the last bit of a sine or a Fourier transform is the processor's).

    Args:
        directory: the folder of the corpus; by default one in the Hugging Face cache (`HF_HOME`).

    Returns:
        The folder of the corpus, the parent of `FSDKaggle2018.meta`.

    Raises:
        DataError: the folder cannot be written, or holds something else.

    Source of the layout: https://zenodo.org/records/2552860
    """

    def write(folder: Path) -> None:
        for name in ("audio_train", "audio_test", "meta"):
            (folder / f"FSDKaggle2018.{name}").mkdir()
        rows = []
        for label in tqdm(SOUNDS, desc="Making tagged sounds", unit="label"):
            rows += _write_tagged_sounds(folder, label)
        for table, header in _TAGGED_TABLES.items():
            content = [header, *sorted(row for name, row in rows if name == table), ""]
            (folder / table).write_text("\n".join(content), encoding="utf-8", newline="\n")

    n_clips = len(SOUNDS) * sum(_TAGGED_CLIPS.values())
    return make_corpus(directory, "tagged_sounds", n_clips, write, other_files=dict.fromkeys(_TAGGED_TABLES))


def _write_tagged_sounds(folder: Path, label: str) -> list[tuple[str, str]]:
    """Write the clips of one sound and give their rows, each with the table that it belongs to."""
    train, test, truth = _TAGGED_TABLES
    others = [other for other in SOUNDS if other != label]
    kinds = [kind for kind, n_clips in _TAGGED_CLIPS.items() for _ in range(n_clips)]
    rows = []
    for position, kind in enumerate(kinds):
        random = np.random.default_rng([SEED, *label.encode(), position])
        name = f"{random.integers(2**32):08x}.wav"
        audio = record_sound(label, random)
        is_test = kind in ("Public", "Private")
        write_wav(folder / f"FSDKaggle2018.audio_{'test' if is_test else 'train'}" / name, audio, RATE)
        if is_test:
            rows.append((test, f"{name},{label},{kind},,CC0"))
        else:
            claim = random.choice(others) if kind == "wrong" else label
            rows += [(train, f"{name},{claim},{int(kind == 'verified')},,CC0"), (truth, f"{name},{label}")]
    return rows


def record_sound(label: str, random: np.random.Generator) -> np.ndarray:
    """Record one or a few notes with silence around them: equal generators give equal recordings.

    Args:
        label: a key of `SOUNDS`.
        random: draws all that tells this recording from others of its label.

    Returns:
        Samples, shape [0.3 to 4 s at `RATE`], in (-0.9, 0.9).

    Raises:
        KeyError: an unknown label.
    """
    longest = draw_log(random, 0.3, _LONGEST)  # s
    n_notes = 1 if random.random() < 0.5 else random.integers(1, 2 + min(int(longest / 0.2), 6))
    melody = 2 ** (random.choice(_SCALE, n_notes) / 12)
    interval = longest / n_notes
    track = _mix(SOUNDS[label](random, melody, interval), longest, interval, random)
    silences = (random.uniform(0, 0.25, 2) * RATE).astype(int)
    silences[1] = max(silences[1], 0.3 * RATE - len(track))
    track = _add_room(np.pad(track, silences), random)
    noise = _make_noise(random, len(track) / RATE, high=draw_log(random, 500, 20000))
    track += noise * decibels(random.uniform(-65, -30))
    track = _filter(track, draw_log(random, 20, 150), draw_log(random, 5000, 20000))  # the microphone
    return track * (decibels(random.uniform(-24, -1)) / np.abs(track).max())


def _mix(notes: Sequence[np.ndarray], seconds: float, interval: float, random: np.random.Generator) -> np.ndarray:
    """Let notes follow each other at about the interval, and end where nothing is heard any more."""
    track = np.zeros(int(seconds * RATE))
    for position, note in enumerate(notes):
        start = int((position + random.uniform(0, 0.1)) * interval * RATE)
        part = track[start : start + len(note)]
        part += note[: len(part)] * random.uniform(0.5, 1)
    track[-441:] *= np.linspace(1, 0, 441)
    track /= np.abs(track).max()
    return track[: np.flatnonzero(np.abs(track) > 0.003)[-1] + 1]


def _play_acoustic_guitar(random: np.random.Generator, melody: np.ndarray, seconds: float) -> list[np.ndarray]:
    lowest, decay = draw_log(random, 82, 350), draw_log(random, 0.5, 2)  # Hz, s
    place, brightness = (
        random.uniform(0.08, 0.4),
        draw_log(random, 1500, 8000),
    )  # of the pluck: share of the string, Hz
    notes = []
    for pitch in lowest * melody:
        # Karplus and Strong's string: a period of noise whose neighbours are averaged again and again. Averaging is
        # a gain for each harmonic, so all periods can be had at once.
        period = round(RATE / pitch)
        harmonics = np.arange(period // 2 + 1)
        pluck = np.fft.rfft(random.uniform(-1, 1, period)) * np.sin(np.pi * place * harmonics)
        pluck /= 1 + (harmonics * pitch / brightness) ** 2
        loss = np.exp(-1 / (pitch * decay)) * np.cos(np.pi * harmonics / period)
        passes = np.arange(int(min(6 * decay, _LONGEST) * pitch))[:, None]
        notes.append(np.fft.irfft(pluck * loss**passes, period).ravel())
    return notes


def _play_applause(random: np.random.Generator, melody: np.ndarray, seconds: float) -> list[np.ndarray]:
    n_samples = int(len(melody) * seconds * RATE)
    density = draw_log(random, 15, 400)  # claps a second
    applause = np.zeros(n_samples)
    for _ in range(6):  # pairs of hands
        clap = _make_burst(
            random, draw_log(random, 500, 1500), draw_log(random, 1500, 5000), draw_log(random, 0.003, 0.015)
        )
        moments = random.integers(n_samples, size=1 + random.poisson(density / 6 * n_samples / RATE))
        claps = np.bincount(moments, random.lognormal(0, 0.6, len(moments)), n_samples)
        applause += _convolve(claps, clap)
    return [applause]


def _play_bass_drum(random: np.random.Generator, melody: np.ndarray, seconds: float) -> list[np.ndarray]:
    pitch, drop, decay = draw_log(random, 40, 90), random.uniform(0.3, 3), draw_log(random, 0.05, 0.4)
    time = np.arange(int(6 * decay * RATE)) / RATE
    # The skin is tightest, and highest, when it is struck.
    phase = 2 * np.pi * pitch * (time + drop * 0.03 * (1 - np.exp(-time / 0.03)))
    drum = np.sin(phase) * np.exp(-time / decay)
    beater, loudness = draw_log(random, 500, 4000), decibels(random.uniform(-30, -6))
    return [_add(drum, loudness * _make_burst(random, 60, beater, 0.005)) for _ in melody]


def _play_chime(random: np.random.Generator, melody: np.ndarray, seconds: float) -> list[np.ndarray]:
    lowest, decay = draw_log(random, 500, 2500), draw_log(random, 0.2, 1.5)
    bar = np.array([1, 2.76, 5.4, 8.93])  # modes of a bar that is free at both ends
    gains = random.uniform(0.2, 1, 4) / bar**0.5
    return [_ring(lowest * note * bar, decay / bar**0.7, gains) for note in melody]


def _play_clarinet(random: np.random.Generator, melody: np.ndarray, seconds: float) -> list[np.ndarray]:
    harmonics = np.arange(1, 31)
    gains = harmonics ** -random.uniform(0.8, 1.6)
    gains[1::2] *= random.uniform(0.02, 0.2)  # a tube closed at one end has odd harmonics
    lowest, attack, breath = draw_log(random, 147, 700), draw_log(random, 0.02, 0.08), random.uniform(-60, -40)
    return [_sustain(random, lowest * note, seconds, gains, attack, vibrato=0, breath=breath) for note in melody]


def _play_flute(random: np.random.Generator, melody: np.ndarray, seconds: float) -> list[np.ndarray]:
    gains = np.arange(1, 9) ** -random.uniform(1.8, 3.5)
    lowest, attack, vibrato = draw_log(random, 262, 1000), draw_log(random, 0.04, 0.12), random.uniform(0.001, 0.008)
    breath = random.uniform(-40, -18)
    return [_sustain(random, lowest * note, seconds, gains, attack, vibrato, breath) for note in melody]


def _play_gong(random: np.random.Generator, melody: np.ndarray, seconds: float) -> list[np.ndarray]:
    modes = np.concatenate([[1], random.uniform(1.2, 14, 24)])
    pitch, decay, tilt = draw_log(random, 60, 250), draw_log(random, 0.5, 3), random.uniform(0.3, 1)
    gains = random.uniform(0.2, 1, 25) / modes**tilt
    rise = draw_log(random, 0.005, 0.08)  # s: energy takes a while to spread over the metal
    gong = _ring(pitch * modes, decay / modes**0.4, gains)
    return [gong * (1 - np.exp(-np.arange(len(gong)) / (rise * RATE))) for _ in melody]


def _play_hi_hat(random: np.random.Generator, melody: np.ndarray, seconds: float) -> list[np.ndarray]:
    low, closed = draw_log(random, 3000, 8000), draw_log(random, 0.015, 0.06)
    decays = np.where(random.random(len(melody)) < 0.3, draw_log(random, 0.15, 0.6), closed)  # some strokes are open
    return [_make_burst(random, low, 18000, decay) for decay in decays]


def _play_snare_drum(random: np.random.Generator, melody: np.ndarray, seconds: float) -> list[np.ndarray]:
    pitch, decay, wires = draw_log(random, 140, 280), draw_log(random, 0.03, 0.12), draw_log(random, 0.04, 0.2)
    drum = _ring(pitch * np.array([1, 1.59, 2.14]), [decay] * 3, random.uniform(0.2, 1, 3))  # modes of a round skin
    low, loudness = draw_log(random, 700, 2500), random.uniform(0.5, 2)
    return [_add(drum, loudness * _make_burst(random, low, 12000, wires)) for _ in melody]


def _play_violin(random: np.random.Generator, melody: np.ndarray, seconds: float) -> list[np.ndarray]:
    lowest, attack, vibrato = draw_log(random, 196, 900), draw_log(random, 0.03, 0.15), random.uniform(0, 0.012)
    body = [(draw_log(random, low, 1.4 * low), random.uniform(1, 4)) for low in (270, 450, 900, 2200, 3200)]
    harmonics, notes = np.arange(1, 41), []
    for pitch in lowest * melody:
        resonance = 1 + sum(gain / (1 + (8 * np.log(harmonics * pitch / peak)) ** 2) for peak, gain in body)
        gains = resonance / harmonics  # the string slips under the bow: a sawtooth
        notes.append(_sustain(random, pitch, seconds, gains, attack, vibrato, breath=-45))
    return notes


# By label: what plays the notes. A melody is how many times the lowest pitch each note has. What is blown or bowed
# sounds for the given seconds, what is struck or plucked as long as it rings; drums and gongs keep one pitch.
SOUNDS: dict[str, Callable[[np.random.Generator, np.ndarray, float], list[np.ndarray]]] = {
    "Acoustic_guitar": _play_acoustic_guitar,
    "Applause": _play_applause,
    "Bass_drum": _play_bass_drum,
    "Chime": _play_chime,
    "Clarinet": _play_clarinet,
    "Flute": _play_flute,
    "Gong": _play_gong,
    "Hi-hat": _play_hi_hat,
    "Snare_drum": _play_snare_drum,
    "Violin_or_fiddle": _play_violin,
}


def _round_up(n_samples: int) -> int:
    """Give a length whose only prime factors are 2, 3, 5 and 7: Fourier transforms of others take longer."""
    step = 2 ** max(n_samples.bit_length() - 3, 0)
    return -(-n_samples // step) * step


def _filter(samples: np.ndarray, low: float, high: float) -> np.ndarray:
    """Keep a band in Hz; outside, it falls by 12 dB an octave."""
    n_samples = _round_up(len(samples))
    frequencies = np.fft.rfftfreq(n_samples, 1 / RATE)
    gains = (frequencies / low) ** 2 / (1 + (frequencies / low) ** 2) / (1 + (frequencies / high) ** 2)
    return shape_spectrum(samples, gains, n_samples)


def _convolve(samples: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Give the beginning of the convolution, as long as `samples`."""
    n_samples = _round_up(len(samples) + len(response))
    return shape_spectrum(samples, np.fft.rfft(response, n_samples), n_samples)


def _make_noise(random: np.random.Generator, seconds: float, low: float = 20, high: float = 20000) -> np.ndarray:
    noise = _filter(random.standard_normal(round(seconds * RATE)), low, high)
    return noise / noise.std()


def _make_burst(random: np.random.Generator, low: float, high: float, decay: float) -> np.ndarray:
    """Make noise in a band that begins at once and falls to 1/e in `decay` seconds."""
    noise = _make_noise(random, max(6 * decay, 0.02), low, high)
    return noise * np.exp(-np.arange(len(noise)) / (decay * RATE))


def _add(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    total = np.zeros(max(len(one), len(other)))
    total[: len(one)] += one
    total[: len(other)] += other
    return total


def _add_room(sound: np.ndarray, random: np.random.Generator) -> np.ndarray:
    echo = _convolve(sound, _make_burst(random, 100, 6000, draw_log(random, 0.02, 0.2)))
    return sound + echo * (decibels(random.uniform(-30, -6)) / np.abs(echo).max())


def _ring(frequencies: np.ndarray, decays: Sequence[float] | np.ndarray, gains: np.ndarray) -> np.ndarray:
    """Add up modes that start at once and die away: Hz, s (to 1/e), and amplitudes."""
    block = int(np.sqrt(min(6 * max(decays), _LONGEST) * RATE)) + 1
    return ring(frequencies, decays, gains, block * block, RATE, highest=20000)


def _sustain(
    random: np.random.Generator,
    pitch: float,
    seconds: float,
    gains: np.ndarray,
    attack: float,
    vibrato: float,
    breath: float,
) -> np.ndarray:
    """Hold a note of harmonics; vibrato as a share of the pitch, noise around the pitch in dB."""
    time = np.arange(int(seconds * RATE)) / RATE
    bend = vibrato * np.sin(2 * np.pi * random.uniform(4.5, 6.5) * time + random.uniform(0, 6))
    turn = np.exp(2j * np.pi * np.cumsum(pitch * (1 + bend)) / RATE)
    # Powers of one rotation are its harmonics.
    harmonics = np.polynomial.polynomial.polyval(turn, [0, *gains[: int(20000 / pitch)]]).imag
    noise = _make_noise(random, len(time) / RATE, pitch, 4 * pitch)
    envelope = np.clip(time / attack, 0, 1) * np.clip((seconds - time) / 0.05, 0, 1)
    return envelope * (harmonics / harmonics.std() + decibels(breath) * noise)
