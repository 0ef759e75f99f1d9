"""What lies in a file is found in a time and a memory that its size bounds."""

import io
import time

import numpy as np
import pytest
from helpers.containers import RATE, encode, mp3, sound, without_tag

from hf_audio.audio.containers import find_parts
from hf_audio.audio.loading import load_audio, stream_audio
from hf_audio.errors import AudioError

CHUNK, SIZE = b"JUNK\0\0\0\0", 8_000_000
HOSTILE = {
    "RIFF of nothing": b"RIFF\0\0\0\0WAVE" + bytes(SIZE),
    "RIFF of chunks": b"RIFF\xff\xff\xff\0WAVE" + CHUNK * (SIZE // 8),
    "RF64 of chunks": b"RF64\xff\xff\xff\xffWAVE" + CHUNK * (SIZE // 8),
    "AIFF of nothing": b"FORM\0\0\0\0AIFF" + bytes(SIZE),
    "AIFF of chunks": b"FORM\0\xff\xff\xffAIFF" + CHUNK * (SIZE // 8),
    "SVX of chunks": b"FORM\0\xff\xff\xff8SVX" + b"NAME\0\0\0\0" * (SIZE // 8),
    "CAF of chunks": b"caff\0\1\0\0" + b"free" + bytes(8) + b"free\0\0\0\0\0\0\0\0" * (SIZE // 12),
    "FLAC of blocks": b"fLaC" + b"\1\0\0\0" * (SIZE // 4),
    "Ogg of pages": (b"OggS" + bytes(22) + b"\0") * (SIZE // 27),
    "titles": b"ID3\3\0\0\0\0\0\0" * (SIZE // 10),
    "MPEG headers": b"\xff\xfb\x90\x00" * (SIZE // 4),
    "ones": b"\xff" * SIZE,
    "frames and ones": (b"\xff\xfb\x10\x00" + bytes(100)) * 3 + b"\xff" * SIZE,
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_files_of_nothing_are_refused_at_once(data):
    start = time.process_time()
    with pytest.raises(AudioError):
        load_audio(data, RATE, 300)
    assert time.process_time() - start < 1


def test_many_channels_take_no_more_memory_than_few():
    samples = np.zeros((48_000, 200), dtype=np.float32)
    samples[:, 0] = sound(3.0)
    blocks = list(stream_audio(encode(samples, "WAV", "PCM_16"), RATE))
    assert max(map(len, blocks)) <= 2 * (1 << 20) // 200
    np.testing.assert_allclose(np.concatenate(blocks), sound(3.0), atol=1e-4)


def test_parts_of_different_kinds_are_found():
    one, other = encode(sound(), "WAV", "PCM_16"), encode(sound(), "AIFF", "PCM_16")
    tagged, ogg = mp3(), encode(sound(), "OGG")
    assert [len(find_parts(io.BytesIO(data))) for data in (one, one + other + one, one + ogg, tagged + one)] == [
        1,
        3,
        2,
        2,
    ]
    twice = load_audio(one + other, RATE)
    np.testing.assert_array_equal(twice[: len(twice) // 2], twice[len(twice) // 2 :])
    assert find_parts(io.BytesIO(b"a letter")) == [] and len(find_parts(io.BytesIO(without_tag(tagged)))) == 1
