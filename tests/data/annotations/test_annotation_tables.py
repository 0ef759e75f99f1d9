"""The rows of tables of annotations."""

from hf_audio.data.annotations.annotation_tables import read_annotation_table

RAVEN = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)"


def test_the_two_views_of_a_selection_are_one(tmp_path):
    lines = [f"{RAVEN}\tAnnotation"]
    for number, label in ((1, "dog"), (2, "cat")):
        times = f"{number}.0\t{number}.5"
        lines += [f"{number}\tWaveform 1\t1\t{times}\t0.0\t8000.0\t{label}"]
        lines += [f"{number}\tSpectrogram 1\t1\t{times}\t500.0\t900.0\t"]
    (tmp_path / "a.txt").write_text("\n".join(lines))

    table = read_annotation_table(tmp_path / "a.txt")

    assert [(row.onset, row.label, row.low_freq) for row in table.rows] == [(1, "dog", 500), (2, "cat", 500)]
    assert len(table.notices) == 2


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
