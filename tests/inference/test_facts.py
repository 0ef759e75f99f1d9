"""The facts of a checkpoint: where they come from, and what follows from them."""

import dataclasses
import json
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from helpers.checkpoints import tiny_config
from helpers.recordings import REPOSITORY, speech
from hypothesis import given
from hypothesis import strategies as st
from transformers import ASTConfig

from hf_audio.audio.windows import split_windows
from hf_audio.errors import ArgumentError, AudioError, CheckpointError
from hf_audio.inference.events import EventRule
from hf_audio.inference.facts import Facts, RunningMean
from hf_audio.inference.frames import FrameWindows
from hf_audio.models.configuration_audio_cnn import NONE_OF_THESE
from hf_audio.models.modeling_audio_cnn import probabilities

NAMES = {0: "low", 1: "high"}
FACTS = Facts(("low", "high"), 100, clip_seconds=1.0)


def test_they_come_from_a_config_and_pass_through_a_files_metadata():
    rule = EventRule((0.4, 0.6), release=0.75, min_seconds=0.1)
    config = tiny_config(
        num_labels=2, id2label=NAMES, overlap=0.25, speech_only=True, problem_type="multi_label_classification"
    )
    config.event_rule = rule.to_dict()
    facts = Facts.from_config(type(config).from_dict(config.to_dict()), 8000)
    assert facts == Facts(
        ("low", "high"), 8000, 1.0, multi_label=True, speech_only=True, overlap=0.25, event_rule=rule
    )
    assert type(config).from_dict(config.to_dict(), id2label={0: "high", 1: "low"}).event_rule is None
    assert type(config).from_dict(config.to_dict(), num_labels=3).event_rule is None
    metadata = {name: json.dumps(value) for name, value in facts.to_dict().items()}
    assert Facts.from_metadata({**metadata, "int8_bound": "0.1", "of a later version": "{"}) == facts
    assert Facts.from_config(tiny_config(num_digits=2), 8000).num_digits == 2
    encoder = Facts.from_config(ASTConfig(id2label=NAMES, label2id={v: k for k, v in NAMES.items()}), 16000)
    assert encoder == Facts(("low", "high"), 16000)


def test_an_older_file_without_a_newer_key_is_read():
    older = {"labels": '["low", "high"]', "sampling_rate": "100", "clip_seconds": "1.0"}
    assert Facts.from_metadata(older) == FACTS
    with pytest.raises(TypeError):
        Facts.from_metadata({"labels": '["low"]'})


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": []},
        {"labels": [None, "low"]},
        {"labels": "low"},
        {"sampling_rate": 0},
        {"sampling_rate": 10**9},
        {"sampling_rate": "x"},
        {"clip_seconds": 0.0},
        {"clip_seconds": -1.0},
        {"clip_seconds": 1e9},
        {"clip_seconds": float("nan")},
        {"clip_seconds": "x"},
        {"overlap": 1.0},
        {"overlap": float("nan")},
        {"num_digits": 7},
        {"multi_label": "x"},
    ],
)
def test_facts_of_no_checkpoint_are_one_sentence(changes):
    with pytest.raises(CheckpointError, match=rf"^{next(iter(changes))}=.*\.$|^Label 0 is None and must be a name\.$"):
        Facts(**{**FACTS.to_dict(), **changes})


def test_labels_that_are_numbers_are_text():
    assert Facts([0, 1.5], 100).labels == ("0", "1.5")


def test_what_is_not_finite_is_no_answer():
    for scores in ([np.nan, 0.5], [0.5, np.inf]):
        with pytest.raises(AudioError, match=r"scores are not finite: .*too loud"):
            FACTS.name(np.array(scores))


def test_they_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        FACTS.overlap = 0.5
    assert hash(Facts(["low", "high"], 100, 1.0)) == hash(FACTS)


def test_they_load_neither_torch_nor_transformers():
    code = "import sys, hf_audio.inference.facts; print({'torch', 'transformers', 'soundfile'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, cwd=REPOSITORY)
    assert done.stdout.strip() == "set()", done.stderr


@given(n_samples=st.integers(1, 500), overlap=st.sampled_from([0.0, 0.5, 0.9]), blocks=st.lists(st.integers(0, 99)))
def test_a_recording_is_cut_alike_in_blocks_and_whole(n_samples, overlap, blocks):
    waveform = np.arange(n_samples, dtype=np.float32)
    parts = np.split(waveform, np.minimum(np.cumsum(blocks, dtype=int), n_samples))
    for facts in (
        dataclasses.replace(FACTS, overlap=overlap),
        dataclasses.replace(FACTS, clip_seconds=None),
        dataclasses.replace(FACTS, labels=tuple("0123456789"), num_digits=1),
    ):
        windows = facts.cut(waveform)
        expected = [waveform] if facts.window is None else split_windows(waveform, 100, overlap)
        assert [window.tolist() for window in windows] == [window.tolist() for window in expected]
        pairs = list(facts.cut_blocks(parts))
        assert [samples.tolist() for _, samples in pairs] == [window.tolist() for window in windows]
        assert [start for start, _ in pairs] == [window[0] for window in windows]


