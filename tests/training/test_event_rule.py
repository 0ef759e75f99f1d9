"""Thresholds for events, fitted when a training on annotations is over."""

from pathlib import Path

import numpy as np
import torch
from helpers.checkpoints import FRAMES, tiny_config
from helpers.recordings import RATE
from helpers.trainers import trainer

from hf_audio import AudioCNNFeatureExtractor, AudioCNNForAudioClassification
from hf_audio.audio.loading import pack_samples
from hf_audio.data.annotated_recordings import AnnotatedRecording, AnnotatedRecordings, Annotation
from hf_audio.data.annotated_rows import cut_rows
from hf_audio.inference.events import EventRule
from hf_audio.training.event_rule import fit_rule
from hf_audio.training.parts import Parts


def rows(*names, n_events=12):
    """Recordings of 20 s in rows of 2 s; every third event lies in two rows."""
    events = [Annotation(1.5 * start + 0.1, 1.5 * start + 0.7, ("cat", "dog")[start % 2]) for start in range(n_events)]
    recordings = [AnnotatedRecording(Path(name), events, 20.0, {}, 20.0) for name in names]
    dataset = cut_rows(AnnotatedRecordings("x", recordings, ["cat", "dog"]), 2).dataset
    noise = np.random.default_rng(0).standard_normal((len(dataset), 2 * RATE)).astype(np.float32) / 10
    audio = [pack_samples(samples) for samples in noise]
    return dataset.add_column("audio", audio).add_column("index", list(range(len(dataset))))


def fitted(tmp_path, parts, **changes):
    torch.manual_seed(0)
    config = tiny_config(**{**FRAMES, "id2label": {0: "cat", 1: "dog"}, "num_labels": 2, **changes})
    model = AudioCNNForAudioClassification(config)
    run = trainer(tmp_path, model)
    run.processing_class = AudioCNNFeatureExtractor(sampling_rate=RATE)
    return fit_rule(run, parts), model.config.event_rule


def test_a_rule_is_fitted_to_whole_events_of_recordings_that_validate(tmp_path):
    told, rule = fitted(tmp_path, Parts(rows("a"), rows("b", "c"), {}, ["cat", "dog"]))
    assert "24 annotations of the validation recordings" in told
    assert len(EventRule.from_dict(rule).thresholds) == 2
    told, _ = fitted(tmp_path, Parts(rows("a"), rows("b", n_events=3), {}, ["cat", "dog"]))
    assert "12 annotations of the training recordings" in told


def test_a_network_that_scores_clips_alone_has_no_rule(tmp_path):
    told, rule = fitted(tmp_path, Parts(rows("a"), None, {}, ["cat", "dog"]), frame_pooling=None)
    assert told is None and rule is None
