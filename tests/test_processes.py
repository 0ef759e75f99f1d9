"""Work shared out among processes: all of it, in order, and no process is left behind."""

import multiprocessing
import os
import sys

import pytest

from hf_audio.processes import count_cores, work_off


def test_cores_are_those_that_the_process_may_run_on(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {3, 7}, raising=False)
    assert count_cores() == 2
    monkeypatch.delattr("os.sched_getaffinity")  # macOS and Windows
    assert count_cores() == 64
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert count_cores() == 1


def square(number: int) -> tuple[int, int]:
    if number < 0:
        raise ValueError(f"{number} has no root")
    return number**2, os.getpid()


@pytest.mark.parametrize(("n_items", "cores", "n_processes"), [(0, 4, 0), (99, 4, 1), (200, 1, 1), (100, 2, 2)])
def test_results_come_in_the_order_of_the_items(n_items, cores, n_processes, monkeypatch):
    monkeypatch.setattr("hf_audio.processes.count_cores", lambda: cores)
    others = {*multiprocessing.active_children()}  # of tests before this one
    results = list(work_off(square, range(n_items), "squares"))
    assert [result for result, _ in results] == [number**2 for number in range(n_items)]
    workers = {process for _, process in results}
    assert len(workers) <= n_processes and (os.getpid() in workers) == (n_processes == 1)
    assert {*multiprocessing.active_children()} <= others


@pytest.mark.skipif(sys.platform != "linux", reason="a fresh process would have to import the tests")
def test_an_error_ends_them_all(monkeypatch):
    monkeypatch.setattr("hf_audio.processes.count_cores", lambda: 2)
    others = {*multiprocessing.active_children()}
    with pytest.raises(ValueError, match="-1 has no root"):
        list(work_off(square, [*range(100), -1, *range(100)], "squares"))
    assert {*multiprocessing.active_children()} <= others
