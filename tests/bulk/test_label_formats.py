"""Labels over time, read as the programs that show them would."""

import re

import pandas as pd
import pytest

from hf_audio.bulk.answers import Heading, choose_writer
from hf_audio.errors import DataError

HEADING = Heading([], "label", 1, True, 8000)


@pytest.fixture
def rows() -> list[dict]:
    spans = [(0.0, 1.0), (1.0, 2.0), (1.25, 2.25)]
    answers = [[["hen", 0.75]], [['a "dog"\tor so', 0.5]], [["hen", 0.25]]]
    return list(HEADING.rows({"path": "barn/a.wav"}, spans, answers, None))


def write(path, rows) -> str:
    choose_writer(path, over_time=True, n_clips=1)(path, HEADING, rows)
    return path.read_text(encoding="utf-8")


def test_a_label_is_of_something_that_is_heard(tmp_path):
    answers = [[["none of these", 0.9]], [["hen", 0.4]], [["hen", 0.6]]]
    heading = Heading([], "label", 1, True, 8000, multi_label=True)
    for name in ("a.txt", "a.selections.txt", "a.TextGrid"):
        rows = heading.rows({"path": "a.wav"}, [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)], answers, None)
        choose_writer(tmp_path / name, over_time=True, n_clips=1)(tmp_path / name, heading, rows)
    assert (tmp_path / "a.txt").read_text() == "2.000000\t3.000000\then 0.60\n"
    assert len((tmp_path / "a.selections.txt").read_text().splitlines()) == 2
    found = re.findall(r'xmin = (\S+)\s+xmax = \S+\s+text = "(.*)"', (tmp_path / "a.TextGrid").read_text())
    assert found == [("0.0", ""), ("1.0", ""), ("2.0", "hen")]


def test_a_selection_table_knows_the_recordings(tmp_path, rows):
    others = list(HEADING.rows({"path": "yard/b.wav"}, [(4.0, 5.0)], [[["cock", 0.5]]], None))
    broken = list(HEADING.rows({"path": "yard/c.wav"}, [], [], "c.wav is broken."))
    path = tmp_path / "a.selections.txt"
    choose_writer(path, over_time=True, n_clips=3)(path, HEADING, [*rows, *others, *broken])
    table = pd.read_csv(path, sep="\t", quoting=3)
    assert table["Begin Path"].tolist() == ["barn/a.wav"] * 3 + ["yard/b.wav"] and table["File Offset (s)"][3] == 4
    with pytest.raises(DataError, match="labels one recording, and there are 3"):
        choose_writer(tmp_path / "a.txt", over_time=True, n_clips=3)


def test_audacity_labels(tmp_path, rows):
    lines = [line.split("\t") for line in write(tmp_path / "a.txt", rows).splitlines()]
    assert [(float(start), float(end)) for start, end, _ in lines] == [(0, 1), (1, 2), (1.25, 2.25)]
    assert [label for *_, label in lines] == ["hen 0.75", 'a "dog" or so 0.50', "hen 0.25"]


def test_raven_selections(tmp_path, rows):
    write(tmp_path / "a.selections.txt", rows)
    table = pd.read_csv(tmp_path / "a.selections.txt", sep="\t", quoting=3)
    assert table["Selection"].tolist() == [1, 2, 3] and set(table["Begin File"]) == {"a.wav"}
    assert table["Begin Time (s)"].tolist() == [0, 1, 1.25] and table["End Time (s)"].tolist() == [1, 2, 2.25]
    assert table["High Freq (Hz)"].tolist() == [4000] * 3 and table["Confidence"].tolist() == [0.75, 0.5, 0.25]
    assert table["Label"].tolist() == ["hen", 'a "dog" or so', "hen"]


def test_a_text_grid_has_intervals_side_by_side(tmp_path, rows):
    text = write(tmp_path / "a.TextGrid", rows)
    assert text.startswith('File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = 2.25\n')
    found = re.findall(r'xmin = (\S+)\s+xmax = (\S+)\s+text = "(.*)"\n', text)
    assert found == [("0.0", "1.0", "hen"), ("1.0", "2.0", 'a ""dog"" or so'), ("2.0", "2.25", "hen")]
    assert "intervals: size = 3\n" in text


def test_a_text_grid_leaves_time_that_was_not_judged_empty(tmp_path):
    spans = [(2.0, 3.0), (5.0, 6.0), (6.0, 7.0)]
    rows = HEADING.rows({"path": "a.wav"}, spans, [[["hen", 0.75]]] * 3, None)
    found = re.findall(r'xmin = (\S+)\s+xmax = (\S+)\s+text = "(.*)"\n', write(tmp_path / "a.TextGrid", rows))
    assert [text for *_, text in found] == ["", "hen", "", "hen", "hen"]
    assert [tuple(map(float, span)) for *span, _ in found] == [(0, 2), (2, 3), (3, 5), (5, 6), (6, 7)]
