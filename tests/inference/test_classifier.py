"""Checkpoints loaded to be used: the pipeline's answers, and one sentence for what is no checkpoint."""

import json
import shutil
import sys

import numpy as np
import pytest
import soundfile
from helpers.checkpoints import tiny_config, trained_looking_model
from helpers.recordings import RATE, speech, tone
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2ForSequenceClassification, pipeline

from hf_audio import AudioCNNFeatureExtractor
from hf_audio.errors import AudioError, CheckpointError, MissingExtraError
from hf_audio.export.golden_clips import make_golden_clips
from hf_audio.inference.checkpoint import load_classifier
from hf_audio.inference.classifier import group_by_length
from hf_audio.inference.embedder import load_embedder
from hf_audio.inference.torch_classifier import TorchAudioClassifier


def test_every_golden_clip_gets_the_pipelines_answer(checkpoint):
    classifier, classify = load_classifier(checkpoint), pipeline("audio-classification", str(checkpoint))
    clips = make_golden_clips(RATE, classifier.facts.clip_seconds)
    for name, clip in clips.items():
        for told, expected in zip(classifier(clip), classify(clip), strict=True):
            assert told["label"] == expected["label"], name
            assert told["score"] == pytest.approx(expected["score"], abs=1e-5), name


def test_files_and_arrays(tmp_path, checkpoint):
    classifier = load_classifier(checkpoint)
    soundfile.write(tmp_path / "a.wav", tone(900), RATE, subtype="FLOAT")
    assert classifier(tmp_path / "a.wav", top_k=1) == classifier(tone(900), top_k=1)
    assert len(classifier(tone(900), top_k=None)) == 3
    integers = (32768 * tone(900)).astype(np.int16)
    assert classifier(integers) == classifier(integers / 32768)
    for array, says in (
        (np.zeros((2, 5)), r"The array has the shape \(2, 5\): give \(samples,\), mono"),
        (np.zeros(0), "The array has the shape"),
        (np.array([np.nan]), "The array contains NaN"),
        (np.zeros(5, dtype=bool), "The array holds bool values"),
    ):
        with pytest.raises(AudioError, match=says):
            classifier(array)
    for top_k in (0, -1, 1.5):
        with pytest.raises(ValueError, match=f"top_k={top_k} must be a whole number, at least 1"):
            classifier(tone(900), top_k=top_k)


def test_clips_of_all_lengths_are_judged_together_as_alone(checkpoint):
    classifier = load_classifier(checkpoint)
    clips = [tone(300 + 10 * i, 0.05 * (1 + i % 7) ** 2, seed=i) for i in range(40)]
    alone = np.stack([classifier.judge([clip])[0] for clip in clips])
    np.testing.assert_allclose(classifier.judge(clips), alone, atol=1e-5)


def test_integers_are_one_to_all_runtimes(checkpoint, exported):
    sound = np.concatenate([0.02 * tone(900, 1.0), tone(900, 1.0)])  # two windows of other peaks
    expected = load_classifier(checkpoint).judge([sound])
    for name in (checkpoint, exported):
        classifier, embedder = load_classifier(name), load_embedder(name)
        for bits in (16, 32):
            whole = np.round(sound * 2.0 ** (bits - 1) * 0.999).astype(f"int{bits}")
            np.testing.assert_allclose(classifier.judge([whole]), expected, atol=1e-3)
            np.testing.assert_allclose(classifier.judge_recording(whole), expected[0], atol=1e-3)
            vector = embedder.embed_recording(sound)
            np.testing.assert_allclose(embedder.embed_recording(whole), vector, atol=1e-2 * abs(vector).max())
        int16 = np.round(sound[:RATE] * 32767).astype(np.int16)
        vectors = embedder.embed([sound[:RATE]])
        for whole in (int16, int16.astype(np.float32)):
            np.testing.assert_allclose(classifier.score([whole]), classifier.score([sound[:RATE]]), atol=1e-3)
            np.testing.assert_allclose(embedder.embed([whole]), vectors, atol=1e-2 * abs(vectors).max())
        assert classifier.judge([]).shape == (0, 3)
        for array in (np.zeros((5, 2)), np.zeros(0), np.array([np.nan] * 9)):
            with pytest.raises(AudioError, match=r"^Waveform 1 (has the shape|contains NaN)"):
                classifier.judge([sound, array])


