"""`--only_normal`: a head fitted to normal clips, its threshold, and the folder that a run leaves."""

import json
import logging

import numpy as np
import pytest
import soundfile
from helpers.commands import load_recipe
from helpers.recordings import RATE, tone
from helpers.tiny_encoders import save_encoder
from scipy.special import expit
from sklearn.metrics import roc_auc_score
from transformers import pipeline

import hf_audio
from hf_audio.errors import ArgumentError, DataError
from hf_audio.training.heads.one_class import NormalModel, clip_borders, fit_normal
from hf_audio.training.networks.embeddings import ClipEmbeddings


def embedded(n_clips, seed=0, size=6, most=3):
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, most + 1, n_clips)
    mixing = np.random.default_rng(1).standard_normal((size, size))
    return ClipEmbeddings((rng.standard_normal((counts.sum(), size)) @ mixing).astype(np.float32), counts)


def test_a_threshold_has_the_stated_share_of_false_alarms_on_clips_that_were_not_heard():
    fitted = fit_normal(embedded(300), np.arange(300), seed=0)
    new = embedded(1000, seed=7)
    logs = np.log(fitted.model.distances(new.vectors))
    starts = np.cumsum(new.counts) - new.counts
    scores = np.add.reduceat(expit(fitted.slope * (logs - np.log(fitted.threshold))), starts) / new.counts
    assert 0.05 < (scores > 0.5).mean() < 0.15
    assert fitted.alarms <= 30 and fitted.n_folds == 5
    # Further out, the scores are higher.
    assert fitted.model.distances(3 * new.vectors).mean() > 2 * np.exp(logs).mean()
    with pytest.raises(DataError, match="9 normal clips to train on are too few"):
        fit_normal(embedded(9), np.arange(9), seed=0)


@pytest.mark.parametrize("groups", [np.arange(12), np.array([0] * 10 + [1] * 2)], ids=["by clips", "by recordings"])
def test_clips_that_are_all_alike_are_normal_and_others_are_not(groups):
    vectors = np.full((12, 6), 0.01, dtype=np.float32)
    model = fit_normal(ClipEmbeddings(vectors, np.ones(12, dtype=int)), groups, seed=0).model
    same, other = model.distances(np.stack([vectors[0], vectors[0] + 1]))
    assert np.isfinite(other) and other > 1000 * same


def test_the_border_of_a_clip_is_where_the_mean_of_its_windows_is_a_half():
    logs, counts = np.array([0.3, 1.0, 2.0, 2.5, -1.0]), np.array([1, 4])
    borders = clip_borders(logs, counts, slope=2.0)
    assert borders[0] == pytest.approx(0.3)
    assert expit(2.0 * (logs[1:] - borders[1])).mean() == pytest.approx(0.5)


def test_many_windows_are_compared_with_centers_of_theirs(monkeypatch):
    monkeypatch.setattr("hf_audio.training.heads.one_class.MOST_CENTERS", 8)
    vectors = embedded(60).vectors
    model = NormalModel.fit(vectors, seed=0)
    assert model.centers.shape == (8, 6)
    placed = (vectors - model.mean) @ model.whitening
    nearest = np.linalg.norm(placed[:, None] - model.centers, axis=-1).min(1)
    assert np.allclose(model.distances(vectors), nearest, atol=1e-6)


@pytest.fixture
def machine(tmp_path):
    """A machine in DCASE's layout: a hum in noise and, of anomalies, a whistle beside it."""
    rng = np.random.default_rng(0)

    def write(name, whistles=0.0):
        n_samples = int(0.6 * RATE)
        noise = 0.05 * rng.standard_normal(n_samples)
        hum = 0.2 * tone(200, 0.6, seed=int(rng.integers(1000)))[:n_samples]
        file = tmp_path / "fan" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(file, noise + hum + whistles * tone(1900, 0.6)[:n_samples], RATE)

    for number in range(24):
        write(f"train/section_0{number % 2}_source_train_normal_{number:04}.wav")
    for number in range(12):
        write(f"test/section_0{number % 2}_source_test_normal_{number:04}.wav")
        write(f"test/section_0{number % 2}_source_test_anomaly_{number:04}.wav", 0.1)
    return tmp_path / "fan"


