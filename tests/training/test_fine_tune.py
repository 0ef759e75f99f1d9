"""From data to a finished folder, started as users start it: what it leaves, and what a kill, a second process or bad
input do to it."""

import csv
import json
import re
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from datasets import Dataset
from helpers import tones as tones_recipe
from helpers.checkpoints import results, tiny_config, weights
from helpers.commands import command, fork_recipe, fork_two, refused, run, torchrun
from helpers.fake_hub import FakeHub
from helpers.recordings import RATE, tone, write_tones
from huggingface_hub import ModelCard
from sklearn.metrics import accuracy_score, f1_score
from transformers import pipeline

from hf_audio.arguments import RecipeArguments
from hf_audio.data.rows import UNVERIFIED_COLUMN, from_tagged_rows
from hf_audio.runs.folder.checkpoints import last_checkpoint
from hf_audio.runs.scores import read_scores
from hf_audio.training.fine_tune import fine_tune
from hf_audio.training.start import run_recipe
from hf_audio.training.task import Task

pytestmark = pytest.mark.slow  # nearly all of them train

FINISHED_FLAGS = ("--ema_decay", "0.8", "--mixup_alpha", "0.2", "--refresh_epochs", "3")


@pytest.fixture(scope="module")
def finished(tones, environment, tmp_path_factory):
    """The folder of an uninterrupted run with everything on."""
    out = tmp_path_factory.mktemp("runs") / "finished"
    code, output = run(environment, tones, out, *FINISHED_FLAGS)
    assert code == 0, output
    return out


def test_a_run_leaves_the_promised_files(finished):
    names = {path.name for path in finished.iterdir()}
    assert {"config.json", "model.safetensors", "preprocessor_config.json", "README.md"} <= names
    assert {"all_results.json", "predictions.csv", "per_class.csv", "training_args.json"} <= names
    assert {"training_curves.png", "confusion_matrix.png", "modeling_audio_cnn.py"} <= names
    assert not [name for name in names if name.startswith(".") or "skipped" in name]
    assert list(finished.glob("runs/*/events*")), "TensorBoard has nothing to show"
    for picture in finished.glob("*.png"):
        assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size > 5000


