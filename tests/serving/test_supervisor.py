"""Workers at one port, with the packages of the image alone: the same answers, limits and end as of one process."""

import asyncio
import contextlib
import errno
import importlib.metadata
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import requests
from helpers.recordings import REPOSITORY, encoded, tone
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from hf_audio import cli
from hf_audio.errors import ArgumentError
from hf_audio.inference.checkpoint import load_classifier
from hf_audio.serving.callers import Callers
from hf_audio.serving.settings import Limits, Settings
from hf_audio.serving.supervisor import Supervisor

DOCKERFILE = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
LATEST = re.compile(r'hf_audio_worker_resident_bytes\{worker="(\w+)"\} (\S+)')
LOADED = "\nhf_audio_processes_loaded 2.0"
# What Python does first in every process of the image, where nothing else is installed.
BLOCK = """
import sys
class Refusing:
    def find_spec(self, name, path=None, target=None):
        known = name in {allowed!r} or name in sys.stdlib_module_names or name.startswith("_sysconfigdata")
        if path is None and not known:
            raise ModuleNotFoundError(f"{{name}} is not in the image", name=name)
sys.meta_path.insert(0, Refusing())
"""


def instructions(keyword: str) -> list[str]:
    """Of the Dockerfile, what stands behind a keyword."""
    return re.findall(rf"^{keyword} (.+)$", DOCKERFILE, re.MULTILINE)


def image_modules() -> list[str]:
    """What the extras that the Dockerfile names bring, all that these require included."""
    (extras,) = re.findall(r"extra == \.\((.+?)\)", DOCKERFILE)
    declared = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    missing = [Requirement(each) for extra in extras.split("|") for each in declared[extra]]
    found = set()
    while missing:
        name = canonicalize_name(missing.pop().name)
        if name not in found:
            found.add(name)
            further = map(Requirement, importlib.metadata.requires(name) or [])
            missing += [each for each in further if each.marker is None or each.marker.evaluate({"extra": ""})]
    modules = importlib.metadata.packages_distributions()
    return ["hf_audio", *(name for name, by in modules.items() if found & set(map(canonicalize_name, by)))]


@contextlib.contextmanager
def serving(folder: Path, *words: str) -> Iterator[tuple[subprocess.Popen, str]]:
    """The image's command, with its packages alone, and its address."""
    (folder / "block").mkdir()
    (folder / "block" / "sitecustomize.py").write_text(BLOCK.format(allowed=sorted(image_modules())))
    (folder / "tmp").mkdir()
    path = os.pathsep.join([str(folder / "block"), str(REPOSITORY)])
    environment = {**os.environ, "PYTHONPATH": path, "TMPDIR": str(folder / "tmp"), "HF_AUDIO_TOKEN": "t"}
    (entry,) = instructions("ENTRYPOINT")
    command = [sys.executable, *json.loads(entry)[1:], *words, "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        told = process.stdout.readline()
        assert " at http://0.0.0.0:" in told, process.communicate()[1]
        yield process, f"http://127.0.0.1:{told.strip().rpartition(':')[2]}"
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=300)


def workers(session: requests.Session, url: str) -> dict[str, float]:
    """The memory of each process."""
    return {name: float(value) for name, value in LATEST.findall(session.get(f"{url}/metrics").text)}


def wait_for_workers(session: requests.Session, url: str, process: psutil.Process, without: set[int]) -> list[int]:
    """The processes of both workers, once both can be asked."""
    while True:
        pids = [each.pid for each in process.children() if each.pid not in without]
        if len(pids) == 2 and LOADED in session.get(f"{url}/metrics").text:
            return pids
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="processes cannot share a port there")
def test_workers_are_one_service_also_when_one_is_killed(exported, checkpoint, tmp_path):
    clip = encoded(tone(900, 1.7), subtype="FLOAT")
    expected = load_classifier(checkpoint)(clip)
    stream = {"additional_headers": {"authorization": "Bearer t"}}
    with serving(tmp_path, str(exported), "--workers", "2", "--max_streams", "1") as (process, url):
        socket = f"{url.replace('http', 'ws')}/v1/stream"
        with requests.Session() as session:
            session.headers.update({"authorization": "Bearer t", "connection": "close"})
            before = wait_for_workers(session, url, psutil.Process(process.pid), set())
            memory = workers(session, url)
            assert set(memory) == {"1", "2", "supervisor"} and all(10e6 < value < 1e9 for value in memory.values())
            os.kill(before[0], signal.SIGKILL)
            for _ in range(8):  # whichever answers, and whether it is there
                answer = session.post(url, clip)
                assert answer.ok, answer.text
                assert [row["label"] for row in answer.json()] == [row["label"] for row in expected]
                assert [row["score"] for row in answer.json()] == pytest.approx(
                    [row["score"] for row in expected], abs=1e-5
                )
            wait_for_workers(session, url, psutil.Process(process.pid), {before[0]})
            told = session.get(f"{url}/metrics").text
            assert 'hf_audio_requests_total{path="/",status="200"} 8.0' in told
            assert "\nprocess_resident_memory_bytes " in told and "\nhf_audio_streams 0.0" in told
        with connect(socket, **stream) as first:
            for _ in range(3):
                with connect(socket, **stream) as other:
                    assert "1 streams are open already" in other.recv(20)
            first.send(bytes(4000))
            process.send_signal(signal.SIGTERM)
            assert json.loads(first.recv(20))["end"] == 0.25
            with pytest.raises(ConnectionClosed) as closed:
                first.recv(20)
            assert closed.value.rcvd.code == 1012
        _, err = process.communicate(timeout=300)
        assert process.returncode == 128 + signal.SIGTERM
        assert err.strip() == "Worker 1 is started again. It was ended by SIGKILL."
        assert not list((tmp_path / "tmp").glob("hf_audio_*"))


