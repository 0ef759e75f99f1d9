"""What comes in the body of a request: audio, JSON and forms, and a sentence for what is none of these."""

import base64
import json

import numpy as np
import pytest
import requests
from helpers.recordings import encoded, tone
from helpers.serving import CLIP, WAV, agree, refused, upload

BASE64 = base64.b64encode(WAV).decode()


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": BASE64, "parameters": None},
        {"inputs": BASE64, "parameters": {}},
        {"inputs": BASE64, "parameters": {"top_k": None, "function_to_apply": None}},
        {"inputs": BASE64, "options": {"wait_for_model": True}},
        {"inputs": base64.encodebytes(WAV).decode()},
        {"inputs": base64.encodebytes(WAV).decode().replace("\n", "\r\n")},
        {"inputs": f"data:audio/wav;base64,{BASE64}"},
        {"inputs": f"DATA:;Base64,{base64.encodebytes(WAV).decode()}"},
        {"inputs": f"data:audio/x-wav;codecs=1;base64,{BASE64}"},
    ],
    ids=lambda body: f"{body['inputs'][:12]!r} {body.get('parameters')}",
)
def test_requests_as_the_inference_api_allows_them(body, url, classifier):
    response = requests.post(url, json=body, timeout=20)
    assert response.ok, response.text
    agree(response.json(), classifier(WAV))


@pytest.mark.parametrize(
    "request_",
    [
        {"data": WAV, "params": {"top_k": 1, "function_to_apply": ""}},
        {"json": {"inputs": BASE64}, "params": {"top_k": 1}},
        {"json": {"inputs": BASE64, "parameters": {"top_k": 1, "something": None}, "nothing": None}},
        {"files": {"file": ("clip.wav", WAV)}, "data": {"top_k": 1}},
        {"files": {"file": ("clip.wav", WAV)}, "params": {"top_k": 1}},
        # As `curl --data-binary` names whatever it sends.
        {"data": WAV, "params": {"top_k": 1}, "headers": {"content-type": "application/x-www-form-urlencoded"}},
    ],
    ids=["query", "query and JSON", "JSON", "form", "query and form", "curl"],
)
def test_parameters_are_heard_wherever_they_are(request_, url, classifier):
    response = requests.post(url, timeout=20, **request_)
    assert response.ok, response.text
    agree(response.json(), classifier(WAV)[:1])


KNOWN_BY_API = "'topk' is not known here: choose among top_k, function_to_apply"


@pytest.mark.parametrize(
    ("path", "request_", "words"),
    [
        ("/", {"data": WAV, "params": {"topk": 3}}, f"^{KNOWN_BY_API}"),
        ("/models/tones", {"data": WAV, "params": {"topk": 3}}, f"^{KNOWN_BY_API}"),
        ("/", {"json": {"inputs": BASE64, "parameters": {"topk": 3}}}, f"^parameters: {KNOWN_BY_API}"),
        ("/", {"json": {"inputs": BASE64, "top_k": 3}}, "^'top_k' is not known here: .* inputs, parameters, options"),
        ("/", {"files": {"file": WAV}, "data": {"topk": 3}}, f"^{KNOWN_BY_API}"),
        ("/", {"data": WAV, "params": {"x" * 900: 3}}, f"^'{'x' * 40}' is not known"),
        (
            "/",
            {"json": {"inputs": BASE64, "parameters": {"top_k": 3}}, "params": {"top_k": 2}},
            "^top_k: .* leave one",
        ),
        (
            "/v1/predict",
            {"files": {"file": WAV}, "data": {"topk": 3}},
            "^'topk' .* model, .*hop_seconds, top_k, frames",
        ),
        (
            "/v1/predict",
            {"files": {"file": WAV}, "params": {"topk": 3}},
            "^'topk' .* model, .*hop_seconds, top_k, frames",
        ),
        (
            "/v1/embed",
            {"files": {"file": WAV}, "data": {"top_k": 3}},
            "^'top_k' .* model, window_seconds, hop_seconds",
        ),
    ],
)
def test_names_that_are_not_known_are_refused_with_those_that_are(path, request_, words, url):
    refused(requests.post(url + path, timeout=20, **request_), 422, words)


