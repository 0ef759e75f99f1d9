"""Small corpora made on the spot, with no network: speech by the eSpeak NG synthesiser, other sounds by NumPy alone.

All these sounds are synthetic: a model trained on them is good for a first run and for tests, not for people and their
world.
"""

import contextlib
import errno
import functools
import hashlib
import io
import itertools
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile
import soxr
from huggingface_hub import constants
from tqdm.auto import tqdm

from ..errors import ArgumentError, DataError, MissingExtraError
from ..processes import work_off
from . import synthetic_instruments, synthetic_sounds
from .espeak import find_language, open_engine, speak, synthesise

VERSION = 1  # of the corpora: raise it whenever a change gives other bytes

_SEED = 20
_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_DIGITS_RATE = 8000  # Hz, the rate of FSDD
_ACCENTS = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029")
# The variants that sound like people, female-sounding ones first. Left out: robots (robosoft*, UniRobot, anikaRobot,
# RicishayMax*: full echo), the Klatt synthesiser (klatt*, adam, benjamin, caleb, david, edward*, mike2, Reed),
# whisper* (no voicing), voices so shaky that no pitch can be tracked (flutter of 12 and more: aunty, croak, grandma,
# grandpa), formants or pitch that no adult has (Demonic, kaukovalta, Lee, Andy, AnxiousAndy, Jacky, Tweaky, zac,
# Alicia), `fast` (the plain voice), and near copies of a chosen one (steph2, steph3, Gene2, iven*), which could leak
# into the test.
_TRAINING_VARIANTS = (
    *("f1", "f3", "f4", "f5", "Annie", "anika", "belinda", "shelby", "steph"),
    *("m1", "m3", "m4", "m5", "m7", "m8", "Alex", "Denis", "Gene", "Michael", "Nguyen"),
)
_TEST_VARIANTS = ("f2", "Andrea", "linda", "m2", "m6", "paul")
# Those of both that sound female; the voice files say so too, but for shelby's, which says nothing.
_FEMALE_VARIANTS = frozenset(
    ["f1", "f2", "f3", "f4", "f5", "Andrea", "Annie", "anika", "belinda", "linda", "shelby", "steph", "steph2"]
)
# Numbers are heard in more voices, to hold up on unheard ones: near copies may stay among the training voices, but
# belinda goes, who has linda's pitch and lower formants. None is nearer to a test voice than Alex is to m6 (mean
# spectrum of one number, 24 bands).
_NUMBER_TRAINING_VARIANTS = (
    *(variant for variant in _TRAINING_VARIANTS if variant != "belinda"),
    *("Diogo", "Gene2", "Hugo", "Mario", "Mike", "antonio", "john", "max", "miguel", "norbert", "pedro", "quincy"),
    *("robert", "sandro", "steph2", "victor"),
)
_NUMBER_SPLITS = {  # split: its voices
    "train": _NUMBER_TRAINING_VARIANTS,
    "test": _NUMBER_TRAINING_VARIANTS,
    "test-ood": _TEST_VARIANTS,
}
_NUMBERS_RATE = 16000  # Hz, the rate of numbers2
# How often a number has one to six digits, about as in numbers2; the remainder are `_draw_number`'s tricky ones.
_NUMBER_LENGTHS = (0.015, 0.02, 0.02, 0.03, 0.105, 0.75)
_SENTENCES = (
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
    "train": (tuple(variant for variant in _TRAINING_VARIANTS if variant not in _VALIDATION_VARIANTS), 3),
    "dev": (_VALIDATION_VARIANTS, 2),
    "test": (_TEST_VARIANTS, 2),
}
_VOICE_CLIPS = 3  # of a speaker
_VOICES_HEADER = "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccents\tlocale\tsegment"
_FOLDS = (1, 2, 3, 4, 5)
_TAKES = ("AB", "A", "A")  # of the recordings that a class has in a fold
_ESC10 = {
    *("dog", "rain", "sea_waves", "crying_baby", "clock_tick"),
    *("sneezing", "helicopter", "chainsaw", "rooster", "crackling_fire"),
}
_TAGGED_TABLES = {  # table: its columns
    "FSDKaggle2018.meta/train_post_competition.csv": "fname,label,manually_verified,freesound_id,license",
    "FSDKaggle2018.meta/test_post_competition_scoring_clips.csv": "fname,label,usage,freesound_id,license",
    "truth.csv": "fname,label",
}
# Of a label: training clips that were verified, those that were not and carry a wrong label (36 % of such), or the
# right one; test clips that count for the public leaderboard, or the private one. About as in FSDKaggle2018.
_TAGGED_CLIPS = {"verified": 10, "wrong": 5, "right": 9, "Public": 2, "Private": 6}


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
        for category in tqdm(synthetic_sounds.SOUNDS, desc="Making environmental sounds", unit="class"):
            rows += _write_sounds(folder / "audio", category)
        header = "filename,fold,target,category,esc10,src_file,take"
        (folder / table).write_text("\n".join([header, *sorted(rows), ""]), encoding="utf-8", newline="\n")

    n_clips = len(synthetic_sounds.SOUNDS) * len(_FOLDS) * len("".join(_TAKES))
    return make_corpus(directory, "environmental_sounds", n_clips, write, other_files={table: None})


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
        for label in tqdm(synthetic_instruments.SOUNDS, desc="Making tagged sounds", unit="label"):
            rows += _write_tagged_sounds(folder, label)
        for table, header in _TAGGED_TABLES.items():
            content = [header, *sorted(row for name, row in rows if name == table), ""]
            (folder / table).write_text("\n".join(content), encoding="utf-8", newline="\n")

    n_clips = len(synthetic_instruments.SOUNDS) * sum(_TAGGED_CLIPS.values())
    return make_corpus(directory, "tagged_sounds", n_clips, write, other_files=dict.fromkeys(_TAGGED_TABLES))


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
        gender = "female" if speaker in _FEMALE_VARIANTS else "male"
        tables[split].append(f"{_name_clip(split, position)},{gender},{number},{speaker}")
    tables["test-example"] = [row.partition(",")[0] for row in tables["test-ood"][:7]]
    return {f"{name}.csv": "\n".join([*rows, ""]).encode() for name, rows in tables.items()}


