"""`--freeze encoder`: the head of a pretrained encoder, fitted in seconds to embeddings that are computed once."""

import copy
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from transformers import EvalPrediction, PreTrainedModel
from transformers.trainer_utils import PredictionOutput, TrainOutput

from ...arguments import RecipeArguments
from ...augmentation.altered import vary
from ...data.rows import BELIEVED_COLUMN, UNVERIFIED_COLUMN, tag_matrix
from ...errors import ArgumentError, DivergedError
from ...models.modeling_audio_cnn import classification_loss
from ...runs.card import shown_arguments
from ..judgement.validated import validate_nothing
from ..networks.embeddings import ClipEmbedder
from ..networks.encoders import is_audio_cnn
from ..networks.network_parts import head_logits, last_layer
from ..task import Task
from ..trainer import AudioTrainer, average_windows
from .logistic import LinearHead, Targets, fit_head

logger = logging.getLogger(__name__)

# What a training by steps reads and a fit does not.
OF_STEPS = (
    "num_train_epochs",
    "max_steps",
    "max_minutes",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "learning_rate",
    "lr_scheduler_type",
    "warmup_steps",
    "weight_decay",
    "layer_decay",
    "label_smoothing_factor",
    "loss_robustness",
    "mixup_alpha",
    "ema_decay",
    "refresh_epochs",
    "load_best_model_at_end",
    "metric_for_best_model",
    "early_stopping_patience",
    "stop_when_settled",
    "excerpt_seconds",
    "bf16",
)
COPY_WEIGHT = 0.5  # of an altered copy beside the clip
SHOWN = ("freeze", "balance", "unverified_weight", "seed")  # on a card


def fits_head(args: RecipeArguments) -> bool:
    """Whether a command asks for a head that is fitted, and not trained by steps.

    The head of an AudioCNN is trained by steps, on augmented clips: not always is it one linear layer. That of normal
    recordings alone is always fitted.
    """
    if getattr(args, "only_normal", False):
        return True
    name = args.model_name_or_path
    return args.freeze == "encoder" and name is not None and not is_audio_cnn(name)


def settle_head(args: RecipeArguments, task: Task) -> tuple[RecipeArguments, Task]:
    """The arguments and the task of a fitted head, without the flags of a training by steps, which a warning names.

    Validation clips would choose an epoch; here cross-validation inside the training clips chooses the penalty, so
    only where the user or a background asks for them some are held out.

    Raises:
        ArgumentError: a flag asks for what a fit cannot do.
    """
    for given, why in {
        "--search": args.search and "tries what a training by steps reads",
        "--teacher": args.teacher is not None and "teaches a network that is trained by steps",
        "--tta": args.tta and "judges shifted crops, of which there are no embeddings",
        "--streaming": task.stream is not None and "reads clips anew in every epoch, and a head is fitted to all",
    }.items():
        if why:
            raise ArgumentError(f"{given} {why}, and --freeze encoder fits the head at once: leave one out.")
    flags = _given(args)
    ignored = [f"--{name}" for name in OF_STEPS if name in flags]
    if ignored:
        logger.warning(
            "%s: of a training by steps. --freeze encoder fits the head at once, so %s nothing.",
            ", ".join(ignored),
            "it changes" if len(ignored) == 1 else "they change",
        )
    args = copy.copy(args)
    args.resume_from_checkpoint = None  # the embeddings that a run has computed before a kill are kept
    args.load_best_model_at_end, args.early_stopping_patience, args.ema_decay = False, 0, 0.0
    by_default = args.validation_fraction == type(args).validation_fraction and "validation_fraction" not in flags
    if by_default and args.background is None:
        validate_nothing(args)
        args.refit = False if task.folds is None else args.refit
    return args, replace(task, stop_when_settled=False)


def _given(args: RecipeArguments) -> set[str]:
    """Names of the flags that the user has typed."""
    return {word.removeprefix("--").partition("=")[0].replace("-", "_") for word in args.command if word[:2] == "--"}


