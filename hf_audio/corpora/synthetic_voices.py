"""English digits and sentences spoken by eSpeak NG, in the layouts of FSDD and Common Voice.

All these voices are synthetic: a model trained on them is good for a first run and for tests, not for people.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soxr
from tqdm.auto import tqdm

from .corpus_folder import SEED, make_corpus, write_wav
from .espeak import open_engine, synthesise

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_DIGITS_RATE = 8000  # Hz, the rate of FSDD
_ACCENTS = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029")
# The variants that sound like people, female-sounding ones first. Left out: robots (robosoft*, UniRobot, anikaRobot,
# RicishayMax*: full echo), the Klatt synthesiser (klatt*, adam, benjamin, caleb, david, edward*, mike2, Reed),
# whisper* (no voicing), voices so shaky that no pitch can be tracked (flutter of 12 and more: aunty, croak, grandma,
# grandpa), formants or pitch that no adult has (Demonic, kaukovalta, Lee, Andy, AnxiousAndy, Jacky, Tweaky, zac,
# Alicia), `fast` (the plain voice), and near copies of a chosen one (steph2, steph3, Gene2, iven*), which could leak
# into the test.
TRAINING_VARIANTS = (
    *("f1", "f3", "f4", "f5", "Annie", "anika", "belinda", "shelby", "steph"),
    *("m1", "m3", "m4", "m5", "m7", "m8", "Alex", "Denis", "Gene", "Michael", "Nguyen"),
)
TEST_VARIANTS = ("f2", "Andrea", "linda", "m2", "m6", "paul")
# Those of both that sound female; the voice files say so too, but for shelby's, which says nothing.
FEMALE_VARIANTS = frozenset(
    ["f1", "f2", "f3", "f4", "f5", "Andrea", "Annie", "anika", "belinda", "linda", "shelby", "steph", "steph2"]
)
ENGLISH_SENTENCES = (
    "The boats come back to the harbour before the evening tide.",
    "She keeps her grandmother's letters in a small wooden box.",
    "Nobody knew why the old clock had stopped at noon.",
    "We walked along the river until the rain began to fall.",
    "There is fresh bread on the table and soup on the stove.",
    "He asked the driver to wait for him at the corner.",
    "Most of the garden was planted by the former owners.",
    "Their train leaves at half past seven from the other platform.",
    "A narrow path leads over the hill to the next village.",
    "The children have painted all the chairs in bright colours.",
    "You will find the key under the stone beside the door.",
    "Every winter the lake freezes and people skate across it.",
)
_VOICES_RATE = 16000
_VALIDATION_VARIANTS = ("f4", "steph", "m3", "Gene")
_VOICE_SPLITS = {  # split: its voices, and how many accents each speaks with
    "train": (tuple(variant for variant in TRAINING_VARIANTS if variant not in _VALIDATION_VARIANTS), 3),
    "dev": (_VALIDATION_VARIANTS, 2),
    "test": (TEST_VARIANTS, 2),
}
_VOICE_CLIPS = 3  # of a speaker
_VOICES_HEADER = "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccents\tlocale\tsegment"


def make_spoken_digits(directory: str | os.PathLike[str] | None = None) -> Path:
    """Make a corpus of English digits in the layout of FSDD, or return at once if it is already there.

    The clips are `recordings/{digit}_{speaker}_{index}.wav`, 8 kHz, 16-bit, mono: 60 training speakers and 12 test
    speakers, 10 digits, 3 takes. Indices 0-4 are the test split, as in FSDD, but here they belong to test speakers
    only, and no voice variant is in both splits. The same files are made each time, byte for byte (on one platform:
    breath noise comes from the C library's random numbers).

    Args:
        directory: the folder of the corpus; by default one in the Hugging Face cache (`HF_HOME`).

    Returns:
        The folder of the corpus, the parent of `recordings`.

    Raises:
        DataError: the folder cannot be written, or holds something else.
        MissingExtraError: the corpus is not there yet and `espeakng-loader` is not installed.

    Source of the layout: https://github.com/Jakobovski/free-spoken-digit-dataset
    """
    takes = 3
    speakers = _list_digit_speakers()

    def write(folder: Path) -> None:
        (folder / "recordings").mkdir()
        for voice, first_index in tqdm(speakers, desc="Making spoken digits", unit="speaker"):
            _write_digits(folder / "recordings", voice, first_index, takes)

    return make_corpus(directory, "spoken_digits", len(speakers) * len(_DIGITS) * takes, write)


def make_voices(directory: str | os.PathLike[str] | None = None) -> Path:
    """Make a corpus of read sentences in the layout of Common Voice, or return at once if it is already there.

    The clips are `clips/{voice}_{index}.wav` (Common Voice's are MP3), 16 kHz, 16-bit, mono; `train.tsv`, `dev.tsv`,
    `test.tsv` and `validated.tsv`, which holds the rows of all, have the columns of Common Voice 7. A speaker is a
    voice variant with an accent of English, reads three sentences, and no voice variant is in two splits. As there,
    the gender of some training speakers is not told, one in eight here. The same files are made each time, byte for
    byte (on one platform).

    Args:
        directory: the folder of the corpus; by default one in the Hugging Face cache (`HF_HOME`).

    Returns:
        The folder of the corpus, the parent of `clips`.

    Raises:
        DataError: the folder cannot be written, or holds something else.
        MissingExtraError: the corpus is not there yet and `espeakng-loader` is not installed.

    Source of the layout: https://commonvoice.mozilla.org
    """
    speakers = [
        (split, f"{_ACCENTS[position % len(_ACCENTS)]}+{variants[position // n_accents]}", position)
        for split, (variants, n_accents) in _VOICE_SPLITS.items()
        for position in range(len(variants) * n_accents)
    ]

    def write(folder: Path) -> None:
        (folder / "clips").mkdir()
        tables: dict[str, list[str]] = {split: [] for split in _VOICE_SPLITS}
        for split, voice, position in tqdm(speakers, desc="Making voices", unit="speaker"):
            tables[split] += _write_sentences(folder / "clips", split, voice, position)
        tables["validated"] = [row for rows in tables.values() for row in rows]
        for split, rows in tables.items():
            (folder / f"{split}.tsv").write_text(
                "\n".join([_VOICES_HEADER, *rows, ""]), encoding="utf-8", newline="\n"
            )

    tables = {f"{split}.tsv": None for split in (*_VOICE_SPLITS, "validated")}
    return make_corpus(directory, "voices", len(speakers) * _VOICE_CLIPS, write, other_files=tables)


def _list_digit_speakers() -> list[tuple[str, int]]:
    """List (voice, index of its first clip): each variant with a few accents, all accents in turn."""
    speakers = []
    for variants, n_accents, first_index in ((TEST_VARIANTS, 2, 0), (TRAINING_VARIANTS, 3, 5)):
        for position in range(len(variants) * n_accents):
            accent = _ACCENTS[position % len(_ACCENTS)]
            speakers.append((f"{accent}+{variants[position // n_accents]}", first_index))
    return speakers


def _write_digits(folder: Path, voice: str, first_index: int, takes: int) -> None:
    name = voice.replace("+", "-").lower()
    for digit, take, audio in _record(voice, _DIGITS, takes, _DIGITS_RATE):
        write_wav(folder / f"{digit}_{name}_{first_index + take}.wav", audio, _DIGITS_RATE)


def _write_sentences(folder: Path, split: str, voice: str, position: int) -> list[str]:
    """Write the clips of a speaker and give their rows."""
    name, variant = voice.replace("+", "-").lower(), voice.partition("+")[2]
    speaker = hashlib.sha512(voice.encode()).hexdigest()
    gender = "female_feminine" if variant in FEMALE_VARIANTS else "male_masculine"
    if split == "train" and position % 8 == 7:
        gender = ""
    texts = [
        ENGLISH_SENTENCES[(_VOICE_CLIPS * position + clip) % len(ENGLISH_SENTENCES)] for clip in range(_VOICE_CLIPS)
    ]
    rows = []
    for clip, _, audio in _record(voice, texts, 1, _VOICES_RATE):
        write_wav(folder / f"{name}_{clip}.wav", audio, _VOICES_RATE)
        rows.append("\t".join([speaker, f"{name}_{clip}.wav", texts[clip], "2", "0", "", gender, "", "en", ""]))
    return rows


def _record(voice: str, texts: Sequence[str], takes: int, rate: int) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield (position of the text, take, samples) of one speaker: own pace, pitch, level and background noise."""
    random = np.random.default_rng([SEED, *voice.encode()])  # by voice: no speaker depends on the others
    words_per_minute, pitch, pitch_range = random.uniform((130, 36, 30), (190, 64, 70))
    peak = 10 ** (random.uniform(-20, -3) / 20)
    noise_gain = 10 ** (-random.uniform(20, 45) / 20)
    noise_slope = random.uniform(0, 1)  # 0: white, 1: pink
    with open_engine() as engine:
        for position, text in enumerate(texts):
            for take in range(takes):
                pace = words_per_minute * random.uniform(0.92, 1.08)
                shifts = random.uniform((-4, -10), (4, 10))
                audio, native_rate = synthesise(
                    engine, text, voice, round(pace), round(pitch + shifts[0]), round(pitch_range + shifts[1])
                )
                speech = soxr.resample(trim(audio, native_rate), native_rate, rate)
                yield position, take, add_background(speech, random, peak, noise_gain, noise_slope)


def add_background(
    speech: np.ndarray, random: np.random.Generator, peak: float, noise_gain: float, noise_slope: float
) -> np.ndarray:
    """Scale speech to a peak and add noise that falls by `noise_slope` times 3 dB an octave."""
    speech *= peak / np.abs(speech).max()
    spectrum = np.fft.rfft(random.standard_normal(len(speech)))
    noise = np.fft.irfft(spectrum * np.arange(1, len(spectrum) + 1) ** (-noise_slope / 2), len(speech))
    return speech + noise * (noise_gain * speech.std() / noise.std())


def trim(audio: np.ndarray, rate: int) -> np.ndarray:
    """Cut what is 40 dB below the peak at both ends, but for 10 ms."""
    loud = np.flatnonzero(np.abs(audio) > 0.01 * np.abs(audio).max())
    margin = rate // 100
    return audio[max(loud[0] - margin, 0) : loud[-1] + 1 + margin]
