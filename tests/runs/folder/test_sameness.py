"""What the processes of a run must share."""

import pytest

from hf_audio.arguments import RecipeArguments
from hf_audio.runs.folder.sameness import check_same_command


@pytest.mark.parametrize("change", [{"overwrite": True}, {"resume_from_checkpoint": "auto"}, {"logging_steps": 7}])
def test_what_processes_must_share_to_wait_for_each_other_is_compared(change, tmp_path, second_process):
    told = []
    for changed in ({}, change):
        args = RecipeArguments(output_dir=str(tmp_path), report_to="none", **changed)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("hf_audio.runs.agreement.check_alike", lambda _, facts, __: told.append(facts))
            check_same_command(args)
    assert [name for name in told[1] if told[1][name] != told[3][name]] == [f"--{name}" for name in change]
