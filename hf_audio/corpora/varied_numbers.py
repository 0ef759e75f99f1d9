"""Russian numbers by all synthesisers that are installed, fluently and word by word, and speech that is no number.

Made to learn to read people: words are declined as people do it or as machines with one form of "тысяча" do, they come
with pauses, at once or blended into each other, and a share of the clips holds no number below a million.
"""

import functools
import hashlib
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soxr

from ..errors import ArgumentError, MissingExtraError
from ..models.configuration_audio_cnn import NONE_OF_THESE
from ..processes import work_off
from . import festival
from .corpus_folder import make_corpus, write_wav
from .espeak import data_folder, open_engine, synthesise
from .russian_numbers import FEMININE, THOUSAND, ZERO, number_words
from .synthetic_numbers import NUMBER_TRAINING_VARIANTS, draw_number
from .synthetic_voices import ENGLISH_SENTENCES, FEMALE_VARIANTS, add_background, trim
from .word_joins import join_words

RATE = 16000  # Hz
NONE_SHARE = 0.2
JOINED_SHARE = 0.45
HUNDRED_SHARE = 0.2  # of the numbers, with "сто" or without: a short word, and without it there is a number too
EDGE_SECONDS = (0.02, 0.5)
MAX_SECONDS = 9.5  # what lasts longer, very slow voices with pauses, is played faster
PER_TASK = 50  # clips that are made by one opened synthesiser
WEIGHTS = {"espeak": 0.7, "festival": 0.3}  # how often each is heard, of those that are installed
SENTENCES = (
    *("Здравствуйте, вы позвонили в нашу компанию.", "Пожалуйста, оставайтесь на линии.", "Да.", "Нет."),
    *("Сегодня хорошая погода, а завтра будет дождь.", "Я не знаю, где лежат ключи.", "Первый, второй, третий."),
    *("Поезд отправляется с первого пути.", "Спасибо за звонок, до свидания.", "Понедельник, вторник, среда."),
    *("Нажмите решётку, чтобы продолжить.", "Не могли бы вы повторить адрес?", "Алло, я вас слушаю."),
    *("Собака лает, караван идёт.", "Сколько времени займёт доставка?", "Он пришёл домой поздно вечером."),
    *("Красный, синий, зелёный.", "Ваш звонок очень важен для нас.", "Магазин работает без выходных."),
)
# What resembles words of numbers, and what begins as they do.
ORDINALS = (
    *("первый", "второй", "третий", "четвёртый", "пятый", "шестой", "седьмой", "восьмой", "девятый", "десятый"),
    *("одиннадцатое", "двенадцатый", "пятнадцатого", "двадцатый", "двадцать первое", "тридцатого", "сороковой"),
    *("пятидесятый", "шестидесятая", "семидесятый", "восьмидесятое", "девяностый", "сотый", "двухсотый", "тысячный"),
)
OTHER_WORDS = (
    *("понедельник", "вторник", "среда", "четверг", "пятница", "суббота", "воскресенье", "январь", "февраля", "март"),
    *("апрель", "май", "июнь", "июля", "август", "сентябрь", "октября", "ноябрь", "декабрь", "сегодня", "завтра"),
    *("вчера", "час", "часов", "минута", "минут", "секунда", "секунд", "рублей", "доллар", "копеек", "процентов"),
    *("нажмите", "номер", "сообщение", "сообщений", "абонент", "недоступен", "занят", "выключен", "включён", "звонок"),
    *("старые", "новые", "семья", "друзья", "работа", "срочно", "пароль", "неверный", "решётка", "звёздочка", "меню"),
    *("вы", "ввели", "для", "из", "или", "если", "чтобы", "после", "сейчас", "пожалуйста", "спасибо", "извините"),
    *("привет", "да", "нет", "хорошо", "плохо", "дом", "вода", "стол", "окно", "дорога", "город", "река", "солнце"),
    *("стул", "семя", "пятно", "десна", "шестерня", "двор", "триумф", "сотня", "дева", "осень", "песок", "восток"),
    *("минус", "плюс", "точка", "запятая", "буква", "слово", "адрес", "улица", "квартира", "этаж", "паспорт", "код"),
)
SYLLABLES = tuple(
    consonant + vowel for consonant in "бвгджзклмнпрстфхцчш" for vowel in ("а", "е", "и", "о", "у", "ай")
)
ZERO_TOO = "нуль"
MILLIONS = ("миллион", "миллиона", "миллионов", "миллиард")
FOREIGN = ("en-us", "de", "fr-fr", "es", "it", "pl", "tr")  # languages of eSpeak NG, reading English sentences


class Clip(NamedTuple):
    """What is said in a clip, and how."""

    position: int
    number: int | None
    words: tuple[str, ...]
    """One by one, or a whole sentence as one of them."""
    is_joined: bool
    """Each word was spoken alone."""
    synthesiser: str

    @property
    def texts(self) -> list[str]:
        """What the synthesiser is given."""
        return list(self.words) if self.is_joined else [" ".join(self.words)]


