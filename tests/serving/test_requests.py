"""Bodies that are too large, clients that leave, and the memory that both took."""

import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
import requests
from helpers.recordings import encoded, tone
from helpers.serving import CLIP, WAV, metric, refused, talk, wait_for
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError

from hf_audio.serving.settings import Limits


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
