"""What must be the same for a run to go on: arguments, network, and what its processes run."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedConfig

from ...arguments import RecipeArguments
from ...errors import ArgumentError
from ..agreement import check_same_program
from .contents import ARGUMENTS_NAME

# What another run would choose for its own machine and folder is left to it.
NOT_SAVED = ("overwrite", "resume_from_checkpoint", "use_cpu", "hub_token", "push_to_hub_token")
# Of one machine, folder or run.
FREE_ARGUMENTS = {"output_dir", "run_name", "disable_tqdm", "report_to", "dataloader_num_workers", "search"}
# These, and others that change no weight and no result, may differ between the command that began a run and the one
# that goes on with it.
COMPARED_NOT = FREE_ARGUMENTS | {
    "dataloader_multiprocessing_context",
    "dataloader_persistent_workers",
    "dataloader_pin_memory",
    "dataloader_prefetch_factor",
    "do_eval",
    "do_predict",
    "do_train",
    "enable_jit_checkpoint",
    "hub_always_push",
    "hub_model_id",
    "hub_private_repo",
    "hub_revision",
    "hub_strategy",
    "local_rank",
    "log_level",
    "log_level_replica",
    "log_on_each_node",
    "logging_first_step",
    "logging_nan_inf_filter",
    "logging_steps",
    "logging_strategy",
    "per_device_eval_batch_size",
    "project",
    "push_to_hub",
    "save_on_each_node",
    "save_only_model",
    "save_steps",
    "save_strategy",
    "save_total_limit",
    "skip_memory_metrics",
    "strict",
    "trackio_bucket_id",
    "trackio_space_id",
    "trackio_static_space_id",
}
# Of one process of several. What the others do not share else, such as the steps to log at, has them wait for ever.
OF_A_PROCESS = FREE_ARGUMENTS | {
    "dataloader_multiprocessing_context",
    "dataloader_persistent_workers",
    "dataloader_pin_memory",
    "dataloader_prefetch_factor",
    "local_rank",
    "log_level",
    "log_level_replica",
}
# What a config tells of how it was saved.
NOT_OF_A_NETWORK = {
    "_name_or_path",
    "architectures",
    "auto_map",
    "dtype",
    "id2label",
    "label2id",
    "torch_dtype",
    "transformers_version",
    "use_cache",
}


def saved_arguments(args: RecipeArguments) -> dict[str, Any]:
    """The arguments that repeat a run."""
    return {name: value for name, value in args.to_dict().items() if name not in NOT_SAVED}


def check_same_arguments(args: RecipeArguments, folder: Path | None = None, may_grow: Sequence[str] = ()) -> None:
    """Refuse to go on in a folder whose run had other arguments.

    Args:
        args: of the command.
        folder: of the run; by default the command's.
        may_grow: numbers that may be greater than they were.

    Raises:
        ArgumentError: the folder's arguments are other ones.
    """
    folder = Path(args.output_dir) if folder is None else folder
    try:
        before = json.loads((folder / ARGUMENTS_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    now = json.loads(json.dumps(saved_arguments(args)))
    for name in sorted(set(before) & set(now) - COMPARED_NOT):
        if name in may_grow and 0 < before[name] < now[name]:
            continue
        if before[name] != now[name] and not _one_place(before[name], now[name]):
            raise ArgumentError(
                f"--output_dir {folder} holds what was trained with --{name} {before[name]}, not {now[name]}: give "
                "the same arguments to go on, or choose another folder."
            )


def _one_place(before: Any, now: Any) -> bool:
    """Whether two texts name one file or folder."""
    try:
        return isinstance(before, str) and isinstance(now, str) and os.path.samefile(before, now)
    except (OSError, ValueError):
        return False


def check_same_command(args: RecipeArguments) -> None:
    """Refuse to train by processes with other versions of packages, or with other arguments.

    Raises:
        ArgumentError: a version or an argument differs.
    """
    check_same_program(args, {name: value for name, value in args.to_dict().items() if name not in OF_A_PROCESS})


def check_same_network(config: PreTrainedConfig, checkpoint: Path) -> None:
    """Refuse to go on from a checkpoint of other classes or another network.

    config: of the network that is to go on.

    Raises:
        ArgumentError: they differ; the message names what.
    """
    before = type(config).from_pretrained(checkpoint)
    classes, now = (list((each.id2label or {}).values()) for each in (before, config))
    if classes != now:
        place = next((k for k, pair in enumerate(zip(classes, now, strict=False)) if pair[0] != pair[1]), None)
        other = f"{len(classes)} classes, and the recordings {len(now)}"
        if place is not None:
            other = f"{classes[place]!r} as class {place + 1}, and the recordings {now[place]!r}"
        raise ArgumentError(
            f"--resume_from_checkpoint: {checkpoint} has {other}: put the recordings back as they were, or begin in "
            "another folder."
        )
    saved, wanted = (json.loads(each.to_json_string(use_diff=False)) for each in (before, config))
    for name in sorted(set(saved) & set(wanted) - NOT_OF_A_NETWORK):
        if saved[name] != wanted[name]:
            raise ArgumentError(
                f"--resume_from_checkpoint: {checkpoint} is of a network with {name} {saved[name]}, and now it would "
                f"be {wanted[name]}: begin in another folder."
            )
