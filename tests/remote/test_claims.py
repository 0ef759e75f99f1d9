"""Of the runs that would write to one address, one does."""

import errno
import json
import threading

import pytest

from hf_audio.errors import DataError
from hf_audio.remote import claims
from hf_audio.remote.claims import claimed


def test_a_claim_is_renewed_and_taken_away(memory, monkeypatch):
    monkeypatch.setattr(claims, "RENEWED", 0.01)
    with claimed("memory://b/a.csv"):
        first = json.loads(memory.cat("/b/a.csv.claim"))["time"]
        with pytest.raises(DataError, match="being written by another run"), claimed("memory://b/a.csv"):
            pass
        for _ in range(200):
            if json.loads(memory.cat("/b/a.csv.claim"))["time"] > first:
                break
            threading.Event().wait(0.01)
        else:
            pytest.fail("it is not renewed")
    assert not memory.exists("/b/a.csv.claim")


def claim_that_begins_at_once(monkeypatch, address):
    """Look for other claims before any is written, and claim then."""
    look, looked = claims._claim_at, []
    monkeypatch.setattr(claims, "_claim_at", lambda place: look(place) if looked else looked.append(place))
    try:
        with claimed(address):
            pass
    finally:
        monkeypatch.setattr(claims, "_claim_at", look)


def test_of_runs_that_begin_at_once_one_goes_on(memory, monkeypatch):
    with claimed("memory://b/a.csv"):
        with pytest.raises(DataError, match="being written by another run"):
            claim_that_begins_at_once(monkeypatch, "memory://b/a.csv")
        assert memory.exists("/b/a.csv.claim")
    other = json.dumps({"run": "other", "host": "elsewhere", "process": 1, "time": 1e12}).encode()
    memory.pipe("/b/a.csv.claim", b'{"run": "killed", "host": "elsewhere", "process": 1, "time": 1e9}')
    # Another run has found the killed one's claim too, and takes this one's for it.
    monkeypatch.setattr(claims.time, "sleep", lambda _: memory.pipe("/b/a.csv.claim", other))
    with pytest.raises(DataError, match="written by another run, on elsewhere"), claimed("memory://b/a.csv"):
        pass
    monkeypatch.undo()
    memory.rm_file("/b/a.csv.claim")
    with claimed("memory://b/a.csv"):
        memory.pipe("/b/a.csv.claim", other)  # by whom this one was taken for dead
    assert memory.cat("/b/a.csv.claim") == other


def test_a_store_without_conditional_writes_takes_claims(memory, monkeypatch):
    pipe_file = memory.pipe_file

    def refuse(path, value, mode="overwrite"):
        if mode == "create":
            raise OSError(errno.ENOSYS, "A header you provided implies functionality that is not implemented")
        pipe_file(path, value)

    monkeypatch.setattr(memory, "pipe_file", refuse)
    with claimed("memory://b/a.csv"):
        assert memory.exists("/b/a.csv.claim")
        with pytest.raises(DataError, match="being written by another run"), claimed("memory://b/a.csv"):
            pass


def test_claims_at_a_real_s3_interface(store, monkeypatch):
    with claimed("s3://sounds/out/a.csv"), pytest.raises(DataError, match="being written by another run"):
        claim_that_begins_at_once(monkeypatch, "s3://sounds/out/a.csv")
