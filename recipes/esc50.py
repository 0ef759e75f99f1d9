"""Environmental sounds: a clip of 5 s in, one of fifty classes out.

Data: ESC-50, `meta/esc50.csv` and `audio/`, 2000 clips in five folds (https://github.com/karolpiczak/ESC-50, CC BY-NC
3.0). `--fold K` holds fold K out, `--folds all` each in turn; the few training clips that were cut from a recording of
the held-out fold are left out. Metric: accuracy, of the weights' average at the last epoch, without external data.

    accelerate launch --config_file accelerate_config.yaml recipes/esc50.py --folds all --data_dir DIR --output_dir OUT
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from datasets import Dataset

from hf_audio import AudioCNNConfig
from hf_audio.arguments import ADAMW
from hf_audio.corpora.download import download_and_extract
from hf_audio.corpora.synthetic_sounds import make_environmental_sounds
from hf_audio.data.rows import load_table
from hf_audio.errors import ArgumentError, DataError
from hf_audio.runs.card import TaskFacts
from hf_audio.training.general_sounds.presets import PRESETS, SEARCH_SPACE, GeneralSoundsArguments
from hf_audio.training.general_sounds.transforms import slow_transforms, waveform_transforms
from hf_audio.training.start import find_recordings, run_recipe
from hf_audio.training.task import Task

ESC50 = "https://github.com/karolpiczak/ESC-50/archive/refs/heads/master.zip"
FOLDS = ("1", "2", "3", "4", "5")


@dataclass
class ESC50Arguments(GeneralSoundsArguments):
    """The task's flags and its training defaults."""

    output_dir: str = field(default="outputs/esc50", metadata={"help": "Folder of the finished checkpoint."})
    fold: str = field(default="5", metadata={"help": "The fold that is held out, 1 to 5."})
    folds: str | None = field(default=None, metadata={"help": "`all` holds out every fold once.", "choices": ["all"]})
    num_train_epochs: float = field(default=240, metadata={"help": "Epochs."})
    optim: str = field(default=ADAMW, metadata={"help": "The optimizer.", "metavar": "NAME"})

    def __post_init__(self):
        if self.fold not in FOLDS:
            raise ArgumentError(f"--fold {self.fold} does not exist: ESC-50 has the folds 1 to 5.")
        super().__post_init__()


def load_recordings(data_dir: Path) -> Dataset:
    """All clips of a folder in ESC-50's layout, with the columns `fold` and `src_file`."""
    dataset = load_table(
        data_dir / "meta" / "esc50.csv",
        audio_dir=data_dir / "audio",
        path_column="filename",
        label_column="category",
        needed_columns=("fold", "src_file"),
    )
    folds = set(dataset["fold"])
    if folds != set(FOLDS):
        raise DataError(
            f"{data_dir / 'meta' / 'esc50.csv'} has the folds {', '.join(sorted(folds))} and not 1 to 5: use the "
            "official table."
        )
    return dataset


def download() -> Path:
    """The folder of the official recordings, fetched once."""
    tables = sorted(download_and_extract(ESC50).glob("*/meta/esc50.csv"))
    if not tables:
        raise DataError(f"{ESC50} no longer holds meta/esc50.csv: fetch the data set by hand and pass --data_dir.")
    return tables[0].parents[1]


def facts(args: ESC50Arguments) -> TaskFacts:
    """What the card says."""
    demo = args.data_dir is None and not args.download
    return TaskFacts(
        title="Environmental sounds (demo)" if demo else "Environmental sounds",
        hears="A recording of 5 s in, the class of the sound out; longer recordings are judged in windows of 5 s.",
        dataset_name="Synthetic environmental sounds (demo)" if demo else "ESC-50",
        dataset_type="synthetic_environmental_sounds" if demo else "ESC-50",
        data=(
            "A demo corpus of sounds made on the spot out of formulas: the figures say that the tools work, and "
            "nothing about the world."
            if demo
            else "[ESC-50](https://github.com/karolpiczak/ESC-50) (CC BY-NC 3.0), 2000 clips from Freesound, and no "
            "other data; pitch, pace, shift, gain and noise were varied during training."
        ),
        split=(
            "Each fold was held out once, from a model trained on the other four."
            if args.folds == "all"
            else f"Fold {args.fold} was held out."
        )
        + " No clip cut from a held-out recording was trained on.",
        limits=[
            "Synthetic sounds only."
            if demo
            else "Forty clips a class, chosen by hand to be clear: recordings in the field are noisier.",
            "One class a clip, also where several sound at once.",
        ],
        license="apache-2.0" if demo else "cc-by-nc-3.0",
        tags=["environmental-sounds", "esc-50"],
    )


def make_task(args: ESC50Arguments) -> Task:
    """One sound a clip."""
    data_dir = find_recordings(
        args, demo=make_environmental_sounds, demo_words="sounds made out of formulas", download=download
    )
    dataset = load_recordings(data_dir)
    folds = {fold: np.asarray(dataset["fold"]) == fold for fold in FOLDS}
    return Task(
        config=AudioCNNConfig(**PRESETS[args.model]),
        dataset=dataset,
        held_out=folds[args.fold],
        folds=folds if args.folds == "all" else None,
        facts=facts(args),
        augmentation=waveform_transforms(),
        slow_augmentation=slow_transforms(),
        group_column="src_file",
        search_space=SEARCH_SPACE,
    )


if __name__ == "__main__":
    run_recipe(make_task, ESC50Arguments)
