"""Every fold held out once: the means, the report, and what a kill between or within folds does to them."""

import csv
import os
import shutil
import time
from collections import Counter
from pathlib import Path

import datasets
import numpy as np
import pytest
import torch
from datasets import ClassLabel
from helpers.checkpoints import results, tiny_config, weights
from helpers.commands import fork_recipe, run
from helpers.tones import FACTS
from scipy import stats
from sklearn.metrics import accuracy_score
from transformers import pipeline

from hf_audio.arguments import RecipeArguments
from hf_audio.data.rows import tag_matrix
from hf_audio.errors import ArgumentError
from hf_audio.runs.comparison import compare_with_constant
from hf_audio.runs.folder.preparing import prepare_output_dir
from hf_audio.runs.metrics.tagging import tagging_precision
from hf_audio.runs.predictions.classes import Predictions
from hf_audio.runs.predictions.tags import TagPredictions
from hf_audio.runs.scores import Scores, relative_paths
from hf_audio.training.finish import write_run
from hf_audio.training.judgement.judging import Judgement
from hf_audio.training.series.cross_validation import cross_validate
from hf_audio.training.task import Task

pytestmark = pytest.mark.slow  # nearly all of them train
TAGS = ["a", "b", "c"]

FLAGS = ("--folds", "all", "--num_train_epochs", "2", "--ema_decay", "0.5")
FOLDS = ("0", "1", "2", "3")


@pytest.fixture(scope="module")
def finished(tones, environment, tmp_path_factory):
    """The folder of an uninterrupted cross-validation."""
    out = tmp_path_factory.mktemp("runs") / "finished"
    code, output = run(environment, tones, out, *FLAGS)
    assert code == 0, output
    (out.parent / "printed.txt").write_text(output)
    return out


def test_what_holds_for_every_fold_is_said_once(finished):
    printed = (finished.parent / "printed.txt").read_text()
    assert printed.count("3 classes, 9 training clips each.") == 1


def rows_of(file):
    with open(file, newline="") as opened:
        return list(csv.DictReader(opened))


def test_the_summary_is_the_mean_of_the_folds(finished):
    told, folds = results(finished), [results(finished / f"fold_{name}") for name in FOLDS]
    judged = Predictions.read(finished / "predictions.csv", told["labels"]).intervals()
    for metric in ("accuracy", "f1_macro"):
        values = [fold[f"eval_{metric}"] for fold in folds]
        assert told[f"eval_{metric}"] == pytest.approx(np.mean(values))
        assert told[f"eval_{metric}_std"] == pytest.approx(np.std(values, ddof=1))
        assert [told[f"eval_{metric}_fold_{name}"] for name in FOLDS] == values
        low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values)) if np.ptp(values) else values[:2]
        # Folds that happen to agree do not make the figure exact.
        expected = [min(low, judged[metric][0]), max(min(high, 1), judged[metric][1])]
        assert told[f"eval_{metric}_interval"] == pytest.approx(expected)
        assert expected[0] < np.mean(values)
    assert told["eval_samples"] == 36


def test_every_clip_is_predicted_once_by_a_model_that_never_heard_it(finished, tones):
    rows = rows_of(finished / "predictions.csv")
    assert {row["path"] for row in rows} == {path.relative_to(tones).as_posix() for path in tones.glob("*/*.wav")}
    assert len(rows) == 36 and [row["fold"] for row in rows] == sorted(row["fold"] for row in rows)
    accuracy = accuracy_score([row["label"] for row in rows], [row["prediction"] for row in rows])
    assert results(finished)["eval_accuracy"] == pytest.approx(accuracy)  # folds of one size
    for name in FOLDS:
        fold = rows_of(finished / f"fold_{name}" / "predictions.csv")
        assert [row["path"] for row in rows if row["fold"] == name] == [row["path"] for row in fold]
        classify = pipeline("audio-classification", model=str(finished / f"fold_{name}"))
        assert classify(str(tones / fold[0]["path"]), top_k=1)[0]["label"] == fold[0]["prediction"]


