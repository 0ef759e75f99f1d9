"""A finished run, as a Python object: what its folder holds, read when it is asked for."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from transformers import AutoModelForAudioClassification, PreTrainedModel, pipeline

from ..data.tables.text_tables import read_table
from ..errors import ArgumentError
from .folder.checkpoints import last_checkpoint
from .folder.contents import BEST_NAME, RESULTS_NAME
from .plots import CURVES_NAME, draw_confusion_matrix, draw_curves
from .predictions.columns import PREDICTIONS_NAME

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..inference.pipeline import AudioClassificationPipeline

CARD_NAME = "README.md"


def load_run(folder: str | os.PathLike[str]) -> "Run":
    """The finished run that a folder holds, of a recipe, a cross-validation or an ensemble.

    Raises:
        ArgumentError: it holds none.
    """
    run = Run(Path(folder))
    run.metrics  # noqa: B018  (which refuses what is not finished)
    return run


@dataclass(frozen=True)
class Run:
    """A finished run.

    Args:
        folder: its `--output_dir`.
    """

    folder: Path

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """Everything that was measured: `eval_accuracy`, its 95 % interval `eval_accuracy_interval`, and so on."""
        return json.loads(self._read(RESULTS_NAME))

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """A row a clip of the test set: `path`, what it is, what it was taken for, and the `score` of that, 0 to 1.

        What a clip is stands in `label`, of tags in `labels`, of numbers in `number`; the three best answers in
        `prediction`, `prediction_2` and `prediction_3`. Rows of a cross-validation tell their `fold` too.
        """
        self._read(RESULTS_NAME)
        table = read_table(self.folder / PREDICTIONS_NAME)
        return table.assign(score=table["score"].astype(float))

    @property
    def card(self) -> str:
        """The model card, in Markdown."""
        return self._read(CARD_NAME)

    @cached_property
    def model(self) -> PreTrainedModel:
        """The network, on the CPU, ready to judge."""
        self._check_network()
        return AutoModelForAudioClassification.from_pretrained(self.folder).eval()

    def pipeline(self, **options: Any) -> "AudioClassificationPipeline":
        """The network as transformers' pipeline of `audio-classification`: takes files at any rate, gives labels.

        options: of `transformers.pipeline`, such as `top_k` and `device`.
        """
        self._check_network()
        return pipeline("audio-classification", model=str(self.folder), **options)

    def confusion_matrix(self) -> "Axes":
        """Draw how many clips of each class (rows) were taken for each class (columns); of numbers, digits.

        Raises:
            ArgumentError: a clip may have several tags, so that none is taken for another.
        """
        from matplotlib import pyplot

        names, references, predictions = self._outcomes()
        return draw_confusion_matrix(references, predictions, names, pyplot.figure(layout="constrained"))

    def curves(self) -> "list[Axes]":
        """Draw the loss over the epochs and, where there was a validation split, beside it its scores.

        Raises:
            ArgumentError: the run has no curves of its own, because it is a cross-validation, say.
        """
        from matplotlib import pyplot

        return draw_curves(self._log_history(), pyplot.figure(layout="constrained"))

    def _read(self, name: str) -> str:
        try:
            return (self.folder / name).read_text(encoding="utf-8")
        except OSError as error:
            if (self.folder / BEST_NAME).is_file():
                raise ArgumentError(
                    f"{self.folder} holds a search, which trains no network to keep: train one with --config "
                    f"{self.folder / BEST_NAME}."
                ) from error
            raise ArgumentError(
                f"{self.folder} holds no finished run ({name} is missing): give the --output_dir of one."
            ) from error

    def _check_network(self) -> None:
        self._read(RESULTS_NAME)
        if (self.folder / "config.json").is_file():
            return
        if "folds" in self.metrics:
            fold = self.folder / f"fold_{self.metrics['folds'][0]}"
            raise ArgumentError(
                f"{self.folder} holds a cross-validation, whose networks lie in its folds: give one, {fold}, say."
            )
        raise ArgumentError(f"{self.folder} holds no network: train without --baseline.")

    def _outcomes(self) -> tuple[Sequence[str], np.ndarray, np.ndarray]:
        """Names of the classes, and what clips are and what they were taken for, (clips,) of indices."""
        table = self.predictions
        if "labels" in table:
            raise ArgumentError(
                f"The clips of {self.folder} may have several tags each, so there is no confusion matrix: see "
                "per_class.csv."
            )
        if "number" in table:
            n_digits = json.loads(self._read("config.json"))["num_digits"]
            spoken, read = ("".join(number.zfill(n_digits) for number in table[it]) for it in ("number", "prediction"))
            return list("0123456789"), np.array(list(spoken), dtype=int), np.array(list(read), dtype=int)
        found = {*table["label"], *table["prediction"]}
        places = {name: place for place, name in enumerate(self.metrics.get("labels", sorted(found)))}
        return list(places), table["label"].map(places).to_numpy(), table["prediction"].map(places).to_numpy()

    def _log_history(self) -> list[dict[str, Any]]:
        self._read(RESULTS_NAME)
        checkpoint = last_checkpoint(self.folder)
        if (self.folder / CURVES_NAME).is_file():
            return json.loads(self._read(CURVES_NAME))
        if checkpoint is not None:  # of a run from before the file was written
            return json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))["log_history"]
        raise ArgumentError(f"{self.folder} has no curves: {CURVES_NAME} is missing, as where no network was trained.")
