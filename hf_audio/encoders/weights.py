"""Weights taken out of packages, under the names that the networks of `models` give them. No pickle is executed."""

import io
import re
from collections.abc import Callable, Mapping
from typing import Any
from zipfile import ZipFile

import numpy as np
import torch

from .tflite import read_constants

Weights = dict[str, torch.Tensor]


def read_ge2e(wheel: ZipFile) -> Weights:
    """Resemblyzer's: LSTMs of one layer each, where the original has one of three."""
    found = _load(wheel, "resemblyzer/pretrained.pt")["model_state"]
    weights = {}
    for name, tensor in found.items():
        if of_layer := re.fullmatch(r"lstm\.(.+)_l(\d)", name):
            weights[f"network.layers.{of_layer[2]}.{of_layer[1]}_l0"] = tensor
        elif name.startswith("linear."):
            weights[name.replace("linear.", "network.projection.")] = tensor
    return weights


def read_speech(wheel: ZipFile) -> Weights:
    """Google's: convolutions with their batch normalisation folded in, whose kernels have their channels last."""
    constants = read_constants(wheel.read("pyopen_wakeword/models/embedding_model.tflite"))
    kernels = _numbered(constants, r"model/conv2d(?:_(\d+))?/Conv2D1?", n_axes=4)
    biases = _numbered(constants, r"model/batch_normalization(?:_(\d+))?/.*", n_axes=1)
    biases += _numbered(constants, r"model/conv2d(?:_(\d+))?/Conv2D", n_axes=1)  # the last one's
    stages = [3, 4, 4, 4, 4]
    names = [f"layers.{stage}.convolutions.{place}" for stage, n in enumerate(stages) for place in range(n)]
    weights = {}
    for name, kernel, bias in zip([*names, "projection"], kernels, biases, strict=True):
        weights[f"network.{name}.weight"] = torch.from_numpy(kernel.transpose(0, 3, 1, 2).copy())
        weights[f"network.{name}.bias"] = torch.from_numpy(bias.copy())
    return weights


def read_sfx(wheel: ZipFile) -> Weights:
    """The encoder of aisfx, without the heads for the libraries that it was trained on."""
    scalar = np._core.multiarray.scalar  # type: ignore[attr-defined]
    allowed: list[Any] = [(scalar, "numpy.core.multiarray.scalar"), np.dtype, type(np.dtype(np.int64))]
    with torch.serialization.safe_globals(allowed):
        found, _ = _load(wheel, "aisfx/models/checkpoint.pth")
    weights = {}
    for name, tensor in found.items():
        if of_block := re.fullmatch(r"embedding_net\.conv_block(\d)\.(.+)", name):
            weights[f"network.layers.{int(of_block[1]) - 1}.{of_block[2]}"] = tensor
    return weights


READERS: Mapping[str, Callable[[ZipFile], Weights]] = {"ge2e": read_ge2e, "speech": read_speech, "sfx": read_sfx}


def _load(wheel: ZipFile, name: str) -> Any:
    return torch.load(io.BytesIO(wheel.read(name)), map_location="cpu", weights_only=True)


def _numbered(constants: list[tuple[str, np.ndarray]], pattern: str, n_axes: int) -> list[np.ndarray]:
    """The constants of so many axes whose names fit, in the order of the number in them, 0 where there is none."""
    found = [
        (int(fits[1] or 0), values)
        for name, values in constants
        if values.ndim == n_axes and (fits := re.fullmatch(pattern, name.split(";")[0]))
    ]
    return [values for _, values in sorted(found, key=lambda pair: pair[0])]
