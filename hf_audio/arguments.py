"""The arguments of a recipe: transformers' TrainingArguments with this project's defaults, and what data needs."""

import importlib.util
import logging
import math
import sys
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import torch
from transformers import TrainingArguments

from .errors import ArgumentError
from .processes import count_cores
from .trainer_flags import check_reporting, check_trainer_flags

# Metrics of which less is better.
ERROR_RATES = frozenset({"cer", "cer_corpus", "equal_error_rate", "calibration_error"})
# Optimizers: the one that this package adds, and transformers' default.
MUON, ADAMW = "muon", "adamw_torch_fused"
MUON_RATE, RATE = 6e-3, 3e-3  # peak learning rates, of Muon and of other optimizers
# Schedules whose learning rate falls when validation says so.
FOLLOWING_VALIDATION = ("reduce_lr_on_plateau", "greedy")

logger = logging.getLogger(__name__)


def bf16_is_fast(use_cpu: bool) -> bool:
    """Whether what trains, the GPU or the CPU, multiplies bfloat16 matrices in hardware."""
    if torch.cuda.is_available() and not use_cpu:
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


class Group(StrEnum):
    """What a flag is for: the headings of a recipe's help, in their order. A field names its own in its metadata."""

    TASK = "the task"
    DATA = "data"
    NETWORK = "network"
    TRAINING = "training"
    REGULARISATION = "augmentation and regularisation"
    VALIDATION = "validation and search"
    OUTPUT = "output"


