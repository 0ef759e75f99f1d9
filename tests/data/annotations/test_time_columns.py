"""Columns of times and their units, in tables of annotations."""

import pytest

from hf_audio.data.annotations.annotation_tables import read_annotation_table
from hf_audio.data.tables.columns import Columns
from hf_audio.errors import DataError


@pytest.mark.parametrize(
    "text",
    ["path,label\na.wav,dog\n", "path,start,end,label\na.wav,monday,friday,dog\n", "path,duration,label\na,3,b\n"],
)
def test_a_table_without_times_is_none_of_annotations(tmp_path, text):
    (tmp_path / "a.csv").write_text(text)
    assert read_annotation_table(tmp_path / "a.csv") is None
    assert read_annotation_table(tmp_path / "a.csv", Columns(path="of_another_table")) is None


def test_a_row_ends_by_its_duration_where_no_end_is_said(tmp_path):
    (tmp_path / "a.csv").write_text("file,start,end,duration,label\na.wav,1,,2,dog\na.wav,5,6,,cat\na.wav,8,,,owl\n")
    table = read_annotation_table(tmp_path / "a.csv")
    assert [(row.onset, row.offset, row.label) for row in table.rows] == [(1, 3, "dog"), (5, 6, "cat")]
    assert len(table.warnings) == 1
    (tmp_path / "a.csv").write_text("file,start,end,duration,label\na.wav,1,,2,dog\na.wav,5,,1,cat\n")
    assert [row.offset for row in read_annotation_table(tmp_path / "a.csv").rows] == [3, 6]


def test_thousands_of_milliseconds_and_samples_are_no_decimals(tmp_path):
    (tmp_path / "a.csv").write_text(
        'file,start_ms,end_ms,label\na.wav,500,900,dog\na.wav,"1,083","2,100",cat\na.wav,"62,500","1,063,000",owl\n'
    )
    (tmp_path / "b.csv").write_text("file;start_ms;end_ms;label\na.wav;500,125;900,5;dog\n")

    rows = read_annotation_table(tmp_path / "a.csv").rows

    assert [row[1:3] for row in rows] == [(0.5, 0.9), pytest.approx((1.083, 2.1)), (62.5, 1063)]
    assert read_annotation_table(tmp_path / "b.csv").rows[0][1:3] == pytest.approx((0.500125, 0.9005))


@pytest.mark.parametrize(
    ("header", "cells", "told"),
    [
        ("onset_samples,duration", "8000,1.5", "samples in 'onset_samples', and no unit in the name of 'duration'"),
        (
            "onset_samples,duration_s",
            "8000,1.5",
            "samples in 'onset_samples', and seconds in the name of 'duration_s'",
        ),
        ("start,end_samples", "1,8000", "samples in 'end_samples', and no unit in the name of 'start'"),
        ("start_ms,end", "1500,2500", "milliseconds in 'start_ms', and no unit in the name of 'end'"),
        ("start_min,start_sec,end_min,end_sec", "1,5,1,7", "in 'start_min' and another one in 'start_sec': give the"),
        ("start (min),start (s),duration (s)", "1,5,2", "in 'start .s.' and another one in 'start .min.'"),
    ],
)
def test_times_in_two_units_or_parts_are_refused(tmp_path, header, cells, told):
    (tmp_path / "a.csv").write_text(f"file,label,{header}\na.wav,dog,{cells}\n")
    with pytest.raises(DataError, match=told):
        read_annotation_table(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("start (s),start (min),end (s),end (min)", "65,1.08,67,1.12"),  # one time twice
        ("start (min),duration (s)", "1.0833333333,2"),
        ("start_ms,end_ms,duration", "65000,67000,2"),
        ("start_ms,end", "65000,0:01:07"),
        ("start,start_min,end", "65,0,67"),
    ],
)
def test_times_in_units_that_are_said_are_read(tmp_path, header, cells):
    (tmp_path / "a.csv").write_text(f"file,label,{header}\na.wav,dog,{cells}\n")
    assert read_annotation_table(tmp_path / "a.csv").rows[0][1:3] == pytest.approx((65, 67))


def test_times_that_cannot_be_meant_are_refused_in_a_sentence(tmp_path):
    (tmp_path / "frames.csv").write_text("file,start_frame,end_frame,label\na.wav,1,2,dog\n")
    with pytest.raises(DataError, match="counts frames in 'start_frame': give seconds"):
        read_annotation_table(tmp_path / "frames.csv")
    for cells, told in {"2024-05-01 06:00:12": "give seconds", "1.5": "add a column `end`"}.items():
        (tmp_path / "a.csv").write_text(f"file,start,label\na.wav,{cells},dog\na.wav,{cells}5,dog\n")
        with pytest.raises(DataError, match=told):
            read_annotation_table(tmp_path / "a.csv")
