"""What a server is started with."""

import pytest

from hf_audio.serving.settings import name_checkpoints, read_token


def test_names(tmp_path, monkeypatch):
    (tmp_path / "digits").mkdir()
    monkeypatch.chdir(tmp_path)
    arguments = ["digits", "me/sounds", "x=digits", "out/best.onnx", "org=a=b"]
    assert list(name_checkpoints(arguments).items()) == [
        ("digits", "digits"),
        ("sounds", "me/sounds"),
        ("x", "digits"),
        ("best", "out/best.onnx"),
        ("org", "a=b"),
    ]
    (tmp_path / "a=b").mkdir()
    with pytest.raises(ValueError, match="'a=b' is no name"):
        name_checkpoints(["a=b"])


def test_where_the_token_comes_from(tmp_path, monkeypatch):
    monkeypatch.delenv("HF_AUDIO_TOKEN", raising=False)
    assert read_token(None) is None
    monkeypatch.setenv("HF_AUDIO_TOKEN", "one")
    assert read_token(None) == "one"
    (tmp_path / "token").write_text("two\n")
    assert read_token(tmp_path / "token") == "two"
    for nothing in ("", " \n", "ünsafe", "two words"):
        (tmp_path / "token").write_text(nothing)
        with pytest.raises(ValueError, match="holds no token"):
            read_token(tmp_path / "token")
