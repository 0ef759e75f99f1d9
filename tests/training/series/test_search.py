"""`--search N`: what it leaves, that trials know nothing of each other, and what a kill does to it."""

import csv
import json
import logging
import math
import shutil
import sys
from types import SimpleNamespace

import pytest
import yaml
from helpers import tones as tones_recipe
from helpers.commands import command, load_recipe
from helpers.recordings import REPOSITORY
from hypothesis import given
from hypothesis import strategies as st

from hf_audio.arguments import RecipeArguments
from hf_audio.recipe_flags import parse_arguments
from hf_audio.training.series.search import LogUniform, Uniform, _objective, check_space, read_values
from hf_audio.training.start import run_recipe
from hf_audio.training.trainer import AudioTrainer

pytest.importorskip("optuna")

RECIPES = sorted(path.stem for path in (REPOSITORY / "recipes").glob("*.py"))
BRIEF = ("--num_train_epochs", "2", "--dataloader_num_workers", "0", "--disable_tqdm", "true")
# The loss tells two trainings apart where the accuracy of a few clips would not.
FLAGS = (*BRIEF, "--validation_fraction", "0.2", "--metric_for_best_model", "loss")


def start(tones, out, *flags) -> None:
    """A recipe, without a process for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", command(tones, out, *flags)[1:])
        run_recipe(tones_recipe.make_task, tones_recipe.TonesArguments)


def refusal(capsys, tones, out, *flags) -> str:
    with pytest.raises(SystemExit) as stopped:
        start(tones, out, *flags)
    assert stopped.value.code == 2
    (sentence,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    return sentence


def read_trials(folder) -> list[dict[str, str]]:
    with open(folder / "trials.csv", newline="") as file:
        return list(csv.DictReader(file))


def what_was_tried(folder) -> list[dict[str, str]]:
    """The trials, without what another attempt at the same ones changes."""
    return [
        {key: value for key, value in row.items() if key not in ("trial", "seconds")} for row in read_trials(folder)
    ]


@pytest.fixture(scope="module")
def searched(tones, tmp_path_factory):
    """The folder of an uninterrupted search."""
    out = tmp_path_factory.mktemp("searches") / "whole"
    start(tones, out, *FLAGS, "--search", "3")
    return out


def test_a_search_leaves_trials_and_the_best_arguments_and_no_model(searched):
    names = {path.name for path in searched.iterdir()}
    assert names == {
        *("search.db", "trials.csv", "search.png", "best_arguments.yaml"),
        *("training_args.json", "runs"),
    }
    assert not [path for path in searched.rglob("*") if path.suffix in (".safetensors", ".pt", ".bin")]
    rows = read_trials(searched)
    assert len(rows) == 3 and float(rows[0]["learning_rate"]) == 0.01, "the first trial is the command's own"
    assert len({row["loss"] for row in rows}) == 3
    assert (searched / "search.png").read_bytes().startswith(b"\x89PNG")
    best = min(rows, key=lambda row: float(row["loss"]))
    text = (searched / "best_arguments.yaml").read_text()
    values = yaml.safe_load(text)
    for name, space in tones_recipe.SEARCH_SPACE.items():
        assert values[name] == float(best[name]) and space.low <= values[name] <= space.high
    assert f"loss {float(best['loss']):.4f} on the validation clips" in text.splitlines()[0]
    assert "output_dir" not in values and "search" not in values
    read = parse_arguments(tones_recipe.TonesArguments, ["--config", str(searched / "best_arguments.yaml")])
    assert read.learning_rate == values["learning_rate"] and not read.search
    assert (read.num_train_epochs, read.validation_fraction, read.seed) == (2, 0.2, 1)


def test_a_trial_is_what_a_training_with_its_arguments_is(searched, tones, tmp_path):
    last = read_trials(searched)[-1]  # in which something of the others could be left
    flags = [word for name in tones_recipe.SEARCH_SPACE for word in (f"--{name}", last[name])]
    best = ("--config", str(searched / "best_arguments.yaml"))
    start(tones, tmp_path / "out", *best, *flags, *BRIEF)
    (state,) = (tmp_path / "out").glob("checkpoint-*/trainer_state.json")
    history = json.loads(state.read_text())["log_history"]
    told = [entry["eval_loss"] for entry in history if "eval_loss" in entry]
    assert told[-1] == pytest.approx(float(last["loss"]), rel=1e-6)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_interrupted_the_same_command_comes_to_the_same_end(searched, tones, tmp_path, monkeypatch, capsys):
    steps, step = [], AudioTrainer.training_step

    def interrupted(self, *args):
        steps.append(1)
        if len(steps) == 6:  # of the second trial
            raise KeyboardInterrupt
        return step(self, *args)

    out = tmp_path / "out"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(AudioTrainer, "training_step", interrupted)
        start(tones, out, *FLAGS, "--search", "2")
    assert what_was_tried(out) == what_was_tried(searched)[:1]
    assert "holds what was trained with --learning_rate" in refusal(
        capsys, tones, out, *FLAGS, "--search", "2", "--learning_rate", "0.5"
    )
    assert "already holds other files, best_arguments.yaml for one" in refusal(capsys, tones, out, *FLAGS)
    start(tones, out, *FLAGS, "--search", "3")
    assert what_was_tried(out) == what_was_tried(searched)
    assert "holds 3 finished trials already: raise --search" in refusal(capsys, tones, out, *FLAGS, "--search", "3")
    assert (out / "best_arguments.yaml").read_text() == (searched / "best_arguments.yaml").read_text()


@pytest.mark.exhaustive
def test_a_trial_that_diverges_is_the_worst_and_the_search_goes_on(tones, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(tones_recipe, "SEARCH_SPACE", {"learning_rate": LogUniform(1e-3, 1e30)})
    flags = (*FLAGS, "--learning_rate", "1e20", "--metric_for_best_model", "accuracy")  # the first trial's
    start(tones, tmp_path / "out", *flags, "--search", "2")
    first, _ = read_trials(tmp_path / "out")
    assert float(first["accuracy"]) == -math.inf
    # The last lines are for people: what was found, and the command that uses it.
    recipe, best = tones_recipe.__file__, tmp_path / "out" / "best_arguments.yaml"
    assert caplog.messages[-1] == f"Next: python {recipe} --config {best} --output_dir NEW"
    assert caplog.messages[-3].startswith("The best of 2 trials has accuracy") and "{" not in caplog.messages[-3]


@pytest.mark.exhaustive
def test_another_space_is_another_search(searched, tones, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    shutil.copytree(searched, out)
    monkeypatch.setitem(tones_recipe.SEARCH_SPACE, "mixup_alpha", Uniform(0.1, 0.2))
    assert "holds a search of other arguments" in refusal(capsys, tones, out, *FLAGS, "--search", "4")
    monkeypatch.setattr(tones_recipe, "SEARCH_SPACE", None)
    assert "declares no SEARCH_SPACE" in refusal(capsys, tones, tmp_path / "new", *FLAGS, "--search", "4")


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (
            ("--validation_fraction", "0"),
            "--search goes by validation clips, and there are none: add --validation_fraction 0.1",
        ),
        (("--baseline",), "--baseline goes not with it"),
        (("--push_to_hub", "true"), "--push_to_hub goes not with it"),
        (("--resume_from_checkpoint", "last"), "--resume_from_checkpoint goes not with it"),
        (("--folds", "all"), "a cross-validation has several: hold out one"),
        (("--search", "-1"), "--search -1 must not be negative"),
    ],
)
def test_what_cannot_be_searched_is_refused(tones, tmp_path, capsys, flags, sentence):
    assert sentence in refusal(capsys, tones, tmp_path / "out", *FLAGS, "--search", "2", *flags)
    assert not (tmp_path / "out").exists()


def test_two_processes_are_refused(monkeypatch):
    monkeypatch.setattr(RecipeArguments, "world_size", 2)
    with pytest.raises(ValueError, match=r"--search runs in one process"):
        RecipeArguments(search=2, validation_fraction=0.1)


def test_without_optuna_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("hf_audio.arguments.importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"no optuna to search with, pip install 'hf-audio\[search\]'"):
        RecipeArguments(search=2, validation_fraction=0.1)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_declares_a_space_of_legal_arguments(name, tmp_path):
    recipe = load_recipe(name)
    check_space(recipe.SEARCH_SPACE)
    (kind,) = [
        kind
        for kind in vars(recipe).values()
        if isinstance(kind, type) and issubclass(kind, RecipeArguments) and kind.__module__ == recipe.__name__
    ]
    for end in ("low", "high"):
        values = {argument: getattr(space, end) for argument, space in recipe.SEARCH_SPACE.items()}
        kind(output_dir=str(tmp_path), data_dir=str(tmp_path), **values)
    default = kind(output_dir=str(tmp_path), data_dir=str(tmp_path))
    assert all(s.low <= getattr(default, argument) <= s.high for argument, s in recipe.SEARCH_SPACE.items() if s.log)


def test_a_space_of_what_no_trial_could_change_is_refused():
    with pytest.raises(ValueError, match=r"balance cannot be searched: of a SEARCH_SPACE are ema_decay,"):
        check_space({"balance": Uniform(0, 1)})
    with pytest.raises(ValueError, match=r"is no range"):
        Uniform(0.2, 0.1)
    with pytest.raises(ValueError, match=r"above 0"):
        LogUniform(0, 1)


@given(st.floats(1e-6, 1e3), st.floats(1.01, 1e4), st.floats(0, 1))
def test_values_have_three_digits_and_stay_in_their_range(low, ratio, place):
    space = {"learning_rate": LogUniform(low, low * ratio)}
    drawn = low * ratio**place
    value = read_values(space, {"learning_rate": drawn})["learning_rate"]
    assert low <= value <= low * ratio and value == pytest.approx(drawn, rel=6e-3)
    assert value in (low, low * ratio) or float(f"{value:.2e}") == value
    assert yaml.safe_load(yaml.safe_dump(value)) == value


@pytest.mark.parametrize("keeps_best", [True, False])
def test_the_objective_is_of_the_epoch_that_would_be_kept(keeps_best):
    trainer = SimpleNamespace(
        args=SimpleNamespace(load_best_model_at_end=keeps_best), state=SimpleNamespace(best_metric=0.7)
    )
    assert _objective(trainer, "accuracy", "maximize", {"eval_accuracy": 0.5}) == (0.7 if keeps_best else 0.5)
    assert _objective(trainer, "accuracy", "maximize", {"eval_accuracy": 0.9}) == 0.9
    assert _objective(trainer, "cer", "minimize", {"eval_cer": 0.9}) == (0.7 if keeps_best else 0.9)
    trainer.state.best_metric = None
    assert _objective(trainer, "accuracy", "maximize", {"eval_accuracy": math.nan}) == -math.inf
    assert _objective(trainer, "cer", "minimize", {"eval_cer": math.nan}) == math.inf