def installed_synthesisers() -> list[str]:
    """Names of those that can speak here, "espeak" first."""
    found = ["festival"] if festival.is_installed() else []
    try:
        data_folder()
    except MissingExtraError:
        return found
    return ["espeak", *found]


def make_varied_numbers(
    directory: str | os.PathLike[str] | None = None,
    *,
    count: int = 9000,
    seed: int = 0,
    synthesisers: Sequence[str] | None = None,
) -> Path:
    """Make a corpus of Russian numbers in many manners in the layout of numbers2, or return at once if it is there.

    The clips are `train/{position}.wav`, 16 kHz, 16-bit, mono. `train.csv` has the columns path, number and speaker;
    the number is "none of these" where none is said, or one of a million and more. Voice, pace, pitch, level, pauses
    and noise are drawn for each clip. The same files are made each time, byte for byte (on one platform).

    Args:
        directory: the folder of the corpus; by default one in the Hugging Face cache (`HF_HOME`).
        count: of clips.
        seed: of all draws, 0 or more.
        synthesisers: "espeak", "festival" or both; by default all that are installed.

    Returns:
        The folder of the corpus, the parent of the table.

    Raises:
        ArgumentError: an unknown synthesiser, or a count or seed too small.
        DataError: the folder cannot be written, or holds something else.
        MissingExtraError: a synthesiser is not installed.
    """
    for name, value, least in (("count", count, 1), ("seed", seed, 0)):
        if value < least:
            raise ArgumentError(f"{name} must be {least} or more, not {value}.")
    chosen = _choose(synthesisers)
    clips = [_draw_clip(seed, position, chosen) for position in range(count)]

    def write(folder: Path) -> None:
        (folder / "train").mkdir()
        by_voice = [[clip for clip in clips if clip.synthesiser == name] for name in chosen]
        tasks = [part[first : first + PER_TASK] for part in by_voice for first in range(0, len(part), PER_TASK)]
        speakers: dict[int, str] = {}
        for spoken in work_off(functools.partial(_speak_clips, folder, seed), tasks, "Speaking numbers", "part"):
            speakers.update(spoken)
        rows = [
            f"{_name(clip)},{NONE_OF_THESE if clip.number is None else clip.number},{speakers[clip.position]}"
            for clip in clips
        ]
        (folder / "train.csv").write_text("\n".join(["path,number,speaker", *rows, ""]), "utf-8", newline="\n")

    digest = hashlib.sha256(repr((chosen, seed)).encode()).hexdigest()[:8]
    return make_corpus(directory, f"varied_numbers-{count}-{digest}", count, write, {"train.csv": None})


def _choose(synthesisers: Sequence[str] | None) -> list[str]:
    installed = installed_synthesisers()
    wanted = installed if synthesisers is None else list(synthesisers)
    for name in wanted:
        if name not in WEIGHTS:
            raise ArgumentError(f"There is no synthesiser {name!r}: choose among {', '.join(WEIGHTS)}.")
    missing = [name for name in wanted if name not in installed]
    if missing or not wanted:
        raise MissingExtraError(
            f"{', '.join(missing) or 'Any synthesiser'} is not installed: pip install 'hf_audio[demo]' for espeak, "
            "apt install festival festvox-ru for festival."
        )
    return wanted


def _name(clip: Clip) -> str:
    return f"train/{clip.position:06}.wav"


def _draw_clip(seed: int, position: int, synthesisers: Sequence[str]) -> Clip:
    random = np.random.default_rng([seed, position])
    weights = np.array([WEIGHTS[name] for name in synthesisers])
    synthesiser = str(random.choice(list(synthesisers), p=weights / weights.sum()))
    is_joined = bool(random.random() < JOINED_SHARE)
    number = None
    if random.random() < NONE_SHARE:
        words, is_joined = _draw_no_number(random, is_joined)
    else:
        # Numbers of all lengths: most numbers below a million have six digits, and most that people say have not.
        number = draw_number(random) if random.random() < 0.75 else int(10 ** random.uniform(0, 6)) - 1
        if random.random() < HUNDRED_SHARE:
            number = _with_hundreds(number, random)
        words = vary_words(number_words(number), number, random)
    return Clip(position, number, tuple(words), is_joined, synthesiser)


def _with_hundreds(number: int, random: np.random.Generator) -> int:
    """A number whose hundreds are one or none, of as many thousands and below."""
    thousands, rest = divmod(number, 1000)
    return 1000 * (thousands % 100 + 100 * int(random.integers(2))) + rest % 100 + 100 * int(random.integers(2))


