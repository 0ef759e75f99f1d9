"""How long a training goes on, where that is found out on the way: its steps, its learning rate, what waits."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import Sampler
from transformers import ProgressCallback, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

if TYPE_CHECKING:
    from ..trainer import AudioTrainer

# Of a training whose end is found out on the way: the learning rate rises, stays, and falls in the last steps. With a
# shorter fall, as many epochs learn less than by a cosine.
FALLING_SHARE = 0.5
RISING_STEPS = 100


@dataclass
class HeldBack:
    """Training clips that are learnt only when the learning rate falls; until then they tell what is gained."""

    rows: np.ndarray
    """Which ones, (clips,) of bool."""
    strata: np.ndarray
    """(clips,) of int: until then, other clips of the same number come in their place."""
    until: float = math.inf
    """The first epoch with all clips."""


class HoldingBackSampler(Sampler[int]):
    """The rows of an epoch, as many as without: each one that is held back is replaced by another one of its class.

    Args:
        held: which ones, and until when.
        seed: of the order, with the epoch's number.
        rows: draws the epoch; by default, each row comes once, in random order.
    """

    def __init__(self, held: HeldBack, seed: int, rows: Sampler | None = None):
        self.held = held
        self.seed = seed
        self.rows = rows
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Draws from now on are those of this epoch."""
        self.epoch = epoch
        if self.rows is not None:
            self.rows.set_epoch(epoch)  # type: ignore[attr-defined]

    def __len__(self) -> int:
        return len(self.held.rows) if self.rows is None else len(self.rows)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[int]:
        generator = np.random.default_rng((self.seed, self.epoch))
        order = generator.permutation(len(self.held.rows)) if self.rows is None else np.array(list(self.rows))
        if self.epoch < self.held.until:
            held_back = self.held.rows[order]
            strata = self.held.strata[order]
            for stratum in np.unique(strata[held_back]):
                places = np.flatnonzero(held_back & (strata == stratum))
                others = np.flatnonzero(~self.held.rows & (self.held.strata == stratum))
                repeated = np.tile(generator.permutation(others), math.ceil(len(places) / len(others)))
                order[places] = repeated[: len(places)]
        return iter(order.tolist())


class Length(TrainerCallback, ExportableState):
    """How many steps a training has, which may become fewer while it runs; a resumed run remembers.

    Args:
        trainer: of the training.
        open_ended: the learning rate rises, stays, and falls in the last half of however many steps there will be.
            Otherwise it is that of `lr_scheduler_type`, over those steps.
        held: clips that are learnt only when it falls.
    """

    def __init__(self, trainer: "AudioTrainer", open_ended: bool = False, held: HeldBack | None = None):
        self.trainer = trainer
        self.open_ended = open_ended
        self.held = held
        self.steps: int | None = None
        """How many there are, where they have become fewer."""
        self.why = ""
        self.settled = False
        """Whether the training ends because nothing more is gained."""

    @property
    def steps_before_falling(self) -> int:
        """Steps before the learning rate of an open-ended training falls."""
        return self.trainer.state.max_steps - falling_steps(self.trainer.state.max_steps)

    def end_at(self, steps: int, why: str) -> None:
        """Have the training end after so many steps in all, at least one more, its learning rate with it.

        why: a sentence for the card.
        """
        self.steps, self.why = max(steps, self.trainer.state.global_step + 1), why
        self._follow()

    def settle_for(self, steps: int, why: str) -> None:
        """End at a step, see `end_at`, and train on all clips from the next epoch on: the length is no longer open."""
        self.open_ended = False
        if self.held is not None:
            self.held.until = min(self.held.until, int(self.trainer.state.epoch or 0) + 1)
        self.end_at(steps, why)

    def _follow(self) -> None:
        assert self.steps is not None
        trainer = self.trainer
        trainer.state.max_steps = self.steps
        reschedule(trainer, self.steps)
        for callback in trainer.callback_handler.callbacks:
            bar = getattr(callback, "training_bar", None) if isinstance(callback, ProgressCallback) else None
            if bar is not None:
                bar.total = self.steps
                bar.refresh()

    def state(self) -> dict[str, Any]:
        """What a checkpoint notes."""
        until = None if self.held is None or math.isinf(self.held.until) else self.held.until
        noted = {name: getattr(self, name) for name in ("steps", "why", "settled", "open_ended")}
        return {"args": {}, "attributes": {**noted, "until": until}}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Go on as a checkpoint says."""
        saved = saved_attributes(state, self)
        if saved.get("until") is not None and self.held is not None:
            self.held.until = saved["until"]
        if saved.get("steps") is not None:
            for name in ("steps", "why", "settled", "open_ended"):
                setattr(self, name, saved[name])
            self._follow()

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Hold nothing back any longer in an epoch in which the learning rate falls."""
        if self.held is None or not math.isinf(self.held.until):
            return
        epoch = int(state.epoch or 0)
        steps_an_epoch = math.ceil(len(kwargs["train_dataloader"]) / args.gradient_accumulation_steps)
        if (epoch + 1) * steps_an_epoch > self.steps_before_falling:
            self.held.until = epoch


def falling_steps(steps: int) -> int:
    """The number of steps, at the end of an open-ended training of so many, in which the learning rate falls."""
    return max(round(FALLING_SHARE * steps), 1)


def saved_attributes(state: TrainerState, callback: ExportableState) -> dict[str, Any]:
    """What the checkpoint that is gone on with holds of a callback; nothing, where a training begins."""
    # Trainer saves only what it finds there, and older checkpoints hold nothing of it.
    saved = state.stateful_callbacks.setdefault(type(callback).__name__, callback.state())
    return saved.get("attributes", {}) if state.global_step and isinstance(saved, dict) else {}


def reschedule(trainer: "AudioTrainer", steps: int) -> None:
    """Have the learning rate follow its schedule as if the training had had so many steps from its beginning."""
    before = trainer.lr_scheduler
    if not isinstance(before, LambdaLR):  # it follows the validation score
        return
    trainer.lr_scheduler = None
    scheduler = trainer.create_scheduler(steps)
    scheduler.last_epoch = before.last_epoch - 1
    scheduler._step_count = before._step_count
    scheduler.step()
    trainer.callback_handler.lr_scheduler = scheduler
