"""Times as people and programs write them."""

import pytest

from hf_audio.data.annotations.times import (
    MILLISECONDS,
    SAMPLES,
    SECONDS,
    are_times,
    read_name,
    read_number,
    read_time,
)


@pytest.mark.parametrize(
    ("cell", "seconds"),
    [
        ("83.5", 83.5),
        ("83,5", 83.5),
        (" 1:23.5 ", 83.5),
        ("00:01:23,500", 83.5),
        ("00:01:23.5", 83.5),
        ("1:00:00", 3600),
        ("1,083.5", 1083.5),
        ("1.083,5", 1083.5),
        ("1e1", 10),
        ("-0.01", -0.01),
    ],
)
def test_times_are_read_as_people_write_them(cell, seconds):
    assert read_time(cell) == pytest.approx(seconds)


@pytest.mark.parametrize("cell", ["2024-05-01 06:00:12", "dog", "", "inf", "00:01:23:12", "1.5 s 2"])
def test_what_is_no_time_is_refused(cell):
    with pytest.raises(ValueError, match="is no number"):
        read_time(cell)
    assert not are_times([cell])


@pytest.mark.parametrize(
    ("name", "key", "unit"),
    [
        ("Begin Time (s)", "begintime", SECONDS),
        ("start_ms", "start", MILLISECONDS),
        ("startTime", "starttime", None),
        ("onset [samples]", "onset", SAMPLES),
        ("t_min", "tmin", None),
        ("File Offset (s)", "fileoffset", SECONDS),
    ],
)
def test_names_of_columns_tell_units(name, key, unit):
    assert read_name(name) == (key, unit)


def test_numbers_may_have_a_comma():
    assert read_number("'1,5'") == 1.5
