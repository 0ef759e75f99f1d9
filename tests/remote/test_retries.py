"""Stores that answer late, or never."""

import pytest
from helpers.recordings import RATE, encoded, tone

from hf_audio.audio.loading import load_audio
from hf_audio.errors import AudioError, DataError


def test_what_a_store_does_not_answer_is_asked_again_and_what_is_not_there_is_not(memory, monkeypatch):
    memory.pipe("/b/a.wav", encoded(tone(300)))
    read, n_failures = type(memory).cat_file, 3

    def fail(self, path, **further):
        nonlocal n_failures
        n_failures -= 1
        if n_failures >= 0:
            raise ConnectionError
        return read(self, path, **further)

    monkeypatch.setattr(type(memory), "cat_file", fail)
    assert len(load_audio("memory://b/a.wav", RATE)) == len(tone(300))
    n_failures = 100
    with pytest.raises(DataError, match="4 times"):
        load_audio("memory://b/a.wav", RATE)
    assert n_failures == 96
    n_failures = 0
    with pytest.raises(AudioError, match=r"^memory://b/b\.wav cannot be read \(it is not there\): check the path\.$"):
        load_audio("memory://b/b.wav", RATE)
    assert n_failures == -1
