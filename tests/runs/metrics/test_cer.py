"""The character error rate against brute force and by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_audio.runs.metrics import CharacterErrorRate
from hf_audio.runs.metrics.cer import edit_distance


def brute_force_distance(a: str, b: str) -> int:
    if not a or not b:
        return len(a) + len(b)
    if a[0] == b[0]:
        return brute_force_distance(a[1:], b[1:])
    shorter = (a[1:], b), (a, b[1:]), (a[1:], b[1:])
    return 1 + min(brute_force_distance(*pair) for pair in shorter)


@settings(deadline=None)
@given(st.text("0123", max_size=5), st.text("0123", max_size=5))
def test_edit_distance_equals_brute_force(a, b):
    assert edit_distance(a, b) == brute_force_distance(a, b) == edit_distance(b, a)


def test_cer_over_clips_and_over_the_corpus():
    # One of two digits wrong; nothing wrong, for leading zeros are not read; two of six missing.
    told = CharacterErrorRate(keep_in_memory=True).compute(
        predictions=["000039", "0", "001948"], references=["38", "000000", "194827"]
    )
    assert told == {
        "cer": pytest.approx((1 / 2 + 0 + 2 / 6) / 3),
        "cer_corpus": pytest.approx(3 / 9),
        "exact_match": pytest.approx(1 / 3),
    }


@pytest.mark.parametrize("wrong", ["-5", "1.5", "٣", "x"])
def test_cer_refuses_what_is_no_number(wrong):
    with pytest.raises(ValueError, match="is not a number: give a string of digits"):
        CharacterErrorRate(keep_in_memory=True).compute(predictions=[wrong], references=["1"])


def test_a_clip_in_which_nothing_was_read_lacks_all_characters():
    told = CharacterErrorRate(keep_in_memory=True).compute(predictions=[""], references=["194"])
    assert told == {"cer": 1.0, "cer_corpus": 1.0, "exact_match": 0.0}
