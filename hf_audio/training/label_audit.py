"""Which unverified labels are wrong: every clip is judged by a network that was not trained on it."""

import functools
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from audiomentations import Compose, Gain
from datasets import Dataset
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from sklearn.model_selection import StratifiedKFold

from ..arguments import RecipeArguments
from ..data.cache import cache_audio
from ..data.rows import BELIEVED_COLUMN, UNVERIFIED_COLUMN, class_names, has_tags
from ..errors import DataError
from ..models import AudioCNNConfig
from ..problems import count_problems
from ..runs.card import TaskFacts
from ..runs.folder import (
    UNFINISHED_FOLDS,
    check_same_arguments,
    open_output_dir,
    prepare_preceding,
    run_unless_finished,
    training_seconds,
)
from ..runs.hub import read_destination
from ..runs.scores import read_scores
from .augmentation import AddFastGaussianSNR
from .calibration import fit_temperature
from .fine_tune import fine_tune
from .task import Task

logger = logging.getLogger(__name__)

N_FOLDS = 4
CROP_SECONDS = 1.0, 3.0
# Labels that are taken to be right before any is looked at: of a network that knows nothing, any share is as likely.
RIGHT_BEFOREHAND = 10
# A run trains several of these: coarse frames halve the cost.
LISTENER: dict[str, Any] = {
    "sampling_rate": 32000,
    "clip_seconds": 6,
    "min_seconds": 0.5,
    "n_fft": 1024,
    "win_length": 1024,
    "hop_length": 512,  # 16 ms
    "n_mels": 64,
    "top_db": 80,
    "time_mask_count": 1,
    "time_mask_frames": 20,
    "freq_mask_count": 1,
    "freq_mask_bins": 8,
    "filter_augment_db": 4,
    "stem_stride": 2,
    "hidden_sizes": [16, 24, 48, 96, 192],
    "dropout": 0.2,
}
TRAINING: dict[str, Any] = {
    "num_train_epochs": 50,
    "learning_rate": 3e-3,
    "weight_decay": 0.05,
    "per_device_train_batch_size": 32,
    "label_smoothing_factor": 0.1,
    "mixup_alpha": 0.3,
    "ema_decay": 0.99,
    "save_strategy": "no",
    "report_to": "none",
}
FACTS = TaskFacts(
    title="Listener of a label audit",
    hears="A recording in, its class out.",
    dataset_name="Training clips",
    dataset_type="training_clips",
    data="A part of the training clips whose labels were audited.",
    split="A part was held out, with the labels that it came with.",
    limits=["It was trained in order to find wrong labels, and with them."],
)


@dataclass
class Audit:
    """What networks that had not heard a clip say about its label."""

    paths: Sequence[str]
    """Of the files, (clips,)."""
    labels: np.ndarray
    """As given, (clips,) class indices."""
    suggested: np.ndarray
    """Class indices, (clips,): the given ones where nothing speaks against them."""
    confidence: np.ndarray
    """That the given label is wrong, where another one is suggested, or that it is right, (clips,) probabilities."""
    believed: np.ndarray
    """What each clip is, (clips, classes) probabilities: what its label says, if verified, or all that is known."""
    unverified: np.ndarray
    """(clips,) of bool."""
    names: Sequence[str]
    """Of the classes."""
    seconds: float
    """That the trainings took."""

    def rows(self) -> list[dict[str, str]]:
        """Of the unverified clips, the most suspicious ones first, for a table."""
        suspicion = np.where(self.suggested == self.labels, 0, self.confidence)
        return [
            {
                "fname": Path(self.paths[clip]).name,
                "label": self.names[self.labels[clip]],
                "suggested_label": self.names[self.suggested[clip]],
                "confidence": f"{self.confidence[clip]:.4f}",
            }
            for clip in np.argsort(-suspicion, kind="stable")
            if self.unverified[clip]
        ]


