"""What one process at a time holds, whatever becomes of it and of its children."""

import os
import signal
import subprocess
import sys

import pytest

from hf_audio.locks import Lock

HOLD = """
import os, sys, time
from hf_audio.locks import Lock
lock = Lock(os.open(sys.argv[1], os.O_RDONLY))
if os.fork() == 0:  # as a loader worker, which may outlive the run
    print("held", os.getpid(), lock.is_held, flush=True)
time.sleep(600)
"""


@pytest.fixture(params=["file", "folder"])
def place(tmp_path, request):
    if request.param == "folder":
        return tmp_path
    (tmp_path / "file").write_text("what lies there")
    return tmp_path / "file"


def hold(place) -> Lock:
    return Lock(os.open(place, os.O_RDONLY))


def test_it_is_held_until_it_is_let_go_or_forgotten(place):
    lock = hold(place)
    with pytest.raises(BlockingIOError):
        hold(place)
    assert lock.is_held
    lock.release()
    lock.release()
    assert not lock.is_held
    again = hold(place)
    del again
    hold(place).release()
    assert place.is_dir() or place.read_text() == "what lies there"


def test_a_refused_lock_leaves_nothing_open(place):
    lock, n_open = hold(place), len(os.listdir("/dev/fd"))
    for _ in range(3):
        with pytest.raises(BlockingIOError):
            hold(place)
    assert len(os.listdir("/dev/fd")) == n_open
    lock.release()


def test_a_process_that_is_killed_holds_nothing_though_its_child_lives(place):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(place)], stdout=subprocess.PIPE, text=True) as run:
        _, child, is_held = run.stdout.readline().split()
        try:
            assert is_held == "False"
            with pytest.raises(BlockingIOError):
                hold(place)
            run.kill()
            run.wait()
            hold(place).release()
        finally:
            os.kill(int(child), signal.SIGKILL)


def test_a_file_system_without_locks_keeps_nobody_apart(place, monkeypatch):
    def refuse(descriptor, operation):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("hf_audio.locks.fcntl.flock", refuse)
    locks = [hold(place), hold(place)]
    for lock in locks:
        lock.release()
