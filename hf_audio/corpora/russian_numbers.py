"""Numbers from 0 to 999,999 as Russian words, and back."""

from collections.abc import Sequence

from ..errors import ArgumentError

ZERO = "ноль"
UNITS = ("один", "два", "три", "четыре", "пять", "шесть", "семь", "восемь", "девять")
TEENS = (
    *("десять", "одиннадцать", "двенадцать", "тринадцать", "четырнадцать", "пятнадцать", "шестнадцать"),
    *("семнадцать", "восемнадцать", "девятнадцать"),
)
TENS = ("двадцать", "тридцать", "сорок", "пятьдесят", "шестьдесят", "семьдесят", "восемьдесят", "девяносто")
HUNDREDS = ("сто", "двести", "триста", "четыреста", "пятьсот", "шестьсот", "семьсот", "восемьсот", "девятьсот")
THOUSAND = ("тысяча", "тысячи", "тысяч")  # of one, of two to four, of more
FEMININE = {"один": "одна", "два": "две"}  # before "тысяча"
HIGHEST = 999_999

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


def number_words(number: int) -> list[str]:
    """A number as it is read aloud: 2021 is "две тысячи двадцать один".

    Raises:
        ArgumentError: it is not between 0 and 999,999.
    """
    if not 0 <= number <= HIGHEST:
        raise ArgumentError(f"number={number} must lie between 0 and {HIGHEST}.")
    if number == 0:
        return [ZERO]
    thousands, rest = divmod(number, 1000)
    if not thousands:
        return _below_thousand(rest)
    counted = _below_thousand(thousands)
    counted[-1] = FEMININE.get(counted[-1], counted[-1])
    return [*counted, thousand_form(thousands), *_below_thousand(rest)]


def thousand_form(count: int) -> str:
    """The word "тысяча" as it is declined after a number: 21 тысяча, 22 тысячи, 25 and 11 тысяч."""
    last, last_two = count % 10, count % 100
    if last == 1 and last_two != 11:
        return THOUSAND[0]
    return THOUSAND[1] if last in (2, 3, 4) and last_two not in (12, 13, 14) else THOUSAND[2]


def read_number(words: Sequence[str]) -> int:
    """Words to the number that they say; "тысяча" may stand for "одна тысяча", and its endings do not count.

    Raises:
        ArgumentError: no number is said like that.
    """
    said = [word.lower().replace("ё", "е") for word in words]
    number = _read(said)
    if number is None:
        raise ArgumentError(f"{' '.join(words)!r} is no Russian number from 0 to {HIGHEST}.")
    return number


def _read(words: list[str]) -> int | None:
    if words == [ZERO]:
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


def _below_thousand(number: int) -> list[str]:
    """No words for 0."""
    hundreds, rest = divmod(number, 100)
    words = [HUNDREDS[hundreds - 1]] if hundreds else []
    if 10 <= rest < 20:
        return [*words, TEENS[rest - 10]]
    tens, units = divmod(rest, 10)
    if tens:
        words.append(TENS[tens - 2])
    return [*words, UNITS[units - 1]] if units else words
