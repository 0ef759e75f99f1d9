"""From the words that are heard one after another to the digits of a number: a grammar, and its sum over all readings.

A network says of every frame which word may be there. A number is spoken by a few words in a certain order, each of
which takes one frame, and all other frames are passed over. The score of a reading, a number and the frames of its
words, is the product of what the network says; what is asked for is the sum over all readings in which a digit has a
certain value. Because the grammar has no circles, these sums are a few cumulative sums over time, one for each of its
states: nothing is searched for, so that the answer has a gradient, and is a part of the network's graph in every
runtime. Source of the idea: the forward-backward algorithm, as in connectionist temporal classification, Graves et al.
2006.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from graphlib import TopologicalSorter

import torch
from torch import nn

from .frontends import length_mask

# How much rarer a word is in a frame than none, before anything is heard, as a logarithm.
RARITY = 6.0
# Of a word's score over that of passing over, as logarithms. With a bound, no product of seven words overflows.
MAX_WORD_SCORE = 8.0
MAX_SUM = 4e5  # of all scores of a clip: its seventh power, divided by 7!, is a number of 32 bits
FLOOR = 1e-20  # of a probability, below which its logarithm is not followed


@dataclass(frozen=True)
class Words:
    """A kind of words that stand at the same places of a number, such as the tens."""

    name: str
    values: tuple[int, ...]
    """Of each word, its digit; of a teen its last one."""


@dataclass(frozen=True)
class Arc:
    """What may be said at a certain point of a number."""

    source: str
    """The state before: what has been said so far."""
    target: str
    words: str
    """The kind of words."""
    place: int | None = None
    """Of the digit that the word says, counted from the left; `None`: it says none, as "thousand" does."""
    fixed: tuple[tuple[int, int], ...] = ()
    """Further digits that are known with it, as (place, value): zeros that nobody says, and the 1 of a teen."""


@dataclass(frozen=True, eq=False)
class Grammar:
    """Which words follow one another in a number, and which digits it has then."""

    num_digits: int
    kinds: tuple[Words, ...]
    arcs: tuple[Arc, ...]
    finals: dict[str, tuple[int, ...]]
    """Of each state in which a number may end, the places of its last digits, which are zeros."""

    @cached_property
    def states(self) -> list[str]:
        """From "start" on, none before one that leads to it."""
        sorter = TopologicalSorter({"start": ()})
        for arc in self.arcs:
            sorter.add(arc.target, arc.source)
        return list(sorter.static_order())

    @property
    def n_words(self) -> int:
        """How many words there are."""
        return sum(len(kind.values) for kind in self.kinds)

    @lru_cache(maxsize=100_000)  # noqa: B019 - there is one of each language
    def spell(self, digits: tuple[int, ...]) -> list[tuple[int, ...]]:
        """All ways to say a number, each as the numbers of its words: "one thousand" and "thousand" are two."""
        first, starts = 0, {}
        for kind in self.kinds:
            starts[kind.name], first = first, first + len(kind.values)
        values = {kind.name: kind.values for kind in self.kinds}

        def go_on(state: str, words: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
            if state in self.finals and not any(digits[place] for place in self.finals[state]):
                yield words
            for arc in self.arcs:
                if arc.source != state or any(digits[place] != value for place, value in arc.fixed):
                    continue
                if arc.place is None:
                    yield from go_on(arc.target, (*words, starts[arc.words]))
                elif digits[arc.place] in values[arc.words]:
                    word = starts[arc.words] + values[arc.words].index(digits[arc.place])
                    yield from go_on(arc.target, (*words, word))

        return list(go_on("start", ()))


def _zeros(*places: int) -> tuple[tuple[int, int], ...]:
    return tuple((place, 0) for place in places)


def _thousands() -> tuple[Arc, ...]:
    """What is said of the first three digits, with the word "thousand"."""
    hundreds, tens, done, thousand = "hundreds of thousands", "tens of thousands", "thousands", "thousand"
    return (
        Arc("start", hundreds, "hundreds", 0),
        Arc("start", tens, "tens", 1, _zeros(0)),
        Arc(hundreds, tens, "tens", 1),
        Arc("start", done, "teens", 2, ((0, 0), (1, 1))),
        Arc(hundreds, done, "teens", 2, ((1, 1),)),
        Arc("start", done, "units", 2, _zeros(0, 1)),
        Arc(hundreds, done, "units", 2, _zeros(1)),
        Arc(tens, done, "units", 2),
        Arc("start", thousand, "thousand", None, ((0, 0), (1, 0), (2, 1))),  # without "one"
        Arc(hundreds, thousand, "thousand", None, _zeros(1, 2)),
        Arc(tens, thousand, "thousand", None, _zeros(2)),
        Arc(done, thousand, "thousand"),
    )


def _below_thousand() -> tuple[Arc, ...]:
    """What is said of the last three digits, after the word "thousand" or without it."""
    none = _zeros(0, 1, 2)
    return (
        Arc("start", "hundreds", "hundreds", 3, none),
        Arc("thousand", "hundreds", "hundreds", 3),
        Arc("start", "tens", "tens", 4, (*none, (3, 0))),
        Arc("thousand", "tens", "tens", 4, _zeros(3)),
        Arc("hundreds", "tens", "tens", 4),
        Arc("start", "units", "teens", 5, (*none, (3, 0), (4, 1))),
        Arc("thousand", "units", "teens", 5, ((3, 0), (4, 1))),
        Arc("hundreds", "units", "teens", 5, ((4, 1),)),
        Arc("start", "units", "units", 5, (*none, (3, 0), (4, 0))),
        Arc("thousand", "units", "units", 5, _zeros(3, 4)),
        Arc("hundreds", "units", "units", 5, _zeros(4)),
        Arc("tens", "units", "units", 5),
        Arc("start", "zero", "zero", None, _zeros(0, 1, 2, 3, 4, 5)),
    )


GRAMMARS: dict[str, Grammar] = {
    # A word has one name, however it is declined ("тысяча", "тысячи", "тысяч"; "один", "одна"): prompts that are put
    # together have one form for all numbers, and people leave endings out.
    "ru": Grammar(
        num_digits=6,
        kinds=(
            Words("zero", (0,)),
            Words("units", tuple(range(1, 10))),
            Words("teens", tuple(range(10))),
            Words("tens", tuple(range(2, 10))),
            Words("hundreds", tuple(range(1, 10))),
            Words("thousand", (0,)),
        ),
        arcs=(*_thousands(), *_below_thousand()),
        finals={"thousand": (3, 4, 5), "hundreds": (4, 5), "tens": (5,), "units": (), "zero": ()},
    )
}
"""By the language."""


class NumberReader(nn.Module):
    """Word scores of every frame to a number's digits, summed over all readings of the grammar.

    Besides the words of the grammar, a frame may hold something else that is said. Where nothing is read, and where
    something else is, all digits are equally likely: so a number's probability says too that it is one.
    """

    def __init__(self, grammar: Grammar):
        super().__init__()
        self.grammar = grammar
        self.n_outputs = grammar.n_words + 1  # and something else, the last one

    def forward(self, scores: torch.Tensor, n_frames: torch.Tensor | None) -> torch.Tensor:
        """Logits of every digit's values.

        scores: (batch, words and something else, frames), each the logarithm of how much likelier it is that the word
        is in this frame than usual, over that the frame is passed over; n_frames: (batch,) valid frames. Returns
        (batch, 10 * digits).
        """
        scores = scores.float() - RARITY
        weights = (scores - nn.functional.softplus(scores - MAX_WORD_SCORE)).exp()
        if n_frames is not None:
            weights = weights * length_mask(n_frames, scores.shape[-1])[:, None, :]
        words, others = weights.split([self.grammar.n_words, 1], dim=1)
        words = words / (words.sum((1, 2), keepdim=True) / MAX_SUM).clamp(min=1)
        digits, total = self._sum_readings(words)
        # As likely as a reading: that nothing is said (of weight 1), and that with it something else is.
        is_number = (total / (1 + total) / (1 + others.sum(2)))[..., None]  # (batch, 1, 1)
        shares = digits / total.clamp(min=torch.finfo(total.dtype).tiny)[..., None]
        shares = shares * is_number + (1 - is_number) / 10
        return shares.clamp(min=FLOOR).log().flatten(1)

    def _sum_readings(self, words: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Word weights (batch, words, frames) to sums over readings, (batch, digits, 10), and over all (batch, 1)."""
        grammar = self.grammar
        parts = words.split([len(kind.values) for kind in grammar.kinds], dim=1)
        by_kind = {kind.name: part for kind, part in zip(grammar.kinds, parts, strict=True)}
        any_of = {name: part.sum(1) for name, part in by_kind.items()}  # (batch, frames)
        before, ends = self._sum_forwards(any_of)
        after = self._sum_backwards(any_of)
        # What is known of each digit, as rows (batch, 10) that are added up.
        masses: list[list[torch.Tensor]] = [[] for _ in range(grammar.num_digits)]
        gates: dict[tuple[int, str], torch.Tensor] = {}
        for arc in grammar.arcs:
            around = before[arc.source] * after[arc.target]  # (batch, frames)
            if arc.place is not None:
                key = arc.place, arc.words
                gates[key] = gates[key] + around if key in gates else around
            if arc.fixed:
                mass = (around * any_of[arc.words]).sum(1, keepdim=True)
                for place, value in arc.fixed:
                    masses[place].append(_as_row(mass, value))
        values = {kind.name: kind.values for kind in grammar.kinds}
        for (place, kind), gate in gates.items():
            masses[place].append(_as_row((by_kind[kind] * gate[:, None]).sum(2), values[kind][0]))
        for state, zeros in grammar.finals.items():
            for place in zeros:
                masses[place].append(_as_row(ends[state], 0))
        return torch.stack([_total(rows) for rows in masses], dim=1), _total(list(ends.values()))

    def _sum_forwards(
        self, any_of: dict[str, torch.Tensor]
    ) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        """What leads to each state before a frame, (batch, frames), and to the last ones at all, (batch, 1)."""
        before, ends = {"start": torch.ones_like(any_of["units"])}, {}
        for state in self.grammar.states[1:]:
            arcs = [arc for arc in self.grammar.arcs if arc.target == state]
            reached = _total([before[arc.source] * any_of[arc.words] for arc in arcs]).cumsum(1)
            before[state] = nn.functional.pad(reached, (1, 0))[:, :-1]
            if state in self.grammar.finals:
                ends[state] = reached[:, -1:]
        return before, ends

    def _sum_backwards(self, any_of: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The scores of all ways from each state to a number's end after each frame: state -> (batch, frames)."""
        after: dict[str, torch.Tensor] = {}
        nothing_more = torch.ones_like(any_of["units"])
        for state in reversed(self.grammar.states):
            arcs = [arc for arc in self.grammar.arcs if arc.source == state]
            ways = [nothing_more] if state in self.grammar.finals else []
            if arcs:
                said = _total([any_of[arc.words] * after[arc.target] for arc in arcs])
                later = said.flip(1).cumsum(1).flip(1)
                ways.append(nn.functional.pad(later, (0, 1))[:, 1:])
            after[state] = _total(ways)
        return after


def spelling_loss(grammar: Grammar, scores: torch.Tensor, digits: torch.Tensor) -> torch.Tensor:
    """How unlikely the words of numbers are, and nothing else between them: the mean over clips, by word.

    Beside the loss of the digits: what that asks for is soon met by hearing no number at all, and from there little is
    learnt. Source: connectionist temporal classification, but each word takes one frame.

    scores: (batch, words and something else, frames), as of `NumberReader`, and of frames behind a clip's end below
    -1000; digits: (batch, digits), -1 where there is no number.
    """
    is_number = (digits >= 0).all(1)
    if not bool(is_number.any()):
        return scores.sum() * 0
    spelled = [grammar.spell(tuple(number)) for number in digits[is_number].tolist()]
    scores = scores[is_number].float() - RARITY
    anything = nn.functional.softplus(scores.logsumexp(1)).sum(1)  # of all that may be said, (clips,)
    # There are two ways to say some numbers; of the others, the one way counts twice, which changes no gradient.
    first, second = (_spelled_score(scores, [ways[way % len(ways)] for ways in spelled]) for way in range(2))
    lengths = scores.new_tensor([len(ways[0]) for ways in spelled])
    return ((anything - torch.logaddexp(first, second)) / lengths).mean()


def _spelled_score(scores: torch.Tensor, words: list[tuple[int, ...]]) -> torch.Tensor:
    """Logarithm of the sum over all frames that a clip's words may be in, in their order: (clips, words, frames)."""
    longest = max(len(each) for each in words)
    padded = torch.tensor([[*each, *[0] * (longest - len(each))] for each in words], device=scores.device)
    lengths = torch.tensor([len(each) for each in words], device=scores.device)
    before = torch.zeros_like(scores[:, 0])  # (clips, frames): that all words so far are in earlier frames
    totals = []
    for place in range(longest):
        own = scores.gather(1, padded[:, place, None, None].expand(-1, -1, scores.shape[-1]))[:, 0]
        reached = (before + own).logcumsumexp(1)
        totals.append(reached[:, -1])
        before = nn.functional.pad(reached, (1, 0), value=-1e4)[:, :-1]
    return torch.stack(totals, dim=1).gather(1, lengths[:, None] - 1)[:, 0]


def _total(terms: list[torch.Tensor]) -> torch.Tensor:
    return sum(terms[1:], terms[0])


def _as_row(masses: torch.Tensor, first: int) -> torch.Tensor:
    """(batch, values from `first` on) -> (batch, 10)."""
    return nn.functional.pad(masses, (first, 10 - first - masses.shape[1]))


__all__ = ["GRAMMARS", "Grammar", "NumberReader", "spelling_loss"]
