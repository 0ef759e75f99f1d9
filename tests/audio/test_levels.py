"""One rule for levels and channels, whatever samples are counted in and by whichever door they come."""

import io

import numpy as np
import pytest
import soundfile
from helpers.recordings import RATE, encoded, tone

from hf_audio import AudioCNNFeatureExtractor
from hf_audio.audio import levels, recording
from hf_audio.audio.levels import LOUDEST, LevelMeter, Mixer, choose_channels, to_floats
from hf_audio.audio.loading import load_audio, stream_audio
from hf_audio.audio.resampling import to_mono
from hf_audio.errors import AudioError

TONE = tone(300)
WORDS = np.round(TONE * 32767).astype(np.int16)
HALVES = {bits: np.round(TONE.astype(np.float64) * 2 ** (bits - 1)) for bits in (16, 24, 32)}


def float_wav(samples, rate=RATE, subtype="FLOAT", container="WAV"):
    return encoded(samples, rate, format=container, subtype=subtype)


@pytest.mark.parametrize(
    ("array", "bits"),
    [
        (WORDS.astype(np.int64), 16),
        (WORDS.astype(np.int32), 16),
        (WORDS.astype(np.float32), 16),
        (WORDS.astype(np.float64), 16),
        (WORDS.tolist(), 16),
        (HALVES[24].astype(np.int32), 24),
        (HALVES[24].astype(np.int32) << 8, 32),  # as scipy reads WAVs of 24 bits
        ((HALVES[24] / 1000).astype(np.int32) << 8, 32),  # and quiet ones
        (HALVES[32].astype(np.int64), 32),
        (HALVES[32].astype(np.float64), 32),
        (TONE.astype(np.float16), None),
    ],
)
def test_samples_are_divided_by_what_they_are_counted_in(array, bits):
    expected = np.asarray(array, dtype=np.float64) / (1 if bits is None else 2 ** (bits - 1))
    for given in (np.asarray(array), np.stack([array, array]), np.stack([array, array], 1)):
        np.testing.assert_allclose(to_mono(given, RATE, RATE), expected, atol=1e-7)
    extractor = AudioCNNFeatureExtractor(sampling_rate=RATE)  # a copy of the rule travels with a checkpoint
    heard = extractor(array, sampling_rate=RATE)["input_values"][0]
    np.testing.assert_allclose(heard, expected, atol=1e-7)


def test_floats_up_to_full_scale_stay_bit_for_bit():
    for samples in (TONE, -np.abs(TONE) / np.abs(TONE).max(), np.float32([1, -1, 0, 0.5]), TONE * np.float32(1e-30)):
        np.testing.assert_array_equal(to_mono(samples, RATE, RATE), samples)
        np.testing.assert_array_equal(load_audio(float_wav(samples), RATE), samples)
        np.testing.assert_array_equal(
            AudioCNNFeatureExtractor(sampling_rate=RATE)(samples)["input_values"][0], samples
        )


@pytest.mark.parametrize("container", ["WAV", "AIFF", "AU", "CAF", "W64"])
@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
@pytest.mark.parametrize("scale", [1.5, 20.0, 20000 / 3, 1e9])
def test_floats_beyond_full_scale_are_divided_by_the_peak_of_the_whole_file(monkeypatch, container, subtype, scale):
    samples = np.concatenate([TONE, TONE * 3]) / np.abs(TONE).max() / 3 * scale
    data = float_wav(samples, subtype=subtype, container=container)
    expected = samples / np.abs(samples).max()
    np.testing.assert_allclose(load_audio(data, RATE), expected, atol=1e-6)
    np.testing.assert_allclose(to_mono(samples, RATE, RATE), expected, atol=1e-6)
    monkeypatch.setattr(recording, "BLOCK_FRAMES", 1000)  # the first blocks are three times fainter than the last
    np.testing.assert_allclose(np.concatenate(list(stream_audio(data, RATE))), expected, atol=1e-6)


def test_whole_numbers_in_float_files_are_integers(monkeypatch):
    expected = WORDS / np.float32(32768)
    np.testing.assert_array_equal(load_audio(float_wav(WORDS.astype(np.float32)), RATE), expected)
    monkeypatch.setattr(recording, "BLOCK_FRAMES", 1000)
    np.testing.assert_array_equal(np.concatenate(list(stream_audio(float_wav(WORDS.astype("f4")), RATE))), expected)


