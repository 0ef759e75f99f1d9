"""CSVs and TSVs as programs and people write them."""

import csv

import pytest

from hf_audio.data.tables.text_tables import is_table, read_table, write_rows
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
    for name, text in (("t.csv", ""), ("t.tsv", "\n \n"), ("t.csv", 'a,b\n1,"2\n')):
        with pytest.raises(DataError, match=rf"{name} is not a UTF-8 table with a header \("):
            read(tmp_path, name, text)
    with pytest.raises(DataError, match=r"t.csv has 3 cells in line 3 and 2 columns: a cell holds ','; put quotes"):
        read(tmp_path, "t.csv", "a,b\n1,2\n1,2,3\n")
    with pytest.raises(DataError, match=r"t.csv has no column 'path': its columns are a, b"):
        read(tmp_path, "t.csv", "a,b\n1,2\n", needed_columns=["path"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("path;start;label\na.wav;1,5;x\nb.wav;2,5;y\n;;\n;;\n", {"start": ["1,5", "2,5"], "label": ["x", "y"]}),
        ("file;length, s;label\na.wav;1,5;x\n", {"length, s": ["1,5"], "label": ["x"]}),
        ("sep=;\r\npath;label\r\na.wav;x,y\r\n", {"path": ["a.wav"], "label": ["x,y"]}),
        ("path\tlabel\na.wav\tx, y\n", {"path": ["a.wav"], "label": ["x, y"]}),
        ("path|label\na.wav|x\n", {"path": ["a.wav"], "label": ["x"]}),
        ("path,tags\na.wav,x;y\nb.wav,z\n", {"path": ["a.wav", "b.wav"], "tags": ["x;y", "z"]}),
        ("path,label,,\na.wav,x,,\n,,,\nb.wav,y,,\n", {"path": ["a.wav", "b.wav"], "label": ["x", "y"]}),
        ("path,label\na.wav,x,,\n", {"path": ["a.wav"], "label": ["x"]}),
        ("\n,path,label\n0,a.wav,x\n", {"Unnamed: 0": ["0"], "path": ["a.wav"]}),
        ("path,label,label\na.wav,x,y\n", {"label": ["x"], "label.1": ["y"]}),
        ("path,label\ra.wav,x\rb.wav,y\r", {"path": ["a.wav", "b.wav"]}),
        ('"path";"label"\n"a;1.wav";"x"\n', {"path": ["a;1.wav"], "label": ["x"]}),
        ("path\na.wav\nb.wav\n", {"path": ["a.wav", "b.wav"]}),
        ("path,label\n", {"path": [], "label": []}),
    ],
)
def test_tables_of_spreadsheets(tmp_path, text, expected):
    for name, content in (("t.csv", text), ("t.tsv", text)):
        if name == "t.csv" or "\t" not in text:
            found = read(tmp_path, name, content)
            assert found | expected == found and not [column for column in found if column.startswith("Unnamed: 2")]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("# by Jörg, 2024, with love\n\n#path,label\na.wav,dog\n", ["#path", "label"]),
        ("# by Jörg; and others\n# in 2024\npath;label\na.wav;dog\n", ["path", "label"]),
        ("#,path,label\n1,a.wav,dog\n", ["#", "path", "label"]),
        ("#\tpath\tlabel\n1\ta.wav\tdog\n", ["#", "path", "label"]),
        ("#path,label\na.wav,dog,\n", ["#path", "label"]),
    ],
)
def test_remarks_above_the_header_are_none_of_it(tmp_path, text, columns):
    for name in ("a.csv", "a.tsv"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        table = read_table(tmp_path / name)
        assert list(table) == columns and table.iloc[0].tolist()[-2:] == ["a.wav", "dog"]


def test_a_tsv_with_quotes_around_all_cells(tmp_path):
    text = '"path"\t"sentence"\n"a.wav"\t"say ""no"""\n'
    assert read(tmp_path, "t.tsv", text) == {"path": ["a.wav"], "sentence": ['say "no"']}


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_text_of_every_unicode(tmp_path, caplog, coding):
    (tmp_path / "t.csv").write_bytes("path\tlabel\r\nдядя.wav\tфилин\r\n".encode(coding))
    assert read_table(tmp_path / "t.csv").to_dict("list") == {"path": ["дядя.wav"], "label": ["филин"]}
    assert not caplog.records


def test_text_of_windows_is_read_and_told_of_where_it_can_be_told(tmp_path, caplog):
    (tmp_path / "t.csv").write_bytes("path;label\nKätzchen.wav;Bär\n".encode("cp1252"))
    assert read_table(tmp_path / "t.csv").to_dict("list") == {"path": ["Kätzchen.wav"], "label": ["Bär"]}
    assert "t.csv is not UTF-8 and is read as text of Windows in western Europe, 'Kätzchen.wav'" in caplog.text
    for content in (
        "path,label\nдядя.wav,дядя\n".encode("cp1251"),
        "path,label\nä.wav,猫猫\n".encode()[:-2],
        b"path\nB\x81r",
        "猫".encode("utf-16")[:-1],
    ):
        (tmp_path / "t.csv").write_bytes(content)
        with pytest.raises(DataError, match=r"t.csv is not a UTF-8 table, nor of another coding"):
            read_table(tmp_path / "t.csv")


def test_workbooks_are_no_tables_whatever_their_names(tmp_path):
    for start in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"):
        (tmp_path / "t.csv").write_bytes(start + bytes(100))
        with pytest.raises(DataError, match=r"t.csv is a workbook.* by its contents: export the table as CSV"):
            read_table(tmp_path / "t.csv")


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
