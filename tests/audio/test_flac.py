"""FLAC files whose header does not know how long they are, cut off, or joined."""

import io

import numpy as np
import pytest
import soundfile
from helpers.containers import RATE, decode, encode, sound

from hf_audio.audio.loading import load_audio, open_audio
from hf_audio.errors import AudioError

FILES = {
    (bits, seconds): encode(sound(seconds), "FLAC", f"PCM_{bits}")
    for bits in ("S8", "16", "24")
    for seconds in (0.05, 2.0, 9.0)
}


def promising(data, total):
    """The file with another total in its header; 0 is what a pipe leaves."""
    return data[:21] + bytes([data[21] & 0xF0 | total >> 32]) + (total % 2**32).to_bytes(4, "big") + data[26:]


@pytest.mark.parametrize("data", FILES.values(), ids=map(str, FILES))
def test_a_file_of_a_pipe_is_read_whole(data):
    expected = decode(data)
    for total in (len(expected), 0, 1, len(expected) - 1):
        np.testing.assert_array_equal(load_audio(promising(data, total), RATE), expected)
        with open_audio(promising(data, total) + b"TAG" + bytes(125)) as recording:
            assert recording.frames == len(expected)


@pytest.mark.parametrize("total", [None, 0])
def test_what_is_cut_off_is_refused(total):
    data = FILES["16", 2.0] if total is None else promising(FILES["16", 2.0], total)
    for size in (len(data) // 2, len(data) - 1, len(data) - 3000):
        with pytest.raises(AudioError, match="is cut off"):
            load_audio(data[:size], RATE)
    with pytest.raises(AudioError, match="is cut off"):
        load_audio(promising(data, 2**36 - 1), RATE)


def test_files_joined_end_to_end_are_heard_to_their_end():
    data, other = FILES["16", 2.0], FILES["16", 0.05]
    expected = np.concatenate([decode(data), decode(other)])
    np.testing.assert_array_equal(load_audio(data + other, RATE), expected)
    np.testing.assert_array_equal(load_audio(promising(data, 0) + promising(other, 0), RATE), expected)


@pytest.mark.parametrize("n_samples", [1, 100, 4096, 4097, 8000 * 600])
@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
def test_silence_whose_last_frame_is_a_few_bytes_is_whole(n_samples, subtype):
    file = io.BytesIO()
    soundfile.write(file, np.zeros(n_samples), 8000, format="FLAC", subtype=subtype)
    assert len(load_audio(file.getvalue(), 8000)) == n_samples