def test_results_follow_from_the_predictions(finished):
    with open(finished / "predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    labels, predictions = [row["label"] for row in rows], [row["prediction"] for row in rows]
    told = results(finished)
    assert told["eval_samples"] == len(rows) == 9 and told["train_samples"] == 27
    assert told["eval_accuracy"] == pytest.approx(accuracy_score(labels, predictions))
    assert told["eval_f1_macro"] == pytest.approx(f1_score(labels, predictions, average="macro"))
    assert told["eval_accuracy"] > 0.7, "three tones apart should be learnt"
    low, high = told["eval_accuracy_interval"]
    assert low < told["eval_accuracy"] <= high
    assert told["learnt"] and told["eval_majority_accuracy"] == pytest.approx(1 / 3)
    with open(finished / "predictions_rival.csv", newline="") as file:
        rivals = list(csv.DictReader(file))
    assert [row["path"] for row in rivals] == [row["path"] for row in rows]
    right = accuracy_score([row["label"] for row in rivals], [row["prediction"] for row in rivals])
    assert told["eval_rival_accuracy"] == pytest.approx(right)
    assert told["parameters"] == sum(value.numel() for name, value in weights(finished).items() if is_parameter(name))


def is_parameter(name: str) -> bool:
    return "running_" not in name and "num_batches" not in name


def test_pipeline_says_what_the_predictions_say(finished, tones):
    classify = pipeline("audio-classification", model=str(finished))
    with open(finished / "predictions.csv", newline="") as file:
        for row in csv.DictReader(file):
            best = classify(str(tones / row["path"]), top_k=1)[0]
            assert best["label"] == row["prediction"]
            assert best["score"] == pytest.approx(float(row["score"]), abs=1e-3)


def test_the_card_is_one_the_hub_understands(finished):
    card = ModelCard.load(finished / "README.md")
    assert card.data.pipeline_tag == "audio-classification" and card.data.library_name == "transformers"
    told = {result.metric_type: result.metric_value for result in card.data.eval_results}
    assert told["accuracy"] == pytest.approx(results(finished)["eval_accuracy"], abs=1e-4)
    for words in (
        "A sine tone",
        "pipeline(",
        "95 % interval",
        "Multiply-accumulates",
        "Every fourth clip",
        "but sines",
    ):
        assert words in card.text
    assert "tones.py" in card.text and str(finished.parent) not in card.text


def test_the_same_seed_gives_the_same_weights_however_many_workers(finished, tones, environment, tmp_path):
    flags = [*FINISHED_FLAGS, "--dataloader_num_workers", "3"]
    stale = tmp_path / "again" / ".augmented"  # as a killed run of another seed leaves it
    stale.mkdir(parents=True)
    for index in range(36):
        (stale / f"{index}-0").write_bytes(np.ones(4000, "<i2").tobytes())
    code, output = run(environment, tones, tmp_path / "again", *flags)
    assert code == 0, output
    torch.testing.assert_close(weights(tmp_path / "again"), weights(finished), atol=0, rtol=0)


def kill_at_a_checkpoint(*arguments, environment) -> None:
    """Start a run, by `command`'s arguments, and kill it as soon as there is something to go on with."""
    process = fork_recipe(*arguments, environment=environment)
    deadline = time.time() + 120
    # Not as soon as the checkpoint's last file is there: until it is written whole, there is nothing to go on with.
    while last_checkpoint(arguments[1]) is None and process.is_alive() and time.time() < deadline:
        time.sleep(0.002)
    process.kill()
    process.join()


def test_killed_and_resumed_it_ends_with_the_same_weights(finished, tones, environment, run_here, tmp_path):
    out = tmp_path / "killed"
    flags = [*FINISHED_FLAGS, "--save_strategy", "steps", "--save_steps", "4"]
    kill_at_a_checkpoint(tones, out, *flags, environment=environment)
    assert not (out / "all_results.json").exists() and not (out / "model.safetensors").exists()
    code, output = run_here(tones, out, *flags)
    assert code == 2 and "--resume_from_checkpoint last" in output
    # 3 steps an epoch: step 4 lies within the second epoch.
    code, output = run_here(tones, out, *flags, "--resume_from_checkpoint", "last")
    assert code == 0, output
    torch.testing.assert_close(weights(out), weights(finished), atol=0, rtol=0)


def test_what_is_resumed_must_be_what_was_begun(tones, run_here, tmp_path):
    begun, flags = tmp_path / "begun", ("--num_train_epochs", "2", "--report_to", "none")
    data = shutil.copytree(tones, tmp_path / "tones")
    assert run_here(data, begun, *flags)[0] == 0
    (begun / "all_results.json").unlink()
    resume = (*flags, "--resume_from_checkpoint", "last")

    def refused_by(*more) -> str:
        before = sorted(path.name for path in begun.iterdir())
        code, said = run_here(data, begun, *resume, *more)
        assert code == 2 and sorted(path.name for path in begun.iterdir()) == before
        return said

    assert "trained with --learning_rate 0.01, not 0.5" in refused_by("--learning_rate", "0.5")
    assert "--per_device_train_batch_size 8, not 3" in refused_by("--per_device_train_batch_size", "3")
    assert "--num_train_epochs 2.0, not 1.0" in refused_by("--num_train_epochs", "1")
    (data / "low").rename(data / "very low")
    assert "has 'high' as class 1" not in (said := refused_by()) and "'low' as class 2" in said
    (data / "very low").rename(data / "low")
    shutil.copytree(data / "low", data / "new")
    assert "has 3 classes, and the recordings 4" in refused_by()
    shutil.rmtree(data / "new")
    shutil.copy(data / "low" / "0.wav", data / "low" / "another.wav")
    assert "trained on other recordings" in refused_by()
    (data / "low" / "another.wav").unlink()
    (next(begun.glob("checkpoint-*")) / "optimizer.pt").rename(tmp_path / "optimizer.pt")
    assert "weights without their optimiser" in refused_by()
    shutil.move(tmp_path / "optimizer.pt", next(begun.glob("checkpoint-*")))
    # What changes nothing may differ, and a longer training says so.
    code, said = run_here(data, begun, *resume, "--num_train_epochs", "3", "--save_total_limit", "2")
    assert code == 0, said
    assert "its first part had the learning rates of 6 steps, and not of 9" in (begun / "README.md").read_text()


def test_a_training_that_diverges_ends_in_a_sentence_and_leaves_no_network(tones, run_here, tmp_path):
    out = tmp_path / "out"
    code, said = run_here(tones, out, "--num_train_epochs", "40", "--learning_rate", "1e6", "--report_to", "none")
    assert code == 2 and "Training has diverged after" in said and "--learning_rate below 1e+06" in said
    assert not {"all_results.json", "model.safetensors", "README.md"} & {path.name for path in out.iterdir()}
    for checkpoint in out.glob("checkpoint-*"):
        assert all(np.isfinite(value.numpy()).all() for value in weights(checkpoint).values())


@pytest.mark.parametrize("start", [fork_two, pytest.param(torchrun, marks=pytest.mark.exhaustive)])
def test_two_processes_train_and_judge_like_one(start, tones, environment, run_here, tmp_path):
    flags = ["--num_train_epochs", "4", "--per_device_train_batch_size", "8"]
    code, output = run_here(tones, tmp_path / "one", *flags)
    assert code == 0, output
    flags = ["--num_train_epochs", "4", "--per_device_train_batch_size", "4", "--per_device_eval_batch_size", "2"]
    start(environment, tones, tmp_path / "two", *flags)
    torch.testing.assert_close(weights(tmp_path / "two"), weights(tmp_path / "one"), atol=2e-3, rtol=1e-2)
    one, two = results(tmp_path / "one"), results(tmp_path / "two")
    for key in ("eval_accuracy", "eval_f1_macro", "eval_samples", "train_samples"):
        assert one[key] == two[key]
    assert two["eval_loss"] == pytest.approx(one["eval_loss"], rel=0.02)
    assert two["train_loss"] == pytest.approx(one["train_loss"], rel=0.02)


def test_the_best_epoch_by_validation_is_kept_and_training_stops_early(tones, run_here, tmp_path):
    flags = ["--validation_fraction", "0.2", "--early_stopping_patience", "2", "--num_train_epochs", "30"]
    code, output = run_here(tones, tmp_path / "out", *flags, "--ema_decay", "0.5")
    assert code == 0, output
    told = results(tmp_path / "out")
    assert told["epoch"] < 30 and told["train_samples"] < 27
    assert "the best by accuracy on the validation split" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.exhaustive
def test_refitted_it_is_the_network_that_trains_on_all_clips_with_a_fitted_temperature(
    finished, tones, environment, run_here, tmp_path
):
    # Killed in the second training, and gone on with.
    out, flags = tmp_path / "out", [*FINISHED_FLAGS, "--validation_fraction", "0.2", "--refit", "true"]
    flags += ["--save_strategy", "steps", "--save_steps", "4"]
    kill_at_a_checkpoint(tones, out, *flags, environment=environment)
    assert not (out / "all_results.json").exists()
    code, output = run_here(tones, out, *flags, "--resume_from_checkpoint", "last")
    assert code == 0, output
    torch.testing.assert_close(weights(out), weights(finished), atol=0, rtol=0)
    temperatures = [json.loads((folder / "config.json").read_text())["temperature"] for folder in (out, finished)]
    assert temperatures[0] != 1 and temperatures[1] == 1
    assert results(out)["train_samples"] == results(finished)["train_samples"] == 27
    assert len(read_scores(out)["validation"].paths) == 5
    assert "after 16 epochs on all training clips" in (out / "README.md").read_text()
    arguments = json.loads((out / "training_args.json").read_text())
    assert arguments["refit"] and arguments["validation_fraction"] == 0.2


def test_refitting_takes_as_many_epochs_as_validation_chose(tones, run_here, tmp_path):
    flags = ["--validation_fraction", "0.2", "--early_stopping_patience", "2", "--num_train_epochs", "30"]
    code, output = run_here(tones, tmp_path / "out", *flags, "--refit", "true")
    assert code == 0, output
    first = results(tmp_path / "out-validated")
    best = int(re.search(r"at step (\d+), the best", first["chosen"])[1])
    told = results(tmp_path / "out")
    assert told["epoch"] == first["fitted"]["epochs"] == best / 2 < first["epoch"]  # two steps an epoch
    assert told["train_samples"] == 27 > first["train_samples"]


def test_bad_clips_are_listed_and_left_out_or_refused(run_here, tmp_path, capsys):
    tones = write_tones(tmp_path / "tones")
    (tones / "low" / "0.wav").write_bytes(b"")
    (tones / "mid" / "1.wav").write_bytes(b"no sound")
    soundfile.write(tones / "high" / "2.wav", np.zeros(RATE), RATE)
    code, output = run_here(tones, tmp_path / "out", "--max_steps", "2")
    assert code == 0, output
    with open(tmp_path / "out" / "skipped.csv", newline="") as file:
        reasons = {row["path"][-9:]: row["reason"] for row in csv.DictReader(file)}
    assert set(reasons) == {"low/0.wav", "mid/1.wav", "igh/2.wav"}
    sentence = refused(tones, tmp_path / "strict", "--strict", "true", capsys=capsys)
    assert "files cannot be used and --strict is on" in sentence
    assert not (tmp_path / "strict" / "model.safetensors").exists()
    for number, file in enumerate(sorted((tones / "low").iterdir())):
        if number % 4 != 3:  # the others are held out
            file.write_bytes(b"")
    assert "No training clip of low" in refused(tones, tmp_path / "lost", capsys=capsys)


def test_a_used_or_unwritable_output_folder_is_refused_and_untouched(finished, tones, tmp_path, capsys):
    before = {path: path.stat().st_mtime_ns for path in finished.iterdir()}
    assert "already holds a finished run" in refused(tones, finished, capsys=capsys)
    assert before == {path: path.stat().st_mtime_ns for path in finished.iterdir()}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("mine")
    assert "already holds other files, README.md" in refused(tones, tmp_path / "mine", capsys=capsys)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["README.md"]
    (tmp_path / "file").write_text("mine")
    assert "cannot be written" in refused(tones, tmp_path / "file" / "out", capsys=capsys)
    assert "gone is not a folder" in refused(tmp_path / "gone", tmp_path / "out", capsys=capsys)
    assert "holds no complete checkpoint" in refused(
        tones, tmp_path / "new", "--resume_from_checkpoint", "last", capsys=capsys
    )


def test_push_to_hub_uploads_the_finished_folder_with_its_own_card(tones, tmp_path, monkeypatch, capsys, caplog):
    flags = ["--push_to_hub", "true", "--max_steps", "1", "--dataloader_num_workers", "0"]
    flags += ["--hub_private_repo", "true", "--hub_token"]
    with FakeHub() as server:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", server.url)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr("hf_audio.runs.hub.check_loads_alone", lambda staged: None)  # see test_hub.py
        # Before it trains, not after.
        assert "may only read" in refused(tones, tmp_path / "new", *flags, "hf_reader", capsys=capsys)
        assert not (tmp_path / "new").exists()
        # Nothing is learnt in a step, which is no failure, and nothing to hand on.
        monkeypatch.setattr(sys, "argv", command(tones, tmp_path / "untaught", *flags, "hf_writer")[1:])
        run_recipe(tones_recipe.make_task, tones_recipe.TonesArguments)
        assert "was not uploaded, because its network is no better than always answering 'high'" in caplog.text
        assert server.commits == [] and results(tmp_path / "untaught")["learnt"] is False
        monkeypatch.setattr("hf_audio.training.fine_tune.check_learnt", lambda folder, results: None)
        monkeypatch.setattr("hf_audio.runs.hub.check_learnt", lambda folder, results: None)
        out = tmp_path / "tones-model"
        monkeypatch.setattr(sys, "argv", command(tones, out, *flags, "hf_writer", "--hub_model_id", "lab/own")[1:])
        run_recipe(tones_recipe.make_task, tones_recipe.TonesArguments)
        server.breaks_off = True
        sentence = refused(tones, tmp_path / "other", *flags, "hf_writer", capsys=capsys)
        assert f"`hf-audio push {tmp_path / 'other'} someone/other` goes on" in sentence
        assert results(tmp_path / "other")["eval_samples"] == 9
    assert len(server.commits) == 1 and server.repositories["lab/own"]["private"]
    files = server.files("lab/own")
    assert {"README.md", "model.safetensors", "all_results.json", "modeling_audio_cnn.py", "frontends.py"} <= set(
        files
    )
    assert set(files) == {path.name for path in out.iterdir() if path.is_file()}, "no checkpoints, no logs"
    assert b"A sine tone" in files["README.md"] and b'model="lab/own")' in files["README.md"]
    assert b"hf_writer" not in b"".join(files.values()), "the token is public"


def test_an_error_in_a_loader_worker_is_still_one_sentence(tones, tmp_path, capsys):
    sentence = refused(tones, tmp_path / "out", "--noise", "inf", capsys=capsys)
    assert re.fullmatch(r"error: The augmentation turned clip \d+ into NaN: [^:]+", sentence)


def test_the_baseline_leaves_the_same_report(tones, run_here, tmp_path):
    code, output = run_here(tones, tmp_path / "out", "--baseline")
    assert code == 0, output
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        *("all_results.json", "training_args.json", "README.md", "confusion_matrix.png"),
        *("per_class.csv", "predictions.csv"),
    }
    told = results(tmp_path / "out")
    assert told["eval_samples"] == 9 and told["train_samples"] == 27 and told["eval_accuracy"] > 0.9
    card = (tmp_path / "out" / "README.md").read_text()
    assert "MLPClassifier" in card and "pipeline(" not in card


