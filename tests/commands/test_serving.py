"""`hf-audio serve` refuses what cannot be served before it listens."""

import socket
import sys

import pytest

from hf_audio import cli


def test_wrong_arguments_end_in_a_sentence(tmp_path, capsys):
    def run(*argv: str) -> str:
        with pytest.raises(SystemExit) as end:
            cli.main(["serve", *argv])
        assert end.value.code == 2
        return capsys.readouterr().err.strip().splitlines()[-1]

    assert run(str(tmp_path), "--port", "0").startswith(f"error: {tmp_path} holds no config.json: ")
    assert run("a=1", "a=2") == "error: Two models are called a: give NAME=2 another name."
    assert run("a/b=1") == "error: 'a/b' is no name for a model: give NAME=1, of letters, digits, . _ and -."
    assert run("a=1", "--max_seconds", "0") == "error: max_seconds=0.0 must be positive."
    assert run("a=1", "--site", str(tmp_path)).endswith(" holds no index.html: write one by hf-audio page.")
    assert run("a=1", "--token_file", str(tmp_path / "no")).startswith(f"error: {tmp_path}/no cannot be read (")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sentence = f"error: Nobody can listen at 127.0.0.1:{port} (Address already in use): choose another --port."
        assert run("a=1", "--port", str(port)) == sentence


def test_missing_packages_are_named(monkeypatch, capsys):
    for name in [name for name in sys.modules if name in ("hf_audio.serving.app", "hf_audio.serving.connections")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(SystemExit):
        cli.main(["serve", "here"])
    sentence = "error: There is no uvicorn to serve with: pip install 'hf-audio[serve]'."
    assert capsys.readouterr().err.strip() == sentence
