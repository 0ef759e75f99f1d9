"""What a run says about the clips it held out: scores, intervals, classes, confusions, and the clips one by one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from transformers import PreTrainedConfig

from ..data.normal_recordings import SECTION_COLUMN
from ..data.rows import NO_DIGIT
from ..data.tables import read_table, write_rows
from ..data.tags import SEPARATOR
from ..inference.facts import NO_NUMBER, no_number
from ..models.configuration_audio_cnn import ANOMALY, NONE_OF_THESE, NORMAL
from .intervals import (
    balanced_accuracy_interval,
    bootstrap_interval,
    f1_macro_interval,
    mean_interval,
    roc_auc_interval,
    wilson_interval,
)
from .metrics import (
    Accuracy,
    BalancedAccuracy,
    CalibrationError,
    CharacterErrorRate,
    F1Macro,
    MeanAveragePrecisionAt3,
    TwoClassScores,
)
from .metrics.cer import edit_distance
from .metrics.map_at_3 import average_precision_at_3, rank_labels
from .metrics.tagging import average_precision, label_ranking_precision, tagging_precision
from .metrics.two_classes import equal_error_rate, partial_auc, roc_auc, roc_curve
from .plots import plot_confusion_matrix, plot_roc_curve
from .scores import read_scores, relative_paths

PREDICTIONS_NAME = "predictions.csv"
CONFUSION_NAME = "confusion_matrix.png"
ROC_NAME = "roc_curve.png"
RANKED_COLUMNS = ("prediction", "prediction_2", "prediction_3")  # of predictions.csv
GROUP_COLUMN = "group"  # of predictions.csv, where the task has one
NOT_TESTED = "not tested"  # in the place of figures
FOLD_COLUMN = "fold"  # of a cross-validation's predictions.csv
# Of predictions.csv, whatever the task; a table's columns of these names are not told beside them.
OWN_COLUMNS = frozenset({"path", "label", "labels", "number", "score", *RANKED_COLUMNS, GROUP_COLUMN, FOLD_COLUMN})


@dataclass
class Table:
    """Of a card."""

    intro: str
    """The sentence above it, or nothing."""
    header: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass
class Predictions:
    """Held-out clips with what they are and what they were taken for."""

    answer: ClassVar[str] = "Accuracy"
    """What `right` is the share of, for a table's head."""
    paths: Sequence[str]
    """Of the files, (clips,)."""
    names: Sequence[str]
    """Of the classes."""
    references: np.ndarray
    """True class indices, (clips,)."""
    ranked: np.ndarray
    """The three best class indices, best first, (clips, 3); of two classes both."""
    scores: np.ndarray
    """Probabilities of the best class, (clips,)."""
    groups: np.ndarray | None = None
    """What clips belong together by (recording, speaker), (clips,); intervals count them together."""
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    """What else is known of each clip (sex, microphone), by columns of the data, (clips,) each."""

    @property
    def predictions(self) -> np.ndarray:
        """Predicted class indices, (clips,)."""
        return self.ranked[:, 0]

    @property
    def right(self) -> np.ndarray:
        """Whether each clip was taken for what it is, (clips,) of bool."""
        return self.references == self.predictions

    @property
    def confidence(self) -> np.ndarray:
        """How probable each answer is told to be, (clips,)."""
        return self.scores

    @property
    def pictures(self) -> list[str]:
        """Files that `write` leaves for the card."""
        return [CONFUSION_NAME]

    @classmethod
    def from_probabilities(
        cls, paths: Sequence[str], names: Sequence[str], references: Any, probabilities: np.ndarray
    ) -> "Predictions":
        """references: (clips,); probabilities: (clips, classes)."""
        return cls(paths, names, np.asarray(references), rank_labels(probabilities), probabilities.max(-1))

    @classmethod
    def read(cls, file: Path, names: Sequence[str]) -> "Predictions":
        """What `write` has left in a `predictions.csv`."""
        rows = read_table(file).to_dict("records")
        numbers = {name: number for number, name in enumerate(names)}
        further = [name for name in (rows[0] if rows else ()) if name not in OWN_COLUMNS]
        return cls(
            [row["path"] for row in rows],
            names,
            np.array([numbers[row["label"]] for row in rows]),
            np.array([[numbers[row[name]] for name in RANKED_COLUMNS[: len(names)]] for row in rows]),
            np.array([float(row["score"]) for row in rows]),
            np.array([row[GROUP_COLUMN] for row in rows]) if rows and GROUP_COLUMN in rows[0] else None,
            {name: np.array([row[name] for row in rows]) for name in further},
        )

    def rows(self) -> list[dict[str, Any]]:
        """Of `predictions.csv`, paths relative to the folder that holds all files."""
        rows = [
            {
                "path": path,
                "label": self.names[reference],
                "prediction": self.names[ranked[0]],
                "score": f"{score:.4f}",
                **{name: self.names[label] for name, label in zip(RANKED_COLUMNS[1:], ranked[1:], strict=False)},
            }
            for path, reference, ranked, score in zip(
                relative_paths(self.paths), self.references, self.ranked, self.scores, strict=True
            )
        ]
        return _with_columns(rows, self.groups, self.columns)

    def untested(self) -> list[str]:
        """Names of the classes that no clip is of, so that no figure tells of them."""
        tested = set(self.references.tolist())
        return [name for number, name in enumerate(self.names) if number not in tested and name != NONE_OF_THESE]

    def per_class(self) -> list[dict[str, Any]]:
        """Precision, recall, F1 and number of clips of every class; of one without clips, `None` for all three."""
        columns = precision_recall_fscore_support(
            self.references, self.predictions, labels=range(len(self.names)), zero_division=0
        )
        rows = []
        for name, *scores, n in zip(self.names, *columns, strict=True):
            precision, recall, f1 = map(float, scores) if n else (None, None, None)
            rows.append({"label": name, "precision": precision, "recall": recall, "f1": f1, "clips": int(n)})
        return rows

    def hardest_pairs(self, n: int = 10) -> list[dict[str, Any]]:
        """The pairs of classes that are most often taken for one another, most frequent first."""
        counts = confusion_matrix(self.references, self.predictions, labels=range(len(self.names)))
        both = np.triu(counts + counts.T, 1)
        order = np.argsort(-both, axis=None, kind="stable")[:n]
        pairs = [np.unravel_index(place, both.shape) for place in order if both.flat[place] > 0]
        return [
            {
                "pair": f"{self.names[a]} and {self.names[b]}",
                "confused": int(both[a, b]),
                "clips": int(counts[a].sum() + counts[b].sum()),
            }
            for a, b in pairs
        ]

    @staticmethod
    def metric_names(n_labels: int) -> list[str]:
        """What `metrics` tells of so many classes, the usual one first."""
        ranking = ["map_at_3"] if n_labels > 3 else []
        return ["accuracy", "balanced_accuracy", "f1_macro", *ranking, "calibration_error"]

    def metrics(self) -> dict[str, float]:
        """Accuracy, balanced accuracy, macro F1 and calibration error, and of more than three classes mAP@3."""
        results: dict[str, float] = {}
        for kind in (Accuracy, BalancedAccuracy, F1Macro):
            results |= kind(keep_in_memory=True).compute(predictions=self.predictions, references=self.references)
        if len(self.names) > 3:
            ranking = MeanAveragePrecisionAt3(keep_in_memory=True)
            results |= ranking.compute(predictions=self.ranked, references=self.references)
        return results | _calibration(self)

    def tables(self) -> list[Table]:
        """Of the card."""
        pairs = [[row["pair"], row["confused"], row["clips"]] for row in self.hardest_pairs()]
        classes = [
            [row["label"], *(_in_table(row[name]) for name in ("precision", "recall", "f1")), row["clips"]]
            for row in self.per_class()
        ]
        intro = "The pairs of classes that are taken for one another most often:"
        return [
            *([Table(intro, ["Pair", "Clips confused", "Clips of the two"], pairs)] if pairs else []),
            Table("", ["Class", "Precision", "Recall", "F1", "Clips"], classes),
        ]

    def intervals(self) -> dict[str, tuple[float, float]]:
        """95 % intervals of the metrics over clips, or groups of them."""
        references, predictions, groups = self.references, self.predictions, self.groups
        intervals = {
            "accuracy": mean_interval((references == predictions).astype(float), groups=groups),
            "balanced_accuracy": balanced_accuracy_interval(references, predictions, groups),
            "f1_macro": f1_macro_interval(references, predictions, groups),
        }
        if len(self.names) > 3:
            pairs = zip(self.ranked.tolist(), references.tolist(), strict=True)
            precision = np.array([average_precision_at_3(ranked, label) for ranked, label in pairs])
            intervals["map_at_3"] = mean_interval(precision, groups=groups)
        return intervals

    def write(self, folder: Path) -> None:
        """Leave `predictions.csv`, `per_class.csv` and `confusion_matrix.png` in a folder."""
        write_rows(folder / PREDICTIONS_NAME, self.rows())
        write_rows(folder / "per_class.csv", self.per_class())
        plot_confusion_matrix(self.references, self.predictions, self.names, folder / CONFUSION_NAME)