def test_shifted_crops_are_reported_beside_the_plain_score(finished, tones, run_here, tmp_path):
    code, output = run_here(tones, tmp_path / "out", *FINISHED_FLAGS, "--tta", "4")
    assert code == 0, output
    told, plain = results(tmp_path / "out"), results(finished)
    assert told["eval_accuracy"] == plain["eval_accuracy"] and 0 <= told["eval_accuracy_tta"] <= 1
    assert "eval_accuracy_tta" not in plain
    assert "Accuracy over shifted crops" in (tmp_path / "out" / "README.md").read_text()
    torch.testing.assert_close(weights(tmp_path / "out"), weights(finished), atol=0, rtol=0)


def test_clips_that_a_model_has_labelled_are_trained_on(tones, run_here, tmp_path):
    for index in range(3):
        shutil.copy(tones / "low" / f"{index}.wav", tmp_path / f"new{index}.wav")
    rows = [f"new{index}.wav,low,0.95" for index in range(3)]
    (tmp_path / "guessed.csv").write_text("\n".join(["path,label,confidence", *rows, ""]))
    flags = "--pseudo_labels", str(tmp_path / "guessed.csv"), "--num_train_epochs", "1"
    code, output = run_here(tones, tmp_path / "out", *flags)
    assert code == 0, output
    results = json.loads((tmp_path / "out" / "all_results.json").read_text())
    assert (results["train_samples"], results["eval_samples"]) == (27 + 3, 9)