def test_fields_of_an_upload_may_be_in_the_query(url, classifier):
    response = requests.post(f"{url}/v1/predict", files={"file": WAV}, params={"top_k": 1, "frames": ""}, timeout=20)
    agree(response.json()["answer"], classifier(WAV)[:1])


def test_empty_fields_of_a_form_are_as_absent(url, classifier):
    prediction = upload(url, top_k="", model="", window_seconds="", hop_seconds="").json()
    agree(prediction["answer"], classifier(WAV))
    assert "windows" not in prediction


def form(body: str) -> dict:
    return {"data": body, "headers": {"content-type": "multipart/form-data; boundary=x; charset=utf-7"}}


@pytest.mark.parametrize(
    ("request_", "status", "words"),
    [
        (form(""), 422, "^file: "),
        (form("--x"), 422, "^file: "),
        (form("no boundary at all"), 422, "cannot be read"),
        (form("--x\r\nContent-Disposition: form-data\r\n\r\nabc\r\n--x--"), 422, "cannot be read"),
        (form('--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nabc\r\n--x--'), 422, "^file: "),
        (form('--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc'), 422, "^file: "),
        ({"data": WAV, "headers": {"content-type": "multipart/form-data"}}, 422, "cannot be read"),
        ({"data": WAV, "headers": {"content-type": "audio/wav"}}, 415, "multipart/form-data"),
        ({"data": b""}, 415, "multipart/form-data"),
    ],
)
def test_what_is_no_form(request_, status, words, url):
    refused(requests.post(f"{url}/v1/predict", timeout=20, **request_), status, words)


def json_body(**changes) -> bytes:
    return json.dumps({"inputs": base64.b64encode(WAV).decode(), **changes}).encode()


@pytest.mark.parametrize(
    ("body", "kind", "status", "words"),
    [
        (b"", "audio/wav", 422, "empty"),
        (WAV[: len(WAV) // 2], "audio/wav", 422, "cut off"),
        (encoded(CLIP[:0], subtype="FLOAT"), "audio/wav", 422, "no samples"),
        (encoded(CLIP * np.float32("nan"), subtype="FLOAT"), "audio/wav", 422, "NaN"),
        (b"Dear Sir or Madam, " * 50, "text/plain", 415, "not audio"),
        (json_body(), "audio/wav", 415, "not audio"),
        (WAV, "application/json", 422, "JSON"),
        (b"{", "application/json", 422, "JSON"),
        (b"[" * 100_000, "application/json", 422, "JSON|recursion"),
        (b"{}", "application/json", 422, "^inputs: "),
        (json_body(inputs="?"), "application/json", 422, "^inputs: .*base64"),
        (json_body(inputs=""), "application/json; charset=utf-8", 422, "empty"),
        (json_body(parameters={"top_k": 0}), "application/json", 422, "^parameters.top_k: "),
        (b'{"inputs": "", "parameters": {"top_k": ' + b"9" * 5000 + b"}}", "application/json", 422, "JSON"),
        (json_body(parameters={"function_to_apply": "tanh"}), "application/json", 422, "^parameters.function_to_app"),
        (json_body(inputs="data:audio/wav,RIFF"), "application/json", 422, "^inputs: .*base64"),
        (json_body(inputs="ä"), "application/json", 422, "^inputs: .*base64"),
        (json_body(inputs=[1] * 2000), "application/json", 422, "^The JSON holds too much"),
        (json_body(parameters={"x": [{}] * 500}), "application/json", 422, "^The JSON holds too much"),
        (encoded(tone(300, 20.1), subtype="FLOAT"), "audio/wav", 413, "longer than 20 s"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else None,  # some hold the time of day
)  # fmt: skip
def test_bad_bodies_get_a_sentence(body, kind, status, words, url):
    refused(requests.post(url, body, headers={"content-type": kind}, timeout=20), status, words)
    assert requests.post(url, WAV, timeout=20).ok
