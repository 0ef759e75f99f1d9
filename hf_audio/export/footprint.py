"""What an exported network asks of a device: bytes of the file, working memory, and multiply-adds."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch.export import ExportedProgram

# Operations that move no values of their own, or that every device's kernels do on the way out of a convolution.
FREE = (
    "view",
    "reshape",
    "unsqueeze",
    "squeeze",
    "expand",
    "alias",
    "detach",
    "getitem",
    "relu",
    "batch_norm",
    "split",
    "flatten",
    "aten.to.",
    "_assert_tensor_metadata",
)


@dataclass(frozen=True)
class Footprint:
    """What an exported network asks of a device."""

    file_bytes: int
    """Of the file."""
    working_bytes: int
    """What is computed and still needed, at the moment when that is most; the least that a device must have."""
    multiply_adds: int
    """A second of audio, of windows end to end."""
    in_floats: str
    """What was not brought to 8 bits, for a sentence; "" where nothing was to be."""

    def tell(self) -> str:
        """Sentences on it."""
        sentence = (
            f"{self.file_bytes / 1000:,.0f} kB; at least {self.working_bytes / 1000:,.0f} kB of working memory; "
            f"{self.multiply_adds / 1e6:,.1f} million multiply-adds a second of audio."
        )
        return f"{sentence} In floats: {self.in_floats}." if self.in_floats else sentence


def count_multiply_adds(program: "ExportedProgram") -> int:
    """The multiply-adds of the convolutions and matrix products of a graph."""
    total = 0
    for node in program.graph.nodes:
        if node.op != "call_function":
            continue
        kind = str(node.target)
        operands = [each.meta["val"] for each in node.args if hasattr(each, "meta") and "val" in each.meta]
        if "conv" in kind:
            total += node.meta["val"].numel() * operands[1].numel() // operands[1].shape[0]
        elif any(name in kind for name in ("linear", "matmul", "aten.mm", "aten.bmm", "addmm")):
            total += node.meta["val"].numel() * operands[-2 if "addmm" in kind else 0].shape[-1]
    return int(total)


def peak_bytes(program: "ExportedProgram", bytes_per_value: int) -> int:
    """The most that a graph's values take at once, each from when it is computed to when it is last used."""
    nodes = list(program.graph.nodes)
    inputs = set(program.graph_signature.user_inputs)
    place = {node: number for number, node in enumerate(nodes)}
    owner: dict[Any, Any] = {}  # of what is only another view of a value, that value
    last: dict[Any, int] = {}
    for node in nodes:
        free = node.op == "call_function" and any(name in str(node.target) for name in FREE)
        first = node.all_input_nodes[0] if node.all_input_nodes else None
        owner[node] = owner[first] if free and first is not None else node
        last[owner[node]] = place[node]
        for used in node.all_input_nodes:
            last[owner[used]] = place[node]
    changes = np.zeros(len(nodes) + 1, dtype=np.int64)
    for node in nodes:
        value = node.meta.get("val")
        held = node.op == "call_function" or node.name in inputs
        if owner[node] is node and held and hasattr(value, "numel"):
            changes[place[node]] += value.numel() * bytes_per_value
            changes[last[node] + 1] -= value.numel() * bytes_per_value
    return int(changes.cumsum().max())
