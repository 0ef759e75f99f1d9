"""What can be wrong with a package: a sentence each."""

import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from helpers.wheels import write_wheel

from hf_audio.encoders import wheels
from hf_audio.encoders.sources import SOURCES
from hf_audio.errors import CheckpointError


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    return write_wheel(tmp_path, "ge2e", monkeypatch)


def refusal(path) -> str:
    with pytest.raises(CheckpointError) as caught, wheels.open_wheel("ge2e", SOURCES["ge2e"].wheel, path):
        pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_file_itself_is_opened(wheel):
    with wheels.open_wheel("ge2e", SOURCES["ge2e"].wheel, wheel) as archive:
        assert "resemblyzer/pretrained.pt" in archive.namelist()


def test_another_file_is_refused_by_what_it_is(wheel, tmp_path):
    assert "is not there" in refusal(tmp_path / "nothing.whl")
    renamed = tmp_path / "download.zip"
    renamed.write_bytes(wheel.read_bytes())
    assert "has not the name of a wheel" in refusal(renamed)
    for name, told in (
        ("Resemblyzer-0.1.3-py3-none-any.whl", "is Resemblyzer 0.1.3"),
        ("aisfx-0.1.2-py2.py3-none-any.whl", "is aisfx 0.1.2"),
    ):
        other = tmp_path / name
        other.write_bytes(wheel.read_bytes())
        assert told in refusal(other) and "taken out of Resemblyzer 0.1.4" in refusal(other)


def test_a_file_cut_off_or_changed_is_refused(wheel):
    content = wheel.read_bytes()
    for cut in (b"", content[:1000], content[: len(content) // 2], content[:-1], b"<html>no such page</html>"):
        wheel.write_bytes(cut)
        assert "is cut off or no wheel" in refusal(wheel)
    wheel.write_bytes(content + b" ")  # which a zip file may have behind it
    assert "SHA-256" in refusal(wheel) and "changed or built anew" in refusal(wheel)


NONE = "ERROR: Could not find a version (from versions: none)\nERROR: No matching distribution found for Resemblyzer"
FETCHED = "Could not fetch URL http://index/simple/resemblyzer/: "


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (f"{FETCHED}Max retries exceeded (Caused by ResponseError('too many 500 error responses'))", "answers 500"),
        (f"{FETCHED}429 Client Error: Too Many Requests for url: http://index/simple/", "answers 429"),
        (f"{FETCHED}404 Client Error: Not Found for url: http://index/simple/", "has no such version"),
        ("Fetched page http://index/simple/resemblyzer/ as text/html", "is no list of packages"),
    ],
)
def test_what_an_index_answered_is_told_apart_from_a_version_that_is_not_there(log, reason, monkeypatch):
    monkeypatch.setattr(
        subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1, stdout=log, stderr=NONE)
    )
    assert reason in refusal(None)


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (
            "WARNING: Retrying after NewConnectionError: Temporary failure in name resolution\nERROR: No matching",
            "be reached",
        ),
        ("ERROR: No matching distribution found for Resemblyzer==0.1.4", "has no such version"),
        ("python: No module named pip", "pip is not installed"),
        (
            "ERROR: HTTP error 403 while getting https://example.org/a.whl\nERROR: 403 Client Error: Forbid",
            "answers 403",
        ),
        ("", "no reason"),
    ],
)
def test_why_pip_could_not_fetch_it_is_told_with_the_way_round(told, reason, monkeypatch):
    monkeypatch.setattr(
        subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1, stdout="", stderr=told)
    )
    sentence = refusal(None)
    assert reason in sentence and "--wheel FILE" in sentence


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((500, ""), "the package index answers 500"),
        ((401, ""), "the package index answers 401"),
        ((404, ""), "the package index has no such version"),
        ((200, "<html><h1>Log in first</h1></html>"), "what the package index answers is no list of packages"),
        ((200, ""), "what the package index answers is no list of packages"),
        ((200, '<a href="Resemblyzer-0.1.3-py3-none-any.whl">it</a>'), "the package index has no such version"),
        (None, "the package index cannot be reached"),
    ],
)
@pytest.mark.exhaustive
def test_what_an_index_answers_is_told_as_pip_understands_it(answer, reason, tmp_path, monkeypatch):
    class Index(BaseHTTPRequestHandler):
        def do_GET(self):
            if answer is None:
                return
            status, page = answer
            self.send_response(status)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_):
            pass

    for name in [name for name in os.environ if name.startswith("PIP_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    with ThreadingHTTPServer(("127.0.0.1", 0), Index) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
        assert f"({reason})" in refusal(None)
        server.shutdown()


def test_an_index_that_answers_something_else_is_refused(tmp_path, monkeypatch):
    def fetch(command, **_):
        folder = command[command.index("--dest") + 1]
        with open(f"{folder}/Resemblyzer-0.1.4-py3-none-any.whl", "wb") as file:
            file.write(b"not what was asked for")
        return subprocess.CompletedProcess(command, 0, stdout="", stderr="")

    monkeypatch.setattr(subprocess, "run", fetch)
    assert "is cut off or no wheel" in refusal(None)
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 0, "", ""))
    assert "0 wheels arrived" in refusal(None)


def test_pip_is_asked_for_the_file_that_is_pinned_whatever_the_machine(wheel, monkeypatch):
    asked = []

    def fetch(command, **_):
        asked.append(command)
        return subprocess.CompletedProcess(command, 1, stdout="", stderr="")

    monkeypatch.setattr(subprocess, "run", fetch)
    with pytest.raises(CheckpointError), wheels.open_wheel("speech", SOURCES["speech"].wheel):
        pass
    assert "pyopen-wakeword==1.1.0" in asked[0] and "--no-deps" in asked[0]
    assert asked[0][asked[0].index("--platform") + 1] == "manylinux_2_35_x86_64"
