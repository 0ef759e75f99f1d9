"""Running decisions: in time, only while somebody speaks, and the same however the sound is cut into blocks."""

import numpy as np
import pytest
from helpers.recordings import speech, tone
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_audio.audio.speech import BLOCK, RATE, SpeechGate, find_speech, speech_probabilities
from hf_audio.inference.classifier import AudioClassifier
from hf_audio.inference.facts import Facts
from hf_audio.inference.live import HOP_SECONDS, RunningDecision


class Meter(AudioClassifier):
    """Tells whether a window is loud, and remembers the windows."""

    def __init__(self, speech_only: bool, rate: int = RATE):
        super().__init__(Facts(("quiet", "loud"), rate, clip_seconds=1.0, speech_only=speech_only))
        self.windows: list[np.ndarray] = []

    def score(self, windows):
        self.windows += [window.copy() for window in windows]
        return self.measure(windows)

    def measure(self, windows):
        loud = np.array([min(np.square(window).mean() * 100, 1) for window in windows], dtype=np.float32)
        return np.stack([1 - loud, loud], axis=1)


@pytest.fixture(scope="module")
def conversation() -> np.ndarray:
    """Silence, a sentence, a long pause, another sentence, silence."""
    pause = np.zeros(RATE, np.float32)
    first = speech("The boats come back to the harbour.", RATE)
    second = speech("We walked along the river.", RATE, "en-us+f2")
    return np.concatenate([pause, first, pause, second, pause])


def hear(running: RunningDecision, waveform: np.ndarray, blocks) -> list:
    ends = np.minimum(np.cumsum([*blocks, len(waveform)]), len(waveform))
    return list(running.listen(np.split(waveform, ends[:-1])))


def test_it_answers_in_time_and_falls_silent_with_the_speaker(conversation):
    running, told = RunningDecision(Meter(speech_only=True), RATE), []
    for start in range(0, len(conversation), 320):
        told += [((start + 320) / RATE, decision) for decision in running.push(conversation[start : start + 320])]
    stretches = find_speech(speech_probabilities(conversation))
    assert len(stretches) == 2
    ends = [place for place, (_, decision) in enumerate(told) if decision.answer["label"] == "no speech"]
    assert len(ends) == 2 and ends[1] == len(told) - 1
    for (first, last), answers in zip(stretches, (told[: ends[0]], told[ends[0] + 1 : ends[1]]), strict=True):
        begins, stops = first * BLOCK / RATE, last * BLOCK / RATE
        assert answers[0][0] - begins < 0.3, "the first answer is late"
        assert np.diff([decision.second for _, decision in answers]) == pytest.approx(HOP_SECONDS)
        assert stops - HOP_SECONDS < answers[-1][1].second < stops + 0.4


def test_what_is_judged_is_what_was_heard_since_they_began(conversation):
    meter = Meter(speech_only=True)
    told = hear(RunningDecision(meter, RATE), conversation, [1600] * 40)
    spoken = [decision for decision in told if decision.answer["label"] != "no speech"]
    for decision, window in zip(spoken, meter.windows, strict=True):
        end = round(decision.second * RATE)
        np.testing.assert_array_equal(window, conversation[end - len(window) : end])
        assert decision.answer["score"] == pytest.approx(meter.measure([window])[0].max())


@settings(deadline=None, max_examples=5)
@given(st.lists(st.integers(0, 9000), max_size=30))
def test_any_blocks_give_the_same_answers(conversation, blocks):
    told = [hear(RunningDecision(Meter(speech_only=True), RATE), conversation, cut) for cut in (blocks, [320] * 400)]
    spoken = [[d for d in part if d.answer["label"] != "no speech"] for part in told]
    assert [d.answer for d in spoken[0]] == [d.answer for d in spoken[1]]
    assert [d.second for d in spoken[0]] == pytest.approx([d.second for d in spoken[1]])


@settings(deadline=None, max_examples=10)
@given(st.lists(st.integers(1, 5000), max_size=30))
def test_the_gate_opens_and_closes_where_the_whole_says(conversation, blocks):
    gate, ends = SpeechGate(), np.minimum(np.cumsum([*blocks, len(conversation)]), len(conversation))
    turns = [turn for block in np.split(conversation, ends[:-1]) for turn in gate.push(block)]
    stretches = find_speech(speech_probabilities(conversation))
    assert [turn.speaks for turn in turns] == [True, False] * len(stretches)
    for turn, place in zip(turns, np.array(stretches).ravel(), strict=True):
        assert turn.second == pytest.approx(place * BLOCK / RATE, abs=0.07)


def test_at_another_rate_the_same_is_told(conversation):
    slow = RunningDecision(Meter(speech_only=True, rate=8000), 8000)
    told = hear(slow, conversation[::2].copy(), [160] * 900)
    assert [decision.answer["label"] for decision in told].count("no speech") == 2
    assert told[0].second < 1.4


def test_of_any_other_checkpoint_every_whole_window_is_judged():
    running = RunningDecision(Meter(speech_only=False), 8000)
    waveform = np.concatenate([np.zeros(8000, np.float32), 2 * tone(500, 1.0)])
    told = hear(running, waveform, [100] * 200)
    assert [decision.second for decision in told] == pytest.approx(1 + np.arange(5) * HOP_SECONDS, abs=0.01)
    assert [decision.answer["label"] for decision in told][::4] == ["quiet", "loud"]
