"""What a network is, counted: parameters, multiply-accumulates, bytes."""

import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch.utils.flop_counter import FlopCounterMode
from transformers import PreTrainedConfig, PreTrainedModel, SequenceFeatureExtractor

from ..errors import CheckpointError, DataError, DivergedError

LEAST_ROOM = 1 << 20  # bytes: a disk with less left is full


@dataclass
class NetworkFacts:
    """What a network is, counted."""

    config: PreTrainedConfig
    """An `AudioCNNConfig`, or an encoder's of transformers with the task's `sampling_rate` and `clip_seconds`."""
    parameters: int
    macs: int
    """Multiply-accumulates for one window of `config.clip_seconds`."""
    weights_bytes: int


def count_macs(model: PreTrainedModel, extractor: SequenceFeatureExtractor) -> int:
    """Multiply-accumulates of the convolutions and matrix products for one waveform of `config.clip_seconds`."""
    rate = extractor.sampling_rate
    silence = np.zeros(round(model.config.clip_seconds * rate), dtype=np.float32)
    inputs = extractor(silence, sampling_rate=rate, return_tensors="pt").to(model.device)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(**inputs)
    return counter.get_total_flops() // 2


def not_finite(state: Mapping[str, torch.Tensor]) -> str | None:
    """The name of a tensor that holds numbers that are not finite, if there is one."""
    for name, value in state.items():
        if isinstance(value, torch.Tensor) and value.is_floating_point() and not bool(value.isfinite().all()):
            return name
    return None


def check_weights(folder: Path) -> None:
    """Refuse a checkpoint whose weights are no finite numbers.

    Raises:
        CheckpointError: a file of weights cannot be read.
        DivergedError: there is such a weight.
    """
    for file in sorted(folder.glob("*.safetensors")):
        try:
            name = not_finite(load_file(file))
        except SafetensorError as error:
            raise CheckpointError(f"{file} holds no weights that can be read ({error}): put it back.") from error
        if name is not None:
            raise DivergedError(
                f"{file} holds weights that are not finite, {name} for one, as a training leaves them that has "
                "diverged: train again with a lower --learning_rate."
            )


@contextmanager
def full_disk_ends_in_a_sentence(folder: Path) -> Iterator[None]:
    """Weights are written by code whose errors are no `OSError`: those of a full disk become one sentence.

    Raises:
        DataError: there is no room left beside what is written.
    """
    try:
        yield
    except (SafetensorError, RuntimeError) as error:
        # torch does not say why it could not write; safetensors does, and what it had written is gone by now.
        if "No space left" not in str(error) and shutil.disk_usage(folder).free > LEAST_ROOM:
            raise
        raise DataError(
            f"{folder} cannot be written (No space left on device): make room there; a training then goes on with "
            "--resume_from_checkpoint last."
        ) from error


def save_network(model: PreTrainedModel, extractor: SequenceFeatureExtractor, folder: Path) -> NetworkFacts:
    """Leave a checkpoint in a folder, and count what it is.

    Raises:
        DataError: the disk is full.
        DivergedError: a weight is no finite number.
    """
    with full_disk_ends_in_a_sentence(folder):
        model.save_pretrained(folder)
    check_weights(folder)
    extractor.save_pretrained(folder)
    return NetworkFacts(
        config=model.config,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        macs=count_macs(model, extractor),
        weights_bytes=(folder / "model.safetensors").stat().st_size,
    )


def machine() -> str:
    """The machine in words, as figures are quoted with it."""
    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name()}, {os.cpu_count()} CPU cores"
    return f"{os.cpu_count()} CPU cores ({platform.machine()})"