@dataclass
class TwoClassPredictions(Predictions):
    """Held-out clips of two classes, and how well their scores tell these apart."""

    @property
    def pictures(self) -> list[str]:
        """Files that `write` leaves for the card."""
        return [CONFUSION_NAME, *([ROC_NAME] if self.has_both else [])]

    @property
    def has_both(self) -> bool:
        """Whether there are clips of both classes, without which there is nothing to tell apart."""
        return len(set(self.references.tolist())) == 2

    @property
    def second_scores(self) -> np.ndarray:
        """Probabilities of the second class, (clips,)."""
        return np.where(self.predictions == 1, self.scores, 1 - self.scores)

    @staticmethod
    def metric_names(n_labels: int) -> list[str]:
        """What `metrics` tells that can choose an epoch, the usual one first."""
        return ["accuracy", "f1_macro", "balanced_accuracy", "roc_auc", "equal_error_rate", "calibration_error"]

    def metrics(self) -> dict[str, float]:
        """Accuracy, F1 in the mean and of both classes, and the metrics of `TwoClassScores`."""
        scores = TwoClassScores(keep_in_memory=True)
        told = scores.compute(predictions=self.second_scores, references=self.references)
        f1 = {f"f1_{row['label']}": row["f1"] for row in self.per_class() if row["f1"] is not None}
        return super().metrics() | told | f1

    def intervals(self) -> dict[str, tuple[float, float]]:
        """95 % intervals of the metrics over clips, or groups of them."""
        intervals, labels, scores = super().intervals(), self.references, self.second_scores
        if not self.has_both:
            return intervals

        def error_rate(clips: np.ndarray) -> float:
            drawn = labels[clips]
            return equal_error_rate(drawn, scores[clips]) if 0 < drawn.sum() < len(drawn) else np.nan

        intervals["roc_auc"] = roc_auc_interval(labels, scores, self.groups)
        # Each class by itself: a draw without clips of one would have no such score.
        low, high = bootstrap_interval(error_rate, len(labels), strata=labels, groups=self.groups)
        # Where no clip is on the wrong side, so many of the smaller class may still be.
        least = wilson_interval(0, np.bincount(labels).min())[1]
        intervals["equal_error_rate"] = low, max(high, least)
        return intervals

    def write(self, folder: Path) -> None:
        """As of all classes, and `roc_curve.png` where there are clips of both."""
        super().write(folder)
        if self.has_both:
            plot_roc_curve(*roc_curve(self.references, self.second_scores), self.names, folder / ROC_NAME)


