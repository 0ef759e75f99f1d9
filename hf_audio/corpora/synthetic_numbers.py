"""Numbers from 0 to 999,999 spoken by eSpeak NG in any of its languages, in the layout of numbers2.

All these voices are synthetic: a model trained on them is good for a first run and for tests, and to begin with before
recordings of people are trained on.
"""

import contextlib
import functools
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import soxr

from ..data.tables.text_tables import write_rows
from ..errors import ArgumentError, MissingExtraError
from ..models.configuration_audio_cnn import NONE_OF_THESE
from ..processes import work_off
from .corpus_folder import make_corpus, write_wav
from .espeak import find_language, speak
from .synthetic_voices import FEMALE_VARIANTS, TEST_VARIANTS, TRAINING_VARIANTS, add_background, trim

# Numbers are heard in more voices, to hold up on unheard ones: near copies may stay among the training voices, but
# belinda goes, who has linda's pitch and lower formants. None is nearer to a test voice than Alex is to m6 (mean
# spectrum of one number, 24 bands).
NUMBER_TRAINING_VARIANTS = (
    *(variant for variant in TRAINING_VARIANTS if variant != "belinda"),
    *("Diogo", "Gene2", "Hugo", "Mario", "Mike", "antonio", "john", "max", "miguel", "norbert", "pedro", "quincy"),
    *("robert", "sandro", "steph2", "victor"),
)
_NUMBER_SPLITS = {  # split: its voices
    "train": NUMBER_TRAINING_VARIANTS,
    "test": NUMBER_TRAINING_VARIANTS,
    "test-ood": TEST_VARIANTS,
}
_NUMBERS_RATE = 16000  # Hz, the rate of numbers2
# How often a number has one to six digits, about as in numbers2; the remainder are `draw_number`'s tricky ones.
_NUMBER_LENGTHS = (0.015, 0.02, 0.02, 0.03, 0.105, 0.75)


