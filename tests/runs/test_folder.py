"""What is found in the folder of a run, and what a new run may do to it."""

import json
import os
import shutil
from pathlib import Path

import pytest
from helpers.checkpoints import results

from hf_audio.arguments import RecipeArguments
from hf_audio.errors import ArgumentError
from hf_audio.runs.folder import check_same_command, finishing, last_checkpoint, prepare_output_dir, read_finished

SHORT = ("--max_steps", "2", "--report_to", "none")


@pytest.fixture(scope="module")
def trained(tones, tmp_path_factory):
    from helpers.recordings import REPOSITORY

    import hf_audio

    folder = tmp_path_factory.mktemp("runs") / "out"
    recipe = REPOSITORY / "tests" / "helpers" / "tones.py"
    flags = {"max_steps": 2, "report_to": "none", "bf16": False, "seed": 1}  # as `helpers.commands.command`
    return hf_audio.train(recipe, data_dir=tones, output_dir=folder, **flags).folder


@pytest.fixture
def finished(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "out")


def test_overwriting_is_asked_for_and_said(finished, tones, run_here):
    code, told = run_here(tones, finished, *SHORT)
    assert code == 2 and "already holds a finished run" in told and "--overwrite true" in told
    validated = finished.with_name("out-validated")
    shutil.copytree(finished, validated)
    (finished / "notes.txt").write_text("mine")
    unrelated = finished.with_name("out-pretrained")
    unrelated.mkdir()
    (unrelated / "a.wav").touch()
    code, told = run_here(tones, finished, *SHORT, "--seed", "5", "--overwrite", "true")
    assert code == 0 and f"--overwrite: deleting the run in {finished} and {validated}." in told
    assert results(finished)["seed"] == 5 and not validated.exists()
    assert (finished / "notes.txt").read_text() == "mine", "no run has written it"
    assert (unrelated / "a.wav").exists(), "no run of ours"
    assert "overwrite" not in json.loads((finished / "training_args.json").read_text()), "it would overwrite again"


def test_nothing_is_deleted_for_a_command_that_cannot_start(finished, tones, run_here):
    before = sorted(path.name for path in finished.iterdir())
    for flags, says in (
        (["--balance", "both"], "invalid choice"),
        (["--model_name_or_path", str(finished)], f"--model_name_or_path {finished} lies in what --overwrite would"),
        (["--data_dir", str(finished)], "holds"),
    ):
        code, told = run_here(tones, finished, *SHORT, "--overwrite", "true", *flags)
        assert code == 2 and says in told
        assert sorted(path.name for path in finished.iterdir()) == before


def test_a_folder_without_a_run_is_not_emptied(tones, tmp_path, run_here):
    (tmp_path / "notes.txt").write_text("mine")
    code, told = run_here(tones, tmp_path, *SHORT, "--overwrite", "true")
    assert code == 2 and "already holds other files" in told and (tmp_path / "notes.txt").exists()


def test_an_unfinished_run_is_resumed_rather_than_overwritten(finished, tones, run_here):
    (finished / "all_results.json").unlink()
    flags = (*SHORT, "--max_steps", "4", "--overwrite", "true")
    code, told = run_here(tones, finished, *flags, "--resume_from_checkpoint", "last")
    assert code == 0 and "--overwrite:" not in told and (finished / "checkpoint-4").exists()
    (finished / "all_results.json").unlink()
    code, told = run_here(tones, finished, *SHORT, "--overwrite", "true")
    assert code == 0 and "--overwrite: deleting" in told and not (finished / "checkpoint-4").exists()


def test_a_dry_run_says_so_in_its_card(tones, tmp_path, run_here):
    flags = ("--max_train_samples", "12", "--max_eval_samples", "3", "--validation_fraction", "0.3")
    code, told = run_here(tones, tmp_path / "out", *SHORT, *flags)
    assert code == 0, told
    assert (results(tmp_path / "out")["train_samples"], results(tmp_path / "out")["eval_samples"]) == (8, 3)
    card = (tmp_path / "out" / "README.md").read_text()
    assert "**A dry run** on a part of the clips (`--max_train_samples 12 --max_eval_samples 3`)" in card


def test_the_last_checkpoint_is_the_last_complete_one(tmp_path):
    assert last_checkpoint(tmp_path) is None
    for step, state in ((10, '{"global_step": 10}'), (9, '{"global_step": 9}'), (20, '{"global_st'), (30, None)):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        if state is not None:
            (folder / "trainer_state.json").write_text(state)
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-10"