@dataclass
class AnomalyPredictions(TwoClassPredictions):
    """Held-out clips that are normal or not, and how well their scores tell these apart, in all and in every section.

    A section is a machine, or a part of one: what the column `SECTION_COLUMN` tells, or else the groups.
    """

    @property
    def sections(self) -> dict[str, np.ndarray]:
        """The clips of every section, (clips,) of bool; of one alone, none are told."""
        told = self.columns.get(SECTION_COLUMN, self.groups)
        names = [] if told is None else np.unique(told).tolist()
        return {str(name): told == name for name in names} if told is not None and len(names) > 1 else {}

    @staticmethod
    def metric_names(n_labels: int) -> list[str]:
        """What `metrics` tells that can choose an epoch, the usual one first."""
        return ["anomaly_auc", "anomaly_pauc", "accuracy", "balanced_accuracy"]

    def metrics(self) -> dict[str, float]:
        """Areas under the ROC curve, as DCASE's task 2 has them, and rates at the threshold; what can be told."""
        told = {}
        normal, called = self.references == 0, self.predictions == 1
        if normal.any():
            told["false_alarm_rate"] = float(called[normal].mean())
        if not self.has_both:
            return told | ({} if normal.any() else {"detection_rate": float(called.mean())})
        told |= self._areas(np.ones(len(normal), dtype=bool))
        told["detection_rate"] = float(called[~normal].mean())
        areas = [found for rows in self.sections.values() if (found := self._areas(rows))]
        if len(areas) > 1:
            told |= {f"{name}_mean": float(np.mean([each[name] for each in areas])) for name in areas[0]}
            rates = [value for each in areas for value in each.values()]
            told["anomaly_harmonic"] = 0.0 if min(rates) == 0 else len(rates) / sum(1 / rate for rate in rates)
        others = super().metrics()
        # One is told already, and scores that tell how strange something is are no probabilities.
        return told | {name: others[name] for name in others if name not in ("roc_auc", "calibration_error")}

    def _areas(self, rows: np.ndarray) -> dict[str, float]:
        """Of some of the clips, (clips,) of bool; nothing where they are all of one kind."""
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
            told = super().intervals()
            intervals |= {"anomaly_auc": told.pop("roc_auc"), **told}
        return intervals

    def tables(self) -> list[Table]:
        """As of all classes, and before them the sections, where there are several."""
        rows = []
        for name, clips in self.sections.items():
            areas = self._areas(clips)
            told = [f"{areas[key]:.3f}" if areas else NOT_TESTED for key in ("anomaly_auc", "anomaly_pauc")]
            rows.append([name, *told, int((self.references[clips] == 0).sum()), int(self.references[clips].sum())])
        header = ["Section", "AUC", "AUC up to a false alarm rate of 0.1", "Normal clips", "Anomalies"]
        return [*([Table("Of every section:", header, rows)] if rows else []), *super().tables()]


