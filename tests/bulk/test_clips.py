"""Which clips a command line means."""

import io
from pathlib import Path
from types import SimpleNamespace

import pytest

from hf_audio.bulk.clips import find_all_clips, find_clips, open_clips
from hf_audio.errors import DataError


def names(clips) -> list[str]:
    return [Path(clip["path"]).name for clip in clips]


def test_clips_of_folders_tables_and_files(tmp_path, tone_folder):
    assert len(find_clips(tone_folder)) == 36
    assert names(find_clips(tone_folder / "low" / "3.wav")) == ["3.wav"]
    table = tmp_path / "table.csv"
    table.write_text("path,number,speaker\na.wav,12,Ann\nsub/b.wav,,Bob\n c.wav ,,Cem\n")
    assert find_clips(table)[1] == {"path": str(tmp_path / "sub" / "b.wav"), "speaker": "Bob"}
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
