"""A service that is still loading, has a full queue, or whose network fails."""

import threading
from concurrent.futures import ThreadPoolExecutor

import requests
from helpers.serving import LIMITS, WAV, metric, refused, serving, upload, wait_for

from hf_audio.inference.checkpoint import load_classifier
from hf_audio.serving.service import Service
from hf_audio.serving.settings import Limits


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
