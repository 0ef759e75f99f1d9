"""What transformers' own training flags mean here: which are refused, why, and between which ends others must lie."""

import json
import math
import os
from collections.abc import Iterable
from dataclasses import MISSING, Field
from typing import Any

from transformers import TrainingArguments

from .errors import ArgumentError

TEXT = "it is of language models"
LARGE = "it shares out networks that are too large for one device, and these are small"
SCORES = "the metrics are of the scores of all clips together"
# Flags that could not be kept, each with the reason: every value is refused but the default, which means nothing.
REFUSED = {
    "include_num_input_tokens_seen": TEXT,
    "liger_kernel_config": TEXT,
    "neftune_noise_alpha": TEXT,
    "use_cache": TEXT,
    "use_liger_kernel": TEXT,
    "deepspeed": LARGE,
    "fsdp": LARGE,
    "parallelism_config": LARGE,
    "batch_eval_metrics": SCORES,
    "eval_do_concat_batches": SCORES,
    "include_for_metrics": SCORES,
    "prediction_loss_only": SCORES,
    "bf16_full_eval": "clips are judged in float32, as whoever uses the model will",
    "fp16_full_eval": "clips are judged in float32, as whoever uses the model will",
    "auto_find_batch_size": "it would change the batch without a word; give --per_device_train_batch_size, and "
    "--gradient_accumulation_steps for larger steps",
    "hub_always_push": "only a finished folder is uploaded",
    "label_names": "the labels are those of the recordings",
    "length_column_name": "clips are as long as their recordings, or as the network's windows",
    "remove_unused_columns": "rows are decoded when they are read, from columns that no network knows",
}
# Recipes do all of this; `false` would ask for something else.
ALWAYS = {
    "do_train": "a recipe trains; `hf-audio predict` judges recordings with a finished network",
    "do_eval": "validation clips are judged where there are any; leave --validation_fraction at 0 for none",
    "do_predict": "a recipe ends with the test clips",
}
# Flags that are of another one, and what that must be.
PART_OF = {
    "activation_checkpointing_kwargs": ("activation_checkpointing", "--activation_checkpointing true"),
    "gradient_checkpointing_kwargs": ("gradient_checkpointing", "--gradient_checkpointing true"),
    "hub_model_id": ("push_to_hub", "--push_to_hub true"),
    "hub_private_repo": ("push_to_hub", "--push_to_hub true"),
    "hub_revision": ("push_to_hub", "--push_to_hub true"),
    "torch_compile_backend": ("torch_compile", "--torch_compile true"),
    "torch_compile_mode": ("torch_compile", "--torch_compile true"),
}
# What torch.utils.checkpoint takes, and transformers for it.
CHECKPOINTING = frozenset(
    {"use_reentrant", "preserve_rng_state", "determinism_check", "debug", "early_stop", "every_n_layers", "offload"}
)
# Objects of JSON that may also be the name of a file.
FILES = frozenset({"accelerator_config", "deepspeed", "fsdp_config"})
AT_LEAST = {
    "adam_beta1": 0,
    "adam_beta2": 0,
    "adam_epsilon": 0,
    "data_seed": 0,
    "dataloader_num_workers": 0,
    "dataloader_prefetch_factor": 1,
    "ddp_timeout": 1,
    "eval_accumulation_steps": 1,
    "eval_delay": 0,
    "gradient_accumulation_steps": 1,
    "label_smoothing_factor": 0,
    "learning_rate": 0,
    "max_steps": -1,
    "per_device_eval_batch_size": 1,
    "per_device_train_batch_size": 1,
    "seed": 0,
    "torch_empty_cache_steps": 1,
    "warmup_steps": 0,
    "weight_decay": 0,
}
ABOVE_ZERO = ("num_train_epochs", "eval_steps", "save_steps", "logging_steps")
BELOW = {"adam_beta1": 1, "adam_beta2": 1, "label_smoothing_factor": 1, "seed": 2**32, "data_seed": 2**32}
UNBOUNDED = frozenset({"max_grad_norm"})  # infinity: measured, and never clipped


