"""Which clips a command line means."""

import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers.recordings import touch, write_table

from hf_audio.bulk.clips import find_all_clips, find_clips, find_examples, open_clips
from hf_audio.data.tables.columns import Columns
from hf_audio.errors import DataError


def names(clips) -> list[str]:
    return [Path(clip["path"]).name for clip in clips]


def test_clips_of_folders_tables_and_files(tmp_path, tone_folder):
    assert len(find_clips(tone_folder)) == 36
    assert names(find_clips(tone_folder / "low" / "3.wav")) == ["3.wav"]
    table = tmp_path / "table.csv"
    table.write_text("path,number,speaker\na.wav,12,Ann\nsub/b.wav,,Bob\n c.wav ,,Cem\n")
    assert find_clips(table)[1] == {"path": str(tmp_path / "sub" / "b.wav"), "number": "", "speaker": "Bob"}
    assert names(find_clips(table)) == ["a.wav", "b.wav", "c.wav"]
    assert names(find_clips(table, unlabelled=True)) == ["b.wav", "c.wav"]
    table.write_text("path\na.wav\n")
    assert names(find_clips(table, unlabelled=True)) == ["a.wav"]


def test_nothing_to_predict_is_one_sentence(tmp_path):
    (tmp_path / "full.csv").write_text("path,number\na.wav,12\n")
    with pytest.raises(DataError, match=r"full\.csv holds no unlabelled clips"):
        find_clips(tmp_path / "full.csv", unlabelled=True)
    with pytest.raises(DataError, match=r"holds no audio files: give a folder"):
        find_clips(tmp_path / "gone")


def test_patterns_find_files_and_search_folders(tone_folder):
    (tone_folder / "low" / "notes.txt").touch()
    (tone_folder / "low" / "._0.wav").touch()
    assert names(find_clips(f"{tone_folder}/low/*")) == names(find_clips(tone_folder / "low"))
    assert len(find_clips(f"{tone_folder}/**/1*.wav")) == 9
    assert len(find_clips(f"{tone_folder}/*")) == 36  # folders
    with pytest.raises(DataError, match=r"\*\.mp3 holds no audio files"):
        find_clips(f"{tone_folder}/*.mp3")


