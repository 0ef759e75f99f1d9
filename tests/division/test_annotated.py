"""Annotated recordings on two sides of a split."""

from pathlib import Path

import numpy as np
import pytest

from hf_audio.data.annotations.annotated_recordings import AnnotatedRecording, AnnotatedRecordings, Annotation
from hf_audio.data.annotations.annotated_rows import cut_rows
from hf_audio.data.tables.columns import TEST, TRAIN, VALIDATION, Columns
from hf_audio.division.annotated import divide_annotated
from hf_audio.division.recording_groups import Wishes
from hf_audio.errors import DataError

EVENTS = [Annotation(start, start + 1, ("cat", "dog")[start % 2]) for start in range(1, 36, 3)]


def collection(*names, columns=None):
    recordings = [AnnotatedRecording(Path(name), EVENTS, 40.0, {"site": name[0]}, 40.0) for name in names]
    return cut_rows(AnnotatedRecordings("x", recordings, ["cat", "dog"]), 4, columns)


def sides(division, column="path"):
    values = np.asarray(division.collection.dataset[column])
    return [set(values[division.collection.rows(part)].tolist()) for part in (TRAIN, TEST)]


NAMES = ["a1.wav", "a2.wav", "b1.wav", "b2.wav", "c1.wav", "c2.wav"]


def test_no_recording_is_on_both_sides():
    division = divide_annotated(collection(*NAMES), Wishes())
    trained, tested = sides(division)
    assert trained and tested and not trained & tested
    assert "never heard" in division.tells
    assert division.collection.group_column == "recording"


@pytest.mark.parametrize(
    ("columns", "wishes"),
    [(Columns(group="site"), Wishes()), (None, Wishes(pattern="^[a-z]")), (None, Wishes(by="name"))],
)
def test_no_site_is_on_both_sides_where_something_tells_them(columns, wishes):
    division = divide_annotated(collection(*NAMES, columns=columns), wishes)
    trained, tested = ({name[0] for name in side} for side in sides(division))
    assert trained and tested and not trained & tested


def test_of_one_recording_the_end_is_tested(caplog):
    division = divide_annotated(collection("a.wav"), Wishes())
    starts = np.asarray(division.collection.dataset["start"])
    trained, tested = (starts[division.collection.rows(part)] for part in (TRAIN, TEST))
    assert tested.tolist() == [32, 36]
    assert trained.max() + 4 < tested.min()  # with a row between
    assert division.hears_known
    assert "known recordings only" in caplog.text
    with pytest.raises(DataError, match="annotate a second recording"):
        short = AnnotatedRecording(Path("a.wav"), EVENTS[:1], 4.0, {}, 4.0)
        divide_annotated(cut_rows(AnnotatedRecordings("x", [short], ["cat", "dog"]), 4), Wishes())


def test_test_recordings_of_an_earlier_run_stay_test_recordings():
    given = collection(*NAMES)
    kept = np.asarray(given.dataset["path"]) == "b1.wav"
    assert sides(divide_annotated(given, Wishes(), kept=kept))[1] == {"b1.wav"}


def test_some_of_many_recordings_validate():
    division = divide_annotated(
        collection(*(f"{letter}{number}.wav" for letter in "abcde" for number in "12")), Wishes()
    )
    parts = {
        part: set(np.asarray(division.collection.dataset["path"])[division.collection.rows(part)].tolist())
        for part in (TRAIN, VALIDATION, TEST)
    }
    assert all(parts.values()) and sum(map(len, parts.values())) == len(set.union(*parts.values())) == 10
