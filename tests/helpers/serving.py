"""Shared by tests of the server: one that runs beside a test, and clients that ask it over real sockets."""

import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from helpers.recordings import RATE, encoded, tone
from hf_audio.inference.classifier import AudioClassifier
from hf_audio.inference.facts import Facts
from hf_audio.serving.app import make_app
from hf_audio.serving.connections import Server
from hf_audio.serving.service import Service
from hf_audio.serving.settings import Limits

LIMITS = Limits(max_megabytes=2, max_seconds=20, timeout_seconds=20)
CLIP = tone(900, 1.7)
WAV = encoded(CLIP, subtype="FLOAT")


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
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def agree(answers, expected) -> None:
    """Answers have these labels, in this order, and these scores."""
    assert [answer["label"] for answer in answers] == [each["label"] for each in expected]
    np.testing.assert_allclose([a["score"] for a in answers], [e["score"] for e in expected], atol=1e-5)


def metric(url: str, name: str) -> float:
    """A metric of the server, summed over its labels."""
    families = text_string_to_metric_families(requests.get(f"{url}/metrics", timeout=20).text)
    return sum(sample.value for family in families for sample in family.samples if sample.name == name)


def refused(response: requests.Response, status: int, words: str) -> None:
    """The request was refused in one sentence, in which the words, a regular expression, are found."""
    assert response.status_code == status, response.text
    assert list(response.json()) == ["error"] and re.search(words, response.json()["error"])
    assert response.json()["error"].endswith(".") and "\n" not in response.json()["error"]


def upload(url: str, audio: bytes = WAV, **fields) -> requests.Response:
    """What a form with an audio file and further fields is answered."""
    return requests.post(f"{url}/v1/predict", files={"file": ("clip.wav", audio)}, data=fields, timeout=20)


@contextlib.contextmanager
def talk(url: str) -> Iterator[socket.socket]:
    """A bare connection, for what no client library would send."""
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


def stream_url(url: str, query: str = "") -> str:
    """Where streams of a server begin."""
    return f"{url.replace('http', 'ws')}/v1/stream{query}"


def pcm(waveform: np.ndarray) -> np.ndarray:
    """(samples,) in -1 to 1, as the 16-bit integers of a stream."""
    return np.rint(waveform * 32768).astype("<i2")


def converse(websocket: ClientConnection, samples: np.ndarray, block: int) -> list[dict]:
    """Send samples in blocks, and the end: all that the stream answers."""
    for first in range(0, len(samples), block):
        websocket.send(samples[first : first + block].tobytes())
    websocket.send('{"type": "end"}')
    events = [json.loads(message) for message in websocket]
    assert websocket.close_code == 1000
    return events


def refused_stream(websocket: ClientConnection, code: int, words: str | None) -> None:
    """The stream was closed with this code, after a sentence in which the words are found, if any."""
    if words:
        assert re.search(words, json.loads(websocket.recv(20))["error"])
    with pytest.raises(ConnectionClosed) as caught:
        websocket.recv(20)
    assert caught.value.rcvd.code == code
