"""Which unverified labels are wrong: every clip is judged by a network that was not trained on it."""

import functools
import logging
import time
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
from transformers import SequenceFeatureExtractor

from ...arguments import ADAMW, RecipeArguments
from ...augmentation.transforms import AddFastGaussianSNR
from ...data.cache import cache_audio
from ...data.rows import BELIEVED_COLUMN, UNVERIFIED_COLUMN, class_names, has_tags
from ...errors import ArgumentError, DataError
from ...models import AudioCNNConfig
from ...problems import count_problems
from ...runs.card import TaskFacts
from ...runs.folder.contents import UNFINISHED_FOLDS, training_seconds
from ...runs.folder.preceding import prepare_preceding, run_unless_finished
from ...runs.folder.preparing import open_output_dir
from ...runs.folder.sameness import check_same_arguments
from ...runs.hub import read_destination
from ...runs.scores import read_scores, relative_paths
from ..fine_tune import fine_tune
from ..heads.logistic import Targets, cross_fit
from ..judgement.calibration import fit_temperature
from ..networks.embeddings import ClipEmbedder
from ..networks.encoders import build_model, is_audio_cnn, load_extractor
from ..task import Task

logger = logging.getLogger(__name__)

N_FOLDS = 4
ENCODER_ROUNDS = 3  # of an audit by an encoder, whose rounds take seconds
TOO_FEW = f"No class has {N_FOLDS} training clips: too few to audit their labels by one another."
CROP_SECONDS = 1.0, 3.0
# Labels that are taken to be right before any is looked at: of a network that knows nothing, any share is as likely.
RIGHT_BEFOREHAND = 10
TEMPERATURES = np.geomspace(0.2, 5, 33)  # that are tried where no label is verified
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
    "optim": ADAMW,
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
    """The labels of clips beside the predictions of networks that were not trained on them."""

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
    """That it took."""
    quality: "Quality | None" = None
    """How good it is, by its own estimate."""

    def rows(self) -> list[dict[str, str]]:
        """The rows of the audit's table: the unverified clips, the most suspicious ones first.

        Files go by their names or, where several have the same, by their paths below the folder that holds them all.
        """
        suspicion = np.where(self.suggested == self.labels, 0, self.confidence)
        names = [Path(path).name for path in self.paths]
        if len(set(names)) < len(names):
            names = relative_paths(self.paths)
        return [
            {
                "fname": names[clip],
                "label": self.names[self.labels[clip]],
                "suggested_label": self.names[self.suggested[clip]],
                "confidence": f"{self.confidence[clip]:.4f}",
            }
            for clip in np.argsort(-suspicion, kind="stable")
            if self.unverified[clip]
        ]


@dataclass(frozen=True)
class Quality:
    """How good an audit is by its own estimate, see `estimate_quality`."""

    precision: float
    """Share of wrong labels among those that look wrong."""
    recall: float
    """Share of wrong labels that look wrong, where any other class is as easily written."""
    recall_of_similar: float
    """The same where labels are mistaken for those of similar classes."""

    def tell(self) -> str:
        """The quality of the audit in words."""
        return (
            f"about {self.precision:.0%} of those that look wrong are; of all wrong ones, about {self.recall:.0%} "
            f"look so, or {self.recall_of_similar:.0%} where classes are taken for similar ones"
        )


