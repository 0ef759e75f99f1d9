"""Any file to mono float32, and one clear sentence for each file that cannot be."""

import numpy as np
import pytest
import soundfile
import soxr
from helpers.recordings import RATE, encoded, tone

from hf_audio.audio import recording
from hf_audio.audio.loading import load_audio, stream_audio
from hf_audio.errors import AudioError, LongAudioError, UndecodableAudioError


@pytest.mark.parametrize(
    ("extension", "kwargs", "tolerance"),
    [
        ("wav", {"format": "WAV", "subtype": "PCM_16"}, 1e-4),
        ("wav", {"format": "WAV", "subtype": "PCM_24"}, 1e-6),
        ("wav", {"format": "WAV", "subtype": "FLOAT"}, 0),
        ("flac", {"format": "FLAC"}, 1e-4),
        ("ogg", {"format": "OGG", "subtype": "VORBIS"}, 0.1),
        ("opus", {"format": "OGG", "subtype": "OPUS"}, 0.1),
        ("mp3", {"format": "MP3"}, 0.1),
        ("aiff", {"format": "AIFF"}, 1e-4),
        ("unknown_extension", {"format": "FLAC"}, 1e-4),
        ("wav", {"format": "MP3"}, 0.1),
    ],
)
def test_formats_are_read_whatever_the_extension_says(tmp_path, extension, kwargs, tolerance):
    waveform = tone(440, 1.0)
    path = tmp_path / f"a sound, ünïcödé.{extension}"
    path.write_bytes(encoded(waveform, **kwargs))
    read = load_audio(path, RATE)
    assert read.dtype == np.float32 and read.ndim == 1
    size = min(len(read), len(waveform))
    assert abs(len(read) - len(waveform)) <= 2500  # MP3 pads
    assert np.abs(read[:size] - waveform[:size]).max() <= tolerance or tolerance == 0.1
    spectrum = np.abs(np.fft.rfft(read[:RATE]))
    assert spectrum.argmax() == pytest.approx(440 * size / RATE, abs=2)
    np.testing.assert_array_equal(load_audio(path.read_bytes(), RATE), read)


def test_stereo_is_averaged_and_other_rates_resampled():
    left, right = tone(300, rate=44100), tone(500, rate=44100, seed=1)
    data = encoded(np.stack([left, right], 1), 44100, subtype="FLOAT")
    expected = soxr.resample((left + right) / 2, 44100, RATE)
    np.testing.assert_allclose(load_audio(data, RATE), expected, atol=1e-6)


def wav_with(samples: np.ndarray) -> bytes:
    return encoded(samples.astype(np.float32), subtype="FLOAT")


GOOD_WAV = encoded(tone(440), subtype="PCM_16")
GOOD_FLAC = encoded(tone(440, 2.0), format="FLAC")


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("empty.wav", b"", "0 bytes"),
        ("text.wav", b"this is a letter, not a sound " * 20, "not audio"),
        ("picture.mp3", b"\x89PNG\r\n\x1a\n" + bytes(500), "not audio"),
        ("cut.wav", GOOD_WAV[:2000], "cut off"),
        ("cut.flac", GOOD_FLAC[: len(GOOD_FLAC) // 2], "cut off|not audio"),
        ("header.wav", GOOD_WAV[:20], "not audio|cut off"),
        ("none.wav", wav_with(np.zeros(0)), "no samples"),
        ("nan.wav", wav_with(np.array([0.0, np.nan, 0.1])), "NaN"),
        ("inf.wav", wav_with(np.array([0.0, np.inf, 0.1])), "NaN or infinite"),
    ],
    # Not the bytes: libsndfile notes in them when they were written, and workers must name a test alike.
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_files_are_named_in_one_sentence(tmp_path, name, data, says):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(AudioError, match=says) as error:
        load_audio(tmp_path / name, RATE)
    assert name in str(error.value) and "\n" not in str(error.value)


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(AudioError, match=r"gone\.wav cannot be read"):
        load_audio(tmp_path / "gone.wav", RATE)
    with pytest.raises(AudioError, match="cannot be read"):
        load_audio(tmp_path, RATE)


def test_a_wav_written_to_a_pipe_is_not_taken_for_cut_off():
    streamed = bytearray(GOOD_WAV)
    at = streamed.index(b"data") + 4
    streamed[at : at + 4] = b"\xff\xff\xff\xff"
    assert len(load_audio(bytes(streamed), RATE)) == len(tone(440))


def test_nothing_is_decoded_that_is_longer_than_allowed():
    np.testing.assert_array_equal(load_audio(GOOD_FLAC, RATE, max_seconds=2.0), load_audio(GOOD_FLAC, RATE))
    with pytest.raises(LongAudioError, match=r"longer than 1\.9 s"):
        load_audio(GOOD_FLAC, RATE, max_seconds=1.9)


@pytest.mark.parametrize("max_seconds", [None, 1e3])
@pytest.mark.parametrize(("total", "words"), [(0, ""), (1, ""), (RATE * 500, "cut off"), (2**36 - 1, "cut off")])
def test_what_a_header_says_of_its_length_is_no_more_than_a_promise(total, words, max_seconds):
    """As a FLAC lies, or says nothing where it was written into a pipe."""
    data = GOOD_FLAC[:21] + bytes([GOOD_FLAC[21] & 0xF0 | total >> 32]) + (total % 2**32).to_bytes(4) + GOOD_FLAC[26:]
    if words:
        with pytest.raises(AudioError, match=words):
            load_audio(data, RATE, max_seconds)
    else:
        np.testing.assert_array_equal(load_audio(data, RATE, max_seconds), load_audio(GOOD_FLAC, RATE))


def test_a_limit_bounds_channels_and_rates_too():
    dense = encoded(np.zeros((RATE, 8)), 192_000, format="FLAC")
    assert len(load_audio(dense, RATE, max_seconds=1.0)) == pytest.approx(RATE / 24, abs=1)
    with pytest.raises(LongAudioError, match=r"longer than 0\.025 s, the most at its rate: "):
        load_audio(dense, RATE, max_seconds=0.2)


def test_what_is_no_audio_has_an_error_of_its_own():
    for data, error in ((b"a letter", UndecodableAudioError), (b"", AudioError), (GOOD_WAV[:2000], AudioError)):
        with pytest.raises(AudioError) as caught:
            load_audio(data, RATE)
        assert type(caught.value) is error


@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (44100, 2)])
@pytest.mark.parametrize("name", ["a.flac", "a.raw"])  # the second a WAV, whatever its name says
def test_blocks_are_the_whole(tmp_path, monkeypatch, rate, channels, name):
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, (20_003, channels))
    soundfile.write(tmp_path / "a.flac", sound, rate)
    (tmp_path / "a.raw").write_bytes(encoded(sound, rate))
    whole = load_audio(tmp_path / name, 16000)
    monkeypatch.setattr(recording, "BLOCK_FRAMES", 3001)
    blocks = list(stream_audio(tmp_path / name, 16000))
    assert len(blocks) == 7
    np.testing.assert_allclose(np.concatenate(blocks), whole, atol=1e-6)
    np.testing.assert_array_equal(load_audio((tmp_path / name).read_bytes(), 16000), np.concatenate(blocks))


def test_a_long_file_that_is_cut_off_is_noticed_at_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "BLOCK_FRAMES", 3001)
    path = tmp_path / "a.flac"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 50_000), 16000)
    path.write_bytes(path.read_bytes()[:60_000])
    with pytest.raises(AudioError, match=r"a\.flac is (cut off|not audio)"):
        list(stream_audio(path, 16000))
