"""Annotated recordings through a checkpoint, of which the scores are given."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hf_audio.data.annotations.annotated_recordings import AnnotatedRecording, Annotation
from hf_audio.evaluation import recordings
from hf_audio.evaluation.events import Collars
from hf_audio.evaluation.recordings import EventData, judge_recordings
from hf_audio.inference.events import EventRule
from hf_audio.inference.frames import FrameScores

FRAME = 0.1


def judge(monkeypatch, recording, scores):
    """(frames, labels) scores of cat and dog, judged by the annotations of a recording."""
    classifier = SimpleNamespace(facts=SimpleNamespace(labels=("cat", "dog")), sampling_rate=1000)
    monkeypatch.setattr(recordings, "stream_audio", lambda *_: [])
    monkeypatch.setattr(recordings, "frame_scores", lambda *_: [FrameScores(0.0, FRAME, scores)])
    data = EventData("x", [recording], ["cat", "dog"], {})
    judged, _ = judge_recordings(classifier, data, EventRule.usual(2), Collars())
    return judged


def test_what_is_found_where_an_annotation_has_no_label_is_not_false(monkeypatch):
    scores = np.zeros((100, 2), dtype=np.float32)
    scores[20:30, 0] = scores[55:65, 0] = scores[50:60, 1] = 0.9
    dog = Annotation(5.0, 6.0, "dog")
    recording = AnnotatedRecording(Path("a.wav"), [dog], 10.0, complete_until=10.0, unlabelled=[(2, 3), (5.5, 6.5)])

    judged = judge(monkeypatch, recording, scores.copy())
    assert [event[:3] for event in judged.found[0]] == [pytest.approx((5.0, 6.0, "dog"))]
    assert judged.metrics()["event_f1_micro"] == 1

    recording.unlabelled = []
    assert [event.label for event in judge(monkeypatch, recording, scores.copy()).found[0]] == ["cat", "dog", "cat"]
