"""Recipes by name and file, from the command line and from Python."""

import re
import shutil
from pathlib import Path

import pytest
from helpers.commands import load_recipe as load_by_name
from helpers.recordings import REPOSITORY
from transformers import TrainerCallback

import hf_audio
from hf_audio import cli
from hf_audio.arguments import Group
from hf_audio.errors import ArgumentError
from hf_audio.recipe_flags import RecipeParser
from hf_audio.training import recipes
from hf_audio.training.recipes import describe_recipes, find_recipe, list_recipes, load_recipe

NAMES = ["esc50", "fsd", "own_sounds", "spoken_digits", "spoken_numbers", "voice_gender"]
TONES = REPOSITORY / "tests" / "helpers" / "tones.py"


def refused(capsys, *argv) -> str:
    with pytest.raises(SystemExit) as end:
        cli.main(["train", *map(str, argv)])
    assert end.value.code == 2
    (sentence,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    return sentence.removeprefix("error: ")


def test_every_recipe_is_listed_with_a_line(capsys):
    assert list(list_recipes()) == NAMES
    cli.main(["train", "--help"])
    told = capsys.readouterr().out
    assert told.strip() == describe_recipes() and max(map(len, told.splitlines())) <= 119
    assert re.findall(r"^  (\w+)  ", told, re.MULTILINE) == NAMES and "one of fifty classes" in told


@pytest.mark.parametrize("name", NAMES)
def test_help_shows_what_a_recipe_is_about_on_two_screens(name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as end:
        cli.main(["train", name, "--help"])
    page = capsys.readouterr().out
    assert end.value.code == 0
    assert len(page.splitlines()) <= 96 and max(map(len, page.splitlines())) <= 119
    assert re.findall(r"^(\w.*):$", page, re.MULTILINE) == [*Group, "further"]
    module = load_by_name(name)
    own = set(recipes.load_recipe(REPOSITORY / "recipes" / f"{name}.py").arguments_class.__annotations__)
    assert module.__doc__.partition("\n")[0] in page
    shown = re.findall(r"^  --(\w+)", page, re.MULTILINE)
    assert own | {"data_dir", "learning_rate", "overwrite"} <= set(shown) and len(shown) == len(set(shown))
    assert "adam_beta1" not in shown and "help_all" in shown


def test_help_all_shows_every_flag():
    arguments_class = load_recipe(list_recipes()["fsd"]).arguments_class
    parser = RecipeParser(arguments_class, "hf-audio train fsd")
    shown = re.findall(r"^  --(\w+)", parser.help_page(everything=True), re.MULTILINE)
    assert {"adam_beta1", "save_total_limit", "label_rounds"} <= set(shown)
    assert set(shown) | {"help"} == set(parser.names)


def test_what_is_trained_by(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fsd").mkdir()  # a name comes first
    (tmp_path / "mine.py").touch()
    (tmp_path / "clips.csv").touch()
    assert find_recipe("fsd") == (REPOSITORY / "recipes" / "fsd.py", {})
    assert find_recipe("mine.py") == find_recipe(Path("mine.py")) == (Path("mine.py"), {})
    own = REPOSITORY / "recipes" / "own_sounds.py"
    assert find_recipe("./fsd") == (own, {"data_dir": "./fsd"})
    assert find_recipe("clips.csv") == (own, {"data_dir": "clips.csv"})
    with pytest.raises(ArgumentError, match=r"own-sounds is neither a recipe .* you may mean own_sounds"):
        find_recipe("own-sounds")
    with pytest.raises(ArgumentError, match="give one of esc50, fsd, own_sounds"):
        find_recipe("gone.csv")


def test_installed_recipes_lie_in_the_package(tmp_path, monkeypatch):
    shutil.copytree(REPOSITORY / "recipes", tmp_path / "hf_audio" / "recipes")
    monkeypatch.setattr(recipes, "PACKAGE", tmp_path / "hf_audio")
    assert list_recipes()["fsd"] == tmp_path / "hf_audio" / "recipes" / "fsd.py" and list(list_recipes()) == NAMES


@pytest.mark.parametrize(
    ("flag", "meant"),
    [
        ("dataset_config_name", "dataset_config"),
        ("audio_column_name", "audio_column"),
        ("label_column_name", "label_column"),
        ("max_length_seconds", "excerpt_seconds"),
        ("freeze_feature_encoder", "freeze front"),
        ("overwrite_output_dir", "overwrite"),
        ("lr", "learning_rate"),
        ("validation_fracton", "validation_fraction"),
    ],
)
def test_foreign_and_mistyped_flags_name_their_neighbour(flag, meant, capsys):
    told = refused(capsys, "own_sounds", f"--{flag}", "3")
    assert told == f"--{flag}: no such argument; you may mean --{meant}; see hf-audio train own_sounds --help."


def test_a_file_that_is_no_recipe_is_refused(tmp_path, capsys):
    for name, text, says in (
        ("plain.py", "x = 1", "is no recipe: it needs make_task"),
        ("untyped.py", "def make_task(args): ...", "is no recipe: it needs make_task"),
        ("json.py", "", "has the name of another module"),
        ("hf_audio.py", "", "has the name of another module"),
    ):
        (tmp_path / name).write_text(text)
        assert says in refused(capsys, tmp_path / name)
    assert refused(capsys).startswith("hf-audio train needs a recipe, or a folder of recordings")
    assert "both say where the recordings are" in refused(capsys, tmp_path, "--data_dir", "x")


def test_a_folder_of_sounds_is_trained_on(tone_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cli.main(["train", str(tone_folder), "--max_steps", "2", "--output_dir", "out", "--report_to", "none"])
    card = (tmp_path / "out" / "README.md").read_text()
    assert "`hf-audio train own_sounds --data_dir tones --max_steps 2 --output_dir out --report_to none`" in card


class Watching(TrainerCallback):
    """Stands for the progress bar of notebooks."""

    ended = False

    def on_train_end(self, *_, **__):
        Watching.ended = True


def test_python_trains_by_keywords_and_gives_the_run(tone_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("transformers.trainer.DEFAULT_PROGRESS_CALLBACK", Watching)
    out = tmp_path / "out"
    run = hf_audio.train(
        TONES, data_dir=tone_folder, output_dir=out, max_steps=3, report_to=[], learning_rate="1e-2", run_name=None
    )
    assert Watching.ended and run.folder == out and run.metrics["eval_samples"] == 9
    assert f"`hf-audio train tones.py --data_dir tones --output_dir {out.name} --max_steps 3" in run.card
    again = hf_audio.load_run(out)
    assert again.metrics == run.metrics and again.predictions.equals(run.predictions)
    with pytest.raises(ArgumentError, match="already holds a finished run: choose another folder, or replace"):
        hf_audio.train(TONES, data_dir=tone_folder, output_dir=out, max_steps=3)


def test_python_refuses_as_the_command_line_does(tone_folder):
    with pytest.raises(ArgumentError, match="--label_column_name: no such argument; you may mean --label_column; "):
        hf_audio.train("own_sounds", data_dir=tone_folder, label_column_name="x")
    with pytest.raises(ArgumentError, match=r"--balance: invalid choice: 'both'.* see hf-audio train own_sounds"):
        hf_audio.train(tone_folder, balance="both")
    with pytest.raises(ArgumentError, match="--max_train_samples 0 must be at least 1"):
        hf_audio.train("own_sounds", data_dir=tone_folder, max_train_samples=0)
