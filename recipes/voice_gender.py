"""Voice gender: a recording of one voice in, `female` or `male` out, or "no speech".

Data: a language folder of Common Voice (https://commonvoice.mozilla.org, CC0), `clips/`, `train.tsv`, `dev.tsv` and
`test.tsv`, or `validated.tsv` alone, which is split by speakers. Rows without a gender are kept aside for `hf-audio
pseudo-label`. Metrics: accuracy and area under the ROC curve, over clips and over speakers.

    accelerate launch --config_file accelerate_config.yaml recipes/voice_gender.py --data_dir DIR --output_dir OUT
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from audiomentations import ClippingDistortion, Compose, Gain, HighPassFilter, LowPassFilter, OneOf

from hf_audio import AudioCNNConfig
from hf_audio.arguments import ADAMW, RecipeArguments
from hf_audio.augmentation.transforms import AddFastGaussianSNR, SyntheticRoom
from hf_audio.augmentation.voice_change import ChangeVoice
from hf_audio.corpora.common_voice import SPEAKER_COLUMN, find_unlabelled, load_voices
from hf_audio.corpora.synthetic_voices import make_voices
from hf_audio.runs.card import TaskFacts
from hf_audio.runs.pitch import plot_pitch
from hf_audio.training.series.search import LogUniform, Uniform
from hf_audio.training.start import find_recordings, run_recipe
from hf_audio.training.task import Task

RATE = 16000
SIGNAL = {
    "sampling_rate": RATE,
    "clip_seconds": 3,
    "min_seconds": 0.5,
    "speech_only": True,
    "hop_length": 256,  # 16 ms
    "f_min": 50,
    "top_db": 60,
    # Other microphones and, by a little, other vocal tracts and paces.
    "filter_augment_db": 6,
    "mel_warp": 0.03,
    "time_stretch": 0.2,
    "time_mask_count": 2,
    "time_mask_frames": 20,
    "freq_mask_count": 2,
    "dropout": 0.2,
}
PRESETS: dict[str, dict[str, Any]] = {
    # Bands too wide to tell the harmonics of a voice from one another: they show how long a vocal tract is, and hardly
    # the pitch, by which men who raise their voice are taken for women. Of a hundred voices a larger network learns by
    # heart what those have in common: this one convolves over time alone, and keeps of the clip means and deviations.
    "tdnn": {
        **SIGNAL,
        "n_fft": 512,
        "win_length": 512,  # 32 ms
        "n_mels": 28,
        "remove_level": True,
        "freq_mask_bins": 3,
        "backbone": "conv1d",
        "hidden_sizes": [96, 96, 96],
        "pooling": "mean_std",
    },
    # Which sees the spectrogram as a picture, harmonics and all, up to where telephones hear.
    "resnet": {
        **SIGNAL,
        "n_fft": 1024,
        "win_length": 800,  # 50 ms
        "n_mels": 80,
        "f_max": 4000,
        "freq_mask_bins": 10,
        "stem_stride": 2,
        "knows_bands": True,
        "hidden_sizes": [16, 32, 64, 96],
        "pooling": "mean",
    },
}
CROP_SECONDS = (1.0, 3.0)  # shortest and longest random excerpt of a training clip
SEARCH_SPACE = {
    "learning_rate": LogUniform(5e-4, 2e-2),
    "weight_decay": LogUniform(1e-3, 0.3),
    "label_smoothing_factor": Uniform(0.0, 0.2),
    "mixup_alpha": Uniform(0.05, 0.5),
}


@dataclass
class VoiceGenderArguments(RecipeArguments):
    """The task's flags and its training defaults."""

    output_dir: str = field(default="outputs/voice_gender", metadata={"help": "Folder of the finished checkpoint."})
    model: str = field(default="tdnn", metadata={"help": "Which network.", "choices": list(PRESETS)})
    validation_fraction: float = field(
        default=0.1,
        metadata={"help": "Above 0, `dev.tsv` validates, or such a share of the speakers without it; 0 trains on it."},
    )
    refit: bool = field(
        default=True,
        metadata={"help": "Train again, on those speakers too: a voice is worth more than a clip. Twice the time."},
    )
    balance: str = field(
        default="sampler",
        metadata={
            "help": "Women and men count the same: the fewer come more often (`sampler`) or weigh more (`loss`).",
            "choices": ["sampler", "loss", "none"],
        },
    )
    num_train_epochs: float = field(default=80, metadata={"help": "Epochs."})
    optim: str = field(default=ADAMW, metadata={"help": "The optimizer.", "metavar": "NAME"})
    weight_decay: float = field(default=0.05, metadata={"help": "Weight decay."})
    per_device_train_batch_size: int = field(default=32, metadata={"help": "Training clips a device and step."})
    label_smoothing_factor: float = field(default=0.1, metadata={"help": "Probability spread over both classes."})
    ema_decay: float = field(default=0.99, metadata={"help": "Decay of the average of the weights."})


