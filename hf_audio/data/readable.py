"""Which classes are left when files cannot be read."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
from datasets import Dataset

from ..errors import DataError
from .rows import class_names

logger = logging.getLogger(__name__)

CLASSES_TOLD = 5
REASONS_TOLD = 3
WORTH_TELLING = 0.5  # of a class's files, those that cannot be read


def check_readable(dataset: Dataset, usable: Sequence[int], skipped: Sequence[Mapping[str, str]]) -> None:
    """Tell of classes of which hardly a file can be read.

    Args:
        dataset: rows with a `label` of one class or of several tags; of others, nothing is said.
        usable: the rows whose files can be read.
        skipped: the others, as `{"path", "reason"}`.

    Raises:
        DataError: of two or more classes, fewer than two can be read.
    """
    names = class_names(dataset)
    if names is None or not skipped:
        return
    labels = [label if isinstance(label, list) else [label] for label in dataset["label"]]
    counts = Counter(label for row in labels for label in row)
    read = Counter(label for row in np.asarray(usable, dtype=int).tolist() for label in labels[row])
    poor = [label for label in sorted(counts) if counts[label] - read[label] >= WORTH_TELLING * counts[label]]
    if not poor:
        return
    shown = ", ".join(f"{names[label]!r} {read[label]} of {counts[label]}" for label in poor[:CLASSES_TOLD])
    further = f" and {len(poor) - CLASSES_TOLD} classes more" if len(poor) > CLASSES_TOLD else ""
    seen = f"of {shown}{further} ({count_reasons(skipped)})"
    n_read = sum(read[label] > 0 for label in counts)
    if len(counts) > 1 and n_read < 2:
        raise DataError(
            f"Fewer than two of the {len(counts)} classes have files that can be read, {seen}: mend or convert the "
            "files, as to WAV."
        )
    _warn_once(f"Few files can be read {seen}: mend or convert them, as to WAV.")


@cache
def _warn_once(sentence: str) -> None:
    """Every fold of a cross-validation reads the same files."""
    logger.warning("%s", sentence)


def count_reasons(skipped: Sequence[Mapping[str, str]]) -> str:
    """Why files cannot be read, the most frequent reason first, with the name of one file each."""
    files: dict[str, list[str]] = {}
    for row in skipped:
        reason = row["reason"].replace(row["path"], "").strip(" .")
        files.setdefault(reason.split(":")[0], []).append(row["path"])
    ordered = sorted(files.items(), key=lambda item: -len(item[1]))
    told = [f"{len(paths)} {reason}, {paths[0]} for one" for reason, paths in ordered[:REASONS_TOLD]]
    return "; ".join(told)