def doubt_labels(
    args: RecipeArguments, dataset: Dataset, held_out: np.ndarray, rounds: int, encoder: str | None = None
) -> tuple[Dataset, float]:
    """The data set with `BELIEVED_COLUMN`, what an audit of the training clips makes of unverified labels.

    The audit's trainings lie in `OUTPUT_DIR-audit`; after a kill, the same command goes on. Where nothing can be
    audited, because clips have several tags, or all or none are verified, the data set stays as it is.

    Args:
        args: of the run that the audit precedes, whose output folder is looked at before any time is spent.
        dataset: rows of `path`, `label` and `UNVERIFIED_COLUMN`.
        held_out: test clips, (clips,) of bool; the audit does not hear them.
        rounds: of the audit.
        encoder: by whose embeddings labels are judged, instead of by networks that are trained.

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
    audit = audit_labels(listener, dataset.select(np.flatnonzero(~held_out)), rounds, encoder)
    believed = dict(zip(audit.paths, audit.believed, strict=True))
    certain = np.eye(len(audit.names))
    rows = zip(dataset["path"][:], dataset["label"][:], strict=True)
    believed_rows = np.array([believed.get(path, certain[label]) for path, label in rows])
    return with_beliefs(dataset, believed_rows), audit.seconds


def audit_labels(args: RecipeArguments, dataset: Dataset, rounds: int = 1, encoder: str | None = None) -> Audit:
    """Train out of fold on a data set, and compare its labels with the predictions for the held-out clips.

    A label is judged wrong where `weigh_evidence` thinks so. In further rounds, the networks are trained on what was
    found. With an encoder, the networks are logistic regressions on its embeddings, and take seconds.

    Args:
        args: of the trainings, which lie in its output folder; after a kill, the same call goes on.
        dataset: rows of `path`, `label` and `UNVERIFIED_COLUMN`; nothing that will be tested on.
        rounds: how many times.
        encoder: folder, Hub id or name of a pretrained one.

    Raises:
        ArgumentError: the output folder cannot be used, or an audit with other arguments has begun there; or there is
            no such encoder.
        DataError: clips with several tags, or no unverified ones.
    """
    reason = _why_not(dataset, needs_verified=False)
    if reason is not None:
        raise DataError(reason)
    if encoder is not None and is_audio_cnn(encoder):
        raise ArgumentError(
            f"--encoder {encoder} is a network that was trained for its own classes: give a pretrained one, such as "
            "sfx."
        )
    check_same_arguments(args)
    open_output_dir(args, UNFINISHED_FOLDS)
    # Without the clips that cannot be read, of which no network says anything.
    listener = AudioCNNConfig(**LISTENER)
    extractor = load_extractor(encoder, listener)  # which has its own rate
    cached, skipped = cache_audio(dataset, listener.sampling_rate, strict=args.strict)
    for sentence in count_problems(skipped):
        logger.warning("%s", sentence)
    dataset = cached.remove_columns(["audio", "index"])
    names = class_names(dataset) or []
    given = np.asarray(dataset["label"][:])
    believed = np.eye(len(names))[given]
    unverified = np.asarray(dataset[UNVERIFIED_COLUMN][:], dtype=bool)
    start, seconds = time.perf_counter(), 0.0
    features = None if encoder is None else _embed(cached, listener, encoder, extractor)
    quality = None
    for number in range(1, rounds + 1):
        if features is None:
            probabilities, taken = _judge_out_of_fold(args, with_beliefs(dataset, believed), number)
            seconds += taken
        else:
            probabilities = _judge_by_features(features, given, believed, ~unverified, args.seed)
            seconds = time.perf_counter() - start
        believed, share_right = weigh_evidence(given, probabilities, unverified)
        suggested, confidence = suggest(given, believed)
        quality = None if unverified.all() else estimate_quality(given, probabilities, unverified, share_right)
        logger.info(
            "Round %d of the audit: %d of %d unverified labels look wrong; by its estimate, %.0f %% are right; %s.",
            number,
            (suggested != given).sum(),
            unverified.sum(),
            100 * share_right,
            "no label is known to be right, by which it could judge itself" if quality is None else quality.tell(),
        )
    return Audit(dataset["path"][:], given, suggested, confidence, believed, unverified, names, seconds, quality)


def _embed(cached: Dataset, listener: AudioCNNConfig, encoder: str, extractor: SequenceFeatureExtractor) -> np.ndarray:
    """The embeddings of decoded clips, (clips, size): the same as of a head that is trained on them."""
    names = class_names(cached) or []
    listener.id2label = dict(enumerate(names))
    listener.label2id = {name: number for number, name in enumerate(names)}
    return ClipEmbedder(build_model(listener, encoder, extractor, "encoder").eval(), extractor)(cached).means()


def _judge_by_features(
    features: np.ndarray, given: np.ndarray, believed: np.ndarray, verified: np.ndarray, seed: int
) -> np.ndarray:
    """What each clip is, (clips, classes) probabilities, by logistic regressions on the other folds' features.

    Their penalty is the one under which verified labels, or all where none is, are the most likely. As in
    `_judge_out_of_fold`, clips of a class with too few of them are what their labels say.
    """
    probabilities = np.eye(believed.shape[1])[given]
    held_out = _hold_out(given, seed)
    judged = np.any(held_out, axis=0)
    folds = [(np.flatnonzero(~held), np.flatnonzero(held)) for held in held_out]
    known = verified & judged if (verified & judged).any() else judged
    crossed = cross_fit(features, Targets.of_beliefs(believed), np.ones(len(given)), folds, known.astype(float))
    assert crossed is not None
    probabilities[judged] = softmax(crossed.logits[judged], axis=1)
    return probabilities


def _hold_out(labels: np.ndarray, seed: int) -> list[np.ndarray]:
    """Which clips each fold holds out, (clips,) of bool.

    A class with fewer clips than folds could be left without any to train on: its clips are heard and not judged.
    """
    judged = np.flatnonzero(np.bincount(labels)[labels] >= N_FOLDS)
    if len(judged) == 0:
        raise DataError(TOO_FEW)
    folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=seed).split(judged, labels[judged])
    return [np.isin(np.arange(len(labels)), judged[places]) for _, places in folds]


def _why_not(dataset: Dataset, *, needs_verified: bool = True) -> str | None:
    """Why the labels of a data set cannot be audited, in a sentence; `None` where they can.

    needs_verified: whether some must be known to be right.
    """
    if has_tags(dataset):
        return "Labels can be audited where every clip has one, and here clips have several."
    unverified = np.asarray(dataset[UNVERIFIED_COLUMN][:], dtype=bool)
    if unverified.any() and not (needs_verified and unverified.all()):
        return None
    kind = "verified" if unverified.all() else "unverified"
    return f"No training clip is {kind} (column manually_verified): an audit compares the two kinds."


def _judge_out_of_fold(args: RecipeArguments, dataset: Dataset, round_: int) -> tuple[np.ndarray, float]:
    """What each clip is, by networks trained on the other folds: (clips, classes) probabilities; and their seconds."""
    labels = np.asarray(dataset["label"][:])
    probabilities = np.eye(len(class_names(dataset) or []))[labels]
    seconds = 0.0
    for number, held_out in enumerate(_hold_out(labels, args.seed), start=1):
        folder = Path(args.output_dir) / f"fold_{number}_round_{round_}"
        results = run_unless_finished(args, folder, functools.partial(_train, dataset=dataset, held_out=held_out))
        seconds += training_seconds(results)
        probabilities[held_out] = read_scores(folder)["test"].probabilities
    return probabilities, seconds


def listener_arguments(folder: str, **others: Any) -> RecipeArguments:
    """The arguments of an audit's trainings in a folder."""
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