def slow_transforms() -> Callable[..., np.ndarray]:
    """Rooms, and the same person speaking higher or lower, faster or slower, softer or louder.

    Of half the clips, a man's pitch lies where women's may and a woman's where men's may, so that it tells little, and
    formants, which say how long a vocal tract is, stay nearly where they are: those of women and men differ by about a
    sixth. A shift of both together would turn a man's voice into a woman's, label unchanged.
    """
    voices = ChangeVoice(
        min_pitch=90,
        max_pitch=330,
        max_semitones=14,
        max_formant_change=0.1,
        min_pace=0.8,
        max_pace=1.35,
        max_tilt_db=6,
        p=0.6,
    )
    return Compose([voices, SyntheticRoom(p=0.4)])


def waveform_transforms() -> Callable[..., np.ndarray]:
    """Other microphones, lines, distances and levels, drawn anew in every epoch."""
    low = LowPassFilter(1800, 7000, min_rolloff=12, max_rolloff=48, p=1)
    return Compose(
        [
            OneOf([low, HighPassFilter(60, 500, p=1)], p=0.6),
            AddFastGaussianSNR(min_snr_db=3, max_snr_db=50, p=0.5),
            ClippingDistortion(0, 15, p=0.1),
            Gain(-12, 6, p=1),
        ]
    )


def facts(args: VoiceGenderArguments) -> TaskFacts:
    """What the card says."""
    demo = args.data_dir is None
    return TaskFacts(
        title="Voice gender (demo)" if demo else "Voice gender",
        hears='A recording of one voice in, `female` or `male` out, and "no speech" where nobody speaks. Long '
        "recordings are judged in windows of three seconds, whose scores are averaged.",
        dataset_name="Voices of eSpeak NG (demo)" if demo else "Clips in the layout of Common Voice",
        dataset_type="espeak_ng_voices" if demo else "common_voice",
        data=(
            "A demo corpus of synthetic voices, made on the spot by eSpeak NG: the figures say that the tools work, "
            "and nothing about people."
            if demo
            else "Read sentences in the layout of [Common Voice](https://commonvoice.mozilla.org), speech alone, "
            "found by silero-vad; bands, noise, rooms, levels and paces were varied during training, pitch by up "
            "to three semitones with the formants in their place."
        ),
        split=(
            "No speaker of a test clip was trained on; clips without a gender were neither trained on nor judged, "
            "unless `--pseudo_labels` gave them one. Per speaker, the mean of the clips' scores is judged."
        ),
        limits=[
            *(["Synthetic voices only."] if demo else []),
            "The label is what speakers said of themselves in a form, `female` or `male`. Whoever said anything else, "
            "or nothing, is in no class and was never judged; they still get one of the two answers.",
            "It hears how high and how large a voice sounds, not who speaks: high men's and low women's voices are "
            "what it gets wrong, as `pitch_scores.png` shows. Children, the very old, hoarse and changing voices, "
            "singing and whispering were not measured, and must be expected to fail.",
            "Read speech, one voice at a time: of two voices, it names the louder one or neither.",
            "Not for decisions about people, such as admitting, addressing, paying or watching them: nobody's gender "
            "follows from a recording, and an error hurts those most who are misjudged everywhere. Use it for sums "
            "over many recordings, or to check that a corpus is balanced, and only where speakers agreed.",
        ],
        tags=["voice-gender", "common-voice"],
    )


def make_task(args: VoiceGenderArguments) -> Task:
    """The gender of one voice a clip."""
    data_dir = find_recordings(args, demo=make_voices, demo_words="sentences read by synthetic voices")
    dataset, splits = load_voices(data_dir)
    held_out = set(np.asarray(dataset[SPEAKER_COLUMN][:])[splits["dev"] | splits["test"]].tolist())
    return Task(
        config=AudioCNNConfig(**PRESETS[args.model]),
        dataset=dataset,
        held_out=splits["test"],
        facts=facts(args),
        augmentation=waveform_transforms(),
        slow_augmentation=slow_transforms(),
        group_column=SPEAKER_COLUMN,
        validation_rows=splits["dev"] if splits["dev"].any() else None,
        pooled_column=SPEAKER_COLUMN,
        plot=plot_pitch,
        unlabelled=[] if args.teacher is None else find_unlabelled(data_dir, held_out),
        crop_seconds=CROP_SECONDS,
        search_space=SEARCH_SPACE,
    )


if __name__ == "__main__":
    run_recipe(make_task, VoiceGenderArguments)
