"""Spoken numbers: a clip in, a number below 1,000,000 out, digit by digit (38 is 000038).

Data: the layout of numbers2, `train.csv` with path, gender, number (empty where a clip is unlabelled) and perhaps
speaker; where there are such tables, `test.csv` holds test clips of the training voices and `test-ood.csv` those of
unseen ones. Metric: the character error rate of the number without leading zeros, the mean over clips.

    accelerate launch --config_file accelerate_config.yaml recipes/spoken_numbers.py --data_dir DIR --output_dir OUT

With `--model words`, Russian numbers are read along word by word, and the digits follow from the words by their
grammar; a clip whose number is "none of these" holds none, or one of a million and more. `--prompts FOLDER` judges by
numbers that are put together from people's prompts too.
"""

import functools
import logging
import os
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from audiomentations import (
    AddBackgroundNoise,
    ClippingDistortion,
    Compose,
    Gain,
    HighPassFilter,
    LowPassFilter,
    OneOf,
    PitchShift,
    Resample,
)
from datasets import Dataset

from hf_audio import AudioCNNConfig
from hf_audio.arguments import ADAMW, RecipeArguments
from hf_audio.augmentation.transforms import AddFastGaussianSNR, SyntheticRoom, TelephoneLine
from hf_audio.augmentation.voice_change import ChangeVoice
from hf_audio.corpora.digit_strings import make_digit_strings
from hf_audio.corpora.espeak import find_language
from hf_audio.corpora.further_numbers import add_further_numbers
from hf_audio.corpora.prompted_numbers import make_prompted_numbers
from hf_audio.corpora.synthetic_numbers import make_spoken_numbers
from hf_audio.corpora.varied_numbers import installed_synthesisers, make_varied_numbers
from hf_audio.data.rows import find_noises, join_rows, load_numbers
from hf_audio.errors import ArgumentError
from hf_audio.runs.card import TaskFacts
from hf_audio.training.series.search import LogUniform, Uniform
from hf_audio.training.start import find_recordings, run_recipe
from hf_audio.training.task import Pretraining, Task

logger = logging.getLogger(__name__)

N_DIGITS = 6
DEMO_CLIPS = 600
RATE = 16000
SIGNAL = {
    "sampling_rate": RATE,
    "clip_seconds": 10,  # the longest recording of the official set has 7 s
    "min_seconds": 0.5,
    "n_fft": 512,
    "win_length": 400,  # 25 ms
    "hop_length": 160,  # 10 ms
    "n_mels": 64,
    "top_db": 80,
    "num_digits": N_DIGITS,
    # What differs between voices and microphones more than between numbers.
    "center_features": True,
    "mel_warp": 0.12,
    "time_stretch": 0.25,
    "filter_augment_db": 4,
    "time_mask_count": 2,
    "time_mask_frames": 20,
    "freq_mask_count": 2,
    "freq_mask_bins": 8,
}
PRESETS: dict[str, dict[str, Any]] = {
    "default": {
        **SIGNAL,
        "stem_stride": 2,
        "hidden_sizes": [16, 24, 48, 96],
        "context_dilations": [1, 2, 4, 8, 16],
        "pooling": "attention",
        "dropout": 0.1,
    },
    # Hears half a second to either side of a word, so that it knows words and not whole numbers.
    "words": {
        **SIGNAL,
        "n_mels": 40,
        "freq_mask_bins": 5,
        "stem_stride": 2,
        "hidden_sizes": [16, 24, 48, 96],
        "context_dilations": [1, 2, 4],
        "number_grammar": "ru",
        "dropout": 0.1,
    },
    "shufflenet": {
        **SIGNAL,
        "backbone": "shufflenet",
        "hidden_sizes": [24, 48, 96, 192, 1024],
        "pooling": "mean",
        "dropout": 0.1,
    },
}
# With pseudo-labels: what a model has told of plain clips, the next one learns from altered ones.
STRONG = {"mel_warp": 0.16, "filter_augment_db": 6, "time_mask_frames": 30, "freq_mask_bins": 12}
SYNTHESISERS = {"espeak": "eSpeak NG", "festival": "Festival"}
TESTS = {"test": "test.csv", "ood": "test-ood.csv"}
SEARCH_SPACE = {
    "learning_rate": LogUniform(5e-4, 1e-2),
    "weight_decay": LogUniform(1e-3, 0.3),
    "label_smoothing_factor": Uniform(0.0, 0.2),
}


