"""What the user can mend ends in a sentence; what only we can mend keeps its traceback."""

import errno
import inspect

import pytest

from hf_audio import errors
from hf_audio.errors import DataError, MissingExtraError, Refusal, refusals_end_in_a_sentence
from hf_audio.runs.agreement import each_for_itself

TRACEBACK = "Traceback (most recent call last):"  # so arrives what a loader worker raised
CLASSES = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]


def test_the_tree_of_refusals_is_drawn_whole():
    drawn = [line.strip("│ ├└─").split()[0] for line in errors.__doc__.splitlines() if "──" in line]
    assert sorted(drawn) == sorted(kind.__name__ for kind in CLASSES)
    assert all(issubclass(kind, Refusal) for kind in CLASSES)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (DataError("clips.csv has no column 'label':\n  name it."), "clips.csv has no column 'label': name it."),
        (MissingExtraError("pip install 'hf-audio[serve]'."), "pip install 'hf-audio[serve]'."),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "gone.wav"), "gone.wav"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (
            DataError(f"Caught in worker 0.\n{TRACEBACK}\nDataError: a.wav is cut."),
            "error: a.wav is cut.",
        ),
    ],
)
def test_what_can_be_mended_is_one_sentence_and_exit_code_2(error, sentence, capsys):
    with pytest.raises(SystemExit) as ended, refusals_end_in_a_sentence():
        raise error
    assert ended.value.code == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("error: ") and sentence in said and "\n" not in said


@pytest.mark.parametrize(
    ("variable", "reason", "file", "named"),
    [
        ("HF_HOME", errno.EACCES, "cache/datasets/hf_audio", "HF_HOME"),
        ("HF_HOME", errno.EROFS, "cache", "HF_HOME"),
        ("HF_DATASETS_CACHE", errno.EACCES, "cache/hf_audio", "HF_DATASETS_CACHE"),
        ("XDG_CACHE_HOME", errno.EACCES, "cache/huggingface/hub", "HF_HOME"),
        ("HF_HOME", errno.ENOENT, "cache/datasets", None),  # a file that is not there
        ("HF_HOME", errno.EACCES, "cache of others/datasets", None),
    ],
)
def test_a_cache_that_cannot_be_written_is_told_with_the_variable(
    variable, reason, file, named, tmp_path, monkeypatch, capsys
):
    for name in ("HF_HOME", "HF_DATASETS_CACHE", "HF_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "cache").mkdir()
    monkeypatch.setenv(variable, str(tmp_path / "cache"))
    with pytest.raises(SystemExit), refusals_end_in_a_sentence():
        raise OSError(reason, "Why", str(tmp_path / file))
    said = capsys.readouterr().err
    assert str(tmp_path / file) in said
    assert (f"(Why): set the variable {named} to a folder that can be written" in said) == (named is not None)


def test_a_cache_in_the_place_of_a_file_is_told_with_the_variable(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    monkeypatch.delenv("HF_DATASETS_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "file" / "cache"))
    with pytest.raises(SystemExit), refusals_end_in_a_sentence():
        (tmp_path / "file" / "cache" / "datasets").mkdir(parents=True)
    assert "set the variable HF_HOME to a folder" in capsys.readouterr().err


@pytest.mark.parametrize("secret", ["me:word", "a,b)c", "word"])
def test_a_sentence_goes_on_behind_credentials(secret):
    told = str(
        DataError(f"https://host/a.wav?part=1&token={secret}: it is not there (https://b?sig={secret}), or no more.")
    )
    assert told == "https://host/a.wav?part=1&: it is not there (https://b?), or no more."


def test_of_several_processes_one_speaks(capsys):
    with pytest.raises(SystemExit), refusals_end_in_a_sentence(speaks=False):
        raise DataError("clips.csv is empty.")
    assert capsys.readouterr().err == ""
    with pytest.raises(SystemExit), refusals_end_in_a_sentence(speaks=False), each_for_itself():
        raise DataError("a.wav is cut.")
    assert capsys.readouterr().err == "\nerror: a.wav is cut.\n"


@pytest.mark.parametrize("error", [ValueError("a bug"), KeyError("name"), OSError(errno.EIO, "Input/output error")])
def test_a_bug_keeps_its_traceback(error):
    with pytest.raises(type(error)) as raised, refusals_end_in_a_sentence():
        raise error
    assert raised.value is error