@dataclass
class TagPredictions:
    """Held-out clips of several tags each, and how probable each tag was found."""

    answer: ClassVar[str] = "First tag right"
    """What `right` is the share of, for a table's head."""
    paths: Sequence[str]
    """Of the files, (clips,)."""
    names: Sequence[str]
    """Of the tags."""
    references: np.ndarray
    """1 for a clip's tags and 0 for others, (clips, tags)."""
    scores: np.ndarray
    """Probabilities, (clips, tags)."""
    groups: np.ndarray | None = None
    """As of `Predictions`."""
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    """As of `Predictions`."""

    @property
    def right(self) -> np.ndarray:
        """Whether the most probable tag is one of the clip's, (clips,) of bool."""
        return self.references[np.arange(len(self.scores)), self.scores.argmax(1)] == 1

    @property
    def confidence(self) -> np.ndarray:
        """How probable the most probable tag is told to be, (clips,)."""
        return self.scores.max(1)

    @property
    def pictures(self) -> list[str]:
        """Files that `write` leaves for the card."""
        return []

    @classmethod
    def from_probabilities(
        cls, paths: Sequence[str], names: Sequence[str], references: Any, probabilities: np.ndarray
    ) -> "TagPredictions":
        """references: 1 and 0, (clips, tags); probabilities: (clips, tags)."""
        return cls(paths, names, np.asarray(references).astype(int), probabilities)

    @classmethod
    def read(cls, file: Path, names: Sequence[str]) -> "TagPredictions":
        """What `write` has left in a `predictions.csv`, with the scores that lie beside it."""
        scores, table = read_scores(file.parent)["test"], read_table(file)
        further = {name: np.array(table[name]) for name in table.columns if name not in OWN_COLUMNS}
        groups = np.array(table[GROUP_COLUMN]) if GROUP_COLUMN in table.columns else None
        return cls(scores.paths, names, scores.references.astype(int), scores.probabilities, groups, further)

    @staticmethod
    def metric_names(n_labels: int) -> list[str]:
        """What `metrics` tells, the usual one first."""
        return ["lwlrap", "map_macro", "map_micro", "calibration_error"]

    def metrics(self) -> dict[str, float]:
        """Label-weighted label-ranking average precision, mean average precision, and the best tag's calibration."""
        return tagging_precision(self.scores, self.references) | _calibration(self)

    def tag_precision(self) -> tuple[np.ndarray, np.ndarray]:
        """Label-ranking average precision of every clip that has tags, and how many it has; 0 and 0 of the others."""
        return label_ranking_precision(self.scores, self.references)

    def intervals(self) -> dict[str, tuple[float, float]]:
        """95 % interval of the label-weighted label-ranking average precision over the clips that have tags."""
        precision, n_tags = self.tag_precision()
        tagged = n_tags > 0
        groups = None if self.groups is None else self.groups[tagged]
        return {"lwlrap": mean_interval(precision[tagged], n_tags[tagged], groups)}

    def untested(self) -> list[str]:
        """Names of the tags that no clip has, so that no figure tells of them."""
        return [name for tag, name in enumerate(self.names) if not self.references[:, tag].any()]

    def rows(self) -> list[dict[str, Any]]:
        """Of `predictions.csv`: the tags, the three most probable ones, and the first one's probability."""
        columns = relative_paths(self.paths), self.references, rank_labels(self.scores), self.scores
        rows = [
            {
                "path": path,
                "labels": SEPARATOR.join(np.asarray(self.names)[tags == 1]),
                **{name: self.names[tag] for name, tag in zip(RANKED_COLUMNS, ranked, strict=False)},
                "score": f"{scores.max():.4f}",
            }
            for path, tags, ranked, scores in zip(*columns, strict=True)
        ]
        return _with_columns(rows, self.groups, self.columns)

    def per_class(self) -> list[dict[str, Any]]:
        """Average precision and number of clips of every tag that a clip has."""
        return [
            {
                "label": name,
                "average_precision": average_precision(self.scores[:, tag], self.references[:, tag]),
                "clips": int(self.references[:, tag].sum()),
            }
            for tag, name in enumerate(self.names)
            if self.references[:, tag].any()
        ]

    def tables(self) -> list[Table]:
        """Of the card."""
        rows = [[row["label"], f"{row['average_precision']:.3f}", row["clips"]] for row in self.per_class()]
        return [Table("", ["Tag", "Average precision", "Clips"], rows)]

    def write(self, folder: Path) -> None:
        """Leave `predictions.csv` and `per_class.csv` in a folder."""
        write_rows(folder / PREDICTIONS_NAME, self.rows())
        write_rows(folder / "per_class.csv", self.per_class())


