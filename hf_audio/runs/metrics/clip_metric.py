"""What all metrics have in common: they work offline, and their docstrings say what they are."""

import inspect
from typing import Any, ClassVar

import datasets
import evaluate


class ClipMetric(evaluate.Metric):
    """A metric of clips; a class of one kind of them names the kinds of its values in `predictions`, `references`."""

    inputs: ClassVar[str]
    """What predictions and references are, in words."""
    predictions: ClassVar[Any]
    """Feature of one prediction."""
    references: ClassVar[Any]
    """Feature of one reference."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=str(inspect.getdoc(type(self))).partition("\n\n")[0],
            citation="",
            inputs_description=self.inputs,
            features=datasets.Features({"predictions": self.predictions, "references": self.references}),
        )
