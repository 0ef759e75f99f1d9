"""A file that one run at a time may write, whatever becomes of the others."""

import os
import signal
import subprocess
import sys

import pytest

from hf_audio.bulk.lock import FileLock
from hf_audio.errors import DataError

HOLD = """
import os, pathlib, sys, time
from hf_audio.bulk.lock import FileLock
lock = FileLock(pathlib.Path(sys.argv[1]))
if os.fork() == 0:  # as processes that decode are, and may outlive the run
    print("held", os.getpid(), flush=True)
time.sleep(60)
"""


def test_who_holds_it_keeps_others_away_until_it_lets_go(tmp_path):
    lock = FileLock(tmp_path / "a")
    with pytest.raises(DataError, match="a is being written by another run"):
        FileLock(tmp_path / "a")
    FileLock(tmp_path / "b").release()
    lock.release()
    lock.release()
    FileLock(tmp_path / "a").release()


def test_a_dead_run_holds_nothing_though_its_children_live(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "a")], stdout=subprocess.PIPE) as run:
        child = int(run.stdout.readline().split()[1])
        try:
            with pytest.raises(DataError, match="is being written"):
                FileLock(tmp_path / "a")
            run.kill()
            run.wait()
            FileLock(tmp_path / "a").release()
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_name_that_was_deleted_and_made_anew_is_another_file(tmp_path):
    first = FileLock(tmp_path / "a")
    (tmp_path / "a").unlink()
    second = FileLock(tmp_path / "a")
    first.release()
    with pytest.raises(DataError, match="is being written"):
        FileLock(tmp_path / "a")
    second.release()
