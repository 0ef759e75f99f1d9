"""Numbers of tables, voices and put-together words: what is trained on, and what only tests."""

import csv
import itertools
import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.commands import load_recipe
from transformers import pipeline

import hf_audio
from hf_audio import cli
from hf_audio.corpora.synthetic_numbers import make_spoken_numbers
from hf_audio.errors import ArgumentError
from hf_audio.recipe_flags import parse_arguments


@pytest.fixture(scope="module")
def spoken_numbers():
    return load_recipe("spoken_numbers")


def test_spoken_numbers_presets_are_as_small_as_they_say(spoken_numbers, tmp_path):
    def build(name):
        return hf_audio.AudioCNNForAudioClassification(hf_audio.AudioCNNConfig(**spoken_numbers.PRESETS[name]))

    assert sum(parameter.numel() for parameter in build("default").parameters()) <= 5_000_000
    build("shufflenet").save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").stat().st_size < 2_000_000


def test_spoken_numbers_reads_the_tables(spoken_numbers, real_numbers):
    dataset, masks = spoken_numbers.load_recordings(real_numbers)
    assert {name: mask.sum() for name, mask in masks.items()} == {"test": 300, "ood": 300}
    speakers = np.asarray(dataset["speaker"])
    trained = ~masks["test"] & ~masks["ood"]
    assert trained.sum() == 1500 and not set(speakers[trained]) & set(speakers[masks["ood"]])


def test_spoken_numbers_without_a_table_of_test_clips(spoken_numbers, tmp_path):
    # The official set has these columns alone, and its test clips have no numbers.
    rows = [f"{i}.wav,male,{i}" for i in range(30)]
    (tmp_path / "train.csv").write_text("\n".join(["path,gender,number", *rows, "30.wav,female,", ""]))
    for i in range(31):
        soundfile.write(tmp_path / f"{i}.wav", np.zeros(8000), 16000)
    dataset, masks = spoken_numbers.load_recordings(tmp_path)
    assert len(dataset) == 30 and list(masks) == ["test"] and masks["test"].sum() == 3


@pytest.mark.slow
@pytest.mark.exhaustive
def test_spoken_numbers_from_training_to_pseudo_labels_and_back(spoken_numbers, tmp_path, monkeypatch, capsys):
    pytest.importorskip("espeakng_loader")
    data = make_spoken_numbers(tmp_path / "data", language="en-us", count=40)
    table = data / "train.csv"
    rows = table.read_text().splitlines()
    known, unknown = rows[:31], [",".join([*row.split(",")[:2], "", row.split(",")[3]]) for row in rows[31:]]
    table.write_text("\n".join([*known, *unknown, ""]))

    def train(name, *flags):
        argv = ["spoken_numbers.py", "--data_dir", str(data), "--output_dir", str(tmp_path / name), "--max_steps", "2"]
        monkeypatch.setattr(sys, "argv", [*argv, "--dataloader_num_workers", "0", *flags])
        spoken_numbers.run_recipe(spoken_numbers.make_task, spoken_numbers.SpokenNumbersArguments)
        return json.loads((tmp_path / name / "all_results.json").read_text())

    first = train("first", "--pretraining_clips", "0")
    assert "the best by cer on the validation split" in first["chosen"]
    assert first["train_samples"] < 30 and first["eval_samples"] == 4
    rates = first["eval_cer"], first["eval_cer_ood"]
    assert first["eval_cer_harmonic"] == pytest.approx(2 / sum(1 / rate for rate in rates))
    assert 0.1 <= json.loads((tmp_path / "first" / "config.json").read_text())["temperature"] <= 10

    cli.main(["predict", str(tmp_path / "first"), str(data / "test-example.csv"), "--output", str(tmp_path / "r.csv")])
    with open(tmp_path / "r.csv", newline="") as file:
        read = list(csv.DictReader(file))
    assert set(read[0]) == {"path", "number", "confidence", "error"} and not any(row["error"] for row in read)
    clip = pipeline("audio-classification", model=str(tmp_path / "first"))(str(data / read[0]["path"]))
    assert clip["text"] == read[0]["number"]
    assert float(read[0]["confidence"]) == pytest.approx(clip["score"], abs=1e-4)

    guessed = tmp_path / "guessed.csv"
    cli.main(
        ["pseudo-label", str(tmp_path / "first"), str(table), "--min_confidence", "1e-9", "--output", str(guessed)]
    )
    assert "10 of 10 clips are labelled" in capsys.readouterr().out
    flags = "--pseudo_labels", str(guessed), "--model_name_or_path", str(tmp_path / "first")
    flags = (*flags, "--validation_fraction", "0")
    assert train("second", *flags)["train_samples"] == 40
    with pytest.raises(SystemExit):
        cli.main(
            ["pseudo-label", str(tmp_path / "first"), str(table), "--min_confidence", "1", "--output", "none.csv"]
        )
    assert "No clip reaches --min_confidence 1" in capsys.readouterr().err and not Path("none.csv").exists()


