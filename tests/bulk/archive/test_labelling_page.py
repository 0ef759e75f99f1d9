"""The page on which suggested windows are labelled: what it holds, and in a real browser what it saves."""

import csv
import io
import json
import re

import numpy as np
import pytest
import soundfile
from helpers.recordings import RATE, tone

from hf_audio.bulk.archive.labelling_page import write_suggestions
from hf_audio.bulk.archive.suggest import Suggestion, Suggestions
from hf_audio.export.browser import Browser, find_browser, serve_folder

STRANGE = "</script><img src=x onerror=alert(1)>, & \"'.wav"


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A folder with a page of two windows of a file with an ugly name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inner<").mkdir()
    name = f"inner</{STRANGE.rpartition('/')[2]}"
    soundfile.write(name, np.concatenate([tone(300, 1.0), tone(900, 1.0)]), RATE, format="WAV")
    chosen = [Suggestion(1, name, 1.0, 2.0, "low", 0.5, 1.0, 1.0), Suggestion(2, name, 0.0, 1.0, "=x", 0.6, 0.8, 0.5)]
    write_suggestions(Suggestions(chosen, ["low", "=x", "a, b"], RATE, 9), tmp_path / "page")
    return tmp_path / "page", str(tmp_path / name)


def test_the_page_holds_its_sounds_and_names_stay_text(page, tmp_path):
    folder, path = page
    text = (folder / "index.html").read_text()
    assert sorted(file.name for file in (folder / "audio").iterdir()) == ["000.wav", "001.wav"]
    samples, rate = soundfile.read(folder / "audio" / "000.wav")
    assert rate == RATE and samples == pytest.approx(tone(900, 1.0), abs=1e-3)
    assert "<img" not in text and not re.search(r"https?:", text) and text.count("<section>") == 2
    told = json.loads(re.search(r'id="page">(.*?)</script>', text)[1])
    assert told["windows"][0] == {"path": path, "start": 1.0, "end": 2.0} and told["labels"] == ["low", "=x", "a, b"]


@pytest.mark.exhaustive
def test_a_person_labels_by_keys_and_the_table_is_what_training_reads(page):
    if find_browser() is None:
        pytest.skip("no browser")
    folder, path = page

    def press(*keys: str) -> None:
        for key in keys:
            event = f"new KeyboardEvent('keydown', {{key: {json.dumps(key)}, bubbles: true}})"
            browser.evaluate(f"document.body.dispatchEvent({event})")

    def visit() -> None:
        browser.call("Page.navigate", url=address)
        browser.wait_for("document.getElementById('count')?.textContent")

    with serve_folder(folder) as address, Browser() as browser:
        visit()
        press("1", "2")  # two labels sound in the first window
        browser.evaluate("field(0, 'from').value = '0.25'; field(0, 'to').value = '0.75'; add('new \\u00fc')")
        press("4", "Enter", "n")
        assert browser.evaluate("document.getElementById('count').textContent") == "2 of 2 are labelled"
        table = browser.evaluate("table()")
        visit()  # again, as the next morning
        assert browser.evaluate("table()") == table
        press("2")
        assert "'=x" not in browser.evaluate("table()")
    rows = list(csv.reader(io.StringIO(table)))
    assert rows == [
        ["path", "onset", "offset", "label"],
        [path, "1.000", "2.000", "low"],
        [path, "1.000", "2.000", "'=x"],
        [path, "1.250", "1.750", "new ü"],
        [path, "0.000", "1.000", "background"],
    ]