@dataclass
class NumberPredictions:
    """Held-out clips of spoken numbers with what was said and what was read."""

    answer: ClassVar[str] = "Without an error"
    """What `right` is the share of, for a table's head."""
    paths: Sequence[str]
    """Of the files, (clips,)."""
    references: np.ndarray
    """The digits that were said, (clips, digits), and -1 of clips that hold no number."""
    predictions: np.ndarray
    """The digits that were read, (clips, digits), and -1 where more likely no number was heard than one."""
    scores: np.ndarray
    """Probabilities that all digits of a number are right, (clips,)."""
    none_scores: np.ndarray | None = None
    """Probabilities that no number was heard, (clips,)."""
    groups: np.ndarray | None = None
    """As of `Predictions`."""
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    """As of `Predictions`."""

    @property
    def right(self) -> np.ndarray:
        """Whether each number was read without an error, (clips,) of bool."""
        return (self.references == self.predictions).all(1)

    @property
    def confidence(self) -> np.ndarray:
        """How probable each answer is told to be, a number or that there is none, (clips,)."""
        if self.none_scores is None:
            return self.scores
        return np.where((self.predictions >= 0).all(1), self.scores, self.none_scores)

    @property
    def is_number(self) -> np.ndarray:
        """Which clips hold a number, (clips,) of bool."""
        return self.references.min(1) >= 0

    @property
    def names(self) -> Sequence[str]:
        """Of the digits."""
        return "0123456789"

    @property
    def pictures(self) -> list[str]:
        """Files that `write` leaves for the card."""
        return [CONFUSION_NAME]

    @classmethod
    def from_probabilities(
        cls, paths: Sequence[str], names: Sequence[str], references: Any, probabilities: np.ndarray
    ) -> "NumberPredictions":
        """references: (clips, digits); probabilities: (clips, digits x 10); the names of labels are not needed."""
        spoken = np.asarray(references)
        digits = probabilities.reshape(*spoken.shape, 10)
        none = no_number(digits)
        read = np.where(none[:, None] > 0.5, NO_DIGIT, digits.argmax(-1))
        return cls(paths, spoken, read, digits.max(-1).prod(-1), none)

    @staticmethod
    def metric_names(n_labels: int) -> list[str]:
        """What `metrics` tells, the usual one first."""
        return ["cer", "cer_corpus", "exact_match", "calibration_error"]

    def metrics(self) -> dict[str, float]:
        """Character error rate over clips and over the corpus, the share of numbers without an error, calibration.

        With clips that hold no number, how well these are told from numbers by the scores too.
        """
        said = self.is_number
        spoken, read = _as_texts(self.references[said]), _as_texts(self.predictions[said])
        metrics = CharacterErrorRate(keep_in_memory=True).compute(predictions=read, references=spoken)
        if not said.all():
            metrics["rejection_auroc"] = roc_auc(said.astype(int), self.scores)
        return metrics | _calibration(self)

    def intervals(self) -> dict[str, tuple[float, float]]:
        """95 % intervals of the error rates and of the share of numbers without an error, over clips."""
        said = self.is_number
        spoken, read = number_texts(self.references[said]), number_texts(self.predictions[said])
        errors = np.array([edit_distance(b, a) for a, b in zip(spoken, read, strict=True)])
        lengths = np.array([len(number) for number in spoken])
        rates, groups = errors / lengths, None if self.groups is None else self.groups[said]
        exact = mean_interval((errors == 0).astype(float), groups=groups)
        intervals = {
            "cer": bootstrap_interval(lambda clips: rates[clips].mean(), len(rates), groups=groups),
            "cer_corpus": bootstrap_interval(
                lambda clips: errors[clips].sum() / lengths[clips].sum(), len(rates), groups=groups
            ),
        }
        if not errors.any():  # so many clips may still have one
            share = 1 - exact[0]
            most = {"cer": share * (1 / lengths).mean(), "cer_corpus": share / lengths.mean()}
            intervals = {name: (0.0, float(rate)) for name, rate in most.items()}
        return {**intervals, "exact_match": exact}

    def rows(self) -> list[dict[str, Any]]:
        """Of `predictions.csv`, paths relative to the folder that holds all files."""
        columns = (
            relative_paths(self.paths),
            number_texts(self.references),
            number_texts(self.predictions),
            self.scores,
        )
        rows = [
            {
                "path": path,
                "number": spoken or NO_NUMBER,
                "prediction": read or NO_NUMBER,
                "score": f"{score:.4f}",
            }
            for path, spoken, read, score in zip(*columns, strict=True)
        ]
        return _with_columns(rows, self.groups, self.columns)

    def untested(self) -> list[str]:
        """Of numbers, nothing is left out."""
        return []

    def tables(self) -> list[Table]:
        """Of the card: errors by the digit's place and the digits that are misheard most."""
        said = self.is_number
        wrong = (self.references != self.predictions)[said].mean(0)
        n_digits = len(wrong)
        places = [[f"10^{n_digits - 1 - i}", f"{share:.4f}"] for i, share in enumerate(wrong)]
        counts = np.zeros((10, 10), dtype=int)
        np.add.at(counts, self._digits(), 1)
        np.fill_diagonal(counts, 0)
        order = [place for place in np.argsort(-counts, axis=None, kind="stable")[:10] if counts.flat[place]]
        misheard = [[place // 10, place % 10, counts.flat[place]] for place in order]
        tables = [Table("", ["Place", "Share of digits misread"], places)]
        if misheard:
            tables.append(Table("The digits that are misread most often:", ["Said", "Read", "Times"], misheard))
        return tables

    def write(self, folder: Path) -> None:
        """Leave `predictions.csv` and the digits' `confusion_matrix.png` in a folder."""
        write_rows(folder / PREDICTIONS_NAME, self.rows())
        plot_confusion_matrix(*self._digits(), self.names, folder / CONFUSION_NAME)

    def _digits(self) -> tuple[np.ndarray, np.ndarray]:
        """The digits that were said, and what was read of them, (digits of all clips,) each."""
        both = self.is_number & (self.predictions >= 0).all(1)
        return self.references[both].ravel(), self.predictions[both].ravel()


AnyPredictions = Predictions | TagPredictions | NumberPredictions
Clips = TypeVar("Clips", bound=AnyPredictions)


def predictions_class(config: PreTrainedConfig) -> type[AnyPredictions]:
    """What a model of this config is judged by."""
    several = config.problem_type == "multi_label_classification"
    labels = [config.id2label.get(number) for number in range(config.num_labels)]
    return kind_of_predictions(getattr(config, "num_digits", 0), several, labels)


def kind_of_predictions(num_digits: int, multi_label: bool, labels: Sequence[str]) -> type[AnyPredictions]:
    """What a checkpoint with such facts is judged by."""
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


def _calibration(predictions: AnyPredictions) -> dict[str, float]:
    error = CalibrationError(keep_in_memory=True)
    return error.compute(predictions=predictions.confidence, references=predictions.right.astype(int))


def _with_columns(
    rows: list[dict[str, Any]], groups: np.ndarray | None, columns: Mapping[str, np.ndarray]
) -> list[dict[str, Any]]:
    known = {**({} if groups is None else {GROUP_COLUMN: groups}), **columns}
    return [{**row, **{name: values[place] for name, values in known.items()}} for place, row in enumerate(rows)]


def _in_table(figure: float | None) -> str:
    return NOT_TESTED if figure is None else f"{figure:.3f}"


def _as_texts(digits: np.ndarray) -> list[str]:
    """(clips, digits) -> strings of so many digits, and empty ones where there is no number."""
    return ["" if min(row) < 0 else "".join(map(str, row)) for row in digits.tolist()]


def number_texts(digits: np.ndarray) -> list[str]:
    """(clips, digits) -> strings without leading zeros."""
    return [text and (text.lstrip("0") or "0") for text in _as_texts(digits)]
