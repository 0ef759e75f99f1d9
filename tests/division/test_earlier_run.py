"""What an earlier run has held out is found in other places too, and what it has heard is refused."""

import json

import numpy as np
import pytest

from hf_audio.data.tables.text_tables import write_rows
from hf_audio.division.earlier_run import find_held_out
from hf_audio.errors import ArgumentError

PATHS = [f"/data/m/{label}/{number}.wav" for label in ("low", "high") for number in range(4)]


@pytest.fixture
def run(tmp_path):
    """A run of /data/m that has held out the last clip of each class."""
    write_rows(tmp_path / "predictions.csv", [{"path": "low/3.wav"}, {"path": "high/3.wav"}])
    (tmp_path / "training_args.json").write_text(json.dumps({"data_dir": "/data/m"}))
    (tmp_path / "all_results.json").write_text("{}")
    return tmp_path


def rows(*numbers):
    return np.isin(np.arange(len(PATHS)), numbers)


def test_held_out_clips_are_found_by_their_names(run):
    held_out = find_held_out(str(run), "/data/m", PATHS)
    assert held_out is not None and held_out.tolist() == rows(3, 7).tolist()
    moved = [path.replace("/data/m", "/elsewhere") for path in PATHS]
    held_out = find_held_out(str(run), "/elsewhere", moved)
    assert held_out is not None and held_out.tolist() == rows(3, 7).tolist()


def test_held_out_clips_are_found_whose_class_folder_was_renamed(run, caplog):
    renamed = [path.replace("/low/", "/deep/") for path in PATHS]
    held_out = find_held_out(str(run), "/data/n", renamed)  # half of them tell that it is the same collection
    assert held_out is not None and held_out.tolist() == rows(3, 7).tolist()
    relabelled = ["/data/m/high/low3.wav" if path == "/data/m/low/3.wav" else path for path in PATHS]
    write_rows(run / "predictions.csv", [{"path": "low/low3.wav"}, {"path": "high/3.wav"}])
    held_out = find_held_out(str(run), "/data/m", relabelled)
    assert held_out is not None and held_out.tolist() == rows(3, 7).tolist()
    assert not caplog.text


def test_held_out_clips_that_are_not_found_are_told(run, caplog):
    neither = [path.replace("/low/", "/a/").replace("/high/", "/b/").replace("3.wav", "4.wav") for path in PATHS]
    assert find_held_out(str(run), "/data/n", neither) is None and not caplog.text  # of another collection
    assert find_held_out(str(run), "/data/m", neither) is None
    assert "2 of the 2 clips" in caplog.text and "are not found here, high/3.wav for one" in caplog.text


def test_other_checkpoints_and_other_recordings_say_nothing(run, tmp_path):
    assert find_held_out(None, "/data/m", PATHS) is None
    assert find_held_out("facebook/wav2vec2-base", "/data/m", PATHS) is None
    assert find_held_out(str(tmp_path / "none"), "/data/m", PATHS) is None
    assert find_held_out(str(run), "/data/m", ["/data/x/dog/1.wav"]) is None


def test_what_the_run_has_heard_cannot_be_tested_on(run):
    assert find_held_out(str(run), "/data/m", PATHS, rows(3, 7)) is not None
    with pytest.raises(ArgumentError, match="would be tested on here, /data/m/low/2"):
        find_held_out(str(run), "/data/m", PATHS, rows(2, 7))
    (run / "all_results.json").write_text('{"trained_on_all": true}')
    with pytest.raises(ArgumentError, match="train from the beginning"):
        find_held_out(str(run), "/data/m", PATHS)
    assert find_held_out(str(run), "/data/m", PATHS, rows(0)) is None  # which its folds have not judged


def test_recordings_that_were_held_out_as_a_whole_stay_held_out_in_all_of_their_rows(run):
    parts = [path for path in PATHS for _ in range(3)]
    judged = [{"path": path, "group": path} for path in ("low/3.wav", "low/3.wav", "high/3.wav")]
    write_rows(run / "predictions.csv", judged)
    held_out = find_held_out(str(run), "/data/m", parts)
    assert held_out is not None and held_out.tolist() == np.repeat(rows(3, 7), 3).tolist()
    write_rows(run / "predictions.csv", [{"path": row["path"]} for row in judged])  # of the ends of recordings
    with pytest.raises(ArgumentError, match="would be tested on here, /data/m/low/3"):
        find_held_out(str(run), "/data/m", parts)
