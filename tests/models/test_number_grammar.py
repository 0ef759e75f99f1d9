"""The grammar of numbers: its sums against all readings one by one, and whole numbers read from clear words."""

import itertools

import numpy as np
import pytest
import torch
from helpers.number_words import read_number
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_audio.corpora.russian_numbers import HUNDREDS, TEENS, TENS, THOUSAND, UNITS, ZERO, number_words
from hf_audio.errors import ArgumentError
from hf_audio.models.number_grammar import GRAMMARS, MAX_WORD_SCORE, RARITY, NumberReader, spelling_loss

WORDS = (ZERO, *UNITS, *TEENS, *TENS, *HUNDREDS, THOUSAND[0])  # in the order of the reader's outputs
CANONICAL = {"одна": "один", "две": "два", THOUSAND[1]: THOUSAND[0], THOUSAND[2]: THOUSAND[0]}
READER = NumberReader(GRAMMARS["ru"])


def read(scores: torch.Tensor, n_frames: torch.Tensor | None = None) -> np.ndarray:
    """Probabilities (batch, digits, 10)."""
    return READER(scores, n_frames).unflatten(1, (6, 10)).softmax(-1).numpy()


def speak(number: int, *, other: bool = False) -> torch.Tensor:
    """Scores (1, outputs, frames) in which a number's words are clear, every other frame."""
    spoken = [CANONICAL.get(word, word) for word in number_words(number)]
    scores = torch.full((1, READER.n_outputs, 2 * len(spoken) + 3), -10.0)
    for place, word in enumerate(spoken):
        scores[0, WORDS.index(word), 2 * place + 1] = 14
    if other:
        scores[0, -1, -1] = 14
    return scores


def test_sums_are_those_of_all_readings_one_by_one() -> None:
    scores = torch.from_numpy(np.random.default_rng(0).normal(5, 2, size=(1, READER.n_outputs, 3))).float()
    shifted = scores[0].double().numpy() - RARITY
    weights = np.exp(shifted - np.logaddexp(0, shifted - MAX_WORD_SCORE))
    digits, total = np.zeros((6, 10)), 0.0
    for frames in itertools.product(range(-1, len(WORDS)), repeat=3):  # -1: the frame is passed over
        said = [(word, frame) for frame, word in enumerate(frames) if word >= 0]
        try:
            number = read_number([WORDS[word] for word, _ in said])
        except ArgumentError:
            continue
        weight = np.prod([weights[word, frame] for word, frame in said])
        total += weight
        digits[np.arange(6), [int(digit) for digit in f"{number:06d}"]] += weight
    is_number = total / (1 + total) / (1 + weights[-1].sum())
    expected = digits / total * is_number + (1 - is_number) / 10
    np.testing.assert_allclose(read(scores)[0], expected, rtol=1e-4)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 999_999))
def test_clear_words_are_read_as_their_number(number: int) -> None:
    probabilities = read(speak(number))[0]
    assert int("".join(map(str, probabilities.argmax(1)))) == number
    assert probabilities.max(1).prod() > 0.9


@pytest.mark.parametrize("scores", [torch.full((1, READER.n_outputs, 50), -200.0), speak(21300, other=True)])
def test_nothing_and_anything_else_make_all_digits_alike(scores: torch.Tensor) -> None:
    np.testing.assert_allclose(read(scores), 0.1, atol=0.01)


def test_padding_is_not_read_and_long_clips_do_not_overflow() -> None:
    scores = speak(987_654)
    n_frames = torch.tensor([scores.shape[-1]])
    loud = torch.full((1, READER.n_outputs, 20), 50.0)
    np.testing.assert_allclose(read(torch.cat([scores, loud], dim=2), n_frames), read(scores), atol=1e-6)
    flood = torch.full((1, READER.n_outputs, 5000), 100.0).requires_grad_()
    logits = READER(flood, None)
    logits.logsumexp(1).sum().backward()
    assert logits.isfinite().all() and flood.grad is not None and flood.grad.isfinite().all()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 999_999))
def test_spellings_are_the_words_of_the_number(number: int) -> None:
    ways = GRAMMARS["ru"].spell(tuple(int(digit) for digit in f"{number:06d}"))
    words = [CANONICAL.get(word, word) for word in number_words(number)]
    expected = [words, words[1:]] if 1000 <= number < 2000 else [words]
    assert sorted([WORDS[place] for place in way] for way in ways) == sorted(expected)


def test_the_loss_of_words_is_of_all_frames_in_which_they_may_be() -> None:
    scores = torch.from_numpy(np.random.default_rng(1).normal(5, 2, size=(3, READER.n_outputs, 4))).float()
    numbers = ((0, 0, 0, 0, 2, 1), (0, 0, 1, 0, 0, 2), (-1,) * 6)
    weights = np.exp(scores.double().numpy() - RARITY)
    expected = []
    for number, clip in zip(numbers[:2], weights[:2], strict=True):
        ways = GRAMMARS["ru"].spell(number)
        chosen = [(way, frames) for way in ways for frames in itertools.combinations(range(4), len(way))]
        total = sum(np.prod([clip[word, frame] for word, frame in zip(*each, strict=True)]) for each in chosen)
        likely = total * (2 / len(ways)) / np.prod(1 + clip.sum(0))  # one way alone counts twice
        expected.append(-np.log(likely) / len(ways[0]))
    told = spelling_loss(GRAMMARS["ru"], scores, torch.tensor(numbers))
    assert float(told) == pytest.approx(np.mean(expected), rel=1e-4)
    padded = torch.cat([scores, torch.full((3, READER.n_outputs, 9), -1e4)], dim=2).requires_grad_()
    again = spelling_loss(GRAMMARS["ru"], padded, torch.tensor(numbers))
    again.backward()
    assert float(again.detach()) == pytest.approx(float(told), rel=1e-5) and padded.grad is not None
    assert padded.grad.isfinite().all() and padded.grad[:2, :, :4].any() and not padded.grad[2].any()
    assert float(spelling_loss(GRAMMARS["ru"], scores, torch.full((3, 6), -1))) == 0
