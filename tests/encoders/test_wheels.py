"""What can be wrong with a package: a sentence each."""

import subprocess

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


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (
            "WARNING: Retrying after NewConnectionError: Temporary failure in name resolution\nERROR: No matching",
            "be reached",
        ),
        ("ERROR: No matching distribution found for Resemblyzer==0.1.4", "has no such version"),
        ("python: No module named pip", "pip is not installed"),
        ("ERROR: 403 Client Error: Forbidden for url: https://example.org/simple", "403 Client Error"),
        ("", "no reason"),
    ],
)
def test_why_pip_could_not_fetch_it_is_told_with_the_way_round(told, reason, monkeypatch):
    monkeypatch.setattr(
        subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1, stdout="", stderr=told)
    )
    sentence = refusal(None)
    assert reason in sentence and "--wheel FILE" in sentence


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
