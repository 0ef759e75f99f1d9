"""Sounds of any kind: the network, the augmentation and the training by which ESC-50 was learnt."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from audiomentations import Compose, Gain, OneOf, PitchShift, TimeStretch

from ..arguments import RecipeArguments
from ..augmentation.transforms import AddFastGaussianSNR, RandomExcerpt
from ..models.configuration_audio_cnn import ANOMALY, LONGEST_FRAME, NORMAL
from .series.search import LogUniform, Uniform

# Of a training clip: half the cost of the whole. Test clips are heard whole.
EXCERPT_SECONDS = 2.5
# Seconds: of less, the network's stages leave nothing.
SHORTEST_HEARD = 0.2
# Hz: recordings of higher rates are made for ultrasound, and of lower ones for infrasound.
SLOWEST_AUDIBLE, FASTEST_AUDIBLE = 2000, 48000
SHORTER_FRAMES = 2  # times, of short clips
SIGNAL = {
    "sampling_rate": 22050,
    "clip_seconds": 5,
    "min_seconds": EXCERPT_SECONDS,
    "n_fft": 1024,
    "win_length": 1024,
    "hop_length": 256,
    "n_mels": 64,
    "top_db": 80,
    "time_mask_count": 2,
    "time_mask_frames": 48,
    "filter_augment_db": 4,
    "stem_stride": 2,
    "freq_mask_count": 2,
    "freq_mask_bins": 8,
}
PRESETS: dict[str, dict[str, Any]] = {
    "default": {**SIGNAL, "hidden_sizes": [16, 24, 48, 96, 192], "dropout": 0.2},
    "micro": {
        **SIGNAL,
        "hidden_sizes": [16, 24, 36, 52, 64],
        "time_mask_count": 1,
        "freq_mask_count": 1,
        "dropout": 0.1,
    },
}
# For microcontrollers, of own sounds: windows of a second, 45,000 weights, and nothing that has no kernel of 8 bits.
TINY: dict[str, Any] = {
    **SIGNAL,
    "sampling_rate": 16000,
    "clip_seconds": 1.0,
    "min_seconds": 1.0,
    "n_fft": 512,
    "win_length": 480,
    "hop_length": 160,
    "n_mels": 40,
    "hidden_sizes": [16, 24, 32, 32],
    "time_mask_count": 1,
    "time_mask_frames": 20,
    "freq_mask_count": 1,
    "freq_mask_bins": 6,
    "dropout": 0.1,
}

# What a network of other classes has to forget before it tells normal sounds from others.
ONE_CLASS: dict[str, Any] = {
    "id2label": {0: NORMAL, 1: ANOMALY},
    "label2id": {NORMAL: 0, ANOMALY: 1},
    "problem_type": None,
    "frame_pooling": None,
    "long_term_spectrum": False,
    "temperature": 1.0,
    "rejection_margin": 0.0,
    "normal_centers": 1,
}

SEARCH_SPACE = {
    "learning_rate": LogUniform(5e-4, 2e-2),
    "weight_decay": LogUniform(1e-3, 0.3),
    "label_smoothing_factor": Uniform(0.0, 0.2),
    "mixup_alpha": Uniform(0.05, 1.0),
}


@dataclass
class GeneralSoundsArguments(RecipeArguments):
    """The training that goes with this network and this augmentation."""

    model: str = field(default="default", metadata={"help": "Which network.", "choices": list(PRESETS)})
    weight_decay: float = field(default=0.05, metadata={"help": "Weight decay."})
    label_smoothing_factor: float = field(default=0.1, metadata={"help": "Probability spread over all classes."})
    mixup_alpha: float = field(default=0.5, metadata={"help": "Mix pairs of clips by Beta(alpha, alpha)."})
    ema_decay: float = field(default=0.995, metadata={"help": "Decay of the average of the weights."})
    refresh_epochs: int = field(default=40, metadata={"help": "Epochs that a pitch shift or stretch serves."})
    save_steps: float = field(default=500, metadata={"help": "Steps between checkpoints to resume from."})
    save_strategy: str | None = field(  # type: ignore[assignment]
        default=None,
        metadata={"help": "When a checkpoint to resume from is saved. By steps, or by epochs to choose the best."},
    )

    def __post_init__(self) -> None:
        if self.save_strategy is None:
            chooses = self.load_best_model_at_end or self.early_stopping_patience
            self.save_strategy = "epoch" if chooses and self.eval_strategy != "steps" else "steps"
        super().__post_init__()


def pace(sampling_rate: float, excerpt_seconds: float, usual_seconds: float) -> float:
    """How many times shorter frames are than those of sounds of a few seconds that people hear.

    Calls of bats and mice are shorter than a frame of 46 ms, and a period of an elephant's is longer; but an excerpt
    must have frames enough for the network. Of words and other short sounds, halved layer by layer, too few would be
    left: so their frames are up to half as long.

    usual_seconds: of the excerpts that the network was made for.
    """
    if sampling_rate < SLOWEST_AUDIBLE:
        return min(max(sampling_rate / SLOWEST_AUDIBLE, 1.25 * SHORTEST_HEARD / excerpt_seconds), 1)
    short = min(max(usual_seconds / excerpt_seconds, 1), SHORTER_FRAMES)
    return max(short, (sampling_rate / FASTEST_AUDIBLE) ** 0.5)


def fit_signal(
    preset: Mapping[str, Any], sampling_rate: int, clip_seconds: float, excerpt_seconds: float
) -> dict[str, Any]:
    """A preset for recordings of another rate and length: its frames last as long, but for `pace`.

    Masks hide the same share. clip_seconds: of the windows in which recordings are judged; excerpt_seconds: of the
    excerpts trained on.
    """
    faster = pace(sampling_rate, excerpt_seconds, preset["min_seconds"])
    scale = sampling_rate / preset["sampling_rate"] / faster
    win_length = round(preset["win_length"] * scale)
    return {
        **preset,
        "sampling_rate": sampling_rate,
        "clip_seconds": clip_seconds,
        "min_seconds": excerpt_seconds,
        "n_fft": 1 << (win_length - 1).bit_length(),
        "win_length": win_length,
        "hop_length": round(preset["hop_length"] * scale),
        "time_mask_frames": round(preset["time_mask_frames"] * faster * excerpt_seconds / preset["min_seconds"]),
    }


def hear_frames(signal: Mapping[str, Any]) -> dict[str, Any]:
    """The network of a signal as one that says what sounds in every frame, each of a tenth of a second at most."""
    longest = int(LONGEST_FRAME * signal["sampling_rate"])  # in samples
    hop = max(min(signal["hop_length"], longest // 2), 1)  # shorter where all of the signal is slow, as of infrasound
    halvings = min((longest // hop).bit_length() - 1, len(signal["hidden_sizes"]) - 1)
    return {
        **signal,
        "hop_length": hop,
        "frame_pooling": "linear_softmax",
        "time_halvings": halvings,
        "problem_type": "multi_label_classification",
        "min_seconds": SHORTEST_HEARD,  # no zeros are heard behind what is shorter than an excerpt
    }


def hear_statistics(signal: Mapping[str, Any]) -> dict[str, Any]:
    """The front-end of a signal and, in the place of a network, what its mel bands do in a window.

    Of normal recordings alone nothing can be told apart, and so no network is trained.
    """
    masks = ("time_mask_count", "freq_mask_count", "filter_augment_db")
    return {
        **signal,
        **dict.fromkeys(masks, 0),
        "backbone": "none",
        "hidden_sizes": [signal["n_mels"]],
        "pooling": "mean_std_rise",
        "stem_stride": 1,
        "dropout": 0.0,
        "min_seconds": SHORTEST_HEARD,
        "normal_centers": 1,
    }


def slow_transforms() -> Callable[..., np.ndarray]:
    """Other sources: exact, and so slow that each result serves for several epochs."""
    return OneOf([PitchShift(-3, 3, p=1), TimeStretch(0.8, 1.25, p=1)], p=0.5)


def waveform_transforms(excerpt_seconds: float = EXCERPT_SECONDS) -> Callable[..., np.ndarray]:
    """Other moments, distances and places, drawn anew in every epoch."""
    return Compose([RandomExcerpt(excerpt_seconds), *_distances()])


def _distances() -> list[Callable[..., np.ndarray]]:
    return [Gain(-6, 6, p=1), AddFastGaussianSNR(min_snr_db=15, max_snr_db=50, p=0.25)]


def unmoved_transforms() -> Callable[..., np.ndarray]:
    """As `waveform_transforms`, of clips in which the time of every sound is known, and stays."""
    return Compose(_distances())


def slow_unmoved_transforms() -> Callable[..., np.ndarray]:
    """As `slow_transforms`, of such clips."""
    return PitchShift(-3, 3, p=0.5)
