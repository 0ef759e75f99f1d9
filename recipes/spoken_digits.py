"""Spoken digits: a clip of up to 2.3 s in, one of 0 to 9 out.

Data: the Free Spoken Digit Dataset, `recordings/{digit}_{speaker}_{index}.wav`, 3000 clips of six speakers at 8 kHz
(https://github.com/Jakobovski/free-spoken-digit-dataset, CC BY-SA 4.0). Its official test split is indices 0 to 4;
`--held_out_speaker NAME` tests on a voice that was never heard instead, `--held_out_speaker all` on every voice in
turn. Metric: accuracy.

    accelerate launch --config_file accelerate_config.yaml recipes/spoken_digits.py --data_dir DIR --output_dir OUT
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from audiomentations import AddColorNoise, BandPassFilter, BitCrush, ClippingDistortion, Compose, OneOf
from datasets import Dataset

from hf_audio import AudioCNNConfig
from hf_audio.arguments import RecipeArguments
from hf_audio.augmentation.transforms import RandomPlacement, SyntheticRoom
from hf_audio.augmentation.voice_change import ChangeVoice
from hf_audio.corpora.download import download_and_extract
from hf_audio.corpora.synthetic_voices import make_spoken_digits
from hf_audio.data.rows import from_rows
from hf_audio.errors import ArgumentError, DataError
from hf_audio.runs.card import TaskFacts
from hf_audio.training.series.search import LogUniform, Uniform
from hf_audio.training.start import find_recordings, run_recipe
from hf_audio.training.task import Task

FSDD = "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/heads/master.zip"
CLIP_SECONDS = 2.3  # the longest recording has 2.28 s
CANVAS_SECONDS = 1.25  # all others fit into it, spoken slowly too
SIGNAL = {
    "sampling_rate": 8000,
    "clip_seconds": CLIP_SECONDS,
    "min_seconds": CANVAS_SECONDS,
    # Together they make the scores independent of the level, the microphone and faint noise. Held-out speakers whose
    # clips are quieter than the others' gain most.
    "center_features": True,
    "top_db": 50,
}
PRESETS: dict[str, dict[str, Any]] = {
    "log_mel": {
        **SIGNAL,
        "n_fft": 256,
        "win_length": 200,  # 25 ms
        "hop_length": 80,  # 10 ms
        "n_mels": 40,
        "f_min": 60,
        "filter_augment_db": 4,
        "hidden_sizes": [16, 28, 44, 56],
        "time_mask_count": 2,
        "time_mask_frames": 15,
        "freq_mask_count": 2,
        "freq_mask_bins": 6,
        "dropout": 0.2,
    },
    "mfcc": {
        **SIGNAL,
        "frontend": "mfcc",
        "n_mfcc": 40,
        "n_mels": 40,
        "n_fft": 256,
        "win_length": 184,  # 23 ms
        "hop_length": 92,  # half overlap
        "backbone": "conv1d",
        "hidden_sizes": [64, 64, 72, 80],
        "time_mask_count": 2,
        "time_mask_frames": 10,
        "dropout": 0.2,
    },
}
SEARCH_SPACE = {
    "learning_rate": LogUniform(5e-4, 2e-2),
    "weight_decay": LogUniform(1e-3, 0.3),
    "label_smoothing_factor": Uniform(0.0, 0.2),
    "mixup_alpha": Uniform(0.05, 0.5),
}


@dataclass
class SpokenDigitsArguments(RecipeArguments):
    """The task's flags and its training defaults."""

    output_dir: str = field(default="outputs/spoken_digits", metadata={"help": "Folder of the finished checkpoint."})
    model: str = field(default="log_mel", metadata={"help": "Which features and network.", "choices": list(PRESETS)})
    held_out_speaker: str | None = field(
        default=None,
        metadata={
            "help": "Test on this speaker and train on all others, instead of the official split; `all` holds out "
            "each in turn."
        },
    )
    num_train_epochs: float = field(default=12, metadata={"help": "Epochs."})
    refresh_epochs: int = field(
        default=3, metadata={"help": "Epochs for which another voice and room of a clip serve."}
    )
    per_device_train_batch_size: int = field(default=32, metadata={"help": "Training clips a device and step."})
    label_smoothing_factor: float = field(default=0.1, metadata={"help": "Probability spread over all classes."})
    mixup_alpha: float = field(default=0.2, metadata={"help": "Mix pairs of clips by Beta(alpha, alpha); 0 does not."})
    ema_decay: float = field(default=0.99, metadata={"help": "Decay of the average of the weights; 0 keeps the last."})


def slow_transforms() -> Callable[..., np.ndarray]:
    """Other voices, of women and children too, other paces and rooms: all speakers of the corpus are men.

    A digit stays the same digit, whatever the pitch. Pitch and formants are moved apart, because those of women and
    children lie beyond what any man's voice has: the one by up to an octave, the others by a fifth.
    """
    return Compose([ChangeVoice(85, 330, 14, 0.18, 0.75, 1.35, 4, p=0.6), SyntheticRoom(0.08, 0.7, p=0.3)])


