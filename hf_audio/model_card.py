"""The model card: what a recipe knows about its task and what a run has measured, as the README.md of a checkpoint."""

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import transformers
from huggingface_hub import EvalResult, ModelCardData
from torch.utils.flop_counter import FlopCounterMode
from transformers import PreTrainedConfig


@dataclass
class TaskFacts:
    """What only the recipe knows, in Markdown; the run fills in the rest."""

    title: str
    """Name of the model, such as "Spoken digits"."""
    hears: str
    """What goes in and what comes out, in a sentence or two."""
    dataset_name: str
    """The data's name as people know it."""
    dataset_type: str
    """Its id on the Hub, or a short name without spaces."""
    data: str
    """Where the recordings come from and their licence."""
    split: str
    """Which clips were trained on and which were held out."""
    limits: Sequence[str]
    """Where the model should not be trusted, a sentence each."""
    language: Sequence[str] = ()
    """ISO codes, for speech."""
    license: str = "apache-2.0"
    """Of the weights."""
    tags: Sequence[str] = ()
    """Further tags for the Hub's search."""


@dataclass
class RunFacts:
    """What the run has measured; filled by `fine_tune`."""

    metrics: Mapping[str, float]
    parameters: int
    macs: int
    weights_bytes: int
    intervals: Mapping[str, tuple[float, float]]
    per_class: Sequence[Mapping[str, Any]]
    n_train: int
    n_test: int
    n_skipped: int
    hyper_parameters: Mapping[str, Any]
    chosen: str
    command: str
    minutes: float
    example: str
    pictures: Sequence[str] = field(default_factory=tuple)


METRIC_NAMES = {"accuracy": "Accuracy", "f1_macro": "Macro F1"}
METRIC_TYPES = {"accuracy": "accuracy", "f1_macro": "f1"}


def bootstrap_interval(
    score: Callable[[np.ndarray], float], n_clips: int, *, seed: int = 0, draws: int = 1000
) -> tuple[float, float]:
    """95 % percentile interval of a score over clips drawn with replacement.

    score: takes the drawn clips' indices (n_clips,). Source: Efron 1979, https://doi.org/10.1214/aos/1176344552.
    """
    generator = np.random.default_rng(seed)
    values = [score(generator.integers(n_clips, size=n_clips)) for _ in range(draws)]
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def count_macs(model: torch.nn.Module, n_samples: int) -> int:
    """Multiply-accumulates of the convolutions and matrix products for one waveform of `n_samples`."""
    device = next(model.parameters()).device
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(input_values=torch.zeros(1, n_samples, device=device))
    return counter.get_total_flops() // 2


def machine() -> str:
    """The machine in words, as figures are quoted with it."""
    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name()}, {os.cpu_count()} CPU cores"
    return f"{os.cpu_count()} CPU cores ({platform.machine()})"


def write_model_card(config: PreTrainedConfig, task: TaskFacts, run: RunFacts) -> str:
    """The card as text: YAML metadata with a `model-index`, then Markdown. config: an `AudioCNNConfig`."""
    names = [name for name in METRIC_NAMES if name in run.metrics] or list(run.metrics)
    results = [
        EvalResult(
            task_type="audio-classification",
            task_name="Audio classification",
            dataset_type=task.dataset_type,
            dataset_name=task.dataset_name,
            dataset_split="test",
            metric_type=METRIC_TYPES.get(name, name),
            metric_name=METRIC_NAMES.get(name, name),
            metric_value=round(run.metrics[name], 5),
        )
        for name in names
    ]
    metadata = ModelCardData(
        language=list(task.language) or None,
        license=task.license,
        library_name="transformers",
        pipeline_tag="audio-classification",
        tags=["audio-classification", "audio_cnn", "hf_audio", *task.tags],
        model_name=task.title,
        eval_results=results,
    )
    interval = {name: "{:.4f} to {:.4f}".format(*run.intervals[name]) for name in run.intervals}
    metrics = "\n".join(
        f"| {METRIC_NAMES.get(name, name)} | {run.metrics[name]:.4f} | {interval.get(name, '')} |" for name in names
    )
    classes = "\n".join(
        f"| {row['label']} | {row['precision']:.3f} | {row['recall']:.3f} | {row['f1']:.3f} | {row['clips']} |"
        for row in run.per_class
    )
    pictures = "\n\n".join(
        f"![{picture.removesuffix('.png').replace('_', ' ')}]({picture})" for picture in run.pictures
    )
    # Without an error there is nothing to resample; the rule of three then bounds what such a sample can miss.
    flawless = ""
    if run.metrics.get("accuracy") == 1:
        flawless = (
            f" No clip was misjudged; an error rate of up to {3 / run.n_test:.1%} would still leave that likely."
        )
    hyper_parameters = "\n".join(f"| {name} | {value} |" for name, value in run.hyper_parameters.items())
    limits = "\n".join(f"- {limit}" for limit in task.limits)
    skipped = f" {run.n_skipped} files could not be used; `skipped.csv` lists them." if run.n_skipped else ""
    labels = ", ".join(f"`{config.id2label[i]}`" for i in range(config.num_labels))
    features = f"{config.n_features} {'MFCCs' if config.frontend == 'mfcc' else 'mel bands'}"
    return f"""---
{metadata.to_yaml()}
---

# {task.title}

{task.hears}

Classes: {labels}.

## How to use it

```python
import hf_audio  # any file, any sampling rate, stereo, long recordings
from transformers import pipeline

classifier = pipeline("audio-classification", model="FOLDER_OR_HUB_ID")
print(classifier("{run.example}"))
```

Without `hf_audio`, transformers alone runs it on arrays at {config.sampling_rate} Hz:
`pipeline("audio-classification", model="FOLDER_OR_HUB_ID", trust_remote_code=True)`.

## How good it is

On {run.n_test} held-out clips. The interval is what 1000 resamplings of those clips give.{flawless}

| Metric | Value | 95 % interval |
|---|---|---|
{metrics}

{run.chosen}

| Class | Precision | Recall | F1 | Clips |
|---|---|---|---|---|
{classes}

{pictures}

## What it was trained on

{task.data}

{task.split} {run.n_train} clips were trained on.{skipped}

## What it is

| | |
|---|---|
| Input | mono waveform at {config.sampling_rate} Hz; longer audio in windows of {config.clip_seconds:g} s |
| Features | {features}, frames of {config.win_length / config.sampling_rate * 1000:.1f} ms every \
{config.hop_length / config.sampling_rate * 1000:.1f} ms, computed by the model itself |
| Network | `{config.backbone}` with {", ".join(map(str, config.hidden_sizes))} channels |
| Parameters | {run.parameters:,} |
| Multiply-accumulates | {run.macs / 1e6:.1f} million for {config.clip_seconds:g} s |
| Size | {run.weights_bytes / 1e6:.2f} MB (`model.safetensors`) |

## How it was trained

`{run.command}`, {run.minutes:.1f} minutes on {machine()}.

| Argument | Value |
|---|---|
{hyper_parameters}

PyTorch {torch.__version__}, transformers {transformers.__version__}. `training_args.json` holds every argument.

## Limits

{limits}
- Every clip gets one of the classes: sounds that are none of them are classified with a confidence that means nothing.
"""
