"""A checkpoint of one window as an ExecuTorch program (.pte), in floats or with a network of 8 bits."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..footprint import FREE
from ..silence import quiet_tools
from .static import StaticParts, capture, join, tell_floats

if TYPE_CHECKING:
    from torch import nn

SUFFIX = ".pte"
METADATA = "hf_audio"  # the method that gives the facts, as JSON


def write(parts: StaticParts, path: Path, with_frontend: bool, calibration: Sequence[np.ndarray] | None) -> str | None:
    """Write both parts, or the network alone, as one program for XNNPACK; see `onnx_static.write`."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    with quiet_tools():
        network, in_floats = parts.network, None
        if calibration is not None:
            network = _quantise(parts, calibration)
            in_floats = tell_floats(with_frontend, _float_operations(network))
        module, example = (join(parts, network), parts.window()) if with_frontend else (network, parts.features())
        program = to_edge_transform_and_lower(
            capture(module, example),
            partitioner=[XnnpackPartitioner()],
            constant_methods={METADATA: json.dumps({"facts": parts.facts.to_dict()})},
        ).to_executorch()
        path.write_bytes(program.buffer)
    return in_floats


def open_file(path: Path) -> Callable[[np.ndarray], list[np.ndarray]]:
    """What runs a program: its one input -> its outputs."""
    import torch
    from executorch.runtime import Runtime

    method = Runtime.get().load_program(path).load_method("forward")

    def run(values: np.ndarray) -> list[np.ndarray]:
        return [each.numpy() for each in method.execute([torch.from_numpy(np.ascontiguousarray(values))])]

    return run


def _quantise(parts: StaticParts, windows: Sequence[np.ndarray]) -> "nn.Module":
    """The network with weights and activations of 8 bits."""
    import torch
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    prepared: Any = prepare_pt2e(capture(parts.network, parts.features()).module(), quantizer)
    with torch.no_grad():
        for window in windows:
            prepared(parts.features(window))
    return convert_pt2e(prepared)


def _float_operations(network: Any) -> list[str]:
    """The operations of a quantised network that compute in floats, but for those that move no values."""
    named = []
    for node in network.graph.nodes:
        kind = str(node.target)
        if node.op != "call_function" or "quantize" in kind or any(free in kind for free in FREE):
            continue
        if not any("dequantize" in str(given.target) for given in node.all_input_nodes):
            named.append(kind.split(".")[1] if "." in kind else kind)
    return named
