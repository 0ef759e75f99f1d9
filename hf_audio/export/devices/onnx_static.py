"""A checkpoint of one window as an ONNX file, in floats or with a network of 8 bits."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...inference.onnx_classifier import INPUT
from ..onnx import save
from ..silence import quiet_tools
from .static import FEATURES, StaticParts, tell_floats

if TYPE_CHECKING:
    from torch import nn

SUFFIX = ".onnx"


def write(parts: StaticParts, path: Path, with_frontend: bool, calibration: Sequence[np.ndarray] | None) -> str | None:
    """Write both parts, or the network alone, as one file.

    Args:
        parts: of the checkpoint.
        path: to write.
        with_frontend: whether the file takes a window, rather than features.
        calibration: windows, (window,) each, by which the network is brought to 8 bits; `None` leaves it in floats.

    Returns:
        What was not brought to 8 bits, for a sentence; `None` where nothing was to be.
    """
    import onnx

    network = path.with_suffix(".network.onnx")
    _trace(parts.network, parts.features(), FEATURES, parts.outputs, network)
    in_floats = None if calibration is None else _quantise(network, parts, calibration, with_frontend)
    model = onnx.load(network)
    network.unlink()
    if with_frontend:
        frontend = path.with_suffix(".frontend.onnx")
        _trace(parts.frontend, parts.window(), INPUT, [FEATURES], frontend)
        model = _join(onnx.load(frontend), model)
        frontend.unlink()
    metadata = {name: json.dumps(value) for name, value in parts.facts.to_dict().items()}
    onnx.helper.set_model_props(model, metadata)
    del model.graph.value_info[:]  # shapes within the graph, which whoever needs them infers again
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return in_floats


def open_file(path: Path) -> Callable[[np.ndarray], list[np.ndarray]]:
    """What runs a file: its one input -> its outputs."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda values: session.run(None, {name: values})


def _trace(module: "nn.Module", example: Any, given: str, outputs: Sequence[str], path: Path) -> None:
    import torch

    with quiet_tools():
        program = torch.onnx.export(
            module, (example,), dynamo=True, input_names=[given], output_names=list(outputs), verbose=False
        )
    save(program, path)


def _join(frontend: Any, network: Any) -> Any:
    """Two graphs as one, the first one's output being the other one's input."""
    from onnx import compose

    frontend = compose.add_prefix(frontend, "frontend/", rename_inputs=False, rename_outputs=False)
    frontend.ir_version = network.ir_version
    versions = {each.domain: each.version for each in network.opset_import}
    for each in frontend.opset_import:
        versions.setdefault(each.domain, each.version)
    for model in (frontend, network):
        del model.opset_import[:]
        model.opset_import.extend(_opsets(versions))
    return compose.merge_models(frontend, network, io_map=[(FEATURES, FEATURES)])


def _opsets(versions: dict[str, int]) -> list[Any]:
    import onnx

    return [onnx.helper.make_opsetid(domain, version) for domain, version in versions.items()]


def _quantise(path: Path, parts: StaticParts, windows: Sequence[np.ndarray], with_frontend: bool) -> str:
    """Bring a network to 8 bits, in place -> what stays in floats."""
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Features(CalibrationDataReader):
        def __init__(self) -> None:
            self.rows = (parts.features(window).numpy() for window in windows)

        def get_next(self) -> dict[str, np.ndarray] | None:
            row = next(self.rows, None)
            return None if row is None else {FEATURES: row}

    folded = path.with_suffix(".folded.onnx")
    with quiet_tools():
        quant_pre_process(str(path), str(folded), skip_symbolic_shape=True)  # batch normalisation into convolutions
        quantize_static(
            str(folded),
            str(path),
            Features(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
        )
    folded.unlink()
    graph = onnx.load(path).graph
    steps = {"QuantizeLinear", "DequantizeLinear"}
    quantised = {name for node in graph.node if node.op_type == "DequantizeLinear" for name in node.output}
    left = [node.op_type for node in graph.node if node.op_type not in steps and not quantised & set(node.input)]
    return tell_floats(with_frontend, left)