def check_trainer_flags(args: TrainingArguments, names: Iterable[str]) -> None:
    """Refuse flags that would do nothing, do harm or end in a traceback later; before transformers reads them.

    names: of the arguments that must be finite where they are numbers.

    Raises:
        ArgumentError: there is one; the message says which and why.
    """
    fields = type(args).__dataclass_fields__
    for name, reason in REFUSED.items():
        if name in fields and not _means_nothing(getattr(args, name), _default(fields[name])):
            raise ArgumentError(f"--{name} {_shown(getattr(args, name))}: {reason}; leave it out.")
    for name, reason in ALWAYS.items():
        if not getattr(args, name):
            raise ArgumentError(f"--{name} false: {reason}.")
    for name, (flag, needed) in PART_OF.items():
        if getattr(args, name, None) is not None and not getattr(args, flag):
            raise ArgumentError(f"--{name} does nothing without {needed}: give both, or leave it out.")
    if getattr(args, "train_sampling_strategy", "random") == "group_by_length":
        raise ArgumentError(
            "--train_sampling_strategy group_by_length: the excerpts to train on are of one length; leave it out."
        )
    if args.optim_target_modules and not str(args.optim).startswith(("galore", "apollo")):
        raise ArgumentError(
            f"--optim_target_modules is of --optim galore_... and apollo_..., not of {args.optim}: leave it out."
        )
    if args.ddp_backend is not None and int(os.environ.get("WORLD_SIZE", "1")) == 1:
        raise ArgumentError("--ddp_backend is of several processes, and this is one: start them by torchrun.")
    check_objects(args)
    check_numbers(args, names)
    check_loader(args)


def check_objects(args: TrainingArguments) -> None:
    """Refuse what should be an object of JSON and is none, or names what nobody reads.

    Raises:
        ArgumentError: there is such a flag.
    """
    for name in sorted(set(args._VALID_DICT_FIELDS) - FILES):
        value = getattr(args, name, None)
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError:
                value = None
            if not isinstance(value, dict):
                raise ArgumentError(
                    f"--{name} {getattr(args, name)} is no object of JSON: write it as '{{\"name\": value}}'."
                )
        unknown = sorted(set(value or {}) - CHECKPOINTING) if name.endswith("checkpointing_kwargs") else []
        if unknown:
            raise ArgumentError(
                f"--{name} has no {unknown[0]!r}: there are {', '.join(sorted(CHECKPOINTING))}; mend it."
            )


def check_numbers(args: TrainingArguments, names: Iterable[str]) -> None:
    """Refuse numbers that are none, or beyond what their flags can mean.

    names: as in `check_trainer_flags`.

    Raises:
        ArgumentError: there is one.
    """
    values = {name: getattr(args, name) for name in names}
    numbers = {name: value for name, value in values.items() if isinstance(value, int | float)}
    for name, value in numbers.items():
        if math.isnan(value) or (math.isinf(value) and name not in UNBOUNDED):
            raise ArgumentError(f"--{name} {value} is no number to compute with: give another one.")
        if name in AT_LEAST and value < AT_LEAST[name]:
            raise ArgumentError(f"--{name} {value} must be at least {AT_LEAST[name]}.")
        if name in BELOW and value >= BELOW[name]:
            raise ArgumentError(f"--{name} {value} must be below {BELOW[name]}.")
    for name in ABOVE_ZERO:
        if numbers.get(name, 1) <= 0 and not (name == "num_train_epochs" and args.max_steps > 0):
            raise ArgumentError(f"--{name} {numbers[name]} must be above 0.")
    if args.max_steps == 0:
        raise ArgumentError("--max_steps 0 trains nothing: give 1 or more, or -1 to train by epochs.")


def check_loader(args: TrainingArguments) -> None:
    """Refuse flags of loader workers where there are none.

    Raises:
        ArgumentError: there is one.
    """
    for name in ("dataloader_prefetch_factor", "dataloader_multiprocessing_context"):
        if getattr(args, name, None) is not None and not args.dataloader_num_workers:
            raise ArgumentError(f"--{name} is of processes that load clips: give --dataloader_num_workers 1 or more.")


def check_reporting(report_to: str | list[str] | None) -> None:
    """Refuse a place to report to that is unknown, or whose package is missing.

    Raises:
        ArgumentError: there is one; the message says what to install.
    """
    from transformers.integrations import get_reporting_integration_callbacks

    for name in [report_to] if isinstance(report_to, str) else report_to or []:
        if name in ("all", "none", "tensorboard"):  # the last is always installed, and takes a second to load
            continue
        try:
            for callback in get_reporting_integration_callbacks([name]):
                callback()
        except Exception as error:  # each package has its own
            reason = " ".join(str(error).split()).removesuffix(".")
            raise ArgumentError(
                f"--report_to {name} cannot be reported to ({reason}): install it, or choose tensorboard or none."
            ) from error


def _default(entry: Field) -> Any:
    return entry.default_factory() if entry.default_factory is not MISSING else entry.default


def _means_nothing(value: Any, default: Any) -> bool:
    """Whether a value is the default, or as good as none."""
    return value == default or value in (None, "", "no", []) or (value is False and not isinstance(default, bool))


def _shown(value: Any) -> str:
    shown = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return shown.lower() if isinstance(value, bool) else shown
