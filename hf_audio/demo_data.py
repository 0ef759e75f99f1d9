"""Small corpora made on the spot, with no network: speech by the eSpeak NG synthesiser, other sounds by NumPy alone.

eSpeak NG and its data come with the PyPI package `espeakng-loader` (version 1.52, driven here by ctypes). All these
sounds are synthetic: a model trained on them is good for a first run and for tests, not for people and their world.
"""

import _ctypes
import contextlib
import ctypes
import errno
import functools
import io
import itertools
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from huggingface_hub import constants
from tqdm.auto import tqdm

from . import demo_sounds

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
_FOLDS = (1, 2, 3, 4, 5)
_TAKES = ("AB", "A", "A")  # of the recordings that a class has in a fold
_ESC10 = {
    *("dog", "rain", "sea_waves", "crying_baby", "clock_tick"),
    *("sneezing", "helicopter", "chainsaw", "rooster", "crackling_fire"),
}


def speak(
    text: str, voice: str = "en-us", *, words_per_minute: int = 175, pitch: int = 50, pitch_range: int = 50
) -> tuple[np.ndarray, int]:
    """Synthesise a text; equal arguments give equal samples, whatever was spoken before.

    Args:
        text: in the language of the voice.
        voice: eSpeak's notation, a language tag and perhaps a variant: "ru", "en-gb+f3" (see `voice_variants`).
        words_per_minute: 80 to 450.
        pitch: base pitch, 0 to 99; 50 is the voice's own.
        pitch_range: how far the pitch moves, 0 (monotone) to 99; 50 is the voice's own.

    Returns:
        Mono float32 samples, shape [n_samples], in [-1, 1], and their sampling rate in Hz (22050).

    Raises:
        ValueError: an unknown language or variant, or a number out of its range.
        ImportError: `espeakng-loader` is not installed.
        OSError: eSpeak NG cannot read its data.

    Source: https://github.com/espeak-ng/espeak-ng/blob/1.52.0/src/include/espeak-ng/speak_lib.h
    """
    with _engine() as engine:
        return _synthesise(engine, text, voice, words_per_minute, pitch, pitch_range)


def voice_variants() -> list[str]:
    """List the voice variants, the names that may follow "+" in a voice, in sorted order.

    Raises ImportError if `espeakng-loader` is not installed.
    """
    return sorted(path.name for path in (_data_folder() / "voices" / "!v").iterdir())


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
        OSError: the folder cannot be written, or holds something else (FileExistsError).
        ImportError: the corpus is not there yet and `espeakng-loader` is not installed.

    Source of the layout: https://github.com/Jakobovski/free-spoken-digit-dataset
    """
    takes = 3
    speakers = _list_digit_speakers()

    def write(folder: Path) -> None:
        (folder / "recordings").mkdir()
        for voice, first_index in tqdm(speakers, desc="Making spoken digits", unit="speaker"):
            _write_digits(folder / "recordings", voice, first_index, takes)

    return _make_corpus(directory, "spoken_digits", len(speakers) * len(_DIGITS) * takes, write)


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
        OSError: the folder cannot be written, or holds something else (FileExistsError).

    Source of the layout: https://github.com/karolpiczak/ESC-50
    """
    table = "meta/esc50.csv"

    def write(folder: Path) -> None:
        (folder / "audio").mkdir()
        (folder / "meta").mkdir()
        rows = []
        for category in tqdm(demo_sounds.SOUNDS, desc="Making environmental sounds", unit="class"):
            rows += _write_sounds(folder / "audio", category)
        header = "filename,fold,target,category,esc10,src_file,take"
        (folder / table).write_text("\n".join([header, *sorted(rows), ""]), encoding="utf-8", newline="\n")

    n_clips = len(demo_sounds.SOUNDS) * len(_FOLDS) * len("".join(_TAKES))
    return _make_corpus(directory, "environmental_sounds", n_clips, write, other_files=[table])


