"""Tables of annotations of the programs that people use, and of their own."""

import pytest

from hf_audio.data.annotations.annotation_tables import read_annotation_table
from hf_audio.data.tables.columns import Columns
from hf_audio.errors import DataError

RAVEN = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)"
# What one row of each kind says: name of the recording, onset, offset, label, low and high frequency.
TABLES = {
    "plain.csv": ("file,start_time,end_time,label\na.wav,1.5,2.5,dog\n", ("a.wav", 1.5, 2.5, "dog", None, None)),
    "dcase.tsv": (
        "filename\tonset\toffset\tevent_label\na.wav\t1.5\t2.5\tdog\n",
        ("a.wav", 1.5, 2.5, "dog", None, None),
    ),
    "excel.csv": ("Datei;Begin;Ende;File;end;Species\nx;1,5;;a.wav;2,5;dog\n", ("a.wav", 1.5, 2.5, "dog", None, None)),
    "clock.csv": ("path,from,to,class\na.wav,00:01:23.5,1:25,dog\n", ("a.wav", 83.5, 85, "dog", None, None)),
    "length.csv": ("path,onset,duration,tag\na.wav,1.5,1,dog\n", ("a.wav", 1.5, 2.5, "dog", None, None)),
    "ms.csv": ("path,start_ms,end_ms,label\na.wav,1500,2500,dog\n", ("a.wav", 1.5, 2.5, "dog", None, None)),
    "minutes.csv": ("path,start (min),end (min),label\na.wav,1.5,2,dog\n", ("a.wav", 90, 120, "dog", None, None)),
    # As crowsetta 5.1.2 reads it.
    "own.selections.txt": (
        f"{RAVEN}\tSpecies\n1\tSpectrogram 1\t1\t154.387792767\t154.911598217\t2878.2\t4049.0\tEATO\n",
        ("", 154.387792767, 154.911598217, "EATO", 2878.2, 4049.0),
    ),
    "sequence.txt": (
        f"{RAVEN}\tBegin File\tFile Offset (s)\tCall Type\n1\tS\t1\t61.5\t62.5\t10\t20\ta.wav\t1.5\tdog\n",
        ("a.wav", 1.5, 2.5, "dog", 10, 20),
    ),
    "path.txt": (
        f"{RAVEN}\tBegin File\tBegin Path\tNotes\n1\tS\t1\t1.5\t2.5\t10\t20\ta.wav\tD:\\rec\\a.wav\tdog\n",
        ("D:\\rec\\a.wav", 1.5, 2.5, "dog", 10, 20),
    ),
    "birdnet.csv": (
        "Start (s),End (s),Scientific name,Common name,Confidence,File\n1.5,2.5,Canis,dog,0.9,/x/a.wav\n",
        ("/x/a.wav", 1.5, 2.5, "dog", None, None),
    ),
    "opensoundscape.csv": (
        "audio_file,annotation_file,annotation,start_time,end_time,low_f,high_f\na.wav,a.txt,dog,1.5,2.5,10,20\n",
        ("a.wav", 1.5, 2.5, "dog", 10, 20),
    ),
    "kaleidoscope.csv": (
        "INDIR,FOLDER,IN FILE,CHANNEL,OFFSET,DURATION,Fmin,Fmean,Fmax,AUTO ID*,MANUAL ID\n"
        "D:,x,a.wav,0,1.5,1,10,15,20,NoID,dog\n",
        ("a.wav", 1.5, 2.5, "dog", 10, 20),
    ),
    "warbler.csv": (
        "sound.files,channel,selec,start,end,bottom.freq,top.freq,sel.label\na.wav,1,1,1.5,2.5,1.2,3.4,dog\n",
        ("a.wav", 1.5, 2.5, "dog", 1200, 3400),
    ),
    "our_own.csv": (
        "path,onset,offset,label,low_freq,high_freq,confidence\na.wav,1.5,2.5,dog,,20,\n",
        ("a.wav", 1.5, 2.5, "dog", None, 20),
    ),
    "audition.csv": (  # markers of Adobe Audition
        "Name\tStart\tDuration\tTime Format\tType\tDescription\ndog\t0:01.500\t0:01.000\tdecimal\tCue\t\n",
        ("", 1.5, 2.5, "dog", None, None),
    ),
    "boris.csv": (
        "Media file,Subject,Behavior,Behavioral category,Behavior type,Start (s),Stop (s)\n"
        "a.wav,No focal subject,dog,,STATE,1.5,2.5\n",
        ("a.wav", 1.5, 2.5, "dog", None, None),
    ),
    "rfcx.csv": (
        "recording_id,species_id,songtype_id,t_min,f_min,t_max,f_max,is_tp\na,14,1,1.5,10,2.5,20,1\n",
        ("a", 1.5, 2.5, "14", 10, 20),
    ),
    "elan.txt": (
        "Tier\tBegin Time - ss.msec\tEnd Time - ss.msec\tDuration - ss.msec\tcalls\ncalls\t1.5\t2.5\t1\tdog\n",
        ("", 1.5, 2.5, "dog", None, None),
    ),
    "elan_clock.csv": (
        "Tier,Begin Time - hh:mm:ss.ms,End Time - hh:mm:ss.ms,Annotation\ncalls,00:00:01.500,00:00:02.500,dog\n",
        ("", 1.5, 2.5, "dog", None, None),
    ),
    "verified.csv": (
        "file,start,end,vocalisation,verified\na.wav,1.5,2.5,dog,1\n",
        ("a.wav", 1.5, 2.5, "dog", None, None),
    ),
    "one_hot.csv": ("file,start_time,end_time,dog,cat\na.wav,1.5,2.5,1,0\n", ("a.wav", 1.5, 2.5, "dog", None, None)),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_row_is_read_whatever_its_columns_are_called(tmp_path, name):
    text, said = TABLES[name]
    (tmp_path / name).write_text(text, encoding="utf-8")

    table = read_annotation_table(tmp_path / name)

    assert table is not None
    (row,) = table.rows
    assert row[:6] == pytest.approx(said)
    assert not table.warnings


@pytest.mark.parametrize(
    "text",
    ["path,label\na.wav,dog\n", "path,start,end,label\na.wav,monday,friday,dog\n", "path,duration,label\na,3,b\n"],
)
def test_a_table_without_times_is_none_of_annotations(tmp_path, text):
    (tmp_path / "a.csv").write_text(text)
    assert read_annotation_table(tmp_path / "a.csv") is None
    assert read_annotation_table(tmp_path / "a.csv", Columns(path="of_another_table")) is None


def test_the_two_views_of_a_selection_are_one(tmp_path):
    lines = [f"{RAVEN}\tAnnotation"]
    for number, label in ((1, "dog"), (2, "cat")):
        times = f"{number}.0\t{number}.5"
        lines += [f"{number}\tWaveform 1\t1\t{times}\t0.0\t8000.0\t{label}"]
        lines += [f"{number}\tSpectrogram 1\t1\t{times}\t500.0\t900.0\t"]
    (tmp_path / "a.txt").write_text("\n".join(lines))

    table = read_annotation_table(tmp_path / "a.txt")

    assert [(row.onset, row.label, row.low_freq) for row in table.rows] == [(1, "dog", 500), (2, "cat", 500)]
    assert len(table.said) == 2


def test_labels_of_a_selection_and_selections_of_joined_tables_are_kept_beside_its_views(tmp_path):
    lines = [f"{RAVEN}\tAnnotation"]
    for onset, labels in ((1, "dog;cat;fox"), (5, "owl")):  # two tables, each with a selection 1
        lines += [f"1\tWaveform 1\t1\t{onset}\t{onset}.5\t0\t8000\t{labels}"]
        lines += [f"1\tSpectrogram 1\t1\t{onset}\t{onset}.5\t500\t900\t{labels}"]
    (tmp_path / "a.txt").write_text("\n".join(lines))

    rows = read_annotation_table(tmp_path / "a.txt").rows

    assert [row.label for row in rows] == ["dog", "cat", "fox", "owl"]
    assert {row.low_freq for row in rows} == {500}


def test_rows_that_say_nothing_are_recordings_in_which_nothing_sounds(tmp_path):
    (tmp_path / "a.csv").write_text(
        "file,start_time,end_time,label\na.wav,1,2,dog\nb.wav,,,\nc.wav,nan,NaN,nan\nd.wav,,,cat\n"
    )
    table = read_annotation_table(tmp_path / "a.csv")
    assert table.silent == ["b.wav", "c.wav"]
    assert [notice.kind for notice in table.warnings] == ["rows have a label and no times, and are left out"]


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


def test_what_cannot_be_meant_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "frames.csv").write_text("file,start_frame,end_frame,label\na.wav,1,2,dog\n")
    with pytest.raises(DataError, match="counts frames in 'start_frame': give seconds"):
        read_annotation_table(tmp_path / "frames.csv")
    for cells, told in {"2024-05-01 06:00:12": "give seconds", "1.5": "add a column `end`"}.items():
        (tmp_path / "a.csv").write_text(f"file,start,label\na.wav,{cells},dog\na.wav,{cells}5,dog\n")
        with pytest.raises(DataError, match=told):
            read_annotation_table(tmp_path / "a.csv")
    (tmp_path / "bare.csv").write_text("start_seconds,stop_seconds,source_file\n1,2,a.wav\n")
    with pytest.raises(DataError, match="--label_column"):
        read_annotation_table(tmp_path / "bare.csv")


def test_cells_of_several_labels_are_several_annotations(tmp_path):
    lines = [
        "a.wav,1,2,dog; cat",
        "a.wav,3,4,cat",
        "a.wav,5,6,dog",
        'a.wav,7,8,"dog,cat"',
        'a.wav,9,10,"Wren, Winter"',
    ]
    (tmp_path / "a.csv").write_text("\n".join(["file,start,end,label", *lines]))
    labels = [row.label for row in read_annotation_table(tmp_path / "a.csv").rows]
    assert labels == ["dog", "cat", "cat", "dog", "dog", "cat", "Wren, Winter"]


def test_windows_without_a_one_are_windows_in_which_nothing_sounds(tmp_path):
    (tmp_path / "a.csv").write_text(
        "file,start_time,end_time,dog,cat\na.wav,0,3,1,1\na.wav,3,6,0,0\nb.wav,0,3,0.0,0.0\n"
    )
    table = read_annotation_table(tmp_path / "a.csv")
    assert [row.label for row in table.rows] == ["dog", "cat"]
    assert table.silent == ["a.wav", "b.wav"]
    assert not table.warnings