@dataclass
class SpokenNumbersArguments(RecipeArguments):
    """The task's flags and its training defaults."""

    validation_fraction: float = field(
        default=0.1,
        metadata={"help": "Share of the training clips, of speakers of their own, that chooses the epoch."},
    )
    load_best_model_at_end: bool = field(
        default=True, metadata={"help": "Keep the best epoch's weights, where there is a validation part."}
    )
    output_dir: str = field(default="outputs/spoken_numbers", metadata={"help": "Folder of the finished checkpoint."})
    model: str = field(
        default="default",
        metadata={
            "help": "Which network; words reads along, word by word, and knows Russian alone.",
            "choices": list(PRESETS),
        },
    )
    prompts: str | None = field(
        default=None,
        metadata={
            "help": "Folder of a telephone system's prompts in Russian. Numbers that are put together from them are a "
            "further test, and choose nothing."
        },
    )
    noise_dir: str | None = field(
        default=None, metadata={"help": "Folder of recordings that are played in the background of training clips."}
    )
    from_digits: bool = field(
        default=False,
        metadata={
            "help": "--data_dir holds single digits in FSDD's layout. Of these, strings of six are put together."
        },
    )
    pretraining_clips: int | None = field(
        default=None,
        metadata={
            "help": "Train first on so many clips that synthesisers speak on the spot. It is done in "
            "OUTPUT_DIR-pretrained; by default 10000, and 6000 for --model words, but none for the demo, a dry run, "
            "with --from_digits and with --model_name_or_path. With --model words, as many of them as --data_dir has "
            "are heard afterwards too."
        },
    )
    pretraining_epochs: float | None = field(
        default=None, metadata={"help": "Epochs of that: by default 5, and 4 for --model words."}
    )
    language: str = field(default="ru", metadata={"help": "What eSpeak NG speaks, for the demo and before training."})
    num_train_epochs: float | None = field(
        default=None, metadata={"help": "Epochs: by default 60, and 25 for --model words after --pretraining_clips."}
    )
    optim: str = field(default=ADAMW, metadata={"help": "The optimizer.", "metavar": "NAME"})
    weight_decay: float = field(default=0.05, metadata={"help": "Weight decay."})
    per_device_train_batch_size: int = field(default=32, metadata={"help": "Training clips a device and step."})
    label_smoothing_factor: float | None = field(
        default=None,
        metadata={"help": "Probability spread over all digits: by default 0.1, and 0.02 for --model words."},
    )
    ema_decay: float = field(default=0.995, metadata={"help": "Decay of the average of the weights."})
    metric_for_best_model: str = field(default="cer", metadata={"help": "Chooses the best checkpoint."})

    def __post_init__(self):
        if self.validation_fraction == 0:
            self.load_best_model_at_end = False
        is_russian = self.language.lower().split("-")[0] == "ru" and not self.from_digits
        for name, asked in (("--model words", self.model == "words"), ("--prompts", self.prompts is not None)):
            if asked and not is_russian:
                raise ArgumentError(f"{name} is of numbers in Russian words: leave it out.")
        if self.background is not None:
            raise ArgumentError("--background is of one class a clip, and a number has several digits: leave it out.")
        if self.from_digits and self.data_dir is None:
            raise ArgumentError("--from_digits puts recordings of --data_dir together: give that folder.")
        if self.noise_dir is not None and not Path(self.noise_dir).is_dir():
            raise ArgumentError(f"--noise_dir {self.noise_dir} is not a folder: give one of recordings.")
        if self.pretraining_clips is None:
            begun = self.data_dir is None or self.from_digits or self.model_name_or_path is not None
            none_asked = begun or self.max_train_samples is not None
            self.pretraining_clips = 0 if none_asked else 6000 if self.model == "words" else 10000
        if self.pretraining_clips or self.data_dir is None:
            try:
                find_language(self.language)
            except ImportError as error:
                raise ArgumentError(
                    "--pretraining_clips and the demo are spoken by eSpeak NG: pip install 'hf_audio[demo]', or give "
                    "--data_dir and --pretraining_clips 0."
                ) from error
            except ValueError as error:
                raise ArgumentError(f"--language: {error}") from error
        # Words: every clip has two others beside it; and what is none of these is as unsure as smoothed digits are.
        words_beside = self.model == "words" and bool(self.pretraining_clips)
        for name, value in (
            ("num_train_epochs", 25 if words_beside else 60),
            ("pretraining_epochs", 4 if self.model == "words" else 5),
            ("label_smoothing_factor", 0.02 if self.model == "words" else 0.1),
        ):
            if getattr(self, name) is None:
                setattr(self, name, value)
        if self.pretraining_clips < 0:
            raise ArgumentError(f"--pretraining_clips {self.pretraining_clips} must not be negative.")
        if self.pretraining_clips and self.model_name_or_path is not None:
            raise ArgumentError("--pretraining_clips and --model_name_or_path exclude each other: give one of them.")
        super().__post_init__()


