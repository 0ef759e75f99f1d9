"""A finished run as an object."""

import json
import shutil

import numpy as np
import pytest
from helpers.recordings import REPOSITORY
from matplotlib import pyplot
from sklearn.metrics import confusion_matrix

import hf_audio
from hf_audio.errors import ArgumentError

TONES = REPOSITORY / "tests" / "helpers" / "tones.py"


@pytest.fixture(scope="module")
def run(tones, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    flags = {"num_train_epochs": 2, "validation_fraction": 0.2, "report_to": "none"}
    return hf_audio.train(TONES, data_dir=tones, output_dir=out, **flags)


@pytest.fixture(autouse=True)
def no_figures_left():
    yield
    pyplot.close("all")


def test_what_it_holds(run, tones):
    assert run.metrics == json.loads((run.folder / "all_results.json").read_text())
    assert run.card == (run.folder / "README.md").read_text()
    table = run.predictions
    assert len(table) == 9 and set(table["label"]) == {"low", "mid", "high"}
    assert (table["label"] == table["prediction"]).mean() == pytest.approx(run.metrics["eval_accuracy"])
    best = run.pipeline(top_k=1)(str(tones / table["path"][0]))[0]
    assert best["label"] == table["prediction"][0] and best["score"] == pytest.approx(table["score"][0], abs=1e-3)
    assert not run.model.training and run.model is run.model
    assert sum(p.numel() for p in run.model.parameters()) == run.metrics["parameters"]


def test_pictures(run):
    axes = run.confusion_matrix()
    names = [text.get_text() for text in axes.get_yticklabels()]
    counts = np.zeros((3, 3), dtype=int)
    for text in axes.texts:
        counts[text.get_position()[::-1]] = int(text.get_text())
    table = run.predictions
    assert names == run.metrics["labels"]
    assert (counts == confusion_matrix(table["label"], table["prediction"], labels=names)).all()
    losses, scores = run.curves()
    lines = {line.get_label(): list(line.get_xdata()) for axes in (losses, scores) for line in axes.lines}
    assert lines["training loss"] == lines["validation accuracy"] == [1, 2]


def test_curves_of_a_run_from_before_they_had_a_file(run, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(run.folder, old)
    (old / "training_curves.json").unlink()
    assert next(line.get_label() for line in hf_audio.load_run(old).curves()[0].lines) == "training loss"
    shutil.rmtree(next(old.glob("checkpoint-*")))
    with pytest.raises(ArgumentError, match="has no curves"):
        hf_audio.load_run(old).curves()


def write(folder, results, predictions, **files):
    folder.mkdir()
    (folder / "all_results.json").write_text(json.dumps(results))
    (folder / "predictions.csv").write_text(predictions)
    for name, text in files.items():
        (folder / f"{name}.json").write_text(text)
    return hf_audio.load_run(folder)


def test_numbers_and_tags_and_labels_that_look_like_numbers(tmp_path):
    numbers = write(
        tmp_path / "numbers",
        {},
        "path,number,prediction,score\na.wav,12,12,0.9000\nb.wav,7,107,0.5000\n",
        config='{"num_digits": 3}',
    )
    assert list(numbers.predictions["number"]) == ["12", "7"] and numbers.predictions["score"].dtype == float
    drawn = {text.get_position()[::-1]: text.get_text() for text in numbers.confusion_matrix().texts}
    assert drawn == {(0, 0): "2", (0, 1): "1", (1, 1): "1", (2, 2): "1", (7, 7): "1"}
    tags = write(tmp_path / "tags", {}, "path,labels,prediction,score\na.wav,,dog,0.5000\n")
    assert tags.predictions["labels"][0] == ""
    with pytest.raises(ArgumentError, match="several tags each"):
        tags.confusion_matrix()
    folds = write(
        tmp_path / "folds",
        {"folds": ["1", "2"]},
        "path,label,prediction,score,fold\na.wav,NA,NA,0.5,1\nb.wav,1,NA,0.5,2\n",
    )
    assert [text.get_text() for text in folds.confusion_matrix().get_yticklabels()] == ["1", "NA"]
    for ask in (folds.pipeline, lambda: folds.model):
        with pytest.raises(
            ArgumentError, match=r"cross-validation, whose networks lie in its folds: give one, .*fold_1"
        ):
            ask()
    with pytest.raises(ArgumentError, match="has no curves"):
        folds.curves()


def test_what_is_no_finished_run_is_refused(tmp_path):
    with pytest.raises(ArgumentError, match=r"holds no finished run \(all_results.json is missing\)"):
        hf_audio.load_run(tmp_path)
    with pytest.raises(ArgumentError, match="holds no network: train without --baseline"):
        write(tmp_path / "baseline", {}, "path,label,prediction,score\n").pipeline()
    (tmp_path / "best_arguments.yaml").touch()
    with pytest.raises(ArgumentError, match=r"holds a search, .* --config .*best_arguments.yaml"):
        hf_audio.load_run(tmp_path)
