"""The clips whose labels an audit looks at: those of FSDKaggle2018's layout, or of any folder or table."""

import os
from pathlib import Path

import numpy as np
from datasets import Dataset

from ...corpora.freesound import is_tagged_sounds, load_tagged_sounds
from ...data.annotations.finding import find_annotations
from ...data.classes import simple_name
from ...data.collection import load_collection
from ...data.rows import UNVERIFIED_COLUMN
from ...data.tables.columns import TRUTHS, Columns
from ...errors import DataError

# Of a table, that say of which labels somebody is sure.
VERIFIED_NAMES = ("manuallyverified", "verified", "isverified")


def load_audited_clips(
    source: str | os.PathLike, columns: Columns | None = None, audio_dir: str | os.PathLike | None = None
) -> Dataset:
    """Rows of `path`, `label` and `UNVERIFIED_COLUMN`: which labels may be wrong.

    In FSDKaggle2018's layout, those are the training clips'. Of other folders and tables they are all, but for rows
    that a column `verified` or `manually_verified` says to be right.

    Args:
        source: a folder or a table of clips, as training reads them.
        columns: of the table, those that the user has named.
        audio_dir: where the table's files are.

    Raises:
        DataError: there are no clips, too few, or none whose label may be wrong, or they have annotations with times.
    """
    if columns in (None, Columns()) and audio_dir is None and is_tagged_sounds(Path(source)):
        dataset, held_out = load_tagged_sounds(Path(source))
        return dataset.select(np.flatnonzero(~held_out))
    if find_annotations(source, columns, audio_dir=audio_dir) is not None:
        raise DataError(
            f"{source} holds annotations with times, and wrong labels are searched for among clips with one label "
            "each: give class folders, or a table of clips."
        )
    dataset = load_collection(source, columns, audio_dir=audio_dir, seed=None).dataset
    name = next((name for name in dataset.column_names if simple_name(name) in VERIFIED_NAMES), None)
    if name is None:
        verified = [False] * len(dataset)
    else:
        cells = [str(cell).strip().casefold() for cell in dataset[name][:]]
        unknown = sorted(set(cells) - set(TRUTHS))
        if unknown:
            raise DataError(f"{source} has {unknown[0]!r} in its column {name!r}: say 1 of verified labels, else 0.")
        verified = [TRUTHS[cell] for cell in cells]
    return dataset.add_column(UNVERIFIED_COLUMN, [not each for each in verified])
