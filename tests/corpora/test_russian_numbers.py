"""Russian numbers: words as schoolbooks have them, there and back, and what is no number."""

import pytest
from helpers.number_words import VALUES, read_number
from hypothesis import given
from hypothesis import strategies as st

from hf_audio.corpora.russian_numbers import number_words
from hf_audio.errors import ArgumentError

BOOK = {
    0: "ноль",
    11: "одиннадцать",
    40: "сорок",
    90: "девяносто",
    218: "двести восемнадцать",
    1000: "одна тысяча",
    2002: "две тысячи два",
    5001: "пять тысяч один",
    11_000: "одиннадцать тысяч",
    12_012: "двенадцать тысяч двенадцать",
    21_021: "двадцать одна тысяча двадцать один",
    92_300: "девяносто две тысячи триста",
    114_000: "сто четырнадцать тысяч",
    400_060: "четыреста тысяч шестьдесят",
    999_999: "девятьсот девяносто девять тысяч девятьсот девяносто девять",
}


@pytest.mark.parametrize("number", BOOK)
def test_words_are_those_of_the_book(number: int) -> None:
    assert number_words(number) == BOOK[number].split()


@given(st.integers(0, 999_999))
def test_words_say_the_number(number: int) -> None:
    assert read_number(number_words(number)) == number


@given(st.lists(st.sampled_from(sorted(VALUES)), max_size=7))
def test_what_is_read_is_said_with_these_words_or_is_no_number(words: list[str]) -> None:
    try:
        number = read_number(words)
    except ArgumentError:
        return
    declined = {"один": "одна", "два": "две", "тысячи": "тысяча", "тысяч": "тысяча"}
    said, read = ([declined.get(word, word) for word in each] for each in (words, number_words(number)))
    assert said in (read, read[1:] if 1000 <= number < 2000 else read)


@pytest.mark.parametrize(
    "words",
    ["", "сто двести", "пять двадцать", "двадцать одиннадцать", "тысяча тысяч", "ноль пять", "пять сто", "кошка"],
)
def test_what_is_no_number(words: str) -> None:
    with pytest.raises(ArgumentError, match="is no Russian number from 0 to 999999"):
        read_number(words.split())


def test_numbers_out_of_range_are_refused() -> None:
    for number in (-1, 1_000_000):
        with pytest.raises(ArgumentError, match=f"number={number} must lie between 0 and 999999"):
            number_words(number)
