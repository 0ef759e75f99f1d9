"""Ogg files that are cut off or joined."""

import numpy as np
import pytest
from helpers.containers import RATE, decode, encode, sound

from hf_audio.audio.loading import load_audio, open_audio
from hf_audio.errors import AudioError

CODINGS = {"VORBIS": encode(sound(4.0), "OGG", "VORBIS"), "OPUS": encode(sound(4.0), "OGG", "OPUS")}


@pytest.fixture(params=["VORBIS", "OPUS"])
def data(request):
    return CODINGS[request.param]


def test_whole_files_go_to_libsndfile_as_they_are(data):
    np.testing.assert_array_equal(load_audio(data, RATE), np.clip(decode(data), -1, 1))
    np.testing.assert_array_equal(load_audio(data + bytes(300), RATE), np.clip(decode(data), -1, 1))


def test_what_is_cut_off_is_refused_also_between_two_pages(data):
    border = data.rindex(b"OggS")
    for size in (len(data) // 3, len(data) // 2, border, border + 20, len(data) - 1):
        with pytest.raises(AudioError, match="is cut off"):
            load_audio(data[:size], RATE)
    with pytest.raises(AudioError, match="is cut off"):
        load_audio(data[:border] + data, RATE)
    with pytest.raises(AudioError, match="is cut off"):  # a page in the middle has lost bytes
        load_audio(data[: border - 100] + data[border:], RATE)


def test_files_joined_end_to_end_are_heard_to_their_end(data):
    expected = np.clip(decode(data), -1, 1)
    np.testing.assert_array_equal(load_audio(data * 3, RATE), np.tile(expected, 3))
    with open_audio(data * 3) as recording:
        assert recording.frames == 3 * len(expected) and recording.kind.startswith("OGG")
    flac = encode(sound(), "FLAC")
    np.testing.assert_array_equal(load_audio(data + flac, RATE), np.concatenate([expected, decode(flac)]))


def test_pages_of_nothing_and_too_many_recordings_end_soon(data):
    empty = b"OggS" + bytes(22) + b"\0"
    for hostile, words in ((empty * 10**5, "not audio"), (encode(sound(0.01), "OGG") * 1002, "more than 1000")):
        with pytest.raises(AudioError, match=words):
            load_audio(hostile, RATE)
