"""Annotated recordings as people have them: which recording, when, what; and what is said of what is odd."""

import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.annotations import spans, write_annotations

from hf_audio.data.annotations.annotated_recordings import Annotation
from hf_audio.data.annotations.finding import find_annotations
from hf_audio.data.tables.columns import Columns
from hf_audio.errors import DataError

RAVEN = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tAnnotation"


def test_one_table_or_its_folder_annotates_many_recordings(folder):
    path = write_annotations(folder, "b.wav,1,2,cat", "a.wav,3,4.5,dog", "a.wav,3.5,5,cat")
    for source in (path, folder):
        found = find_annotations(source)
        assert spans(found) == {"a": [(3, 4.5, "dog"), (3.5, 5, "cat")], "b": [(1, 2, "cat")]}
        assert found.labels == ["cat", "dog"]
        assert [recording.seconds for recording in found.recordings] == [20, 20]
    assert "1 recordings have no annotations" in found.warnings[-1]
    whole = find_annotations(path, unannotated="background")
    assert spans(whole)["c"] == []


def test_slips_of_whoever_has_typed_times_cost_their_rows_alone(folder):
    rows = ["a.wav,1,2,dog", "a.wav,3,x,dog", "b.wav,1,2,cat", "b.wav,,,cat", "b.wav,5,6,cat"]
    path = write_annotations(folder, *rows)
    for source in (path, folder):
        found = find_annotations(source)
        assert spans(found) == {"a": [(1, 2, "dog")], "b": [(1, 2, "cat"), (5, 6, "cat")]}
        assert any("1 rows have times that are none" in told and "'x' in row 2" in told for told in found.warnings)
    write_annotations(
        folder, *(row.replace(",1,2,", ",6 o'clock,7,").replace(",5,6,", ",8 o'clock,9,") for row in rows)
    )
    with pytest.raises(DataError, match="has \"6 o'clock\" in its column 'start': give seconds"):
        find_annotations(folder)  # and not clips with labels


def test_files_beside_recordings_annotate_each_its_own(folder):
    (folder / "a.txt").write_text("1\t2\tdog\n")
    (folder / "b.Table.1.selections.txt").write_text(f"{RAVEN}\n1\tS\t1\t1\t2\t0\t9\tcat\n")
    grid = 'File type = "ooTextFile"\nObject class = "TextGrid"\n0\n20\n<exists>\n1\n"IntervalTier"\n"x"\n0\n20\n2\n'
    (folder / "c.TextGrid").write_text(f'{grid}0\n1\n""\n1\n2\n"dog"\n', encoding="utf-16")
    (folder / "readme.txt").write_text("what people write")

    found = find_annotations(folder)

    assert spans(found) == {"a": [(1, 2, "dog")], "b": [(1, 2, "cat")], "c": [(1, 2, "dog")]}
    assert found.recordings[1].annotations == [Annotation(1, 2, "cat", 0, 9)]
    assert not found.warnings


def test_two_files_for_one_recording_are_joined_and_what_both_say_counts_once(folder):
    (folder / "a.txt").write_text("1\t2\tdog\n5\t6\tdog\n")
    (folder / "a.selections.txt").write_text(f"{RAVEN}\n1\tS\t1\t1.01\t2.02\t0\t9\tdog\n2\tS\t1\t9\t10\t0\t9\tcat\n")

    found = find_annotations(folder)

    assert [span[0] for span in spans(found)["a"]] == [pytest.approx(1, abs=0.02), 5, 9]
    assert any("several files of annotations" in sentence and "count once" in sentence for sentence in found.warnings)


def test_times_that_are_not_read_are_told_where_rows_may_be_clips(folder, caplog):
    for header, row, why in (
        ("file,start,end,label", "{}.wav,12:00:01 AM,12:00:02 AM,dog", "its cells are no seconds"),
        ("file,start,label", "{}.wav,1.5,dog", "no column says when sounds end"),
    ):
        caplog.clear()
        path = write_annotations(folder, *(row.format(name) for name in "abc"), header=header)
        assert find_annotations(folder) is None
        assert f"{path}: its column 'start' is not read, as {why}: each row is taken" in caplog.text
    write_annotations(folder, "a.wav,10,20,dog", "b.wav,10,20,cat", header="file,start_frame,end_frame,label")
    with pytest.raises(DataError, match="counts frames in 'start_frame': give seconds"):
        find_annotations(folder)


def test_moments_of_annotations_without_a_label_are_unknown(folder):
    rows = ["a.wav,1,2,dog", "a.wav,1.1,2,", "a.wav,7,8,", "a.wav,19,23,", "b.wav,4,5,", "c.wav,1,2,cat"]
    write_annotations(folder, *rows)
    (folder / "c.txt").write_text("0\t1.8\t\n1\t2\t\n5\t6\t\n")  # Audacity, of what nobody has named yet
    found = find_annotations(folder)
    assert spans(found) == {"a": [(1, 2, "dog")], "b": [], "c": [(1, 2, "cat")]}
    unlabelled = [recording.unlabelled for recording in found.recordings]
    assert unlabelled == [[(7, 8), (19, 20)], [(4, 5)], [(0, 1.8), (5, 6)]]  # others have labels in another row
    told = next(each for each in found.warnings if "no label" in each)
    assert "5 annotations have no label, and nothing is known of their moments, from 7 to 8 s of" in told


def test_labels_in_two_forms_of_unicode_are_one(folder):
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    found = find_annotations(
        write_annotations(folder, f"a.wav,1,2,{composed}", f"b.wav,1,2,{decomposed}", "c.wav,1,2,bar")
    )
    assert found.labels == ["bar", composed]