@dataclass
class RecipeArguments(TrainingArguments):
    """Every `TrainingArguments` flag, with the defaults that suit small sound classifiers, and the flags below.

    Flags with a `group` in their metadata, and those that a recipe adds, are shown by `--help`, each with the first
    sentence of its help; the others by `--help_all`.
    """

    data_dir: str | None = field(
        default=None,
        metadata={
            "help": "Folder of the task's recordings. Without it, a demo corpus is made on the spot.",
            "group": Group.DATA,
        },
    )
    download: bool = field(
        default=False,
        metadata={
            "help": "Fetch the task's official recordings, once, instead of reading --data_dir.",
            "group": Group.DATA,
        },
    )
    strict: bool = field(
        default=False,
        metadata={"help": "Stop at a file that cannot be used, instead of leaving it out.", "group": Group.DATA},
    )
    max_train_samples: int | None = field(
        default=None,
        metadata={
            "help": "For a dry run, train on so many clips. They are drawn by the seed, of every class one before any "
            "second one.",
            "group": Group.DATA,
        },
    )
    max_eval_samples: int | None = field(
        default=None,
        metadata={
            "help": "For a dry run, validate and test on so many clips each. They are drawn as the training clips.",
            "group": Group.DATA,
        },
    )
    pseudo_labels: str | None = field(
        default=None,
        metadata={
            "help": "Table of `hf-audio pseudo-label`, whose clips are trained on too.",
            "metavar": "CSV",
            "group": Group.DATA,
        },
    )
    unlabelled: list[str] | None = field(
        default=None,
        metadata={
            "help": "Folders of recordings without labels, of which --teacher's answers are learnt.",
            "metavar": "DIR",
            "group": Group.DATA,
        },
    )
    background: str | None = field(
        default=None,
        metadata={
            "help": 'Folder of recordings to which the answer is "none of these". They are of the place where the '
            "model will listen, without any of the classes.",
            "metavar": "DIR",
            "group": Group.DATA,
        },
    )

    model_name_or_path: str | None = field(
        default=None,
        metadata={
            "help": "Folder or Hub id from whose weights training begins. It is a finished folder of a like network, "
            "an audio encoder of transformers (wav2vec2, AST, Whisper, ...), or one of `ge2e` (speakers), `speech` "
            "and `sfx` (sound effects), which are fetched; see docs/encoders.md.",
            "group": Group.NETWORK,
        },
    )
    freeze: str | None = field(
        default=None,
        metadata={
            "help": "What of --model_name_or_path learns nothing. `encoder`: all but the head; `front`: what hears "
            "the waveform or spectrogram first; or `none`. By default the front of a wav2vec2 and its like.",
            "choices": ["encoder", "front", "none"],
            "group": Group.NETWORK,
        },
    )
    layer_decay: float = field(
        default=1.0,
        metadata={
            "help": "Of --model_name_or_path, each layer's learning rate by that of the one above. The head learns at "
            "the full rate; 1 lets all learn alike.",
            "group": Group.NETWORK,
        },
    )
    teacher: str | None = field(
        default=None,
        metadata={
            "help": "Folder or Hub id of a finished model whose scores an AudioCNN learns too. It has the same "
            "classes.",
            "group": Group.NETWORK,
        },
    )

    num_train_epochs: float = field(default=3.0, metadata={"help": "Epochs.", "group": Group.TRAINING})
    max_steps: int = field(
        default=-1,
        metadata={"help": "Train for so many steps instead of epochs; -1 does not.", "group": Group.TRAINING},
    )
    max_minutes: float | None = field(
        default=None,
        metadata={
            "help": "Plan the whole run, judging included, into so many minutes. It never "
            "becomes longer than without.",
            "metavar": "MINUTES",
            "group": Group.TRAINING,
        },
    )
    per_device_train_batch_size: int = field(
        default=64, metadata={"help": "Training clips a device and step.", "group": Group.TRAINING}
    )
    per_device_eval_batch_size: int = field(
        default=64, metadata={"help": "Evaluation clips a device and step.", "group": Group.TRAINING}
    )
    gradient_accumulation_steps: int = field(
        default=1, metadata={"help": "Batches whose gradients make one step.", "group": Group.TRAINING}
    )
    optim: str | None = field(
        default=None,
        metadata={
            "help": "The optimizer. `muon` is AdamW, but for the kernels between first and last layer, whose momentum "
            "is orthogonalised. By default `muon`, and AdamW for a network that was trained before.",
            "metavar": "NAME",
            "group": Group.TRAINING,
        },
    )
    learning_rate: float | None = field(
        default=None,
        metadata={
            "help": f"Peak learning rate. By default {MUON_RATE:g} with `muon`, and {RATE:g} with another optimizer.",
            "metavar": "RATE",
            "group": Group.TRAINING,
        },
    )
    weight_decay: float = field(default=0.01, metadata={"help": "Weight decay.", "group": Group.TRAINING})
    warmup_steps: float = field(
        default=0.1, metadata={"help": "Steps of rising learning rate; below 1, their share.", "group": Group.TRAINING}
    )
    lr_scheduler_type: str = field(
        default="cosine", metadata={"help": "The learning rate's schedule.", "group": Group.TRAINING}
    )
    seed: int = field(default=42, metadata={"help": "Of all random draws.", "group": Group.TRAINING})
    bf16: bool | None = field(
        default=None,
        metadata={
            "help": "Train in bfloat16. By default, where the hardware multiplies it natively.",
            "metavar": "BOOL",
            "group": Group.TRAINING,
        },
    )
    dataloader_num_workers: int | None = field(
        default=None,
        metadata={
            "help": "Processes that augment clips. By default one for each core that the model leaves, at most 4.",
            "group": Group.TRAINING,
        },
    )

    mixup_alpha: float = field(
        default=0.0,
        metadata={
            "help": "Mix pairs of clips and labels by weights from Beta(alpha, alpha); 0 does not.",
            "group": Group.REGULARISATION,
        },
    )
    label_smoothing_factor: float = field(
        default=0.0,
        metadata={"help": "Probability spread over all classes; 0 does not.", "group": Group.REGULARISATION},
    )
    ema_decay: float = field(
        default=0.0,
        metadata={
            "help": "Decay of the average of the weights, which is judged and saved; 0 averages nothing.",
            "group": Group.REGULARISATION,
        },
    )
    refresh_epochs: int = field(
        default=10,
        metadata={
            "help": "Epochs for which the result of a costly augmentation serves.",
            "group": Group.REGULARISATION,
        },
    )
    balance: str = field(
        default="none",
        metadata={
            "help": "Show clips of smaller classes more often, or weigh them more. `sampler` shows, `loss` weighs; no "
            "clip is left out.",
            "choices": ["sampler", "loss", "none"],
            "group": Group.REGULARISATION,
        },
    )
    loss_robustness: float = field(
        default=0.0,
        metadata={
            "help": "q of the generalised cross-entropy, which bears wrong labels better; 0: the plain one.",
            "group": Group.REGULARISATION,
        },
    )
    unverified_weight: float = field(
        default=1.0,
        metadata={
            "help": "Weight in the loss of clips whose label nobody has verified; others weigh 1.",
            "group": Group.REGULARISATION,
        },
    )

    validation_fraction: float = field(
        default=0.0,
        metadata={
            "help": "Share of the training clips that watches the training. It chooses the best epoch.",
            "group": Group.VALIDATION,
        },
    )
    load_best_model_at_end: bool = field(
        default=False, metadata={"help": "Keep the weights of the best validated epoch.", "group": Group.VALIDATION}
    )
    metric_for_best_model: str | None = field(
        default=None, metadata={"help": "What chooses the best epoch.", "metavar": "METRIC", "group": Group.VALIDATION}
    )
    early_stopping_patience: int = field(
        default=0,
        metadata={
            "help": "Stop after so many epochs without a better validation score; 0 never does.",
            "group": Group.VALIDATION,
        },
    )
    refit: bool = field(
        default=False,
        metadata={
            "help": "Train again, on the validation clips too. As many epochs as they chose; twice the time.",
            "group": Group.VALIDATION,
        },
    )
    false_alarms_per_hour: float | None = field(
        default=None,
        metadata={
            "help": "How often --background may be taken for a class. By default, as seldom as costs hardly a clip, "
            "by the validation clips, which are then 0.15 of the training clips unless --validation_fraction says.",
            "group": Group.VALIDATION,
        },
    )
    search: int = field(
        default=0,
        metadata={
            "help": "Instead of one training, try so many settings of the arguments. They are drawn from the recipe's "
            "SEARCH_SPACE and judged by the validation clips; after a kill, the same command goes on.",
            "group": Group.VALIDATION,
        },
    )
    baseline: bool = field(
        default=False,
        metadata={
            "help": "Judge scikit-learn's MLPClassifier on statistics of the clips, no network.",
            "group": Group.VALIDATION,
        },
    )
    tta: int = field(
        default=0,
        metadata={
            "help": "Judge the test clips also by so many shifted crops each, averaged; 0 does not.",
            "group": Group.VALIDATION,
        },
    )

    output_dir: str = field(
        default="trainer_output", metadata={"help": "Folder of the finished checkpoint.", "group": Group.OUTPUT}
    )
    overwrite: bool = field(
        default=False,
        metadata={
            "help": "Replace the run that --output_dir holds. It is deleted when the new one starts, with what its "
            "command has left beside it.",
            "group": Group.OUTPUT,
        },
    )
    resume_from_checkpoint: str | None = field(
        default=None,
        metadata={
            "help": "Go on after a kill: `last`, `auto` (begins if there is none), or checkpoint-N.",
            "metavar": "PATH",
            "group": Group.OUTPUT,
        },
    )
    push_to_hub: bool = field(
        default=False, metadata={"help": "Upload the finished folder to the Hugging Face Hub.", "group": Group.OUTPUT}
    )
    hub_model_id: str | None = field(
        default=None,
        metadata={
            "help": "NAMESPACE/NAME there; by default the folder's name.",
            "metavar": "REPO",
            "group": Group.OUTPUT,
        },
    )
    report_to: None | str | list[str] = field(
        default="tensorboard", metadata={"help": "Where curves are written.", "metavar": "NAME", "group": Group.OUTPUT}
    )

    logging_strategy: str = field(default="epoch", metadata={"help": "When the training loss is logged."})
    save_strategy: str = field(default="epoch", metadata={"help": "When a checkpoint to resume from is saved."})
    save_total_limit: int | None = field(default=1, metadata={"help": "How many such checkpoints are kept."})
    hub_strategy: str = field(
        default="end", metadata={"help": "When --push_to_hub uploads: once, when the folder is finished."}
    )
    do_train: bool = field(default=True, metadata={"help": "Must stay on: recipes train."})
    do_eval: bool = field(default=True, metadata={"help": "Must stay on: validation clips, if any, are judged."})
    do_predict: bool = field(default=True, metadata={"help": "Must stay on: recipes end with the test clips."})
    remove_unused_columns: bool = field(default=False, metadata={"help": "Must stay off: rows are decoded on access."})
    dataloader_persistent_workers: bool = field(default=True, metadata={"help": "Keep loader workers over epochs."})

    def __post_init__(self) -> None:
        self.command = list(sys.argv)  # that the run is started by, in words; the card shows it
        self._set_deadline()
        self._choose_by_the_machine()
        self._choose_the_optimizer()
        ours = RecipeArguments.__dataclass_fields__  # what a recipe adds may be infinite
        check_trainer_flags(self, [name for name, entry in ours.items() if entry.init])
        # Of training clips the last, smaller batch is dropped always, see `AudioTrainer`, and of others none.
        self.dataloader_drop_last = False
        if self.background is not None and self.false_alarms_per_hour is None and self.validation_fraction == 0:
            self.validation_fraction = 0.15
        self._check_ranges()
        self._check_what_goes_together()
        if not self.data_may_validate:
            self.check_validation()
        self._choose_the_best_epoch()
        check_reporting(self.report_to)
        own, self.optim = self.optim, ADAMW if self.optim == MUON else self.optim  # transformers knows no other name
        super().__post_init__()
        self.optim = MUON if own == MUON else self.optim
        if self.search:
            self._check_search()

    @property
    def data_may_validate(self) -> bool:
        """Whether the recordings may come with a validation part, so that its share need not be given."""
        return False

    def check_validation(self) -> None:
        """Refuse what validation clips are needed for, where there are none.

        Where `data_may_validate`, it is known once the recordings are: `training.start.train_task` asks then.

        Raises:
            ArgumentError: there is such an argument.
        """
        if self.validation_fraction > 0:
            return
        needing = {
            "--load_best_model_at_end": self.load_best_model_at_end and not self.early_stopping_patience,
            "--early_stopping_patience": bool(self.early_stopping_patience),
            "--save_strategy best": self.save_strategy == "best",
            f"--lr_scheduler_type {self.lr_scheduler_type}": self.lr_scheduler_type in FOLLOWING_VALIDATION,
            "--eval_strategy": self.eval_strategy != "no",
            "--eval_on_start": self.eval_on_start,
            "--search": bool(self.search),
            "--refit": self.refit and type(self).refit is False,
        }
        for name in (name for name, given in needing.items() if given):
            raise ArgumentError(
                f"{name} goes by validation clips, and there are none: add --validation_fraction 0.1 (the test clips "
                "choose nothing)."
            )

    def _set_deadline(self) -> None:
        """Note when the run should be over, and how many seconds it has; trainings that share them have their own."""
        self.deadline: float | None = None
        self.allotted_seconds = math.inf
        if self.max_minutes is None:
            return
        if not 0 < self.max_minutes < math.inf:
            raise ArgumentError(
                f"--max_minutes {self.max_minutes:g} must be above 0: give the minutes of the whole run."
            )
        for name, given in {"--search": self.search, "--baseline": self.baseline}.items():
            if given:
                raise ArgumentError(
                    f"--max_minutes plans the training of one network, which {name} is not: leave one out."
                )
        self.allotted_seconds = 60 * self.max_minutes
        self.deadline = time.time() + self.allotted_seconds

    def _choose_by_the_machine(self) -> None:
        # Said outright, because Trainer refuses bfloat16 and several processes on a machine that merely has no GPU.
        self.use_cpu = self.use_cpu or not torch.accelerator.is_available()
        if self.fp16 and self.use_cpu and not self.bf16:
            logger.warning("--fp16 is of GPUs, and there is none: training in float32.")
            self.fp16 = self.bf16 = False
        if self.bf16 is None:
            self.bf16 = not self.fp16 and bf16_is_fast(self.use_cpu)
        if self.dataloader_num_workers is None:
            # Beside a model on every core, a worker would take a core from one of its threads, and so make all of them
            # wait, since they meet after every layer.
            taken = torch.get_num_threads() if self.use_cpu else 0
            self.dataloader_num_workers = min(4, max(count_cores() - taken, 0))
        self.dataloader_persistent_workers = self.dataloader_persistent_workers and self.dataloader_num_workers > 0

    def _choose_the_optimizer(self) -> None:
        # Muon was chosen on networks from scratch; one that was trained before shall stay near where it is.
        if self.optim is None:
            self.optim = MUON if self.model_name_or_path is None else ADAMW
        if self.learning_rate is None:
            self.learning_rate = MUON_RATE if self.optim == MUON else RATE

    def _check_ranges(self) -> None:
        if self.refresh_epochs < 1:
            raise ArgumentError(f"--refresh_epochs {self.refresh_epochs} must be at least 1.")
        for name in ("max_train_samples", "max_eval_samples"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ArgumentError(f"--{name} {getattr(self, name)} must be at least 1.")
        for name in ("mixup_alpha", "early_stopping_patience", "tta", "search"):
            if getattr(self, name) < 0:
                raise ArgumentError(f"--{name} {getattr(self, name)} must not be negative.")
        for name in ("unverified_weight", "loss_robustness"):
            if not 0 <= getattr(self, name) <= 1:
                raise ArgumentError(f"--{name} {getattr(self, name)} must lie between 0 and 1.")
        if self.false_alarms_per_hour is not None and not 0 < self.false_alarms_per_hour < math.inf:
            raise ArgumentError(f"--false_alarms_per_hour {self.false_alarms_per_hour} must be above 0.")
        if not 0 < self.layer_decay <= 1:
            raise ArgumentError(f"--layer_decay {self.layer_decay} must lie in (0, 1]: 0.75 is usual, 1 is none.")
        if not 0 <= self.ema_decay < 1:
            raise ArgumentError(f"--ema_decay {self.ema_decay} must lie in [0, 1).")
        if not 0 <= self.validation_fraction <= 0.5:
            raise ArgumentError(f"--validation_fraction {self.validation_fraction} must lie between 0 and 0.5.")

    def _check_what_goes_together(self) -> None:
        if self.data_dir is not None and self.download:
            raise ArgumentError("--data_dir and --download exclude each other: give one of them.")
        if self.background is not None and self.baseline:
            raise ArgumentError("--background trains a network, and --baseline is none: leave one out.")
        if self.unlabelled and self.teacher is None:
            raise ArgumentError("--unlabelled clips are learnt from a teacher: give --teacher too.")
        if self.false_alarms_per_hour is not None and self.background is None:
            raise ArgumentError("--false_alarms_per_hour is counted on recordings: give their folder, --background.")
        if self.refit and self.lr_scheduler_type in FOLLOWING_VALIDATION:
            raise ArgumentError(
                f"--lr_scheduler_type {self.lr_scheduler_type} follows validation, which the second training of "
                "--refit has not: leave one of them out."
            )
        if self.push_to_hub and self.baseline:
            raise ArgumentError("--push_to_hub uploads a network, and --baseline trains none: leave one of them out.")
        if self.hub_strategy != "end":
            raise ArgumentError(
                f"--hub_strategy {self.hub_strategy}: only a finished folder is uploaded; leave it out."
            )
        if self.fp16 and self.bf16:
            raise ArgumentError("--fp16 and --bf16 exclude each other: give one of them.")

    def _choose_the_best_epoch(self) -> None:
        if self.early_stopping_patience:
            self.load_best_model_at_end = True
        chooses = self.load_best_model_at_end and self.save_strategy != "best"
        watches = chooses or self.save_strategy == "best" or self.lr_scheduler_type in FOLLOWING_VALIDATION
        if self.eval_strategy == "no" and (watches or self.validation_fraction > 0):
            self.eval_strategy = "steps" if chooses and self.save_strategy == "steps" else "epoch"
            if self.eval_strategy == "steps" and self.eval_steps is None:
                self.eval_steps = self.save_steps
        if chooses and self.eval_strategy != self.save_strategy:
            raise ArgumentError(
                f"--load_best_model_at_end chooses among what is saved: --save_strategy {_value(self.save_strategy)} "
                f"must be --eval_strategy {_value(self.eval_strategy)}, with as many steps; give one as the other."
            )
        if (self.load_best_model_at_end or self.search or self.save_strategy == "best") and (
            self.metric_for_best_model is None
        ):
            self.metric_for_best_model = "accuracy"  # Trainer would take the loss
        if self.greater_is_better is None and str(self.metric_for_best_model).removeprefix("eval_") in ERROR_RATES:
            self.greater_is_better = False

    def _check_search(self) -> None:
        given = {
            "baseline": self.baseline,
            "push_to_hub": self.push_to_hub,
            "resume_from_checkpoint": self.resume_from_checkpoint is not None,
        }
        for name in (name for name, value in given.items() if value):
            raise ArgumentError(
                f"--search tries trainings and keeps no model, so --{name} goes not with it: leave it out."
            )
        if self.world_size > 1:
            raise ArgumentError("--search runs in one process: start it without torchrun or several processes.")
        if importlib.util.find_spec("optuna") is None:
            raise ArgumentError("--search: there is no optuna to search with, pip install 'hf-audio[search]'.")


def _value(strategy: Any) -> str:
    """The text of a member of transformers' enumerations, or of a text."""
    return str(getattr(strategy, "value", strategy))
