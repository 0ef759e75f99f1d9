"""Instruments and applause out of formulas, under the names that FSDKaggle2018 gives to such sounds.

Bells and drums are modes that ring and die away, winds and strings are harmonics, the rest is noise in bands. Any two
recordings of one label differ in instrument, pitch, number of notes, length, room, microphone, noise and level.
"""

from collections.abc import Callable, Sequence

import numpy as np

RATE = 44100  # Hz
_LONGEST = 3.5  # s, of what is heard of a clip
_SCALE = (0, 2, 4, 7, 9)  # semitones: pentatonic, so that any melody is one


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
    longest = _draw(random, 0.3, _LONGEST)  # s
    n_notes = 1 if random.random() < 0.5 else random.integers(1, 2 + min(int(longest / 0.2), 6))
    melody = 2 ** (random.choice(_SCALE, n_notes) / 12)
    interval = longest / n_notes
    track = _mix(SOUNDS[label](random, melody, interval), longest, interval, random)
    silences = (random.uniform(0, 0.25, 2) * RATE).astype(int)
    silences[1] = max(silences[1], 0.3 * RATE - len(track))
    track = _add_room(np.pad(track, silences), random)
    noise = _make_noise(random, len(track) / RATE, high=_draw(random, 500, 20000))
    track += noise * 10 ** (random.uniform(-65, -30) / 20)
    track = _filter(track, _draw(random, 20, 150), _draw(random, 5000, 20000))  # the microphone
    return track * (10 ** (random.uniform(-24, -1) / 20) / np.abs(track).max())


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
    lowest, decay = _draw(random, 82, 350), _draw(random, 0.5, 2)  # Hz, s
    place, brightness = random.uniform(0.08, 0.4), _draw(random, 1500, 8000)  # of the pluck: share of the string, Hz
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
    density = _draw(random, 15, 400)  # claps a second
    applause = np.zeros(n_samples)
    for _ in range(6):  # pairs of hands
        clap = _make_burst(random, _draw(random, 500, 1500), _draw(random, 1500, 5000), _draw(random, 0.003, 0.015))
        moments = random.integers(n_samples, size=1 + random.poisson(density / 6 * n_samples / RATE))
        claps = np.bincount(moments, random.lognormal(0, 0.6, len(moments)), n_samples)
        applause += _convolve(claps, clap)
    return [applause]


def _play_bass_drum(random: np.random.Generator, melody: np.ndarray, seconds: float) -> list[np.ndarray]:
    pitch, drop, decay = _draw(random, 40, 90), random.uniform(0.3, 3), _draw(random, 0.05, 0.4)
    time = np.arange(int(6 * decay * RATE)) / RATE
    # The skin is tightest, and highest, when it is struck.
    phase = 2 * np.pi * pitch * (time + drop * 0.03 * (1 - np.exp(-time / 0.03)))
    drum = np.sin(phase) * np.exp(-time / decay)
    beater, loudness = _draw(random, 500, 4000), 10 ** (random.uniform(-30, -6) / 20)
    return [_add(drum, loudness * _make_burst(random, 60, beater, 0.005)) for _ in melody]


def _play_chime(random: np.random.Generator, melody: np.ndarray, seconds: float) -> list[np.ndarray]:
    lowest, decay = _draw(random, 500, 2500), _draw(random, 0.2, 1.5)
    bar = np.array([1, 2.76, 5.4, 8.93])  # modes of a bar that is free at both ends
    gains = random.uniform(0.2, 1, 4) / bar**0.5
    return [_ring(lowest * note * bar, decay / bar**0.7, gains) for note in melody]


def _play_clarinet(random: np.random.Generator, melody: np.ndarray, seconds: float) -> list[np.ndarray]:
    harmonics = np.arange(1, 31)
    gains = harmonics ** -random.uniform(0.8, 1.6)
    gains[1::2] *= random.uniform(0.02, 0.2)  # a tube closed at one end has odd harmonics
    lowest, attack, breath = _draw(random, 147, 700), _draw(random, 0.02, 0.08), random.uniform(-60, -40)
    return [_sustain(random, lowest * note, seconds, gains, attack, vibrato=0, breath=breath) for note in melody]


def _play_flute(random: np.random.Generator, melody: np.ndarray, seconds: float) -> list[np.ndarray]:
    gains = np.arange(1, 9) ** -random.uniform(1.8, 3.5)
    lowest, attack, vibrato = _draw(random, 262, 1000), _draw(random, 0.04, 0.12), random.uniform(0.001, 0.008)
    breath = random.uniform(-40, -18)
    return [_sustain(random, lowest * note, seconds, gains, attack, vibrato, breath) for note in melody]