def test_labels_that_differ_by_capitals_or_blanks_are_one(folder):
    found = find_annotations(
        write_annotations(folder, "a.wav,1,2,Dog ", "a.wav,3,4,dog", "b.wav,1,2,dog", "b.wav,5,6,big  cat")
    )
    assert found.labels == ["big cat", "dog"]
    assert any("capitals" in sentence and "'dog' and 'Dog'" in sentence for sentence in found.warnings)


def test_labels_of_tracks_are_taken_apart_as_those_of_tables(folder):
    (folder / "a.txt").write_text("1\t2\tdog, cat\n3\t4\trock, paper\n")
    (folder / "b.txt").write_text("1\t2\tdog\n3\t4\tcat; owl\n5\t6\tcat\n")
    found = find_annotations(folder)
    assert spans(found) == {
        "a": [(1, 2, "cat"), (1, 2, "dog"), (3, 4, "rock, paper")],
        "b": [(1, 2, "dog"), (3, 4, "cat"), (3, 4, "owl"), (5, 6, "cat")],
    }
    assert any("2 cells hold several labels each" in told for told in found.messages)


def test_labels_that_may_be_one_are_warned_of(folder):
    write_annotations(folder, "a.wav,1,2,01", "a.wav,3,4,1", "b.wav,1,2,dog?", "b.wav,3,4,dog")
    found = find_annotations(folder)
    assert len(found.labels) == 4
    (told,) = [told for told in found.warnings if "trained as several" in told]
    assert "2 labels differ" in told
    assert "'01' and '1'" in told


def test_a_recording_whose_annotations_cannot_be_read_is_no_background(folder):
    (folder / "a.txt").write_text("1\t2\tdog\n3 cat\n5\t6\tcat\n")
    with pytest.raises(DataError, match=r"a\.txt is a label track, but for '3 cat'"):
        find_annotations(folder)
    (folder / "b.txt").write_text("1\t2\tdog\n3\t4\tcat\n")
    found = find_annotations(folder, unannotated="background")
    assert list(spans(found)) == ["b", "c"]
    assert any("cannot be read and are left out" in told and "a.txt" in told for told in found.warnings)


def test_a_long_rest_without_annotations_is_no_background_unless_it_is_said(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.ones(300 * 100) / 10, 100)
    path = write_annotations(tmp_path, "a.wav,1,2,dog", "a.wav,5,6,cat")
    found = find_annotations(path)
    assert found.recordings[0].complete_until == 6
    assert "a.wav, of 300 s, after 6 s" in found.warnings[0]
    assert find_annotations(path, unannotated="background").recordings[0].complete_until == 300
    assert find_annotations(path, unannotated="ignore").recordings[0].complete_until == 0


def test_parts_and_further_columns_are_those_of_recordings(folder):
    header = "file,start,end,label,split,site,observer"
    lines = ["a.wav,1,2,dog,train,north,x", "a.wav,4,5,cat,train,north,y", "b.wav,1,2,dog,test,south,x"]
    found = find_annotations(write_annotations(folder, *lines, header=header), Columns(group="site"))
    assert [recording.part for recording in found.recordings] == ["train", "test"]
    assert found.has_parts
    assert found.recordings[0].further["site"] == "north"
    assert "observer" not in found.recordings[0].further
    with pytest.raises(DataError, match="several values in the column 'observer'"):
        find_annotations(folder / "annotations.csv", Columns(group="observer"))


def test_tables_of_parts_divide_recordings_and_no_recording_is_of_two(folder):
    write_annotations(folder, "a.wav,1,2,dog", "b.wav,1,2,cat", name="train.csv")
    path = write_annotations(folder, "c.wav,1,2,dog", name="test.csv")
    assert [recording.part for recording in find_annotations(folder).recordings] == ["train", "train", "test"]
    path.write_text(path.read_text() + "\na.wav,8,9,dog")
    with pytest.raises(DataError, match=r"a\.wav is annotated in tables of two parts"):
        find_annotations(folder)


def test_annotations_of_one_time_may_lie_in_several_bands_or_in_none(folder):
    lines = ["a.wav,1,2,dog,10,20", "a.wav,1,2,dog,,", "a.wav,1,2,dog,10,20"]
    found = find_annotations(write_annotations(folder, *lines, header="file,start,end,label,low_freq,high_freq"))
    assert [each[3:] for each in found.recordings[0].annotations] == [(10, 20), (None, None)]
    assert "repeat another one" in found.warnings[0]


def test_a_file_without_labels_says_that_nothing_sounds(folder):
    (folder / "a.txt").write_text("")
    (folder / "b.selections.txt").write_text(RAVEN + "\n")
    assert find_annotations(folder) is None  # nothing is annotated
    (folder / "c.txt").write_text("1\t2\tdog\n")
    assert spans(find_annotations(folder)) == {"a": [], "b": [], "c": [(1, 2, "dog")]}


def test_other_folders_are_none_of_annotations(folder):
    assert find_annotations(folder) is None
    write_annotations(folder, "a.wav,dog", header="file,label")
    assert find_annotations(folder) is None
    shutil.copy(folder / "a.wav", folder / "d.wav")
    (folder / "list.txt").write_text("a.wav\nb.wav\n")
    assert find_annotations(folder) is None


def test_a_text_that_may_not_be_read_stands_in_no_ones_way(folder, monkeypatch):
    (folder / "secret.txt").write_text("")
    monkeypatch.setattr(Path, "read_bytes", lambda path: (_ for _ in ()).throw(PermissionError(13, "denied")))
    assert find_annotations(folder) is None
