"""A recipe as small as one can be: the tests start it as users start theirs, to kill, resume and split it."""

from dataclasses import dataclass, field

import numpy as np
from audiomentations import AddGaussianNoise, Compose, Gain

from helpers.checkpoints import tiny_config
from hf_audio.arguments import ADAMW, RecipeArguments
from hf_audio.augmentation.transforms import RandomPlacement
from hf_audio.data.rows import load_class_folders
from hf_audio.runs.card import TaskFacts
from hf_audio.training.series.search import LogUniform, Uniform
from hf_audio.training.start import run_recipe
from hf_audio.training.task import Task

SEARCH_SPACE = {
    "learning_rate": LogUniform(1e-4, 3e-2),
    "mixup_alpha": Uniform(0.05, 0.5),
    "ema_decay": Uniform(0.5, 0.9),
}


@dataclass
class TonesArguments(RecipeArguments):
    output_dir: str = field(default="outputs/tones", metadata={"help": "Folder of the finished checkpoint."})
    num_train_epochs: float = field(default=16, metadata={"help": "Epochs."})
    per_device_train_batch_size: int = field(default=8, metadata={"help": "Clips a step."})
    folds: str | None = field(default=None, metadata={"help": "`all` holds out every fourth clip in turn."})
    noise: float = field(default=0.01, metadata={"help": "Loudest noise."})
    optim: str = field(default=ADAMW, metadata={"help": "The optimizer.", "metavar": "NAME"})
    learning_rate: float = field(default=1e-2, metadata={"help": "Peak learning rate."})


FACTS = TaskFacts(
    title="Tones",
    hears="A sine tone: low, middle or high.",
    dataset_name="Tones",
    dataset_type="tones",
    data="Made by the tests.",
    split="Every fourth clip was held out.",
    limits=["It has never heard anything but sines."],
)


def make_task(args: TonesArguments) -> Task:
    dataset = load_class_folders(args.data_dir)
    folds = {str(fold): np.arange(len(dataset)) % 4 == fold for fold in range(4)}
    return Task(
        config=tiny_config(),
        dataset=dataset,
        held_out=folds["3"],
        folds=folds if args.folds == "all" else None,
        facts=FACTS,
        augmentation=Compose([RandomPlacement(1.0), AddGaussianNoise(0.001, args.noise, p=1)]),
        slow_augmentation=Gain(-6, 6, p=0.5),
        search_space=SEARCH_SPACE,
    )


if __name__ == "__main__":
    run_recipe(make_task, TonesArguments)
