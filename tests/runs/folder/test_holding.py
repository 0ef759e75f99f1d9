"""One run at a time in an output folder."""

import signal
import subprocess
import sys
from multiprocessing import get_context

import pytest

from hf_audio.arguments import RecipeArguments
from hf_audio.errors import ArgumentError
from hf_audio.runs.folder.holding import hold, let_go_after
from hf_audio.runs.folder.preparing import prepare_output_dir

HOLD = """
import sys, time
from pathlib import Path
from hf_audio.runs.folder.holding import hold
hold(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""
REFUSED = "is being written by another run: wait for its end, or choose another folder"


@pytest.fixture
def other_run(tmp_path):
    """Another process that holds the folder `run`."""
    (tmp_path / "run").mkdir()
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_another_run_writes_is_refused_and_stays_as_it_is(tmp_path, other_run, overwrite):
    folder = tmp_path / "run"
    (folder / "checkpoint-3").mkdir()
    (folder / "checkpoint-3" / "trainer_state.json").write_text("{}")
    args = RecipeArguments(output_dir=str(folder), overwrite=overwrite)
    with pytest.raises(ArgumentError, match=f"--output_dir {folder} {REFUSED}"):
        prepare_output_dir(args)
    assert [path.name for path in folder.rglob("*")] == ["checkpoint-3", "trainer_state.json"]


def test_a_run_that_is_killed_lets_its_folder_go(tmp_path, other_run):
    other_run.send_signal(signal.SIGKILL)
    other_run.wait()
    with let_go_after():
        hold(tmp_path / "run")


def test_a_process_holds_a_folder_as_often_as_it_likes_and_its_children_do_not(tmp_path):
    def is_free() -> bool:
        return (
            subprocess.run([sys.executable, "-c", HOLD.replace("600", "0"), str(tmp_path)], check=False).returncode
            == 0
        )

    with let_go_after():
        hold(tmp_path)
        with let_go_after():
            hold(tmp_path)
        assert not is_free()
        child = get_context("fork").Process(target=signal.pause)
        child.start()
    assert is_free(), "of a worker that outlives the run"
    child.kill()
    child.join()
