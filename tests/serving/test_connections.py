"""Clients that are slow to ask or to read, and the end of a server."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import requests
from helpers.recordings import RATE, encoded, tone
from helpers.serving import CLIP, LIMITS, WAV, metric, pcm, serving, stream_url, talk, wait_for
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from hf_audio.serving import connections
from hf_audio.serving.service import Service
from hf_audio.serving.settings import Limits


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
        wait_for(lambda: n_open(tmp_path) <= 6, LIMITS.timeout_seconds / 2)  # and not only as they time out
        with requests.Session() as session:  # and who is answered is not turned out
            assert session.post(url, WAV, timeout=20).ok


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
