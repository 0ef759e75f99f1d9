"""Whatever recordings users have: chosen by, divided, trained on, or refused in a sentence."""

import csv
import json
import logging
import shutil
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import torch
from helpers.commands import load_recipe
from helpers.recordings import RATE, tone, write_table
from safetensors.torch import load_file
from transformers import pipeline

from hf_audio.data.survey import Survey
from hf_audio.errors import ArgumentError
from hf_audio.recipe_flags import parse_arguments


@pytest.fixture(scope="module")
def own_sounds():
    return load_recipe("own_sounds")


@pytest.fixture
def train_own_sounds(own_sounds, tmp_path, monkeypatch):
    """Runs the recipe for a step and returns what the run has left."""

    def train(name, *flags):
        argv = ["own_sounds.py", "--output_dir", str(tmp_path / name), "--dataloader_num_workers", "0", *flags]
        monkeypatch.setattr(sys, "argv", [*argv, "--report_to", "none", "--disable_tqdm", "true", "--max_steps", "1"])
        own_sounds.run_recipe(own_sounds.make_task, own_sounds.OwnSoundsArguments)
        return json.loads((tmp_path / name / "all_results.json").read_text())

    return train


def record(*paths, rate=RATE, channels=1, seconds=0.5):
    for number, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.stack([tone(300 + number, seconds, rate)] * channels, axis=1), rate)


def test_own_sounds_takes_any_folder_and_tells_what_it_chose(train_own_sounds, tmp_path, caplog):
    data = tmp_path / "my sounds"
    for number in range(8):
        record(
            data / "Käfer, groß" / f"a {number}.wav",
            data / "猫" / f"{number}.flac",
            rate=16000,
            channels=1 + number % 2,
        )
    record(data / "猫" / "other.ogg", rate=44100, seconds=1)
    record(data / "猫" / "long.mp3", rate=8000, seconds=30)
    record(data / "once" / "only.wav")
    (data / "猫" / "broken.wav").write_bytes(b"no sound")
    with caplog.at_level(logging.INFO):
        results = train_own_sounds("out", "--data_dir", str(data))
    assert "sampling_rate 16000: most recordings have 16000 Hz" in caplog.text
    assert "num_train_epochs" in caplog.text and "not tested: once" in caplog.text
    assert results["labels"] == ["Käfer, groß", "once", "猫"] and results["skipped_samples"] == 1
    assert "broken.wav" in (tmp_path / "out" / "skipped.csv").read_text()
    card = (tmp_path / "out" / "README.md").read_text()
    assert "# my sounds" in card and "license: unknown" in card and "- `sampling_rate` 16000: most" in card
    answers = pipeline("audio-classification", model=str(tmp_path / "out"))(str(data / "猫" / "long.mp3"))
    assert {answer["label"] for answer in answers} == set(results["labels"])
    noted = tmp_path / "out" / "training_args.json"
    assert json.loads(noted.read_text())["sampling_rate"] == 16000
    train_own_sounds("again", "--config", str(noted))
    first, again = (load_file(tmp_path / name / "model.safetensors") for name in ("out", "again"))
    assert all(torch.equal(first[name], again[name]) for name in first)


@pytest.mark.parametrize(
    ("flags", "stops"),
    [
        ({}, True),
        ({"max_minutes": 2.0}, True),
        ({"validation_fraction": 0.2}, True),
        ({"num_train_epochs": 20.0}, False),
        ({"num_train_epochs": 20.0, "stop_when_settled": True}, True),
        ({"max_steps": 20}, False),
        ({"lr_scheduler_type": "linear"}, False),
        ({"stop_when_settled": False}, False),
        ({"validation_fraction": 0.2, "early_stopping_patience": 3}, False),
        ({"validation_fraction": 0.2, "refit": True}, False),
    ],
)
def test_own_sounds_ends_sooner_where_nobody_says_how_long(own_sounds, flags, stops):
    assert own_sounds.OwnSoundsArguments(report_to="none", **flags).stop_when_settled is stops


def test_the_tiny_network_hears_windows_of_a_second(own_sounds):
    survey = Survey(np.full(20, 44100), np.full(20, 3.0), 20)
    args = own_sounds.OwnSoundsArguments(report_to="none", model="tiny")
    assert "sampling_rate" not in own_sounds.choose(args, survey)
    assert (args.sampling_rate, args.clip_seconds, args.excerpt_seconds) == (16000, 1, 1)
    args = own_sounds.OwnSoundsArguments(report_to="none", model="tiny", sampling_rate=8000, clip_seconds=2)
    own_sounds.choose(args, survey)
    assert (args.sampling_rate, args.clip_seconds) == (8000, 2)


