"""Sounds of things and instruments: a clip in, up to three of forty-one tags out, best first.

Data: FSDKaggle2018 in the layout of Zenodo (https://zenodo.org/records/2552860) or of Kaggle, 44.1 kHz, 0.3 to 30 s;
two thirds of the training clips carry labels that nobody has verified. Metric: mean average precision at 3 on the test
clips; verified training clips choose the epoch.

    accelerate launch --config_file accelerate_config.yaml recipes/fsd.py --data_dir DIR --output_dir OUT
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from audiomentations import Compose, Gain, OneOf, PitchShift, TimeStretch, Trim

from hf_audio import AudioCNNConfig
from hf_audio.arguments import ADAMW, RecipeArguments
from hf_audio.augmentation.transforms import AddFastGaussianSNR, Beginning
from hf_audio.corpora.download import fetch_zenodo
from hf_audio.corpora.freesound import load_tagged_sounds
from hf_audio.corpora.synthetic_instruments import make_tagged_sounds
from hf_audio.errors import ArgumentError
from hf_audio.runs.card import TaskFacts
from hf_audio.training.heads.head import fits_head
from hf_audio.training.recordings.defaults import suitable_epochs
from hf_audio.training.series.label_audit import ENCODER_ROUNDS, LISTENER
from hf_audio.training.series.search import LogUniform, Uniform
from hf_audio.training.start import find_recordings, run_recipe
from hf_audio.training.task import Task

logger = logging.getLogger(__name__)

RECORD = 2552860  # of Zenodo
ARCHIVES = ("FSDKaggle2018.meta.zip", "FSDKaggle2018.audio_train.zip", "FSDKaggle2018.audio_test.zip")
# In the style of AlexNet, with silence trimmed and short sounds repeated.
ALEXNET = {
    "trim_db": 60,
    "repeat_short": True,
    "top_db": 80,
    "time_mask_count": 1,
    "time_mask_frames": 30,
    "freq_mask_count": 1,
    "freq_mask_bins": 8,
    "backbone": "alexnet",
    "hidden_sizes": [48, 128, 192, 192, 128],
    "dropout": 0.5,
}
PRESETS: dict[str, dict[str, Any]] = {
    # What judges unverified labels, with more masks for several times as many epochs.
    "default": {**LISTENER, "time_mask_count": 2, "freq_mask_count": 2},
    # The highest quality, and of each recording the beginning of its sound.
    "lh": {
        **ALEXNET,
        "sampling_rate": 44100,
        "clip_seconds": 30,
        "heard_seconds": 2,
        "min_seconds": 2,
        "n_fft": 2048,
        "win_length": 2048,
        "hop_length": 441,
        "n_mels": 96,
    },
    # A lower quality, and longer excerpts.
    "x": {
        **ALEXNET,
        "sampling_rate": 16000,
        "clip_seconds": 4,
        "min_seconds": 4,
        "n_fft": 1024,
        "win_length": 1024,
        "hop_length": 256,
        "n_mels": 64,
    },
    # The organisers': windows of 0.25 s every 0.125 s, frames of 25 ms every 10 ms, the logarithm of magnitudes above
    # an offset.
    "baseline": {
        "sampling_rate": 44100,
        "clip_seconds": 0.25,
        "overlap": 0.5,
        "min_seconds": 0.25,
        "n_fft": 2048,
        "win_length": 1103,
        "hop_length": 441,
        "n_mels": 64,
        "power": 1,
        "amin": 1e-3,
        "backbone": "cnn3",
        "hidden_sizes": [100, 150, 200],
        "pooling": "max",
        "dropout": 0,
    },
}
PUBLISHED_EPOCHS = 100  # of the published networks; the default one hears its clips the more often the fewer there are
# Of the epochs. Before, the learning rate is high, and of many epochs few validation clips would choose a lucky one,
# or of equal ones the first.
VALIDATED_FROM = 0.9
OFFICIAL_CLIPS = 9473 + 1600
# Shortest and longest random excerpt of a training clip.
CROP_SECONDS = {"default": (1.0, 3.0), "lh": (30, 30), "x": (4, 4), "baseline": (0.25, 0.25)}
SEARCH_SPACE = {
    "learning_rate": LogUniform(5e-4, 2e-2),
    "weight_decay": LogUniform(1e-3, 0.3),
    "mixup_alpha": Uniform(0.05, 1.0),
    "loss_robustness": Uniform(0.0, 0.9),
}


@dataclass
class FSDArguments(RecipeArguments):
    """The task's flags and its training defaults."""

    output_dir: str = field(default="outputs/fsd", metadata={"help": "Folder of the finished checkpoint."})
    model: str = field(default="default", metadata={"help": "Which network.", "choices": list(PRESETS)})
    label_rounds: int | None = field(
        default=None,
        metadata={
            "help": "Rounds in which networks judge and correct unverified labels. Before training, out of fold; by "
            "default one for the default network, three by an encoder, none for the published ones and in a dry run."
        },
    )
    label_encoder: str | None = field(
        default=None,
        metadata={
            "help": "Pretrained encoder by whose embeddings labels are judged. By default that of `--freeze encoder`; "
            "without one, networks are trained for it, which takes longer.",
            "metavar": "ENCODER",
        },
    )
    validation_fraction: float = field(
        default=0.1, metadata={"help": "Share of the verified training clips that chooses the epoch."}
    )
    load_best_model_at_end: bool = field(
        default=True, metadata={"help": "Keep the best epoch's weights, where there is a validation part."}
    )
    metric_for_best_model: str | None = field(default="map_at_3", metadata={"help": "Chooses the best checkpoint."})
    num_train_epochs: float | None = field(  # type: ignore[assignment]
        default=None,
        metadata={
            "help": f"Epochs. By default {PUBLISHED_EPOCHS} for the published networks, and for the default one the "
            "more the fewer clips there are."
        },
    )
    optim: str = field(default=ADAMW, metadata={"help": "The optimizer.", "metavar": "NAME"})
    weight_decay: float = field(default=0.05, metadata={"help": "Weight decay."})
    per_device_train_batch_size: int = field(default=32, metadata={"help": "Training clips a device and step."})
    label_smoothing_factor: float = field(default=0.1, metadata={"help": "Probability spread over all classes."})
    mixup_alpha: float = field(default=0.5, metadata={"help": "Mix pairs of clips by Beta(alpha, alpha)."})
    ema_decay: float = field(default=0.995, metadata={"help": "Decay of the average of the weights."})

    def __post_init__(self):
        if self.validation_fraction == 0:
            self.load_best_model_at_end = False
        if self.label_rounds is None:
            wanted = self.model == "default" and self.max_train_samples is None
            by_encoder = self.label_encoder is not None or fits_head(self)
            rounds = ENCODER_ROUNDS if by_encoder else 1
            self.label_rounds = rounds if wanted and self.background is None and not self.baseline else 0
        if self.label_rounds and self.background is not None:
            raise ArgumentError("--background does not go with --label_rounds: leave one of them out.")
        if self.label_rounds < 0:
            raise ArgumentError(f"--label_rounds {self.label_rounds} must not be negative.")
        super().__post_init__()


