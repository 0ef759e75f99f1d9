"""Events in streams: once each, and those of the whole recording."""

import numpy as np
import pytest
from helpers.recordings import RATE, tone

from hf_audio.errors import ArgumentError
from hf_audio.inference.classifier import AudioClassifier
from hf_audio.inference.event_stream import EventStream
from hf_audio.inference.events import EventRule, find_events
from hf_audio.inference.facts import Facts
from hf_audio.inference.frames import frame_scores
from hf_audio.inference.torch_classifier import TorchAudioClassifier


def hear(stream: EventStream, sound: np.ndarray, block: int) -> list[tuple]:
    blocks = [sound[first : first + block] for first in range(0, len(sound), block)]
    return [(round(event.onset, 4), round(event.offset, 4), event.label) for event in stream.listen(blocks)]


@pytest.mark.parametrize("block", [160, 3333])
def test_they_are_those_of_the_whole_recording(checkpoint, block):
    classifier = TorchAudioClassifier(checkpoint)
    parts = ((300, 2.0), (900, 1.5), (2500, 2.2))
    sound = np.concatenate([tone(hertz, seconds, seed=hertz) for hertz, seconds in parts])
    rule = EventRule((0.5,) * 3, release=0.8, gap_seconds=0.1)
    stretches = list(frame_scores(classifier, [sound]))
    scores = np.concatenate([stretch.scores for stretch in stretches])
    expected = find_events(scores, stretches[0].frame_seconds, classifier.labels, rule)
    assert len(expected) > 1
    stream = EventStream(classifier, rule=rule)
    for _ in range(2):  # flushed, it begins anew
        found = hear(stream, sound, block)
        assert found == [(round(e.onset, 4), round(min(e.offset, len(sound) / RATE), 4), e.label) for e in expected]


class Loud(AudioClassifier):
    """Hears in each tenth of a second whether it is loud."""

    def __init__(self):
        super().__init__(Facts(("loud",), 100, 1.0, multi_label=True, frame_seconds=0.1))

    def score(self, windows):
        return np.stack([frames.max(0) for frames in self.score_frames(windows)])

    def score_frames(self, windows):
        return [abs(window[: len(window) // 10 * 10].reshape(-1, 10)).mean(1, keepdims=True) for window in windows]


def test_an_event_is_told_soon_after_its_end_and_once():
    stream, sound = EventStream(Loud()), np.zeros(1000, dtype=np.float32)
    sound[200:250], sound[970:] = 0.9, 0.9
    told = [(first / 100, event) for first in range(0, 1000, 5) for event in stream.push(sound[first : first + 5])]
    (moment, event), *others = told
    assert not others and (round(event.onset, 4), round(event.offset, 4)) == (2.0, 2.5) and moment < 3.4
    (last,) = stream.flush()
    assert (round(last.onset, 4), round(last.offset, 4)) == (9.7, 10.0)
    with pytest.raises(ArgumentError, match="finds no events"):
        EventStream(Reader())


class Reader(AudioClassifier):
    """Reads numbers."""

    def __init__(self):
        super().__init__(Facts(tuple("0123456789"), 100, num_digits=1))

    def score(self, windows):
        raise NotImplementedError
