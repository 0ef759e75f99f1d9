"""How the files of a finished run come into its folder."""

import json
import os
from pathlib import Path

import pytest

from hf_audio.arguments import RecipeArguments
from hf_audio.runs.folder.finishing import finishing
from hf_audio.runs.folder.preparing import prepare_output_dir


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
