"""When recordings began, as recorders write and name them."""

import struct

import numpy as np
import pytest
import soundfile

from hf_audio.audio.start_times import named_start_time, read_start_time, start_time


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("20240131_063000.WAV", "2024-01-31T06:30:00"),
        ("20240131_063000T.WAV", "2024-01-31T06:30:00"),
        ("S4A01234_20240131_063000.wav", "2024-01-31T06:30:00"),
        ("SM3_0+1_20240131_063000_250.wav", "2024-01-31T06:30:00.250000"),
        ("20240131T063000+1000_REC [-27.3889 152.8808].flac", "2024-01-31T06:30:00+10:00"),
        ("pond-20240131T063000Z.flac", "2024-01-31T06:30:00+00:00"),
        ("2024-01-31T06-30-00.wav", "2024-01-31T06:30:00"),
        ("2024-01-31 06.30.00.ogg", "2024-01-31T06:30:00"),
        ("2024-01-31-birdnet-06:30:00.wav", "2024-01-31T06:30:00"),
        ("5146.240131063000.wav", "2024-01-31T06:30:00"),
        ("5E90A4D4.WAV", "2020-04-10T16:54:44+00:00"),
        ("20241331_063000.wav", None),  # no such month
        ("20240131_253000.wav", None),
        ("REC_0001.wav", None), ("20240131.wav", None), ("102400.wav", None),
        ("00000001.wav", None), ("dog 12345678901234567890.wav", None),
    ],
)  # fmt: skip
def test_names(name, time):
    found = named_start_time(name)
    assert (found and found.isoformat()) == time


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2024-01-31 06:30:00", "2024-01-31T06:30:00"), ("2024-01-31T06:30:00.5Z", "2024-01-31T06:30:00.500000+00:00"),
        ("2024-01-31T06:30:00-03:30", "2024-01-31T06:30:00-03:30"), ("20240131_063000", "2024-01-31T06:30:00"),
        ("half past six", None), ("", None),
    ],
)  # fmt: skip
def test_cells_of_tables(text, time):
    found = read_start_time(text)
    assert (found and found.isoformat()) == time


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


COMMENT = b"Recorded at 06:30:00 31/01/2024 (UTC%s) by AudioMoth 24F31901603710E3 at medium gain\0"
BEXT = b"\0" * 320 + b"2024-01-31" + b"06-30-00" + b"\0" * 264


@pytest.mark.parametrize(
    ("chunks", "time"),
    [
        (chunk(b"LIST", b"INFO" + chunk(b"ICMT", COMMENT % b"")), "2024-01-31T06:30:00"),
        (chunk(b"LIST", b"INFO" + chunk(b"ICMT", COMMENT % b"-3:30")), "2024-01-31T06:30:00-03:30"),
        (chunk(b"bext", BEXT), "2024-01-31T06:30:00"),
        (
            chunk(b"bext", BEXT) + chunk(b"guan", b"GUANO|Version: 1.0\nTimestamp: 2024-02-01T07:00:00.125+01:00\n"),
            "2024-02-01T07:00:00.125000+01:00",
        ),
        (
            chunk(b"wamd", struct.pack("<HIHHI", 0, 2, 1, 5, 29) + b"2024-01-31 06:30:00.250+00:00"),
            "2024-01-31T06:30:00.250000+00:00",
        ),
        (chunk(b"LIST", b"INFO" + chunk(b"ICMT", b"a fine day")), "2023-05-06T07:08:09"),  # then the name tells
    ],
)
def test_what_a_file_says_of_itself(tmp_path, chunks, time):
    path = tmp_path / "x_20230506_070809.wav"
    soundfile.write(path, np.zeros(80), 8000)
    content = path.read_bytes() + chunks
    path.write_bytes(content[:4] + struct.pack("<I", len(content) - 8) + content[8:])
    found = start_time(path)
    assert found is not None and found.isoformat() == time


def test_other_files_and_none_tell_by_their_names_alone(tmp_path):
    (tmp_path / "20240131_063000.flac").write_bytes(b"fLaC" + bytes(100))
    assert start_time(tmp_path / "20240131_063000.flac") == start_time(tmp_path / "gone" / "20240131_063000.wav")
