"""Every recipe, found by being there: starts from its demo corpus, takes two steps and leaves a folder that runs."""

import csv
import itertools
import json
import logging
import os
import runpy
import shutil
import subprocess
import sys
import sysconfig
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import soxr
import torch
from helpers.commands import load_recipe
from helpers.recordings import RATE, REPOSITORY, tone
from helpers.recordings import write_table as write_csv
from safetensors.torch import load_file
from transformers import pipeline

import hf_audio
from hf_audio import cli
from hf_audio.corpora.synthetic_numbers import make_spoken_numbers
from hf_audio.corpora.synthetic_sounds import make_environmental_sounds
from hf_audio.corpora.synthetic_voices import make_voices
from hf_audio.data.survey import Survey
from hf_audio.errors import ArgumentError
from hf_audio.recipe_flags import parse_arguments

RECIPES = sorted((REPOSITORY / "recipes").glob("*.py"))
LAUNCHED = "own_sounds"  # by accelerate, which checks what two steps do
FEW = ("--max_train_samples", "60", "--max_eval_samples", "20", "--per_device_train_batch_size", "8")


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_no_recipe_shadows_the_standard_library(recipe):
    assert recipe.stem not in sys.stdlib_module_names


@pytest.fixture
def run_script(demo_home, monkeypatch):
    """Runs a recipe as `python RECIPE` does, in this process: what a fresh one adds is seconds of imports."""

    def run(recipe, *flags):
        monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(demo_home))
        monkeypatch.setattr(sys, "argv", [str(recipe), *flags])
        runpy.run_path(str(recipe), run_name="__main__")

    return run


def check_demo_run(out, cache):
    assert json.loads((out / "all_results.json").read_text())["eval_samples"] > 0
    assert "demo" in (out / "README.md").read_text().lower()
    clip = next((cache / "hf_audio" / "demo").glob("*/*/*.wav"))
    assert pipeline("audio-classification", model=str(out))(str(clip))


@pytest.mark.slow
@pytest.mark.parametrize(
    "recipe",
    [pytest.param(path, marks=[pytest.mark.exhaustive] * (path.stem == LAUNCHED), id=path.stem) for path in RECIPES],
)
def test_two_steps_on_the_demo_corpus(recipe, run_script, demo_home, tmp_path, caplog):
    pytest.importorskip("espeakng_loader")
    with caplog.at_level(logging.INFO):
        run_script(recipe, "--output_dir", str(tmp_path / "out"), "--max_steps", "2", *FEW)
    assert "DEMO corpus" in caplog.text
    check_demo_run(tmp_path / "out", demo_home)


