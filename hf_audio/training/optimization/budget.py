"""How long a training takes on this machine: estimated by its first steps, and fitted into `--max_minutes`."""

import copy
import logging
import math
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.distributed
from datasets import Dataset
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ...arguments import RecipeArguments
from .length import Length

if TYPE_CHECKING:
    from ..trainer import AudioTrainer

logger = logging.getLogger(__name__)

# Steps that are measured, behind the first ones, which are slower; fewer, where these take so many seconds.
SLOW_STEPS = 3
MEASURED_STEPS = 12
MEASURED_SECONDS = 5.0
# Of a budget: what pictures and card take, and what is trained at least where decoding has used it up.
WRITING_SECONDS = 10.0
LEAST_SHARE = 0.25
# How often a plan is compared with the clock, and by which share of its steps it may be wrong.
COMPARISONS = 10
TOLERANCE = 0.05
SHORT_SHARE = 0.5  # of the steps that there would be, below which nothing is kept apart in order to stop sooner
JUDGED_CLIPS = 8  # of a test set, to see how long all will take
SHORT_SECONDS = 150.0  # of a training for which no shorter one is suggested


def share_time(args: RecipeArguments, parts: int, taken: int = 1) -> RecipeArguments:
    """The arguments of the next `taken` of so many trainings, which share what is left of `--max_minutes`."""
    if args.deadline is None:
        return args
    part, now = copy.copy(args), time.time()
    part.allotted_seconds = max(args.deadline - now, 0) * taken / max(parts, taken)
    part.deadline = now + part.allotted_seconds
    return part


def judging_seconds(trainer: "AudioTrainer", tests: Iterable[Dataset]) -> float:
    """How long it will take to judge test sets, by a few clips of each; clips: as they are judged."""
    seconds = 0.0
    for clips in filter(len, tests):
        places = np.unique(np.linspace(0, len(clips) - 1, JUDGED_CLIPS).round().astype(int))
        start = time.perf_counter()
        for place in places.tolist():
            trainer.prediction_step(trainer.model, trainer.data_collator([clips[place]]), False)
        seconds += (time.perf_counter() - start) * len(clips) / len(places)
    return seconds / trainer.args.world_size


class Clock(TrainerCallback):
    """Tells how long a training will take once it has made a few steps, and with `--max_minutes` plans its steps.

    Nothing but what the training does anyway is measured. The plan is compared with the clock now and then; a resumed
    training keeps the one it had.

    Args:
        trainer: of the training.
        length: of the training.
        judging: measures how many seconds the test clips will take.
    """

    def __init__(self, trainer: "AudioTrainer", length: Length, judging: Callable[[], float]):
        self.trainer = trainer
        self.length = length
        self.judging = judging
        self.began = self.most_steps = self.next_comparison = 0
        self.ends = math.inf
        self.told = False
        self.mark = 0, 0.0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Note where the training begins, or goes on."""
        self.began, self.most_steps = state.global_step, state.max_steps
        self._set_mark(state.global_step)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Measure the first steps; later, compare the plan with the clock."""
        done = state.global_step
        if not self.told and done - self.began <= SLOW_STEPS:
            self._set_mark(done)
        elif not self.told:
            steps, seconds = self._measure(done)
            if steps >= MEASURED_STEPS or seconds >= MEASURED_SECONDS:
                self.told = True
                self._tell(state, seconds / steps)
                self._set_mark(done)
        elif done >= self.next_comparison and math.isfinite(self.ends):
            steps, seconds = self._measure(done)
            self._fit(state, seconds / steps)
            self._set_mark(done)

    def _set_mark(self, done: int) -> None:
        self.mark = done, time.perf_counter()

    def _measure(self, done: int) -> tuple[int, float]:
        return done - self.mark[0], self._agree(time.perf_counter() - self.mark[1])

    def _tell(self, state: TrainerState, pace: float) -> None:
        """pace: seconds a step."""
        args = self.trainer.args
        seconds = pace * (state.max_steps - state.global_step)
        planned = f"{args.num_train_epochs:g} epochs" if args.max_steps <= 0 else f"{args.max_steps} steps"
        if args.deadline is None or self.length.steps is not None:
            most = "at most " if self.length.open_ended else ""
            hint = f"; --max_minutes {math.ceil(seconds / 180)} would do with less" if seconds > SHORT_SECONDS else ""
            drawn = self._describe_draws()
            logger.info(
                "Training takes %sabout %s on this machine: %s%s%s.", most, in_words(seconds), planned, drawn, hint
            )
            return
        now = time.time()
        self.ends = args.deadline - self._agree(self.judging()) - WRITING_SECONDS
        least = LEAST_SHARE * args.allotted_seconds
        if self.ends < now + least:
            logger.warning(
                "--max_minutes %g: what comes before and after the training leaves too little of that, so the run "
                "will take %s longer. Decoded clips are kept for the next run.",
                *(args.max_minutes, in_words(now + least - self.ends)),
            )
            self.ends = now + least
        self._fit(state, pace)
        logger.info(
            "--max_minutes %g: %d of %d steps (%s) fit into that on this machine, with a learning rate to match.",
            *(args.max_minutes, state.max_steps, self.most_steps, planned),
        )

    def _describe_draws(self) -> str:
        """What `--balance sampler` costs."""
        clips = self.trainer.train_dataset
        if self.trainer.args.balance != "sampler" or not isinstance(clips, Dataset):
            return ""
        drawn = len(self.trainer._get_train_sampler(clips))  # type: ignore[arg-type]
        return f" of {drawn} clips, {drawn / len(clips):.1f} times as many as there are, by --balance sampler"

    def _fit(self, state: TrainerState, pace: float) -> None:
        """Plan as many steps as there is time for; none of them again once half of them are made."""
        done = state.global_step
        steps = done + max(int(self._agree(self.ends - time.time()) / pace), 1)
        most = state.max_steps if self.length.settled or 2 * done > state.max_steps else self.most_steps
        steps = min(steps, most)
        minutes = f"{self.trainer.args.max_minutes:g}"
        why = (
            f"`--max_minutes {minutes}` was given: {steps} of {self.most_steps} steps fit into that, with a learning "
            "rate to match."
        )
        if self.length.open_ended and not self.length.settled and steps < SHORT_SHARE * self.most_steps:
            self.length.settle_for(steps, why)  # there is no time to find out that there is too much of it
        elif abs(steps - state.max_steps) > TOLERANCE * (state.max_steps - done):
            self.length.end_at(steps, why)
        self.next_comparison = done + max((state.max_steps - done) // COMPARISONS, 1)

    def _agree(self, value: float) -> float:
        """The first process's value, in all of them."""
        if self.trainer.args.world_size == 1:
            return value
        number = torch.tensor(value, dtype=torch.float64, device=self.trainer.args.device)
        torch.distributed.broadcast(number, 0)
        return float(number)


def in_words(seconds: float) -> str:
    """A time as one would say it."""
    if seconds < 100:
        return f"{max(seconds, 1):.0f} seconds"
    minutes = seconds / 60
    return f"{minutes:.0f} minutes" if minutes < 100 else f"{minutes / 60:.1f} hours"
