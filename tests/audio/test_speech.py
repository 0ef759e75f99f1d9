"""Voice activity against Silero's own network, and what is kept of a recording."""

import multiprocessing
import sys

import numpy as np
import pytest
import soxr
import torch
from helpers.recordings import speech

from hf_audio.audio import speech as speech_module
from hf_audio.audio.speech import BLOCK, RATE, find_speech, keep_speech, speech_probabilities
from hf_audio.errors import AudioError, NoSpeechError


@pytest.fixture(scope="module")
def sentence() -> np.ndarray:
    return speech("Nobody knew why the old clock had stopped at noon.", RATE)


def test_probabilities_are_those_of_silero(sentence):
    onnxruntime = pytest.importorskip("onnxruntime")
    folder = speech_module.importlib.util.find_spec("silero_vad").submodule_search_locations[0]
    session = onnxruntime.InferenceSession(f"{folder}/data/silero_vad.onnx")
    state, context, expected = np.zeros((2, 1, 128), np.float32), np.zeros(64, np.float32), []
    waveform = np.concatenate([np.zeros(700, np.float32), sentence])
    for start in range(0, len(waveform), BLOCK):
        block = np.zeros(BLOCK, np.float32)
        block[: len(waveform[start : start + BLOCK])] = waveform[start : start + BLOCK]
        heard = np.concatenate([context, block])[None]
        probability, state = session.run(None, {"input": heard, "state": state, "sr": np.array(RATE)})
        expected.append(probability[0, 0])
        context = block[-64:]
    # Of processors without AVX-512, 1.01e-5 was seen.
    np.testing.assert_allclose(speech_probabilities(waveform), expected, atol=2e-5)


def test_silence_around_and_long_pauses_are_cut_away(sentence):
    pause = np.zeros(2 * RATE, np.float32)
    kept = keep_speech(np.concatenate([pause, sentence, pause, sentence, pause]), RATE)
    assert 2 * len(sentence) - RATE < len(kept) < 2 * len(sentence) + RATE / 2
    assert np.square(kept).sum() > 0.99 * 2 * np.square(sentence).sum()


@pytest.mark.parametrize("rate", [8000, 44100])
def test_at_other_rates_the_same_is_kept(sentence, rate):
    recording = np.concatenate([np.zeros(RATE, np.float32), sentence, np.zeros(RATE, np.float32)])
    kept = keep_speech(recording, RATE)
    assert len(keep_speech(soxr.resample(recording, RATE, rate), rate)) / rate == pytest.approx(
        len(kept) / RATE, abs=0.15
    )


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros(3 * RATE, np.float32),
        0.1 * np.random.default_rng(0).standard_normal(3 * RATE).astype(np.float32),
        0.5 * np.sin(np.arange(3 * RATE) * 0.2).astype(np.float32),
        np.zeros(3, np.float32),
    ],
    ids=["silence", "noise", "tone", "nearly nothing"],
)
def test_where_nobody_speaks_that_is_said(sound):
    with pytest.raises(NoSpeechError, match=r"a\.wav holds no speech: record it again or leave it out") as caught:
        keep_speech(sound, RATE, "a.wav")
    assert isinstance(caught.value, AudioError) and 0 <= caught.value.probability < 0.5


def test_stretches_begin_surely_go_on_doubtfully_and_bridge_short_pauses():
    def blocks(seconds, probability):
        return [probability] * round(seconds * RATE / BLOCK)

    told = blocks(0.32, 0.1) + blocks(0.32, 0.9) + blocks(0.32, 0.4) + blocks(0.16, 0.1) + blocks(0.32, 0.9)
    assert find_speech(np.array(told + blocks(0.96, 0.1) + blocks(0.064, 0.9))) == [(10, 45)]
    assert find_speech(np.array(blocks(1, 0.4))) == []


def test_threads_of_torch_are_left_alone():
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)  # the package's own code would set one
    try:
        speech_module.load_voice_activity.__wrapped__()
        assert torch.get_num_threads() == before + 1 and "silero_vad" not in sys.modules
    finally:
        torch.set_num_threads(before)


@pytest.mark.skipif(sys.platform != "linux", reason="only there are processes forked")
def test_it_runs_in_a_process_forked_from_one_with_threads(sentence):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        torch.nn.Conv1d(64, 64, 5)(torch.randn(8, 64, 5000))  # now there are some
        expected = speech_probabilities(sentence)
        with multiprocessing.get_context("fork").Pool(1) as pool:
            told = pool.apply_async(speech_probabilities, (sentence,)).get(timeout=300)
    finally:
        torch.set_num_threads(before)
    np.testing.assert_allclose(told, expected, atol=1e-6)


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(speech_module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'hf-audio\[speech\]'"):
        speech_module.load_voice_activity.__wrapped__()
