"""`predictions.csv`: its name and its columns."""

from collections.abc import Mapping
from typing import Any

import numpy as np

PREDICTIONS_NAME = "predictions.csv"
RANKED_COLUMNS = ("prediction", "prediction_2", "prediction_3")
GROUP_COLUMN = "group"  # where the task has one
FOLD_COLUMN = "fold"  # of a cross-validation
# Whatever the task; a table's columns of these names are not told beside them.
OWN_COLUMNS = frozenset({"path", "label", "labels", "number", "score", *RANKED_COLUMNS, GROUP_COLUMN, FOLD_COLUMN})


def with_columns(
    rows: list[dict[str, Any]], groups: np.ndarray | None, columns: Mapping[str, np.ndarray]
) -> list[dict[str, Any]]:
    """Rows, one a clip, with what clips belong together by and what else is known of each."""
    known = {**({} if groups is None else {GROUP_COLUMN: groups}), **columns}
    return [{**row, **{name: values[place] for name, values in known.items()}} for place, row in enumerate(rows)]