def make_spoken_numbers(
    directory: str | os.PathLike[str] | None = None, *, language: str = "ru", count: int = 9000, seed: int = 0
) -> Path:
    """Make a corpus of numbers from 0 to 999,999 in the layout of numbers2, or return at once if it is there.

    The clips are `train/`, `test/` and `test-ood/{position}.wav`, 16 kHz, 16-bit, mono; `train.csv`, `test.csv` and
    `test-ood.csv` have the columns path, gender, number and speaker, and `test-example.csv` has paths alone. `test`
    has the voices of `train`, `test-ood` has others. Every clip has its own pace, pitch, level, pauses and faint
    noise. It depends on the seed, the language, its split and its position alone, so a smaller corpus is the beginning
    of a larger one, and the same files are made each time, byte for byte (on one platform), on however many cores.

    That eSpeak NG reads the digits as the number, with the right endings, was checked against the written words for
    ru, en-us and en-gb; it reads some other languages digit by digit.

    Args:
        directory: the folder of the corpus; by default one in the Hugging Face cache (`HF_HOME`).
        language: a language tag of eSpeak NG, such as "ru", "en-us" or "en-gb".
        count: training clips; either test has a tenth as many. 9000 clips take about 1 GB.
        seed: of all draws, 0 or more.

    Returns:
        The folder of the corpus, the parent of the tables.

    Raises:
        ArgumentError: an unknown language, one in which eSpeak NG cannot say a number, or a count or seed too small.
        DataError: the folder cannot be written, or holds something else.
        MissingExtraError: the corpus is not there yet and `espeakng-loader` is not installed.
    """
    for name, value, least in (("count", count, 1), ("seed", seed, 0)):
        if value < least:
            raise ArgumentError(f"{name} must be {least} or more, not {value}.")
    language = language.lower()
    with contextlib.suppress(MissingExtraError):  # a corpus that is there needs no eSpeak NG
        find_language(language)
    n_clips = {"train": count, "test": max(count // 10, 1), "test-ood": max(count // 10, 1)}
    clips = [(split, position) for split, n in n_clips.items() for position in range(n)]

    def write(folder: Path) -> None:
        for split in n_clips:
            (folder / split).mkdir()
        for name, content in tables.items():
            (folder / name).write_bytes(content)
        for _ in work_off(functools.partial(_write_number, folder, language, seed), clips, "Making spoken numbers"):
            pass

    tables = _list_numbers(language, seed, clips)
    return make_corpus(directory, f"spoken_numbers-{language}-{count}-{seed}", len(clips), write, tables)


def _list_numbers(language: str, seed: int, clips: Sequence[tuple[str, int]]) -> dict[str, bytes]:
    """Map each table's name to its content."""
    # Every row has its number: unlabelled clips, as numbers2 has them, would only be a smaller corpus here, where the
    # numbers are known.
    tables = {split: ["path,gender,number,speaker"] for split, _ in clips}
    for split, position in clips:
        number, speaker, _ = _draw_clip(language, seed, split, position)
        gender = "female" if speaker in FEMALE_VARIANTS else "male"
        tables[split].append(f"{_name_clip(split, position)},{gender},{number},{speaker}")
    tables["test-example"] = [row.partition(",")[0] for row in tables["test-ood"][:7]]
    return {f"{name}.csv": "\n".join([*rows, ""]).encode() for name, rows in tables.items()}


def _name_clip(split: str, position: int) -> str:
    return f"{split}/{position:06}.wav"


def _draw_clip(language: str, seed: int, split: str, position: int) -> tuple[int, str, np.random.Generator]:
    """Draw a clip's number and voice variant, and give the generator for all else that is drawn for it."""
    random = np.random.default_rng([seed, *language.encode(), list(_NUMBER_SPLITS).index(split), position])
    number = draw_number(random)
    # Women's and men's voices equally often, though eSpeak has more of the latter.
    female = random.random() < 0.5
    speakers = [variant for variant in _NUMBER_SPLITS[split] if (variant in FEMALE_VARIANTS) == female]
    return number, speakers[random.integers(len(speakers))], random


def draw_number(random: np.random.Generator) -> int:
    """A number from 0 to 999,999, most often one of six digits."""
    kind = random.random()
    for length, share in enumerate(_NUMBER_LENGTHS, start=1):
        if kind < share:
            return int(random.integers(10 ** (length - 1) if length > 1 else 0, 10**length))
        kind -= share
    match random.integers(3):
        case 0:
            return int(random.choice([0, *range(10, 20)]))
        case 1:
            return 1000 * int(random.integers(1, 1000))
        case _:  # zeros inside
            digits = random.integers(1, 10, size=6) * [1, *random.integers(2, size=5)]
            return int("".join(map(str, digits)))


def _write_number(folder: Path, language: str, seed: int, clip: tuple[str, int]) -> None:
    number, speaker, random = _draw_clip(language, seed, *clip)
    words_per_minute, pitch, pitch_range = random.uniform((100, 30, 20), (230, 70, 80))
    level, noise_level = random.uniform((-20, -45), (-3, -20))  # dB
    noise_slope = random.uniform(0, 1)  # 0: white, 1: pink
    pauses = random.uniform(0, 0.5, size=2)  # seconds, before and after; those of numbers2 are about as long
    audio, native_rate = speak(
        str(number),
        f"{language}+{speaker}",
        words_per_minute=round(words_per_minute),
        pitch=round(pitch),
        pitch_range=round(pitch_range),
    )
    if not audio.any():
        raise ArgumentError(f"eSpeak NG cannot say {number} in the language {language!r}: choose another language.")
    speech = np.pad(
        soxr.resample(trim(audio, native_rate), native_rate, _NUMBERS_RATE), (pauses * _NUMBERS_RATE).astype(int)
    )
    recording = add_background(speech, random, 10 ** (level / 20), 10 ** (noise_level / 20), noise_slope)
    write_wav(folder / _name_clip(*clip), recording, _NUMBERS_RATE)


def write_numbers(folder: Path, part: str, clips: Iterable[tuple[int | None, str, np.ndarray]], rate: int) -> None:
    """Write a part in the layout of numbers2: its recordings, and a table with the columns path, number and speaker.

    clips: number, or `None` of what is none, speaker and samples (samples,) of one after the other; rate: in Hz.
    """
    (folder / part).mkdir()
    rows = []
    for position, (number, speaker, samples) in enumerate(clips):
        name = f"{part}/{position:06}.wav"
        write_wav(folder / name, samples, rate)
        rows.append({"path": name, "number": NONE_OF_THESE if number is None else number, "speaker": speaker})
    write_rows(folder / f"{part}.csv", rows)
