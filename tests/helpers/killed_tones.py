"""The tests' smallest recipe, one process of which kills itself at first: `KILLED` is `RANK:STEP` or `RANK:card`."""

import os
import signal
from typing import Any

from helpers.tones import TonesArguments, make_task
from hf_audio.training import finish
from hf_audio.training.start import run_recipe
from hf_audio.training.trainer import AudioTrainer


def kill() -> None:
    """End this process as the kernel does that is short of memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(place: str) -> None:
    """Have this process kill itself at a step, or while it writes the card."""
    if place == "card":
        finish.write_model_card = lambda *_: kill()
        return
    train = AudioTrainer.training_step

    def training_step(self: AudioTrainer, *args: Any, **keywords: Any) -> Any:
        if self.state.global_step == int(place):
            kill()
        return train(self, *args, **keywords)

    AudioTrainer.training_step = training_step


if __name__ == "__main__":
    rank, _, place = os.environ.get("KILLED", "").partition(":")
    if rank == os.environ["RANK"] and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
        arm(place)
    run_recipe(make_task, TonesArguments)
