"""Russian words of a number back to the number, to which tests hold words that are made or heard."""

from collections.abc import Sequence

from hf_audio.corpora.russian_numbers import FEMININE, HIGHEST, HUNDREDS, TEENS, TENS, THOUSAND, UNITS, ZERO
from hf_audio.errors import ArgumentError

# Every word, and the value that it adds; the thousands multiply.
VALUES = {
    ZERO: 0,
    **{word: value for value, word in enumerate(UNITS, start=1)},
    **{feminine: UNITS.index(word) + 1 for word, feminine in FEMININE.items()},
    **{word: value for value, word in enumerate(TEENS, start=10)},
    **{word: 10 * value for value, word in enumerate(TENS, start=2)},
    **{word: 100 * value for value, word in enumerate(HUNDREDS, start=1)},
    **dict.fromkeys(THOUSAND, 1000),
}


def read_number(words: Sequence[str]) -> int:
    """Words to the number that they say; "тысяча" may stand for "одна тысяча", and its endings do not count.

    Raises:
        ArgumentError: no number is said like that.
    """
    number = _read(list(words))
    if number is None:
        raise ArgumentError(f"{' '.join(words)!r} is no Russian number from 0 to {HIGHEST}.")
    return number


def _read(words: list[str]) -> int | None:
    if words in ([ZERO], ["нуль"]):
        return 0
    places = [place for place, word in enumerate(words) if word in THOUSAND]
    if not words or len(places) > 1:
        return None
    if not places:
        return _read_below_thousand(words)
    before, after = words[: places[0]], words[places[0] + 1 :]
    thousands = _read_below_thousand(before) if before else 1
    rest = _read_below_thousand(after) if after else 0
    return None if thousands is None or rest is None else 1000 * thousands + rest


def _read_below_thousand(words: list[str]) -> int | None:
    """Hundreds, tens and units, each at most once and in this order; a teen is tens and units."""
    total, free = 0, 1000  # what is said next must be below `free`
    for word in words:
        value = VALUES.get(word, 0)
        if not 0 < value < free:
            return None
        total += value
        free = 100 if value >= 100 else 10 if value >= 20 else 1
    return total
