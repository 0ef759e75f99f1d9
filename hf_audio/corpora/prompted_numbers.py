"""Russian numbers of real people, put together from the prompts of telephone systems: one recording a word."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from ..audio.loading import load_audio
from ..errors import DataError
from ..folders import search_folder
from .corpus_folder import make_corpus
from .russian_numbers import FEMININE, HUNDREDS, TEENS, TENS, THOUSAND, UNITS, ZERO, number_words
from .synthetic_numbers import draw_number, write_numbers
from .word_joins import join_words

RATE = 16000  # Hz
FEWEST_WORDS = 20  # that a speaker must have said
MAX_SECONDS = 9.5  # of a number, so that a network of spoken numbers hears it as a whole
NONE_SECONDS = 0.3, MAX_SECONDS  # of prompts that are no numbers; some are empty, or music
TRIES = 10_000
# How the recordings of a word are called by Asterisk, FreeSWITCH and others, besides the word itself.
NAMES: Mapping[str, tuple[str, ...]] = {
    ZERO: ("0",),
    **{word: (str(value),) for value, word in enumerate(UNITS, start=1)},
    **{word: (str(value),) for value, word in enumerate(TEENS, start=10)},
    **{word: (str(10 * value),) for value, word in enumerate(TENS, start=2)},
    **{word: (str(100 * value),) for value, word in enumerate(HUNDREDS, start=1)},
    "сто": ("100", "hundred"),
    "одна": ("1f", "1-f", "1_f", "1fem"),
    "две": ("2f", "2-f", "2_f", "2fem"),
    THOUSAND[0]: ("thousand", "1000"),
    THOUSAND[1]: ("thousands-i", "thousands_i", "thousands2", "thousand-i"),
    THOUSAND[2]: ("thousands", "thousands5"),
}


@dataclass(frozen=True)
class Prompts:
    """What one speaker has recorded."""

    speaker: str
    words: Mapping[str, Path]
    """By the word."""
    others: Sequence[Path]
    """Which are no words of numbers."""

    def find(self, number: int) -> list[Path] | None:
        """Recordings of a number's words, in the form that there is; `None` where one is missing."""
        masculine = {feminine: word for word, feminine in FEMININE.items()}
        found = []
        for word in number_words(number):
            forms = [word, masculine.get(word, word), *(THOUSAND if word in THOUSAND else ())]
            file = next((self.words[form] for form in forms if form in self.words), None)
            if file is None:
                return None
            found.append(file)
        return found


def make_prompted_numbers(
    prompts: str | os.PathLike[str],
    directory: str | os.PathLike[str] | None = None,
    *,
    count: int = 600,
    seed: int = 0,
) -> Path:
    """Make a corpus of numbers out of people's prompts, in the layout of numbers2, or return at once if it is there.

    A folder with recordings of number words, called as Asterisk and FreeSWITCH call them (`0`, `15`, `40`, `200` or
    `hundred`, `thousand`, ...) or by the words themselves, is a speaker; other recordings beside them
    become clips of "none of these". Numbers are drawn of whose words all are there; where a
    word lacks a declined form, it is heard in the one that there is. Words follow each other with pauses, at once, or
    blended into each other.

    Args:
        prompts: a folder with prompts of one speaker or, in folders of their own, of several.
        directory: of the corpus; by default one in the Hugging Face cache.
        count: of numbers, evenly of all speakers.
        seed: of all draws.

    Returns:
        The folder of `test.csv` with the columns path, number and speaker.

    Raises:
        DataError: the folder holds no such prompts, or the corpus cannot be written.
    """
    speakers = find_prompts(Path(prompts))

    def write(folder: Path) -> None:
        write_numbers(folder, "test", _make_clips(speakers, count, seed), RATE)

    n_none = sum(len(speaker.others) for speaker in speakers)
    files = sorted({file for speaker in speakers for file in (*speaker.words.values(), *speaker.others)})
    found = [[file.as_posix(), file.stat().st_size, file.stat().st_mtime_ns] for file in files]
    digest = hashlib.sha256(json.dumps(found).encode()).hexdigest()[:12]
    name = f"prompted_numbers-{count}-{seed}-{digest}"
    return make_corpus(directory, name, count + n_none, write, {"test.csv": None})


def _make_clips(speakers: Sequence[Prompts], count: int, seed: int) -> Iterator[tuple[int | None, str, np.ndarray]]:
    """Number or `None`, speaker and samples (samples,) of one clip after the other."""
    for position in range(count):
        speaker = speakers[position % len(speakers)]
        random = np.random.default_rng([seed, position])
        number, samples = _draw_clip(speaker, random)
        yield number, speaker.speaker, samples
    for speaker in speakers:
        for file in speaker.others:
            yield None, speaker.speaker, load_audio(file, RATE)


def _draw_clip(speaker: Prompts, random: np.random.Generator) -> tuple[int, np.ndarray]:
    """A number of whose words there are recordings, and their samples, (samples,)."""
    for _ in range(TRIES):
        number = draw_number(random)
        files = speaker.find(number)
        if files is None:
            continue
        if 1000 <= number < 2000 and random.random() < 0.5:
            files = files[1:]  # "тысяча двести"
        samples = join_words([load_audio(file, RATE) for file in files], RATE, random)
        if len(samples) <= MAX_SECONDS * RATE:
            return number, samples
    raise DataError(f"The prompts of {speaker.speaker} are too few or too long to put numbers together: add some.")


def find_prompts(folder: Path) -> list[Prompts]:
    """The speakers whose number words lie in a folder, or below it.

    Raises:
        DataError: there are none.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder: give one of prompts.")
    by_folder: dict[Path, list[Path]] = {}
    for file in search_folder(folder).audio:
        by_folder.setdefault(file.parent, []).append(file)
    named = {name: word for word, names in NAMES.items() for name in (word, *names)}
    speakers = []
    for place, files in sorted(by_folder.items()):
        words = {named[file.stem.lower()]: file for file in files if file.stem.lower() in named}
        if len(words) >= FEWEST_WORDS:
            # Of Asterisk, the numbers lie in `digits/`, and what else is said in the folder above.
            is_part = place.name == "digits"
            beside = [*files, *(by_folder.get(place.parent, []) if is_part else [])]
            # 1n, 2n: other forms of numbers.
            others = [file for file in beside if file.stem.lower() not in named and not file.stem[0].isdigit()]
            others = [file for file in others if NONE_SECONDS[0] < soundfile.info(file).duration < NONE_SECONDS[1]]
            speakers.append(Prompts((place.parent if is_part else place).name, words, others))
    if not speakers:
        raise DataError(
            f"{folder} holds no prompts of number words: give recordings called 0 to 20, 30, 40 and so on, 100 to 900 "
            "and thousand, or by the Russian words."
        )
    return speakers
