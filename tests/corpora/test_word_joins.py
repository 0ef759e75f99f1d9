"""Words put together: all of them, in their order, whatever the manner."""

import numpy as np
import pytest

from hf_audio.corpora import word_joins
from hf_audio.corpora.word_joins import REST, SHARES, join_words

RATE = 8000


def word(hertz: float) -> np.ndarray:
    """Half a second of a tone between two silences of a tenth."""
    tone = 0.3 * np.sin(2 * np.pi * hertz * np.arange(RATE // 2) / RATE)
    return np.pad(tone, RATE // 10).astype(np.float32)


@pytest.mark.parametrize("manner", [*SHARES, REST])
def test_words_come_in_their_order(manner: str) -> None:
    pitches = [400, 800, 1600]
    joined = join_words([word(hertz) for hertz in pitches], RATE, np.random.default_rng(0), manner)
    assert joined.dtype == np.float32 and joined[0] == joined[-1] == 0 and np.abs(joined).max() < 0.7
    spectra = np.abs(np.fft.rfft(joined[: len(joined) // 400 * 400].reshape(-1, 400), axis=1))  # 20 Hz a bin
    heard = [int(20 * row.argmax()) for row in spectra if row.max() > 10]
    assert [pitch for pitch, before in zip(heard, [0, *heard], strict=False) if pitch != before] == pitches
    seconds = len(joined) / RATE
    assert (1.3 if manner == "overlapping" else 1.5) < seconds < 4


def test_every_manner_is_drawn() -> None:
    random = np.random.default_rng(0)
    assert {word_joins.draw_manner(random) for _ in range(200)} == {*SHARES, REST}


def test_one_word_alone() -> None:
    joined = join_words([word(500)], RATE, np.random.default_rng(3))
    assert RATE * 0.5 < len(joined) < RATE * 1.6
