"""The constants of a TensorFlow Lite file, read without an interpreter.

Such a file is a FlatBuffer: tables whose fields are found by way of a list of offsets, so that two dozen lines read
it. Sources: https://flatbuffers.dev/internals/ and TensorFlow Lite's schema.fbs, of which the numbers of fields are.
"""

import struct
from dataclasses import dataclass

import numpy as np

# Numbers of fields in schema.fbs.
MODEL_SUBGRAPHS, MODEL_BUFFERS = 2, 4
SUBGRAPH_TENSORS = 0
TENSOR_SHAPE, TENSOR_TYPE, TENSOR_BUFFER, TENSOR_NAME = 0, 1, 2, 3
BUFFER_DATA = 0
FLOAT32 = 0  # of the types of tensors


@dataclass(frozen=True)
class Table:
    """A table of a FlatBuffer."""

    data: bytes
    position: int

    def field(self, number: int) -> int | None:
        """Where a field lies; `None` where it is left out and has its default."""
        (back,) = struct.unpack_from("<i", self.data, self.position)
        offsets = self.position - back
        (size,) = struct.unpack_from("<H", self.data, offsets)
        place = 4 + 2 * number
        if place >= size:
            return None
        (offset,) = struct.unpack_from("<H", self.data, offsets + place)
        return self.position + offset if offset else None

    def number(self, number: int, kind: str) -> int:
        """A field that is a number, of a kind of `struct`; 0 where it is left out."""
        place = self.field(number)
        return 0 if place is None else struct.unpack_from(f"<{kind}", self.data, place)[0]

    def vector(self, number: int) -> tuple[int, int]:
        """A field that is a list: where it begins, and how many values it has."""
        place = self.field(number)
        if place is None:
            return 0, 0
        start = _follow(self.data, place)
        return start + 4, struct.unpack_from("<I", self.data, start)[0]

    def tables(self, number: int) -> "list[Table]":
        """A field that is a list of tables."""
        start, length = self.vector(number)
        return [Table(self.data, _follow(self.data, start + 4 * place)) for place in range(length)]


def read_constants(data: bytes) -> list[tuple[str, np.ndarray]]:
    """The float32 constants of a file's first graph with their names, in the file's order."""
    model = Table(data, _follow(data, 0))
    buffers = model.tables(MODEL_BUFFERS)
    constants = []
    for tensor in model.tables(MODEL_SUBGRAPHS)[0].tables(SUBGRAPH_TENSORS):
        start, n_bytes = buffers[tensor.number(TENSOR_BUFFER, "I")].vector(BUFFER_DATA)
        if n_bytes and tensor.number(TENSOR_TYPE, "b") == FLOAT32:
            shape = np.frombuffer(data, "<i4", offset=(at := tensor.vector(TENSOR_SHAPE))[0], count=at[1])
            values = np.frombuffer(data, "<f4", offset=start, count=n_bytes // 4)
            begin, length = tensor.vector(TENSOR_NAME)
            constants.append((data[begin : begin + length].decode(), values.reshape(shape)))
    return constants


def _follow(data: bytes, place: int) -> int:
    """Where what stands at a place points to."""
    return place + struct.unpack_from("<I", data, place)[0]
