"""Streams: what is told does not depend on how the sound was cut into blocks."""

import numpy as np
import pytest
import soxr
from helpers.checkpoints import FRAMES, save_checkpoint
from helpers.recordings import RATE, tone
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_audio.audio.windows import running_windows
from hf_audio.errors import AudioError
from hf_audio.inference.classifier import AudioClassifier
from hf_audio.inference.facts import Facts
from hf_audio.inference.frames import frame_scores
from hf_audio.inference.streaming import AudioStream, FrameStream
from hf_audio.inference.torch_classifier import TorchAudioClassifier

COUNTS = 1024  # to a full scale


class Listener(AudioClassifier):
    """Tells of each window where it lies in a waveform that counts its samples."""

    def __init__(self):
        super().__init__(Facts(("first", "length"), 100, clip_seconds=0.5))
        self.n_judged = 0

    def score(self, windows):
        self.n_judged += len(windows)
        return np.array([[COUNTS * window[0], len(window)] for window in windows], dtype=np.float32)


@settings(deadline=None)
@given(
    n_samples=st.integers(0, 400),
    blocks=st.lists(st.integers(0, 150), max_size=20),
    window=st.integers(1, 90),
    hop=st.integers(1, 120),
)
def test_any_blocks_give_the_windows_of_the_whole(n_samples, blocks, window, hop):
    listener, waveform = Listener(), np.arange(n_samples, dtype=np.float32) / COUNTS
    stream = AudioStream(listener, window_seconds=window / 100, hop_seconds=hop / 100)
    for _ in range(2):  # flushed, it begins anew
        events = []
        for block in np.split(waveform, np.minimum(np.cumsum(blocks), n_samples).astype(int)):
            events += stream.push(block)
        events += stream.flush()
        spans = list(running_windows(n_samples, window, hop)) if n_samples else []
        assert [(round(event.start * 100), round(event.end * 100)) for event in events] == spans
        assert [tuple(event.scores) for event in events] == [(start, end - start) for start, end in spans]
    assert listener.n_judged == 2 * len(spans)  # once each


def test_where_windows_grow_the_first_ones_end_after_every_hop_too():
    stream = AudioStream(Listener(), window_seconds=0.3, hop_seconds=0.1, growing=True)
    events = [*stream.push(np.zeros(45, dtype=np.float32)), *stream.flush()]
    spans = [(0.0, 0.1), (0.0, 0.2), (0.0, 0.3), (0.1, 0.4), (0.15, 0.45)]
    assert [(round(event.start, 6), round(event.end, 6)) for event in events] == spans


def test_an_event_comes_with_the_block_that_completes_its_window():
    stream = AudioStream(Listener(), hop_seconds=0.1)
    assert stream.push(np.zeros(49, dtype=np.float32)) == []  # a window begins with the stream, and is whole
    assert [(event.start, event.end) for event in stream.push(np.zeros(1, dtype=np.float32))] == [(0.0, 0.5)]
    assert stream.push(np.zeros(9, dtype=np.float32)) == []
    assert [event.end for event in stream.push(np.zeros(1, dtype=np.float32))] == [0.6]
    stream.push(np.ones(5, dtype=np.float32))
    stream.reset()
    assert stream.flush() == []


@pytest.mark.parametrize("rate", [RATE, 16000, 44100])
def test_scores_are_those_of_the_parts_of_the_recording(checkpoint, rate):
    classifier = TorchAudioClassifier(checkpoint)
    sound = np.concatenate([tone(hertz, 1.3, rate, seed=hertz) for hertz in (300, 900, 2500)])
    heard = sound if rate == RATE else soxr.resample(sound, rate, RATE)
    stream = AudioStream(classifier, sampling_rate=rate, hop_seconds=0.3)
    events = [event for start in range(0, len(sound), 777) for event in stream.push(sound[start : start + 777])]
    events += stream.flush()
    spans = list(running_windows(len(heard), RATE, round(0.3 * RATE)))
    expected = classifier.score([heard[start:end] for start, end in spans])
    np.testing.assert_allclose([event.scores for event in events], expected, atol=1e-4)
    assert {int(row.argmax()) for row in expected} != {int(expected[0].argmax())}


def test_sixteen_bit_blocks_are_the_same_sound(checkpoint):
    classifier, sound = TorchAudioClassifier(checkpoint), tone(900, 2.0)
    samples = np.round(sound * 32768).astype(np.int16)
    integers = AudioStream(classifier).push(samples)
    floats = AudioStream(classifier).push(samples / 32768)
    np.testing.assert_array_equal([event.scores for event in integers], [event.scores for event in floats])


def test_what_swings_beyond_full_scale_is_clipped(checkpoint):
    classifier, sound = TorchAudioClassifier(checkpoint), tone(900, 2.0)
    loud = (sound / np.abs(sound).max() * 1.9).astype(np.float32)
    events, expected = AudioStream(classifier).push(loud), AudioStream(classifier).push(np.clip(loud, -1, 1))
    np.testing.assert_array_equal([event.scores for event in events], [event.scores for event in expected])


def test_a_bad_block_is_refused_and_nothing_is_lost():
    stream = AudioStream(Listener(), window_seconds=0.1)
    stream.push(np.arange(5, dtype=np.float32) / COUNTS)
    for block in (np.zeros((2, 5)), np.array([np.nan]), np.zeros(3, dtype=np.int32), np.array(["a"]), np.full(3, 2.1)):
        with pytest.raises(AudioError, match="A block"):
            stream.push(block)
    (event,) = stream.push(np.arange(5, 10, dtype=np.float32) / COUNTS)
    assert tuple(event.scores) == (0, 10)
    with pytest.raises(ValueError, match="hop_seconds"):
        AudioStream(Listener(), hop_seconds=0.001)
    with pytest.raises(ValueError, match="sampling_rate"):
        AudioStream(Listener(), sampling_rate=7)


@pytest.mark.parametrize("network", [FRAMES, {}], ids=["frames", "windows"])
def test_moments_are_those_of_the_recording_however_it_comes(tmp_path, network):
    classifier = TorchAudioClassifier(save_checkpoint(tmp_path / "network", **network), device="cpu")
    waveform = np.concatenate([tone(hertz, 0.7, RATE) for hertz in (200, 3000, 500, 1000)])[:20_777]
    stream = FrameStream(classifier, hop_seconds=0.3)
    for _ in range(2):  # flushed, it begins anew
        stretches = [each for block in np.split(waveform, [7, 8000, 8001, 19_999]) for each in stream.push(block)]
        assert stretches[-1].start + len(stretches[-1].scores) * stretches[-1].frame_seconds > 0.5  # before the end
        stretches += stream.flush()
        expected = np.concatenate([each.scores for each in frame_scores(classifier, [waveform], hop_seconds=0.3)])
        assert np.concatenate([each.scores for each in stretches]) == pytest.approx(expected, abs=1e-6)
    assert stream.push(np.zeros(3, np.float32)) == [] and len(stream.flush()) == 1
