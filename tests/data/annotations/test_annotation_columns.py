"""Columns of recordings, labels, times and frequencies in tables of the programs that people use, and of their own."""

import pytest

from hf_audio.data.annotations.annotation_tables import read_annotation_table
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


def test_a_table_without_labels_names_the_flag(tmp_path):
    (tmp_path / "bare.csv").write_text("start_seconds,stop_seconds,source_file\n1,2,a.wav\n")
    with pytest.raises(DataError, match="--label_column"):
        read_annotation_table(tmp_path / "bare.csv")