def _play_gong(random: np.random.Generator, melody: np.ndarray, seconds: float) -> list[np.ndarray]:
    modes = np.concatenate([[1], random.uniform(1.2, 14, 24)])
    pitch, decay, tilt = _draw(random, 60, 250), _draw(random, 0.5, 3), random.uniform(0.3, 1)
    gains = random.uniform(0.2, 1, 25) / modes**tilt
    rise = _draw(random, 0.005, 0.08)  # s: energy takes a while to spread over the metal
    gong = _ring(pitch * modes, decay / modes**0.4, gains)
    return [gong * (1 - np.exp(-np.arange(len(gong)) / (rise * RATE))) for _ in melody]


def _play_hi_hat(random: np.random.Generator, melody: np.ndarray, seconds: float) -> list[np.ndarray]:
    low, closed = _draw(random, 3000, 8000), _draw(random, 0.015, 0.06)
    decays = np.where(random.random(len(melody)) < 0.3, _draw(random, 0.15, 0.6), closed)  # some strokes are open
    return [_make_burst(random, low, 18000, decay) for decay in decays]


def _play_snare_drum(random: np.random.Generator, melody: np.ndarray, seconds: float) -> list[np.ndarray]:
    pitch, decay, wires = _draw(random, 140, 280), _draw(random, 0.03, 0.12), _draw(random, 0.04, 0.2)
    drum = _ring(pitch * np.array([1, 1.59, 2.14]), [decay] * 3, random.uniform(0.2, 1, 3))  # modes of a round skin
    low, loudness = _draw(random, 700, 2500), random.uniform(0.5, 2)
    return [_add(drum, loudness * _make_burst(random, low, 12000, wires)) for _ in melody]


def _play_violin(random: np.random.Generator, melody: np.ndarray, seconds: float) -> list[np.ndarray]:
    lowest, attack, vibrato = _draw(random, 196, 900), _draw(random, 0.03, 0.15), random.uniform(0, 0.012)
    body = [(_draw(random, low, 1.4 * low), random.uniform(1, 4)) for low in (270, 450, 900, 2200, 3200)]
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


def _draw(random: np.random.Generator, low: float, high: float) -> float:
    """Draw a number such that each octave is as likely as any other."""
    return low * (high / low) ** random.random()


def _round_up(n_samples: int) -> int:
    """Give a length whose only prime factors are 2, 3, 5 and 7: Fourier transforms of others take longer."""
    step = 2 ** max(n_samples.bit_length() - 3, 0)
    return -(-n_samples // step) * step


def _filter(samples: np.ndarray, low: float, high: float) -> np.ndarray:
    """Keep a band in Hz; outside, it falls by 12 dB an octave."""
    n_samples = _round_up(len(samples))
    frequencies = np.fft.rfftfreq(n_samples, 1 / RATE)
    gains = (frequencies / low) ** 2 / (1 + (frequencies / low) ** 2) / (1 + (frequencies / high) ** 2)
    return np.fft.irfft(np.fft.rfft(samples, n_samples) * gains, n_samples)[: len(samples)]


def _convolve(samples: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Give the beginning of the convolution, as long as `samples`."""
    n_samples = _round_up(len(samples) + len(response))
    spectrum = np.fft.rfft(samples, n_samples) * np.fft.rfft(response, n_samples)
    return np.fft.irfft(spectrum, n_samples)[: len(samples)]


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
    echo = _convolve(sound, _make_burst(random, 100, 6000, _draw(random, 0.02, 0.2)))
    return sound + echo * (10 ** (random.uniform(-30, -6) / 20) / np.abs(echo).max())


def _ring(frequencies: np.ndarray, decays: Sequence[float] | np.ndarray, gains: np.ndarray) -> np.ndarray:
    """Add up modes that start at once and die away: Hz, s (to 1/e), and amplitudes."""
    heard = frequencies < 20000
    exponents = (2j * np.pi * frequencies - 1 / np.asarray(decays))[heard, None] / RATE
    # exp(a + b) = exp(a) exp(b): exponentials of the blocks' starts and of one block, not of every sample.
    block = int(np.sqrt(min(6 * max(decays), _LONGEST) * RATE)) + 1
    steps = np.arange(block)
    starts = gains[heard, None] * np.exp(exponents * steps * block)
    return np.einsum("ms,mb->sb", starts, np.exp(exponents * steps)).imag.ravel()


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
    return envelope * (harmonics / harmonics.std() + 10 ** (breath / 20) * noise)