def weigh_evidence(given: np.ndarray, probabilities: np.ndarray, unverified: np.ndarray) -> tuple[np.ndarray, float]:
    """What each clip is by its label and by what the networks say, and which share of the unverified labels is right.

    Verified clips are what their labels say. They also tell how far what the networks say can be trusted: it is
    flattened or sharpened (a temperature) until it gives those labels the highest likelihood. An unverified label is
    then one more witness, who is right in a share of the cases, and otherwise names any other class as easily: the
    share under which all the unverified labels are most likely, and a few more that are right. Both pieces of evidence
    are multiplied (Bayes).

    given: (clips,) class indices; probabilities: (clips, classes), of networks that were not trained on the
    clip; unverified: (clips,) of bool. Returns (clips, classes) probabilities, and the share. Source: the
    class-independent case of Dawid and Skene 1979, Maximum Likelihood Estimation of Observer Error-Rates.
    """
    rows, n_classes = np.arange(len(given)), probabilities.shape[1]
    calibrated = _calibrate(given, probabilities, unverified)
    share_right, _ = _share_right(calibrated[rows, given][unverified], n_classes)
    witness = np.full_like(calibrated, (1 - share_right) / (n_classes - 1))
    witness[rows, given] = share_right
    believed = calibrated * witness
    believed /= believed.sum(1, keepdims=True)
    believed[~unverified] = np.eye(n_classes)[given[~unverified]]
    return believed, share_right


