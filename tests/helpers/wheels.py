"""Packages with networks in them, made on the spot with random weights, and the encoders that this machine has."""

import hashlib
import io
import struct
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from hf_audio import AudioEncoderConfig, AudioEncoderModel
from hf_audio.encoders.names import cache_folder
from hf_audio.encoders.sources import SOURCES

LICENCE = "Do as you like, and say whose it is."


def random_encoder(name: str) -> AudioEncoderModel:
    """The same at every call."""
    torch.manual_seed(0)
    return AudioEncoderModel(AudioEncoderConfig(encoder=name)).eval()


def fetched_encoder(name: str) -> AudioEncoderModel:
    """The real one; the test that asks for it is skipped where it was never fetched."""
    folder = cache_folder(name)
    if not folder.is_dir():
        pytest.skip(f"the encoder {name} is not in the cache")
    return AudioEncoderModel.from_pretrained(folder).eval()


def write_wheel(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package of an encoder with the weights of `random_encoder`, which is known from now on by its checksum."""
    wheel = SOURCES[name].wheel
    path = folder / f"{wheel.name.replace('-', '_')}-{wheel.version}-{next(iter(wheel.checksums))}.whl"
    state = {key.removeprefix("network."): value for key, value in random_encoder(name).state_dict().items()}
    member, content = {"ge2e": _resemblyzer, "speech": _pyopen_wakeword, "sfx": _aisfx}[name](state)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, content)
        archive.writestr(f"{wheel.name}-{wheel.version}.dist-info/LICENSE", LICENCE)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(SOURCES, name, replace(SOURCES[name], wheel=replace(wheel, checksums={"any": digest})))
    return path


def _saved(value: object) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def _resemblyzer(state: dict[str, torch.Tensor]) -> tuple[str, bytes]:
    weights = {"similarity_weight": torch.ones(1)}
    for key, value in state.items():
        if key.startswith("layers."):
            _, layer, name = key.split(".")
            weights[f"lstm.{name.removesuffix('0')}{layer}"] = value
        else:
            weights[key.replace("projection", "linear")] = value
    return "resemblyzer/pretrained.pt", _saved({"step": 1, "model_state": weights, "optimizer_state": {}})


def _aisfx(state: dict[str, torch.Tensor]) -> tuple[str, bytes]:
    weights = {"fc.0.0.weight": torch.ones(1)}
    for key, value in state.items():
        _, block, name = key.split(".", 2)
        weights[f"embedding_net.conv_block{int(block) + 1}.{name}"] = value
    return "aisfx/models/checkpoint.pth", _saved((weights, {"library": (0, 78)}))


def _pyopen_wakeword(state: dict[str, torch.Tensor]) -> tuple[str, bytes]:
    """Its constants stand in another order than the layers, as in the original."""
    names = [key.removesuffix(".weight") for key in state if key.endswith(".weight")]
    constants = [("model/zero_padding2d/Pad/paddings", np.zeros(8, dtype=np.float32))]
    for number, name in enumerate(names):
        place = f"_{number}" if number else ""
        bias = f"model/batch_normalization{place}/FusedBatchNormV3;model/conv2d_2/Conv2D"
        last = number == len(names) - 1
        constants.append((f"model/conv2d{place}/Conv2D" if last else bias, state[f"{name}.bias"].numpy()))
        kernel = state[f"{name}.weight"].numpy().transpose(0, 2, 3, 1)
        constants.append((f"model/conv2d{place}/Conv2D" + "1" * last, kernel))
    return "pyopen_wakeword/models/embedding_model.tflite", tflite_file(constants[::-1])


# --- FlatBuffers: whatever is pointed to stands behind what points to it ---------------------------------------------

Write = Callable[[bytearray], int]
"""Appends something and returns where it begins."""


def tflite_file(constants: Sequence[tuple[str, np.ndarray]]) -> bytes:
    """A TensorFlow Lite file with one graph, which has these constants and no operators."""
    tensors = [
        _table({0: _vector(np.array(values.shape, "<i4")), 2: number, 3: _vector(np.frombuffer(name.encode(), "u1"))})
        for number, (name, values) in enumerate(constants, start=1)
    ]
    contents = [_table({0: _vector(np.frombuffer(values.astype("<f4").tobytes(), "u1"))}) for _, values in constants]
    buffers = [_table({}), *contents]  # the first one is empty, in every such file
    out = bytearray(8)
    model = _table({0: 3, 2: _tables([_table({0: _tables(tensors)})]), 4: _tables(buffers)})(out)
    struct.pack_into("<I4s", out, 0, model, b"TFL3")
    return bytes(out)


def _table(fields: dict[int, int | Write]) -> Write:
    def write(out: bytearray) -> int:
        size = 1 + max(fields, default=-1)
        offsets = [4 + 4 * list(fields).index(number) if number in fields else 0 for number in range(size)]
        start = len(out)
        out += struct.pack(f"<HH{size}H", 4 + 2 * size, 4 + 4 * len(fields), *offsets) + bytes(2 * (size % 2))
        place = len(out)
        out += struct.pack("<i", place - start) + bytes(4 * len(fields))
        for number, value in enumerate(fields.values()):
            _fill(out, place + 4 + 4 * number, value)
        return place

    return write


def _fill(out: bytearray, place: int, value: int | Write) -> None:
    number = value if isinstance(value, int) else value(out) - place
    struct.pack_into("<I", out, place, number)


def _tables(tables: Sequence[Write]) -> Write:
    def write(out: bytearray) -> int:
        place = len(out)
        out += struct.pack("<I", len(tables)) + bytes(4 * len(tables))
        for number, table in enumerate(tables):
            _fill(out, place + 4 + 4 * number, table)
        return place

    return write


def _vector(values: np.ndarray) -> Write:
    def write(out: bytearray) -> int:
        place = len(out)
        out += struct.pack("<I", len(values)) + values.tobytes() + bytes(-values.nbytes % 4)
        return place

    return write
