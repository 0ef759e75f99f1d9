"""What is found in the folder of a run, and what a new run may do to it."""

import json
import shutil

import pytest
from helpers.checkpoints import results

from hf_audio.runs.folder import last_checkpoint

SHORT = ("--max_steps", "2", "--report_to", "none")


@pytest.fixture(scope="module")
def trained(tones, tmp_path_factory):
    from helpers.recordings import REPOSITORY

    import hf_audio

    folder = tmp_path_factory.mktemp("runs") / "out"
    recipe = REPOSITORY / "tests" / "helpers" / "tones.py"
    return hf_audio.train(recipe, data_dir=tones, output_dir=folder, max_steps=2, report_to="none").folder


@pytest.fixture
def finished(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "out")


def test_overwriting_is_asked_for_and_said(finished, tones, run_here):
    (finished / "notes.txt").write_text("mine")
    code, told = run_here(tones, finished, *SHORT)
    assert code == 2 and "already holds a finished run" in told and "--overwrite true" in told
    validated = finished.with_name("out-validated")
    shutil.copytree(finished, validated)
    unrelated = finished.with_name("out-pretrained")
    unrelated.mkdir()
    (unrelated / "a.wav").touch()
    code, told = run_here(tones, finished, *SHORT, "--seed", "5", "--overwrite", "true")
    assert code == 0 and f"--overwrite: deleting the run in {finished} and {validated}." in told
    assert results(finished)["seed"] == 5 and not (finished / "notes.txt").exists() and not validated.exists()
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
