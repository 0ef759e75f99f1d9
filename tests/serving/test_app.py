"""The server, spoken to over real sockets by the clients that people have: the same answers, a word to each fault."""

import base64
import contextlib
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
import requests
import schemathesis
import soundfile
from helpers.checkpoints import tiny_config, trained_looking_model
from helpers.recordings import RATE, tone
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError
from hypothesis import HealthCheck, given, settings
from prometheus_client.parser import text_string_to_metric_families
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from transformers import pipeline
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from hf_audio import AudioCNNFeatureExtractor, cli
from hf_audio.inference.checkpoint import load_classifier
from hf_audio.inference.classifier import AudioClassifier
from hf_audio.inference.embedder import load_embedder
from hf_audio.inference.event_stream import EventStream
from hf_audio.inference.facts import Facts
from hf_audio.inference.frames import frame_scores
from hf_audio.inference.streaming import AudioStream, FrameStream
from hf_audio.serving import connections
from hf_audio.serving.app import make_app
from hf_audio.serving.connections import Server
from hf_audio.serving.service import Service
from hf_audio.serving.settings import Limits

LIMITS = Limits(max_megabytes=2, max_seconds=20, timeout_seconds=20)


@contextlib.contextmanager
def serving(service: Service, ready: bool = True, **keywords) -> Iterator[str]:
    """The address of a server that runs beside the test."""
    server = Server(make_app(service, **keywords), service, "127.0.0.1", 0)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        if ready:
            wait_for(lambda: requests.get(f"{server.url}/ready", timeout=20).ok)
        yield server.url
    finally:
        server.should_exit = True
        thread.join(120)
        assert not thread.is_alive()


