"""Thresholds of events, fitted at the end of a training."""

import numpy as np
import pytest
from datasets import Dataset
from helpers.checkpoints import FRAMES, tiny_config, trained_looking_model
from helpers.recordings import RATE, tone

from hf_audio import AudioCNNFeatureExtractor
from hf_audio.audio.packing import to_int16
from hf_audio.data.annotations.annotated_recordings import Annotation
from hf_audio.inference.events import EventRule, fit_event_rule
from hf_audio.inference.facts import Facts
from hf_audio.inference.frames import frame_scores
from hf_audio.inference.torch_classifier import TorchAudioClassifier
from hf_audio.inference.torch_network import TorchNetwork
from hf_audio.training.judgement.event_fit import fit_rule_to_rows, mean_rule


def test_rows_that_follow_on_each_other_are_heard_as_the_recording_that_they_are():
    names = {"id2label": {0: "low", 1: "mid", 2: "high"}, "label2id": {"low": 0, "mid": 1, "high": 2}}
    model = trained_looking_model(tiny_config(**names, **FRAMES))
    extractor = AudioCNNFeatureExtractor(sampling_rate=RATE)
    sound = np.concatenate([tone(hertz, 1.0, seed=hertz) for hertz in (300, 900, 2500, 500, 2000, 350)])
    events = [(float(n), n + 1.0, label) for n, label in enumerate((0, 1, 2, 0, 2, 0))]
    parts = [(0.0, 2.5), (2.5, 5.0), (5.0, 6.0)]
    rows = [
        {
            "path": "a.wav",
            "start": start,
            "end": end,
            "audio": to_int16(sound[round(start * RATE) : round(end * RATE)]).tobytes(),
            "events": [
                [max(on - start, 0.0), min(off, end) - start, float(label)]
                for on, off, label in events
                if on < end and off > start
            ],
            "complete": end - start,
        }
        for start, end in parts
    ]
    unknown = {**rows[0], "path": "b.wav", "complete": 0.0}  # nothing is known of it
    clips = Dataset.from_list([rows[2], unknown, rows[0], rows[1]])
    found = fit_rule_to_rows(model, extractor, clips)
    facts = Facts.from_config(model.config, RATE)
    heard = to_int16(sound).astype(np.float32) / 32768
    stretches = list(frame_scores(TorchAudioClassifier(TorchNetwork(model, extractor, facts)), [heard]))
    scores = np.concatenate([stretch.scores for stretch in stretches])
    truth = [Annotation(onset, offset, facts.labels[label]) for onset, offset, label in events]
    expected = fit_event_rule([(scores, truth)], facts.labels, stretches[0].frame_seconds)
    assert found is not None and EventRule.from_dict(found) == expected
    assert fit_rule_to_rows(model, extractor, clips.select([0])) is None  # of one event
    assert fit_rule_to_rows(model, extractor, clips.remove_columns("events")) is None


def test_networks_have_a_rule_in_the_mean():
    rules = [EventRule((low, 0.5), release, 0.1, 0.2).to_dict() for low, release in ((0.2, 0.5), (0.4, 0.5))]
    rule = mean_rule(rules)
    assert rule is not None and rule["thresholds"] == pytest.approx([0.3, 0.5]) and rule["release"] == 0.5
    assert mean_rule([rules[0], None]) is None and mean_rule([]) is None
