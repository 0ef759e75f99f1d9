"""Rows of annotated recordings: where they are cut, what sounds in them, and what is left out."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from hf_audio.data.annotations.annotated_recordings import AnnotatedRecording, AnnotatedRecordings, Annotation
from hf_audio.data.annotations.annotated_rows import choose_row_seconds, cut_rows, tags_of
from hf_audio.data.cache import cache_audio
from hf_audio.data.tables.columns import Columns


def recordings(*annotated, complete=None):
    found = [
        AnnotatedRecording(Path(f"{number}.wav"), [Annotation(*event) for event in events], seconds)
        for number, (seconds, events) in enumerate(annotated)
    ]
    for recording in found:
        recording.complete_until = recording.seconds if complete is None else complete
    return AnnotatedRecordings("x", found, ["cat", "dog"])


def test_rows_cover_what_is_annotated_as_a_whole():
    found = recordings((12, [(1, 2, "dog"), (3.5, 4.5, "cat"), (9, 9.5, "dog")]))
    rows = cut_rows(found, 4).dataset

    assert list(zip(rows["start"], rows["end"], strict=True)) == [(0, 4), (4, 8), (8, 12)]
    assert rows["events"][:] == [[[1, 2, 1], [3.5, 4, 0]], [[0, 0.5, 0]], [[1, 1.5, 1]]]
    assert rows["label"][:] == [[0, 1], [0], [1]]
    assert rows["complete"][:] == [4, 4, 4]


def test_where_nothing_is_known_rows_are_the_annotations():
    found = recordings((100, [(10, 11, "dog"), (10.5, 12, "cat"), (50, 50.1, "dog")]), complete=0)
    rows = cut_rows(found, 4).dataset

    np.testing.assert_allclose(rows["start"], [10, 49.925])
    np.testing.assert_allclose(rows["end"], [12, 50.175])
    assert rows["label"][:] == [[0, 1], [1]]
    assert rows["complete"][:] == [0, 0]


def test_where_something_sounds_without_a_label_rows_are_the_annotations():
    found = recordings(
        (12, [(1, 2, "dog"), (9, 11, "cat")]), (6, [(1, 2, "dog"), (3, 4, "cat")]), (9, [(5, 6, "dog")])
    )
    found.recordings[0].unlabelled = [(1.5, 3), (2.5, 4), (4.1, 5), (10, 12)]
    found.recordings[1].unlabelled = [(0, 2.5)]
    found.recordings[1].complete_until = 0  # where only what is annotated is known
    found.recordings[2].unlabelled = [(0, 9)]
    rows = cut_rows(found, 4).dataset

    spans = [(0, 1.5), (5, 7.5), (7.5, 10), (1.5, 2), (10, 11), (1, 2), (3, 4), (5, 6)]
    assert list(zip(rows["start"], rows["end"], strict=True)) == spans
    assert rows["events"][:3] == [[[1, 1.5, 1]], [], [[1.5, 2.5, 0]]]
    assert rows["events"][3:] == [[[0, 0.5, 1]], [[0, 1, 0]], [[0, 1, 1]], [[0, 1, 0]], [[0, 1, 1]]]
    assert rows["complete"][:] == [1.5, 2.5, 2.5, 0, 0, 0, 0, 0]


def test_hours_of_nothing_are_left_out_evenly():
    found = recordings((36_000, [(18_000, 18_001, "dog")]), (20, []))
    rows = cut_rows(found, 10).dataset
    starts = np.array(rows["start"])
    assert len(rows) == 101
    assert any(len(events) for events in rows["events"])
    assert np.diff(np.sort(starts[np.array(rows["path"]) == "0.wav"])).max() < 500


def test_a_row_has_the_tag_of_what_is_heard_in_it():
    assert tags_of([[0, 0.1, 0], [1.0, 1.05, 1]], 4) == [1]  # the end of a long sound, and a whole short one
    assert tags_of([[3.4, 4, 0]], 4) == [0]


def test_columns_of_recordings_stay_with_their_rows():
    found = recordings((8, [(1, 2, "dog")]), (4, [(1, 2, "cat")]))
    found.recordings[0].further = {"site": "north", "day": "1"}
    found.recordings[1].further = {"site": "south", "day": "1"}
    rows = cut_rows(found, 4, Columns(group="site"))
    assert rows.group_column == "site"
    assert rows.dataset["site"][:] == ["north", "north", "south"]
    assert "day" not in rows.dataset.column_names
    assert cut_rows(found, 4).group_column == "recording"


@pytest.mark.parametrize(
    ("events", "seconds"), [([(1, 2, "dog")], 4), ([(1, 9, "dog")], 10), ([(1, 1.01, "dog")], 0.5)]
)
def test_the_length_of_rows_suits_the_events(events, seconds):
    assert choose_row_seconds(recordings((20, events)))[0] == seconds


def test_rows_are_decoded_by_seeking(tmp_path):
    ramp = np.arange(8000 * 20) / (8000 * 20)
    soundfile.write(tmp_path / "0.wav", ramp, 8000)
    found = recordings((20, [(5, 6, "dog")]))
    found.recordings[0].path = tmp_path / "0.wav"

    cached, skipped = cache_audio(cut_rows(found, 4).dataset, 8000)

    assert not skipped
    audio = [np.frombuffer(cell, "<i2") / 32767 for cell in cached["audio"]]
    np.testing.assert_allclose(np.concatenate(audio), ramp, atol=1e-4)
