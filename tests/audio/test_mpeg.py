"""MPEG audio without a tag that tells its length, cut off, joined, in other files."""

import struct

import numpy as np
import pytest
from helpers.containers import RATE, decode, mp3, sound, without_tag
from scipy.signal import correlate

from hf_audio.audio.loading import load_audio, open_audio
from hf_audio.audio.mpeg import read_header
from hf_audio.errors import AudioError, LongAudioError

PICTURE = b"ID3\x03\0\0" + bytes([0, 3, 13, 80]) + bytes(50_896)  # a title of 50 kB, which an estimate counts as sound
TITLE = b"TAG" + bytes(125)
APE = b"APETAGEX" + struct.pack("<4I", 2000, 32, 1, 0x80000000) + bytes(8) + b"APETAGEX"[:0] + bytes(32)
N = 3 * 44100


def lengths(data):
    with open_audio(data) as recording:
        rate, frames = recording.rate, recording.frames
        assert frames == sum(map(len, recording.blocks()))
    assert len(load_audio(data, rate)) == frames
    return frames


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE", "AVERAGE"])
@pytest.mark.parametrize("rate", [44100, 22050, 8000])
def test_frames_are_counted_where_no_tag_tells_them(mode, channels, rate):
    tagged = mp3(mode, rate=rate, channels=channels)
    assert lengths(tagged) == 3 * rate
    whole = load_audio(tagged, rate)
    for data in (
        without_tag(tagged),
        PICTURE + without_tag(tagged),
        without_tag(tagged) + TITLE,
        PICTURE + without_tag(tagged) + TITLE,
    ):
        frames = lengths(data)
        assert 3 * rate <= frames < 3 * rate + 4 * 1152  # an encoder begins late, and fills up its last frame
        late = correlate(load_audio(data, rate), whole[rate * 2 :][: rate // 2], "valid").argmax() - rate * 2
        assert 500 < late < 2500


def test_the_samples_are_those_that_the_tag_would_have_given():
    tagged = mp3()
    whole, found = load_audio(tagged, 44100), load_audio(without_tag(tagged), 44100)
    late = correlate(found, whole[60_000:100_000], "valid").argmax() - 60_000
    np.testing.assert_allclose(found[late + 5000 :][: len(whole) - 6000], whole[5000:-1000], atol=1e-4)
    np.testing.assert_array_equal(whole, np.clip(decode(tagged), -1, 1))


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_a_tag_is_believed_only_where_its_counts_fit(mode):
    tagged = mp3(mode)
    whole = load_audio(tagged, 44100)
    place = max(tagged.find(b"Info"), tagged.find(b"Xing"))
    (n_bytes,) = struct.unpack(">I", tagged[place + 12 :][:4])
    assert tagged[place + 7] & 3 == 3 and len(tagged) - 200 < n_bytes <= len(tagged)
    for data in (
        PICTURE + tagged + TITLE,
        PICTURE + tagged + APE,
        tagged[: place + 12] + bytes(4) + tagged[place + 16 :],
    ):
        np.testing.assert_array_equal(load_audio(data, 44100), whole)
    too_few = tagged[: place + 8] + struct.pack(">I", 10) + tagged[place + 12 :]
    if mode == "CONSTANT":
        assert lengths(too_few) >= len(whole)
    cut = tagged[: len(tagged) // 2]
    with pytest.raises(AudioError, match="cut off"):
        load_audio(cut, 44100)


def test_a_stream_that_was_cut_out_of_its_middle_is_read_from_its_first_frame_on():
    data = without_tag(mp3())
    cut_out = lengths(data[1000:-100])
    assert lengths(data) - 8 * 1152 < cut_out < lengths(data)


def test_what_is_cut_off_is_refused():
    tagged = mp3()
    for data in (tagged[: len(tagged) // 2], tagged[:-1], without_tag(tagged)[:-1], without_tag(tagged)[:9000]):
        with pytest.raises(AudioError, match="is cut off"):
            load_audio(data, RATE)
    data = without_tag(mp3())
    with pytest.raises(AudioError, match="is cut off"):  # noise, where frames should be
        load_audio(data[:20_000] + np.random.default_rng(0).bytes(10**5) + data[20_000:], RATE)


def test_files_joined_end_to_end_are_heard_to_their_end():
    tagged = mp3()
    plain = without_tag(tagged)
    whole, untold = load_audio(tagged, 44100), load_audio(plain, 44100)
    for data, parts in (
        (tagged + tagged, (whole, whole)),
        (PICTURE + tagged + TITLE + PICTURE + tagged + TITLE, (whole, whole)),
        (tagged + plain, (whole, untold)),
        (plain + tagged, (untold, whole)),
        (tagged + tagged + tagged, (whole, whole, whole)),
    ):
        np.testing.assert_array_equal(load_audio(data, 44100), np.concatenate(parts))
    assert lengths(plain + plain) == 2 * lengths(plain)
    with pytest.raises(AudioError, match="is cut off"):
        load_audio(tagged + tagged[:-1], 44100)
    with pytest.raises(AudioError, match="joined of recordings of several rates"):
        load_audio(tagged + mp3(rate=22050), 44100)


def layer_two(n_frames, bit_rate=10, rate=0):
    """Frames of MP2 in which nothing sounds: no bit is allocated to any band. 192 kilobits at 44.1 kHz."""
    head = bytes([0xFF, 0xFD, bit_rate << 4 | rate << 2, 0xC0])
    return (head + bytes(read_header(head[1], head[2]).size - 4)) * n_frames


def test_mp2_is_counted_too():
    assert lengths(layer_two(100)) == 100 * 1152
    assert lengths(PICTURE + layer_two(100)) == 100 * 1152
    assert lengths(layer_two(2, bit_rate=14) + layer_two(200, bit_rate=2)) == 202 * 1152  # the estimate sees the first
    with pytest.raises(AudioError, match="is cut off"):
        load_audio(layer_two(100)[:-5], RATE)


@pytest.mark.parametrize(("coding", "frames"), [(0x55, without_tag(mp3())), (0x50, layer_two(100))])
def test_mpeg_in_wav(coding, frames):
    form = struct.pack("<IHHIIHH", 30, coding, 1, 44100, 8000, 1, 0) + struct.pack("<HHIHHH", 12, 1, 2, 417, 1, 1393)
    whole = b"WAVEfmt " + form + b"data" + struct.pack("<I", len(frames)) + frames
    data = b"RIFF" + struct.pack("<I", len(whole)) + whole
    assert lengths(data) == lengths(frames)
    np.testing.assert_array_equal(load_audio(data, 44100), load_audio(frames, 44100))
    with pytest.raises(AudioError, match="is cut off"):
        load_audio(data[: len(data) // 2], 44100)


def test_a_limit_holds_where_the_length_was_counted():
    data = without_tag(mp3())
    assert len(load_audio(data, 44100, max_seconds=3.1)) == lengths(data)
    with pytest.raises(LongAudioError, match="longer than 2 s"):
        load_audio(data, 44100, max_seconds=2)


def test_headers():
    assert read_header(0xFB, 0x90) == (417, 1152, (1, 3, 44100)) and read_header(0xFB, 0x92).size == 418
    assert read_header(0xF3, 0x80) == (208, 576, (2, 3, 22050)) and read_header(0xE3, 0x88).kind == (3, 3, 8000)
    assert read_header(0xFD, 0xA0) == (626, 1152, (1, 2, 44100)) and read_header(0xFF, 0x14) == (
        32,
        384,
        (1, 1, 48000),
    )
    nothing = [(0xFB, 0x00), (0xFB, 0xF0), (0xFB, 0x9C), (0xEB, 0x90), (0xF9, 0x90), (0x7B, 0x90)]
    assert not any(read_header(*pair) for pair in nothing)


def test_bytes_without_frames_are_no_sound_however_much_they_look_like_it():
    for data in (b"\xff" * 10**6, b"\xff\xfb\x90\x00" * 10**5, PICTURE, PICTURE * 3, b"\xff\xfb\x90"):
        with pytest.raises(AudioError, match=r"is not audio|is cut off"):
            load_audio(data, RATE)
    assert len(load_audio(APE + mp3(), 44100)) == N and sound().any()