def _draw_no_number(random: np.random.Generator, is_joined: bool) -> tuple[list[str], bool]:
    """What is said instead of a number; no words at all are noise."""
    kind = random.random()
    if kind < 0.2:
        return [str(random.choice(SENTENCES))], False
    if kind < 0.3:
        return [str(random.choice(ORDINALS))], False
    if kind < 0.65:
        return [_other_word(random) for _ in range(random.integers(1, 6))], is_joined
    if kind < 0.88:
        rest = draw_number(random)
        million = str(random.choice(MILLIONS))
        return [
            *number_words(int(random.integers(1, 1000))),
            million,
            *(number_words(rest) if rest else []),
        ], is_joined
    return [], False


def _other_word(random: np.random.Generator) -> str:
    """A word of Russian, or one that there might be."""
    if random.random() < 0.5:
        return str(random.choice(OTHER_WORDS))
    return "".join(random.choice(SYLLABLES, size=random.integers(1, 5)))


def vary_words(words: list[str], number: int, random: np.random.Generator) -> list[str]:
    """The words as some people and machines say them."""
    if 1000 <= number < 2000 and random.random() < 0.4:
        words = words[1:]  # "тысяча двести"
    if random.random() < 0.15:  # a machine that has recorded one form
        form = THOUSAND[random.integers(len(THOUSAND))]
        words = [form if word in THOUSAND else word for word in words]
    if random.random() < 0.15:
        masculine = {feminine: word for word, feminine in FEMININE.items()}
        words = [masculine.get(word, word) for word in words]
    return [ZERO_TOO] if words == [ZERO] and random.random() < 0.4 else words


def _speak_clips(folder: Path, seed: int, clips: Sequence[Clip]) -> dict[int, str]:
    """Write clips that one synthesiser speaks; their speakers by position."""
    speakers = {}
    with ExitStack() as stack:
        speak = _OPENERS[clips[0].synthesiser](stack, clips)
        for clip in clips:
            random = np.random.default_rng([seed, clip.position, 1])
            if clip.words:
                speaker, parts = speak(clip, random)
            else:
                speaker, parts = "none", [_noise(random)]
            if clip.is_joined:
                speech = join_words(parts, RATE, random)
            else:
                edges = [round(seconds * RATE) for seconds in random.uniform(*EDGE_SECONDS, size=2)]
                speech = np.pad(trim(parts[0], RATE), edges)
            if len(speech) > MAX_SECONDS * RATE:
                speech = soxr.resample(speech, len(speech), MAX_SECONDS * RATE)
            level, noise_level = random.uniform((-20, -50), (-3, -15))  # dB
            slope = random.uniform(0, 1)  # 0: white, 1: pink
            recording = add_background(speech, random, 10 ** (level / 20), 10 ** (noise_level / 20), slope)
            write_wav(folder / _name(clip), recording, RATE)
            speakers[clip.position] = speaker
    return speakers


def _noise(random: np.random.Generator) -> np.ndarray:
    """A few seconds of noise of any colour, even or coming and going."""
    size = int(random.uniform(1, 5) * RATE)
    spectrum = np.fft.rfft(random.standard_normal(size))
    noise = np.fft.irfft(spectrum * np.arange(1, len(spectrum) + 1) ** (-random.uniform(0, 1)), size)
    if random.random() < 0.5:
        noise *= np.interp(np.arange(size), np.linspace(0, size, 12), random.uniform(0, 1, 12) ** 2)
    return noise


Speak = Callable[[Clip, np.random.Generator], tuple[str, list[np.ndarray]]]


def _open_espeak(stack: ExitStack, clips: Sequence[Clip]) -> Speak:
    engine = stack.enter_context(open_engine())

    def speak(clip: Clip, random: np.random.Generator) -> tuple[str, list[np.ndarray]]:
        is_female = random.random() < 0.5
        variants = [name for name in NUMBER_TRAINING_VARIANTS if (name in FEMALE_VARIANTS) == is_female]
        variant = variants[random.integers(len(variants))]
        pace, pitch, pitch_range = random.uniform((100, 25, 10), (230, 75, 80))
        language, texts = "ru", clip.texts
        if texts[0] in SENTENCES and random.random() < 0.4:
            language, texts = str(random.choice(FOREIGN)), [str(random.choice(ENGLISH_SENTENCES))]
        if clip.is_joined:
            pace = 80 + 0.5 * (pace - 100)  # words alone are spoken slowly
        voice = f"{language}+{variant}"
        spoken = [synthesise(engine, text, voice, round(pace), round(pitch), round(pitch_range)) for text in texts]
        return f"espeak-{variant}", [soxr.resample(samples, rate, RATE) for samples, rate in spoken]

    return speak


def _open_festival(stack: ExitStack, clips: Sequence[Clip]) -> Speak:
    texts = sorted({text for clip in clips for text in clip.texts if text})
    spoken = dict(zip(texts, festival.speak_all(texts), strict=True))

    def speak(clip: Clip, random: np.random.Generator) -> tuple[str, list[np.ndarray]]:
        return "festival", [spoken[text] for text in clip.texts]

    return speak


_OPENERS: dict[str, Callable[[ExitStack, Sequence[Clip]], Speak]] = {
    "espeak": _open_espeak,
    "festival": _open_festival,
}
