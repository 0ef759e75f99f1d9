"""Label tracks, of Audacity and of those who write the like."""

import pytest

from hf_audio.data.annotations.annotated_recordings import Annotation
from hf_audio.data.annotations.label_tracks import BrokenTrackError, read_label_track


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0.5\t1.25\tdog\n2\t2\t\n", [Annotation(0.5, 1.25, "dog"), Annotation(2, 2, "")]),
        # As crowsetta 5.1.2 (aud-bbox) reads it; Audacity has -1 where no frequency is given.
        (
            "0.101385\t0.367520\tSP\n\\\t6441.064453\t12296.577148\n1\t2\tCRER\n\\\t-1.0\t8866.9\n",
            [Annotation(0.101385, 0.36752, "SP", 6441.064453, 12296.577148), Annotation(1, 2, "CRER", None, 8866.9)],
        ),
        ("0,5\t1,25\tdog, small\r\n", [Annotation(0.5, 1.25, "dog, small")]),
        ("1.5\tpoint of an old version\n", [Annotation(1.5, 1.5, "point of an old version")]),
        ("0.0 1.5 car horn\n", [Annotation(0, 1.5, "car horn")]),
    ],
)
@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16"])
def test_lines_are_labels(tmp_path, text, found, coding):
    path = tmp_path / "a.txt"
    path.write_bytes(text.encode(coding))
    assert read_label_track(path) == found


@pytest.mark.parametrize(
    "text", ["dog/1.wav\ndog/2.wav\n", "0.5\t1.5\tdog\nrecorded in May\n", "time f0\n0.5 220\n1 230\n"]
)
def test_another_text_is_no_label_track(tmp_path, text):
    path = tmp_path / "a.txt"
    path.write_text(text)
    assert read_label_track(path) is None


@pytest.mark.parametrize("line", ["3.0 dog", "begin\tend\tname", "see 12:30"])
def test_a_line_that_is_no_label_among_labels_is_told(tmp_path, line):
    path = tmp_path / "a.txt"
    path.write_text(f"0.5\t1.5\tdog\n{line}\n2\t3\tcat\n")
    with pytest.raises(BrokenTrackError, match=rf"a.txt is a label track, but for .{line[:3]}.*with tabs between"):
        read_label_track(path)
