"""Numbers from 0 to 999,999 as Russian words."""

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
