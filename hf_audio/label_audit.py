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
from sklearn.model_selection import StratifiedKFold

from .arguments import RecipeArguments
from .audio_cache import cache_audio
from .augmentation import AddFastGaussianSNR
from .data import BELIEVED_COLUMN, UNVERIFIED_COLUMN, DataError, class_names, has_tags
from .hub import read_destination
from .model_card import TaskFacts
from .models import AudioCNNConfig
from .reports import read_scores
from .run_folder import (
    UNFINISHED_FOLDS,
    check_same_arguments,
    open_output_dir,
    prepare_preceding,
    run_unless_finished,
)
from .training import fine_tune

logger = logging.getLogger(__name__)

N_FOLDS = 4
CROP_SECONDS = 1.0, 3.0
# Of the corrections that are suggested, by the estimate below.
PRECISION = 0.9
LISTENER: dict[str, Any] = {
    "sampling_rate": 22050,
    "clip_seconds": 6,
    "min_seconds": 0.5,
    "n_fft": 1024,
    "win_length": 1024,
    "hop_length": 256,
    "n_mels": 64,
    "top_db": 80,
    "time_mask_count": 1,
    "time_mask_frames": 30,
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
    """In the suggested label against the given one, or, where both agree, against the next best, (clips,)."""
    believed: np.ndarray
    """What each clip is, (clips, classes) probabilities: certainly what its label says, or what the networks heard."""
    unverified: np.ndarray
    """(clips,) of bool."""
    names: Sequence[str]
    """Of the classes."""

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


def doubt_labels(args: RecipeArguments, dataset: Dataset, held_out: np.ndarray, rounds: int) -> Dataset:
    """The data set with `BELIEVED_COLUMN`, in which an audit of the training clips takes the place of wrong labels.

    The audit's trainings lie in `OUTPUT_DIR-audit`; after a kill, the same command goes on.

    Args:
        args: of the run that the audit precedes, whose output folder is looked at before any time is spent.
        dataset: rows of `path`, `label` and `UNVERIFIED_COLUMN`.
        held_out: test clips, (clips,) of bool; the audit does not hear them.
        rounds: of the audit.

    Raises:
        ArgumentError: either folder cannot be used, or the audit was begun with other arguments.
        DataError: as `audit_labels`.
    """
    read_destination(args)
    folder = prepare_preceding(args, "audit")
    taken_over = ("seed", "use_cpu", "bf16", "dataloader_num_workers", "disable_tqdm", "strict", "max_steps")
    listener = listener_arguments(folder, **{name: getattr(args, name) for name in taken_over})
    audit = audit_labels(listener, dataset.select(np.flatnonzero(~held_out)), rounds)
    believed = dict(zip(audit.paths, audit.believed, strict=True))
    certain = np.eye(len(audit.names))
    rows = zip(dataset["path"], dataset["label"], strict=True)
    return with_beliefs(dataset, np.array([believed.get(path, certain[label]) for path, label in rows]))


def audit_labels(args: RecipeArguments, dataset: Dataset, rounds: int = 1) -> Audit:
    """Train out of fold on a data set and compare its labels with what the networks say of clips they have not heard.

    The label is judged wrong where another class is more probable by so much that, by what happens to verified clips,
    nine in ten such judgements are right. In further rounds, the networks are trained
    on what was found.

    Args:
        args: of the trainings, which lie in its output folder; after a kill, the same call goes on.
        dataset: rows of `path`, `label` and `UNVERIFIED_COLUMN`; nothing that will be tested on.
        rounds: how many times.

    Raises:
        ArgumentError: the output folder cannot be used, or an audit with other arguments has begun there.
        DataError: clips with several tags, or no unverified or no verified ones.
    """
    if has_tags(dataset):
        raise DataError("Labels can be audited where every clip has one, and here clips have several.")
    unverified = np.asarray(dataset[UNVERIFIED_COLUMN][:], dtype=bool)
    if not unverified.any() or unverified.all():
        kind = "verified" if unverified.all() else "unverified"
        raise DataError(f"No training clip is {kind} (column manually_verified): an audit compares the two kinds.")
    check_same_arguments(args)
    open_output_dir(args, UNFINISHED_FOLDS)
    # Without the clips that cannot be read, of which no network says anything.
    dataset = cache_audio(dataset, LISTENER["sampling_rate"], strict=args.strict)[0].remove_columns(["audio", "index"])
    names = class_names(dataset) or []
    given = np.asarray(dataset["label"][:])
    believed = np.eye(len(names))[given]
    unverified = np.asarray(dataset[UNVERIFIED_COLUMN][:], dtype=bool)
    for number in range(1, rounds + 1):
        heard = _judge_out_of_fold(args, with_beliefs(dataset, believed), number)
        suggested, confidence = compare_labels(given, heard, unverified)
        believed = believe(given, suggested, heard)
        n_wrong = (suggested != given).sum()
        logger.info("Round %d of the audit: %d of %d unverified labels look wrong.", number, n_wrong, unverified.sum())
    return Audit(dataset["path"][:], given, suggested, confidence, believed, unverified, names)


def _judge_out_of_fold(args: RecipeArguments, dataset: Dataset, round_: int) -> np.ndarray:
    """What each clip is, by networks trained on the other folds -> (clips, classes) probabilities."""
    labels = np.asarray(dataset["label"][:])
    heard = np.eye(len(class_names(dataset) or []))[labels]
    # A class with fewer clips than folds could be left without any to train on: its clips are heard and not judged.
    judged = np.flatnonzero(np.bincount(labels)[labels] >= N_FOLDS)
    if len(judged) == 0:
        raise DataError(f"No class has {N_FOLDS} training clips: too few to audit their labels by one another.")
    folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=args.seed).split(judged, labels[judged])
    for number, (_, places) in enumerate(folds, start=1):
        held_out = np.isin(np.arange(len(dataset)), judged[places])
        folder = Path(args.output_dir) / f"fold_{number}_round_{round_}"
        run_unless_finished(args, folder, functools.partial(_train, dataset=dataset, held_out=held_out))
        heard[held_out] = read_scores(folder)["test"].probabilities
    return heard