def test_what_cannot_be_served_by_workers_is_told(capsys, monkeypatch):
    def run(*words: str) -> str:
        with pytest.raises(SystemExit) as end:
            cli.main(["serve", "no.onnx", "--port", "0", *words])
        assert end.value.code == 2
        return capsys.readouterr().err.strip().splitlines()[-1]

    assert run("--workers", "0") == "error: --workers 0 must be at least 1."
    monkeypatch.delattr("socket.send_fds")
    assert run("--workers", "2").startswith("error: --workers 2: processes cannot share a port on this system")


@pytest.mark.skipif(os.name != "posix", reason="processes cannot share a port there")
def test_a_worker_that_cannot_be_started_again_is_tried_later(capsys, monkeypatch):
    settings = Settings({}, Limits(), None, None, Callers(None))
    times: list[float] = []

    async def no_process(*_: str, **__: object) -> None:
        times.append(time.monotonic())
        if len(times) == 4:
            signal.raise_signal(signal.SIGINT)
            await asyncio.sleep(0)
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(asyncio, "create_subprocess_exec", no_process)
    monkeypatch.setattr("hf_audio.serving.supervisor.FIRST_DELAY", 0.02)
    ready = threading.Event()

    def run() -> None:
        Supervisor(settings, 1, "127.0.0.1", 0, ready).run()

    with pytest.raises(ArgumentError, match=r"^--workers 1: one could not be started \(Too many open files\) before "):
        run()  # which the user who starts it is told
    times.clear()
    ready.set()  # it has answered
    # As of a terminal; of a job in the background, the system has it ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run()
    finally:
        signal.signal(signal.SIGINT, before)
    told = "Worker 1 is started again. It could not be started (Too many open files).\n"
    assert capsys.readouterr().err == 3 * told
    assert np.all(np.diff(times) > [0.019, 0.039, 0.079])


@pytest.mark.exhaustive
def test_workers_that_cannot_load_end_the_server(capsys, monkeypatch):
    monkeypatch.setenv("HF_AUDIO_TOKEN", "t")
    with pytest.raises(SystemExit) as end:
        cli.main(["serve", "no.onnx", "--port", "0", "--workers", "2"])
    assert end.value.code == 2
    assert capsys.readouterr().err.strip() == "error: no.onnx is no file: write it by hf-audio export."


# The image


def test_the_image_has_what_its_commands_need():
    """What its extras name are requirements of the package too, in the same versions; its words are the command's."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert set(extras["onnx"]) <= {*project["dependencies"], *extras["export"]}
    assert not any("torch" in name for name in image_modules())
    copied = {word for line in instructions("COPY") if "--from" not in line for word in line.split()[:-1]}
    assert all((REPOSITORY / name).exists() for name in copied)
    assert {"pyproject.toml", project["readme"], "hf_audio", "recipes"} <= copied
    (entry,), (word,) = instructions("ENTRYPOINT"), instructions("CMD")
    assert json.loads(entry)[1:4] == ["-m", "hf_audio.cli", "serve"] and json.loads(word) == ["/model.onnx"]


@pytest.mark.exhaustive
def test_the_commands_of_the_image_install_it(tmp_path):
    """As docker runs them, but below another root."""
    for line in instructions("RUN"):
        for name in ("/app", "/wheel", "/requirements.txt"):
            line = re.sub(rf"(?<=[\s=]){name}\b", f"{tmp_path}{name}", line)
        subprocess.run(["bash", "-euc", line], cwd=REPOSITORY, check=True)
    installed = {path.name for path in (tmp_path / "app").iterdir()}
    assert {"hf_audio", "onnxruntime", "fastapi"} <= installed and not {"torch", "transformers"} & installed
    sources = [path for path in (REPOSITORY / "hf_audio").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert all((tmp_path / "app" / path.relative_to(REPOSITORY)).is_file() for path in sources)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "app")}
    command = [sys.executable, "-S", "-m", "hf_audio.cli", "serve", "--help"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
