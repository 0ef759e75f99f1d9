"""What is measured of test clips beside a task's metrics: how sure answers are, and how good by group."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .confidence import CONFIDENCE, confidence_table, measure_confidence
from .group_figures import GROUPS, group_tables, measure_groups
from .markdown import Table
from .predictions.anomalies import AnomalyPredictions
from .predictions.kinds import AnyPredictions

GROUP_NAME = "group_column"  # of a run's results: what its groups are


def measure_answers(predictions: AnyPredictions, group_column: str | None) -> dict[str, Any]:
    """What a run's results say of its answers: `confidence`, and `groups` where clips fall into some.

    Scores of how strange a clip is are no probabilities, and have no `confidence`.

    Args:
        predictions: of the test clips.
        group_column: what their groups are, in the task.
    """
    groups = measure_groups(predictions, group_column)
    confidence = {} if isinstance(predictions, AnomalyPredictions) else {CONFIDENCE: measure_confidence(predictions)}
    return {
        **confidence,
        **({GROUPS: groups} if groups else {}),
        **({} if group_column is None or predictions.groups is None else {GROUP_NAME: group_column}),
    }


def answer_tables(results: Mapping[str, Any], predictions: AnyPredictions) -> list[Table]:
    """Tables of the card: confidence, groups, and those of the predictions, each with a heading."""
    first, *others = predictions.tables()
    return [
        *confidence_table(results, predictions.answer),
        *group_tables(results.get(GROUPS, {}), predictions.answer),
        replace(first, intro=f"### In detail\n\n{first.intro}".rstrip()),
        *others,
    ]