@pytest.mark.parametrize("rate", [RATE, 2 * RATE])
@pytest.mark.parametrize("samples", [TONE * 1e20, np.sign(TONE) * 3.4e38, np.where(TONE > 0.2, np.nan, TONE)])
def test_what_is_beyond_any_scale_is_refused_before_it_is_resampled(samples, rate):
    for hear in (lambda: load_audio(float_wav(samples, rate), RATE), lambda: to_mono(samples, rate, RATE)):
        with pytest.raises(AudioError, match=r"samples as large as \S+, where full scale is 1|NaN or infinite"):
            hear()


def test_integers_that_no_recording_holds_are_refused():
    for samples in (np.array([2**40]), np.arange(9, dtype=np.uint32), np.array([True, False]), np.array(["a"])):
        with pytest.raises(AudioError, match=r"values: give floats|samples as large as"):
            to_mono(samples, RATE, RATE)
    assert LevelMeter("a").full_scale == 1 and LOUDEST == 2**32


def test_what_codecs_and_resamplers_swing_beyond_full_scale_is_clipped():
    square = np.sign(np.sin(np.arange(48000) * 0.05)).astype(np.float32)
    vorbis = encoded(square, 48000, format="OGG", subtype="VORBIS")
    swung = soundfile.read(io.BytesIO(vorbis), dtype="float32")[0]
    assert np.abs(swung).max() > 1.05
    np.testing.assert_array_equal(load_audio(vorbis, 48000), np.clip(swung, -1, 1))
    for heard in (load_audio(float_wav(square, 48000), 16000), to_mono(square, 48000, 16000)):
        assert np.abs(heard).max() == 1


NOISE = np.random.default_rng(0).standard_normal((2, len(TONE))).astype(np.float32)


@pytest.mark.parametrize(
    ("channels", "heard", "opposed"),
    [
        ([TONE, -TONE], [0], True),
        ([-TONE, TONE], [0], True),
        ([TONE, -0.9 * TONE + 0.001 * NOISE[0]], [0], True),
        ([0.5 * TONE, -TONE], [1], True),  # the louder one where they differ
        ([TONE, 0 * TONE], [0], False),
        ([0 * TONE, TONE], [1], False),
        ([TONE, 1e-5 * NOISE[0]], [0], False),
        ([0 * TONE + 0.25, TONE], [1], False),  # a dead converter gives an offset
        ([TONE, TONE], [0, 1], False),
        ([TONE, 0.05 * TONE], [0, 1], False),
        ([TONE, 0.2 * NOISE[0]], [0, 1], False),
        ([0.1 * NOISE[0], -0.05 * NOISE[0] + 0.1 * NOISE[1]], [0, 1], False),  # wide stereo
        ([TONE, -TONE, 0.2 * NOISE[0], 0 * TONE], [0], True),
        ([0 * TONE, 0 * TONE], [0, 1], False),
    ],
)
def test_channels_that_would_spoil_the_mean_are_left_out(monkeypatch, channels, heard, opposed):
    block = np.stack(channels, 1).astype(np.float32)
    chosen = choose_channels(block)
    assert (chosen.heard, chosen.is_opposed) == (heard, opposed)
    expected = block[:, heard].mean(1)
    data = float_wav(block)
    np.testing.assert_allclose(load_audio(data, RATE), expected, atol=1e-7)
    for array in (block, block.T):
        np.testing.assert_allclose(to_mono(array, RATE, RATE), expected, atol=1e-7)
    monkeypatch.setattr(recording, "BLOCK_FRAMES", 1024)
    monkeypatch.setattr(levels, "FRAMES_JUDGED", 1024)
    np.testing.assert_allclose(np.concatenate(list(stream_audio(data, RATE))), expected, atol=1e-7)


def test_the_first_block_that_is_not_silent_decides():
    mixer, silence = Mixer(), np.zeros((100, 2), dtype=np.float32)
    sound = np.stack([TONE[:100], -TONE[:100]], 1)
    assert not mixer.mix(silence).any()
    np.testing.assert_array_equal(mixer.mix(sound), sound[:, 0])
    np.testing.assert_array_equal(mixer.mix(sound[:, ::-1]), sound[:, 1])
    assert to_floats(silence, "a") is silence
