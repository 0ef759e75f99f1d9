"""AIFF, AU, CAF, SVX, VOC and NIST: every sample that is there is read, and what is cut off is refused."""

import struct

import numpy as np
import pytest
from helpers.containers import RATE, check_whole_and_cut, decode, encode, sound

from hf_audio.audio.loading import load_audio, open_audio
from hf_audio.errors import AudioError

CODINGS = [
    *(("AIFF", coding) for coding in ("PCM_S8", "PCM_16", "PCM_24", "FLOAT", "ULAW", "IMA_ADPCM")),
    *(("AU", coding) for coding in ("PCM_S8", "PCM_16", "PCM_24", "FLOAT", "ULAW")),
    *(("CAF", coding) for coding in ("PCM_16", "PCM_24", "FLOAT", "ALAW", "ALAC_16")),
    ("SVX", "PCM_16"),
]


@pytest.mark.parametrize(("container", "coding"), [*CODINGS, ("NIST", "PCM_16"), ("VOC", "PCM_16")])
def test_whole_files_go_to_libsndfile_as_they_are_and_cut_ones_nowhere(container, coding):
    data = encode(sound(), container, coding)
    check_whole_and_cut(data)


@pytest.mark.parametrize("container", ["AIFF", "AU", "CAF"])
def test_files_joined_end_to_end_are_heard_to_their_end(container):
    data = encode(sound(), container, "PCM_16")
    np.testing.assert_array_equal(load_audio(data * 2, RATE), np.tile(decode(data), 2))


def patch(data, place, size, layout=">I"):
    return data[:place] + struct.pack(layout, size) + data[place + struct.calcsize(layout) :]


@pytest.mark.parametrize("coding", ["PCM_16", "PCM_24", "FLOAT"])
def test_sizes_that_a_pipe_could_not_write(coding):
    aiff, au, caf = (encode(sound(), container, coding) for container in ("AIFF", "AU", "CAF"))
    head, comm = aiff.index(b"SSND") + 4, aiff.index(b"COMM") + 10
    size = int.from_bytes(aiff[head : head + 4], "big")
    for n_bytes in (0, 0x7F000008, 0xFFFFFFFF, size + 12, size - 4):
        piped = patch(patch(patch(aiff, 4, n_bytes), head, n_bytes), comm, n_bytes // 4)
        if n_bytes == size - 4:
            piped = patch(piped, 4, len(aiff) - 8)
        check(piped, decode(aiff))
    size = int.from_bytes(au[8:12], "big")
    for n_bytes in (0, 0xFFFFFFFF, size + 24):
        check(patch(au, 8, n_bytes), decode(au))
    head = caf.index(b"data") + 4
    for n_bytes in (0, 2**64 - 1):
        check(patch(caf, head, n_bytes, ">Q"), decode(caf))


def check(data, expected):
    with open_audio(data) as recording:
        assert recording.frames == len(expected)
    np.testing.assert_array_equal(load_audio(data, RATE), expected)


def test_headers_that_are_cut_off():
    for container in ("AIFF", "AU", "CAF", "NIST"):
        with pytest.raises(AudioError, match=r"is cut off|is not audio"):
            load_audio(encode(sound(), container, "PCM_16")[:20], RATE)
