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
from hf_audio.runs.rejection import FIT_PART, TEST_PART
from hf_audio.runs.scores import Scores, read_scores, write_scores

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


BESIDE = ["high", "low", "none of these"]


def rejecting_member(folder, margin, rate, n_windows=900, background=True, validation=False):
    """Of two classes and "none of these", fitted to a number of false alarms per hour in windows of two seconds."""
    torch.manual_seed(len(str(folder)))
    settings = tiny_config(id2label=dict(enumerate(BESIDE)), clip_seconds=2.0, rejection_margin=margin)
    AudioCNNForAudioClassification(settings).eval().save_pretrained(folder)
    AudioCNNFeatureExtractor(sampling_rate=settings.sampling_rate).save_pretrained(folder)
    generator = np.random.default_rng(len(str(folder)))

    def said(n, strangeness):
        logits = generator.normal(size=(n, 3)) + np.array([0, 0, strangeness + margin])
        references = np.full(n, 2) if strangeness > 0 else np.arange(n) % 2
        return Scores([f"{i}.wav" for i in range(n)], references, softmax(logits, axis=1).astype(np.float32))

    parts = {"test": said(12, -3)}
    if background:
        parts |= {FIT_PART: said(n_windows, 2), TEST_PART: said(n_windows, 2)}
    if validation:
        parts["validation"] = said(40, -3)
    write_scores(folder, parts)
    results = {"task": TASK, "train_samples": 20, "skipped_samples": 0, "labels": BESIDE, "train_runtime": 60.0}
    (folder / "all_results.json").write_text(json.dumps(results))
    asked = {"background": "place", "false_alarms_per_hour": rate}
    (folder / "training_args.json").write_text(json.dumps(asked))
    return folder


def false_alarms_per_hour(folders, ensemble, part):
    """Of the mean of what members have said of windows of two seconds."""
    parts = [read_scores(folder)[part] for folder in folders]
    config = AudioEnsembleConfig.from_pretrained(ensemble)
    return (average(parts, config).argmax(1) != 2).sum() / (len(parts[0].paths) * 2 / 3600), config


def test_the_mean_has_a_margin_of_its_own_fitted_to_background_that_no_member_has_learnt(tmp_path, caplog):
    members = [rejecting_member(tmp_path / "a", 1.0, 20), rejecting_member(tmp_path / "bb", -0.5, 20)]
    results = make_ensemble(members, tmp_path / "both")
    fitted, config = false_alarms_per_hour(members, tmp_path / "both", FIT_PART)
    assert fitted == 20, "of the mean, as it was asked of each member"
    assert "0.5 hours of background that every member held out, for 20 false alarms per hour" in results["chosen"]
    held_out, _ = false_alarms_per_hour(members, tmp_path / "both", TEST_PART)
    assert results["eval_false_alarms_per_hour"] == pytest.approx(held_out)
    assert 0.5 < results["eval_rejection_auroc"] <= 1
    card = (tmp_path / "both" / "README.md").read_text()
    assert f"| {config.rejection_margin:.2f} (as it is)" in card and "rejection.png" in card
    assert (tmp_path / "both" / "rejection.png").is_file() and not caplog.records
    # The network itself answers with it, and loses it with the label that it is of.
    network = AutoModelForAudioClassification.from_pretrained(tmp_path / "both")
    waveform = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 16000)).astype(np.float32))
    with torch.no_grad():
        own = network(waveform).logits
        network.config.rejection_margin = 0.0
        plain = network(waveform).logits
    assert (own - plain)[0].numpy() == pytest.approx([0, 0, config.rejection_margin], abs=1e-5)
    renamed = AudioEnsembleConfig.from_pretrained(tmp_path / "both", id2label=dict(enumerate(NAMES)))
    assert renamed.rejection_margin == 0


def test_without_a_stated_number_the_margin_of_the_mean_costs_no_validation_clip(tmp_path, caplog):
    members = [rejecting_member(tmp_path / name, 4.0, None, validation=True) for name in ("a", "bb")]
    results = make_ensemble(members, tmp_path / "both")
    assert "is fitted to 40 validation clips" in results["chosen"] and not caplog.records
    config = AudioEnsembleConfig.from_pretrained(tmp_path / "both")
    parts = [read_scores(folder)["validation"] for folder in members]
    told, references = average(parts, config), parts[0].references
    assert (told.argmax(1) == references).sum() == (told[:, :2].argmax(1) == references).sum()
    assert config.rejection_margin < 0, "as that of the members costs most of these clips"


@pytest.mark.parametrize(
    ("second", "lacking"),
    [
        ({"rate": 20, "background": False}, "no window of one background was held out from the training of every"),
        ({"rate": 2}, "the members were not all fitted to the same number of false alarms"),
        ({"rate": None}, "the members were not all fitted to the same number of false alarms"),
    ],
)
def test_a_mean_without_a_margin_of_its_own_says_so(tmp_path, caplog, second, lacking):
    members = [rejecting_member(tmp_path / "a", 1.0, 20), rejecting_member(tmp_path / "bb", 1.0, **second)]
    results = make_ensemble(members, tmp_path / "both")
    assert lacking in results["chosen"] and lacking in caplog.text
    assert AudioEnsembleConfig.from_pretrained(tmp_path / "both").rejection_margin == 0


def test_windows_of_another_background_fit_nothing(tmp_path, caplog):
    members = [rejecting_member(tmp_path / name, 1.0, 20) for name in ("a", "bb")]
    (members[1] / "training_args.json").write_text('{"background": "elsewhere", "false_alarms_per_hour": 20}')
    results = make_ensemble(members, tmp_path / "both")
    assert "No margin" in results["chosen"] and "eval_false_alarms_per_hour" not in results


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
