"""A checkpoint of one window as a LiteRT file (.tflite), in floats or with a network of 8 bits."""

import contextlib
import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..silence import quiet_tools
from .static import StaticParts, join, tell_floats

if TYPE_CHECKING:
    from torch import nn

SUFFIX = ".tflite"
METADATA = "hf_audio"  # the name of the facts among a file's metadata
# The operations, by their tensors' names, that the quantiser leaves as they are.
FRONTEND = "^frontend"
SCOPE = b"FrontEnd_frontend"  # in the names of its tensors, as they are converted


def write(parts: StaticParts, path: Path, with_frontend: bool, calibration: Sequence[np.ndarray] | None) -> str | None:
    """Write both parts, or the network alone, as one file; see `onnx_static.write`."""
    module, example = (join(parts), parts.window()) if with_frontend else (parts.network, parts.features())
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # of the C++ parts
    with quiet_tools(), contextlib.redirect_stdout(io.StringIO()):
        _convert(module, example, path)
        _set_metadata(path, {"facts": parts.facts.to_dict()})
        in_floats = None
        if calibration is not None:
            inputs = [parts.window(each) if with_frontend else parts.features(each) for each in calibration]
            in_floats = _quantise(path, [each.numpy() for each in inputs], with_frontend)
    return in_floats


def open_file(path: Path) -> Callable[[np.ndarray], list[np.ndarray]]:
    """What runs a file: its one input -> its outputs."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    runner = interpreter.get_signature_runner()
    (given,) = runner.get_input_details()

    def run(values: np.ndarray) -> list[np.ndarray]:
        outputs = runner(**{given: values})
        return [outputs[name] for name in sorted(outputs, key=lambda name: int(name.rpartition("_")[2]))]

    return run


def _set_metadata(path: Path, facts: Mapping[str, Any]) -> None:
    """Write facts into a file, and short names of its tensors."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = list(json.dumps(facts).encode())
    entry.name, entry.buffer = METADATA.encode(), len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    for number, tensor in enumerate(tensor for graph in model.subgraphs for tensor in graph.tensors):
        # The names of modules take more room than some layers; all that counts is which part a tensor is of.
        tensor.name = f"{'frontend' if SCOPE in tensor.name else 'network'}{number}".encode()
    builder = flatbuffers.Builder(path.stat().st_size)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))


def _convert(module: "nn.Module", example: Any, path: Path) -> None:
    import litert_torch

    litert_torch.convert(module, (example,)).export(str(path))


def _quantise(path: Path, inputs: Sequence[np.ndarray], with_frontend: bool) -> str:
    """Bring a network to 8 bits, in place -> what stays in floats."""
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_quantizer import quantizer, recipe
    from ai_edge_quantizer.algorithm_manager import AlgorithmName
    from ai_edge_quantizer.qtyping import TFLOperationName
    from ai_edge_quantizer.utils.qsv_utils import min_max_update

    interpreter = Interpreter(model_path=str(path))
    ((signature, names),) = interpreter.get_signature_list().items()
    quantising = quantizer.Quantizer(str(path))
    quantising.load_quantization_recipe(recipe.static_wi8_ai8())
    left = [(".*", TFLOperationName.INPUT), (".*", TFLOperationName.OUTPUT)]
    for pattern, operation in [*left, *([(FRONTEND, TFLOperationName.ALL_SUPPORTED)] if with_frontend else [])]:
        quantising.update_quantization_recipe(pattern, operation, algorithm_key=AlgorithmName.NO_QUANTIZE)
    ranges: dict[str, Mapping[str, Any]] = {}
    # One by one: of several, the quantiser takes a moving average, in which what is rarely loud is cut off.
    for each in inputs:
        found = quantising.calibrate({signature: [{names["inputs"][0]: each}]})
        ranges |= {name: min_max_update(ranges.get(name, {}), values) for name, values in found.items()}
    quantising.quantize(ranges).export_model(str(path), overwrite=True)
    return tell_floats(with_frontend, _float_operations(path))


def _float_operations(path: Path) -> list[str]:
    """The operations of a network that compute in floats, but for those that make floats of 8 bits and back."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_path=str(path), experimental_op_resolver_type=plain)
    tensors = {each["index"]: each for each in interpreter.get_tensor_details()}
    named = []
    for operation in interpreter._get_ops_details():
        outputs = [tensors[index] for index in operation["outputs"] if index in tensors]
        in_floats = any(each["dtype"] == np.float32 and not each["name"].startswith("frontend") for each in outputs)
        if in_floats and operation["op_name"] not in ("DEQUANTIZE", "QUANTIZE"):
            named.append(operation["op_name"])
    return named