@pytest.mark.slow
def test_accelerate_launches_a_recipe(tmp_path, demo_home):
    pytest.importorskip("espeakng_loader")
    recipe = str(REPOSITORY / "recipes" / f"{LAUNCHED}.py")
    launch = [os.path.join(sysconfig.get_path("scripts"), "accelerate"), "launch"]
    config = ["--config_file", str(REPOSITORY / "accelerate_config.yaml")]
    done = subprocess.run(
        [*launch, *config, recipe, "--output_dir", str(tmp_path / "out"), "--max_steps", "2", *FEW],
        env={**os.environ, "HF_HOME": str(demo_home)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "DEMO corpus" in done.stdout + done.stderr
    check_demo_run(tmp_path / "out", demo_home)


def test_spoken_digits_splits_as_published(real_digits):
    recipe = load_recipe("spoken_digits")
    dataset = recipe.load_recordings(real_digits)
    assert dataset.features["label"].names == list("0123456789")
    held_out = recipe.hold_out(dataset, None)
    assert (len(held_out), held_out.sum()) == (3000, 300)
    names = [Path(path).stem for path in dataset.select(np.flatnonzero(held_out))["path"]]
    assert {int(name.rsplit("_", 1)[1]) for name in names} == set(range(5))
    held_out = recipe.hold_out(dataset, "theo")
    assert held_out.sum() == 500
    assert all(("_theo_" in path) == out for path, out in zip(dataset["path"], held_out, strict=True))


def test_spoken_digits_presets_are_small():
    recipe = load_recipe("spoken_digits")
    for name, preset in recipe.PRESETS.items():
        config = hf_audio.AudioCNNConfig(**preset, num_labels=10)
        model = hf_audio.AudioCNNForAudioClassification(config)
        assert sum(parameter.numel() for parameter in model.parameters()) <= 100_000, name
        assert (config.clip_samples, config.min_samples) == (18_400, 10_000)


def test_spoken_digits_refuses_other_folders_and_unknown_speakers(tmp_path, real_digits):
    recipe = load_recipe("spoken_digits")
    with pytest.raises(ValueError, match="holds no recordings"):
        recipe.load_recordings(tmp_path)
    with pytest.raises(ValueError, match=r"--held_out_speaker anna: .* george, jackson"):
        recipe.hold_out(recipe.load_recordings(real_digits), "anna")


@pytest.fixture(scope="module")
def esc50():
    return load_recipe("esc50")


def test_esc50_presets_are_as_small_as_they_say(esc50):
    for name, limit in (("default", 2_000_000), ("micro", 150_000)):
        model = hf_audio.AudioCNNForAudioClassification(hf_audio.AudioCNNConfig(**esc50.PRESETS[name], num_labels=50))
        assert sum(parameter.numel() for parameter in model.parameters()) <= limit, name
        assert model.config.clip_samples == 110_250


def test_esc50_reads_the_official_folds(esc50, real_sounds):
    dataset = esc50.load_recordings(real_sounds)
    assert len(dataset) == 2000 and len(dataset.features["label"].names) == 50
    assert Counter(dataset["fold"]) == dict.fromkeys("12345", 400)


def write_table(folder: Path, header="filename,fold,target,category,esc10,src_file,take", rows=()) -> Path:
    (folder / "meta").mkdir(parents=True)
    (folder / "meta" / "esc50.csv").write_text("\n".join([header, *rows, ""]))
    return folder


def test_esc50_refuses_tables_and_folds_that_cannot_be(esc50, tmp_path):
    with pytest.raises(ValueError, match=r"esc50.csv cannot be read"):
        esc50.load_recordings(tmp_path)
    rows = [f"{n}.wav,{n},{n},class{n},False,{n},A" for n in range(1, 5)]
    with pytest.raises(ValueError, match=r"has the folds 1, 2, 3, 4 and not 1 to 5"):
        esc50.load_recordings(write_table(tmp_path / "four", rows=rows))
    with pytest.raises(ValueError, match=r"has no column 'src_file': its columns are filename, fold, category"):
        esc50.load_recordings(write_table(tmp_path / "few", "filename,fold,category", ["a.wav,1,dog"]))
    with pytest.raises(ValueError, match=r"--fold 7 does not exist: ESC-50 has the folds 1 to 5"):
        esc50.ESC50Arguments(fold="7")


@pytest.mark.slow
def test_esc50_takes_what_users_hold_and_names_what_it_cannot_use(run_script, demo_home, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(demo_home))
    data = shutil.copytree(make_environmental_sounds(), tmp_path / "data")
    first, second, third, fourth = sorted((data / "audio").glob("1-*.wav"))[:4]
    samples, rate = soundfile.read(first)
    soundfile.write(first, np.stack([soxr.resample(samples, rate, 48_000)] * 2, axis=1), 48_000)
    soundfile.write(second, samples[:2000], rate)  # a tenth of a second
    third.unlink()
    fourth.write_bytes(b"")
    out = tmp_path / "out"
    run_script(
        REPOSITORY / "recipes" / "esc50.py",
        *("--data_dir", str(data), "--fold", "1", "--output_dir", str(out)),
        *("--max_steps", "2", "--dataloader_num_workers", "0", "--per_device_train_batch_size", "8"),
    )
    with open(out / "skipped.csv", newline="") as file:
        reasons = {Path(row["path"]).name: row["reason"] for row in csv.DictReader(file)}
    assert set(reasons) == {third.name, fourth.name}
    assert "cannot be read" in reasons[third.name] and "is empty" in reasons[fourth.name]
    with open(out / "predictions.csv", newline="") as file:
        judged = {row["path"] for row in csv.DictReader(file)}
    assert len(judged) == 38 and {first.name, second.name} <= judged


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
    monkeypatch.setattr(spoken_numbers, "make_varied_numbers", lambda count: other)
    monkeypatch.setattr(spoken_numbers, "make_prompted_numbers", lambda folder: prompts)
    cut = []

    def recut(recordings, count):
        cut.append(sorted(recording.file for recording in recordings))
        return write(f"recut{len(cut)}", range(20, 20 + count), f"q{len(cut)}"[1:])

    monkeypatch.setattr(spoken_numbers, "make_recut_numbers", recut)
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


def test_fsd_hears_clips_the_more_often_the_fewer_there_are(tmp_path):
    recipe = load_recipe("fsd")

    def settled(n_clips, *flags):
        args = parse_arguments(recipe.FSDArguments, ["--output_dir", str(tmp_path / "out"), *flags])
        recipe.settle_epochs(args, n_clips)
        return args.num_train_epochs, args.eval_delay

    assert settled(808) == (240, 216)  # only the last tenth is validated
    assert settled(9473)[0] == 99
    assert settled(808, "--model", "x") == (100, 90)
    assert settled(808, "--num_train_epochs", "40", "--eval_delay", "7") == (40, 7)
    assert settled(808, "--validation_fraction", "0") == (240, 0)


@pytest.fixture(scope="module")
def voice_gender():
    return load_recipe("voice_gender")


def test_voice_gender_presets_are_small_together_too(voice_gender):
    configs = [hf_audio.AudioCNNConfig(**preset, num_labels=2) for preset in voice_gender.PRESETS.values()]
    models = [hf_audio.AudioCNNForAudioClassification(config) for config in configs]
    assert sum(parameter.numel() for model in models for parameter in model.parameters()) <= 500_000


@pytest.mark.slow
def test_voice_gender_from_training_to_pseudo_labels_and_back(voice_gender, demo_home, tmp_path, monkeypatch, capsys):
    pytest.importorskip("espeakng_loader")
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(demo_home))
    data = shutil.copytree(make_voices(), tmp_path / "data")
    for table in data.glob("*.tsv"):  # a clip a speaker is enough
        rows = table.read_text().splitlines()
        table.write_text("\n".join([rows[0], *(row for row in rows if "_0.wav" in row), ""]))
    silent, cut, gone = sorted((data / "clips").glob("*anika*_0.wav"))[:3]
    soundfile.write(silent, np.zeros(32000), 16000)
    content = soundfile.read(cut)
    soundfile.write(data / "cut.mp3", *content)
    cut.write_bytes((data / "cut.mp3").read_bytes()[: (data / "cut.mp3").stat().st_size // 2])
    gone.unlink()

    def train(name, *flags):
        argv = ["voice_gender.py", "--data_dir", str(data), "--output_dir", str(tmp_path / name), "--max_steps", "1"]
        monkeypatch.setattr(sys, "argv", [*argv, "--dataloader_num_workers", "0", *flags])
        voice_gender.run_recipe(voice_gender.make_task, voice_gender.VoiceGenderArguments)
        return json.loads((tmp_path / name / "all_results.json").read_text())

    first = train("first")
    with open(tmp_path / "first" / "skipped.csv", newline="") as file:
        reasons = {Path(row["path"]).name: row["reason"] for row in csv.DictReader(file)}
    assert set(reasons) == {silent.name, cut.name, gone.name}
    assert "holds no speech" in reasons[silent.name] and "cut" in reasons[cut.name]
    validated = json.loads((tmp_path / "first-validated" / "all_results.json").read_text())
    assert (validated["train_samples"], first["train_samples"], first["eval_samples"]) == (42 - 3, 42 - 3 + 8, 12)
    assert {"eval_roc_auc", "eval_accuracy_speaker", "eval_roc_auc_speaker", "eval_f1_female"} <= set(first)
    with open(tmp_path / "first" / "predictions.csv", newline="") as file:
        assert len({row["group"] for row in csv.DictReader(file)}) == 12, "clips of one speaker count together"
    with open(tmp_path / "first" / "predictions_speaker.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 12
    card = (tmp_path / "first" / "README.md").read_text()
    assert all(f"]({name})" in card for name in ("roc_curve.png", "confusion_matrix.png", "pitch_scores.png"))
    assert "Not for decisions about people" in card and "Every clip gets an answer" not in card

    cli.main(["predict", str(tmp_path / "first"), str(silent), "--output", str(tmp_path / "r.csv")])
    assert "no speech" in (tmp_path / "r.csv").read_text()
    guessed, table = tmp_path / "guessed.csv", data / "train.tsv"
    cli.main(
        ["pseudo-label", str(tmp_path / "first"), str(table), "--min_confidence", "0.1", "--output", str(guessed)]
    )
    assert "of 6 clips are labelled" in capsys.readouterr().out
    n_guessed = len(guessed.read_text().splitlines()) - 1
    flags = "--pseudo_labels", str(guessed), "--validation_fraction", "0", "--balance", "loss"
    assert train("second", *flags)["train_samples"] == 42 - 3 + 8 + n_guessed  # those that validated before, too


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
    table = write_csv(tmp_path / "tags.csv", rows)
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
    return write_csv(folder / "annotations.csv", rows)


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
