"""Pages of strangers cannot ask a server through the browser of somebody who visits them."""

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from hf_audio.errors import ArgumentError
from hf_audio.serving.app import make_app
from hf_audio.serving.callers import Callers
from hf_audio.serving.service import Service
from hf_audio.serving.settings import Limits

OWN = Callers.of(["sound.lan"], ["https://Friend.example/"])


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8000", "localhost.:8000", "app.localhost", "127.0.0.1:8000", "192.168.1.7", "[::1]:8000",
     "[fe80::1%251]", "sound.lan:8000", None],
)  # fmt: skip
def test_a_server_is_called_by_its_names_and_addresses(host):
    assert OWN.refusal(host, None) is None


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "notlocalhost", "127.1",
     "sound.lan.evil.example", "", ":8000", "[", "[::1", "a b", "<b>", "127.0.0.1:port", "localhost@evil.example"],
)  # fmt: skip
def test_other_names_were_pointed_at_it(host):
    status, sentence = OWN.refusal(host, None)
    assert status == 421 and "--allow_host NAME" in sentence


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://localhost", "localhost:80"),
        ("https://sound.lan", "sound.lan"),  # behind something that speaks TLS
        ("https://sound.lan:443", "Sound.lan"),
        ("http://[::1]:8000", "[::1]:8000"),
        ("https://friend.example", "127.0.0.1:8000"),
        (None, "127.0.0.1"),
    ],
)
def test_its_own_page_and_those_that_are_allowed_may_ask(origin, host):
    assert OWN.refusal(host, origin) is None


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://evil.example", "127.0.0.1:8000"),
        ("http://127.0.0.1:3000", "127.0.0.1:8000"),
        ("http://localhost:8000", "127.0.0.1:8000"),
        ("http://friend.example", "127.0.0.1"),
        ("https://friend.example.evil.example", "127.0.0.1"),
        ("null", "127.0.0.1:8000"),
        ("", "127.0.0.1:8000"),
        ("http://", ""),
        ("http://127.0.0.1:8000", None),
        ("file://127.0.0.1", "127.0.0.1"),
    ],
)
def test_pages_of_others_may_not(origin, host):
    status, sentence = Callers(None, OWN.origins).refusal(host, origin)
    assert status == 403 and "--allow_origin ORIGIN" in sentence


def test_where_clients_bear_a_token_every_name_will_do():
    assert Callers.of(None).refusal("sound.example", None) is None
    assert Callers.of([], ["*"]).refusal("127.0.0.1", "null") is None
    for origin in ("friend.example", "https://friend.example/page", "ftp://friend.example", "https://"):
        with pytest.raises(ArgumentError, match=r"--allow_origin .* is no origin"):
            Callers.of([], [origin])


@pytest.fixture(scope="module")
def client():
    service = Service({"tones": "nowhere"}, Limits())
    try:
        yield TestClient(make_app(service, callers=OWN), base_url="http://sound.lan")
    finally:
        service.close()


def test_nothing_is_answered_to_strangers(client):
    for strange, status in (({"host": "evil.example"}, 421), ({"origin": "https://evil.example"}, 403)):
        for asked in ("GET /", "GET /openapi.json", "GET /health", "POST /", "OPTIONS /"):
            method, path = asked.split()
            response = client.request(method, path, headers=strange)
            assert response.status_code == status and list(response.json()) == ["error"]
            assert "access-control-allow-origin" not in response.headers
        headers = {"host": "sound.lan", **strange}  # of itself, this client gives another
        with pytest.raises(WebSocketDisconnect), client.websocket_connect("/v1/stream", headers=headers):
            pytest.fail("it was accepted")
    assert client.get("/health").json() == {"status": "ok"}


def test_pages_that_are_allowed_are_told_so(client):
    friend = {"origin": "https://friend.example"}
    assert client.get("/health", headers=friend).headers["access-control-allow-origin"] == friend["origin"]
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}
    response = client.options("/v1/predict", headers={**friend, **asked})
    assert response.status_code == 200 and "POST" in response.headers["access-control-allow-methods"]
    assert "authorization" in response.headers["access-control-allow-headers"]
    with client.websocket_connect("/v1/stream", headers={**friend, "host": "sound.lan"}) as websocket:
        assert "being loaded" in websocket.receive_json()["error"]
