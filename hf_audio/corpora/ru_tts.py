"""ru_tts, a synthesiser of Russian that joins recorded allophones of a man and of a woman, driven by ctypes.

The library comes with the PyPI package `retro-ru-tts` (MIT). Its own Python function asks Python for what has been
gone since 3.10, so the library is called as it is. Source: https://github.com/poretsky/ru_tts.
"""

import ctypes
import functools
import importlib.util

import numpy as np

from ..errors import DataError, MissingExtraError

RATE = 10000  # Hz
_MODULE = "_ru_tts_native"
_ALTERNATIVE_VOICE = 4  # USE_ALTERNATIVE_VOICE of ru_tts.h: the woman
_CHUNK = 8192  # samples
_CONSUMER = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)


class _Settings(ctypes.Structure):
    """`ru_tts_conf_t` of ru_tts.h."""

    _fields_ = tuple(
        (name, ctypes.c_int)
        for name in (
            *("speech_rate", "voice_pitch", "intonation"),
            *("general_gap", "comma_gap", "dot_gap", "semicolon_gap", "colon_gap", "question_gap"),
            *("exclamation_gap", "intonational_gap", "flags"),
        )
    )


def is_installed() -> bool:
    """Whether the library is there."""
    return importlib.util.find_spec(_MODULE) is not None


def speak(
    text: str, *, female: bool = False, pace: int = 100, pitch: int = 100, intonation: int = 100
) -> tuple[np.ndarray, int]:
    """Synthesise a Russian text.

    Args:
        text: in Cyrillic letters.
        female: the woman's voice in the place of the man's.
        pace: 20 to 500; 100 is the voice's own, and more is faster.
        pitch: 50 to 300; 100 is the voice's own.
        intonation: 0 (level) to 140.

    Returns:
        Mono float32 samples, (samples,), in [-1, 1], and their sampling rate in Hz (10000).

    Raises:
        MissingExtraError: the library is not installed.
        DataError: it says nothing.
    """
    library = _load()
    settings = _Settings()
    library.ru_tts_config_init(ctypes.byref(settings))
    settings.speech_rate, settings.voice_pitch, settings.intonation = pace, pitch, intonation
    settings.flags |= _ALTERNATIVE_VOICE if female else 0
    chunks: list[bytes] = []

    @_CONSUMER
    def collect(samples: int, size: int, _user_data: int) -> int:
        chunks.append(ctypes.string_at(samples, size))
        return 0  # go on

    buffer = ctypes.create_string_buffer(_CHUNK)
    encoded = text.encode("koi8-r", errors="replace")
    library.ru_tts_transfer(ctypes.byref(settings), encoded, buffer, ctypes.c_size_t(_CHUNK), collect, None)
    samples = np.frombuffer(b"".join(chunks), np.int8).astype(np.float32) / 128
    if not samples.any():
        raise DataError(f"ru_tts says nothing of {text!r}: give Russian words.")
    return samples, RATE


@functools.cache
def _load() -> ctypes.CDLL:
    found = importlib.util.find_spec(_MODULE)
    if found is None or found.origin is None:
        raise MissingExtraError("The voices of ru_tts are missing: pip install retro-ru-tts.")
    return ctypes.CDLL(found.origin)