def test_spoken_numbers_speaks_its_own_clips_to_begin_with(spoken_numbers, tmp_path, monkeypatch):
    pytest.importorskip("espeakng_loader")
    data = make_spoken_numbers(tmp_path / "data", language="en-us", count=40)
    monkeypatch.setattr(
        spoken_numbers, "make_spoken_numbers", lambda **kw: make_spoken_numbers(tmp_path / "own", **kw)
    )
    flags = "--max_steps", "1", "--dataloader_num_workers", "0", "--language", "en-us", "--pretraining_clips", "10"
    argv = ["spoken_numbers.py", "--data_dir", str(data), "--output_dir", str(tmp_path / "out"), *flags]
    monkeypatch.setattr(sys, "argv", argv)
    spoken_numbers.run_recipe(spoken_numbers.make_task, spoken_numbers.SpokenNumbersArguments)
    results = json.loads((tmp_path / "out-pretrained" / "all_results.json").read_text())
    assert results["train_samples"] == 10
    assert "(demo)" in (tmp_path / "out-pretrained" / "README.md").read_text()
    assert "numbers first that eSpeak NG spoke" in (tmp_path / "out" / "README.md").read_text()
    again = ["--config", str(tmp_path / "out" / "training_args.json"), "--output_dir", str(tmp_path / "again")]
    repeated = parse_arguments(spoken_numbers.SpokenNumbersArguments, again)
    assert repeated.pretraining_clips == 10 and repeated.model_name_or_path is None


def test_spoken_numbers_by_words_forgets_no_voices_and_is_judged_by_people(spoken_numbers, tmp_path, monkeypatch):
    def write(name, numbers, speakers):
        (tmp_path / name).mkdir()
        rows = zip(range(len(numbers)), numbers, itertools.cycle(speakers))
        table = ["path,number,speaker", *(f"{place}.wav,{number},{speaker}" for place, number, speaker in rows), ""]
        for table_name in ("train.csv", "test.csv"):
            (tmp_path / name / table_name).write_text("\n".join(table))
        for place in range(len(numbers)):
            soundfile.write(tmp_path / name / f"{place}.wav", np.zeros(8000), 16000)
        return tmp_path / name

    data, other = (
        write("data", range(0, 960_000, 32_000 + 17), "abc"),
        write("varied", ["none of these", *range(19)] * 5, "xyz"),
    )
    (data / "test.csv").unlink()
    prompts = write("prompts", [5, 6, "none of these"], "p")
    monkeypatch.setattr("hf_audio.corpora.further_numbers.make_varied_numbers", lambda count: other)
    monkeypatch.setattr(spoken_numbers, "make_prompted_numbers", lambda folder: prompts)
    cut = []

    def recut(recordings, count):
        cut.append(sorted(recording.file for recording in recordings))
        return write(f"recut{len(cut)}", range(20, 20 + count), f"q{len(cut)}"[1:])

    monkeypatch.setattr("hf_audio.corpora.further_numbers.make_recut_numbers", recut)
    flags = ["--model", "words", "--data_dir", str(data), "--prompts", "P", "--output_dir", str(tmp_path / "out")]
    args = parse_arguments(spoken_numbers.SpokenNumbersArguments, flags)
    task = spoken_numbers.task_of(args, data)
    speakers = np.asarray(task.dataset["speaker"])
    assert set(speakers[task.further_tests["people"]]) == {"p"} and task.further_tests["people"].sum() == 3
    trained = ~task.held_out & ~task.further_tests["people"] & ~task.validation_rows
    assert len(set(speakers[task.validation_rows]) & set("abc")) == 1
    paths = np.asarray(task.dataset["path"])
    # Of the clips that are trained on and of those that validate, words are put together apart; of tests, none are.
    for rows, recut_voice, files in zip((trained, task.validation_rows), "12", cut, strict=True):
        own = [path for path, speaker in zip(paths[rows], speakers[rows], strict=True) if speaker in "abc"]
        assert sorted(own) == files and Counter(speakers[rows])[recut_voice] == len(own)
    assert sum(Counter(speakers[trained])[voice] for voice in "xyz") == len(cut[0])
    assert [-1] * 6 in np.asarray(task.dataset["label"])[trained].tolist()


def test_spoken_numbers_says_what_is_wrong_before_it_trains(spoken_numbers, tmp_path):
    pytest.importorskip("espeakng_loader")
    for wrong, says in (
        ({"language": "tlh", "data_dir": "."}, r"--language: eSpeak NG has no language 'tlh'"),
        ({"noise_dir": str(tmp_path / "gone")}, r"--noise_dir .*gone is not a folder"),
        ({"from_digits": True}, r"--from_digits puts recordings of --data_dir together"),
        ({"pretraining_clips": 5, "model_name_or_path": "x"}, r"exclude each other"),
        ({"language": "en-us", "model": "words"}, r"--model words is of numbers in Russian words: leave it out"),
        ({"from_digits": True, "data_dir": ".", "prompts": "."}, r"--prompts is of numbers in Russian words"),
    ):
        with pytest.raises(ArgumentError, match=says):
            spoken_numbers.SpokenNumbersArguments(**wrong)


def test_spoken_numbers_does_not_train_on_test_clips(spoken_numbers, tmp_path, caplog):
    rows = [f"{i}.wav,{i}" for i in range(6)]
    (tmp_path / "train.csv").write_text("\n".join(["path,number", *rows, ""]))
    (tmp_path / "test.csv").write_text("\n".join(["path,number", *rows[:2], ""]))
    dataset, masks = spoken_numbers.load_recordings(tmp_path)
    assert len(dataset) == 6 and masks["test"].tolist() == [False] * 4 + [True] * 2
    assert "2 clips of train.csv are test clips too" in caplog.text
