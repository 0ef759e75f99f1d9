"""Clips per second of a whole recipe (decoding, augmentation, Trainer) against its bare model on tensors in memory.

    python tests/benchmarks/benchmark_training.py spoken_digits --data_dir DIR [--rounds 6] [any flag of the recipe]

Both in one process, in turns, an epoch of the recipe and as many steps of the bare model; medians and their ratio.
"""

import argparse
import importlib.util
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from transformers import TrainerCallback

import hf_audio.training
from hf_audio.models.modeling_audio_cnn import classification_loss
from hf_audio.trainer import AudioTrainer


class BareModel:
    """The same network, optimiser and precision, on one batch that stays in memory."""

    def __init__(self, trainer: AudioTrainer):
        args, config = trainer.args, trainer.model.config
        self.model = type(trainer.model)(config).to(args.device, memory_format=torch.channels_last).train()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=args.learning_rate, fused=True)
        self.input_values = torch.randn(args.train_batch_size, config.clip_samples, device=args.device) * 0.1
        self.labels = torch.randint(0, config.num_labels, (args.train_batch_size,), device=args.device)
        self.bf16, self.device = args.bf16, args.device

    def clips_per_second(self, steps: int) -> float:
        """Of so many training steps."""
        start = time.perf_counter()
        for _ in range(steps):
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
                logits = self.model(self.input_values).logits
            classification_loss(logits, self.labels).backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return steps * len(self.labels) / (time.perf_counter() - start)


class Turns(TrainerCallback):
    """Times the recipe's epochs, and the bare model between them."""

    def __init__(self, trainer: AudioTrainer):
        self.bare = BareModel(trainer)
        self.rates: dict[str, list[float]] = {"bare": [], "recipe": []}

    def on_epoch_begin(self, args, state, control, **kwargs):
        """An epoch's turn."""
        self.start, self.first = time.perf_counter(), state.global_step

    def on_epoch_end(self, args, state, control, **kwargs):
        """The bare model's turn."""
        steps = state.global_step - self.first
        self.rates["recipe"].append(steps * args.train_batch_size / (time.perf_counter() - self.start))
        self.rates["bare"].append(self.bare.clips_per_second(steps))


def main() -> None:
    """Print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("--rounds", type=int, default=6)
    known, flags = parser.parse_known_args()
    path = Path(__file__).parents[2] / "recipes" / f"{known.recipe}.py"
    spec = importlib.util.spec_from_file_location(known.recipe, path)
    recipe = importlib.util.module_from_spec(spec)
    sys.modules[known.recipe] = recipe
    spec.loader.exec_module(recipe)
    turns = []

    class TimedTrainer(AudioTrainer):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            turns.append(Turns(self))
            self.add_callback(turns[0])

    hf_audio.training.AudioTrainer = TimedTrainer
    with tempfile.TemporaryDirectory() as out:
        epochs = ["--num_train_epochs", str(known.rounds + 1), "--output_dir", str(Path(out) / "run")]
        sys.argv = [str(path), *flags, *epochs, "--disable_tqdm", "true"]
        arguments_class = next(
            value for value in vars(recipe).values() if isinstance(value, type) and value.__module__ == known.recipe
        )
        hf_audio.training.run_recipe(recipe.main, arguments_class)
    # The first epoch starts workers and compiles librosa's loops.
    rates = {name: values[1:] for name, values in turns[0].rates.items()}
    medians = {name: statistics.median(values) for name, values in rates.items()}
    ratios = sorted(a / b for a, b in zip(rates["recipe"], rates["bare"], strict=True))
    for name, values in rates.items():
        print(f"{name:>7}: {medians[name]:7.0f} clips/s (from {min(values):.0f} to {max(values):.0f})")
    print(f"  ratio: {statistics.median(ratios):.2f} (from {ratios[0]:.2f} to {ratios[-1]:.2f}), first epoch left out")


if __name__ == "__main__":
    main()