def write_mixtures(folder: Path, n: int) -> Dataset:
    """Clips of one or two tones each, and of some that nobody has verified a wrong tag too."""
    pitches = {"low": 300, "mid": 900, "high": 2500}
    generator = np.random.default_rng(0)
    paths, tags, unverified = [], [], []
    for number in range(n):
        own = list(generator.choice(list(pitches), 1 + number % 2, replace=False))
        waveform = sum(tone(pitches[tag] * generator.uniform(0.95, 1.05), 1.2, seed=number) for tag in own)
        paths.append(folder / f"{number}.wav")
        soundfile.write(paths[-1], waveform / 2, RATE)
        unverified.append(number % 8 == 1)
        tags.append(list(pitches) if unverified[-1] else own)
    return from_tagged_rows(paths, tags).add_column(UNVERIFIED_COLUMN, unverified)


def test_names_of_classes_may_hold_anything(tones, run_here, tmp_path):
    data, names = tmp_path / "tones", ["a$x_$", "a|b <i>", "two\nlines"]
    for name, folder in zip(names, sorted(tones.iterdir()), strict=True):
        shutil.copytree(folder, data / name)
    code, said = run_here(data, tmp_path / "out", "--max_steps", "2")
    assert code == 0, said
    assert results(tmp_path / "out")["labels"] == sorted(names)
    card = (tmp_path / "out" / "README.md").read_text()
    assert r"| a\$x\_\$ |" in card and r"| a\|b \<i\> |" in card and "| two lines |" in card
    (row,) = [row for row in rows_of(tmp_path / "out" / "per_class.csv") if row["label"] == names[2]]
    assert row["clips"] == "3"