def listener_arguments(folder: str, **others: Any) -> RecipeArguments:
    """Of an audit's trainings in a folder."""
    return RecipeArguments(output_dir=folder, **TRAINING, **others)


def _train(args: RecipeArguments, dataset: Dataset, held_out: np.ndarray) -> None:
    augmentation = Compose([Gain(-6, 6, p=1), AddFastGaussianSNR(min_snr_db=15, max_snr_db=50, p=0.25)])
    config = AudioCNNConfig(**LISTENER)
    fine_tune(args, config, dataset, held_out, FACTS, augmentation=augmentation, crop_seconds=CROP_SECONDS)


def with_beliefs(dataset: Dataset, believed: np.ndarray) -> Dataset:
    """The data set with the probabilities, (clips, classes), that are trained on in the place of its labels."""
    return dataset.add_column(BELIEVED_COLUMN, believed.tolist())


def believe(given: np.ndarray, suggested: np.ndarray, heard: np.ndarray) -> np.ndarray:
    """What to train on: the given labels, or, where another one is suggested, all that the networks heard but it.

    A wrong label is found more surely than the right one in its place, so doubts between classes are kept.

    given, suggested: (clips,) class indices; heard: (clips, classes) probabilities -> (clips, classes).
    """
    believed = np.eye(heard.shape[1])[given]
    wrong = np.flatnonzero(suggested != given)
    others = heard[wrong] * (1 - believed[wrong])
    believed[wrong] = others / others.sum(1, keepdims=True)
    return believed


def compare_labels(given: np.ndarray, heard: np.ndarray, unverified: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels as they should be, and the confidence in each, against the given or the next best one; both (clips,).

    An unverified label is replaced where the network prefers another class with a confidence from which on, by the
    estimate below, `PRECISION` of such judgements are right. Verified clips, whose labels are right, tell how often a
    right label is contradicted so confidently; the share of right labels among unverified clips is estimated by how
    much less often the network agrees with them than with verified ones.

    given: (clips,) class indices; heard: (clips, classes) probabilities, of networks that were not trained on the
    clip; unverified: (clips,) of bool.
    """
    rows = np.arange(len(given))
    best = heard.argmax(1)
    others = heard.copy()
    others[rows, best] = 0
    rival = np.where(best == given, others.max(1), heard[rows, given])
    confidence = heard.max(1) / (heard.max(1) + rival)
    contradicted = best != given
    share_right = min((~contradicted[unverified]).mean() / max((~contradicted[~unverified]).mean(), 1e-9), 1.0)
    suggested = given.copy()
    flagged = unverified & contradicted
    for threshold in np.unique(confidence[flagged]):
        n_false = (contradicted & (confidence >= threshold))[~unverified].sum()
        false_alarms = (n_false + 1) / ((~unverified).sum() + 1)  # none among few is not none at all
        alarms = (flagged & (confidence >= threshold))[unverified].mean()
        if share_right * false_alarms <= (1 - PRECISION) * alarms:
            wrong = flagged & (confidence >= threshold)
            suggested[wrong] = best[wrong]
            break
    return suggested, confidence
