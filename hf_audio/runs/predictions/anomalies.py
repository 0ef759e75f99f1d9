"""Clips that are normal or not, of machines that may each have scores of their own."""

from dataclasses import dataclass

import numpy as np

from ...data.normal_recordings import SECTION_COLUMN
from ..intervals import mean_interval
from ..markdown import Table
from ..metrics.two_classes import partial_auc, roc_auc
from .classes import NOT_TESTED
from .two_classes import TwoClassPredictions


@dataclass
class AnomalyPredictions(TwoClassPredictions):
    """Held-out clips that are normal or not, and how well their scores tell these apart, in all and in every section.

    A section is a machine, or a part of one: what the column `SECTION_COLUMN` tells, or else the groups.
    """

    @property
    def sections(self) -> dict[str, np.ndarray]:
        """Masks of the clips of every section, (clips,) of bool; empty where there is one section alone."""
        section_of = self.columns.get(SECTION_COLUMN, self.groups)
        names = [] if section_of is None else np.unique(section_of).tolist()
        return {str(name): section_of == name for name in names} if section_of is not None and len(names) > 1 else {}

    @staticmethod
    def metric_names(n_labels: int) -> list[str]:
        """What `metrics` tells that can choose an epoch, the usual one first."""
        return ["anomaly_auc", "anomaly_pauc", "accuracy", "balanced_accuracy"]

    def metrics(self) -> dict[str, float]:
        """Areas under the ROC curve, as DCASE's task 2 has them, and rates at the threshold.

        Figures that need normal clips, anomalies or both are left out where there are none.
        """
        figures = {}
        normal, called = self.references == 0, self.predictions == 1
        if normal.any():
            figures["false_alarm_rate"] = float(called[normal].mean())
        if not self.has_both:
            return figures | ({} if normal.any() else {"detection_rate": float(called.mean())})
        figures |= self._areas(np.ones(len(normal), dtype=bool))
        figures["detection_rate"] = float(called[~normal].mean())
        areas = [found for rows in self.sections.values() if (found := self._areas(rows))]
        if len(areas) > 1:
            figures |= {f"{name}_mean": float(np.mean([each[name] for each in areas])) for name in areas[0]}
            rates = [value for each in areas for value in each.values()]
            figures["anomaly_harmonic"] = 0.0 if min(rates) == 0 else len(rates) / sum(1 / rate for rate in rates)
        others = super().metrics()
        # One is told already, and scores that tell how strange something is are no probabilities.
        return figures | {name: others[name] for name in others if name not in ("roc_auc", "calibration_error")}

    def _areas(self, rows: np.ndarray) -> dict[str, float]:
        """Areas under the ROC curve of some clips, (clips,) of bool; none where all are of one kind."""
        labels, scores = self.references[rows], self.second_scores[rows]
        if not 0 < labels.sum() < len(labels):
            return {}
        return {"anomaly_auc": roc_auc(labels, scores), "anomaly_pauc": partial_auc(labels, scores)}

    def intervals(self) -> dict[str, tuple[float, float]]:
        """95 % intervals over clips, or groups of them."""
        normal, called = self.references == 0, (self.predictions == 1).astype(float)
        intervals = {}
        for name, rows in (("false_alarm_rate", normal), ("detection_rate", ~normal)):
            if rows.any():
                groups = None if self.groups is None else self.groups[rows]
                intervals[name] = mean_interval(called[rows], groups=groups)
        if self.has_both:
            inherited = super().intervals()
            intervals |= {"anomaly_auc": inherited.pop("roc_auc"), **inherited}
        return intervals

    def tables(self) -> list[Table]:
        """Tables of the card: the sections, where there are several, and those of classes."""
        rows = []
        for name, clips in self.sections.items():
            areas = self._areas(clips)
            cells = [f"{areas[key]:.3f}" if areas else NOT_TESTED for key in ("anomaly_auc", "anomaly_pauc")]
            rows.append([name, *cells, int((self.references[clips] == 0).sum()), int(self.references[clips].sum())])
        header = ["Section", "AUC", "AUC up to a false alarm rate of 0.1", "Normal clips", "Anomalies"]
        return [*([Table("Of every section:", header, rows)] if rows else []), *super().tables()]
