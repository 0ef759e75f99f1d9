"""Character error rate of numbers that were read aloud."""

from collections.abc import Sequence

import datasets
import numpy as np

from .clip_metric import ClipMetric


def edit_distance(a: str, b: str) -> int:
    """Insertions, deletions and substitutions that turn one text into the other. Source: Levenshtein 1966."""
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, start=1):
        diagonal, row[0] = row[0], i
        for j, right in enumerate(b, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (left != right))
    return row[-1]


class CharacterErrorRate(ClipMetric):
    """Edit distance over the reference's length, of numbers without their leading zeros (000038 is 38, 000000 is 0).

    `compute` returns `{"cer", "cer_corpus", "exact_match"}`: the mean over clips of each clip's rate, the errors of
    all clips over the characters of all references, and the share of clips without an error. A prediction may be
    empty, where nothing was read.

    Raises:
        ValueError: a reference or a prediction that is not made of digits.
    """

    inputs = "predictions, references: strings of digits."
    predictions = datasets.Value("string")
    references = datasets.Value("string")

    def _compute(self, predictions: Sequence[str], references: Sequence[str]) -> dict[str, float]:
        references = [_as_read(number) for number in references]
        errors = np.array(
            [edit_distance(_as_read(p) if p else p, r) for p, r in zip(predictions, references, strict=True)]
        )
        lengths = np.array([len(reference) for reference in references])
        return {
            "cer": float((errors / lengths).mean()),
            "cer_corpus": float(errors.sum() / lengths.sum()),
            "exact_match": float((errors == 0).mean()),
        }


def _as_read(number: str) -> str:
    if not (number.isascii() and number.isdigit()):
        raise ValueError(f"{number!r} is not a number: give a string of digits.")
    return number.lstrip("0") or "0"