def slow_transforms(strong: bool, reads_words: bool) -> Callable[..., np.ndarray]:
    """Other voices, rooms and lines."""
    share = 0.9 if strong else 0.75
    if reads_words:
        voices = [ChangeVoice(80, 330, 12, 0.15, 0.75, 1.2, 3, p=share)]
    else:
        # Heard at the old rate, what was resampled is faster and higher, or slower and lower.
        kinds = [PitchShift(-4, 4, p=1), Resample(round(0.88 * RATE), round(1.12 * RATE), p=1)]
        voices = [OneOf(kinds, p=share)]
    return Compose(
        [
            *voices,
            SyntheticRoom(p=0.6 if strong else 0.4),
            OneOf([LowPassFilter(2500, 7000, p=1), HighPassFilter(60, 500, p=1)], p=0.3),
            *([TelephoneLine(p=0.35)] if reads_words else []),
        ]
    )


def waveform_transforms(noise_dir: str | None) -> Callable[..., np.ndarray]:
    """Other places, distances and levels, drawn anew in every epoch, as the network's own augmentation is."""
    background = []
    if noise_dir is not None:
        background = [AddBackgroundNoise(find_noises(noise_dir), min_snr_db=5, max_snr_db=30, p=0.5)]
    return Compose(
        [
            *background,
            AddFastGaussianSNR(min_snr_db=8, max_snr_db=50, p=0.4),
            ClippingDistortion(0, 15, p=0.15),
            Gain(-12, 6, p=1),
        ]
    )


def load_recordings(data_dir: Path, people: Path | None = None) -> tuple[Dataset, dict[str, np.ndarray]]:
    """The labelled clips of all tables, and masks of them, (clips,) of bool: of each test's clips, by its name.

    people: a folder whose `test.csv` holds clips for a further test of this name.
    """
    parts = {"train": load_numbers(data_dir / "train.csv", N_DIGITS)}
    parts |= {
        name: load_numbers(data_dir / table, N_DIGITS) for name, table in TESTS.items() if (data_dir / table).exists()
    }
    if people is not None:
        parts["people"] = load_numbers(people / "test.csv", N_DIGITS)
    dataset = join_rows(list(parts.values()))
    origin = np.repeat(list(parts), [len(part) for part in parts.values()])
    masks = {name: origin == name for name in parts if name != "train"}
    tested = {os.path.abspath(path) for name in masks for path in parts[name]["path"]}
    repeated = (origin == "train") & np.array([os.path.abspath(path) in tested for path in dataset["path"][:]])
    if repeated.any():
        logger.warning("%d clips of train.csv are test clips too: they are not trained on.", repeated.sum())
        kept = np.flatnonzero(~repeated)
        dataset, origin = dataset.select(kept), origin[kept]
        masks = {name: mask[kept] for name, mask in masks.items()}
    if "test" not in masks:
        # As the official set has it: no table of test clips with their numbers.
        masks = {"test": (origin == "train") & (np.arange(len(dataset)) % 10 == 9), **masks}
    return dataset, masks


