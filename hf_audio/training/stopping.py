"""When a training has learnt what it can: some of the training clips are kept apart, and say what is still gained."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from datasets import Dataset
from transformers import PreTrainedConfig, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

from ..data.rows import UNVERIFIED_COLUMN
from ..data.splits import strata
from ..models.modeling_audio_cnn import probabilities
from .judgement.calibration import fit_temperature
from .optimization.length import FALLING_SHARE, HeldBack, Length, saved_attributes

if TYPE_CHECKING:
    from .trainer import AudioTrainer

logger = logging.getLogger(__name__)

# Training clips that are kept apart: of classes that have enough, a share, and of large sets so many.
LEAST_CLIPS = 400
LEAST_OF_A_CLASS = 5
HELD_SHARE = 0.15
MOST_OF_A_CLASS = 0.4
MOST_HELD = 200
LEAST_HELD = 40
# They are judged after epochs that lie ever further apart, by this factor.
CHECK_FACTOR = 1.15
# Nothing is gained any more where, on average over so large a last share of the epochs, the right classes are hardly
# more probable than over the same share of the epochs before: by less than this, or than so much of a clip.
WATCHED_SHARE = 0.4
LEAST_GAIN = 0.01
LEAST_CLIP = 0.2
# Of the planned epochs, before which nothing is decided: networks that have learnt little may be about to begin.
LEAST_SHARE = 0.1
LEAST_SHARE_UNLEARNT = 0.25
LITTLE_LEARNT = 0.2  # of the way from guessing to knowing


def hold_back(clips: Dataset, seed: int, group_column: str | None) -> HeldBack | None:
    """Which training clips are kept apart, drawn by the seed; `None` where there are too few.

    Clips of one group (recording, speaker) are kept apart together. Every class keeps three fifths of its clips or
    more; a class of fewer than five clips, or of one group, keeps all of them.
    """
    if len(clips) < LEAST_CLIPS:
        return None
    numbers, _ = strata(clips)
    groups = (
        np.arange(len(clips)) if group_column is None else np.unique(clips[group_column][:], return_inverse=True)[1]
    )
    doubtful = np.zeros(len(clips), dtype=bool)
    if UNVERIFIED_COLUMN in clips.column_names:
        doubtful = np.isin(groups, groups[np.asarray(clips[UNVERIFIED_COLUMN][:], dtype=bool)])
    counts = np.bincount(numbers)
    share = min(HELD_SHARE, MOST_HELD / len(clips))
    generator = np.random.default_rng(seed)
    held = np.zeros(len(clips), dtype=bool)
    held_counts = np.zeros_like(counts)
    for number in np.argsort(counts, kind="stable"):
        if counts[number] < LEAST_OF_A_CLASS:
            continue
        for group in generator.permutation(np.unique(groups[(numbers == number) & ~doubtful])):
            if held_counts[number] >= max(share * counts[number], 1):
                break
            rows = groups == group
            after = held_counts + np.bincount(numbers[rows], minlength=len(counts))
            if not held[rows].any() and (after <= MOST_OF_A_CLASS * counts).all():
                held |= rows
                held_counts = after
    return HeldBack(held, numbers) if held.sum() >= LEAST_HELD else None


class Stopping(TrainerCallback, ExportableState):
    """Has a training begin its end when clips that it does not learn from say that nothing more is gained.

    Args:
        trainer: of the training.
        length: of the training, which is open-ended.
        clips: that are not learnt from, as they are judged.
    """

    def __init__(self, trainer: "AudioTrainer", length: Length, clips: Dataset):
        self.trainer = trainer
        self.length = length
        self.clips = clips
        self.checks: list[tuple[int, float]] = []

    def state(self) -> dict[str, Any]:
        """What a checkpoint notes."""
        return {"args": {}, "attributes": {"checks": self.checks}}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Go on as a checkpoint says."""
        self.checks = [(int(epoch), value) for epoch, value in saved_attributes(state, self).get("checks", [])]

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Judge the clips where it is time to, and decide."""
        epoch = round(state.epoch or 0)
        begun = state.global_step >= self.length.steps_before_falling
        if not self.length.open_ended or begun or epoch < self._next_check():
            return
        self.checks.append((epoch, mean_right(self.trainer, self.clips)))
        n_clips, chance = len(self.clips), 1 / self.trainer.model.config.num_labels
        if not has_settled(self.checks, args.num_train_epochs, n_clips, chance):
            return
        now, before = compare(self.checks)
        steps = round(state.global_step / (1 - FALLING_SHARE))
        epochs = round(epoch / (1 - FALLING_SHARE))
        why = (
            f"Training was ended after {epochs} of at most {args.num_train_epochs:g} epochs, because hardly more was "
            f"gained: on {n_clips} training clips that were kept apart until epoch {epoch}, the right class had a "
            f"probability of {now:.3f} in the last epochs before that, and of {before:.3f} in those before them. From "
            "then on they were learnt too, and the learning rate fell."
        )
        logger.info("%s", why)
        self.length.settled = True
        self.length.end_at(min(steps, state.max_steps), why)

    def _next_check(self) -> float:
        return max(self.checks[-1][0] * CHECK_FACTOR, self.checks[-1][0] + 1) if self.checks else 1


def compare(checks: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The mean value over the last share of the epochs, and over the same share of the epochs before."""
    last = checks[-1][0]
    middle = (1 - WATCHED_SHARE) * last
    earlier = [value for epoch, value in checks if (1 - WATCHED_SHARE) * middle < epoch <= middle]
    return float(np.mean([value for epoch, value in checks if epoch > middle])), float(np.mean(earlier or [0.0]))


