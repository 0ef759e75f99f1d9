"""CSVs and TSVs as programs and people write them."""

import csv

import pytest

from hf_audio.data.tables import is_table, read_table, write_rows
from hf_audio.errors import DataError


def read(tmp_path, name, text, **kwargs):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8", newline="")
    return read_table(path, **kwargs).to_dict("list")


def test_a_table_is_one_by_its_name():
    assert is_table("a.CSV") and is_table("a.tab") and not is_table("csv")


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_cells_are_text(tmp_path, newline, mark):
    rows = ["path,label", '"a, b.wav",007', "c.wav,NA", "", "d.wav"]
    expected = {"path": ["a, b.wav", "c.wav", "d.wav"], "label": ["007", "NA", ""]}
    assert read(tmp_path, "t.csv", mark + newline.join(rows)) == expected
    rows = ["path\tlabel", '"a, b.wav\t007', "c.wav\tNA", "", "d.wav"]
    expected["path"][0] = '"a, b.wav'
    assert read(tmp_path, "t.tsv", mark + newline.join([*rows, ""])) == expected


def test_semicolons_as_spreadsheets_write_them(tmp_path):
    assert read(tmp_path, "t.csv", 'path;label\na.wav;"x;y"\n') == {"path": ["a.wav"], "label": ["x;y"]}
    assert read(tmp_path, "t.csv", "path,a;b\na.wav,x\n") == {"path": ["a.wav"], "a;b": ["x"]}


def test_tabs_in_sentences_and_at_line_ends(tmp_path):
    text = 'path\tsentence\tlabel\na\tShe said\t"no"\tx\n'
    assert read(tmp_path, "t.tsv", text) == {"path": ["a"], "sentence": ['She said\t"no"'], "label": ["x"]}
    assert read(tmp_path, "t.tsv", "path\tlabel\na\tx\t\n") == {"path": ["a"], "label": ["x"]}
    for text in ("path\tlabel\na\tx\ty\n", "path\tsentence\tlabel\na\tx\n"):
        with pytest.raises(DataError, match=r"t.tsv has \d cells in line 2 and \d columns: .*; mend that line"):
            read(tmp_path, "t.tsv", text)


def test_what_is_no_table_is_one_sentence(tmp_path):
    for name, text in (("t.csv", ""), ("t.tsv", "\n \n"), ("t.csv", "a,b\n1,2\n1,2,3\n")):
        with pytest.raises(DataError, match=rf"{name} is not a UTF-8 table with a header"):
            read(tmp_path, name, text)
    (tmp_path / "t.csv").write_bytes("path,label\nä,b\n".encode("utf-16"))
    with pytest.raises(DataError, match="is not a UTF-8 table"):
        read_table(tmp_path / "t.csv")
    with pytest.raises(DataError, match="has no column 'path': its columns are path,label; export it with tabs"):
        read(tmp_path, "t.tsv", "path,label\na,b\n", needed_columns=["path"])


FORMULAS = ["=1+1", "+cmd|' /C calc'!A0", "-x.wav", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "-1+1", "==", "'=1+1", "''-x"]
SHOWN = ["a.wav", "'tis", "'", "''", "", "-", "=", "-1", "+1.5e-3", "-.5", "a=1", " =1", "don't", 'a,b\n"c"']


@pytest.mark.parametrize("cell", [*FORMULAS, *SHOWN])
def test_cells_come_back_and_run_nowhere(tmp_path, cell):
    write_rows(tmp_path / "t.csv", [{"a": "x", "label": cell, "n": -1.5}, {"a": "y", "label": "=2", "n": 3}])
    with (tmp_path / "t.csv").open(newline="") as file:
        (_, written, number), (_, formula, _) = list(csv.reader(file))[1:]
    assert written == ("'" + cell if cell in FORMULAS else cell) and (number, formula) == ("-1.5", "'=2")
    assert read_table(tmp_path / "t.csv")["label"].to_list() == [cell, "=2"]


def test_a_heading_runs_nowhere_either(tmp_path):
    write_rows(tmp_path / "t.csv", [{"=cmd": "x", "-1": 2}])
    assert (tmp_path / "t.csv").read_text().splitlines()[0] == "'=cmd,-1"
    assert list(read_table(tmp_path / "t.csv")) == ["=cmd", "-1"]