def test_an_encoder_without_a_mask_is_not_padded(tmp_path):
    config = Wav2Vec2Config(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, conv_dim=(8,) * 7
    )
    Wav2Vec2ForSequenceClassification(config).eval().save_pretrained(tmp_path)
    Wav2Vec2FeatureExtractor().save_pretrained(tmp_path)
    classifier, classify = load_classifier(tmp_path), pipeline("audio-classification", str(tmp_path))
    clips = [tone(900, seconds, 16000) for seconds in (0.5, 1, 0.5, 0.7)]
    for scores, clip in zip(classifier.judge(clips), clips, strict=True):
        expected = {told["label"]: told["score"] for told in classify(clip)}
        assert {told["label"]: told["score"] for told in classifier.facts.name(scores)} == pytest.approx(
            expected, abs=1e-5
        )


def test_of_speech_alone_there_is_no_answer_to_silence(tmp_path):
    trained_looking_model(tiny_config(speech_only=True)).save_pretrained(tmp_path)
    AudioCNNFeatureExtractor(sampling_rate=RATE).save_pretrained(tmp_path)
    classifier, classify = load_classifier(tmp_path), pipeline("audio-classification", str(tmp_path))
    (answer,) = classifier(tone(300, 2.0))
    (expected,) = classify(tone(300, 2.0))
    assert answer == {"label": "no speech", "score": pytest.approx(expected["score"], abs=1e-5)}
    assert expected["label"] == "no speech"
    said = speech("Every winter the lake freezes.", RATE)
    for told, expected in zip(classifier(said), classify(said), strict=True):
        assert told == {"label": expected["label"], "score": pytest.approx(expected["score"], abs=1e-5)}


def test_numbers_and_tags(tmp_path):
    for name, config in {
        "numbers": {"num_digits": 3, "pooling": "attention"},
        "tags": {"problem_type": "multi_label_classification"},
    }.items():
        trained_looking_model(tiny_config(**config)).save_pretrained(tmp_path / name)
        AudioCNNFeatureExtractor(sampling_rate=RATE).save_pretrained(tmp_path / name)
        classify = pipeline("audio-classification", str(tmp_path / name))
        told, expected = load_classifier(tmp_path / name)(tone(900, 0.8)), classify(tone(900, 0.8))
        if name == "numbers":
            assert told == {"text": expected["text"], "score": pytest.approx(expected["score"], abs=1e-5)}
        else:
            assert [row["score"] for row in told] == pytest.approx([row["score"] for row in expected], abs=1e-5)


@given(lengths=st.lists(st.integers(1, 5), max_size=60), padded=st.booleans())
def test_groups_hold_every_window_once(lengths, padded):
    groups = list(group_by_length([np.zeros(length) for length in lengths], padded))
    assert sorted(place for group in groups for place in group) == list(range(len(lengths)))
    assert all(0 < len(group) <= 16 for group in groups)
    assert padded or all(len({lengths[place] for place in group}) == 1 for group in groups)


def test_what_is_no_checkpoint_is_one_sentence(tmp_path, checkpoint):
    with pytest.raises(CheckpointError, match="that can be loaded"):
        load_classifier("nobody/nothing")
    with pytest.raises(CheckpointError, match=r"holds no config\.json"):
        load_classifier(tmp_path)
    config = json.loads((checkpoint / "config.json").read_text())
    for text, says in {
        "no json": "is no configuration",
        json.dumps({**config, "model_type": None}): "has no model_type",
        json.dumps({**config, "model_type": "bert"}): "no audio classifier",
        json.dumps(config): "no audio classifier",  # without its weights
    }.items():
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(CheckpointError, match=says):
            TorchAudioClassifier(tmp_path)


def test_weights_that_are_missing_or_cut_off_are_not_made_up(tmp_path, checkpoint):
    shutil.copytree(checkpoint, tmp_path / "a")
    weights = load_file(tmp_path / "a" / "model.safetensors")
    save_file({name: w for name, w in weights.items() if name != "classifier.bias"}, tmp_path / "a/model.safetensors")
    with pytest.raises(CheckpointError, match=r"its weights lack classifier\.bias"):
        load_classifier(tmp_path / "a")
    path = tmp_path / "a" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="that can be loaded"):
        load_classifier(tmp_path / "a")


def test_a_folder_needs_packages_that_a_service_of_exported_files_lacks(checkpoint, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"needs torch and transformers: .* or give an ONNX file\.$"):
        load_classifier(checkpoint)