@pytest.fixture
def train(monkeypatch, tmp_path):
    recipe = load_recipe("own_sounds")

    def run(name, *flags):
        argv = ["--output_dir", str(tmp_path / name), "--dataloader_num_workers", "0", "--only_normal", *flags]
        recipe.run_recipe(recipe.make_task, recipe.OwnSoundsArguments, argv, ["own_sounds"])
        return json.loads((tmp_path / name / "all_results.json").read_text())

    return run


def test_a_run_tells_anomalies_that_it_has_not_heard_and_all_doors_agree(machine, train, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    results = train("out", "--data_dir", str(machine))
    assert "24 normal training clips" in caplog.text
    assert results["eval_anomaly_auc"] > 0.95 and results["eval_detection_rate"] > 0.7
    assert results["eval_false_alarm_rate"] <= 0.5 and results["eval_anomaly_pauc_mean"] > 0.5
    low, high = results["eval_anomaly_auc_interval"]
    assert low <= results["eval_anomaly_auc"] <= high
    card = (tmp_path / "out" / "README.md").read_text()
    assert "section_01" in card and "Scores are no probabilities" in card and "normal recordings alone" in card
    answers = hf_audio.predict(tmp_path / "out", [machine / "test"], top_k=2, num_workers=0)
    scores = answers["confidence"].where(answers["label"] == "anomaly", 1 - answers["confidence"])
    truth = answers["path"].str.contains("anomaly")
    assert roc_auc_score(truth, scores) == pytest.approx(results["eval_anomaly_auc"], abs=1e-3)
    evaluation = hf_audio.evaluate(tmp_path / "out", data=machine, num_workers=0)
    for name in ("anomaly_auc", "anomaly_pauc", "anomaly_pauc_mean", "anomaly_harmonic", "false_alarm_rate"):
        assert evaluation.results[f"eval_{name}"] == pytest.approx(results[f"eval_{name}"], abs=1e-6), name
    own = pipeline("audio-classification", model=str(tmp_path / "out"))(answers["path"][0])
    assert own[0]["label"] == answers["label"][0] and own[0]["score"] == pytest.approx(
        answers["confidence"][0], abs=1e-4
    )


def test_without_anomalies_a_run_tells_its_false_alarms(machine, train, tmp_path):
    results = train("out", "--data_dir", str(machine / "train"))
    assert 0 <= results["eval_false_alarm_rate"] <= 1 and "eval_anomaly_auc" not in results
    assert results["eval_samples"] == 5 and "learnt" not in results and "confidence" not in results
    low, high = results["eval_false_alarm_rate_interval"]
    assert low <= results["eval_false_alarm_rate"] <= high


@pytest.mark.exhaustive
def test_a_trained_network_may_give_the_embeddings(checkpoint, machine, train, tmp_path, capsys):
    results = train("out", "--data_dir", str(machine), "--model_name_or_path", str(checkpoint))
    assert "eval_anomaly_auc" in results and results["parameters"] > 0
    told = json.loads((checkpoint / "config.json").read_text())
    card = (tmp_path / "out" / "README.md").read_text()
    assert f"more than {told['clip_seconds']:g} s" in card and "Chosen by the recordings" not in card
    save_encoder(tmp_path / "encoder", "wav2vec2")
    with pytest.raises(SystemExit):
        train("other", "--data_dir", str(machine), "--model_name_or_path", str(tmp_path / "encoder"))
    assert "--only_normal fits a head to an AudioCNN or to ge2e, speech or sfx" in capsys.readouterr().err


def test_what_does_not_go_together_is_one_sentence(machine):
    arguments = load_recipe("own_sounds").OwnSoundsArguments
    with pytest.raises(ArgumentError, match="leave it or --multi_label out"):
        arguments(data_dir=str(machine), only_normal=True, multi_label=True, report_to="none")
    with pytest.raises(ArgumentError, match="say where they are, with --data_dir"):
        arguments(only_normal=True, report_to="none")
