"""eSpeak NG, the speech synthesiser, driven by ctypes.

The library (version 1.52) and its data come with the PyPI package `espeakng-loader`.
"""

import _ctypes
import contextlib
import ctypes
import difflib
import functools
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ArgumentError, DataError, MissingExtraError


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
        ArgumentError: an unknown language or variant, or a number out of its range.
        MissingExtraError: `espeakng-loader` is not installed.
        DataError: eSpeak NG cannot read its data.

    Source: https://github.com/espeak-ng/espeak-ng/blob/1.52.0/src/include/espeak-ng/speak_lib.h
    """
    with open_engine() as engine:
        return synthesise(engine, text, voice, words_per_minute, pitch, pitch_range)


def voice_variants() -> list[str]:
    """List the voice variants, the names that may follow "+" in a voice, in sorted order.

    Raises MissingExtraError if `espeakng-loader` is not installed.
    """
    return sorted(path.name for path in (data_folder() / "voices" / "!v").iterdir())


def data_folder() -> Path:
    """Where the voices and languages lie; MissingExtraError if `espeakng-loader` is not installed."""
    try:
        import espeakng_loader
    except ImportError as error:
        raise MissingExtraError(
            "Demo speech needs eSpeak NG: pip install 'hf-audio[demo]', or pass --data_dir with data of your own."
        ) from error
    return Path(espeakng_loader.get_data_path())


@functools.cache
def _known_variants() -> frozenset[str]:
    return frozenset(voice_variants())


@functools.cache
def map_languages() -> dict[str, str]:
    """Map each language tag in lower case to the voice file that serves it best, such as "en-gb" to "gmw/en"."""
    folder = data_folder() / "lang"
    ranked = []
    for path in folder.rglob("*"):
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
            keyword, *values = line.split()[:3] or [""]
            if keyword == "language" and values:  # a lower number is a better match, 5 if none is given
                ranked.append((int((*values, "5")[1]), path.relative_to(folder).as_posix(), values[0].lower()))
    return {tag: file for _, file, tag in sorted(ranked, reverse=True)}


def find_language(language: str) -> str:
    """Find the voice file of a language tag; ValueError with the most similar tags if there is none."""
    languages = map_languages()
    if language.lower() not in languages:
        nearest = difflib.get_close_matches(language.lower(), languages, cutoff=0)
        raise ArgumentError(f"eSpeak NG has no language {language!r}: the most similar tags are {', '.join(nearest)}.")
    return languages[language.lower()]


def resolve_voice(voice: str) -> str:
    """Turn "ru+f2" into the name by which eSpeak NG loads the voice; ValueError if there is none."""
    # eSpeak keeps the last voice for an unknown language and ignores an unknown variant, both without an error.
    language, plus, variant = voice.partition("+")
    file = find_language(language)
    if plus and variant not in _known_variants():
        raise ArgumentError(f"eSpeak NG has no variant {variant!r} (in the voice {voice!r}); see voice_variants().")
    return file + plus + variant


@contextlib.contextmanager
def open_engine() -> Iterator[tuple[ctypes.CDLL, int]]:
    """Load an eSpeak NG of our own and give it with its sampling rate.

    The library keeps state that no call resets (position of the pitch flutter, cycle counter, gain control), so the
    same text sounds different each time. A library just loaded starts from zero. It is loaded from a copy, because
    the system loads one path only once: the copy shares nothing with other users of eSpeak NG in this process, with
    other threads or with the parent of a fork.
    """
    data = data_folder()
    import espeakng_loader

    with tempfile.TemporaryDirectory(prefix="hf_audio-") as folder:
        library = ctypes.CDLL(shutil.copy(espeakng_loader.get_library_path(), folder))
        try:
            synchronous, no_exit = 2, 0x8000  # AUDIO_OUTPUT_SYNCHRONOUS: no threads, samples go to the callback
            rate = library.espeak_Initialize(synchronous, 0, os.fsencode(data), no_exit)
            if rate <= 0:
                raise DataError(
                    f"eSpeak NG cannot read its data in {data}: install it where the path has at most 150 bytes."
                )
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


def synthesise(
    engine: tuple[ctypes.CDLL, int], text: str, voice: str, words_per_minute: int, pitch: int, pitch_range: int
) -> tuple[np.ndarray, int]:
    """Speak by an open engine, whose state goes on from what it spoke before; else as `speak`."""
    library, rate = engine
    chunks: list[bytes] = []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
    def collect(samples: Any, n_samples: int, _events: Any) -> int:
        if samples and n_samples:
            chunks.append(ctypes.string_at(samples, 2 * n_samples))
        return 0  # go on

    library.espeak_SetSynthCallback(collect)
    if library.espeak_SetVoiceByName(resolve_voice(voice).encode()) != 0:
        raise ArgumentError(f"eSpeak NG cannot load the voice {voice!r}.")
    for number, name, value, low, high in (
        (1, "words_per_minute", words_per_minute, 80, 450),
        (2, "volume", 50, 0, 100),  # at the default of 100 the louder variants are clipped inside eSpeak
        (3, "pitch", pitch, 0, 99),
        (4, "pitch_range", pitch_range, 0, 99),
    ):
        if not low <= value <= high:
            raise ArgumentError(f"{name} must be from {low} to {high}, not {value}.")
        library.espeak_SetParameter(number, value, 0)
    encoded, utf8 = text.encode(), 1
    library.espeak_Synth(encoded, ctypes.c_size_t(len(encoded) + 1), 0, 0, 0, utf8, None, None)
    return np.frombuffer(b"".join(chunks), np.int16).astype(np.float32) / 32768, rate
