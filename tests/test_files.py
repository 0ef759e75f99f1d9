"""Files and folders written whole or not at all."""

import os
import subprocess
import sys

import pytest
from helpers.folders import names, touch

from hf_audio.errors import DataError
from hf_audio.files import folder_written_whole, temporary_folder_beside, written_whole
from hf_audio.folders import search_folder


def test_a_folder_is_written_whole_or_not_at_all(tmp_path):
    target = tmp_path / "new" / "folder"
    with folder_written_whole(target, lambda: False) as draft:
        touch(draft, "a/1.wav")
        assert not target.exists() and draft.parent == target.parent
    assert names(target, search_folder(target).audio) == ["a/1.wav"]
    assert target.stat().st_mode == target.parent.stat().st_mode, "others may read it as any folder"
    with pytest.raises(KeyboardInterrupt), folder_written_whole(tmp_path / "other", lambda: False) as draft:
        touch(draft, "a/1.wav")
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_whoever_writes_a_folder_first_keeps_it(tmp_path):
    target = tmp_path / "folder"
    for finished in (True, False):
        target.mkdir(exist_ok=True)
        touch(target, "first.wav")
        try:
            with folder_written_whole(target, lambda finished=finished: finished) as draft:
                touch(draft, "second.wav")
            assert finished
        except OSError:
            assert not finished, "what lies there is something else"
        assert [path.name for path in tmp_path.rglob("*")] == ["folder", "first.wav"]


def test_a_temporary_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    with (
        pytest.raises(DataError, match=r"folder cannot be written \(No such file"),
        temporary_folder_beside(tmp_path / "gone" / "folder"),
    ):
        pass


def test_a_file_whose_very_name_is_refused_is_one_sentence(tmp_path):
    with (
        pytest.raises(DataError, match=r"x{300} cannot be written \(File name too long\): choose another place"),
        written_whole(tmp_path / ("x" * 300)) as temporary,
    ):
        temporary.write_text("x")  # which not even can be deleted


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_a_killed_process_had_begun_is_cleared_by_the_next_one(tmp_path):
    target, dead = tmp_path / "model.onnx", dead_process()
    # In a container, every command may have the same number.
    begun = [f".model.onnx.{dead}", *(f".model.onnx-{process}-0123abcd/weights" for process in (dead, os.getpid()))]
    others = [f".model.onnx.{os.getppid()}", f".other.onnx.{dead}", ".model.onnx.backup", f"model.onnx.{dead}"]
    touch(tmp_path, *begun, *others)
    with written_whole(target) as temporary:
        temporary.write_text("whole")
    assert {path.name for path in tmp_path.iterdir()} == {"model.onnx", *others}
    touch(tmp_path, *begun)
    with temporary_folder_beside(target) as folder, temporary_folder_beside(target) as another:
        assert {path.name for path in tmp_path.iterdir()} == {"model.onnx", folder.name, another.name, *others}