def rows_of(file):
    with open(file, newline="") as opened:
        return list(csv.DictReader(opened))


def test_a_tagger_is_trained_and_answers_with_a_probability_for_each_tag(tmp_path):
    dataset = write_mixtures(tmp_path, 96)
    args = RecipeArguments(
        output_dir=str(tmp_path / "out"),
        num_train_epochs=16,
        learning_rate=1e-2,
        per_device_train_batch_size=8,
        mixup_alpha=0.2,
        ema_decay=0.8,
        unverified_weight=0.25,
        validation_fraction=0.25,
        load_best_model_at_end=True,
        metric_for_best_model="lwlrap",
        tta=2,
        save_strategy="epoch",
        report_to="none",
        dataloader_num_workers=0,
        use_cpu=True,
        bf16=False,
        disable_tqdm=True,
    )
    task = Task(
        config=tiny_config(),
        dataset=dataset,
        held_out=np.arange(96) % 4 == 2,
        facts=tones_recipe.FACTS,
        crop_seconds=(0.5, 0.5),
    )
    fine_tune(args, task)
    told = results(tmp_path / "out")
    assert told["eval_lwlrap"] > 0.8 and told["labels"] == ["high", "low", "mid"], "three tones should be learnt"
    assert told["learnt"] and told["eval_prior_lwlrap"] < told["eval_lwlrap"]
    assert {"eval_map_macro", "eval_map_micro", "eval_lwlrap_tta"} <= set(told) and "eval_accuracy" not in told
    low, high = told["eval_lwlrap_interval"]
    assert low <= told["eval_lwlrap"] <= high
    with open(tmp_path / "out" / "predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    scores = read_scores(tmp_path / "out")["test"]
    classify = pipeline("audio-classification", model=str(tmp_path / "out"), top_k=None)
    sums = []
    for row, probabilities in zip(rows, scores.probabilities, strict=True):
        answer = classify(str(tmp_path / row["path"]))
        assert [entry["label"] for entry in answer] == [row[f"prediction{place}"] for place in ("", "_2", "_3")]
        by_label = {entry["label"]: entry["score"] for entry in answer}
        np.testing.assert_allclose([by_label[name] for name in told["labels"]], probabilities, atol=1e-3)
        sums.append(sum(by_label.values()))
    assert np.ptp(sums) > 0.2, "a softmax would sum up to one"
    card = ModelCard.load(tmp_path / "out" / "README.md")
    assert {result.metric_type for result in card.data.eval_results} >= {"lwlrap", "map_macro"}
