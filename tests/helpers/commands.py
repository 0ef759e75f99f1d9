"""Recipes started as users start them."""

import functools
import importlib.util
import logging
import multiprocessing
import multiprocessing.forkserver
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch

from helpers import tones as tones_recipe
from helpers.recordings import REPOSITORY
from hf_audio.training.start import run_recipe

PRELOADED = ("helpers.commands", "hf_audio.cli", "hf_audio.training.fine_tune")


def command(tones, out, *flags, launcher=(), recipe="tones.py"):
    common = ["--data_dir", str(tones), "--output_dir", str(out), "--bf16", "false", "--seed", "1"]
    return [sys.executable, *launcher, str(REPOSITORY / "tests" / "helpers" / recipe), *common, *flags]


@functools.cache
def forking() -> multiprocessing.context.BaseContext:
    """Of processes that have the modules of a training.

    With a build of torch for CUDA not copies of this one: it refuses a backward pass where the parent has made one.
    Where copies will do, they save each process of the tests the seconds of imports that a server takes.
    """
    if torch.version.cuda is None:
        return multiprocessing.get_context("fork")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*PRELOADED])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # Python 3.11 preloads without it
        multiprocessing.forkserver.ensure_running()
    return context


def fork(
    function: Callable[[], object], environment: Mapping[str, str], printed: Path | str = os.devnull
) -> multiprocessing.process.BaseProcess:
    """Call a function in a process of its own, which has its modules: a fresh one adds seconds of imports.

    Args:
        function: what it does; can be pickled.
        environment: its variables, beside those of this process.
        printed: the file of what it prints and logs.
    """
    variables = {**os.environ, **environment}
    process = forking().Process(target=_start, args=(function, variables, os.getcwd(), printed))
    process.start()
    return process


def _start(function: Callable[[], object], variables: Mapping[str, str], folder: str, printed: Path | str) -> None:
    from accelerate.state import AcceleratorState, GradientState

    with open(printed, "wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    multiprocessing.set_start_method(None, force=True)  # loader workers as in a process that was started otherwise
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False, buffering=1)  # noqa: SIM115
    logging.getLogger().handlers.clear()  # pytest's
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)
    if "HF_HOME" in variables:  # read when the modules were imported
        patch = pytest.MonkeyPatch()
        patch.setattr("huggingface_hub.constants.HF_HOME", variables["HF_HOME"])
        patch.setattr("datasets.config.HF_DATASETS_CACHE", Path(variables["HF_HOME"]) / "datasets")
    function()


def fork_ranks(function: Callable[[], object], environment: Mapping[str, str], folder: Path) -> None:
    """Call a function in two processes that find each other as those of torchrun do.

    Args:
        function: what either does.
        environment: the variables of both.
        folder: of what they print.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    printed = [folder / f"printed_{rank}.txt" for rank in range(2)]
    processes = [
        fork(function, {**environment, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)}, file)
        for rank, file in enumerate(printed)
    ]
    for process in processes:
        process.join(300)
        process.kill()
        process.join()
    assert [process.exitcode for process in processes] == [0, 0], "".join(file.read_text() for file in printed)


def start_here(*arguments, make_task=tones_recipe.make_task) -> None:
    """The recipe of tones, by `command`'s arguments."""
    sys.argv = command(*arguments)[1:]
    run_recipe(make_task, tones_recipe.TonesArguments)


def fork_recipe(*arguments, environment, printed=os.devnull):
    """Start the recipe of tones by `fork`."""
    return fork(functools.partial(start_here, *arguments), environment, printed)


def fork_two(environment, *arguments, make_task=tones_recipe.make_task) -> None:
    """Train by the recipe of tones in two processes."""
    fork_ranks(
        functools.partial(start_here, *arguments, make_task=make_task), environment, Path(environment["HF_HOME"])
    )


TWO_PROCESSES = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]


def launch(environment, *arguments, **keywords):
    """Start `command` with its launcher, as users do: the exit code, and what was printed."""
    done = subprocess.run(
        command(*arguments, **keywords), env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    return done.returncode, done.stdout + done.stderr


def torchrun(environment, *arguments) -> None:
    """Train by the recipe of tones in two processes, as users start them."""
    code, output = launch(environment, *arguments, launcher=TWO_PROCESSES)
    assert code == 0, output


def run(environment, *arguments):
    """The exit code of the recipe of tones in a process of its own, and what it printed."""
    printed = Path(environment["HF_HOME"]) / "printed.txt"
    process = fork_recipe(*arguments, environment=environment, printed=printed)
    process.join(300)
    process.kill()
    process.join()
    return process.exitcode, printed.read_text()


def load_recipe(name: str):
    """The module of `recipes/<name>.py`."""
    spec = importlib.util.spec_from_file_location(name, REPOSITORY / "recipes" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def refused(tones, out, *flags, capsys) -> str:
    """The sentence a recipe ends with, without starting a process for it."""
    with pytest.raises(SystemExit) as stop, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", command(tones, out, *flags)[1:])
        run_recipe(tones_recipe.make_task, tones_recipe.TonesArguments)
    printed = capsys.readouterr().err
    assert stop.value.code == 2
    (sentence,) = [line for line in printed.splitlines() if line.startswith("error: ")]
    return sentence
