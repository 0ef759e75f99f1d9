"""Copies and groups on two sides of a split, or under two labels."""

from hf_audio.inspection.duplicates import Copies, Link
from hf_audio.inspection.leak_findings import find_copies, find_shared_groups
from hf_audio.inspection.listing import Entry


def files(findings):
    return {finding.kind: [case.files for case in finding.cases] for finding in findings}


def test_copies_are_sorted_by_what_they_spoil():
    rows = [
        Entry("a", ("dog",), "train"),
        Entry("b", ("dog",), "train"),
        Entry("c", ("dog",), "test"),
        Entry("d", ("cat",), "train"),
        Entry("e", ("",), "train"),
    ]
    link = Link(0, 2, -0.5, 1.5, 0.97)
    copies = [Copies((0, 1), ()), Copies((0, 2), (link,)), Copies((1, 3), ()), Copies((1, 4), (Link(1, 4, 0, 2, 1),))]
    found = find_copies(rows, copies, [2.0, 2.0, 1.5, 2.0, 2.0])
    assert files(found) == {
        "copies-across-splits": [("a", "c")],
        "copies-under-labels": [("b", "d")],
        "same-samples": [("a", "b")],
        "same-sound": [("b", "e")],
    }
    assert [finding.severity for finding in found] == ["error", "error", "warning", "warning"]
    assert found[0].cases[0].detail == ("test and train: c is part of a, c begins 0.50 s later (correlation 0.97)")


def test_parts_that_overlap_are_told_with_their_length():
    rows = [Entry("x/a.wav"), Entry("x/b.wav")]
    (finding,) = find_copies(rows, [Copies((0, 1), (Link(0, 1, 1.2, 0.8, 0.99),))], [2.0, 2.0])
    (case,) = finding.cases
    assert case.detail == "0.80 s of a.wav and b.wav are one sound, a.wav begins 1.20 s later (correlation 0.99)"


def test_groups_in_two_splits_are_errors():
    rows = [Entry("a", (), "train", "ann"), Entry("b", (), "test", "ann"), Entry("c", (), "test", "bob")]
    (finding,) = find_shared_groups(rows)
    assert (finding.severity, finding.cases[0].files) == ("error", ("a", "b"))
    assert find_shared_groups(rows[1:]) == []


def test_names_of_one_recording_in_two_splits_are_a_hint():
    names = {"train": ["dog_12-a", "dog_13-a", "cat 7_1"], "test": ["dog_12-b", "cat 8_2", "dog_14-c"]}
    rows = [Entry(f"x/{name}.wav", (), split) for split, stems in names.items() for name in stems]
    (finding,) = find_shared_groups(rows)
    assert finding.severity == "note" and [case.files for case in finding.cases] == [
        ("x/dog_12-a.wav", "x/dog_12-b.wav")
    ]
    assert find_shared_groups([Entry(row.path) for row in rows]) == []


def test_names_that_are_numbered_through_are_no_hint():
    for pattern in ("dog_{}", "common_voice_en_{}", "{}_george_5", "7_george_{}", "clip{}"):
        rows = [Entry(f"{pattern.format(n)}.wav", (), ("train", "test")[n % 2]) for n in range(1000, 1100)]
        assert find_shared_groups(rows) == [], pattern