def told_arguments(args: RecipeArguments) -> dict[str, Any]:
    """The arguments that a card tells."""
    shown = shown_arguments(args)
    return {name: value for name, value in shown.items() if name in SHOWN} if fits_head(args) else shown


class HeadTrainer(AudioTrainer):
    """Fits the head of a frozen encoder by logistic regression, where an `AudioTrainer` would make steps.

    Clips are embedded once, whatever is then asked of them, and judged by the embeddings of their windows, so the
    figures are those of the finished checkpoint.

    Args:
        model: an encoder with a linear head.
        args: of the run.
        group_column: of the training clips: those that share its value (speaker, recording) are never on two sides
            when the penalty is chosen.
        n_tags: where clips have several labels, how many there are.
        others: as of an `AudioTrainer`.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        args: RecipeArguments,
        group_column: str | None = None,
        n_tags: int | None = None,
        **others: Any,
    ):
        super().__init__(model, args, **others)
        self.group_column = group_column
        self.n_tags = n_tags
        self.head: LinearHead | None = None
        self._embedder: ClipEmbedder | None = None

    def _find_embedder(self) -> ClipEmbedder:
        if self._embedder is None:
            self._embedder = ClipEmbedder(self.model.eval(), self.processing_class)
        return self._embedder

    def train(self, *args: Any, **kwargs: Any) -> TrainOutput:
        """Fit the head to the training clips; there are no steps.

        Raises:
            DivergedError: the encoder gives numbers that are not finite.
        """
        start = time.perf_counter()
        clips = self.train_dataset.with_format(None)
        features = self._embed_twice(clips)
        if not np.isfinite(features).all():
            raise DivergedError(
                "The encoder gives numbers that are not finite: its weights are broken, fetch the checkpoint again."
            )
        groups = self._groups_of(clips)
        weights = self._weights(clips)
        self.head = fit_head(
            features,
            self._targets(clips).twice(),
            np.concatenate([weights, COPY_WEIGHT * weights]),
            np.concatenate([groups, groups]),
            self.args.seed,
        )
        _, layer = last_layer(self.model)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(self.head.weight))
            layer.bias.copy_(torch.from_numpy(self.head.bias))
        crossed = self.head.crossed
        loss = float("nan") if crossed is None else crossed.losses[crossed.penalty]
        return TrainOutput(0, loss, {"train_runtime": time.perf_counter() - start})

    def _groups_of(self, clips: Dataset) -> np.ndarray:
        """Numbers of the clips' groups, (clips,)."""
        if self.group_column is None:
            return np.arange(len(clips))
        return np.unique(np.asarray(clips[self.group_column][:]).astype(str), return_inverse=True)[1]

    def _embed_twice(self, clips: Dataset) -> np.ndarray:
        """The embeddings of clips as they are, and behind these of altered copies: (2 x clips, size)."""
        config, embedder = self.model.config, self._find_embedder()
        rate = self.processing_class.sampling_rate
        # The whole of a number, and every one of the things that tags tell of.
        whole = bool(config.num_digits) or self.n_tags is not None
        with self.args.main_process_first(desc="embeddings"):
            plain = embedder(clips).means()
            return np.concatenate([plain, embedder.embed(vary(clips, rate, self.args.seed, whole)).means()])

    def predict(
        self, test_dataset: Dataset, ignore_keys: Sequence[str] | None = None, metric_key_prefix: str = "test"
    ) -> PredictionOutput:
        """Logits (clips, labels), labels and metrics of clips, as `Trainer.predict` returns them."""
        config, labels = self.model.config, []

        def heard() -> Iterator[np.ndarray]:
            for row in test_dataset:  # as it is transformed: copies that are altered are judged too
                labels.append(row["labels"])
                yield row["input_values"]

        with self.args.main_process_first(desc="embeddings"):
            embedded = self._find_embedder().embed(heard())
        with torch.no_grad():
            vectors = torch.from_numpy(embedded.vectors).to(self.model.device)
            logits = head_logits(self.model, vectors).float()
            if embedded.counts.max() > 1:
                logits = average_windows(logits, torch.from_numpy(embedded.counts), config)
            references = torch.as_tensor(np.array(labels)).to(logits.device)
            loss = float(classification_loss(logits, references, config))
        if not bool(logits.isfinite().all()):
            raise self._diverged("a clip has scores that are not finite")
        scores, answers = logits.cpu().numpy(), references.cpu().numpy()
        metrics = {"loss": loss, **self.compute_metrics(EvalPrediction(scores, answers))}
        return PredictionOutput(scores, answers, {f"{metric_key_prefix}_{k}": v for k, v in metrics.items()})

    def unheard_answers(self) -> tuple[np.ndarray, np.ndarray] | None:
        """What the fits that have chosen the penalty say of the training clips that each was not fitted to."""
        assert self.head is not None
        if self.head.crossed is None:
            return None
        clips = self.train_dataset.with_format(None)
        known = np.ones(len(clips), dtype=bool)
        if UNVERIFIED_COLUMN in clips.column_names:
            known = ~np.asarray(clips[UNVERIFIED_COLUMN][:], dtype=bool)
        return self.head.crossed.logits[: len(clips)][known], self._labels_of(clips)[known]

    def _labels_of(self, clips: Dataset) -> np.ndarray:
        """(clips,) classes, (clips, digits) or (clips, tags) of 0 and 1."""
        labels = clips["label"][:]
        return np.asarray(labels) if self.n_tags is None else tag_matrix(labels, self.n_tags)

    def _targets(self, clips: Dataset) -> Targets:
        config = self.model.config
        labels = self._labels_of(clips)
        if BELIEVED_COLUMN in clips.column_names:
            return Targets.of_beliefs(np.asarray(clips[BELIEVED_COLUMN][:]))
        if self.n_tags is not None:
            return Targets.of_tags(labels)
        if config.num_digits:
            return Targets.of_digits(labels)
        return Targets.of_classes(labels, config.num_labels)

    def _weights(self, clips: Dataset) -> np.ndarray:
        """The weight of each training clip in the loss, (clips,)."""
        args, weights = self.args, np.ones(len(clips))
        if args.unverified_weight != 1 and UNVERIFIED_COLUMN in clips.column_names:
            weights[np.asarray(clips[UNVERIFIED_COLUMN][:], dtype=bool)] = args.unverified_weight
        if args.background is None and args.balance == "none":
            return weights
        labels = np.asarray(clips["label"][:])
        counts = np.bincount(labels, minlength=self.model.config.num_labels).astype(float)
        if args.background is not None:  # no more of it than of all classes, as in an epoch
            share = min(1.0, counts[:-1].sum() / counts[-1])
            weights[labels == len(counts) - 1] *= share
            counts[-1] *= share
        if args.balance != "none":
            weights *= (counts.sum() / (counts > 0).sum() / np.maximum(counts, 1e-9))[labels]
        return weights

    def describe_head(self, on_all: bool) -> str:
        """How the head was found, in sentences for the card; on_all: whether folds have judged it beforehand."""
        assert self.head is not None
        rest = "It was fitted to all clips; what a fold held out" if on_all else "The test clips"
        crossed = self.head.crossed
        if crossed is None:
            few = "there were too few clips to compare others"
            return f"{FITTED}, C = {self.head.penalty:g}; {few}. {rest} chose nothing."
        by = f" by {self.group_column}" if self.group_column is not None else ""
        tried = ", ".join(f"{loss:.3f} at {penalty:g}" for penalty, loss in crossed.losses.items())
        return (
            f"{FITTED}, C = {crossed.penalty:g}, the strongest penalty within a standard error of the least "
            f"cross-entropy in a {crossed.n_folds}-fold cross-validation{by} inside the training clips ({tried}). "
            f"{rest} chose nothing."
        )


FITTED = (
    "The encoder is as it was; its head is scikit-learn's logistic regression on the embeddings of the clips, and, at "
    "half their weight, of copies in noise, in rooms and by telephone"
)
