"""Names as pictures show them: on one line, not too long, in fonts that have their letters."""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from matplotlib.font_manager import FontEntry, fontManager, get_font

LONGEST_NAME = 40  # letters of a name that a picture has room for
USUAL_FAMILY = "DejaVu Sans"  # which matplotlib brings
UNKNOWN = "\N{REPLACEMENT CHARACTER}"
BOXES = "LastResort"  # a font that has a box for every letter
INVISIBLE = ("Cc", "Cf", "Mn", "Me", "Cs")  # joiners, selectors and marks, without which a name can still be read


@dataclass(frozen=True)
class Lettering:
    """Names, and what to draw them in."""

    names: list[str]
    families: list[str]
    """Fonts, each for the letters that those before it lack."""


def shown_name(name: str, longest: int = LONGEST_NAME) -> str:
    """A name for a picture: on one line, not too long, and not hidden from legends by its first letter."""
    line = " ".join(name.split())
    if len(line) > longest:  # names that begin alike often end otherwise
        end = longest // 3
        line = f"{line[: longest - 1 - end]}…{line[-end:]}"
    return f" {line}" if line.startswith("_") else line


def letter(names: Sequence[str], longest: int = LONGEST_NAME) -> Lettering:
    """Names for a picture, and the fonts for them.

    Letters that no installed font has are shown as a question mark in a diamond. Where names then look alike, each has
    its number behind it.
    """
    shown = [shown_name(name, longest) for name in names]
    families, unknown = _find_fonts(frozenset().union(*shown))
    shown = ["".join(_replacement(own) if own in unknown else own for own in name) for name in shown]
    alike = Counter(shown)
    texts = [f"{name} ({number})" if alike[name] > 1 else name for number, name in enumerate(shown)]
    return Lettering(texts, list(families))


def _replacement(letter: str) -> str:
    return "" if unicodedata.category(letter) in INVISIBLE else UNKNOWN


@cache
def _find_fonts(letters: frozenset[str]) -> tuple[tuple[str, ...], frozenset[str]]:
    """Families that have letters, the usual one first, and the letters that none has."""
    usual = next(font for font in fontManager.ttflist if font.name == USUAL_FAMILY and _is_plain(font))
    families, missing = [USUAL_FAMILY], letters - _letters_of(usual.fname)
    fonts = sorted(filter(_is_plain, fontManager.ttflist), key=lambda font: (font.name, font.fname)) if missing else []
    for font in fonts:
        if font.name not in families and (found := missing & _letters_of(font.fname)):
            families.append(font.name)
            missing -= found
            if not missing:
                break
    return tuple(families), missing


def _is_plain(font: FontEntry) -> bool:
    """Upright and of one colour: those of emoji in colours cannot be drawn."""
    usual = font.style == "normal" and str(font.weight) in ("400", "normal", "regular")
    return usual and "Color" not in font.name and BOXES not in font.name.replace(" ", "")


@cache
def _letters_of(file: str) -> frozenset[str]:
    try:
        return frozenset(map(chr, get_font(file).get_charmap()))
    except (OSError, RuntimeError):  # a font that is broken, or of bitmaps
        return frozenset()