def test_own_sounds_validates_by_what_was_put_aside_for_it(train_own_sounds, tmp_path):
    for part, n in (("train", 8), ("valid", 3), ("test", 4)):
        record(*(tmp_path / "data" / part / label / f"{i}.wav" for label in ("a", "b") for i in range(n)))
    results = train_own_sounds("out", "--data_dir", str(tmp_path / "data"), "--f_min", "100", "--f_max", "2000")
    assert (results["train_samples"], results["eval_samples"]) == (16, 8)
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["temperature"] != 1 and config["sampling_rate"] == 4000
    assert (config["f_min"], config["f_max"]) == (100, 2000)


def test_own_sounds_of_several_tags_and_of_speakers(train_own_sounds, tmp_path):
    rows = [["file", "bark", "meow, loud", "who"]]
    rows += [[f"{i}.wav", str(i % 2), str(i % 3 // 2), f"p{i % 6}"] for i in range(30)]
    record(*(tmp_path / f"{i}.wav" for i in range(30)))
    table = write_table(tmp_path / "tags.csv", rows)
    flags = "--multi_label", "true", "--label_column", "bark", "meow, loud", "--group_column", "who"
    results = train_own_sounds("out", "--data_dir", str(table), *flags)
    assert results["labels"] == ["bark", "meow, loud"] and "eval_lwlrap" in results
    card = (tmp_path / "out" / "README.md").read_text()
    assert "shares its `who`" in card and "tags of what sounds in it" in card
    with open(tmp_path / "out" / "predictions.csv", newline="") as file:
        judged = [int(Path(row["path"]).stem) % 6 for row in csv.DictReader(file)]
    assert len(judged) == 5 * len(set(judged)) and results["train_samples"] == 30 - len(judged)


def annotate(folder):
    """Eight recordings of 6 s, and a table of what sounds in them."""
    rows = [["file", "start", "end", "species"]]
    for number in range(8):
        record(folder / f"{number}.wav", seconds=6)
        rows += [[f"{number}.wav", str(start), str(start + 1), "ab"[start % 2]] for start in (0, 1, 4)]
        rows += [[f"{number}.wav", "0.5", "1.5", "b"], [f"{number}.wav", "2.2", "2.9", "a"]]
        rows += [[f"{number}.wav", "3.2", "3.8", "b"]]
    return write_table(folder / "annotations.csv", rows)


def test_own_sounds_takes_annotations(own_sounds, tmp_path):
    (tmp_path / "x").mkdir()
    table = annotate(tmp_path / "x")
    task = own_sounds.make_task(own_sounds.OwnSoundsArguments(data_dir=str(table), report_to="none"))
    assert task.config.frame_seconds < 0.1 and task.crop_seconds == (1.5, 1.5)
    assert task.dataset.features["label"].feature.names == ["a", "b"]
    assert task.group_column == "recording" and task.held_out.any() and task.validation_rows.any()
    with pytest.raises(ArgumentError, match="--pseudo_labels is of clips with one label"):
        given = {"data_dir": str(table), "pseudo_labels": str(table), "report_to": "none"}
        own_sounds.make_task(own_sounds.OwnSoundsArguments(**given))
    with pytest.raises(ArgumentError, match="--unannotated nothing must be one of background, ignore"):
        own_sounds.OwnSoundsArguments(data_dir=str(table), unannotated="nothing", report_to="none")
    record(*(tmp_path / "y" / name / "1.wav" for name in ("dog", "cat")))
    with pytest.raises(ArgumentError, match="--unannotated is of annotations with times"):
        given = {"data_dir": str(tmp_path / "y"), "unannotated": "ignore", "report_to": "none"}
        own_sounds.make_task(own_sounds.OwnSoundsArguments(**given))


@pytest.mark.exhaustive
def test_own_sounds_learns_when_something_sounds_from_annotations(train_own_sounds, tmp_path):
    table = annotate(tmp_path)
    results = train_own_sounds("out", "--data_dir", str(table), "--clip_seconds", "2")
    assert results["labels"] == ["a", "b"] and results["eval_samples"] % 3 == 0
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["problem_type"] == "multi_label_classification" and config["frame_pooling"] == "linear_softmax"
    assert len(config["event_rule"]["thresholds"]) == 2
    with open(tmp_path / "out" / "predictions.csv", newline="") as file:
        tested = {row["path"] for row in csv.DictReader(file)}
    assert len(tested) == results["eval_samples"] / 3  # whole recordings


def test_own_sounds_of_few_recordings_is_judged_by_folds_and_refitted(
    own_sounds, train_own_sounds, tmp_path, caplog, capsys
):
    generator = np.random.default_rng(0)
    speakers = [
        tmp_path / "data" / label / f"{who}_{number}.wav"
        for label in ("a", "b")
        for who in ("s01", "s02")
        for number in range(3)
    ]
    for path in speakers:
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, generator.normal(0, 0.1, RATE // 2), RATE)
    flags = "--data_dir", str(tmp_path / "data"), "--sampling_rate", "4000"
    with caplog.at_level(logging.INFO):
        results = train_own_sounds("out", *flags)
    assert "12 files are 2 recordings by their names" in caplog.text and "These are 3 trainings" in caplog.text
    assert (results["train_samples"], results["eval_samples"], results["trained_on_all"]) == (12, 12, True)
    out = tmp_path / "out"
    with open(out / "predictions.csv", newline="") as file:
        judged = {row["path"]: row for row in csv.DictReader(file)}
    assert set(judged) == {path.relative_to(tmp_path / "data").as_posix() for path in speakers}
    for fold in ("1", "2"):
        with open(tmp_path / "out-folds" / f"fold_{fold}" / "predictions.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        assert len({Path(row["path"]).name[:3] for row in rows}) == 1 and len(rows) == 6
        assert all(judged[row["path"]]["prediction"] == row["prediction"] for row in rows)
    card = (out / "README.md").read_text()
    assert "judged once, by one of 2 networks" in card and "12 clips were trained on" in card
    # After a kill in the last training, the folds are read and the same network comes out.
    first = load_file(out / "model.safetensors")
    shutil.rmtree(out)
    folds = (tmp_path / "out-folds" / "all_results.json").stat().st_mtime_ns
    train_own_sounds("out", *flags)
    assert (tmp_path / "out-folds" / "all_results.json").stat().st_mtime_ns == folds
    assert all(torch.equal(first[name], again) for name, again in load_file(out / "model.safetensors").items())
    with pytest.raises(SystemExit):
        train_own_sounds("on", *flags, "--model_name_or_path", str(out))
    assert "was trained on clips that would be tested on here" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        train_own_sounds("taught", *flags, "--teacher", str(out))
    assert "was trained on all its clips" in capsys.readouterr().err
    for time, folds in (([], 2), (["--max_minutes", "3"], None), (["--max_minutes", "3", "--refit", "true"], 2)):
        task = own_sounds.make_task(parse_arguments(own_sounds.OwnSoundsArguments, [*flags, *time]))
        assert (None if task.folds is None else len(task.folds)) == folds


def test_own_sounds_of_a_data_set(train_own_sounds, tmp_path):
    recordings = []
    for i in range(12):
        record(tmp_path / "clip.wav", seconds=0.3 + i / 100)
        recordings.append({"bytes": (tmp_path / "clip.wav").read_bytes(), "path": None})
    features = {"audio": {"_type": "Audio"}, "label": {"names": ["x", "y"], "_type": "ClassLabel"}}
    table = pa.table({"audio": recordings, "label": [i % 2 for i in range(12)]})
    (tmp_path / "set").mkdir()
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    pq.write_table(table.replace_schema_metadata(metadata), tmp_path / "set" / "train.parquet")
    results = train_own_sounds("out", "--dataset_name", str(tmp_path / "set"))
    assert (results["train_samples"], results["eval_samples"]) == (10, 2)


@pytest.mark.parametrize("kind", ["parquet", "tar"])
def test_own_sounds_reads_shards_as_a_stream(train_own_sounds, tone_shards, kind, caplog):
    source = "--data_dir" if kind == "tar" else "--dataset_name"
    with caplog.at_level(logging.INFO):
        results = train_own_sounds("out", source, str(tone_shards / kind), "--streaming", "true")
    assert (results["train_samples"], results["eval_samples"]) == (27, 9)
    assert f"sampling_rate {RATE}: most" in caplog.text and "27 clips are" in caplog.text


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--streaming", "true"], "--streaming reads shards: say where they are"),
        (["--streaming", "true", "--data_dir", "{}"], "and not shards: a stream is read from Parquet files"),
        (["--streaming", "true", "--data_dir", "{}", "--multi_label", "true"], "--streaming knows one label a clip"),
        (["--data_dir", "{}/gone"], "gone is neither a folder nor a CSV or TSV"),
        (["--data_dir", "x", "--dataset_name", "y"], "--data_dir and --dataset_name exclude each other"),
        (["--dataset_name", "nobody/nothing"], "check the network"),
        (["--clip_seconds", "0"], "--clip_seconds 0.0 must be above 0"),
        (
            ["--data_dir", "{}", "--excerpt_seconds", "9", "--clip_seconds", "3"],
            "--excerpt_seconds 9 must lie between",
        ),
        (["--data_dir", "{}", "--multi_label", "true"], "give a table"),
        (["--data_dir", "{}", "--f_max", "9000"], "--f_min 20 and --f_max 9000 Hz must rise from 0 to half of"),
        (["--data_dir", "{}", "--f_min", "500", "--f_max", "500"], "--f_min 500 and --f_max 500 Hz must rise"),
    ],
)
def test_own_sounds_says_what_is_wrong_in_a_sentence(train_own_sounds, tmp_path, capsys, flags, says):
    record(*(tmp_path / label / f"{i}.wav" for label in ("a", "b") for i in range(3)))
    with pytest.raises(SystemExit) as stopped:
        train_own_sounds("out", *(flag.format(tmp_path) for flag in flags))
    assert stopped.value.code == 2 and not (tmp_path / "out" / "all_results.json").exists()
    error = capsys.readouterr().err
    assert says in error and "Traceback" not in error and error.strip().count("\n") == 0
