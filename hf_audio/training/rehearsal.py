"""One step with a command's training arguments, before any time is spent: what transformers makes of them is seen."""

import copy
import logging
import tempfile
from contextlib import redirect_stdout
from io import StringIO

import torch
from torch import nn
from transformers import PrinterCallback, Trainer
from transformers.trainer_utils import IntervalStrategy, SaveStrategy
from transformers.training_args import OptimizerNames

from ..arguments import ADAMW, MUON, RecipeArguments
from ..errors import ArgumentError

# What only a real network, its data or its user needs.
LEFT_OUT = {
    "auto_find_batch_size": False,
    "dataloader_multiprocessing_context": None,
    "dataloader_num_workers": 0,
    "dataloader_persistent_workers": False,
    "dataloader_prefetch_factor": None,
    "disable_tqdm": True,
    "enable_jit_checkpoint": False,
    "eval_on_start": False,
    "eval_strategy": IntervalStrategy.NO,
    "gradient_accumulation_steps": 1,
    "activation_checkpointing": False,
    "gradient_checkpointing": False,
    "label_smoothing_factor": 0.0,
    "load_best_model_at_end": False,
    "logging_strategy": IntervalStrategy.NO,
    "max_steps": 2,
    "num_train_epochs": 1,
    "per_device_train_batch_size": 2,
    "push_to_hub": False,
    "report_to": [],
    "resume_from_checkpoint": None,
    "save_strategy": SaveStrategy.NO,
    "warmup_steps": 0,
}
# Schedules that need nothing but how many steps there are.
PLAIN_SCHEDULES = frozenset({"cosine", "linear", "constant", "constant_with_warmup"})


class _Weight(nn.Module):
    """A network of one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def forward(self, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"loss": self.layer(inputs).square().mean()}


def rehearse(args: RecipeArguments) -> None:
    """Train a network of one weight for two steps, as transformers' Trainer does it with these arguments.

    Optimisers, schedules and much else read their arguments only when a training starts, and refuse them each in its
    own way, after hours of decoding. Where all of these have their usual values, there is nothing to see.

    Raises:
        ArgumentError: the steps cannot be made; the message tells the reason.
    """
    rehearsed = copy.copy(args)
    if args.optim == MUON:  # which is no optimizer of transformers
        rehearsed.optim = OptimizerNames(ADAMW)
    if args.lr_scheduler_type in PLAIN_SCHEDULES and not _unusual(rehearsed):
        return
    for name, value in LEFT_OUT.items():
        if hasattr(rehearsed, name):
            setattr(rehearsed, name, value)
    clips = [{"inputs": torch.ones(1)}] * (4 * args.world_size)
    logger = logging.getLogger("transformers.trainer")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with tempfile.TemporaryDirectory() as folder, redirect_stdout(StringIO()):
            rehearsed.output_dir = folder
            trainer = Trainer(_Weight(), rehearsed, train_dataset=clips)
            trainer.remove_callback(PrinterCallback)
            trainer.train()
    except Exception as error:  # dozens of optimisers, schedules and packages have their own
        reason = " ".join(str(error).split()).removesuffix(".") or type(error).__name__
        raise ArgumentError(
            f"No training can be made with these arguments of transformers ({reason}): mend or leave out the one that "
            "is meant."
        ) from error
    finally:
        logger.setLevel(level)


def _unusual(args: RecipeArguments) -> bool:
    """Whether a flag that transformers alone reads has another value than it has by itself on this machine."""
    usual = RecipeArguments(output_dir=args.output_dir, use_cpu=args.use_cpu, optim=ADAMW).to_dict()
    ours = {*RecipeArguments.__annotations__, *LEFT_OUT} - {"optim"}  # which may be one of dozens
    return any(value != usual[name] for name, value in args.to_dict().items() if name in usual and name not in ours)
