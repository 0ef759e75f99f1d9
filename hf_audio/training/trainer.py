"""`transformers.Trainer` with what it gets wrong for small sound classifiers put right, and nothing more."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch import nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, Sampler
from transformers import (
    EarlyStoppingCallback,
    PreTrainedConfig,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    get_wsd_schedule,
)
from transformers.trainer_utils import PredictionOutput

from ..arguments import MUON, RecipeArguments
from ..augmentation.amortized import GENERATORS
from ..augmentation.mixing import mix, overlay
from ..errors import DivergedError
from ..models.modeling_audio_cnn import classification_loss, digit_probabilities, frame_loss, probabilities, to_logits
from ..models.number_grammar import GRAMMARS, spelling_loss
from ..runs.folder.checkpoints import last_checkpoint
from ..runs.network import full_disk_ends_in_a_sentence, not_finite
from .batching.batches import BackgroundSampler, BalancedSampler, ClipTransform
from .batching.clip_loader import quick_rows, run_ahead
from .batching.shard_loader import ClipStream
from .optimization.batch_norm import synchronize_batch_norm
from .optimization.layer_decay import slow_lower_layers
from .optimization.length import RISING_STEPS, HoldingBackSampler, Length, falling_steps
from .optimization.muon import make_muon
from .optimization.weight_average import average_weights, load_average, save_average
from .teacher import TEACHER_WEIGHT, distillation_loss, flatten_scores
from .trained_clips import clip_callbacks, share_skipped

EVALUATED_TOGETHER = 256  # windows


class AudioTrainer(Trainer):
    """Trainer for waveform classifiers.

    What differs from `Trainer`:
    - The loss is a mean over the batch, computed here from the logits, and right under gradient accumulation, on
      several processes and for mixed labels. Stock heads that take `num_items_in_batch` inflate it instead.
    - Scores of clips that `WindowCollator` has split are averaged, and evaluation runs in float32: the numbers are
      those of the checkpoint as `pipeline` will run it.
    - With `ema_decay`, the average of the weights is what is evaluated, chosen, resumed and in the end kept.
    - Everything random in a step follows from the seed and the step's number, so a resumed run repeats a whole one.
    - Batch normalisation takes its statistics over all processes, so two processes train like one.
    - Where clips bring along what sounds in their frames (`frame_targets`), the network learns that too.
    - With a `teacher`, the model learns its scores of the same mixed and augmented clips beside the labels; where the
      clips bring a teacher's scores along (`taught`), those, mixed as the labels are.
    - Modules named by `frozen` stay as they are for evaluation: no dropout, no statistics of the batch.
    - With `layer_decay`, each layer learns more slowly than the one above it.
    - With `features`, what a model reads is made of waveforms where the model is, after they were mixed.
    - With `balance`, every class counts the same: its clips come as often, or weigh as much in the loss.
    - A last, smaller training batch is dropped: the statistics of a few clips would disturb every layer.
    - At the first loss that is no finite number training ends, and weights that are none are neither judged nor saved.
    """

    args: RecipeArguments
    loss_is_scaled_for_ga = False
    objective_where_it_diverges: float | None = None
    """Of a trial of a search, which goes on with the next one; otherwise, a `DivergedError` is raised."""

    def __init__(
        self,
        model: nn.Module | None,
        args: RecipeArguments,
        train_transform: ClipTransform | None = None,
        teacher: nn.Module | None = None,
        features: nn.Module | None = None,
        frozen: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        if model is not None and args.world_size > 1:
            model = synchronize_batch_norm(model, args.device)
        callbacks = [*kwargs.pop("callbacks", ())]
        if args.early_stopping_patience:
            callbacks.append(EarlyStoppingCallback(args.early_stopping_patience))
        if train_transform is not None:
            callbacks.append(_EpochCallback(train_transform))
        callbacks += clip_callbacks(kwargs.get("train_dataset"), args)
        super().__init__(model=model, args=args, callbacks=callbacks, **kwargs)
        # What `loss_is_scaled_for_ga` says, to releases that do not ask for it yet (5.17).
        self.model_accepts_loss_kwargs = False
        self.length = Length(self)
        self.add_callback(self.length)
        self._seeded_step, self._micro_step = -1, 0
        self._train_loader: DataLoader | None = None
        self.teacher = None if teacher is None else teacher.to(args.device)
        self.features = None if features is None else features.to(args.device)
        self.frozen = frozen
        self.class_weights: torch.Tensor | None = None
        if args.balance == "loss":
            counts = self._class_counts()
            if self.args.background is not None:
                counts[-1] = min(counts[-1], counts[:-1].sum())  # as many as an epoch has
            taught = (counts > 0).sum()
            weights = counts.sum() / taught / np.maximum(counts, 1)
            self.class_weights = torch.tensor(weights, dtype=torch.float32, device=args.device)
        self.average: AveragedModel | None = None
        if args.ema_decay > 0:
            self.average, callback = average_weights(self.model, args)
            self.add_callback(callback)

    def _drop_last(self) -> bool:
        assert self.train_dataset is not None
        sampler = self._get_train_sampler(self.train_dataset)  # whose epochs may have fewer rows, or more
        n_rows = len(self.train_dataset if sampler is None else sampler)  # type: ignore[arg-type]
        return n_rows >= self.args.train_batch_size * self.args.world_size

    def get_train_dataloader(self) -> DataLoader:
        """As in Trainer, without a smaller last batch unless there is no other; a stream makes its own."""
        self._train_loader = self._make_train_loader()
        return self._train_loader

    def _make_train_loader(self) -> DataLoader:
        if isinstance(self.train_dataset, ClipStream):
            # accelerate would have every process read all of it.
            return self.train_dataset.loader(
                self.args.dataloader_num_workers or 0,
                persistent_workers=self.args.dataloader_persistent_workers,
                pin_memory=self.args.dataloader_pin_memory and self.args.device.type == "cuda",
                prefetch_factor=self.args.dataloader_prefetch_factor,
            )
        before, self.args.dataloader_drop_last = self.args.dataloader_drop_last, self._drop_last()
        try:
            return super().get_train_dataloader()
        finally:
            self.args.dataloader_drop_last = before

    def _get_dataloader(self, dataset: Dataset, *args: Any, **kwargs: Any) -> DataLoader:
        loader = super()._get_dataloader(quick_rows(dataset), *args, **kwargs)
        run_ahead(loader)
        return loader

    def num_examples(self, dataloader: DataLoader) -> int:
        """See `Trainer.num_examples`; the length of a stream counts batches."""
        if isinstance(dataloader.dataset, ClipStream):
            return dataloader.dataset.split.rows
        return super().num_examples(dataloader)

    def _class_counts(self) -> np.ndarray:
        """Training clips of each class, (classes,)."""
        if isinstance(self.train_dataset, ClipStream):
            return self.train_dataset.class_counts()
        return np.bincount(self._labels(), minlength=self.model.config.num_labels)

    def _labels(self) -> np.ndarray:
        """Labels of the training clips, (clips,) class indices."""
        assert self.train_dataset is not None
        return np.asarray(self.train_dataset.with_format(None)["label"][:])

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler | None:
        seed = self.args.seed if self.args.data_seed is None else self.args.data_seed
        rows = self._get_weighing_sampler(seed)
        if self.length.held is not None:
            return HoldingBackSampler(self.length.held, seed, rows)
        return super()._get_train_sampler(train_dataset) if rows is None else rows

    def _get_weighing_sampler(self, seed: int) -> BalancedSampler | BackgroundSampler | None:
        """What draws some rows more often than others, where arguments ask for it."""
        rejects, balances = self.args.background is not None, self.args.balance == "sampler"
        if not (rejects or balances):
            return None
        labels = self._labels()
        background = labels == self.model.config.num_labels - 1 if rejects else np.zeros(len(labels), dtype=bool)
        known = BalancedSampler(labels[~background], seed) if balances else None
        if known is not None and not rejects:
            return known
        return BackgroundSampler(background, seed, known)

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> torch.optim.lr_scheduler.LRScheduler:
        """As in Trainer; of a training whose end is found out on the way, a rate that stays until it falls."""
        if self.length.open_ended and self.lr_scheduler is None:  # type: ignore[has-type]
            rising = self.args.get_warmup_steps(num_training_steps)
            self.lr_scheduler = get_wsd_schedule(
                self.optimizer if optimizer is None else optimizer,  # type: ignore[has-type]
                num_warmup_steps=min(rising, RISING_STEPS) if self.args.warmup_steps < 1 else rising,
                num_decay_steps=falling_steps(num_training_steps),
                num_training_steps=num_training_steps,
                decay_type="linear",
            )
            self._created_lr_scheduler = True
        return super().create_scheduler(num_training_steps, optimizer)

    def create_optimizer(self, *args: Any, **kwargs: Any) -> torch.optim.Optimizer:
        """As in Trainer; with `layer_decay`, its groups divided by height, each with a learning rate of its own."""
        begun = self.optimizer is not None  # type: ignore[has-type]
        if self.args.optim == MUON and not begun:
            self.optimizer = make_muon(self.model, self.args, set(self.get_decay_parameter_names(self.model)))
        optimizer = super().create_optimizer(*args, **kwargs)
        if self.args.layer_decay < 1 and not begun:
            slow_lower_layers(optimizer, self.model, self.args.layer_decay)
        return optimizer

    def training_step(
        self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        """One micro-batch, whose random numbers (dropout, masks, mixing) follow from the seed and the step.

        Not from how many were drawn before: that depends on loader workers, and on where a run was interrupted.
        """
        step = self.state.global_step
        self._micro_step = self._micro_step + 1 if step == self._seeded_step else 0
        self._seeded_step = step
        entropy = (self.args.seed, step, self._micro_step, self.args.process_index)
        torch.manual_seed(int(np.random.SeedSequence(entropy).generate_state(1)[0]))
        loss = super().training_step(model, inputs, num_items_in_batch)
        # Of all processes: one that ended alone would leave the others waiting.
        value = float(loss if self.args.world_size == 1 else self.accelerator.reduce(loss.detach().clone(), "mean"))
        if not math.isfinite(value):
            raise self._diverged(f"the loss is {value}")
        return loss

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """As in Trainer; a trial of a search that diverges has the worst objective instead of an end.

        Raises:
            DivergedError: a loss or a weight is no finite number.
        """
        try:
            trained = super().train(*args, **kwargs)
            self.check_finite()
            return trained
        except DivergedError:
            if self.objective_where_it_diverges is None:
                raise
            self.objective = self.objective_where_it_diverges
            return None
        finally:
            self._end_workers()

    def _end_workers(self) -> None:
        """Have the workers of the loaders end now.

        The garbage collector would take the queue away over which a worker is told to end, before the loader tells it:
        the loader then waits for five seconds, and kills it.
        """
        for loader in (self._train_loader, *getattr(self, "_eval_dataloaders", {}).values()):
            if loader is not None:
                getattr(loader, "base_dataloader", loader)._iterator = None  # accelerate wraps it

    def check_finite(self) -> None:
        """Refuse weights, or an average of them, that are no finite numbers.

        Raises:
            DivergedError: there is one.
        """
        networks = [self.model] if self.average is None else [self.model, self.average]
        for network in networks:
            name = not_finite(network.state_dict())
            if name is not None:
                raise self._diverged(f"the weights {name} are not finite")

    def _diverged(self, seen: str) -> DivergedError:
        saved = last_checkpoint(self.args.output_dir)
        kept = "" if saved is None else f"; {saved} holds the weights before, for --model_name_or_path"
        return DivergedError(
            f"Training has diverged after {self.state.global_step} steps, {seen}: start again with a --learning_rate "
            f"below {self.args.learning_rate:g}{kept}."
        )

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """As in Trainer, of finite weights.

        Raises:
            DivergedError: a weight is no finite number.
        """
        self.check_finite()
        return super().evaluate(*args, **kwargs)

    def predict(self, *args: Any, **kwargs: Any) -> PredictionOutput:
        """As in Trainer; nobody asks its loader twice, so its workers end with it."""
        before, self.args.dataloader_persistent_workers = self.args.dataloader_persistent_workers, False
        try:
            return super().predict(*args, **kwargs)
        finally:
            self.args.dataloader_persistent_workers = before

    def unheard_answers(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Out-of-fold logits of training clips and their labels, where the training has such.

        Returns:
            (clips, labels), and (clips,) or (clips, ...); here nothing.
        """
        return None

    def describe_threshold(self) -> str:
        """What scores mean, in a sentence for the card, where they are no probabilities; here they are."""
        return ""

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor | tuple[torch.Tensor, Any]:
        """Mean loss of one micro-batch; `num_items_in_batch` is not needed for a mean, and not passed on."""
        inputs = dict(inputs)
        labels, weights, taught = (inputs.pop(name, None) for name in ("labels", "weights", "taught"))
        frame_targets = inputs.pop("frame_targets", None)
        config = self.model.config
        if model.training:
            for name in self.frozen:  # Trainer has put the whole model into training mode
                self.model.get_submodule(name).eval()
        if taught is not None:
            taught = flatten_scores(to_logits(taught, config), config)
        if self.args.mixup_alpha > 0 and model.training:
            targets = {"labels": as_probabilities(labels, config), "weights": weights, "taught": taught}
            told = {name: value for name, value in targets.items() if value is not None}
            if frame_targets is None:
                inputs, told = mix(inputs, told, self.args.mixup_alpha)
            else:  # half an event is none that one could hear the ends of
                inputs, told = overlay(inputs, {**told, "frame_targets": frame_targets})
                frame_targets = told["frame_targets"]
            labels, weights, taught = told["labels"], told.get("weights"), told.get("taught")
        if self.class_weights is not None and model.training:
            own = as_probabilities(labels, config) @ self.class_weights
            weights = own if weights is None else weights * own
        asked = {} if frame_targets is None else {"output_frame_logits": True}
        outputs = model(**self._make_features(inputs), **asked)
        loss = classification_loss(
            outputs.logits,
            labels,
            config,
            label_smoothing=self.args.label_smoothing_factor,
            weights=weights,
            robustness=self.args.loss_robustness,
        )
        if frame_targets is not None:
            loss = loss + frame_loss(outputs.frame_logits, frame_targets)
        if model.training and getattr(outputs, "word_scores", None) is not None and not labels.is_floating_point():
            loss = loss + spelling_loss(GRAMMARS[config.number_grammar], outputs.word_scores, labels)
        if self.teacher is not None and model.training:
            with torch.no_grad(), self.accelerator.autocast():
                taught = flatten_scores(self.teacher(**inputs), config)
        if taught is not None and model.training:
            loss = torch.lerp(loss, distillation_loss(outputs.logits, taught, config), TEACHER_WEIGHT)
        return (loss, outputs) if return_outputs else loss

    def _make_features(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return inputs if self.features is None else {"input_values": self.features(**inputs)}

    def prediction_step(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        prediction_loss_only: bool,
        ignore_keys: Sequence[str] | None = None,
    ) -> tuple[torch.Tensor | None, torch.Tensor | None, torch.Tensor | None]:
        """One score vector a clip, from the averaged weights if there are any, in float32."""
        inputs = self._prepare_inputs(inputs)
        labels, counts = inputs.pop("labels"), inputs.pop("window_counts", None)
        for name in ("weights", "taught", "frame_targets"):
            inputs.pop(name, None)
        network = self.average.module if self.average is not None else self.accelerator.unwrap_model(model)
        network.eval()
        config = self.model.config
        with torch.no_grad():
            # The class's forward: accelerate has put one that autocasts to bfloat16 over it. A part at a time: long
            # recordings have many windows.
            parts = [
                dict(zip(inputs, part, strict=True))
                for part in zip(*(value.split(EVALUATED_TOGETHER) for value in inputs.values()), strict=True)
            ]
            logits = torch.cat(
                [type(network).forward(network, **self._make_features(part)).logits.float() for part in parts]
            )
            if counts is not None:
                logits = average_windows(logits, counts, config)
            loss = classification_loss(logits, labels, config)
        if not bool(logits.isfinite().all()):
            raise self._diverged("a clip has scores that are not finite")
        return (loss, None, None) if prediction_loss_only else (loss, logits, labels)

    def keep_average(self) -> None:
        """Put the averaged weights into the model, once training is over."""
        if self.average is not None:
            self.accelerator.unwrap_model(self.model).load_state_dict(self.average.module.state_dict())
            self.average = None

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """As in Trainer, with the averaged weights beside a checkpoint's own.

        Raises:
            DivergedError: a weight is no finite number; the checkpoint before stays.
        """
        self.check_finite()
        super().save_model(output_dir, _internal_call)
        if self.average is not None and self.args.should_save:
            save_average(self.average, output_dir or self.args.output_dir)

    def _save(self, output_dir: str | None = None, state_dict: dict | None = None) -> None:
        if self.args.save_on_each_node:
            # 5.24 writes a model in the first process of all, whatever `is_main_process` it is given.
            setattr(self.model, "should_save_on_this_rank", bool)  # noqa: B010  (which mypy takes for a method)
        super()._save(output_dir, state_dict)

    def _load_average(self, checkpoint: str | os.PathLike | None) -> None:
        if self.average is not None and checkpoint is not None:
            load_average(self.average, checkpoint)

    def _save_rng_state(self, output_dir: str) -> None:
        with GENERATORS:  # a thread may be drawing a batch, and puts the states back behind it
            super()._save_rng_state(output_dir)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        with GENERATORS:
            super()._load_rng_state(checkpoint)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        self._load_average(checkpoint)

    def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        if isinstance(self.train_dataset, ClipStream):
            share_skipped(self.args, self.train_dataset)  # the first process notes them in the checkpoint
        with full_disk_ends_in_a_sentence(Path(self.args.output_dir)):
            super()._save_checkpoint(*args, **kwargs)

    def _load_best_model(self) -> None:
        super()._load_best_model()
        self._load_average(self.state.best_model_checkpoint)


def as_probabilities(labels: torch.Tensor, config: PreTrainedConfig) -> torch.Tensor:
    """(batch,) class indices, (batch, digits) digits or (batch, labels) tags -> (batch, labels) float."""
    if labels.is_floating_point() or config.problem_type == "multi_label_classification":
        return labels.float()
    if getattr(config, "num_digits", 0):
        return digit_probabilities(labels).flatten(1)
    return F.one_hot(labels, config.num_labels).flatten(1).float()


def average_windows(logits: torch.Tensor, counts: torch.Tensor, config: PreTrainedConfig) -> torch.Tensor:
    """Mean probabilities of each clip's windows, as logits. logits: (windows, labels); counts: (batch,) windows."""
    mean = torch.stack([clip.mean(0) for clip in probabilities(logits, config).split(counts.tolist())])
    return to_logits(mean, config)


class _EpochCallback(TrainerCallback):
    def __init__(self, transform: ClipTransform):
        self.transform = transform

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.transform.set_epoch(int(state.epoch or 0))
