"""What a server is started with: checkpoints under their names, limits of requests, and the token of its clients."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import ArgumentError
from ..inference.checkpoint import ONNX_SUFFIX
from .callers import Callers

TOKEN_VARIABLE = "HF_AUDIO_TOKEN"
NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Limits:
    """What a client may ask for, and how long it may take."""

    max_megabytes: float = 32
    """Of a request's body, in units of 1e6 bytes."""
    max_seconds: float = 300
    """Of a recording."""
    max_queue: int = 128
    """Requests that are being decoded and scored, or wait for it."""
    max_streams: int = 32
    """Streams that are open."""
    timeout_seconds: float = 30
    """For a body to arrive, then for its answer, and for a stream's next block."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 < value < float("inf"):
                raise ArgumentError(f"{name}={value} must be positive.")

    @property
    def max_bytes(self) -> int:
        """The most bytes of a request's body."""
        return round(self.max_megabytes * 1e6)


def name_checkpoints(arguments: Sequence[str]) -> dict[str, str]:
    """`NAME=CHECKPOINT` or a checkpoint, which is then called by its folder or file -> name: checkpoint.

    Raises:
        ArgumentError: two of one name, or a name that cannot stand in an address.
    """
    checkpoints: dict[str, str] = {}
    for argument in arguments:
        name, equals, checkpoint = argument.partition("=")
        if not equals or Path(argument).exists():
            checkpoint = argument
            path = Path(argument).resolve() if Path(argument).exists() else Path(argument)
            name = path.stem if path.suffix == ONNX_SUFFIX else path.name
        if not NAME.fullmatch(name):
            raise ArgumentError(
                f"{name!r} is no name for a model: give NAME={checkpoint}, of letters, digits, . _ and -."
            )
        if name in checkpoints:
            raise ArgumentError(f"Two models are called {name}: give NAME={checkpoint} another name.")
        checkpoints[name] = checkpoint
    return checkpoints


def read_token(file: Path | None) -> str | None:
    """The token in a file or else in the environment; without either, there is none.

    Raises:
        ArgumentError: it cannot be read or is empty.
    """
    if file is None:
        source, token = TOKEN_VARIABLE, os.environ.get(TOKEN_VARIABLE)
        if token is None:
            return None
    else:
        source = str(file)
        try:
            token = file.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ArgumentError(f"{file} cannot be read ({reason}): write the token into it.") from error
    token = token.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ArgumentError(f"{source} holds no token: write one into it, of ASCII letters, digits and signs.")
    return token


@dataclass(frozen=True)
class Settings:
    """What is served, and to whom."""

    checkpoints: dict[str, str]
    limits: Limits
    token: str | None
    site: Path | None
    callers: Callers