def _name_clip(split: str, position: int) -> str:
    return f"{split}/{position:06}.wav"


def _draw_clip(language: str, seed: int, split: str, position: int) -> tuple[int, str, np.random.Generator]:
    """Draw a clip's number and voice variant, and give the generator for all else that is drawn for it."""
    random = np.random.default_rng([seed, *language.encode(), list(_NUMBER_SPLITS).index(split), position])
    number = _draw_number(random)
    # Women's and men's voices equally often, though eSpeak has more of the latter.
    female = random.random() < 0.5
    speakers = [variant for variant in _NUMBER_SPLITS[split] if (variant in _FEMALE_VARIANTS) == female]
    return number, speakers[random.integers(len(speakers))], random


def _draw_number(random: np.random.Generator) -> int:
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
        soxr.resample(_trim(audio, native_rate), native_rate, _NUMBERS_RATE), (pauses * _NUMBERS_RATE).astype(int)
    )
    recording = _add_background(speech, random, 10 ** (level / 20), 10 ** (noise_level / 20), noise_slope)
    write_wav(folder / _name_clip(*clip), recording, _NUMBERS_RATE)


def _write_sounds(folder: Path, category: str) -> list[str]:
    """Write the clips of one class and give their rows of the table."""
    target = list(synthetic_sounds.SOUNDS).index(category)
    rows = []
    for position, (fold, takes) in enumerate(itertools.product(_FOLDS, _TAKES)):
        # By category and position: no recording depends on the others.
        random = np.random.default_rng([_SEED, *category.encode(), position])
        src_file = 100_000 + 1000 * target + position
        clips = synthetic_sounds.record_sound(category, random, len(takes))
        for take, audio in zip(takes, clips, strict=True):
            name = f"{fold}-{src_file}-{take}-{target}.wav"
            write_wav(folder / name, audio, synthetic_sounds.RATE)
            rows.append(f"{name},{fold},{target},{category},{category in _ESC10},{src_file},{take}")
    return rows


def _write_tagged_sounds(folder: Path, label: str) -> list[tuple[str, str]]:
    """Write the clips of one sound and give their rows, each with the table that it belongs to."""
    train, test, truth = _TAGGED_TABLES
    others = [other for other in synthetic_instruments.SOUNDS if other != label]
    kinds = [kind for kind, n_clips in _TAGGED_CLIPS.items() for _ in range(n_clips)]
    rows = []
    for position, kind in enumerate(kinds):
        random = np.random.default_rng([_SEED, *label.encode(), position])
        name = f"{random.integers(2**32):08x}.wav"
        audio = synthetic_instruments.record_sound(label, random)
        is_test = kind in ("Public", "Private")
        write_wav(
            folder / f"FSDKaggle2018.audio_{'test' if is_test else 'train'}" / name, audio, synthetic_instruments.RATE
        )
        if is_test:
            rows.append((test, f"{name},{label},{kind},,CC0"))
        else:
            claim = random.choice(others) if kind == "wrong" else label
            rows += [(train, f"{name},{claim},{int(kind == 'verified')},,CC0"), (truth, f"{name},{label}")]
    return rows


