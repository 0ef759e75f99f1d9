"""Flags of a recipe, the file they may come from, and sentences for those that cannot be."""

import json
from dataclasses import dataclass, field

import pytest

from hf_audio.arguments import RecipeArguments
from hf_audio.errors import ArgumentError
from hf_audio.recipe_flags import parse_arguments


@dataclass
class Arguments(RecipeArguments):
    output_dir: str = field(default="out", metadata={"help": "Folder."})
    held_out: str | None = field(default=None, metadata={"help": "A name."})


def test_defaults_flags_and_file_in_rising_precedence(tmp_path):
    assert parse_arguments(Arguments, []).learning_rate == RecipeArguments(output_dir="x").learning_rate
    file = tmp_path / "run.yaml"
    file.write_text("learning_rate: 1e-3\nseed: 7\nheld_out: anna\nbf16: false\nlr_scheduler_type: linear\n")
    args = parse_arguments(Arguments, ["--config", str(file), "--seed", "9"])
    assert (args.learning_rate, args.seed, args.held_out, args.bf16) == (1e-3, 9, "anna", False)
    assert args.lr_scheduler_type == "linear"


def test_processes_that_do_not_meet_are_told_in_a_sentence(monkeypatch):
    def connect(self):
        raise RuntimeError("The client socket has timed out\nafter 4000ms.")

    monkeypatch.setattr(Arguments, "__post_init__", connect)
    with pytest.raises(ArgumentError, match=r"^The client socket has timed out after"):
        parse_arguments(Arguments, [])
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ArgumentError, match=r"The 2 processes of this training do not find one another \(The client"):
        parse_arguments(Arguments, [])


def test_a_file_is_named_in_either_spelling_and_once(tmp_path):
    (tmp_path / "a.yaml").write_text("seed: 7\nsave_strategy: no\n")
    args = parse_arguments(Arguments, [f"--config={tmp_path / 'a.yaml'}"])
    assert (args.seed, args.save_strategy) == (7, "no")
    with pytest.raises(ArgumentError, match="given 2 times"):
        parse_arguments(Arguments, ["--config", "a", "--config", "b"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("learning_rat: 1", "names 'learning_rat', which is no argument"),
        ("- a\n- b", "must hold lines"),
        ("a: [", "is not YAML"),
    ],
)
def test_bad_files_are_refused_in_a_sentence(tmp_path, text, says):
    (tmp_path / "run.yaml").write_text(text)
    with pytest.raises(ArgumentError, match=says):
        parse_arguments(Arguments, ["--config", str(tmp_path / "run.yaml")])
    with pytest.raises(ArgumentError, match="cannot be read"):
        parse_arguments(Arguments, ["--config", str(tmp_path / "gone.yaml")])


def test_an_unknown_flag_is_not_taken_for_another():
    with pytest.raises(ArgumentError, match="--held: no such argument; you may mean --held_out; see"):
        parse_arguments(Arguments, ["--held", "anna"])


def test_trainers_own_checks_end_in_a_sentence_too():
    with pytest.raises(ArgumentError, match="zigzag is not a valid"):
        parse_arguments(Arguments, ["--lr_scheduler_type", "zigzag"])
    with pytest.raises(ArgumentError, match=r"num_train_epochs.*invalid float value: 'many'"):
        parse_arguments(Arguments, ["--num_train_epochs", "many"])


def test_saved_arguments_start_the_same_run_again(tmp_path):
    args = parse_arguments(Arguments, ["--seed", "5", "--mixup_alpha", "0.3", "--learning_rate", "0.01"])
    (tmp_path / "training_args.json").write_text(json.dumps(args.to_dict()))
    again = parse_arguments(Arguments, ["--config", str(tmp_path / "training_args.json")])
    assert again.to_dict() == args.to_dict()
