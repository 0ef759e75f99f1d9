"""Browsers that are not there or do not work; `test_site.py` drives one that does."""

import pytest

from hf_audio.errors import BrowserError
from hf_audio.export.browser import Browser, find_browser, scores_in_browser


def test_without_a_browser_a_sentence_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("hf_audio.export.browser.APPLICATIONS", ())
    assert find_browser() is None
    with pytest.raises(BrowserError, match=r"There is no Chromium, Chrome or Edge on this machine: install one\."):
        scores_in_browser(tmp_path, [])


@pytest.mark.parametrize("ends", ["exit 1", "cat <&3 >/dev/null & exec 4>&-; sleep 0.2; kill $!"])
def test_a_browser_that_ends_by_itself_is_an_error(tmp_path, monkeypatch, ends):
    program = tmp_path / "chromium"
    program.write_text(f"#!/bin/sh\n{ends}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(BrowserError, match="has ended by itself"), Browser():
        pass