def write_wav(path: Path, audio: np.ndarray, rate: int) -> None:
    """Write mono samples as a 16-bit WAV; (samples,) float in [-1, 1], rate in Hz."""
    # Through memory: soundfile reports a full disk as a RuntimeError, write_bytes as the OSError that it is.
    content = io.BytesIO()
    soundfile.write(content, audio, rate, subtype="PCM_16", format="WAV")
    path.write_bytes(content.getvalue())


def _list_digit_speakers() -> list[tuple[str, int]]:
    """List (voice, index of its first clip): each variant with a few accents, all accents in turn."""
    speakers = []
    for variants, n_accents, first_index in ((_TEST_VARIANTS, 2, 0), (_TRAINING_VARIANTS, 3, 5)):
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
    gender = "female_feminine" if variant in _FEMALE_VARIANTS else "male_masculine"
    if split == "train" and position % 8 == 7:
        gender = ""
    texts = [_SENTENCES[(_VOICE_CLIPS * position + clip) % len(_SENTENCES)] for clip in range(_VOICE_CLIPS)]
    rows = []
    for clip, _, audio in _record(voice, texts, 1, _VOICES_RATE):
        write_wav(folder / f"{name}_{clip}.wav", audio, _VOICES_RATE)
        rows.append("\t".join([speaker, f"{name}_{clip}.wav", texts[clip], "2", "0", "", gender, "", "en", ""]))
    return rows


def _record(voice: str, texts: Sequence[str], takes: int, rate: int) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield (position of the text, take, samples) of one speaker: own pace, pitch, level and background noise."""
    random = np.random.default_rng([_SEED, *voice.encode()])  # by voice: no speaker depends on the others
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
                speech = soxr.resample(_trim(audio, native_rate), native_rate, rate)
                yield position, take, _add_background(speech, random, peak, noise_gain, noise_slope)


def _add_background(
    speech: np.ndarray, random: np.random.Generator, peak: float, noise_gain: float, noise_slope: float
) -> np.ndarray:
    """Scale speech to a peak and add noise that falls by `noise_slope` times 3 dB an octave."""
    speech *= peak / np.abs(speech).max()
    spectrum = np.fft.rfft(random.standard_normal(len(speech)))
    noise = np.fft.irfft(spectrum * np.arange(1, len(spectrum) + 1) ** (-noise_slope / 2), len(speech))
    return speech + noise * (noise_gain * speech.std() / noise.std())


def _trim(audio: np.ndarray, rate: int) -> np.ndarray:
    """Cut what is 40 dB below the peak at both ends, but for 10 ms."""
    loud = np.flatnonzero(np.abs(audio) > 0.01 * np.abs(audio).max())
    margin = rate // 100
    return audio[max(loud[0] - margin, 0) : loud[-1] + 1 + margin]


def make_corpus(
    directory: str | os.PathLike[str] | None,
    name: str,
    n_clips: int,
    write: Callable[[Path], None],
    other_files: Mapping[str, bytes | None] | None = None,
) -> Path:
    """Have `write` fill a new folder and put it in place whole, so that no reader ever sees half a corpus.

    What makes a corpus complete is `n_clips` WAV files in its folders, and `other_files` with their contents, where
    those tell it from a corpus made by other arguments.
    """
    cache = Path(constants.HF_HOME) / "hf_audio" / "demo"
    target = cache / f"{name}-v{VERSION}" if directory is None else Path(directory).absolute()

    def is_complete() -> bool:
        clips_there = sum(1 for _ in target.glob("*/*.wav")) == n_clips
        return clips_there and all(
            (target / file).is_file() and content in (None, (target / file).read_bytes())
            for file, content in (other_files or {}).items()
        )

    try:
        occupied = target.is_dir() and any(target.iterdir())  # looked up first: another process may finish in between
        if is_complete():
            return target
        if occupied:
            raise FileExistsError(errno.EEXIST, "it holds something else, or only a part of the corpus")
        draft = target.with_name(f".{target.name}-{os.getpid()}-{secrets.token_hex(4)}")
        draft.mkdir(parents=True)
        try:
            write(draft)
            try:
                os.replace(draft, target)
            except OSError:
                if not is_complete():  # else another process was faster, and its corpus is the same
                    raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise DataError(f"The demo corpus cannot be made in {target}: {error.strerror or error}.") from error
    return target
