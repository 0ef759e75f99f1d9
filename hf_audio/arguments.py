"""The command line of a recipe: transformers' TrainingArguments with this project's defaults, and what data needs."""

import argparse
import importlib.util
import json
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import torch
import yaml
from transformers import HfArgumentParser, TrainingArguments

from .errors import ArgumentError

# Metrics of which less is better.
ERROR_RATES = frozenset({"cer", "cer_corpus", "equal_error_rate", "calibration_error"})
Arguments = TypeVar("Arguments", bound="RecipeArguments")


def bf16_is_fast(use_cpu: bool) -> bool:
    """Whether what trains, the GPU or the CPU, multiplies bfloat16 matrices in hardware."""
    if torch.cuda.is_available() and not use_cpu:
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


@dataclass
class RecipeArguments(TrainingArguments):
    """Every `TrainingArguments` flag, with the defaults that suit small sound classifiers, and the flags below."""

    data_dir: str | None = field(
        default=None,
        metadata={"help": "Folder of the task's recordings. Without it, a demo corpus is made on the spot."},
    )
    download: bool = field(
        default=False, metadata={"help": "Fetch the task's official recordings, once, instead of reading --data_dir."}
    )
    strict: bool = field(
        default=False, metadata={"help": "Stop at a file that cannot be used, instead of leaving it out."}
    )
    validation_fraction: float = field(
        default=0.0,
        metadata={"help": "Share of the training clips held out to watch the training and to choose its best epoch."},
    )
    refit: bool = field(
        default=False,
        metadata={
            "help": "Train again, on the validation clips too, for as many epochs as they chose; twice the time."
        },
    )
    early_stopping_patience: int = field(
        default=0, metadata={"help": "Stop after so many epochs without a better validation score; 0 never does."}
    )
    mixup_alpha: float = field(
        default=0.0, metadata={"help": "Mix pairs of clips and labels by weights from Beta(alpha, alpha); 0 does not."}
    )
    ema_decay: float = field(
        default=0.0,
        metadata={
            "help": "Average the weights over steps with this decay, and judge and save the average; 0 does not."
        },
    )

    refresh_epochs: int = field(
        default=10,
        metadata={"help": "Epochs for which the result of a costly augmentation serves before it is drawn anew."},
    )
    model_name_or_path: str | None = field(
        default=None,
        metadata={
            "help": "Finished folder or Hub id of a like network, or of an audio encoder of transformers (wav2vec2, "
            "AST, Whisper, ...), from whose weights training begins."
        },
    )
    freeze: str | None = field(
        default=None,
        metadata={
            "help": "What of --model_name_or_path learns nothing: `encoder`, all but the head; `front`, what hears "
            "the waveform or spectrogram first; or `none`. By default the front of a wav2vec2 and its like.",
            "choices": ["encoder", "front", "none"],
        },
    )
    layer_decay: float = field(
        default=1.0,
        metadata={
            "help": "Of --model_name_or_path, each layer learns by so much more slowly than the one above it, the "
            "head at the full rate; 1 lets all learn alike."
        },
    )
    pseudo_labels: str | None = field(
        default=None, metadata={"help": "Table of `hf-audio pseudo-label`, whose clips are trained on too."}
    )
    teacher: str | None = field(
        default=None,
        metadata={
            "help": "Finished folder or Hub id of a model of the same classes, whose scores an AudioCNN learns too."
        },
    )
    background: str | None = field(
        default=None,
        metadata={
            "help": "Folder of recordings of the place where the model will listen, without any of the classes: it "
            'learns to answer "none of these".'
        },
    )
    false_alarms_per_hour: float | None = field(
        default=None,
        metadata={
            "help": "How often the background may be taken for a class. By default, as seldom as costs hardly a clip, "
            "by the validation clips, which are then 0.15 of the training clips unless --validation_fraction says."
        },
    )
    unverified_weight: float = field(
        default=1.0, metadata={"help": "What clips whose label nobody has verified weigh in the loss; others weigh 1."}
    )
    loss_robustness: float = field(
        default=0.0,
        metadata={"help": "q of the generalised cross-entropy, which bears wrong labels better; 0 is the plain one."},
    )
    balance: str = field(
        default="none",
        metadata={
            "help": "Of classes with unequally many training clips: `sampler` shows those of the smaller ones more "
            "often, `loss` lets them weigh more; no clip is left out.",
            "choices": ["sampler", "loss", "none"],
        },
    )
    baseline: bool = field(
        default=False,
        metadata={"help": "Instead of a network, judge scikit-learn's MLPClassifier on statistics of the clips."},
    )
    search: int = field(
        default=0,
        metadata={
            "help": "Instead of one training, try so many settings of the arguments in the recipe's SEARCH_SPACE, "
            "judged by the validation clips; after a kill, the same command goes on."
        },
    )
    tta: int = field(
        default=0, metadata={"help": "Judge the test clips also by so many shifted crops each, averaged; 0 does not."}
    )

    per_device_train_batch_size: int = field(default=64, metadata={"help": "Training clips a device and step."})
    per_device_eval_batch_size: int = field(default=64, metadata={"help": "Evaluation clips a device and step."})
    learning_rate: float = field(default=2e-3, metadata={"help": "Peak learning rate of AdamW."})
    weight_decay: float = field(default=0.01, metadata={"help": "Weight decay of AdamW."})
    warmup_steps: float = field(default=0.1, metadata={"help": "Steps of rising learning rate; below 1, their share."})
    lr_scheduler_type: str = field(default="cosine", metadata={"help": "The learning rate's schedule."})
    logging_strategy: str = field(default="epoch", metadata={"help": "When the training loss is logged."})
    save_strategy: str = field(default="epoch", metadata={"help": "When a checkpoint to resume from is saved."})
    save_total_limit: int | None = field(default=1, metadata={"help": "How many such checkpoints are kept."})
    report_to: None | str | list[str] = field(default="tensorboard", metadata={"help": "Where curves are written."})
    hub_strategy: str = field(
        default="end", metadata={"help": "When --push_to_hub uploads: once, when the folder is finished."}
    )
    remove_unused_columns: bool = field(default=False, metadata={"help": "Must stay off: rows are decoded on access."})
    dataloader_persistent_workers: bool = field(default=True, metadata={"help": "Keep loader workers over epochs."})
    bf16: bool | None = field(
        default=None, metadata={"help": "Train in bfloat16. By default, where the hardware multiplies it natively."}
    )
    dataloader_num_workers: int | None = field(
        default=None,
        metadata={
            "help": "Processes that augment clips. By default one for each core that the model leaves, at most 4."
        },
    )

    def __post_init__(self) -> None:
        self._choose_by_the_machine()
        if self.background is not None and self.false_alarms_per_hour is None and self.validation_fraction == 0:
            self.validation_fraction = 0.15
        if self.validation_fraction > 0:
            self.eval_strategy = "epoch" if self.eval_strategy == "no" else self.eval_strategy
        self._check_ranges()
        self._check_what_goes_together()
        self._choose_the_best_epoch()
        super().__post_init__()
        if self.search:
            self._check_search()

    def _choose_by_the_machine(self) -> None:
        # Said outright, because Trainer refuses bfloat16 and several processes on a machine that merely has no GPU.
        self.use_cpu = self.use_cpu or not torch.accelerator.is_available()
        self.bf16 = bf16_is_fast(self.use_cpu) if self.bf16 is None else self.bf16
        if self.dataloader_num_workers is None:
            # Beside a model on every core, a worker would take a core from one of its threads, and so make all of them
            # wait, since they meet after every layer.
            taken = torch.get_num_threads() if self.use_cpu else 0
            self.dataloader_num_workers = min(4, max((os.cpu_count() or 1) - taken, 0))
        self.dataloader_persistent_workers = self.dataloader_persistent_workers and self.dataloader_num_workers > 0

    def _check_ranges(self) -> None:
        if self.refresh_epochs < 1:
            raise ArgumentError(f"--refresh_epochs {self.refresh_epochs} must be at least 1.")
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
        if self.false_alarms_per_hour is not None and self.background is None:
            raise ArgumentError("--false_alarms_per_hour is counted on recordings: give their folder, --background.")
        if self.validation_fraction == 0 and (self.load_best_model_at_end or self.early_stopping_patience):
            raise ArgumentError(
                "--load_best_model_at_end and --early_stopping_patience choose by a validation split: add "
                "--validation_fraction 0.1 (the test clips choose nothing)."
            )
        if self.refit and self.lr_scheduler_type in ("reduce_lr_on_plateau", "greedy"):
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

    def _choose_the_best_epoch(self) -> None:
        if self.early_stopping_patience:
            self.load_best_model_at_end = True
        if (self.load_best_model_at_end or self.search) and self.metric_for_best_model is None:
            self.metric_for_best_model = "accuracy"  # Trainer would take the loss
        if self.greater_is_better is None and str(self.metric_for_best_model).removeprefix("eval_") in ERROR_RATES:
            self.greater_is_better = False

    def _check_search(self) -> None:
        if self.validation_fraction == 0:
            raise ArgumentError(
                "--search judges by validation clips: add --validation_fraction 0.1 (the test clips choose nothing)."
            )
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


