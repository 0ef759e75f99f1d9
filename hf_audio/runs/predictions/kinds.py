"""Which kind of answer a checkpoint gives; and of any kind, some of the clips, or several parts as one."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

import numpy as np
from transformers import PreTrainedConfig

from ...models.configuration_audio_cnn import ANOMALY, NORMAL
from .anomalies import AnomalyPredictions
from .classes import Predictions
from .numbers import NumberPredictions
from .tags import TagPredictions
from .two_classes import TwoClassPredictions

AnyPredictions = Predictions | TagPredictions | NumberPredictions
Clips = TypeVar("Clips", bound=AnyPredictions)


def predictions_class(config: PreTrainedConfig) -> type[AnyPredictions]:
    """The class of the predictions of a model of this config."""
    several = config.problem_type == "multi_label_classification"
    labels = [config.id2label.get(number) for number in range(config.num_labels)]
    return kind_of_predictions(getattr(config, "num_digits", 0), several, labels)


def kind_of_predictions(num_digits: int, multi_label: bool, labels: Sequence[str]) -> type[AnyPredictions]:
    """The class of the predictions of a checkpoint with such facts."""
    if num_digits:
        return NumberPredictions
    if multi_label:
        return TagPredictions
    if tuple(labels) == (NORMAL, ANOMALY):
        return AnomalyPredictions
    return TwoClassPredictions if len(labels) == 2 else Predictions


def select_clips(predictions: AnyPredictions, clips: np.ndarray) -> AnyPredictions:
    """Some of the clips alone, (clips,) indices, in this order."""
    n_clips = len(predictions.paths)
    changes: dict[str, Any] = {
        item.name: value[clips]
        for item in fields(predictions)
        if isinstance(value := getattr(predictions, item.name), np.ndarray) and len(value) == n_clips
    }
    columns = {name: cells[clips] for name, cells in predictions.columns.items()}
    return replace(predictions, **changes, paths=[predictions.paths[clip] for clip in clips], columns=columns)


def join_clips(parts: Sequence[Clips]) -> Clips:
    """Several parts, of the same labels, as one; what one of them does not know, the whole does not."""
    first = parts[0]
    changes: dict[str, Any] = {
        item.name: None
        if any(getattr(part, item.name) is None for part in parts)
        else np.concatenate([getattr(part, item.name) for part in parts])
        for item in fields(first)
        if item.name not in ("paths", "names", "columns")
    }
    shared = [name for name in first.columns if all(name in part.columns for part in parts)]
    columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in shared}
    return replace(first, **changes, paths=[path for part in parts for path in part.paths], columns=columns)
