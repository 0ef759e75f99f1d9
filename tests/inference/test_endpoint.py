"""What an endpoint of the Hub answers is what the checkpoint answers."""

import base64

import numpy as np
import pytest
from helpers.recordings import RATE, encoded, tone

from hf_audio.errors import Refusal
from hf_audio.inference.checkpoint import load_classifier
from hf_audio.inference.endpoint import EndpointHandler

CLIP = tone(900, 1.7)


WAV = encoded(CLIP, subtype="FLOAT")
BASE64 = base64.b64encode(WAV).decode()


@pytest.fixture(scope="module")
def handler(checkpoint):
    return EndpointHandler(str(checkpoint))


@pytest.mark.parametrize(
    "inputs",
    [WAV, bytearray(WAV), BASE64, f"data:audio/wav;base64,{BASE64}", CLIP, CLIP.tolist(), {"array": CLIP}],
    ids=["bytes", "bytearray", "base64", "data URL", "array", "list", "mapping"],
)
def test_all_kinds_of_inputs_are_the_same_audio(inputs, handler, checkpoint):
    expected = load_classifier(checkpoint)(WAV)
    for told in (handler({"inputs": inputs}), handler({"inputs": inputs, "parameters": {"top_k": 2}})):
        assert [row["label"] for row in told] == [row["label"] for row in expected][: len(told)]
        assert [row["score"] for row in told] == pytest.approx(
            [row["score"] for row in expected[: len(told)]], abs=1e-5
        )
    assert len(told) == 2


def test_another_rate_another_scale_and_another_function(handler):
    high = tone(900, 1.7, 2 * RATE)
    (first,) = handler({"inputs": {"array": high, "sampling_rate": 2 * RATE}, "parameters": {"top_k": 1}})
    assert first["label"] == handler({"inputs": encoded(high, 2 * RATE, subtype="FLOAT")})[0]["label"]
    bytes_of_samples = np.rint(128 + 127 * CLIP).astype(np.uint8)
    floats = (bytes_of_samples.astype(np.float32) - 128) / 128
    assert handler({"inputs": {"array": bytes_of_samples}}) == handler({"inputs": floats})
    window = {"inputs": CLIP[:RATE]}
    scores = np.exp([row["score"] for row in handler({**window, "parameters": {"function_to_apply": "none"}})])
    assert scores / scores.sum() == pytest.approx([row["score"] for row in handler(window)], abs=1e-5)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({}, "^inputs: audio cannot be read from a NoneType: "),
        ({"inputs": "?"}, "^inputs: this is no base64: "),
        ({"inputs": b"Dear Sir"}, "is not audio"),
        ({"inputs": b""}, "empty"),
        ({"inputs": ["a"]}, "^inputs: a list that is no waveform: "),
        ({"inputs": [float("nan")] * 100}, "NaN"),
        ({"inputs": {"array": CLIP, "sampling_rate": "fast"}}, "sampling rate 'fast'"),
        ({"inputs": WAV, "parameters": {"top_k": 0}}, "^parameters: top_k=0 must be "),
        ({"inputs": WAV, "parameters": {"top_k": "3"}}, "^parameters: top_k='3' must be "),
        ({"inputs": WAV, "parameters": {"function_to_apply": "tanh"}}, "^parameters: function_to_apply='tanh' must "),
        ({"inputs": WAV, "parameters": {"k": 3}}, "^parameters: k is none: give top_k or function_to_apply"),
        ({"inputs": WAV, "parameters": [3]}, "^parameters: a list has no names"),
    ],
)
def test_what_cannot_be_answered_is_told_in_a_sentence(data, sentence, handler):
    with pytest.raises(Refusal, match=sentence) as refused:
        handler(data)
    assert str(refused.value).endswith(".") and "\n" not in str(refused.value)
