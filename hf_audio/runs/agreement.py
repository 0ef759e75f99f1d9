"""What the processes of one training agree on, on however many machines they run."""

import logging
import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeVar

import torch.distributed

from .. import __version__
from ..arguments import RecipeArguments
from ..errors import ArgumentError, Refusal

Value = TypeVar("Value")

logger = logging.getLogger(__name__)

# Packages whose versions decide what weights come out.
PACKAGES = ("torch", "transformers", "accelerate", "datasets", "numpy", "audiomentations")
# How gloo and the store that processes meet at say that another one is gone.
LOST = re.compile(
    r"closed by peer|reset by peer|broken pipe|socket closed|connection was likely closed", re.IGNORECASE
)


def gather(args: RecipeArguments, value: Value) -> list[Value]:
    """What each process of the training gives, in their order; all of them must call it."""
    if args.world_size == 1:
        return [value]
    values: list[Any] = [None] * args.world_size
    torch.distributed.all_gather_object(values, value)
    return values


def refuse_together(args: RecipeArguments, function: Callable[[], Value]) -> Value:
    """What a function gives; what it refuses in one process, all refuse, so that none waits for another.

    Raises:
        ArgumentError: the function refuses in some process.
    """
    refusal = None
    try:
        value = function()
    except Refusal as error:
        refusal = str(error)
    for sentence in gather(args, refusal):
        if sentence is not None:
            raise ArgumentError(sentence)
    return value


def check_alike(args: RecipeArguments, facts: Mapping[str, object], remedy: str) -> None:
    """Refuse to train where something differs between processes that must be the same in all.

    Args:
        args: of the training.
        facts: what is compared by its name, with its value in this process.
        remedy: how to mend a difference.

    Raises:
        ArgumentError: something differs; the message names it and the machines.
    """
    (host, expected), *others = gather(args, (socket.gethostname(), dict(facts)))
    for number, (other, found) in enumerate(others, 1):
        for name, value in expected.items():
            if found.get(name) != value:
                raise ArgumentError(
                    f"{name}: {value} in process 0 on {host}, {found.get(name)} in process {number} on {other}: "
                    f"{remedy}."
                )


def check_same_program(args: RecipeArguments, arguments: Mapping[str, object]) -> None:
    """Refuse to train by processes with other versions of packages, or with other arguments.

    arguments: of this process, those alone that all must share.

    Raises:
        ArgumentError: a version or an argument differs.
    """
    if args.world_size == 1:
        return
    check_alike(args, {"hf_audio": __version__} | {name: _version(name) for name in PACKAGES}, "install the same")
    # Each machine may have its recordings and weights in a place of its own.
    alike = {
        f"--{name}": value
        for name, value in arguments.items()
        if value is None or isinstance(value, bool | int | float) or (isinstance(value, str) and not _is_place(value))
    }
    check_alike(args, alike, "start all processes with the same arguments")


def warn_of_old_addresses() -> None:
    """Say where torchrun will hand the addresses of ended processes to those that it starts in their place.

    They lie in a store that outlives the processes (issue 135712 of PyTorch), and what finds them connects to nobody.
    """
    restarts = int(os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0"))
    if restarts > 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        logger.warning(
            "--max_restarts %d: processes that are started again may not find one another; start torchrun with "
            "TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 in its environment, and --rdzv_backend c10d.",
            restarts,
        )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _is_place(value: str) -> bool:
    return "/" in value or "\\" in value or os.path.exists(value)


@contextmanager
def each_for_itself() -> Iterator[None]:
    """Within it, each process works on clips of its own, and what it refuses the others may not know of."""
    try:
        yield
    except Refusal as error:
        error.alone = True
        raise


@contextmanager
def lost_processes_are_told() -> Iterator[None]:
    """Within it, an error of the connection to another process becomes one sentence.

    Raises:
        ArgumentError: another process is gone.
    """
    try:
        yield
    except RuntimeError as error:
        if not torch.distributed.is_initialized() or not LOST.search(str(error)):
            raise
        raise ArgumentError(
            f"The connection to another process of this training was lost ({_first_line(error)}): what that one says "
            "on its own machine tells why."
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".:")
