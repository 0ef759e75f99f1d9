"""Constants of TensorFlow Lite files."""

import numpy as np
from helpers.wheels import tflite_file

from hf_audio.encoders.tflite import read_constants


def test_constants_come_back_with_their_names_and_shapes():
    values = np.random.default_rng(0).standard_normal((2, 3, 1, 5)).astype(np.float32)
    written = [("kernel", values), ("a bias; its longer name", np.arange(7, dtype=np.float32)), ("one", values[0, 0])]
    read = read_constants(tflite_file(written))
    assert [name for name, _ in read] == [name for name, _ in written]
    for (_, found), (_, expected) in zip(read, written, strict=True):
        np.testing.assert_array_equal(found, expected)
