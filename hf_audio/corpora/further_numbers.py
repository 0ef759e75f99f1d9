"""Further training clips beside recordings of spoken numbers: their words in other numbers, and synthetic voices."""

from collections.abc import Mapping

import numpy as np
from datasets import Dataset

from ..data.rows import join_rows, load_numbers
from ..data.splits import choose_groups
from .recut_numbers import FEWEST_WORDS, Recording, make_recut_numbers
from .russian_numbers import number_words
from .varied_numbers import make_varied_numbers


def add_further_numbers(
    dataset: Dataset, tests: Mapping[str, np.ndarray], n_digits: int, n_spoken: int, validation_share: float, seed: int
) -> tuple[Dataset, dict[str, np.ndarray], np.ndarray]:
    """The recordings, and beside them clips of their words and of the synthetic voices that a network began with.

    As many clips of either kind are added as there are recordings to train on, where there are so many.

    Args:
        dataset: the recordings, of Russian numbers, with the columns of `load_numbers` and perhaps `speaker`.
        tests: masks of the clips of each test, (clips,) of bool.
        n_digits: of a label.
        n_spoken: clips of synthetic voices, as `make_varied_numbers` has made them to begin with.
        validation_share: of the clips that are no test clips; those of whole speakers validate.
        seed: of the draw of these speakers.

    Returns:
        All clips, the masks of the tests, and which clips validate, (clips,) of bool each.

    Raises:
        DataError: a corpus cannot be written.
        MissingExtraError: eSpeak NG is not installed.
    """
    is_known = ~np.logical_or.reduce(list(tests.values()))
    speakers = dataset["speaker"] if "speaker" in dataset.column_names else range(len(dataset))
    # Chosen first: no word of theirs is cut out.
    validation_rows = choose_groups(np.asarray(speakers), is_known, validation_share, seed)
    trained = dataset.select(np.flatnonzero(is_known & ~validation_rows))
    spoken = load_numbers(make_varied_numbers(count=n_spoken) / "train.csv", n_digits)
    # What it has begun with, so that it forgets neither other voices nor what is no number.
    further = [spoken.select(range(min(len(trained), len(spoken)))), *_recut(trained, n_digits)]
    # Voices and pauses that it has not heard: how sure it may be is seen there.
    validating = _recut(dataset.select(np.flatnonzero(validation_rows)), n_digits)
    n_added = [sum(map(len, parts)) for parts in (further, validating)]
    dataset = join_rows([dataset, *further, *validating])
    masks = {name: np.concatenate([rows, np.zeros(sum(n_added), dtype=bool)]) for name, rows in tests.items()}
    validation_rows = np.concatenate([validation_rows, np.repeat([False, True], n_added)])
    return dataset, masks, validation_rows


def _recut(recorded: Dataset, n_digits: int) -> list[Dataset]:
    """The words of recorded numbers in as many other numbers, with pauses and joins that nobody has spoken.

    Nothing, where the recordings have too few words.
    """
    who = next((name for name in ("speaker", "gender") if name in recorded.column_names), None)
    speakers = [""] * len(recorded) if who is None else map(str, recorded[who])
    numbers = [-1 if -1 in digits else int("".join(map(str, digits))) for digits in recorded["label"][:]]
    # Of 1234 it is not known whether "one" was said before "thousand".
    recordings = [
        Recording(path, number, speaker)
        for path, number, speaker in zip(recorded["path"][:], numbers, speakers, strict=True)
        if number >= 0 and not 1000 <= number < 2000
    ]
    if len({word for recording in recordings for word in number_words(recording.number)}) < FEWEST_WORDS:
        return []
    return [load_numbers(make_recut_numbers(recordings, count=len(recorded)) / "train.csv", n_digits)]
