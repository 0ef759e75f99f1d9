"""Several processes of one training, the second of which is pretended."""

import socket

import pytest
import torch

from hf_audio.arguments import RecipeArguments
from hf_audio.errors import ArgumentError
from hf_audio.runs.agreement import (
    PACKAGES,
    check_alike,
    check_same_program,
    lost_processes_are_told,
    refuse_together,
    warn_of_old_addresses,
)


@pytest.fixture
def args(tmp_path):
    return RecipeArguments(output_dir=str(tmp_path), report_to="none")


def refuse() -> None:
    raise ArgumentError("There is no such folder.")


def test_what_one_process_refuses_all_refuse(args, second_process):
    assert refuse_together(args, lambda: 7) == 7
    second_process.append("The disk is full.")
    with pytest.raises(ArgumentError, match="The disk is full"):
        refuse_together(args, lambda: 7)
    second_process.append(None)
    with pytest.raises(ArgumentError, match="no such folder"):
        refuse_together(args, refuse)


def test_a_difference_between_machines_is_named_with_both(args, second_process):
    check_alike(args, {"Training clips": 27}, "copy them")
    second_process.append(("other", {"Training clips": 26}))
    with pytest.raises(ArgumentError) as refused:
        check_alike(args, {"Training clips": 27}, "copy them")
    host = socket.gethostname()
    assert str(refused.value) == f"Training clips: 27 in process 0 on {host}, 26 in process 1 on other: copy them."


def test_machines_with_other_packages_or_arguments_are_refused_and_own_places_are_not(args, second_process):
    check_same_program(args, {"learning_rate": 0.1})
    versions = {"hf_audio": "0.1.0"} | dict.fromkeys(PACKAGES, "1.0")
    second_process.append(("other", versions))
    with pytest.raises(ArgumentError, match=r"torch: .* in process 0 on .*, 1\.0 in process 1 on other: install"):
        check_same_program(args, {})
    told = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hf_audio.runs.agreement.check_alike", lambda _, facts, __: told.append(facts))
        check_same_program(args, {"data_dir": "/data/sounds", "optim": "muon", "bf16": False, "tests": ["a"]})
    assert told[1] == {"--optim": "muon", "--bf16": False}


def test_a_lost_connection_is_told_in_a_sentence_and_other_errors_stay(monkeypatch):
    lost = "[pair.cc:534] Connection closed by peer [127.0.0.1]:4242. This may indicate a remote failure.\nstack"
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    told = pytest.raises(ArgumentError, match=r"was lost \(.*Connection closed by peer .*what that one says")
    with told, lost_processes_are_told():
        raise RuntimeError(lost)
    with pytest.raises(RuntimeError, match="shapes differ"), lost_processes_are_told():
        raise RuntimeError("shapes differ")


def test_a_launcher_that_keeps_old_addresses_is_warned_of(monkeypatch, caplog):
    for restarts, keeps, warned in (("0", "True", False), ("2", "False", False), ("2", "True", True)):
        monkeypatch.setenv("TORCHELASTIC_MAX_RESTARTS", restarts)
        monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", keeps)
        warn_of_old_addresses()
        assert ("TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1" in caplog.text) == warned