@pytest.mark.parametrize("n_moved", range(4))
def test_a_run_that_was_killed_while_its_files_were_moved_begins_anew(n_moved, tmp_path, monkeypatch):
    args = RecipeArguments(output_dir=str(tmp_path / "out"), report_to="none")
    prepare_output_dir(args)
    out, moved = Path(args.output_dir), []

    def replace(source, target, move=os.replace):
        if Path(target).parent == out:
            if len(moved) == n_moved:
                raise KeyboardInterrupt
            moved.append(target)
        move(source, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("os.replace", replace)
        with finishing(out, {"eval_accuracy": 1.0}) as folder:
            for name in ("README.md", "model.safetensors", "predictions.csv"):
                (folder / name).write_text("x")
    assert len(list(out.glob("[!.]*"))) == n_moved + 1
    prepare_output_dir(args)
    assert [path.name for path in out.iterdir()] == ["training_args.json"]


def test_results_are_json_whatever_was_measured(tmp_path):
    with finishing(tmp_path, {"a": float("nan"), "b": [1.0, float("inf")], "c": {"d": 0.5}}):
        pass
    text = (tmp_path / "all_results.json").read_text()
    told = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert told == {"a": None, "b": [1.0, None], "c": {"d": 0.5}, "files": []}


def test_others_may_read_what_a_run_leaves(tmp_path):
    mask = os.umask(0o022)
    try:
        with finishing(tmp_path, {}) as folder:
            (folder / "model.safetensors").touch(0o600)
    finally:
        os.umask(mask)
    assert (tmp_path / "model.safetensors").stat().st_mode & 0o777 == 0o644


def leave_checkpoint(folder: Path, step: int) -> Path:
    """What of a checkpoint is looked at before any time is spent."""
    checkpoint = folder / f"checkpoint-{step}"
    checkpoint.mkdir(parents=True, exist_ok=True)
    (checkpoint / "optimizer.pt").touch()
    (checkpoint / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    return checkpoint


def repeat(out: Path, **changes) -> RecipeArguments:
    """The arguments of a command that may be started again and again."""
    return RecipeArguments(output_dir=str(out), report_to="none", resume_from_checkpoint="auto", **changes)


def test_a_command_that_is_started_again_begins_goes_on_or_ends(tmp_path, caplog):
    out, changed = tmp_path / "out", {"learning_rate": 0.5}
    assert prepare_output_dir(repeat(out)) is None and read_finished(repeat(out)) is None
    (out / "tmp-checkpoint-4").mkdir()  # killed before the first checkpoint was whole
    assert prepare_output_dir(repeat(out)) is None
    checkpoint = leave_checkpoint(out, 4)
    assert prepare_output_dir(repeat(out)) == checkpoint
    with pytest.raises(ArgumentError, match="trained with --learning_rate"):
        prepare_output_dir(repeat(out, **changed))
    with finishing(out, {"eval_accuracy": 1.0}):
        pass
    with caplog.at_level("INFO"):
        assert read_finished(repeat(out))["eval_accuracy"] == 1.0 and "finished" in caplog.text
    with pytest.raises(ArgumentError, match="trained with --learning_rate"):
        read_finished(repeat(out, **changed))
    assert read_finished(RecipeArguments(output_dir=str(out), report_to="none")) is None, "not asked for"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    with pytest.raises(ArgumentError, match="already holds other files, notes"):
        prepare_output_dir(repeat(tmp_path / "mine"))


def test_a_finished_run_that_is_made_longer_is_unfinished_until_its_end(tmp_path):
    out = tmp_path / "out"
    prepare_output_dir(repeat(out))
    checkpoint = leave_checkpoint(out, 4)
    with finishing(out, {"eval_accuracy": 0.5}):
        pass
    longer = repeat(out, num_train_epochs=9)
    longer.resume_from_checkpoint = "last"
    assert prepare_output_dir(longer) == checkpoint
    # Killed now, and started again.
    assert read_finished(repeat(out, num_train_epochs=9)) is None
    assert prepare_output_dir(repeat(out, num_train_epochs=9)) == checkpoint
    with finishing(out, {"eval_accuracy": 1.0}):
        pass
    assert read_finished(repeat(out, num_train_epochs=9))["eval_accuracy"] == 1.0


def test_a_best_epoch_that_one_machine_alone_could_load_is_refused(tmp_path, second_process, caplog):
    nowhere = [None, False, {}, False, None, False]  # of another machine, from `make_way` to what it sees
    second_process.extend(nowhere)
    assert prepare_output_dir(RecipeArguments(output_dir=str(tmp_path / "a"), report_to="none")) is None
    assert "Process 1 does not see" in caplog.text
    best = {"load_best_model_at_end": True, "validation_fraction": 0.1, "report_to": "none"}
    second_process.extend(nowhere)
    with pytest.raises(ArgumentError, match=r"Process 1 does not see .* miss the best epoch: .*--save_on_each_node"):
        prepare_output_dir(RecipeArguments(output_dir=str(tmp_path / "b"), **best))
    second_process.extend(nowhere)
    assert prepare_output_dir(RecipeArguments(output_dir=str(tmp_path / "c"), save_on_each_node=True, **best)) is None


@pytest.mark.parametrize("change", [{"overwrite": True}, {"resume_from_checkpoint": "auto"}, {"logging_steps": 7}])
def test_what_processes_must_share_to_wait_for_each_other_is_compared(change, tmp_path, second_process):
    told = []
    for changed in ({}, change):
        args = RecipeArguments(output_dir=str(tmp_path), report_to="none", **changed)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("hf_audio.runs.agreement.check_alike", lambda _, facts, __: told.append(facts))
            check_same_command(args)
    assert [name for name in told[1] if told[1][name] != told[3][name]] == [f"--{name}" for name in change]


def test_several_processes_go_on_from_the_newest_checkpoint_that_all_see(tmp_path, second_process):
    leave_checkpoint(tmp_path, 8)
    old = leave_checkpoint(tmp_path, 4)
    makes_way = [None, False]
    second_process.extend([*makes_way, {"checkpoint-4": 4}])  # killed while it wrote the other one
    assert prepare_output_dir(repeat(tmp_path)) == old
    second_process.extend([*makes_way, {}])
    with pytest.raises(ArgumentError, match=r"Process 1 does not see .*checkpoint-8.*--save_on_each_node true"):
        prepare_output_dir(repeat(tmp_path))
