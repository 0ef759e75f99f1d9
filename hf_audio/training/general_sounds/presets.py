"""The networks for sounds of any kind, and the training by which ESC-50 was learnt."""

from dataclasses import dataclass, field
from typing import Any

from ...arguments import RecipeArguments
from ...models.configuration_audio_cnn import ANOMALY, NORMAL
from ..series.search import LogUniform, Uniform

# Of a training clip: half the cost of the whole. Test clips are heard whole.
EXCERPT_SECONDS = 2.5
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
    """The training that goes with these networks and this augmentation."""

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