def doubt_labels(args: RecipeArguments, dataset: Dataset, held_out: np.ndarray, rounds: int) -> tuple[Dataset, float]:
    """The data set with `BELIEVED_COLUMN`, what an audit of the training clips makes of unverified labels.

    The audit's trainings lie in `OUTPUT_DIR-audit`; after a kill, the same command goes on. Where nothing can be
    audited, because clips have several tags, or all or none are verified, the data set stays as it is.

    Args:
        args: of the run that the audit precedes, whose output folder is looked at before any time is spent.
        dataset: rows of `path`, `label` and `UNVERIFIED_COLUMN`.
        held_out: test clips, (clips,) of bool; the audit does not hear them.
        rounds: of the audit.

    Returns the data set, and how many seconds the audit took.

    Raises:
        ArgumentError: either folder cannot be used, or the audit was begun with other arguments.
        DataError: no class has enough training clips.
    """
    reason = _why_not(dataset.select(np.flatnonzero(~held_out)))
    if reason is not None:
        logger.info("Labels are not audited. %s", reason)
        return dataset, 0.0
    read_destination(args)
    folder = prepare_preceding(args, "audit")
    taken_over = ("seed", "use_cpu", "bf16", "dataloader_num_workers", "disable_tqdm", "strict", "max_steps")
    listener = listener_arguments(folder, **{name: getattr(args, name) for name in taken_over})
    audit = audit_labels(listener, dataset.select(np.flatnonzero(~held_out)), rounds)
    believed = dict(zip(audit.paths, audit.believed, strict=True))
    certain = np.eye(len(audit.names))
    rows = zip(dataset["path"], dataset["label"], strict=True)
    believed_rows = np.array([believed.get(path, certain[label]) for path, label in rows])
    return with_beliefs(dataset, believed_rows), audit.seconds


def audit_labels(args: RecipeArguments, dataset: Dataset, rounds: int = 1) -> Audit:
    """Train out of fold on a data set and compare its labels with what the networks say of clips they have not heard.

    A label is judged wrong where `weigh_evidence` thinks so. In further rounds, the networks are trained on what was
    found.

    Args:
        args: of the trainings, which lie in its output folder; after a kill, the same call goes on.
        dataset: rows of `path`, `label` and `UNVERIFIED_COLUMN`; nothing that will be tested on.
        rounds: how many times.

    Raises:
        ArgumentError: the output folder cannot be used, or an audit with other arguments has begun there.
        DataError: clips with several tags, or no unverified or no verified ones.
    """
    reason = _why_not(dataset)
    if reason is not None:
        raise DataError(reason)
    check_same_arguments(args)
    open_output_dir(args, UNFINISHED_FOLDS)
    # Without the clips that cannot be read, of which no network says anything.
    cached, skipped = cache_audio(dataset, LISTENER["sampling_rate"], strict=args.strict)
    for sentence in count_problems(skipped):
        logger.warning("%s", sentence)
    dataset = cached.remove_columns(["audio", "index"])
    names = class_names(dataset) or []
    given = np.asarray(dataset["label"][:])
    believed = np.eye(len(names))[given]
    unverified = np.asarray(dataset[UNVERIFIED_COLUMN][:], dtype=bool)
    seconds = 0.0
    for number in range(1, rounds + 1):
        heard, taken = _judge_out_of_fold(args, with_beliefs(dataset, believed), number)
        seconds += taken
        believed, share_right = weigh_evidence(given, heard, unverified)
        suggested, confidence = suggest(given, believed)
        logger.info(
            "Round %d of the audit: %d of %d unverified labels look wrong; by its estimate, %.0f %% are right.",
            number,
            (suggested != given).sum(),
            unverified.sum(),
            100 * share_right,
        )
    return Audit(dataset["path"][:], given, suggested, confidence, believed, unverified, names, seconds)


def _why_not(dataset: Dataset) -> str | None:
    """Why the labels of a data set cannot be audited, in a sentence; `None` where they can."""
    if has_tags(dataset):
        return "Labels can be audited where every clip has one, and here clips have several."
    unverified = np.asarray(dataset[UNVERIFIED_COLUMN][:], dtype=bool)
    if unverified.any() and not unverified.all():
        return None
    kind = "verified" if unverified.all() else "unverified"
    return f"No training clip is {kind} (column manually_verified): an audit compares the two kinds."


