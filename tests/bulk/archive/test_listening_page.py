"""Pages of what a search has found: sounds that can be played from the disk, and names that stay text."""

import base64
import csv
import errno
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.recordings import RATE, tone

from hf_audio.bulk.archive.listening_page import check_output, write_search
from hf_audio.bulk.archive.similar import Neighbour, Search
from hf_audio.errors import DataError

STRANGE = "<img src=x onerror=alert(1)>&\"'.wav"


@pytest.fixture
def search(tmp_path) -> Search:
    sound = np.concatenate([tone(300, 1.0), tone(900, 1.0)])
    soundfile.write(tmp_path / STRANGE, sound, RATE, format="WAV")
    file = str(tmp_path / STRANGE)
    neighbours = [Neighbour(1, file, 1.0, 1.5, 0.9, file), Neighbour(2, file, 0.0, 1.0, 0.5, file)]
    return Search([file], neighbours, RATE, 7)


class Page(HTMLParser):
    """Its tags and its text."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


def players(text: str) -> list[str]:
    return [attributes["src"] for tag, attributes in Page(text).tags if tag == "audio"]


def check(text: str, sounds: list[bytes]) -> None:
    page = Page(text)
    assert not {"img", "script", "link", "iframe"} & {tag for tag, _ in page.tags}
    assert page.text.count(STRANGE) == 3 and not re.search(r"https?:|[\"'(]//", text)
    excerpts = [soundfile.read(io.BytesIO(sound)) for sound in sounds]
    assert [(len(samples), rate) for samples, rate in excerpts] == [(2 * RATE, RATE), (RATE // 2, RATE), (RATE, RATE)]
    np.testing.assert_allclose(excerpts[1][0], tone(900, 1.0)[: RATE // 2], atol=1e-3)


def test_one_file_holds_the_page_and_its_sounds(search, tmp_path):
    write_search(search, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    check(text, [base64.b64decode(source.partition("base64,")[2]) for source in players(text)])


def test_a_folder_holds_the_sounds_beside_the_page_and_is_written_anew(search, tmp_path):
    for _ in range(2):
        check_output(tmp_path / "page")
        write_search(search, tmp_path / "page")
    text = (tmp_path / "page" / "index.html").read_text()
    check(text, [(tmp_path / "page" / source).read_bytes() for source in players(text)])
    assert len(list((tmp_path / "page").rglob("*"))) == 5


def test_a_table_has_a_row_a_find(search, tmp_path):
    write_search(search, tmp_path / "found.csv")
    with (tmp_path / "found.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["similarity"] for row in rows] == ["0.900000", "0.500000"]
    assert rows[0]["file"] == search.neighbours[0].file and rows[0]["start"] == "1.000000"


def test_names_that_nothing_can_be_written_to_are_refused(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(DataError, match="holds other files than such a page: choose a new folder"):
        check_output(tmp_path / "mine")
    with pytest.raises(DataError, match=r"must end in \.csv or \.html, or be a folder"):
        check_output(tmp_path / "x.xlsx")
    with pytest.raises(DataError, match="is in no folder that exists"):
        check_output(tmp_path / "none" / "x.csv")


def test_a_disk_that_fills_is_one_sentence_and_leaves_nothing(search, tmp_path, monkeypatch):
    def refuse(path, *_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(DataError, match=r"page cannot be written \(No space left on device\): make room there"):
        write_search(search, tmp_path / "page")
    assert sorted(tmp_path.iterdir()) == before
