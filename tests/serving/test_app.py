"""The routes of a server: who may ask, under which names models answer, what operators and browsers see."""

import pytest
import requests
from helpers.recordings import encoded, tone
from helpers.serving import LIMITS, WAV, agree, metric, refused, refused_stream, serving, stream_url
from huggingface_hub import InferenceClient
from websockets.sync.client import connect

from hf_audio.inference.checkpoint import load_classifier
from hf_audio.serving.service import Service


def test_the_hugging_face_client_works_unchanged(online, url, classifier, tmp_path):
    path = tmp_path / "clip.flac"
    path.write_bytes(encoded(tone(2000, 0.8, 44100), 44100, format="FLAC", subtype="PCM_16"))
    client = InferenceClient(model=url)
    for audio in (path, str(path), path.read_bytes(), WAV):
        expected = classifier(audio)
        agree(client.audio_classification(audio), expected)
        agree(client.audio_classification(audio, top_k=2, function_to_apply="softmax"), expected[:2])


def test_every_model_answers_under_its_name(online, url, classifier, numbers):
    agree(InferenceClient(model=f"{url}/models/tones").audio_classification(WAV), classifier(WAV))
    number = load_classifier(numbers)(WAV)
    agree(
        InferenceClient(model=f"{url}/models/numbers").audio_classification(WAV),
        [{"label": number["text"], "score": number["score"]}],
    )
    refused(requests.post(f"{url}/models/cats", WAV, timeout=20), 404, "'cats'.* tones, numbers")


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
