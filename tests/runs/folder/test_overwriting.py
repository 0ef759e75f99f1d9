"""What a new run may do to the folder of an old one."""

import json
import shutil

import pytest
from helpers.checkpoints import results

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