def parse_arguments(arguments_class: type[Arguments], argv: Sequence[str] | None = None) -> Arguments:
    """Flags of the command line, and before them those of `--config FILE.yaml`, to an instance of `arguments_class`.

    Raises:
        ArgumentError: the file is missing or is not a table of values, or an argument does not exist or cannot be.
    """
    parser = HfArgumentParser(arguments_class, allow_abbrev=False)
    parser.error = _refuse  # argparse would print a page of usage above its sentence
    parser.add_argument("--config", metavar="FILE.yaml", help="Arguments from a file; flags take precedence over it.")
    file = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    file.add_argument("--config", action="append", default=[])
    found, flags = file.parse_known_args(sys.argv[1:] if argv is None else list(argv))
    if len(found.config) > 1:
        raise ArgumentError(f"--config is given {len(found.config)} times: give one file.")
    # Values become text on the command line, so that `1e-3`, a string to YAML, is the number it was meant to be.
    argv = [*(_read_config(Path(found.config[0]), parser) if found.config else []), *flags]
    try:
        arguments, *_, unknown = parser.parse_args_into_dataclasses(argv, return_remaining_strings=True)
    except ArgumentError:
        raise
    except (ValueError, ImportError) as error:  # TrainingArguments' own checks
        raise ArgumentError(" ".join(str(error).split())) from error
    if unknown:
        raise ArgumentError(f"{' '.join(unknown)}: no such argument; see --help.")
    return arguments


def _refuse(message: str) -> NoReturn:
    raise ArgumentError(f"{message}.")


def _read_config(path: Path, parser: HfArgumentParser) -> list[str]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ArgumentError(f"--config {path} cannot be read ({error.strerror}): check the path.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ArgumentError(f"--config {path} is not YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(values, dict):
        raise ArgumentError(f"--config {path} must hold lines of the form `name: value`.")
    known = {action.dest for action in parser._actions}
    flags: list[str] = []
    for name, value in values.items():
        if name not in known:
            raise ArgumentError(f"--config {path} names {name!r}, which is no argument: see --help.")
        if name == "report_to" and value == []:
            value = "none"
        if name.endswith("_strategy") and value is False:
            value = "no"  # which YAML reads as false
        if value is not None and value != []:
            flags += [f"--{name}", *(map(str, value) if isinstance(value, list) else [_as_text(value)])]
    return flags


def _as_text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, dict) else str(value)
