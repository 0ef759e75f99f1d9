"""Which classes are left when files cannot be read."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from datasets import Dataset

from ..errors import DataError
from ..problems import group_by_reason
from .rows import class_names

CLASSES_TOLD = 5
REASONS_TOLD = 3
WORTH_TELLING = 0.5  # of a class's files, those that cannot be read


def check_readable(dataset: Dataset, usable: Sequence[int], skipped: Sequence[Mapping[str, str]]) -> str | None:
    """A sentence on classes of which hardly a file can be read; `None` where there are none.

    Args:
        dataset: rows with a `label` of one class or of several tags; of others, nothing is said.
        usable: the rows whose files can be read.
        skipped: the others, as `{"path", "reason"}`.

    Raises:
        DataError: of two or more classes, fewer than two can be read.
    """
    names = class_names(dataset)
    if names is None or not skipped:
        return None
    labels = [label if isinstance(label, list) else [label] for label in dataset["label"][:]]
    counts = Counter(label for row in labels for label in row)
    read = Counter(label for row in np.asarray(usable, dtype=int).tolist() for label in labels[row])
    poor = [label for label in sorted(counts) if counts[label] - read[label] >= WORTH_TELLING * counts[label]]
    if not poor:
        return None
    shown = ", ".join(f"{names[label]!r} {read[label]} of {counts[label]}" for label in poor[:CLASSES_TOLD])
    further = f" and {len(poor) - CLASSES_TOLD} classes more" if len(poor) > CLASSES_TOLD else ""
    seen = f"of {shown}{further} ({count_reasons(skipped)})"
    n_read = sum(read[label] > 0 for label in counts)
    if len(counts) > 1 and n_read < 2:
        raise DataError(
            f"Fewer than two of the {len(counts)} classes have files that can be read, {seen}: mend or convert the "
            "files, as to WAV."
        )
    return f"Few files can be read {seen}: mend or convert them, as to WAV."


def count_reasons(skipped: Sequence[Mapping[str, str]]) -> str:
    """Why files cannot be read, the most frequent reason first, with the name of one file each."""
    sentences = []
    for files in group_by_reason(skipped)[:REASONS_TOLD]:
        path, reason = files[0]["path"], files[0]["reason"]
        sentences.append(f"{len(files)} {reason.replace(path, '').strip(' .').split(':')[0]}, {path} for one")
    return "; ".join(sentences)
