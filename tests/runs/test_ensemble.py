"""Ensembles: the mean of what their members say, as one checkpoint."""

import json

import numpy as np
import pytest
import torch
from helpers.checkpoints import tiny_config
from scipy.special import softmax
from transformers import AutoModelForAudioClassification, pipeline

from hf_audio import AudioCNNFeatureExtractor, AudioCNNForAudioClassification, AudioEnsembleConfig
from hf_audio.audio.windows import split_windows
from hf_audio.errors import ArgumentError
from hf_audio.models import AudioEncoderConfig, AudioEncoderForAudioClassification
from hf_audio.models.modeling_audio_ensemble import windows_of
from hf_audio.runs.ensemble import average, choose_mean, make_ensemble
from hf_audio.runs.scores import Scores, write_scores

NAMES = ["high", "low", "mid"]
TASK = {
    "title": "Tones",
    "hears": "Tones.",
    "dataset_name": "Tones",
    "dataset_type": "tones",
    "data": "Made here.",
    "split": "Held out.",
    "limits": ["Sines only."],
    "language": [],
    "license": "apache-2.0",
    "tags": [],
}


def scores(n: int, seed: int, right: float = 0.0) -> Scores:
    """Of a member: the better, the larger `right` is."""
    generator = np.random.default_rng(seed)
    references = np.arange(n) % 3
    logits = generator.normal(size=(n, 3)) + right * np.eye(3)[references]
    return Scores([f"{i}.wav" for i in range(n)], references, softmax(logits, axis=1).astype(np.float32))


def member(folder, validation=True, paths=None, **config):
    """A finished folder as recipes leave it, of a random network."""
    torch.manual_seed(len(str(folder)))
    settings = tiny_config(id2label=dict(enumerate(NAMES)), **config)
    AudioCNNForAudioClassification(settings).eval().save_pretrained(folder)
    AudioCNNFeatureExtractor(sampling_rate=settings.sampling_rate).save_pretrained(folder)
    parts = {"test": scores(12, seed=1)}
    if paths is not None:
        parts["test"].paths = paths
    if validation:
        parts["validation"] = scores(30, seed=2, right=2)
    write_scores(folder, parts)
    results = {"task": TASK, "train_samples": 20, "skipped_samples": 0, "labels": NAMES}
    results |= {"train_runtime": 60.0, "pretrain_runtime": 21.0}
    (folder / "all_results.json").write_text(json.dumps(results))
    return folder


@pytest.mark.parametrize("mean", AudioEnsembleConfig.means)
def test_its_answer_is_the_mean_of_its_members_answers(tmp_path, mean):
    members = [
        member(tmp_path / "a", sampling_rate=8000, clip_seconds=1.0),
        member(tmp_path / "longer", sampling_rate=8000, clip_seconds=2.5, hop_length=100),
    ]
    make_ensemble(members, tmp_path / "both")
    ensemble = AutoModelForAudioClassification.from_pretrained(tmp_path / "both")
    ensemble.config.mean = mean
    clip = {"array": np.random.default_rng(0).standard_normal(19_000).astype(np.float32) * 0.1, "sampling_rate": 8000}
    said = []
    for folder in members:
        answer = pipeline("audio-classification", model=str(folder), top_k=None)(dict(clip))
        said.append([next(told["score"] for told in answer if told["label"] == name) for name in NAMES])
    weights = np.array(ensemble.config.weights)
    expected = weights @ np.array(said) if mean == "arithmetic" else softmax(weights @ np.log(said))
    extractor = AudioCNNFeatureExtractor.from_pretrained(tmp_path / "both")
    answer = pipeline("audio-classification", model=ensemble, feature_extractor=extractor, top_k=None)(dict(clip))
    told = [next(row["score"] for row in answer if row["label"] == name) for name in NAMES]
    np.testing.assert_allclose(told, expected, atol=1e-5)


