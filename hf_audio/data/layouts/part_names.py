"""Parts of a data set by what people call their folders, tables and lists: `Train`, `audio_test`, `esc50_val`."""

import re
from collections.abc import Iterable

from ..tables.columns import PARTS, TRAIN

# Words beside the one of the part that say nothing: `train_audio`, `test_metadata`, `testing_list`, `trainset`.
NEUTRAL = frozenset(
    "annotation annotations audio audios clip clips competition csv data dataset file files flac ground "  # noqa: SIM905
    "label labels list lists meta metadata mp3 official part post recording recordings scoring set sound sounds "
    "split truth wav wavs".split()
)
WORD = re.compile(r"[^\W_]+")
CAPITAL_INSIDE = re.compile(r"(?<=[a-z])(?=[A-Z])")  # TrainSet


def read_part_name(name: str) -> tuple[str, tuple[str, ...]] | None:
    """The part that a name without suffix says, and its other words, in small letters, but for `NEUTRAL` ones.

    `esc50_train` says `TRAIN` of `esc50`. `None` where a name says no part, or several.
    """
    words = [word.casefold() for word in WORD.findall(CAPITAL_INSIDE.sub(" ", name))]
    parts = [PARTS.get(word) or PARTS.get(word.removesuffix("set")) for word in words]
    if sum(part is not None for part in parts) != 1:
        return None
    others = [word for word, part in zip(words, parts, strict=True) if part is None and word not in NEUTRAL]
    return next(part for part in parts if part is not None), tuple(others)


def name_parts(names: Iterable[str]) -> dict[str, str]:
    """`TRAIN`, `VALIDATION` or `TEST` of the names that say one and otherwise say the same; none without a `TRAIN`.

    Of `train`, `test` and `test-ood`, the first two; of `esc50_train` and `esc50_test`, both; of `train_steam` and
    `test_electric`, none.
    """
    read = {name: found for name in names if (found := read_part_name(name)) is not None}
    others = {words for _, words in read.values()}
    shared_words = others if len(others) == 1 else {()}
    parts = {name: part for name, (part, words) in read.items() if words in shared_words}
    return parts if TRAIN in parts.values() else {}