def _judge_out_of_fold(args: RecipeArguments, dataset: Dataset, round_: int) -> tuple[np.ndarray, float]:
    """What each clip is, by networks trained on the other folds: (clips, classes) probabilities; and their seconds."""
    labels = np.asarray(dataset["label"][:])
    heard = np.eye(len(class_names(dataset) or []))[labels]
    # A class with fewer clips than folds could be left without any to train on: its clips are heard and not judged.
    judged = np.flatnonzero(np.bincount(labels)[labels] >= N_FOLDS)
    if len(judged) == 0:
        raise DataError(f"No class has {N_FOLDS} training clips: too few to audit their labels by one another.")
    folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=args.seed).split(judged, labels[judged])
    seconds = 0.0
    for number, (_, places) in enumerate(folds, start=1):
        held_out = np.isin(np.arange(len(dataset)), judged[places])
        folder = Path(args.output_dir) / f"fold_{number}_round_{round_}"
        results = run_unless_finished(args, folder, functools.partial(_train, dataset=dataset, held_out=held_out))
        seconds += training_seconds(results)
        heard[held_out] = read_scores(folder)["test"].probabilities
    return heard, seconds


def listener_arguments(folder: str, **others: Any) -> RecipeArguments:
    """Of an audit's trainings in a folder."""
    return RecipeArguments(output_dir=folder, **TRAINING, **others)


def _train(args: RecipeArguments, dataset: Dataset, held_out: np.ndarray) -> None:
    augmentation = Compose([Gain(-6, 6, p=1), AddFastGaussianSNR(min_snr_db=15, max_snr_db=50, p=0.25)])
    fine_tune(
        args,
        Task(
            config=AudioCNNConfig(**LISTENER),
            dataset=dataset,
            held_out=held_out,
            facts=FACTS,
            augmentation=augmentation,
            crop_seconds=CROP_SECONDS,
            purpose="preparation",
        ),
    )


def with_beliefs(dataset: Dataset, believed: np.ndarray) -> Dataset:
    """The data set with the probabilities, (clips, classes), that are trained on in the place of its labels."""
    return dataset.add_column(BELIEVED_COLUMN, believed.tolist())


def weigh_evidence(given: np.ndarray, heard: np.ndarray, unverified: np.ndarray) -> tuple[np.ndarray, float]:
    """What each clip is by its label and by what was heard, and which share of the unverified labels is right.

    Verified clips are what their labels say. They also tell how far what the networks say can be trusted: it is
    flattened or sharpened (a temperature) until it gives those labels the highest likelihood. An unverified label is
    then one more witness, who is right in a share of the cases, and otherwise names any other class as easily: the
    share under which all the unverified labels are most likely, and a few more that are right. Both pieces of evidence
    are multiplied (Bayes).

    given: (clips,) class indices; heard: (clips, classes) probabilities, of networks that were not trained on the
    clip; unverified: (clips,) of bool. Returns (clips, classes) probabilities, and the share. Source: the
    class-independent case of Dawid and Skene 1979, Maximum Likelihood Estimation of Observer Error-Rates.
    """
    rows, n_classes = np.arange(len(given)), heard.shape[1]
    logits = np.log(np.maximum(heard, 1e-12))
    logits /= fit_temperature(logits[~unverified], given[~unverified], AudioCNNConfig(num_labels=n_classes))
    told = softmax(logits, axis=1)
    agreeing = told[rows, given][unverified]

    def surprise(share_right: float) -> float:
        others = (1 - share_right) / (n_classes - 1)
        seen = np.log(share_right * agreeing + others * (1 - agreeing)).sum()
        return -float(seen + RIGHT_BEFOREHAND * np.log(share_right))

    share_right = minimize_scalar(surprise, bounds=(0.01, 0.999), method="bounded").x
    witness = np.full_like(told, (1 - share_right) / (n_classes - 1))
    witness[rows, given] = share_right
    believed = told * witness
    believed /= believed.sum(1, keepdims=True)
    believed[~unverified] = np.eye(n_classes)[given[~unverified]]
    return believed, share_right


def suggest(given: np.ndarray, believed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels as they should be, and how probable it is that this judgement on the given ones holds; both (clips,).

    A label is judged wrong where that is the more probable. given: (clips,) class indices; believed: (clips, classes).
    """
    right = believed[np.arange(len(given)), given]
    others = believed.copy()
    others[np.arange(len(given)), given] = 0
    return np.where(right < 0.5, others.argmax(1), given), np.maximum(right, 1 - right)
