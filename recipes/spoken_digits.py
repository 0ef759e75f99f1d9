"""Spoken digits: a clip of up to 2.3 s in, one of 0 to 9 out.

Data: the Free Spoken Digit Dataset, `recordings/{digit}_{speaker}_{index}.wav`, 3000 clips of six speakers at 8 kHz
(https://github.com/Jakobovski/free-spoken-digit-dataset, CC BY-SA 4.0). Its official test split is indices 0 to 4.
Metric: accuracy.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from audiomentations import AddGaussianNoise, Compose, PitchShift, TimeStretch
from datasets import Dataset

from hf_audio import AudioCNNConfig
from hf_audio.arguments import ArgumentError, RecipeArguments
from hf_audio.augmentation import RandomPlacement
from hf_audio.data import DataError, from_rows
from hf_audio.demo_data import make_spoken_digits
from hf_audio.model_card import TaskFacts
from hf_audio.training import find_recordings, fine_tune, run_recipe

CLIP_SECONDS = 2.3
PRESETS = {
    "resnet": AudioCNNConfig(
        sampling_rate=8000, clip_seconds=CLIP_SECONDS, min_seconds=CLIP_SECONDS,
        n_mels=40, n_fft=256, win_length=200, hop_length=120, f_min=60, amin=1e-6, hidden_sizes=[16, 24, 40, 56],
        time_mask_count=2, time_mask_frames=10, freq_mask_count=2, freq_mask_bins=6, dropout=0.2, center_features=True,
    ),
    "mfcc": AudioCNNConfig(
        sampling_rate=8000, clip_seconds=CLIP_SECONDS, min_seconds=CLIP_SECONDS, frontend="mfcc", n_mfcc=40, n_mels=40, n_fft=256, win_length=184, hop_length=92, amin=1e-6,
        backbone="conv1d", hidden_sizes=[64, 64, 80, 80], time_mask_count=2, time_mask_frames=10, dropout=0.2,
    ),
}


@dataclass
class SpokenDigitsArguments(RecipeArguments):
    output_dir: str = field(default="outputs/spoken_digits", metadata={"help": "Folder of the finished checkpoint."})
    model: str = field(default="resnet", metadata={"help": "Which network.", "choices": list(PRESETS)})
    held_out_speaker: str | None = field(
        default=None, metadata={"help": "Test on this speaker and train on all others, instead of the official split."}
    )
    num_train_epochs: float = field(default=40, metadata={"help": "Epochs."})
    label_smoothing_factor: float = field(default=0.1, metadata={"help": "Label smoothing."})
    ema_decay: float = field(default=0.99, metadata={"help": "EMA."})
    aug: str = field(default="full")


def load_recordings(data_dir: Path, held_out_speaker: str | None) -> tuple[Dataset, Dataset]:
    names = [(file, re.fullmatch(r"([0-9])_([^_]+)_([0-9]+)\.wav", file.name)) for file in sorted(data_dir.glob("recordings/*.wav"))]
    rows = [(file, *match.groups()) for file, match in names if match]
    if not rows:
        raise DataError(f"{data_dir} holds no recordings/DIGIT_SPEAKER_INDEX.wav: give the folder above recordings/.")
    files, digits, speakers, indices = zip(*rows, strict=True)
    dataset = from_rows(files, digits, speaker=speakers)
    if held_out_speaker is None:
        held_out = [int(index) < 5 for index in indices]
    else:
        held_out = [speaker == held_out_speaker for speaker in speakers]
    return dataset.select([i for i, h in enumerate(held_out) if not h]), dataset.select([i for i, h in enumerate(held_out) if h])


def main(args):
    import os
    data_dir = find_recordings(args, demo=make_spoken_digits, demo_words="digits")
    train, test = load_recordings(data_dir, args.held_out_speaker)
    from audiomentations import Gain
    A = dict(
      none=Compose([RandomPlacement(CLIP_SECONDS)]),
      basic=Compose([PitchShift(-4,4,p=0.5), TimeStretch(0.8,1.25,leave_length_unchanged=False,p=0.5), RandomPlacement(CLIP_SECONDS), AddGaussianNoise(0.0005,0.01,p=0.5)]),
      full=Compose([PitchShift(-6,6,p=0.7,method="librosa_phase_vocoder"), TimeStretch(0.75,1.3,method="librosa_phase_vocoder",leave_length_unchanged=False,p=0.5), Gain(-12,6,p=0.5), RandomPlacement(CLIP_SECONDS), AddGaussianNoise(0.0003,0.02,p=0.7)]),
    )
    print(fine_tune(args, PRESETS[args.model], train, test, TaskFacts("t","h","FSDD","fsdd","d","s",["l"]), augmentation=A[args.aug], group_column="speaker"))

if __name__ == "__main__":
    run_recipe(main, SpokenDigitsArguments)
