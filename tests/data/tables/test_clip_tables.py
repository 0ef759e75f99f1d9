"""Which files a table names, wherever they lie, and what it says of them."""

import unicodedata

import pytest
from helpers.recordings import write_table

from hf_audio.data.tables.clip_tables import read_clip_table
from hf_audio.data.tables.columns import Columns
from hf_audio.errors import DataError


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def files(folder, table):
    return [file.relative_to(folder).as_posix() for file in table.files]


ROWS = [["filename", "category", "who"], [" a.wav", "dog ", "x"], ["b.wav", "cat", ""]]


def test_usual_names_are_understood_and_named_columns_win(tmp_path):
    path = write_table(tmp_path / "t.csv", ROWS)
    table = read_clip_table(path)
    assert table.columns == Columns("filename", ("category",)) and files(tmp_path, table) == ["a.wav", "b.wav"]
    assert table.column("category") == ["dog", "cat"] and table.column(None) == ["", ""]
    table = read_clip_table(path, Columns("who", ("filename",), group="category"), audio_dir=tmp_path / "audio")
    assert files(tmp_path, table)[0] == "audio/x" and table.columns.group == "category"
    with pytest.raises(DataError, match=r"t.csv has no column 'file': its columns are filename, category, who"):
        read_clip_table(path, Columns("file"))


def test_labels_are_asked_for_or_not(tmp_path):
    path = write_table(tmp_path / "t.csv", [["file", "who"], ["a.wav", "x"]])
    assert read_clip_table(path).columns == Columns("file")
    with pytest.raises(DataError, match=r"the labels usually is .* add --label_column NAME"):
        read_clip_table(path, needs_labels=True)


def test_files_are_beside_the_table_or_in_the_folder_given_or_below_it(tmp_path):
    (tmp_path / "meta").mkdir()
    path = write_table(tmp_path / "meta" / "t.csv", ROWS)
    assert files(tmp_path, read_clip_table(path)) == ["meta/a.wav", "meta/b.wav"], "nothing is there"
    touch(tmp_path, "audio/deep/a.wav", "audio/b.wav")
    for kwargs in ({"audio_dir": tmp_path / "audio"}, {"search_in": tmp_path}):
        table = read_clip_table(path, **kwargs)
        assert files(tmp_path, table)[0] in ("audio/a.wav", "audio/deep/a.wav")
    (tmp_path / "audio" / "b.wav").rename(tmp_path / "audio" / "deep" / "b.wav")
    assert files(tmp_path, read_clip_table(path, search_in=tmp_path)) == ["audio/deep/a.wav", "audio/deep/b.wav"]
    touch(tmp_path, "meta/b.wav")
    assert files(tmp_path, read_clip_table(path, search_in=tmp_path)) == ["meta/a.wav", "meta/b.wav"]


def test_a_name_that_may_be_that_of_two_files_is_refused(tmp_path):
    path = write_table(tmp_path / "t.csv", ROWS)
    touch(tmp_path, "1/a.wav", "2/a.wav")
    with pytest.raises(DataError, match=r"t.csv names a.wav, which may be .*1/a.wav or .*2/a.wav"):
        read_clip_table(path)
    write_table(path, [ROWS[0], ["2/a.wav", "dog", ""]])
    assert files(tmp_path, read_clip_table(path)) == ["2/a.wav"]


def test_paths_as_windows_writes_them(tmp_path):
    path = write_table(tmp_path / "t.csv", [["path", "label"], ["audio\\dog\\a.wav", "dog"]])
    touch(tmp_path, "audio/dog/a.wav")
    assert files(tmp_path, read_clip_table(path)) == ["audio/dog/a.wav"]
    (tmp_path / "audio").rename(tmp_path / "elsewhere")
    (tmp_path / "audio").mkdir()
    (tmp_path / "elsewhere").rename(tmp_path / "audio" / "audio")
    assert files(tmp_path, read_clip_table(path)) == ["audio/audio/dog/a.wav"]
    assert files(tmp_path, read_clip_table(write_table(path, [["path"], ["x" * 300 + "/b.wav"]]))) is not None


@pytest.mark.parametrize(
    "name",
    [
        "C:\\Users\\Anna\\set\\dog\\A.WAV",
        "/home/anna/set/dog/a.wav",
        "file:///data/dog/a.wav",
        '"dog\\a.wav"',
        "dog/a",
        "set/dog/a",
    ],
)
def test_paths_of_other_machines_and_names_without_an_ending(tmp_path, name):
    touch(tmp_path, "audio/dog/a.wav", "audio/cat/a.wav")
    table = read_clip_table(write_table(tmp_path / "t.csv", [["path", "label"], [name, "dog"], ["cat\\a.wav", "cat"]]))
    assert files(tmp_path, table) == ["audio/dog/a.wav", "audio/cat/a.wav"]


def test_what_is_there_is_taken_and_backslashes_beside_it_too(tmp_path):
    touch(tmp_path, "dog/a.wav", "cat/b.wav", "old/c.wav")
    rows = [["path"], ["dog/a.wav"], ["cat\\b.wav"], ["'cat/b.wav'"], ["c.wav"]]
    table = read_clip_table(write_table(tmp_path / "t.csv", rows))
    assert files(tmp_path, table) == ["dog/a.wav", "cat/b.wav", "cat/b.wav", "c.wav"], "nobody has said `old`"


def test_names_are_those_of_files_but_for_capitals_beside_names_that_lead_to_files(tmp_path, caplog):
    caplog.set_level("INFO")
    composed, decomposed = (unicodedata.normalize(form, "b/Krähe.wav") for form in ("NFC", "NFD"))
    rows = [[name, "x"] for name in ("a.wav", "C.wav", "B\\d.wav", composed, "e.wav", "A.wav", "f.wav")]
    path = write_table(tmp_path / "t.csv", [["file", "label"], *rows])
    touch(tmp_path, "a.wav", "c.WAV", "b/D.wav", decomposed, "e.WAV", "E.wav")
    found = files(tmp_path, read_clip_table(path))
    # Which one `e.wav` is nobody knows, and `A.wav` is not `a.wav`, which has a row of its own.
    assert found == ["a.wav", "c.WAV", "b/D.wav", decomposed, "e.wav", "A.wav", "f.wav"]
    assert "3 names in" in caplog.text