def _write_sounds(folder: Path, category: str) -> list[str]:
    """Write the clips of one class and give their rows of the table."""
    target = list(demo_sounds.SOUNDS).index(category)
    rows = []
    for position, (fold, takes) in enumerate(itertools.product(_FOLDS, _TAKES)):
        # By category and position: no recording depends on the others.
        random = np.random.default_rng([_SEED, *category.encode(), position])
        src_file = 100_000 + 1000 * target + position
        clips = demo_sounds.record_sound(category, random, len(takes))
        for take, audio in zip(takes, clips, strict=True):
            name = f"{fold}-{src_file}-{take}-{target}.wav"
            _write_wav(folder / name, audio, demo_sounds.RATE)
            rows.append(f"{name},{fold},{target},{category},{category in _ESC10},{src_file},{take}")
    return rows


def _write_wav(path: Path, audio: np.ndarray, rate: int) -> None:
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
        _write_wav(folder / f"{digit}_{name}_{first_index + take}.wav", audio, _DIGITS_RATE)


def _record(voice: str, texts: Sequence[str], takes: int, rate: int) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield (position of the text, take, samples) of one speaker: own pace, pitch, level and background noise."""
    random = np.random.default_rng([_SEED, *voice.encode()])  # by voice: no speaker depends on the others
    words_per_minute, pitch, pitch_range = random.uniform((130, 36, 30), (190, 64, 70))
    peak = 10 ** (random.uniform(-20, -3) / 20)
    noise_gain = 10 ** (-random.uniform(20, 45) / 20)
    noise_slope = random.uniform(0, 1)  # 0: white, 1: pink
    with _engine() as engine:
        for position, text in enumerate(texts):
            for take in range(takes):
                pace = words_per_minute * random.uniform(0.92, 1.08)
                shifts = random.uniform((-4, -10), (4, 10))
                audio, native_rate = _synthesise(
                    engine, text, voice, round(pace), round(pitch + shifts[0]), round(pitch_range + shifts[1])
                )
                speech = soxr.resample(_trim(audio, native_rate), native_rate, rate)
                speech *= peak / np.abs(speech).max()
                spectrum = np.fft.rfft(random.standard_normal(len(speech)))
                noise = np.fft.irfft(spectrum * np.arange(1, len(spectrum) + 1) ** (-noise_slope / 2), len(speech))
                yield position, take, speech + noise * (noise_gain * speech.std() / noise.std())


def _trim(audio: np.ndarray, rate: int) -> np.ndarray:
    """Cut what is 40 dB below the peak at both ends, but for 10 ms."""
    loud = np.flatnonzero(np.abs(audio) > 0.01 * np.abs(audio).max())
    margin = rate // 100
    return audio[max(loud[0] - margin, 0) : loud[-1] + 1 + margin]


def _make_corpus(
    directory: str | os.PathLike[str] | None,
    name: str,
    n_clips: int,
    write: Callable[[Path], None],
    other_files: Sequence[str] = (),
) -> Path:
    """Have `write` fill a new folder and put it in place whole, so that no reader ever sees half a corpus.

    What makes a corpus complete is `n_clips` WAV files in its folders, and `other_files`.
    """
    cache = Path(constants.HF_HOME) / "hf_audio" / "demo"
    target = cache / f"{name}-v{VERSION}" if directory is None else Path(directory).absolute()

    def is_complete() -> bool:
        clips_there = sum(1 for _ in target.glob("*/*.wav")) == n_clips
        return clips_there and all((target / file).is_file() for file in other_files)

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
        # OSError picks the subclass (PermissionError, ...) by the number.
        raise OSError(
            error.errno, f"The demo corpus cannot be made in {target}: {error.strerror or error}."
        ) from error
    return target


def _data_folder() -> Path:
    try:
        import espeakng_loader
    except ImportError as error:
        raise ImportError(
            "Demo speech needs eSpeak NG: pip install 'hf-audio[demo]', or pass --data_dir with data of your own."
        ) from error
    return Path(espeakng_loader.get_data_path())


@functools.cache
def _map_languages() -> dict[str, str]:
    """Map each language tag in lower case to the voice file that serves it best, such as "en-gb" to "gmw/en"."""
    folder = _data_folder() / "lang"
    ranked = []
    for path in folder.rglob("*"):
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
            keyword, *values = line.split()[:3] or [""]
            if keyword == "language" and values:  # a lower number is a better match, 5 if none is given
                ranked.append((int((*values, "5")[1]), path.relative_to(folder).as_posix(), values[0].lower()))
    return {tag: file for _, file, tag in sorted(ranked, reverse=True)}


def _resolve_voice(voice: str) -> str:
    # eSpeak keeps the last voice for an unknown language and ignores an unknown variant, both without an error.
    language, plus, variant = voice.partition("+")
    file = _map_languages().get(language.lower())
    if file is None:
        raise ValueError(f"eSpeak NG has no language {language!r} (in the voice {voice!r}).")
    if plus and variant not in voice_variants():
        raise ValueError(f"eSpeak NG has no variant {variant!r} (in the voice {voice!r}); see voice_variants().")
    return file + plus + variant


@contextlib.contextmanager
def _engine() -> Iterator[tuple[ctypes.CDLL, int]]:
    """Load an eSpeak NG of our own and give it with its sampling rate.

    The library keeps state that no call resets (position of the pitch flutter, cycle counter, gain control), so the
    same text sounds different each time. A library just loaded starts from zero. It is loaded from a copy, because
    the system loads one path only once: the copy shares nothing with other users of eSpeak NG in this process, with
    other threads or with the parent of a fork.
    """
    data = _data_folder()
    import espeakng_loader

    with tempfile.TemporaryDirectory(prefix="hf_audio-") as folder:
        library = ctypes.CDLL(shutil.copy(espeakng_loader.get_library_path(), folder))
        try:
            synchronous, no_exit = 2, 0x8000  # AUDIO_OUTPUT_SYNCHRONOUS: no threads, samples go to the callback
            rate = library.espeak_Initialize(synchronous, 0, os.fsencode(data), no_exit)
            if rate <= 0:
                raise OSError(f"eSpeak NG cannot read its data in {data} (it takes paths up to about 150 bytes)")
            # Breath noise is drawn from the C library's random numbers, other noise from the library's own.
            ctypes.CDLL("ucrtbase" if sys.platform == "win32" else None).srand(1)
            library.espeak_ng_SetRandSeed(ctypes.c_long(1))
            try:
                yield library, rate
            finally:
                library.espeak_Terminate()
        finally:
            if sys.platform == "win32":
                _ctypes.FreeLibrary(library._handle)
            else:
                _ctypes.dlclose(library._handle)


def _synthesise(
    engine: tuple[ctypes.CDLL, int], text: str, voice: str, words_per_minute: int, pitch: int, pitch_range: int
) -> tuple[np.ndarray, int]:
    library, rate = engine
    chunks: list[bytes] = []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
    def collect(samples: Any, n_samples: int, _events: Any) -> int:
        if samples and n_samples:
            chunks.append(ctypes.string_at(samples, 2 * n_samples))
        return 0  # go on

    library.espeak_SetSynthCallback(collect)
    if library.espeak_SetVoiceByName(_resolve_voice(voice).encode()) != 0:
        raise ValueError(f"eSpeak NG cannot load the voice {voice!r}.")
    for number, name, value, low, high in (
        (1, "words_per_minute", words_per_minute, 80, 450),
        (2, "volume", 50, 0, 100),  # at the default of 100 the louder variants are clipped inside eSpeak
        (3, "pitch", pitch, 0, 99),
        (4, "pitch_range", pitch_range, 0, 99),
    ):
        if not low <= value <= high:
            raise ValueError(f"{name} must be from {low} to {high}, not {value}.")
        library.espeak_SetParameter(number, value, 0)
    encoded, utf8 = text.encode(), 1
    library.espeak_Synth(encoded, ctypes.c_size_t(len(encoded) + 1), 0, 0, 0, utf8, None, None)
    return np.frombuffer(b"".join(chunks), np.int16).astype(np.float32) / 32768, rate
