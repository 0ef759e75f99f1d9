"""Which clips a network was trained on: the same in every process, and noted, so that nobody goes on with others."""

import hashlib
import json
import math
import os
from collections.abc import Sequence
from itertools import chain
from typing import Any

from datasets import Dataset
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

from ..arguments import RecipeArguments
from ..data.cache import clip_lengths
from ..errors import ArgumentError
from ..runs.agreement import check_alike, gather
from .batching.shard_loader import ClipStream


def clip_callbacks(clips: Dataset | ClipStream | None, args: RecipeArguments) -> list[TrainerCallback]:
    """What notes the clips of a training in its checkpoints, and brings a stream to where a checkpoint was saved."""
    callbacks: list[TrainerCallback] = [_ClipsCallback(clips, args.world_size)]
    if isinstance(clips, ClipStream) and not args.ignore_data_skip:
        callbacks.append(_ResumeCallback(clips))
    return callbacks


def share_skipped(args: RecipeArguments, stream: ClipStream) -> None:
    """Have every process know the rows of a stream that any of them could not use."""
    stream.note_skipped(chain.from_iterable(gather(args, stream.read_skipped())))


def check_same_clips(args: RecipeArguments, names: Sequence[str] | None, clips: Dataset | ClipStream) -> None:
    """Refuse to train by processes that have found other recordings, each on its own machine.

    Args:
        args: of the training.
        names: of the classes.
        clips: that are trained on.

    Raises:
        ArgumentError: they differ.
    """
    if args.world_size == 1:
        return
    checksum = hashlib.sha256(json.dumps([names, _digest(clips)]).encode())
    if isinstance(clips, Dataset) and "audio" in clips.column_names:
        checksum.update(clip_lengths(clips.with_format(None)).tobytes())
    facts = {
        "Training clips": len(clips) if isinstance(clips, Dataset) else clips.split.rows,
        "Classes": None if names is None else len(names),
        "Checksum of names, labels and lengths": checksum.hexdigest()[:8],
    }
    check_alike(args, facts, "give every machine the same recordings")


def _digest(clips: Dataset | ClipStream) -> str:
    """Stands for the names and labels of clips, in their order."""
    if isinstance(clips, ClipStream):
        told: list[Any] = [clips.split.rows, clips.split.counts]
    else:
        plain = clips.with_format(None)
        names = [os.path.basename(path) for path in plain["path"][:]] if "path" in plain.column_names else []
        told = [names, plain["label"][:]]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


class _ClipsCallback(TrainerCallback, ExportableState):
    """Has a checkpoint tell what it was trained on, and by how many processes, and refuses to go on with others.

    Of a stream it tells the rows that no process could use, too: who resumes it on whatever machine, in whatever
    folder, passes over the same ones.
    """

    def __init__(self, clips: Dataset | ClipStream | None, processes: int):
        self.clips = clips
        self.digest = None if clips is None else _digest(clips)
        self.processes = processes

    def state(self) -> dict[str, Any]:
        attributes: dict[str, Any] = {"digest": self.digest, "processes": self.processes}
        if isinstance(self.clips, ClipStream):
            attributes["skipped"] = self.clips.read_skipped()
        return {"args": {}, "attributes": attributes}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        saved = state.stateful_callbacks.get(type(self).__name__)
        attributes = saved.get("attributes", {}) if isinstance(saved, dict) else {}
        processes = attributes.get("processes", self.processes)  # which older versions did not note
        if state.global_step and processes != self.processes:
            raise ArgumentError(
                f"--resume_from_checkpoint: the checkpoint was trained by {processes} processes, and now there are "
                f"{self.processes}, whose steps hold another number of clips: start {processes}."
            )
        digest = attributes.get("digest")
        if state.global_step and digest is not None and digest != self.digest:
            raise ArgumentError(
                "--resume_from_checkpoint: the checkpoint was trained on other recordings than there are now: put "
                "them back as they were, or begin in another folder."
            )
        if state.global_step and isinstance(self.clips, ClipStream):
            self.clips.note_skipped(attributes.get("skipped", ()))


class _ResumeCallback(TrainerCallback):
    def __init__(self, stream: ClipStream):
        self.stream = stream

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        # Trainer would have the batches made that it drops.
        steps = math.ceil(len(self.stream) / args.gradient_accumulation_steps)
        epoch, steps_done = divmod(state.global_step, steps)
        self.stream.pass_over(epoch, steps_done * args.gradient_accumulation_steps)