def test_the_card_tells_the_folds(finished):
    card = (finished / "README.md").read_text()
    assert (
        "Means over 4 folds" in card
        and "| Fold | Accuracy | Balanced accuracy | Macro F1 |" in card
        and "chose nothing" in card
    )
    assert str(finished.parent) not in card
    assert "For comparison: always answering" in card and "Logistic regression" in card
    assert (finished / "confusion_matrix.png").stat().st_size > 5000


def test_killed_it_goes_on_to_the_same_result(finished, tones, environment, run_here, tmp_path):
    out = tmp_path / "killed"
    sign = "fold_1/checkpoint-*/trainer_state.json"  # within a fold; the one before it is finished
    process = fork_recipe(tones, out, *FLAGS, environment=environment)
    deadline = time.time() + 120
    while not list(out.glob(sign)) and process.is_alive() and time.time() < deadline:
        time.sleep(0.002)
    process.kill()
    process.join()
    assert not (out / "all_results.json").exists()
    untouched = (out / "fold_0" / "model.safetensors").stat().st_mtime_ns
    code, output = run_here(tones, out, *FLAGS)
    assert code == 0, output
    assert (out / "fold_0" / "model.safetensors").stat().st_mtime_ns == untouched
    for name in FOLDS:
        torch.testing.assert_close(weights(out / f"fold_{name}"), weights(finished / f"fold_{name}"), atol=0, rtol=0)
    now, whole = results(out), results(finished)
    assert {key: now[key] for key in now if "runtime" not in key} == {
        key: whole[key] for key in whole if "runtime" not in key
    }


class KilledError(BaseException):
    """What no `except Exception` sees."""


def test_killed_while_it_writes_its_report_it_goes_on(finished, tones, run_here, tmp_path, monkeypatch):
    """Whatever file was moved last, and also where the command that goes on is killed while it clears them away."""
    report = results(finished)["files"]
    assert {"README.md", "predictions.csv"} <= set(report)
    for number in range(len(report) + 1):
        out = tmp_path / f"killed_{number}"
        shutil.copytree(finished, out, ignore=shutil.ignore_patterns(*report, "all_results.json"))
        for fold in FOLDS:
            shutil.copy(finished / f"fold_{fold}" / "all_results.json", out / f"fold_{fold}")
            shutil.copy(finished / f"fold_{fold}" / "predictions.csv", out / f"fold_{fold}")
        moved = []

        def replace(source, target, out=out, moved=moved, number=number, move=os.replace):
            if Path(target).parent == out and Path(source).parent.name == ".unfinished":
                if len(moved) == number:
                    raise KilledError
                moved.append(target)
            move(source, target)

        with monkeypatch.context() as patch:
            patch.setattr("os.replace", replace)
            with pytest.raises(KilledError):
                run_here(tones, out, *FLAGS)
        assert len(moved) == number and not (out / "all_results.json").exists()
        if number > 1:
            with monkeypatch.context() as patch:
                patch.setattr("pathlib.Path.unlink", interrupted_unlink(Path.unlink))
                with pytest.raises(KilledError):
                    run_here(tones, out, *FLAGS)
        code, output = run_here(tones, out, *FLAGS)
        assert code == 0, output
        assert results(out)["eval_accuracy"] == results(finished)["eval_accuracy"]
        assert not (out / ".unfinished").exists()


def interrupted_unlink(unlink):
    """Delete one file of a report, and be killed."""

    def replacement(path, *args, **options):
        unlink(path, *args, **options)
        if path.name == "README.md":
            raise KilledError

    return replacement


def test_folds_of_other_arguments_are_not_mixed(finished, tones, run_here, tmp_path):
    code, output = run_here(tones, finished, *FLAGS)
    assert code == 2 and "already holds a finished run" in output
    shutil.copytree(finished, tmp_path / "half", ignore=shutil.ignore_patterns("fold_3", "all_results.json"))
    before = sorted((tmp_path / "half").rglob("*"))
    code, output = run_here(tones, tmp_path / "half", *FLAGS, "--learning_rate", "0.5")
    assert code == 2 and "holds what was trained with --learning_rate 0.01, not 0.5" in output
    assert sorted((tmp_path / "half").rglob("*")) == before


