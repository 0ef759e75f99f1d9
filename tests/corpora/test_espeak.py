"""eSpeak NG as it is driven here: voices, pitch, pace, numbers."""

import ctypes
import re
import sys

import numpy as np
import pytest

pytest.importorskip("espeakng_loader")

from hf_audio.corpora import espeak
from hf_audio.corpora.espeak import speak, voice_variants
from hf_audio.corpora.synthetic_voices import TEST_VARIANTS, TRAINING_VARIANTS


def find_pitch(audio: np.ndarray, rate: int) -> float:
    """Find the median pitch in Hz of the louder frames, by autocorrelation."""
    frames = np.lib.stride_tricks.sliding_window_view(audio, rate // 20)[:: rate // 100]
    frames = frames[frames.std(axis=1) > 0.5 * frames.std(axis=1).max()]
    correlation = np.fft.irfft(np.abs(np.fft.rfft(frames - frames.mean(axis=1, keepdims=True), rate // 8)) ** 2)
    shortest, longest = rate // 400, rate // 60
    return float(np.median(rate / (shortest + correlation[:, shortest:longest].argmax(axis=1))))


def test_speak_gives_mono_float_samples() -> None:
    audio, rate = speak("seven")
    assert rate == 22050
    assert audio.dtype == np.float32 and audio.ndim == 1
    assert 0.2 < len(audio) / rate < 1
    assert 0.1 < np.abs(audio).max() < 1


def test_speak_reads_any_script() -> None:
    short, long = (len(speak(text, "ru")[0]) for text in ("два", "двадцать два"))
    assert long > 1.3 * short


def test_speak_does_not_depend_on_what_was_spoken_before() -> None:
    before = [speak("seven", voice)[0] for voice in ("en-us", "en-us+f5")]  # f5 has breath noise
    speak("something else", "ru+f2")
    after = [speak("seven", voice)[0] for voice in ("en-us", "en-us+f5")]
    np.testing.assert_array_equal(np.concatenate(before), np.concatenate(after))


def test_voices_differ() -> None:
    sounds = {speak("nine", voice)[0].tobytes() for voice in ("en-us", "en-gb", "en-us+f3", "en-us+m3", "ru")}
    assert len(sounds) == 5


def test_pitch_and_rate_do_what_they_say() -> None:
    low, middle, high = (find_pitch(*speak("one nine", pitch=pitch)) for pitch in (20, 50, 80))
    assert low < 0.85 * middle < 0.75 * high
    assert find_pitch(*speak("one nine", "en-us+f3")) > 1.5 * middle
    slow, fast = (len(speak("one nine", words_per_minute=pace)[0]) for pace in (120, 240))
    assert slow > 1.5 * fast


@pytest.mark.parametrize("voice, named", [("tlh", "tlh"), ("en-us+nobody", "nobody"), ("en-us+", "''"), ("", "''")])
def test_unknown_voice_raises(voice: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        speak("one", voice)


def test_number_out_of_range_raises() -> None:
    with pytest.raises(ValueError, match="pitch must be from 0 to 99, not 100"):
        speak("one", pitch=100)


def test_voice_variants_are_sorted() -> None:
    variants = voice_variants()
    assert variants == sorted(variants)
    assert {"m1", "f1", *TRAINING_VARIANTS, *TEST_VARIANTS} <= set(variants)


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
def test_speak_works_after_fork() -> None:
    import multiprocessing

    audio, _ = speak("two")
    with multiprocessing.get_context("fork").Pool(1) as pool:
        np.testing.assert_array_equal(pool.apply(speak, ("two",))[0], audio)


def transcribe(text: str, voice: str) -> str:
    """Give the phonemes that eSpeak NG would speak, by its own names and without stresses."""
    with espeak.open_engine() as (library, _):
        library.espeak_SetVoiceByName(espeak.resolve_voice(voice).encode())
        library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        utf8, names = 1, 0
        phonemes = library.espeak_TextToPhonemes(ctypes.byref(ctypes.c_char_p(text.encode())), utf8, names)
    return re.sub("[', ]", "", phonemes.decode())


@pytest.mark.parametrize(
    "voice, number, phonemes",
    [
        ("ru", 0, "nojl"),
        ("ru", 14, "tS;Ity@-*nVttsVt;"),
        ("ru", 2000, "dv;etys;itS;i"),  # две тысячи
        ("ru", 21000, "dvAttsVt;VdnAtys;itS;V"),  # двадцать одна тысяча
        ("ru", 12000, "dv;InAttsVt;tys;itS;"),  # двенадцать тысяч
        ("ru", 302042, "t@-r;ista#dv;etys;itS;i_!so@-rOkdvA"),  # триста две тысячи сорок два
        ("en-us", 302042, "Tri:hVndrI2dtu:TaUz@nd_!fo@t#itu:"),
        ("en-gb", 302042, "Tri:hVndrI2d@ntu:TaUz@nd_!@nfo@titu:"),
    ],
)
def test_digits_are_read_as_a_number(voice: str, number: int, phonemes: str) -> None:
    assert transcribe(str(number), voice) == phonemes
