"""Which recordings are named, and for what, of made-up measurements."""

from dataclasses import replace

from helpers.measures import SOUND

from hf_audio.inspection.listing import Entry
from hf_audio.inspection.sound_findings import find_in_sounds


def named(*changes, unreadable=()):
    """Kind of finding -> names; ten sound recordings, and those with the changes, which are called 0, 1, ..."""
    clips = [SOUND] * 10 + [replace(SOUND, **change) for change in changes]
    entries = [Entry(f"sound{number}") for number in range(10)] + [
        Entry(str(number)) for number in range(len(changes))
    ]
    findings = find_in_sounds(entries, clips, unreadable)
    return {finding.kind: [file for case in finding.cases for file in case.files] for finding in findings}


def test_sound_recordings_have_no_findings():
    assert named() == {}


def test_each_fault_names_its_file_alone():
    faults = {
        "silent": {"level": -61.0, "silent_start": 2.0, "silent_end": 2.0, "offset": 0.5},
        "clipped": {"n_clipped": 10},
        "beyond-full-scale": {"full_scale": 20.0},
        "opposite-phase": {"is_opposed": True},
        "dead-channel": {"dead_channels": (2,)},
        "narrow-band": {"bandwidth": 4000.0, "ends_sharply": True},
        "offset": {"offset": -0.0 + 0.02},
        "silent-ends": {"silent_start": 0.5, "silent_end": 0.6},
        "outlying-lengths": {"seconds": 9.0},
        "mixed-rates": {"rate": 8000, "bandwidth": 4000.0},
        "mixed-channels": {"channels": 2},
    }
    found = named(*faults.values())
    assert found == {kind: [str(number)] for number, kind in enumerate(faults)}


def test_what_is_no_fault():
    assert named({"n_clipped": 9}, {"bandwidth": 4000.0}, {"bandwidth": 500.0, "ends_sharply": True}) == {}
    assert named({"seconds": 3.9}, {"seconds": 1.1}, {"silent_end": 0.7}) == {}


def test_unreadable_files_are_errors_with_a_finding_a_reason():
    told = [("a.wav", "a.wav is empty."), ("b.wav", "b.wav is cut off."), ("c.wav", "c.wav is cut off.")]
    first, second = find_in_sounds([], [], told)
    assert (first.severity, first.kind, first.message) == ("error", "unreadable", "Cannot be read: 2 files.")
    assert [case.files for case in first.cases] == [("b.wav",), ("c.wav",)]
    assert [(case.files, case.detail) for case in second.cases] == [(("a.wav",), "a.wav is empty.")]
