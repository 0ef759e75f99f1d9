"""Which package reads the addresses of a scheme."""

import pytest
from helpers.recordings import RATE

from hf_audio.audio.loading import load_audio
from hf_audio.errors import DataError, MissingExtraError


def test_a_missing_package_and_an_unknown_scheme_are_one_sentence(monkeypatch):
    def url_to_fs(*_, **__):
        raise ImportError("Install s3fs")

    with pytest.raises(DataError, match=r"^tapes://b/a\.wav is of no scheme that fsspec knows"):
        load_audio("tapes://b/a.wav", RATE)
    monkeypatch.setattr("fsspec.core.url_to_fs", url_to_fs)
    with pytest.raises(MissingExtraError, match=r"s3:// that is missing: pip install 'hf-audio\[s3\]'"):
        load_audio("s3://b/a.wav", RATE)
