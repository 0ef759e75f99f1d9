"""Clips per second of a whole recipe (decoding, augmentation, Trainer), and of two ways to train the same network.

    python tests/benchmarks/benchmark_training.py spoken_digits --data_dir DIR [--rounds 6] [any flag of the recipe]

`bare` is its model alone, on batches that lie in memory already. `example` is the way of transformers' example script
for audio classification: plain `Trainer`, files decoded whenever they are read, the feature extractor called clip by
clip, the default collator, float32; its torchcodec is replaced by soundfile, and it augments nothing but the excerpt.
The example's collator wants clips of one length: where clips are heard whole, it is left out. All in one process, in
turns; medians and ratios.

With `--cpu_time`, seconds are those of a core, whatever else the machine does; no other process loads clips, because
its seconds would not count. So ratios repeat on a busy machine too, with OMP_NUM_THREADS=1; they do not show what a
second core takes over.
"""

import argparse
import importlib.util
import itertools
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerCallback, TrainingArguments

import hf_audio.training.setup
import hf_audio.training.start
from hf_audio import AudioCNNFeatureExtractor
from hf_audio.audio.loading import load_audio
from hf_audio.models.modeling_audio_cnn import classification_loss
from hf_audio.training.trainer import AudioTrainer

EXAMPLE_STEPS = 6
BARE_BATCHES = 8
clock = time.perf_counter


class BareModel:
    """The same network, optimiser and precision, on batches of the recipe that stay in memory."""

    def __init__(self, trainer: AudioTrainer):
        args, config = trainer.args, trainer.model.config
        self.model = type(trainer.model)(config).to(args.device, memory_format=torch.channels_last).train()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=args.learning_rate, fused=True)
        loader = DataLoader(
            trainer.train_dataset,
            args.train_batch_size,
            shuffle=True,
            collate_fn=trainer.data_collator,
            drop_last=True,
        )
        batches = itertools.islice(loader, BARE_BATCHES)
        self.batches = [{name: value.to(args.device) for name, value in batch.items()} for batch in batches]
        self.bf16, self.device = args.bf16, args.device

    def clips_per_second(self, steps: int) -> float:
        """Of so many training steps."""
        start = clock()
        for step in range(steps):
            inputs = dict(self.batches[step % len(self.batches)])
            labels = inputs.pop("labels")
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
                logits = self.model(**inputs).logits
            classification_loss(logits, labels, self.model.config).backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return steps * len(labels) / (clock() - start)


class ExampleWay(TrainerCallback):
    """The same network, files and batch size, as the example script of transformers trains them."""

    def __init__(self, trainer: AudioTrainer, folder: Path):
        self.trainer, self.folder, self.config = trainer, folder, trainer.model.config
        # A transform of decoded clips has nothing to do with files: take the rows below it.
        rows = trainer.train_dataset.with_format(None).select_columns(["path", "label"])
        self.dataset = Dataset.from_dict(rows[:])
        self.dataset.set_transform(self.transform)
        self.extractor = AudioCNNFeatureExtractor(sampling_rate=self.config.sampling_rate)

    def transform(self, batch: dict) -> dict:
        """Paths to what the model reads."""
        values = []
        for path in batch["path"]:
            waveform = load_audio(path, self.config.sampling_rate)
            size = trainer_samples(self.trainer)
            start = np.random.randint(max(len(waveform) - size, 0) + 1)
            inputs = self.extractor(waveform[start : start + size], sampling_rate=self.config.sampling_rate)
            values.append(inputs["input_values"][0])
        return {"input_values": values, "labels": batch["label"]}

    def on_step_end(self, args, state, control, **kwargs):
        """The first step starts things, and is not timed."""
        self.times.append(clock())

    def clips_per_second(self) -> float:
        """Of a few training steps."""
        self.times: list[float] = []
        batch_size = self.trainer.args.train_batch_size
        args = TrainingArguments(
            output_dir=str(self.folder),
            max_steps=EXAMPLE_STEPS + 1,
            per_device_train_batch_size=batch_size,
            remove_unused_columns=False,
            save_strategy="no",
            report_to="none",
            use_cpu=self.trainer.args.use_cpu,
            disable_tqdm=True,
            logging_strategy="no",
        )
        model = type(self.trainer.model)(self.config)
        Trainer(model, args, train_dataset=self.dataset, processing_class=self.extractor, callbacks=[self]).train()
        return EXAMPLE_STEPS * batch_size / (self.times[-1] - self.times[0])


def trainer_samples(trainer: AudioTrainer) -> int:
    """Samples of the clips that a recipe's trainer trains on."""
    return len(trainer.train_dataset[0]["input_values"])


class Turns(TrainerCallback):
    """Times the recipe's epochs, and the other ways between them."""

    def __init__(self, trainer: AudioTrainer):
        self.bare = BareModel(trainer)
        self.rates: dict[str, list[float]] = {"recipe": [], "bare": []}
        self.example = None
        if trainer.data_collator.clip_samples is not None:
            self.example = ExampleWay(trainer, Path(trainer.args.output_dir) / "runs")
            self.rates["example"] = []

    def on_epoch_begin(self, args, state, control, **kwargs):
        """An epoch's turn."""
        self.start, self.first = clock(), state.global_step

    def on_epoch_end(self, args, state, control, **kwargs):
        """The bare model's turn."""
        steps = state.global_step - self.first
        self.rates["recipe"].append(steps * args.train_batch_size / (clock() - self.start))
        self.rates["bare"].append(self.bare.clips_per_second(steps))
        if self.example is not None:
            self.rates["example"].append(self.example.clips_per_second())


def main() -> None:
    """Print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--cpu_time", action="store_true")
    known, flags = parser.parse_known_args()
    global clock
    clock = time.process_time if known.cpu_time else time.perf_counter
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

    hf_audio.training.setup.AudioTrainer = TimedTrainer
    with tempfile.TemporaryDirectory() as out:
        epochs = ["--num_train_epochs", str(known.rounds + 1), "--output_dir", str(Path(out) / "run")]
        loaders = ["--dataloader_num_workers", "0"] if known.cpu_time else []
        sys.argv = [str(path), *loaders, *flags, *epochs, "--disable_tqdm", "true"]
        arguments_class = next(
            value for value in vars(recipe).values() if isinstance(value, type) and value.__module__ == known.recipe
        )
        hf_audio.training.start.run_recipe(recipe.make_task, arguments_class)
    # The first epoch starts workers and compiles librosa's loops: left out.
    rates = {name: values[1:] for name, values in turns[0].rates.items()}
    medians = {name: statistics.median(values) for name, values in rates.items()}
    for name, values in rates.items():
        print(f"{name:>7}: {medians[name]:7.0f} clips/s (from {min(values):.0f} to {max(values):.0f})")
    for other in list(rates)[1:]:
        ratios = sorted(a / b for a, b in zip(rates["recipe"], rates[other], strict=True))
        print(f"recipe / {other}: {statistics.median(ratios):.2f} (from {ratios[0]:.2f} to {ratios[-1]:.2f})")


if __name__ == "__main__":
    main()