def test_folders_are_searched_as_for_training(tmp_path, caplog):
    for name in ("here/0.wav", "here/.Trashes/gone.wav", "elsewhere/1.wav", "here/phone.m4a", "here/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "here" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "here" / "lost.wav").symlink_to(tmp_path / "nowhere.wav")
    # What cannot be read is a row that says so.
    assert names(find_clips(tmp_path / "here")) == ["0.wav", "1.wav", "phone.m4a"]
    assert "lost.wav for one: a link that leads nowhere" in caplog.text
    assert names(find_clips(f"{tmp_path}/he*")) == ["0.wav", "1.wav", "phone.m4a"]
    assert names(find_clips(f"{tmp_path}/here/*.m4a")) == ["phone.m4a"]


@pytest.mark.parametrize(
    ("text", "columns", "expected"),
    [
        (
            "filename,category,take\na.wav,dog,1\nb.wav,,2\n",
            None,
            {"filename": "a.wav", "category": "dog", "take": "1"},
        ),
        ("File;Label\na.wav;dog\nb.wav;\n", None, {"File": "a.wav", "Label": "dog"}),
        (
            "path,where,species\nx,a.wav,dog\ny,b.wav,\n",
            Columns("where", ("species",)),
            {"where": "a.wav", "species": "dog", "table_path": "x"},
        ),
        (
            "path,table_path,file,label\nx,y,a.wav,dog\nx,y,b.wav,\n",
            Columns("file"),
            {"table_path": "y", "file": "a.wav", "label": "dog", "table_path_2": "x"},
        ),
        ("path,label\na.wav,dog\nb.wav,\n", None, {"label": "dog"}),
        ("fname,number\na.wav,7\nb.wav,\n", None, {"fname": "a.wav", "number": "7"}),
    ],
)
def test_tables_are_understood_as_for_training(tmp_path, text, columns, expected):
    table = tmp_path / "t.csv"
    table.write_text(text)
    clips = find_clips(table, columns, audio_dir=tmp_path / "audio")
    assert clips[0] == {"path": str(tmp_path / "audio" / "a.wav"), **expected} and len(clips) == 2
    (unlabelled,) = find_clips(table, columns, unlabelled=True)
    labels = {"category", "Label", "label", "species", "number"}
    assert unlabelled["path"] == str(tmp_path / "b.wav") and not labels & set(unlabelled)
    assert find_all_clips([table], columns, audio_dir=tmp_path / "audio") == clips
    with pytest.raises(DataError, match=r"t.csv has no column 'other'"):
        find_clips(table, Columns("other"))


def test_columns_are_of_tables(tmp_path, tone_folder):
    table = tmp_path / "t.csv"
    table.write_text("path,file\nx,tones/low/0.wav\n")
    assert len(find_all_clips([table, tone_folder], Columns("file"))) == 37  # of one, the table says more
    for find in (find_clips, find_examples, lambda source, columns: find_all_clips([source], columns)):
        with pytest.raises(DataError, match="tones is no table, and columns are of a table: give the table"):
            find(tone_folder, Columns("file"))


@pytest.mark.usefixtures("libsndfile_alone")
def test_examples_are_what_can_be_read_with_their_labels(tmp_path, tone_folder, caplog):
    (tone_folder / "low" / "phone.m4a").touch()
    files, labels = find_examples(tone_folder / "low")
    assert len(files) == 12 and labels is None and "left out: " in caplog.text and "phone.m4a" in caplog.text
    table = tmp_path / "t.csv"
    for text, expected in (
        ("file,class\na.wav, dog\nb.wav,\n", ["dog", ""]),
        ("path,number\na.wav,14.0\nb.wav,\n", ["14", ""]),
        ("path,number\na.wav,007\nb.wav,ten\n", ["7", "ten"]),
        ("path,who\na.wav,x\nb.wav,y\n", None),
    ):
        table.write_text(text)
        files, labels = find_examples(table)
        assert [Path(file).name for file in files] == ["a.wav", "b.wav"] and labels == expected
    (tmp_path / "v.tsv").write_text("client_id\tpath\tgender\ns\ta.mp3\tmale_masculine\nt\tb.mp3\tother\n")
    files, labels = find_examples(tmp_path / "v.tsv")
    assert files[0] == str(tmp_path / "clips" / "a.mp3") and labels == ["male", ""]
    of_reader = {"path": str(tmp_path / "clips" / "a.mp3"), "speaker": "s", "gender": "male"}
    assert find_clips(tmp_path / "v.tsv")[0] == of_reader
    (clip,) = find_clips(tmp_path / "v.tsv", audio_dir=tmp_path / "mp3", unlabelled=True)
    assert clip == {"path": str(tmp_path / "mp3" / "b.mp3"), "speaker": "t"}
    table.write_text("path,label\n")
    with pytest.raises(DataError, match=r"t.csv has no rows"):
        find_examples(table)


def test_what_several_sources_name_twice_is_one_clip(tmp_path, tone_folder):
    table = tmp_path / "table.csv"
    table.write_text("path,speaker\ntones/low/0.wav,Ann\n")
    clips = find_all_clips([tone_folder / "low", tone_folder / "low" / "0.wav", table])
    assert names(clips) == [*names(find_clips(tone_folder / "low")), "0.wav"]
    assert clips[-1]["speaker"] == "Ann"


def test_standard_input_is_read_from_a_copy(monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"sound")))
    with open_clips([{"path": "a.wav"}, {"path": "-"}]) as (first, copy):
        assert first == "a.wav" and Path(copy).read_bytes() == b"sound"
    assert not Path(copy).exists()


def test_a_table_of_a_known_data_set_names_the_files_that_training_reads(tmp_path):
    touch(tmp_path, "audio/fold1/7-3-0-0.wav", "audio/fold2/8-8-0-0.wav")
    (tmp_path / "metadata").mkdir()
    rows = [("7-3-0-0.wav", "7", "1", "dog_bark"), ("8-8-0-0.wav", "8", "2", "siren")]
    header = ("slice_file_name", "fsID", "fold", "class")
    clips = find_clips(write_table(tmp_path / "metadata" / "UrbanSound8K.csv", [header, *rows]))
    assert [Path(clip["path"]).parent.name for clip in clips] == ["fold1", "fold2"]
    assert [clip["class"] for clip in clips] == ["dog_bark", "siren"] and set(clips[0]) == {"path", *header}


def test_rows_of_annotations_are_told_to_be_judged_as_whole_recordings(tmp_path, caplog):
    touch(tmp_path, "a.wav", "b.wav")
    header, rows = (
        ["file", "start", "end", "label"],
        [["a.wav", 1, 2, "dog"], ["a.wav", 3, 4, ""], ["b.wav", 1, 2, "dog"]],
    )
    assert len(find_clips(write_table(tmp_path / "t.csv", [header, *rows]))) == 3
    assert "names 2 recordings in 3 rows with times" in caplog.text
    caplog.clear()
    find_clips(write_table(tmp_path / "t.csv", [header, *rows[1:]]))  # a clip a row, of which it may say when it was
    find_clips(write_table(tmp_path / "t.csv", [["file", "label"], ["a.wav", "dog"], ["a.wav", "cat"]]))
    assert "rows with times" not in caplog.text
