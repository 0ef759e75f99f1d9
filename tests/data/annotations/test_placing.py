"""Annotations within their recordings: units, ends, and tables of clips."""

import numpy as np
import pytest
import soundfile
from helpers.annotations import spans, write_annotations

from hf_audio.data.annotations.finding import find_annotations
from hf_audio.errors import DataError

RAVEN = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tAnnotation"


@pytest.mark.parametrize(
    ("lines", "guess"),
    [
        (["a.wav,1500,2500,dog", "b.wav,18000,19000,cat"], "look like milliseconds"),
        (["a.wav,30000,32000,dog", "b.wav,19000,20100,cat"], "give seconds"),
        (["a.wav,61,62,dog", "b.wav,500,501,cat"], "give seconds"),
    ],
)
def test_times_far_beyond_the_end_are_refused_with_what_they_look_like(folder, lines, guess):
    with pytest.raises(DataError, match=rf"2 of 2 annotations .* the longest recording lasts 20 s; .*{guess}"):
        find_annotations(write_annotations(folder, *lines))


def test_times_of_a_spreadsheet_are_not_taken_for_clicks(folder):
    rows = [f"{name}.wav,{onset / 86400:.9f},{(onset + 1.5) / 86400:.9f},dog" for name in "ab" for onset in (2, 9)]
    with pytest.raises(DataError, match=r"look like fractions of a day, .*; multiply them by 86400\.$"):
        find_annotations(write_annotations(folder, *rows))
    clicks = [f"a.wav,{onset},{onset + 0.0005},click" for onset in (0.001, 3)]
    assert len(spans(find_annotations(write_annotations(folder, *clicks)))["a"]) == 2


def test_samples_are_told_from_milliseconds_by_the_rate(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.ones(8000 * 5) / 10, 8000)
    lines = ["a.wav,16000,24000,dog", "a.wav,32000,36000,cat"]
    with pytest.raises(DataError, match="look like samples"):
        find_annotations(write_annotations(tmp_path, *lines))
    found = find_annotations(write_annotations(tmp_path, *lines, header="file,start_sample,end_sample,label"))
    assert spans(found) == {"a": [(2, 3, "dog"), (4, 4.5, "cat")]}


def test_single_annotations_that_cannot_be_are_left_out_and_told(folder):
    lines = ["a.wav,1,2,dog", "a.wav,3,3,dog", "a.wav,5,4,cat", "a.wav,25,26,cat", "a.wav,19,23,cat", "a.wav,7,8,"]
    lines += ["a.wav,-1,0.5,dog", "gone.wav,1,2,dog"]
    found = find_annotations(write_annotations(folder, *lines))
    assert spans(found) == {"a": [(0, 0.5, "dog"), (1, 2, "dog"), (19, 20, "cat")]}
    told = " ".join(found.warnings)
    for part in ("no length", "a negative length", "after the end", "cut there", "no label", "gone.wav for one"):
        assert part in told


def test_clips_that_were_cut_from_recordings_are_no_annotated_recordings(folder):
    # As UrbanSound8K has it: each clip lasts as long as its times say, which are places elsewhere.
    lines = ["a.wav,11.5,31.5,dog", "b.wav,0,20,cat", "c.wav,0.25,20.25,dog"]
    assert find_annotations(write_annotations(folder, *lines)) is None
    us8k = write_annotations(
        folder, "a.wav,1,2,dog", name="UrbanSound8K.csv", header="slice_file_name,start,end,class"
    )
    assert find_annotations(us8k) is None


def test_an_annotation_of_a_whole_recording_is_none_of_clips_beside_others(folder):
    write_annotations(folder, "0,20,rain", name="a.csv", header="start,end,label")
    assert find_annotations(folder) is None  # nothing else is there: clips
    write_annotations(folder, "1,2,dog", "3,4,cat", name="b.csv", header="start,end,label")
    found = find_annotations(folder, unannotated="background")
    assert spans(found) == {"a": [(0, 20, "rain")], "b": [(1, 2, "dog"), (3, 4, "cat")], "c": []}


def test_a_sequence_of_files_goes_by_the_offset_in_each(folder):
    header = f"{RAVEN}\tBegin File\tEnd File\tFile Offset (s)"
    lines = ["1\tS\t1\t21\t22\t0\t9\tdog\tb.wav\tb.wav\t1", "2\tS\t1\t39\t42\t0\t9\tcat\tb.wav\tc.wav\t19"]
    path = write_annotations(folder, *lines, name="all.txt", header=header)
    assert spans(find_annotations(path)) == {"b": [(1, 2, "dog"), (19, 20, "cat")], "c": [(0, 2, "cat")]}
    without = [line.rsplit("\t", 2)[0] for line in lines]
    path = write_annotations(folder, *without, name="all.txt", header=f"{RAVEN}\tBegin File")
    with pytest.raises(DataError, match=r"File Offset \(s\) too"):
        find_annotations(path)