def settle_epochs(args: FSDArguments, n_clips: int) -> None:
    """Fill in what the user has left open, by the number of training clips."""
    if args.num_train_epochs is None:
        suitable = round(suitable_epochs(n_clips)) if args.model == "default" else PUBLISHED_EPOCHS
        args.num_train_epochs = suitable
        logger.info("%d epochs of %d training clips.", suitable, n_clips)
    if args.load_best_model_at_end and not args.eval_delay:
        args.eval_delay = VALIDATED_FROM * args.num_train_epochs


def slow_transforms() -> Callable[..., np.ndarray]:
    """Other instruments and things."""
    return OneOf([PitchShift(-2, 2, p=1), TimeStretch(0.85, 1.2, p=1)], p=0.5)


def waveform_transforms(model: str) -> Callable[..., np.ndarray] | None:
    """Other moments, distances and places, drawn anew in every epoch."""
    if model == "baseline":
        return None
    selected: dict[str, list[Any]] = {
        "default": [],
        "lh": [Trim(PRESETS["lh"]["trim_db"], p=1), Beginning(PRESETS["lh"]["heard_seconds"])],
        "x": [Trim(PRESETS["x"]["trim_db"], p=1)],
    }
    return Compose([*selected[model], Gain(-6, 6, p=1), AddFastGaussianSNR(min_snr_db=15, max_snr_db=50, p=0.25)])


def facts(args: FSDArguments, n_clips: int) -> TaskFacts:
    """What the card says of a model that was trained and tested on so many clips."""
    demo = args.data_dir is None and not args.download
    # Nobody shall take the scores on other clips, which also come in this layout, for the benchmark's.
    name = "FSDKaggle2018" if n_clips == OFFICIAL_CLIPS else "Clips in the layout of FSDKaggle2018"
    return TaskFacts(
        title="Sound tags (demo)" if demo else "Sound tags",
        hears="A recording in, tags of what sounds in it out, best first; "
        + (
            "of a long recording, the beginning of its sound is heard."
            if args.model == "lh"
            else "long recordings are judged in windows."
        ),
        dataset_name="Synthetic sounds (demo)" if demo else name,
        dataset_type="synthetic_tagged_sounds" if demo else name.replace(" ", "_"),
        data=(
            "A demo corpus of sounds made on the spot out of formulas: the figures say that the tools work, and "
            "nothing about the world."
            if demo
            else "[FSDKaggle2018](https://zenodo.org/records/2552860) (CC BY 4.0; every clip has a Creative Commons "
            "licence of its own), or what lay in its layout in the folder given; level, noise, pitch and pace were "
            "varied during training."
        )
        + (
            " Labels that nobody has verified were weighed against what networks heard that were trained on the other "
            "clips."
            if args.label_rounds
            else ""
        ),
        split="The test table's clips were held out.",
        limits=[
            "Synthetic sounds only." if demo else "Clips of one sound each: of a mixture it names what is loudest.",
            "Labels of many training clips were never verified.",
        ],
        license="apache-2.0" if demo else "cc-by-4.0",
        tags=["audio-tagging", "fsdkaggle2018"],
    )


def make_task(args: FSDArguments) -> Task:
    """Tags of what sounds."""
    data_dir = find_recordings(
        args,
        demo=make_tagged_sounds,
        demo_words="sounds made out of formulas",
        download=lambda: fetch_zenodo(RECORD, ARCHIVES),
    )
    dataset, held_out = load_tagged_sounds(data_dir)
    settle_epochs(args, int((~held_out).sum()))
    return Task(
        config=AudioCNNConfig(**PRESETS[args.model]),
        dataset=dataset,
        held_out=held_out,
        facts=facts(args, len(dataset)),
        augmentation=waveform_transforms(args.model),
        slow_augmentation=None if args.model == "baseline" else slow_transforms(),
        crop_seconds=CROP_SECONDS[args.model],
        label_rounds=args.label_rounds or 0,
        label_encoder=args.label_encoder or (args.model_name_or_path if fits_head(args) else None),
        search_space=SEARCH_SPACE,
    )


if __name__ == "__main__":
    run_recipe(make_task, FSDArguments)
