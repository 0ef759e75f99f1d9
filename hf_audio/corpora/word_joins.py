"""Words that were recorded one by one, put together as a machine does it, or as someone who reads slowly does."""

from collections.abc import Sequence

import numpy as np

from .synthetic_voices import trim

EDGE_SECONDS = (0.03, 0.4)  # before the first word, and after the last one
GAP_SECONDS = (0.0, 0.35)  # at most between two words; of a clip, the most is drawn first
LONG_GAP_SECONDS = 0.9
OVERLAP_SECONDS = (0.01, 0.05)
# How often words follow at once, overlap, keep the silence of their recordings, or have pauses between them; the rest
# has one long pause, as before and after "thousand".
SHARES = {"tight": 0.2, "overlapping": 0.2, "as recorded": 0.2, "paused": 0.3}
REST = "one long pause"


def join_words(
    words: Sequence[np.ndarray], rate: int, random: np.random.Generator, manner: str | None = None
) -> np.ndarray:
    """One recording of several words, with pauses and small differences of level that are drawn for it.

    words: of one speaker, (samples,) float each; rate: in Hz; manner: one of `SHARES`, or `REST`, and by default drawn
    too. What comes back, (samples,), begins and ends in silence.
    """
    manner = manner or draw_manner(random)
    if manner != "as recorded":
        words = [trim(word, rate) for word in words]
    words = [word * 10 ** (random.normal(0, 1) / 20) for word in words]
    joined = words[0]
    long_pause = random.integers(len(words))
    most = random.uniform(*GAP_SECONDS)
    for place, word in enumerate(words[1:], start=1):
        if manner == "overlapping":
            joined = _overlap(joined, word, round(random.uniform(*OVERLAP_SECONDS) * rate))
            continue
        seconds = random.uniform(0, most) if manner == "paused" else 0.0
        if manner == REST and place == long_pause:
            seconds = random.uniform(GAP_SECONDS[1], LONG_GAP_SECONDS)
        joined = np.concatenate([joined, np.zeros(round(seconds * rate), joined.dtype), word])
    before, after = (round(random.uniform(*EDGE_SECONDS) * rate) for _ in range(2))
    return np.pad(joined, (before, after)).astype(np.float32)


def draw_manner(random: np.random.Generator) -> str:
    """One of `SHARES`, or `REST`."""
    drawn = random.random()
    for manner, share in SHARES.items():
        if drawn < share:
            return manner
        drawn -= share
    return REST


def _overlap(before: np.ndarray, after: np.ndarray, size: int) -> np.ndarray:
    """The end of the one fades out while the beginning of the other fades in, over `size` samples."""
    size = min(size, len(before), len(after))
    fade = np.linspace(0, 1, size, dtype=before.dtype)
    mixed = before[len(before) - size :] * (1 - fade) + after[:size] * fade
    return np.concatenate([before[: len(before) - size], mixed, after[size:]])