def facts(args: SpokenNumbersArguments, tests: Collection[str]) -> TaskFacts:
    """What the card says. tests: the names of the parts that are test clips."""
    varied = "pitch, pace, formants, room, line, level and noise were varied during training."
    begun = ""
    if args.pretraining_clips:
        names = installed_synthesisers() if args.model == "words" else ["espeak"]
        spoken_by = " and ".join(SYNTHESISERS[name] for name in names)
        begun = f" It learnt {args.pretraining_clips} numbers first that {spoken_by} spoke on the spot."
        if args.model == "words":
            begun += " Afterwards it heard some of them still, and the words of the recordings in other numbers."
    if args.data_dir is None:
        title, name, kind = "Spoken numbers (demo)", "Numbers of eSpeak NG (demo)", "espeak_ng_numbers"
        data = (
            "A demo corpus of synthetic voices, made on the spot by eSpeak NG: the figures say that the tools work, "
            "and nothing about people."
        )
        limits = ["Synthetic voices only: people hesitate, stress and slur."]
    elif args.from_digits:
        title, name, kind = "Strings of spoken digits", "Digit strings of FSDD", "fsdd_strings"
        data = f"Strings of six digits, put together from recordings of single digits that people spoke; {varied}"
        limits = [
            "Digits one by one: it does not know the words of larger numbers.",
            "The pauses between are silence.",
        ]
    else:
        title, name, kind = "Spoken numbers", "numbers2", "numbers2"
        data = f"Numbers read by synthetic voices; {varied}{begun}"
        limits = ["Synthetic voices only: people hesitate, stress and slur."]
    return TaskFacts(
        title=title,
        hears="A recording of one number below 1,000,000 in, the number out.",
        dataset_name=name,
        dataset_type=kind,
        data=data,
        split=(
            "`test.csv` holds other clips of the training voices, `test-ood.csv` voices that were never heard."
            if "ood" in tests
            else "Test clips were held out."
        ),
        limits=[*limits, "One number a clip, in one language."],
        language=["en" if args.from_digits else args.language.split("-")[0]],
        tags=["spoken-numbers"],
    )


def make_task(args: SpokenNumbersArguments) -> Task:
    """The digits of one number a clip."""
    demo = functools.partial(make_spoken_numbers, language=args.language, count=DEMO_CLIPS)
    data_dir = find_recordings(args, demo=demo, demo_words="numbers spoken by synthetic voices")
    if args.from_digits:
        with args.main_process_first(desc="strings of digits"):
            data_dir = make_digit_strings(data_dir)
    return task_of(args, data_dir)


def task_of(args: SpokenNumbersArguments, data_dir: Path) -> Task:
    """The task of a folder in numbers2's layout."""
    people = None
    if args.prompts is not None:
        with args.main_process_first(desc="numbers of people's prompts"):
            people = make_prompted_numbers(args.prompts)
    dataset, tests = load_recordings(data_dir, people)
    validation_rows = None
    if args.model == "words" and args.data_dir is not None and args.pretraining_clips:
        with args.main_process_first(desc="clips beside the recordings"):
            dataset, tests, validation_rows = add_further_numbers(
                dataset, tests, N_DIGITS, args.pretraining_clips, args.validation_fraction, args.seed
            )
    strong = args.pseudo_labels is not None
    return Task(
        config=AudioCNNConfig(**{**PRESETS[args.model], **(STRONG if strong else {})}),
        dataset=dataset,
        held_out=tests["test"],
        facts=facts(args, tests),
        augmentation=waveform_transforms(args.noise_dir),
        slow_augmentation=slow_transforms(strong, reads_words=args.model == "words"),
        validation_group_column="speaker" if "speaker" in dataset.column_names else None,
        validation_rows=validation_rows,
        further_tests={name: rows for name, rows in tests.items() if name != "test"},
        pretraining=describe_pretraining(args) if args.pretraining_clips else None,
        search_space=SEARCH_SPACE,
    )


def describe_pretraining(args: SpokenNumbersArguments) -> Pretraining:
    """What eSpeak NG speaks on the spot, for the network to begin with."""
    clips = args.pretraining_clips

    def make_first_task(first: SpokenNumbersArguments) -> Task:
        with args.main_process_first(desc="clips to begin with"):
            if first.model == "words":
                spoken = make_varied_numbers(count=clips)
            else:
                spoken = make_spoken_numbers(language=args.language, count=clips)
        return replace(task_of(first, spoken), pretraining=None)

    return Pretraining(
        make_first_task,
        {
            "data_dir": None,  # its card is of synthetic clips, as the demo's is
            "prompts": None,
            "num_train_epochs": args.pretraining_epochs,
            # Of the first network nobody asks how sure it is.
            **({"label_smoothing_factor": 0.1} if args.model == "words" else {}),
            "refresh_epochs": max(round(args.pretraining_epochs), 1),  # every clip's voice is altered once
        },
    )


if __name__ == "__main__":
    run_recipe(make_task, SpokenNumbersArguments)