def wait_for(condition: Callable[[], object], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture(scope="module")
def numbers(tmp_path_factory) -> Path:
    """A checkpoint that reads numbers of three digits."""
    folder = tmp_path_factory.mktemp("numbers")
    trained_looking_model(tiny_config(num_digits=3, pooling="attention")).save_pretrained(folder)
    AudioCNNFeatureExtractor(sampling_rate=RATE).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def classifier(checkpoint) -> AudioClassifier:
    return load_classifier(checkpoint)


@pytest.fixture(scope="module")
def service(checkpoint, numbers) -> Service:
    return Service({"tones": checkpoint, "numbers": numbers}, LIMITS)


@pytest.fixture(scope="module")
def url(service) -> Iterator[str]:
    with serving(service) as url:
        yield url


def encoded(waveform: np.ndarray, rate: int = RATE, **kwargs) -> bytes:
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", rate, 1, **{"format": "WAV", "subtype": "FLOAT", **kwargs}) as file:
        for first in range(0, len(waveform), rate):  # libsndfile overflows its stack on an hour of Vorbis at once
            file.write(waveform[first : first + rate])
    return buffer.getvalue()


CLIP = tone(900, 1.7)
WAV = encoded(CLIP)


def agree(answers, expected) -> None:
    assert [answer["label"] for answer in answers] == [each["label"] for each in expected]
    np.testing.assert_allclose([a["score"] for a in answers], [e["score"] for e in expected], atol=1e-5)


def metric(url: str, name: str) -> float:
    families = text_string_to_metric_families(requests.get(f"{url}/metrics", timeout=20).text)
    return sum(sample.value for family in families for sample in family.samples if sample.name == name)


def refused(response: requests.Response, status: int, words: str) -> None:
    assert response.status_code == status, response.text
    assert list(response.json()) == ["error"] and re.search(words, response.json()["error"])
    assert response.json()["error"].endswith(".") and "\n" not in response.json()["error"]


# The inference API


@pytest.fixture
def online(monkeypatch):
    """As users have it; the other tests must not reach the Hub."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)


def test_the_hugging_face_client_works_unchanged(online, url, classifier, tmp_path):
    path = tmp_path / "clip.flac"
    path.write_bytes(encoded(tone(2000, 0.8, 44100), 44100, format="FLAC", subtype="PCM_16"))
    client = InferenceClient(model=url)
    for audio in (path, str(path), path.read_bytes(), WAV):
        expected = classifier(audio)
        agree(client.audio_classification(audio), expected)
        agree(client.audio_classification(audio, top_k=2, function_to_apply="softmax"), expected[:2])


@pytest.mark.parametrize("function", ["softmax", "sigmoid", "none"])
@pytest.mark.parametrize("problem_type", [None, "multi_label_classification"])
def test_functions_of_the_logits_are_the_pipelines(online, function, problem_type, tmp_path):
    trained_looking_model(tiny_config(problem_type=problem_type)).save_pretrained(tmp_path)
    AudioCNNFeatureExtractor(sampling_rate=RATE).save_pretrained(tmp_path)
    soundfile.write(tmp_path / "a.wav", CLIP, RATE, subtype="FLOAT")
    expected = pipeline("audio-classification", str(tmp_path))(str(tmp_path / "a.wav"), function_to_apply=function)
    with serving(Service({"tones": tmp_path}, LIMITS)) as url:
        agree(InferenceClient(model=url).audio_classification(WAV, function_to_apply=function), expected)
    if function == "none":
        assert not all(0 <= row["score"] <= 1 for row in expected)


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


def test_every_model_answers_under_its_name(online, url, classifier, numbers):
    agree(InferenceClient(model=f"{url}/models/tones").audio_classification(WAV), classifier(WAV))
    number = load_classifier(numbers)(WAV)
    agree(
        InferenceClient(model=f"{url}/models/numbers").audio_classification(WAV),
        [{"label": number["text"], "score": number["score"]}],
    )
    refused(requests.post(f"{url}/models/cats", WAV, timeout=20), 404, "'cats'.* tones, numbers")


def test_many_at_once_are_told_what_each_is_told_alone(url, classifier):
    clips = [tone(200 + 90 * i, 0.2 + (i * 7 % 40) / 10, seed=i) for i in range(40)]
    with ThreadPoolExecutor(20) as clients:
        answers = list(clients.map(lambda clip: requests.post(url, encoded(clip), timeout=20).json(), clips))
    for clip, answer in zip(clips, answers, strict=True):
        agree(answer, classifier(clip))
    assert metric(url, "hf_audio_batch_windows_sum") > 1.5 * metric(url, "hf_audio_batch_windows_count")


# Uploads


def upload(url: str, audio: bytes = WAV, **fields) -> requests.Response:
    return requests.post(f"{url}/v1/predict", files={"file": ("clip.wav", audio)}, data=fields, timeout=20)


def test_upload(url, classifier, numbers):
    prediction = upload(url, top_k=1).json()
    assert (prediction["model"], prediction["seconds"]) == ("tones", pytest.approx(1.7))
    assert "windows" not in prediction
    agree(prediction["answer"], classifier(WAV)[:1])
    answer = upload(url, model="numbers").json()["answer"]
    assert answer == {"text": load_classifier(numbers)(WAV)["text"], "score": answer["score"]}


@pytest.mark.parametrize("options", [{"hop_seconds": 0.25}, {"window_seconds": 0.6}])
def test_windows_of_an_upload_are_those_of_a_stream(options, url, classifier):
    stream = AudioStream(classifier, **options)
    events = stream.push(CLIP) + stream.flush()
    windows = upload(url, **options).json()["windows"]
    assert [(w["start"], w["end"]) for w in windows] == [(event.start, event.end) for event in events]
    for window, event in zip(windows, events, strict=True):
        agree(window["answer"], classifier.facts.name(event.scores))


def test_moments_of_an_upload_and_of_a_stream_are_those_offline(url, classifier):
    stretches = list(frame_scores(classifier, [CLIP]))
    expected = np.concatenate([each.scores for each in stretches])
    frames = upload(url, frames="true").json()["frames"]
    assert (frames["labels"], frames["frame_seconds"]) == (
        classifier.labels,
        pytest.approx(stretches[0].frame_seconds),
    )
    assert np.array(frames["scores"]) == pytest.approx(expected, abs=1e-5)
    refused = upload(url, model="numbers", frames="true")
    assert refused.status_code == 422 and "finds no events" in refused.json()["error"]
    with connect(stream_url(url, "?frames=true&hop_seconds=0.3")) as websocket:
        messages = converse(websocket, pcm(CLIP), 997)
    stream = FrameStream(classifier, hop_seconds=0.3)
    stretches = stream.push(pcm(CLIP).astype(np.int16)) + stream.flush()
    assert [message["start"] for message in messages] == pytest.approx([each.start for each in stretches])
    for message, each in zip(messages, stretches, strict=True):
        assert np.array(message["scores"]) == pytest.approx(each.scores, abs=1e-5)


def test_empty_fields_of_a_form_are_as_absent(url, classifier):
    prediction = upload(url, top_k="", model="", window_seconds="", hop_seconds="").json()
    agree(prediction["answer"], classifier(WAV))
    assert "windows" not in prediction


def test_so_many_windows_as_one_asks_for_and_no_more_than_fit_into_an_answer(url, classifier, monkeypatch):
    monkeypatch.setattr("hf_audio.serving.requests.PIECE_BYTES", 1000)  # in many pieces
    response = upload(url, hop_seconds="0.05", top_k=2)
    windows = response.json()["windows"]
    assert len(windows) == 15 and int(response.headers["content-length"]) == len(response.content) > 1900
    agree(windows[-1]["answer"], classifier.facts.name(classifier.score([CLIP[-RATE:]])[0], 2))
    monkeypatch.setattr("hf_audio.serving.judging.MAX_ANSWER_LABELS", 29)
    refused(upload(url, hop_seconds="0.05", top_k=2), 422, "^top_k: 2 labels of each of 15 windows are more than 29")
    assert upload(url, hop_seconds="0.05", top_k=1).ok


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"top_k": "0"}, 422, "^top_k: .*greater than or equal to 1"),
        ({"top_k": "many"}, 422, "^top_k: .*integer"),
        ({"hop_seconds": "nan"}, 422, "^hop_seconds: "),
        ({"hop_seconds": "0"}, 422, "^hop_seconds: .*0.05"),
        ({"model": "cats"}, 404, "tones, numbers"),
        ({"model": "x" * 2000}, 422, "The form cannot be read"),
        ({str(i): "x" for i in range(100)}, 422, "Too many fields"),
    ],
)
def test_wrong_fields(fields, status, words, url):
    refused(upload(url, **fields), status, words)


def test_an_upload_is_embedded_as_a_whole_and_by_windows(url, service, checkpoint, monkeypatch):
    def ask(**fields):
        return requests.post(f"{url}/v1/embed", files={"file": ("clip.wav", WAV)}, data=fields, timeout=20)

    embedder = load_embedder(checkpoint)
    told = ask().json()
    assert told["model"] == "tones" and told["seconds"] == 1.7 and list(told) == ["model", "seconds", "embedding"]
    np.testing.assert_allclose(told["embedding"], embedder.embed_recording(CLIP), rtol=1e-4, atol=1e-5)
    windows = ask(hop_seconds="0.5").json()["windows"]
    assert [(window["start"], window["end"]) for window in windows] == [(0, 1), (0.5, 1.5), (0.7, 1.7)]
    expected = embedder.embed([CLIP[RATE // 2 : 3 * RATE // 2]])[0]
    np.testing.assert_allclose(windows[1]["embedding"], expected, rtol=1e-4, atol=1e-5)
    assert len(ask(model="numbers").json()["embedding"]) == 3 * embedder.size  # of every digit
    refused(ask(model="cats"), 404, "tones, numbers")
    refused(ask(hop_seconds="0"), 422, "^hop_seconds: ")
    refused(requests.post(f"{url}/v1/embed", WAV, timeout=20), 415, "This is no form")
    monkeypatch.setattr("hf_audio.serving.judging.MAX_ANSWER_NUMBERS", 3 * embedder.size - 1)
    refused(ask(hop_seconds="0.5"), 422, "12 numbers of each of 3 windows are more than 35: give a longer one")
    monkeypatch.setitem(service._without_embeddings, "tones", "It has no output 'embeddings'.")
    refused(ask(), 422, "no output 'embeddings'")


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


# Bad audio


def json_body(**changes) -> bytes:
    return json.dumps({"inputs": base64.b64encode(WAV).decode(), **changes}).encode()


def silence(seconds: int, **kwargs) -> bytes:
    """Takes about 25 bytes a second in FLAC, and 70 in Ogg Vorbis."""
    return encoded(np.zeros(seconds * 8000, dtype=np.float32), 8000, **kwargs)


@pytest.mark.parametrize(
    ("body", "kind", "status", "words"),
    [
        (b"", "audio/wav", 422, "empty"),
        (WAV[: len(WAV) // 2], "audio/wav", 422, "cut off"),
        (encoded(CLIP[:0]), "audio/wav", 422, "no samples"),
        (encoded(CLIP * np.float32("nan")), "audio/wav", 422, "NaN"),
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
        (encoded(tone(300, 20.1)), "audio/wav", 413, "longer than 20 s"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else None,  # some hold the time of day
)  # fmt: skip
def test_bad_bodies_get_a_sentence(body, kind, status, words, url):
    refused(requests.post(url, body, headers={"content-type": kind}, timeout=20), status, words)
    assert requests.post(url, WAV, timeout=20).ok


@pytest.mark.parametrize(
    ("path", "asked", "status", "words"),
    [
        ("?top_k=1", {"data": WAV}, 422, "^top_k: It is not read in the address: give it in the parameters of JSON"),
        ("?model=numbers", {"data": WAV}, 422, "^model: .*/models/NAME"),
        ("models/tones?frames=true", {"data": WAV}, 422, "^frames: .*a form to /v1/predict"),
        ("v1/predict?top_k=1", {"files": {"file": WAV}}, 422, "^top_k: .*give it in a field of the form"),
        ("v1/predict", {"files": {"file": WAV}, "data": {"topk": 1}}, 422, "^topk: There is no such parameter"),
        ("v1/embed", {"files": {"file": WAV}, "data": {"hop": 1}}, 422, "^hop: There is no such parameter"),
        ("", {"json": {"inputs": BASE64, "parameters": {"topk": 1}}}, 422, "^parameters.topk: There is no such"),
        ("", {"json": {"inputs": BASE64, "top_k": 1}}, 422, r"^The JSON: top_k belongs into parameters\."),
        ("", {"files": {"file": WAV}}, 415, "^This is a form: send it to /v1/predict"),
    ],
)
def test_what_is_asked_where_nothing_reads_it_is_not_passed_over(path, asked, status, words, url):
    refused(requests.post(f"{url}/{path}", timeout=20, **asked), status, words)
    options = {"options": {"wait_for_model": True}}  # of the inference API, and of no meaning here
    assert requests.post(f"{url}/?_=1", json={"inputs": BASE64, **options}, timeout=20).ok


@pytest.mark.parametrize(
    ("seconds", "kind"),
    [(7200, {"format": "FLAC", "subtype": "PCM_16"}), (900, {"format": "OGG", "subtype": "VORBIS"})],
)
def test_hours_in_a_small_file_are_not_decoded(seconds, kind, url):
    file, process = silence(seconds, **kind), psutil.Process()
    assert len(file) < 200_000
    requests.post(url, file, timeout=20)
    memory = process.memory_info().rss
    for _ in range(5):
        refused(requests.post(url, file, timeout=20), 413, "longer than 20 s")
    assert process.memory_info().rss - memory < 20e6  # two hours at 8 kHz take 230 MB


def test_huge_bodies_are_not_read_to_their_end(online, url):
    sent = 0

    def flood() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(2000):
            sent += 1_000_000
            yield bytes(1_000_000)
            time.sleep(0.01)

    with contextlib.suppress(requests.ConnectionError):  # to go on sending is no way to read the answer
        requests.post(url, flood(), timeout=20)
    assert sent < 1_000_000_000
    with pytest.raises(HfHubHTTPError) as caught:  # who sends all first, and then reads
        InferenceClient(model=url).audio_classification(bytes(50_000_000))
    refused(caught.value.response, 413, "larger than 2 MB")
    response = requests.post(url, bytes(3_000_000), timeout=20)
    refused(response, 413, "larger than 2 MB")
    assert response.headers["connection"] == "close"
    with talk(url) as client:  # a promise is enough
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200000000\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 413 ")
    assert metric(url, "hf_audio_body_bytes") == 0


def test_what_is_nowhere(url):
    refused(requests.get(f"{url}/cats", timeout=20), 404, "/cats")
    refused(requests.get(f"{url}/%00%0a", timeout=20), 404, "nothing")
    refused(requests.get(f"{url}/cats", headers={"host": "["}, timeout=20), 404, "/cats")
    check_methods(url)


def check_methods(url: str, *files: str) -> None:
    """Every path that is known says, to any other method, which ones it takes; what is not known is so by any."""
    taken = dict.fromkeys(["/v1/predict", "/v1/embed", "/models/tones"], "POST") | {"/": "GET, HEAD, POST"}
    pages = ["/health", "/ready", "/metrics", "/openapi.json", *files]
    with requests.Session() as session:
        for path, methods in {**taken, **dict.fromkeys([*pages, "/v1/stream"], "GET, HEAD")}.items():
            for method in {"GET", "HEAD", "POST", "PUT"} - set(methods.split(", ")):
                response = session.request(method, url + path, timeout=20)
                assert (response.status_code, response.headers["allow"]) == (405, methods), (method, path)
                assert method == "HEAD" or response.json()["error"].startswith(f"{method} is not possible at {path!r}")
        for path in pages:
            response = session.head(url + path, timeout=20)
            assert response.ok and not response.content and int(response.headers["content-length"]) > 0, path
        response = session.get(f"{url}/v1/stream", timeout=20)
        refused(response, 426, "ws://")
        assert response.headers["upgrade"] == "websocket"
        for method, path in (("GET", "/cats"), ("POST", "/cats"), ("DELETE", "/v1"), ("POST", "/v1/embed/")):
            refused(session.request(method, url + path, headers={"host": "["}, timeout=20), 404, path)


# Clients that are slow, or leave


@contextlib.contextmanager
def talk(url: str) -> Iterator[socket.socket]:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as client:
        yield client


class GatedClassifier(AudioClassifier):
    """Answers when its gate is open."""

    def __init__(self):
        super().__init__(Facts(("low", "high"), RATE, clip_seconds=1.0))
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.n_windows = 0

    def score(self, windows):
        self.entered.set()
        assert self.gate.wait(120)
        self.n_windows += len(windows)
        return np.full((len(windows), 2), 0.5, dtype=np.float32)


@pytest.fixture
def gated(monkeypatch) -> Iterator[Callable[..., tuple[str, GatedClassifier]]]:
    """Starts servers of a classifier with a gate."""
    with contextlib.ExitStack() as stack:

        def start(limits: Limits) -> tuple[str, GatedClassifier]:
            network = GatedClassifier()
            monkeypatch.setattr("hf_audio.serving.service.load_classifier", lambda checkpoint: network)
            url = stack.enter_context(serving(Service({"gated": "here"}, limits)))
            stack.callback(network.gate.set)
            return url, network

        yield start


def test_one_byte_at_a_time_is_not_waited_for(gated, monkeypatch):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.5)
    url, _ = gated(Limits(timeout_seconds=0.5))
    heads = {
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n": b"HTTP/1.1 408 ",
        b"POST / HT": b"",  # what has not asked is not answered, but closed
    }
    for head, answer in heads.items():
        with talk(url) as client:
            client.sendall(head)
            client.settimeout(0.1)
            received, start = b"", time.monotonic()
            while not received:
                assert time.monotonic() - start < 60
                try:
                    client.send(b"x")
                    received = client.recv(1000)
                    break
                except TimeoutError:
                    continue
                except ConnectionError:
                    break
            assert received.startswith(answer) and bool(received) == bool(answer)
    assert requests.post(url, WAV, timeout=20).ok


def test_nothing_is_done_for_those_who_have_left(gated):
    url, network = gated(Limits())
    before = network.n_windows
    network.gate.clear()
    network.entered.clear()
    with ThreadPoolExecutor(1) as waiting:
        first = waiting.submit(requests.post, url, WAV, timeout=20)
        wait_for(network.entered.is_set)
        for body in (WAV, WAV[:100]):
            with talk(url) as client:
                client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(WAV) + body)
                wait_for(lambda: metric(url, "hf_audio_body_bytes") > len(WAV))
            wait_for(lambda: metric(url, "hf_audio_requests_waiting") == 1)
            wait_for(lambda: metric(url, "hf_audio_body_bytes") == len(WAV))
        network.gate.set()
        assert first.result(20).ok
    assert network.n_windows - before == len(network.facts.cut(CLIP))


def test_a_full_queue_and_a_late_answer_are_told(gated):
    url, network = gated(Limits(max_queue=2, timeout_seconds=3))
    network.gate.clear()
    with ThreadPoolExecutor(2) as waiting:
        places = [waiting.submit(requests.post, url, WAV, timeout=20) for _ in range(2)]
        wait_for(lambda: metric(url, "hf_audio_requests_waiting") == 2)
        response = requests.post(url, WAV, timeout=20)
        refused(response, 429, "2 requests are waiting")
        assert int(response.headers["retry-after"]) > 0
        for place in places:
            refused(place.result(20), 503, r"within 3 s")
    network.gate.set()
    assert requests.post(url, WAV, timeout=20).ok
    assert metric(url, "hf_audio_requests_waiting") == 0


def test_a_network_that_fails_is_admitted(gated, monkeypatch):
    url, network = gated(Limits())
    with monkeypatch.context() as patch:
        patch.setattr(network, "score", lambda windows: 1 / 0)
        refused(requests.post(url, WAV, timeout=20), 500, "^The model failed")
    assert requests.post(url, WAV, timeout=20).ok


def test_scores_that_are_not_finite_never_leave(gated, monkeypatch):
    url, network = gated(Limits())
    scores = np.array([[np.nan, 0.5]], dtype=np.float32)
    monkeypatch.setattr(network, "score", lambda windows: scores.repeat(len(windows), 0))
    refused(requests.post(url, WAV, timeout=20), 422, "scores are not finite: the recording is too loud")
    refused(upload(url, hop_seconds=0.5), 422, "scores are not finite")
    with connect(stream_url(url)) as websocket:
        websocket.send(pcm(CLIP).tobytes())
        refused_stream(websocket, 1007, "scores are not finite")


def test_answers_do_not_wait_for_acknowledgements(url):
    """Of head and body, which go one after the other, the body would wait 40 ms for the client's system to say so."""
    with requests.Session() as session:
        took = sorted(session.get(f"{url}/health", timeout=20).elapsed.total_seconds() for _ in range(20))
    assert took[2] < 0.03


def slow_reader(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(20)
    client.connect((host, int(port)))
    client.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
    return client


def n_open(site: Path) -> int:
    return sum(file.path.startswith(str(site)) for file in psutil.Process().open_files())


def test_who_does_not_take_an_answer_is_not_waited_for(checkpoint, tmp_path):
    (tmp_path / "large").write_bytes(bytes(20_000_000))
    limits = Limits(timeout_seconds=3)
    with serving(Service({"tones": checkpoint}, limits), site=tmp_path) as url:
        with contextlib.ExitStack() as stack:
            for _ in range(5):
                stack.enter_context(slow_reader(url))
            wait_for(lambda: n_open(tmp_path) == 5)
            wait_for(lambda: n_open(tmp_path) == 0)
        assert len(requests.get(f"{url}/large", timeout=20).content) == 20_000_000


def test_who_waits_longest_makes_room_for_others(checkpoint, tmp_path, monkeypatch):
    """However slow readers and senders are, a limit of open files keeps nobody else out."""
    monkeypatch.setattr(connections, "_max_connections", lambda: 6)
    (tmp_path / "large").write_bytes(bytes(20_000_000))
    with serving(Service({"tones": checkpoint}, LIMITS), site=tmp_path) as url, contextlib.ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(slow_reader(url))
            client = stack.enter_context(talk(url))
            client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        assert requests.post(url, WAV, timeout=20).ok
        wait_for(lambda: n_open(tmp_path) <= 6)
        with requests.Session() as session:  # and who is answered is not turned out
            assert session.post(url, WAV, timeout=20).ok


def test_memory_returns(url):
    process, long = psutil.Process(), encoded(tone(300, 19), subtype="PCM_16")

    def ask(number: int) -> int:
        return requests.post(url, long if number % 2 else bytes(1_900_000), timeout=20).status_code

    with ThreadPoolExecutor(8) as clients:
        assert set(clients.map(ask, range(16))) == {200, 415}
        before = process.memory_info().rss
        assert set(clients.map(ask, range(64))) == {200, 415}
    assert process.memory_info().rss - before < 40e6
    assert metric(url, "hf_audio_body_bytes") == metric(url, "hf_audio_requests_waiting") == 0


# What operators see


def test_health_readiness_metrics_and_page(url):
    assert requests.get(f"{url}/health", timeout=20).json() == {"status": "ok"}
    assert requests.get(f"{url}/ready", timeout=20).json() == {"models": ["tones", "numbers"]}
    before = metric(url, "hf_audio_decoded_seconds_total")
    requests.post(url, WAV, timeout=20)
    assert metric(url, "hf_audio_decoded_seconds_total") - before == pytest.approx(1.7)
    assert requests.get(url, headers={"host": "["}, timeout=20).ok
    page = requests.get(url, headers={"accept": "text/html", "host": "<b>"}, timeout=20)
    assert page.headers["content-type"].startswith("text/html") and "tones, numbers" in page.text
    assert "curl" in page.text and "<b>" not in page.text


def test_site_for_browsers(checkpoint, tmp_path):
    with serving(Service({"tones": checkpoint}, LIMITS), site=tmp_path) as url:
        assert "curl" in requests.get(url, timeout=20).text, "as long as it is being made"
        (tmp_path / "index.html").write_text("<p>hear")
        (tmp_path / "app.js").write_text("//")
        assert requests.get(url, timeout=20).text == "<p>hear"
        assert requests.get(f"{url}/app.js", timeout=20).text == "//"
        assert requests.get(f"{url}/health", timeout=20).ok and requests.post(url, WAV, timeout=20).ok
        refused(requests.get(f"{url}/%00", timeout=20), 404, "nothing")
        refused(requests.get(f"{url}/..%2f..%2fetc%2fpasswd", timeout=20), 404, "nothing")
        check_methods(url, "/app.js", "/index.html")


def test_token(online, checkpoint):
    with serving(Service({"tones": checkpoint}, LIMITS), token="swordfish") as url:
        for headers in ({}, {"authorization": "Bearer swordfisi"}, {"authorization": "Basic swordfish"}):
            for path in ("/", "/models/tones", "/v1/predict", "/v1/embed"):
                response = requests.post(url + path, WAV, headers=headers, timeout=20)
                refused(response, 401, "Bearer TOKEN")
                assert response.headers["www-authenticate"] == "Bearer"
            assert requests.get(f"{url}/metrics", headers=headers, timeout=20).status_code == 401
            with connect(stream_url(url), additional_headers=headers) as websocket:
                refused_stream(websocket, 1008, "Bearer TOKEN")
        assert InferenceClient(model=url, token="swordfish").audio_classification(WAV)
        with connect(stream_url(url), additional_headers={"authorization": "bearer swordfish"}):
            pass
        assert requests.get(f"{url}/health", timeout=20).ok and requests.get(f"{url}/ready", timeout=20).ok


def test_not_ready_before_it_is_loaded(checkpoint, monkeypatch):
    gate = threading.Event()

    def load(path):
        assert gate.wait(30)
        return load_classifier(path)

    monkeypatch.setattr("hf_audio.serving.service.load_classifier", load)
    with serving(Service({"tones": checkpoint}, LIMITS), ready=False) as url:
        for response in (requests.get(f"{url}/ready", timeout=20), requests.post(url, WAV, timeout=20), upload(url)):
            refused(response, 503, "being loaded")
            assert int(response.headers["retry-after"]) > 0
        assert requests.get(f"{url}/health", timeout=20).ok
        gate.set()
        wait_for(lambda: requests.get(f"{url}/ready", timeout=20).ok)
        assert requests.post(url, WAV, timeout=20).ok


def test_wrong_arguments_end_in_a_sentence(tmp_path, capsys):
    def run(*argv: str) -> str:
        with pytest.raises(SystemExit) as end:
            cli.main(["serve", *argv])
        assert end.value.code == 2
        return capsys.readouterr().err.strip().splitlines()[-1]

    assert run(str(tmp_path), "--port", "0").startswith(f"error: {tmp_path} holds no config.json: ")
    assert run("a=1", "a=2") == "error: Two models are called a: give NAME=2 another name."
    assert run("a/b=1") == "error: 'a/b' is no name for a model: give NAME=1, of letters, digits, . _ and -."
    assert run("a=1", "--max_seconds", "0") == "error: max_seconds=0.0 must be positive."
    assert run("a=1", "--site", str(tmp_path)).endswith(" holds no index.html: write one by hf-audio page.")
    assert run("a=1", "--token_file", str(tmp_path / "no")).startswith(f"error: {tmp_path}/no cannot be read (")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sentence = f"error: Nobody can listen at 127.0.0.1:{port} (Address already in use): choose another --port."
        assert run("a=1", "--port", str(port)) == sentence


def test_missing_packages_are_named(monkeypatch, capsys):
    for name in [name for name in sys.modules if name in ("hf_audio.serving.app", "hf_audio.serving.connections")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(SystemExit):
        cli.main(["serve", "here"])
    sentence = "error: There is no uvicorn to serve with: pip install 'hf-audio[serve]'."
    assert capsys.readouterr().err.strip() == sentence


# Streams


def stream_url(url: str, query: str = "") -> str:
    return f"{url.replace('http', 'ws')}/v1/stream{query}"


def pcm(waveform: np.ndarray) -> np.ndarray:
    return np.rint(waveform * 32768).astype("<i2")


def converse(websocket: ClientConnection, samples: np.ndarray, block: int) -> list[dict]:
    for first in range(0, len(samples), block):
        websocket.send(samples[first : first + block].tobytes())
    websocket.send('{"type": "end"}')
    events = [json.loads(message) for message in websocket]
    assert websocket.close_code == 1000
    return events


@pytest.mark.parametrize("block", [37, 800, 10**6])
def test_a_stream_hears_what_it_hears_offline(block, url, classifier):
    samples = pcm(tone(700, 3.3, 11025))
    stream = AudioStream(classifier, sampling_rate=11025, hop_seconds=0.4)
    expected = stream.push(samples.astype(np.int16)) + stream.flush()
    with connect(stream_url(url, "?sampling_rate=11025&hop_seconds=0.4&top_k=3")) as websocket:
        events = converse(websocket, samples, block)
    with connect(stream_url(url, "?sampling_rate=8000")) as websocket:  # or said in its first message
        websocket.send('{"sampling_rate": 11025, "hop_seconds": 0.4, "model": "tones", "top_k": 3}')
        assert converse(websocket, samples, block) == events
    assert [(event["start"], event["end"]) for event in events] == [(e.start, e.end) for e in expected]
    for event, other in zip(events, expected, strict=True):
        agree(event["answer"], classifier.facts.name(other.scores))


def test_a_stream_tells_events_once_each(url, classifier):
    samples = pcm(np.concatenate([tone(300, 1.5), tone(2500, 1.5)]))
    expected = [event._asdict() for event in EventStream(classifier).listen([samples.astype(np.int16)])]
    with connect(stream_url(url, "?events=true")) as websocket:
        events = converse(websocket, samples, 1600)
    assert expected and len(events) == len(expected)
    for event, other in zip(events, expected, strict=True):
        assert event.pop("confidence") == pytest.approx(other.pop("confidence"), abs=1e-3) and event == other
    with connect(stream_url(url, "?events=true&model=numbers")) as websocket:
        websocket.send(bytes(100))
        refused_stream(websocket, 1007, "finds no events")


def test_streams_beside_each_other(url, numbers):
    with connect(stream_url(url, "?model=numbers")) as one, connect(stream_url(url)) as other:
        assert metric(url, "hf_audio_streams") == 2
        one.send(pcm(CLIP).tobytes())
        assert set(json.loads(one.recv(20))["answer"]) == {"text", "score"}
        assert converse(other, pcm(CLIP), 100)[-1]["end"] == pytest.approx(1.7)
    wait_for(lambda: metric(url, "hf_audio_streams") == 0)


@pytest.mark.parametrize(
    ("messages", "code", "words"),
    [
        ([b"123"], 1007, "3 bytes ends within a sample"),
        (["{"], 1007, "JSON"),
        (["[1]"], 1007, "JSON"),
        (['{"hop_seconds": 0.001}'], 1007, "hop_seconds: .*0.05"),
        (['{"hop_seconds": 1e9}'], 1007, "hop_seconds: .*30"),
        (['{"type": "cat"}'], 1007, "type: "),
        (['{"model": "' + "x" * 500 + '"}'], 1007, "tones, numbers"),
        ([bytes(100), '{"sampling_rate": 8000}'], 1003, "has begun"),
        ([bytes(2**20 + 2)], 1009, None),
    ],
)
def test_broken_rules_of_a_stream(messages, code, words, url):
    with connect(stream_url(url)) as websocket:
        for message in messages:
            websocket.send(message)
        refused_stream(websocket, code, words)
    wait_for(lambda: metric(url, "hf_audio_streams") == 0)


def refused_stream(websocket: ClientConnection, code: int, words: str | None) -> None:
    if words:
        assert re.search(words, json.loads(websocket.recv(20))["error"])
    with pytest.raises(ConnectionClosed) as caught:
        websocket.recv(20)
    assert caught.value.rcvd.code == code


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?sampling_rate=7", "^sampling_rate: "),
        ("?hop_seconds=x", "^hop_seconds: "),
        ("?model=cats", "tones, numbers"),
        ("?top_k=0", "^top_k: "),
    ],
)
def test_wrong_queries_of_a_stream(query, words, url):
    with connect(stream_url(url, query)) as websocket:
        refused_stream(websocket, 1007, words)


def test_silent_streams_end_and_too_many_do_not_begin(gated):
    url, _ = gated(Limits(max_streams=1, timeout_seconds=3))
    with connect(stream_url(url)) as websocket:
        wait_for(lambda: metric(url, "hf_audio_streams") == 1)
        with connect(stream_url(url)) as other:
            refused_stream(other, 1013, "1 streams are open")
        refused_stream(websocket, 1001, "Nothing came for 3 s")
    wait_for(lambda: metric(url, "hf_audio_streams") == 0)


# The interface as a whole


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_every_answer_is_one_that_the_openapi_document_knows(mode, url):
    """What fits the document is sent, and what does not."""
    document = schemathesis.openapi.from_url(f"{url}/openapi.json")
    for result in document.get_all_operations():
        operation = result.ok()
        if mode == GenerationMode.NEGATIVE and not (operation.body or operation.path_parameters):
            continue  # there is nothing to get wrong

        @settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(operation.as_strategy(generation_mode=mode))
        def check(case):
            # Of a string of bytes, a schema cannot say that it must be audio.
            case.call_and_validate(excluded_checks=[positive_data_acceptance], timeout=20)

        check()


# The end


@pytest.mark.slow
def test_terminated_under_load_it_answers_what_it_has_accepted(checkpoint, tmp_path):
    command = [sys.executable, "-m", "hf_audio.cli", "serve", f"tones={checkpoint}", "--port", "0"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        name, url = process.stdout.readline().strip().split(" at ")
        assert name == "tones" and url.startswith("http://127.0.0.1:")
        wait_for(lambda: requests.get(f"{url}/ready", timeout=20).ok)
        long = encoded(tone(300, 150), subtype="PCM_16")
        with ThreadPoolExecutor(8) as clients, connect(stream_url(url)) as websocket:
            websocket.send(pcm(CLIP[: RATE // 4]).tobytes())
            asked = [clients.submit(requests.post, url, long, timeout=60) for _ in range(8)]
            wait_for(lambda: metric(url, "hf_audio_requests_waiting") == 8)
            process.send_signal(signal.SIGTERM)
            assert [each.result().status_code for each in asked] == [200] * 8
            assert json.loads(websocket.recv(20))["end"] == 0.25  # the last window was heard too
            with pytest.raises(ConnectionClosed) as closed:
                websocket.recv(20)
            assert closed.value.rcvd.code == 1012
        _, err = process.communicate(timeout=300)
        assert process.returncode == 128 + signal.SIGTERM and "Traceback" not in err
        assert not list(tmp_path.glob("hf_audio_site_*")), "the page that was being made"
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{url}/health", timeout=20)
    finally:
        process.kill()
        process.communicate()
