"""WAV, RF64 and W64: every sample that is there is read, and what is cut off is refused."""

import io
import struct
import wave

import numpy as np
import pytest
from helpers.containers import RATE, check_whole_and_cut, decode, encode, sound, wav

from hf_audio.audio.loading import load_audio, open_audio
from hf_audio.errors import AudioError

WORDS = (3000 * np.sin(np.arange(32000) / 3)).astype("<i2")
SAMPLES = WORDS.tobytes()
SIZE = len(SAMPLES)
EXPECTED = WORDS / np.float32(32768)
LIST = b"LIST" + struct.pack("<I", 26) + b"INFOISFT" + struct.pack("<I", 14) + b"Lavf61.7.100\0\0"


def heard(data):
    with open_audio(data) as recording:
        assert recording.frames == sum(map(len, recording.blocks()))
    return load_audio(data, RATE)


@pytest.mark.parametrize(
    "data",
    [
        wav(SIZE, SAMPLES),
        wav(0, SAMPLES, 8),
        wav(0, SAMPLES, 0),
        wav(0, SAMPLES, 36),
        wav(0, SAMPLES, 0xFFFFFFFF),
        wav(0, SAMPLES),
        wav(0, SAMPLES, before=LIST),
        wav(0, SAMPLES, after=LIST),  # a title behind the samples is no sound
        wav(0xFFFFFFFF, SAMPLES, 0xFFFFFFFF),
        wav(0xFFFFFFFF - 36, SAMPLES, after=LIST),
        wav(0x7FFFFFFF, SAMPLES, 0x7FFFFFFF),
        wav(0x80000000, SAMPLES),
        wav(0x7F000000, SAMPLES),
        wav(SIZE + 44, SAMPLES),
        wav(SIZE + 36, SAMPLES),
        wav(SIZE + 1, SAMPLES),
        wav(SIZE + 44 + len(LIST), SAMPLES, after=LIST),
        wav(SIZE - 1, SAMPLES),
        wav(SIZE - 44, SAMPLES),  # the header was taken away twice
        wav(SIZE // 2, SAMPLES),  # frames for bytes
        wav(SIZE, SAMPLES, after=LIST),
        wav(SIZE, SAMPLES, after=bytes(1000)),  # a card's block filled up
        wav(SIZE, SAMPLES, SIZE + 36, after=b"\x01\x02\x03 no chunk of ours"),
    ],
)
def test_every_sample_is_read_whatever_the_sizes_say(data):
    np.testing.assert_array_equal(heard(data), EXPECTED)


def test_python_reads_the_same(tmp_path):
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((2, 3, RATE, 0, "NONE", ""))
        file.writeframes(bytes(range(252)) * 100)
    with wave.open(str(tmp_path / "a.wav")) as file:
        content = file.readframes(10**6)
    triples = np.frombuffer(content, dtype=np.uint8).reshape(-1, 2, 3).astype(np.int64)
    values = triples[..., 0] | triples[..., 1] << 8 | triples[..., 2] << 16
    values = np.where(values >= 2**23, values - 2**24, values) / 2**23
    np.testing.assert_allclose(load_audio(tmp_path / "a.wav", RATE), values.mean(1), atol=1e-7)
    unknown = bytearray((tmp_path / "a.wav").read_bytes())
    unknown[40:44] = bytes(4)
    np.testing.assert_allclose(load_audio(bytes(unknown), RATE), values.mean(1), atol=1e-7)


@pytest.mark.parametrize("size", [SIZE + 1000, 2 * SIZE, 2_000_000_000, 3_000_000_000])
def test_a_header_that_promises_more_is_refused(size):
    for data in (wav(size, SAMPLES), wav(size, SAMPLES, before=LIST), wav(size, SAMPLES, after=LIST)):
        with pytest.raises(AudioError, match="is cut off"):
            load_audio(data, RATE)


def test_a_recorder_that_died_after_it_had_written_a_header_loses_nothing():
    long = np.tile(WORDS, 4)
    data = wav(SIZE, long.tobytes(), SIZE + 36)
    np.testing.assert_array_equal(heard(data), long / np.float32(32768))


def test_an_empty_recording_has_no_samples():
    for data in (wav(0, b""), wav(0, b"", after=LIST)):
        with pytest.raises(AudioError, match="contains no samples"):
            load_audio(data, RATE)


def test_a_size_that_wrapped_at_4_gib_is_told_in_full(tmp_path):
    path = tmp_path / "long.wav"
    size = 2**32 + 8_000_000
    path.write_bytes(wav(size % 2**32, b"", (size + 36) % 2**32))
    with path.open("rb+") as file:
        file.truncate(44 + size)  # no block of the disk is taken
        file.seek(-SIZE, io.SEEK_END)
        file.write(SAMPLES)
    with open_audio(path) as recording:
        assert recording.frames == size // 2
        file = recording._tracks[0].file
        file.seek(size // 2 - len(WORDS))
        np.testing.assert_array_equal(file.read(dtype="float32"), EXPECTED)


@pytest.mark.parametrize("container", ["WAV", "WAVEX", "RF64", "W64"])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "FLOAT", "ULAW", "IMA_ADPCM", "MS_ADPCM", "GSM610"])
def test_whole_files_go_to_libsndfile_as_they_are_and_cut_ones_nowhere(container, subtype):
    if (container in ("WAVEX", "RF64") and "ADPCM" in subtype) or (subtype == "GSM610" and container != "WAV"):
        pytest.skip("there is no such file")
    data = encode(sound(), container, subtype)
    check_whole_and_cut(data)
    twice = load_audio(data + data, RATE)
    np.testing.assert_array_equal(twice, np.tile(decode(data), 2))


def test_rf64_of_a_pipe_and_bw64(tmp_path):
    data = encode(sound(), "RF64", "PCM_16")
    place = data.index(b"ds64") + 8
    expected = decode(data)
    for size in (0, 2**64 - 1):
        piped = data[: place + 8] + struct.pack("<QQ", size, 0) + data[place + 24 :]
        np.testing.assert_array_equal(heard(piped), expected)
    np.testing.assert_array_equal(heard(b"BW64" + data[4:]), expected)


def test_big_endian_wavs():
    data = encode(sound(), "WAV", "PCM_16", endian="BIG")
    assert data[:4] == b"RIFX"
    expected = decode(data)
    place = data.index(b"data") + 4
    np.testing.assert_array_equal(heard(data[:place] + bytes(4) + data[place + 4 :]), expected)


def test_files_joined_of_several_rates_are_refused():
    data = encode(sound(), "WAV", "PCM_16")
    for other in (encode(sound(), "WAV", "PCM_16", 8000), encode(sound(channels=2), "WAV", "PCM_16")):
        with pytest.raises(AudioError, match="joined of recordings of several rates or channels: split it"):
            load_audio(data + other, RATE)