@pytest.mark.parametrize("kind", [{}, {"problem_type": "multi_label_classification"}, {"num_digits": 3}], ids=str)
def test_probabilities_are_the_models(kind):
    config = tiny_config(**kind)
    logits = torch.randn(5, config.num_labels, generator=torch.Generator().manual_seed(0)) * 60
    ours = Facts.from_config(config, 8000).probabilities(logits.numpy())
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, probabilities(logits, config), atol=1e-6)


def test_windows_scores_are_reduced_to_their_mean():
    rows = np.random.default_rng(0).random((40_000, 2), dtype=np.float32)
    np.testing.assert_allclose(FACTS.reduce(rows), rows.astype(np.float64).mean(0), rtol=1e-12)
    mean = RunningMean()
    for part in np.split(rows, [1, 7, 30_000]):
        mean.add(part)
    np.testing.assert_allclose(mean.value, FACTS.reduce(rows), rtol=1e-12)


def test_answers_name_the_best_labels_or_the_number_that_was_read():
    assert FACTS.name(np.array([0.25, 0.75])) == [{"score": 0.75, "label": "high"}, {"score": 0.25, "label": "low"}]
    assert FACTS.name(np.array([0.25, 0.75]), top_k=1) == [{"score": 0.75, "label": "high"}]
    digits = Facts.from_config(tiny_config(num_digits=3), 8000)
    for read, text in (([0, 0, 0], "0"), ([0, 0, 7], "7"), ([0, 3, 0], "30"), ([1, 0, 0], "100")):
        scores = (0.8 * np.eye(10)[read] + 0.02).ravel()
        assert digits.name(scores) == {"text": text, "score": pytest.approx(0.82**3)}
    heard = np.eye(10)[[1, 0, 0]].ravel()
    assert digits.name(0.7 * heard + 0.03)["text"] == "100"
    assert digits.name(0.3 * heard + 0.07) == {"text": NONE_OF_THESE, "score": pytest.approx(0.7)}


def test_of_speech_alone_only_speech_is_scored():
    facts = Facts(("low", "high"), 8000, speech_only=True)
    sentence = speech("Every winter the lake freezes.", 8000)
    padded = np.concatenate([np.zeros(8000, np.float32), sentence])
    spoken, silence = facts.keep_speech(padded)
    assert silence is None and len(spoken) < len(sentence) + 2000
    noise = 0.01 * np.random.default_rng(0).standard_normal(8000).astype(np.float32)
    spoken, silence = facts.keep_speech(noise)
    assert len(spoken) == 8000 and 0 <= silence < 0.5
    (answer,) = facts.name(facts.reduce((), silence))
    assert answer == {"label": "no speech", "score": pytest.approx(1 - silence)}
    assert FACTS.keep_speech(noise)[0] is noise
    each = facts.reduce_each([noise, sentence], np.array([[0.3, 0.7], [0.6, 0.4]]))
    assert facts.name(each[0])[0]["label"] == "no speech" and each[1].tolist() == [0.6, 0.4]


def test_windows_over_time_last_half_a_window_and_more_than_nothing():
    assert FACTS.stream_windows() == (100, 50)
    assert FACTS.stream_windows(hop_seconds=0.2) == (100, 20)
    assert Facts(("a",), 100).stream_windows() == (300, 150)
    for seconds in (0.001, 0, -1, math.nan, math.inf):
        for name in ("window_seconds", "hop_seconds"):
            with pytest.raises(
                ArgumentError, match=rf"^{name}={seconds} must last a sample at least, which is 0\.01 s"
            ):
                FACTS.stream_windows(**{name: seconds})
        with pytest.raises(ArgumentError, match=r"^hop_seconds="):
            FrameWindows.of(FACTS, seconds)


def test_of_normal_recordings_alone_the_anomaly_is_what_is_heard():
    facts = Facts(("normal", "anomaly"), 8000, 1.0)
    assert not facts.names_every_noise and Facts(("normal", "murmur"), 8000, 1.0).names_every_noise
    best = facts.running("max")
    best.add(np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]]))
    assert best.value == pytest.approx([0.2, 0.8])  # of the strangest window
