"""A trainer of noise."""

import numpy as np
import torch
from datasets import Dataset

from helpers.checkpoints import tiny_config
from helpers.recordings import RATE
from hf_audio import AudioCNNForAudioClassification
from hf_audio.arguments import RecipeArguments
from hf_audio.training.batching.batches import ClipTransform, WindowCollator
from hf_audio.training.trainer import AudioTrainer


def noise_clips(n: int, samples: int = 4000) -> Dataset:
    generator = np.random.default_rng(0)
    audio = [(generator.standard_normal(samples) * 3000).astype("<i2").tobytes() for _ in range(n)]
    return Dataset.from_dict({"audio": audio, "index": list(range(n)), "label": [i % 3 for i in range(n)]})


def trainer(
    tmp_path, model=None, dataset=None, transform=None, extractor=None, features=None, frozen=(), **arguments
) -> AudioTrainer:
    defaults = {
        "output_dir": str(tmp_path),
        "optim": "sgd",
        "learning_rate": 0.1,
        "lr_scheduler_type": "constant",
        "warmup_steps": 0,
        "max_grad_norm": 0.0,
        "num_train_epochs": 2,
        "save_strategy": "no",
        "report_to": "none",
        "dataloader_num_workers": 0,
        "bf16": False,
        "use_cpu": True,
        "disable_tqdm": True,
    }
    args = RecipeArguments(**{**defaults, **arguments})
    transform = ClipTransform(RATE) if transform is None else transform
    dataset = noise_clips(24) if dataset is None else dataset
    if model is None:
        torch.manual_seed(0)
        model = AudioCNNForAudioClassification(tiny_config())
    return AudioTrainer(
        model,
        args,
        train_transform=transform,
        train_dataset=dataset.with_transform(transform),
        data_collator=WindowCollator(RATE, extractor=extractor),
        features=features,
        frozen=frozen,
    )