def test_a_cross_validation_is_not_pushed(tones, run_here, tmp_path):
    code, output = run_here(tones, tmp_path / "out", *FLAGS, "--push_to_hub", "true")
    assert code == 2 and "a cross-validation has several" in output


def test_a_teacher_that_has_heard_the_held_out_clips_is_refused(finished, tones, run_here, tmp_path):
    flags = ("--num_train_epochs", "2")  # holds out fold 3
    code, output = run_here(tones, tmp_path / "a", *flags, "--teacher", str(finished / "fold_2"))
    assert code == 2 and "may have learnt clips that are held out here" in output
    code, output = run_here(tones, tmp_path / "b", *flags, "--teacher", str(tmp_path))
    assert code == 2 and "holds no finished run" in output
    code, output = run_here(tones, tmp_path / "taught", *flags, "--teacher", str(finished))
    assert code == 0, output
    code, output = run_here(tones, tmp_path / "alone", *flags)
    assert code == 0, output
    taught, alone = weights(tmp_path / "taught"), weights(tmp_path / "alone")
    assert any((taught[name] - alone[name]).abs().max() > 1e-4 for name in taught), "it learnt nothing of the teacher"


def test_folds_of_tags_and_of_parts_of_recordings_are_told_together_and_go_on_after_a_kill(tmp_path):
    tags = [[0], [1, 2], [], [0, 1], [2], [0], [1], [2, 0]] * 3
    paths = [f"/r/{row // 2}.wav" for row in range(len(tags))]  # two parts of each recording
    features = datasets.Features({"path": datasets.Value("string"), "label": datasets.List(ClassLabel(names=TAGS))})
    rows = datasets.Dataset.from_dict({"path": paths, "label": tags}, features=features)
    folds = {str(fold): np.arange(len(tags)) // 8 == fold for fold in range(3)}
    task = Task(config=tiny_config(), dataset=rows, held_out=folds["0"], folds=folds, facts=FACTS)
    scores = np.random.default_rng(0).random((len(tags), 3)).astype(np.float32)
    trained = []

    def train(args, fold):
        if len(trained) == 1 and not (tmp_path / "killed").exists():
            (tmp_path / "killed").touch()
            raise ArgumentError("killed")
        trained.append(Path(args.output_dir).name)
        prepare_output_dir(args)
        held = np.flatnonzero(fold.held_out)
        references = tag_matrix([tags[row] for row in held], 3)
        names = [paths[row] for row in held]
        predictions = TagPredictions.from_probabilities(names, TAGS, references, scores[held])
        told = {f"eval_{name}": value for name, value in predictions.metrics().items()}
        told |= {"train_samples": 16, "train_runtime": 1.0, "chosen": "Nothing.", "calibrated": "By nothing."}
        told |= compare_with_constant(predictions, dict.fromkeys(TAGS, 9))
        judged = Judgement(told, predictions, {}, Scores(relative_paths(names), references, scores[held]), None)
        write_run(args, fold, told, judged, [])

    args = RecipeArguments(output_dir=str(tmp_path / "out"), report_to="none")
    with pytest.raises(ArgumentError, match="killed"):
        cross_validate(args, task, train)
    told = cross_validate(args, task, train)
    assert trained == ["fold_0", "fold_1", "fold_2"]
    each = [tagging_precision(scores[rows], tag_matrix(tags, 3)[rows])["lwlrap"] for rows in folds.values()]
    assert told["eval_lwlrap"] == pytest.approx(np.mean(each)) and told["eval_samples"] == 24
    assert told["eval_map_macro_fold_1"] <= 1 and "cross_fitted" in told and told["labels"] == TAGS
    rows = rows_of(tmp_path / "out" / "predictions.csv")
    assert len(rows) == 24 and Counter(row["fold"] for row in rows) == dict.fromkeys(folds, 8)
    assert [row["labels"] for row in rows[:3]] == ["a", "b,c", ""]
    assert "Label-weighted label-ranking" in (tmp_path / "out" / "README.md").read_text()
