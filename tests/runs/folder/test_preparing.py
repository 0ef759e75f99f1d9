"""What a command finds in the folder that it is to write into."""

import json
from pathlib import Path

import pytest

from hf_audio.arguments import RecipeArguments
from hf_audio.errors import ArgumentError
from hf_audio.runs.folder.finishing import finishing
from hf_audio.runs.folder.preparing import prepare_output_dir, read_finished


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


def test_several_processes_go_on_from_the_newest_checkpoint_that_all_see(tmp_path, second_process):
    leave_checkpoint(tmp_path, 8)
    old = leave_checkpoint(tmp_path, 4)
    makes_way = [None, False]
    second_process.extend([*makes_way, {"checkpoint-4": 4}])  # killed while it wrote the other one
    assert prepare_output_dir(repeat(tmp_path)) == old
    second_process.extend([*makes_way, {}])
    with pytest.raises(ArgumentError, match=r"Process 1 does not see .*checkpoint-8.*--save_on_each_node true"):
        prepare_output_dir(repeat(tmp_path))
