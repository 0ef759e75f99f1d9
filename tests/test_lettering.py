"""Names as pictures show them."""

from hf_audio import lettering
from hf_audio.lettering import UNKNOWN, letter, shown_name


def test_long_names_keep_their_beginnings_and_ends():
    first, second = (f"a very long name of the class of sounds number {n}" for n in (1, 2))
    assert shown_name(first, 20) == "a very long n…mber 1" and len(shown_name(second)) == 40
    assert letter([first, second], 20).names == ["a very long n…mber 1", "a very long n…mber 2"]


def test_names_that_look_alike_are_numbered():
    assert letter(["a" * 50 + "b" + "c" * 50, "a" * 50 + "d" + "c" * 50, "x"], 10).names[:2] == [
        "aaaaaa…ccc (0)",
        "aaaaaa…ccc (1)",
    ]


def test_letters_that_no_font_has_are_replaced(monkeypatch):
    usual = [font for font in lettering.fontManager.ttflist if font.name == "DejaVu Sans"]
    monkeypatch.setattr(lettering.fontManager, "ttflist", usual)
    names = ["\N{CJK UNIFIED IDEOGRAPH-72D7}", "\N{CJK UNIFIED IDEOGRAPH-732B}", "dog"]
    lettering._find_fonts.cache_clear()
    shown = letter(names)
    lettering._find_fonts.cache_clear()
    assert shown.names == [f"{UNKNOWN} (0)", f"{UNKNOWN} (1)", "dog"]
    assert shown.families == ["DejaVu Sans"]