def waveform_transforms() -> Callable[..., np.ndarray]:
    """Other places in the clip, noises, lines and bands; noise comes later, to cover the padding too."""
    return Compose(
        [
            RandomPlacement(CANVAS_SECONDS),
            AddColorNoise(3, 45, -9, 3, p=0.5),
            BandPassFilter(900, 1600, 1.5, 1.9, p=0.2),
            OneOf([ClippingDistortion(0, 15, p=1), BitCrush(6, 10, p=1)], p=0.15),
        ]
    )


def load_recordings(data_dir: Path) -> Dataset:
    """All clips of a folder in FSDD's layout, with the columns `speaker` and `take`."""
    files = sorted(data_dir.glob("recordings/*.wav"))
    named = [(file, re.fullmatch(r"([0-9])_([^_]+)_([0-9]+)", file.stem)) for file in files]
    rows = [(file, *match.groups()) for file, match in named if match]
    if not rows:
        raise DataError(f"{data_dir} holds no recordings/DIGIT_SPEAKER_INDEX.wav: give the folder above recordings/.")
    paths, digits, speakers, takes = zip(*rows, strict=True)
    return from_rows(paths, digits, {"speaker": speakers, "take": [int(take) for take in takes]})


def hold_out(dataset: Dataset, speaker: str | None) -> np.ndarray:
    """Which clips are test clips, (clips,) of bool: a speaker's, or those of the official split."""
    if speaker is None:
        return np.asarray(dataset["take"]) < 5
    speakers = np.asarray(dataset["speaker"])
    if speaker not in speakers:
        known = ", ".join(sorted(set(speakers)))
        raise ArgumentError(f"--held_out_speaker {speaker}: no such speaker, the recordings are by {known}.")
    return speakers == speaker


def download() -> Path:
    """The folder of the official recordings, fetched once."""
    recordings = sorted(download_and_extract(FSDD).glob("*/recordings"))
    if not recordings:
        raise DataError(f"{FSDD} no longer holds recordings/: fetch the data set by hand and pass --data_dir.")
    return recordings[0].parent


def facts(args: SpokenDigitsArguments) -> TaskFacts:
    """What the card says."""
    demo = args.data_dir is None and not args.download
    if args.held_out_speaker == "all":
        split = "Each speaker was held out once, from a model trained on the others."
    elif args.held_out_speaker is not None:
        split = f"All clips of the speaker `{args.held_out_speaker}` were held out; the others were trained on."
    elif demo:
        split = "The voices of the test clips are in no training clip."
    else:
        split = "The official split: indices 0 to 4 of each digit and speaker were held out, of speakers trained on."
    return TaskFacts(
        title="Spoken digits (demo)" if demo else "Spoken digits",
        hears="A recording of one English digit of up to 2.3 s in, one of 0 to 9 out.",
        dataset_name="Spoken digits of eSpeak NG (demo)" if demo else "Free Spoken Digit Dataset",
        dataset_type="espeak_ng_digits" if demo else "free_spoken_digit_dataset",
        data=(
            "A demo corpus of synthetic voices, made on the spot by eSpeak NG: the figures say that the tools work, "
            "and nothing about people."
            if demo
            else "The [Free Spoken Digit Dataset](https://github.com/Jakobovski/free-spoken-digit-dataset) (CC BY-SA "
            "4.0), six men in quiet rooms, 8 kHz; pitch and formants (apart, up to those of children), pace, room, "
            "place in the clip, noise, microphone and band were varied during training."
        ),
        split=split,
        limits=[
            "Synthetic voices only."
            if demo
            else "All six speakers are men; of women and children, only men's changed voices were heard.",
            "One digit a clip; a number of several digits gets one of its digits at best.",
            "Telephone bandwidth: everything above 4 kHz is discarded.",
        ],
        language=["en"],
        tags=["spoken-digits", "keyword-spotting"],
    )


def make_task(args: SpokenDigitsArguments) -> Task:
    """One digit a clip."""
    data_dir = find_recordings(
        args, demo=make_spoken_digits, demo_words="digits spoken by synthetic voices", download=download
    )
    dataset = load_recordings(data_dir)
    every = args.held_out_speaker == "all"
    speakers = sorted(set(dataset["speaker"]))
    return Task(
        config=AudioCNNConfig(**PRESETS[args.model]),
        dataset=dataset,
        held_out=hold_out(dataset, speakers[0] if every else args.held_out_speaker),
        folds={name: hold_out(dataset, name) for name in speakers} if every else None,
        facts=facts(args),
        slow_augmentation=slow_transforms(),
        augmentation=waveform_transforms(),
        # The official split tests on known speakers: so does its validation.
        group_column=None if args.held_out_speaker is None else "speaker",
        search_space=SEARCH_SPACE,
    )


if __name__ == "__main__":
    run_recipe(make_task, SpokenDigitsArguments)