def _share_right(agreeing: np.ndarray, n_classes: int) -> tuple[float, float]:
    """Which share of labels is most likely right, and how unlikely the labels are even so.

    agreeing: (clips,) probabilities of each label, by what the networks say.
    """

    def surprise(share_right: float) -> float:
        others = (1 - share_right) / (n_classes - 1)
        seen = np.log(share_right * agreeing + others * (1 - agreeing)).sum()
        return -float(seen + RIGHT_BEFOREHAND * np.log(share_right))

    found = minimize_scalar(surprise, bounds=(0.01, 0.999), method="bounded")
    return float(found.x), float(found.fun)


def _calibrate(given: np.ndarray, probabilities: np.ndarray, unverified: np.ndarray) -> np.ndarray:
    """Probabilities, (clips, classes), flattened or sharpened until verified labels are the most likely.

    Where none is verified, until all are, with as many errors among them as then are the likeliest.
    """
    logits, n_classes = np.log(np.maximum(probabilities, 1e-12)), probabilities.shape[1]
    if unverified.all():
        rows = np.arange(len(given))
        candidates = (softmax(logits / temperature, axis=1) for temperature in TEMPERATURES)
        return min(candidates, key=lambda each: _share_right(each[rows, given], n_classes)[1])
    config = AudioCNNConfig(num_labels=n_classes)
    logits /= fit_temperature(logits[~unverified], given[~unverified], config)
    return softmax(logits, axis=1)


def estimate_quality(
    given: np.ndarray, probabilities: np.ndarray, unverified: np.ndarray, share_right: float
) -> Quality:
    """How many judgements of `weigh_evidence` hold, and how many wrong labels it finds, by verified clips.

    These are judged as if nobody had verified them: once with their own labels, of which each that looks wrong is a
    false alarm, and once with each other label, of which those that do not are missed. No probability is taken at its
    word, which for rare errors is too sure of itself. It holds as far as unverified clips sound as verified ones do.

    given, probabilities, unverified: as in `weigh_evidence`; share_right: that it has found.
    """
    calibrated, n_classes = _calibrate(given, probabilities, unverified), probabilities.shape[1]
    others = (1 - calibrated) * (1 - share_right) / (n_classes - 1)
    looks_wrong = calibrated * share_right < others  # (clips, classes), if that were the label
    rows, labels = np.flatnonzero(~unverified), given[~unverified]
    false_alarms = (looks_wrong[rows, labels].sum() + 1) / (len(rows) + 2)
    others_alike = 1 - np.eye(n_classes)
    taken_for = (
        np.stack([calibrated[rows[labels == label]].sum(0) for label in range(n_classes)]) * others_alike + 1e-9
    )
    taken_for /= taken_for.sum(1, keepdims=True)
    found, found_of_similar = (
        float(np.average(looks_wrong[rows], weights=shares[labels])) for shares in (others_alike, taken_for)
    )
    suspected = float(looks_wrong[unverified, given[unverified]].mean())
    wrong = (suspected - false_alarms) / max(found - false_alarms, 1e-9)
    precision = np.clip(wrong * found / suspected, 0, 1) if suspected else 0.0
    return Quality(float(precision), found, found_of_similar)


def suggest(given: np.ndarray, believed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels as they should be, and how probable it is that this judgement on the given ones holds; both (clips,).

    A label is judged wrong where that is the more probable. given: (clips,) class indices; believed: (clips, classes).
    """
    right = believed[np.arange(len(given)), given]
    others = believed.copy()
    others[np.arange(len(given)), given] = 0
    return np.where(right < 0.5, others.argmax(1), given), np.maximum(right, 1 - right)
