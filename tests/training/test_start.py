"""Trainings of several processes that are killed and started again by their launcher."""

import socket
import subprocess

import pytest
import torch
from helpers.checkpoints import results, weights
from helpers.commands import TWO_PROCESSES, command, launch

FLAGS = ("--num_train_epochs", "4", "--per_device_train_batch_size", "4", "--report_to", "none")  # of 12 steps
FLAGS += ("--save_strategy", "steps", "--save_steps", "4", "--ema_decay", "0.5", "--dataloader_num_workers", "1")
FLAGS += ("--resume_from_checkpoint", "auto")
RESTARTED = [*TWO_PROCESSES, "--max_restarts", "1"]
# Or torchrun hands the addresses of killed processes to those that it starts in their place (pytorch issue 135712).
NEW_ADDRESSES = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}


@pytest.fixture(scope="module")
def undisturbed(tones, environment, tmp_path_factory):
    """The folder of a training by two processes."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    code, output = launch(environment, tones, out, *FLAGS, launcher=TWO_PROCESSES)
    assert code == 0, output
    return out


def start_two_agents(environment, tones, folders, *flags, restarts=0):
    """A launcher for each folder, as on a machine of its own, that starts one of two processes; their exits."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    launcher = ["-m", "torch.distributed.run", "--nnodes", "2", "--nproc_per_node", "1", "--rdzv_backend", "c10d"]
    launcher += ["--rdzv_endpoint", f"localhost:{port}", "--local_addr", "localhost", "--rdzv_id", str(port)]
    agents = [
        subprocess.Popen(
            command(
                tones, out, *flags, launcher=[*launcher, "--max_restarts", str(restarts)], recipe="killed_tones.py"
            ),
            env={**environment, **NEW_ADDRESSES, **own},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for out, own in folders
    ]
    told = [agent.communicate(timeout=600)[0] for agent in agents]
    return [(agent.returncode, output) for agent, output in zip(agents, told, strict=True)]


@pytest.mark.exhaustive
@pytest.mark.parametrize("killed", ["1:6", "0:2", "0:card"])
def test_killed_and_started_again_two_processes_end_with_the_same_weights(
    killed, undisturbed, tones, environment, tmp_path
):
    out = tmp_path / "out"
    environment = {**environment, **NEW_ADDRESSES, "KILLED": killed}
    code, output = launch(environment, tones, out, *FLAGS, launcher=RESTARTED, recipe="killed_tones.py")
    assert code == 0, output
    torch.testing.assert_close(weights(out), weights(undisturbed), atol=0, rtol=0)
    assert results(out)["eval_accuracy"] == results(undisturbed)["eval_accuracy"]
    assert {path.name for path in out.iterdir()} == {path.name for path in undisturbed.iterdir()}


@pytest.mark.exhaustive
@pytest.mark.parametrize("shared", [True, False])
def test_two_machines_of_which_one_loses_its_process_end_with_the_same_weights(
    shared, undisturbed, tones, environment, tmp_path
):
    homes = [{"HF_HOME": str(tmp_path / f"home{number}"), "KILLED": "1:6"} for number in (0, 1)]
    folders = [tmp_path / "out"] * 2 if shared else [tmp_path / "one" / "out", tmp_path / "two" / "out"]
    flags = FLAGS if shared else (*FLAGS, "--save_on_each_node", "true")
    told = start_two_agents(environment, tones, zip(folders, homes, strict=True), *flags, restarts=1)
    assert [code for code, _ in told] == [0, 0], told
    (finished,) = {folder for folder in folders if (folder / "all_results.json").exists()}
    torch.testing.assert_close(weights(finished), weights(undisturbed), atol=0, rtol=0)
    assert not [path.name for path in finished.iterdir() if path.name.startswith(".")]