@pytest.mark.parametrize("second", ["16000", "speech"])
def test_members_hear_at_their_own_rates(second, tmp_path):
    members = [member(tmp_path / "8000", validation=False, sampling_rate=8000)]
    members.append(member(tmp_path / second, validation=False, sampling_rate=16000))
    if second == "speech":  # the head of an encoder that a package brings
        config = AudioEncoderConfig(encoder=second, id2label=dict(enumerate(NAMES)), clip_seconds=1.0)
        AudioEncoderForAudioClassification(config).eval().save_pretrained(members[1])
    make_ensemble(members, tmp_path / "both")
    time = np.arange(16000) / 16000
    tone = {"array": np.sin(2 * np.pi * 440 * time).astype(np.float32), "sampling_rate": 16000}
    alone = [pipeline("audio-classification", model=str(folder), top_k=None)(dict(tone)) for folder in members]
    both = pipeline("audio-classification", model=str(tmp_path / "both"), top_k=None)(dict(tone))
    said = [np.mean([row["score"] for answer in alone for row in answer if row["label"] == name]) for name in NAMES]
    told = [next(row["score"] for row in both if row["label"] == name) for name in NAMES]
    np.testing.assert_allclose(told, said, atol=2e-3)  # two ways of resampling


@pytest.mark.parametrize(("overlap", "step"), [(0.0, 20), (0.5, 10), (0.25, 15)])
def test_windows_are_those_of_the_pipeline(overlap, step):
    clips = [np.arange(1, n + 1, dtype=np.float32) for n in (5, 20, 21, 47, 60)]
    batch = torch.zeros(len(clips), 60)
    for row, clip in zip(batch, clips, strict=True):
        row[: len(clip)] = torch.from_numpy(clip)
    lengths = torch.tensor([len(clip) for clip in clips])
    windows, signal, needed = windows_of(batch, lengths, 20, step)
    for i, clip in enumerate(clips):
        expected = split_windows(clip, 20, overlap)
        assert needed[i].sum() == len(expected)
        for window, n, truth in zip(windows[i][needed[i]], signal[i][needed[i]], expected, strict=True):
            assert window[:n].tolist() == truth.tolist()


def test_a_member_that_knows_nothing_gets_no_weight():
    good, bad = scores(300, 1, right=3), scores(300, 2)
    config = AudioEnsembleConfig(members=[{}, {}], weights=[0.5, 0.5])
    mean, weights = choose_mean([good, bad], config)
    assert weights[0] > 0.8 and sum(weights) == pytest.approx(1)
    config = AudioEnsembleConfig(members=[{}, {}], weights=weights, mean=mean)
    assert average([good, bad], config).sum(1) == pytest.approx(np.ones(300))


def test_a_handful_of_clips_hardly_moves_the_weights():
    config = AudioEnsembleConfig(members=[{}, {}], weights=[0.5, 0.5])
    few = choose_mean([scores(4, 1, right=3), scores(4, 2)], config)[1]
    many = choose_mean([scores(300, 1, right=3), scores(300, 2)], config)[1]
    assert 0.5 < few[0] < 0.7 < many[0]


def test_without_common_validation_clips_members_weigh_the_same(tmp_path):
    members = [member(tmp_path / "a"), member(tmp_path / "b", validation=False)]
    results = make_ensemble(members, tmp_path / "both")
    assert results["weights"] == [0.5, 0.5] and "no clip validated every one" in results["chosen"]
    card = (tmp_path / "both" / "README.md").read_text()
    assert "2.7 minutes" in card, "of all trainings, a member's pretraining too"
    assert "| Member 2 | weight 0.50" in card and "Mean average precision" not in card  # of three classes
    assert json.loads((tmp_path / "both" / "all_results.json").read_text())["eval_samples"] == 12


def test_what_is_no_ensemble_is_one_sentence(tmp_path):
    a, b = member(tmp_path / "a"), member(tmp_path / "b", paths=[f"x{i}.wav" for i in range(12)])
    other = member(tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    config["id2label"]["0"] = "bass"
    (other / "config.json").write_text(json.dumps(config))
    for folders, sentence in [
        ([a], "An ensemble has two members or more"),
        ([a, tmp_path / "gone"], "gone holds no finished run"),
        ([a, b], "b was tested on other clips than .*a: give runs of one split"),
        ([a, other], "other knows other classes than .*a: give runs of one task"),
    ]:
        with pytest.raises(ArgumentError, match=sentence):
            make_ensemble(folders, tmp_path / "out")
    with pytest.raises(ArgumentError, match="already holds files"):
        make_ensemble([a, a], tmp_path / "a")