def has_settled(checks: Sequence[tuple[float, float]], most_epochs: float, n_clips: int, chance: float) -> bool:
    """Whether what is judged has not become better for some time.

    Args:
        checks: epochs, and how probable the right classes were after them.
        most_epochs: that were planned.
        n_clips: that were judged.
        chance: how probable the right class is to who guesses.
    """
    best = max(value for _, value in checks)
    unlearnt = best < chance + LITTLE_LEARNT * (1 - chance)
    if checks[-1][0] < (LEAST_SHARE_UNLEARNT if unlearnt else LEAST_SHARE) * most_epochs:
        return False
    now, before = compare(checks)
    return now < before + max(LEAST_GAIN, LEAST_CLIP / n_clips)


@torch.no_grad()
def mean_right(trainer: "AudioTrainer", clips: Dataset) -> float:
    """How probable the network thinks the right class of clips: the mean over classes of their clips' means.

    Of clips with several tags, how probable it thinks the tags they have. Probabilities are at the temperature that
    fits them best: that a network merely becomes surer of itself is no gain.
    """
    size = trainer.args.per_device_eval_batch_size
    parts: list[tuple[torch.Tensor, torch.Tensor]] = []
    for first in range(0, len(clips), size):
        rows = [clips[place] for place in range(first, min(first + size, len(clips)))]
        _, logits, labels = trainer.prediction_step(trainer.model, trainer.data_collator(rows), False)
        assert logits is not None
        assert labels is not None
        parts.append((logits.float().cpu(), labels.cpu()))
    logits, labels = (torch.cat(columns) for columns in zip(*parts, strict=True))
    numbers, right = _right(logits, labels, trainer.model.config)
    sums, counts = np.bincount(numbers.astype(int), right), np.bincount(numbers.astype(int))
    mean = torch.tensor(float(np.mean(sums[counts > 0] / counts[counts > 0])), device=trainer.args.device)
    if trainer.args.world_size > 1:  # so that no rounding has processes decide differently
        torch.distributed.broadcast(mean, 0)
    return float(mean)


def _right(logits: torch.Tensor, labels: torch.Tensor, config: PreTrainedConfig) -> np.ndarray:
    """Classes and the probabilities of the right ones, (2, clips); of tags, (2, clips' tags)."""
    references = labels.numpy()
    temperature = fit_temperature(logits.numpy(), references, config)
    given = probabilities(logits / temperature, config).numpy()
    if config.problem_type == "multi_label_classification":
        places, tags = np.nonzero(references)
        return np.stack([tags, given[places, tags]])
    return np.stack([references, given[np.arange(len(references)), references]])
