"""Stores that are there for one test."""

import fsspec
import pytest
from helpers.stores import store_running


@pytest.fixture
def memory(monkeypatch):
    """fsspec's file system in memory, which is remote as far as anybody can tell."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    monkeypatch.setattr("hf_audio.remote.retries.PAUSE", 0.0)
    monkeypatch.setattr("hf_audio.remote.claims.PAUSE", 0.0)
    yield system
    system.store.clear()


@pytest.fixture
def store(monkeypatch):
    """A bucket `sounds` behind a real S3 interface."""
    monkeypatch.setattr("hf_audio.remote.retries.PAUSE", 0.01)
    monkeypatch.setattr("hf_audio.remote.claims.PAUSE", 0.01)
    with store_running(monkeypatch) as running:
        yield running
