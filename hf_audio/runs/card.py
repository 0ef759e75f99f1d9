"""The model card: what a recipe knows about its task and what a run has measured, as the README.md of a checkpoint."""

import json
import math
import os
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub import EvalResult, ModelCardData
from transformers import PreTrainedConfig

from ..arguments import RecipeArguments
from ..encoders.sources import SOURCES
from ..models import AudioCNNConfig, AudioEncoderConfig, AudioEnsembleConfig
from ..models.configuration_audio_cnn import NONE_OF_THESE, rejects_background
from .markdown import Table, code, escape, escape_rows, write_table
from .network import NetworkFacts, machine
from .origins import FROM_SCRATCH, Origin, describe_origin, is_external, settle_license


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
    """A short name for tools. One of the form NAMESPACE/NAME is taken for an id on the Hub."""
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
    hub_dataset: str | None = None
    """The data's id on the Hub, where it comes from there."""

    @property
    def hub_datasets(self) -> list[str]:
        """Ids on the Hub of the data set that was trained on: one, or none."""
        found = self.hub_dataset or (self.dataset_type if "/" in self.dataset_type else None)
        return [] if found is None else [found]


NAMELESS = "FOLDER_OR_HUB_ID"  # in a card, until the checkpoint has a name on the Hub


@dataclass
class RunFacts:
    """What the run has measured; filled by `fine_tune` and `cross_validate`."""

    metrics: Mapping[str, float]
    """Of those that `describe_metrics` describes."""
    intervals: Mapping[str, tuple[float, float]]
    interval_note: str
    """Where the intervals come from, in a sentence."""
    labels: Sequence[str]
    """Names of the classes."""
    tables: Sequence[Table]
    """Of single classes."""
    n_train: str
    """How many clips were trained on, in words."""
    n_test: int
    n_skipped: int
    hyper_parameters: Mapping[str, Any]
    chosen: str
    command: str
    minutes: float
    example: str
    network: NetworkFacts | None = None
    """`None` for a baseline that is no network."""
    checkpoint: str | None = NAMELESS
    """What `pipeline` loads, `None` where nothing can be loaded."""
    summary: Sequence[str] = ()
    """What stands first: what the run is worth, a sentence in Markdown each."""
    sampled: str = ""
    """That but a part of the clips was used, in a sentence, where that is so."""
    folds: Sequence[Mapping[str, Any]] = ()
    """A row a fold of a cross-validation."""
    pictures: Sequence[str] = field(default_factory=tuple)
    further: Sequence[str] = ()
    """Names of further test sets."""
    pooled: str | None = None
    """Column by which test clips were judged together."""
    base_model: str | None = None
    """Id on the Hub of the checkpoint that training began with."""
    origins: Sequence[Origin] = ()
    """Networks from which it has learnt."""


SHOWN_ARGUMENTS = (
    "num_train_epochs",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "learning_rate",
    "lr_scheduler_type",
    "warmup_steps",
    "weight_decay",
    "freeze",
    "layer_decay",
    "label_smoothing_factor",
    "mixup_alpha",
    "ema_decay",
    "balance",
    "unverified_weight",
    "loss_robustness",
    "teacher",
    "bf16",
    "seed",
)

# Of one test set.
METRIC_NAMES = {
    "anomaly_auc": "Area under the ROC curve, anomalies against normal clips",
    "anomaly_pauc": "Area up to a false alarm rate of 0.1 (0.5 is chance)",
    "false_alarm_rate": "Share of normal clips called an anomaly",
    "detection_rate": "Share of anomalies called so",
    "anomaly_auc_mean": "Area under the ROC curve, mean of the sections",
    "anomaly_pauc_mean": "Area up to a false alarm rate of 0.1, mean of the sections",
    "anomaly_harmonic": "Harmonic mean of both areas over the sections",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "f1_macro": "Macro F1",
    "map_at_3": "Mean average precision at 3",
    "lwlrap": "Label-weighted label-ranking average precision",
    "map_macro": "Mean average precision over tags",
    "map_micro": "Average precision over all pairs of clip and tag",
    "accuracy_tta": "Accuracy over shifted crops",
    "f1_macro_tta": "Macro F1 over shifted crops",
    "map_at_3_tta": "Mean average precision at 3 over shifted crops",
    "lwlrap_tta": "Label-weighted label-ranking average precision over shifted crops",
    "accuracy_unrejected": "Accuracy where every clip must be one of the classes",
    "rejection_auroc": "Area under the ROC curve, known sounds against background",
    "false_alarms_per_hour": "False alarms per hour of background",
    "roc_auc": "Area under the ROC curve",
    "equal_error_rate": "Equal error rate",
    "calibration_error": "Expected calibration error",
    "cer": "Character error rate, mean over clips",
    "cer_corpus": "Character error rate over all characters",
    "exact_match": "Numbers without an error",
}
# Names on the Hub of what is computed as there: its `cer` is of all characters together, and `f1` scikit-learn's.
METRIC_TYPES = {"accuracy": "accuracy", "f1_macro": "f1", "roc_auc": "roc_auc", "cer": "mean_cer", "cer_corpus": "cer"}
TEST_SPLIT = "test"
HARMONIC = "harmonic"  # the mean of an error rate over all test sets
# In words, names of further test sets and of columns to pool by.
SUFFIX_WORDS = {
    "ood": "unseen voices",
    "speaker": "speakers",
    "known_recordings": "new clips of known recordings",
    "unheard_recordings": "clips of unheard recordings",
    "without_copies": "clips without a copy in training",
    HARMONIC: "harmonic mean over the test sets",
}


@dataclass(frozen=True)
class MetricFacts:
    """What a figure of a card is."""

    label: str
    """For readers."""
    type: str
    """For tools: a metric's name on the Hub, where it is computed as there."""
    split: str
    """Name of the test set."""


def describe_metrics(
    names: Collection[str], further: Sequence[str] = (), pooled: str | None = None
) -> dict[str, MetricFacts]:
    """Those of some names that are metrics, in a card's order, and what they are.

    Args:
        names: such as `cer_corpus`, `cer_ood`.
        further: names of further test sets, which end their metrics' names.
        pooled: the column by whose values clips were judged together, which ends those metrics' names.
    """
    described = {
        name: MetricFacts(label, METRIC_TYPES.get(name, name), TEST_SPLIT) for name, label in METRIC_NAMES.items()
    }
    for suffix in [*([] if pooled is None else [pooled]), *further, HARMONIC]:
        words = SUFFIX_WORDS.get(suffix, suffix)
        for name, label in METRIC_NAMES.items():
            kind = METRIC_TYPES.get(name, name) if suffix in further else f"{name}_{suffix}"
            split = suffix if suffix in further else TEST_SPLIT
            described.setdefault(f"{name}_{suffix}", MetricFacts(f"{label}, {words}", kind, split))
    return {name: facts for name, facts in described.items() if name in names}


def hub_id(name: str | None) -> str | None:
    """A checkpoint's id on the Hub; `None` of a folder of this machine, and of an encoder that a package brings."""
    return None if name is None or name in SOURCES or os.path.exists(name) else name


def shown_arguments(args: RecipeArguments) -> dict[str, Any]:
    """The arguments a card tells: those that decide how good the model is."""
    values = args.to_dict()
    return {name: values[name] for name in SHOWN_ARGUMENTS if values[name] is not None}


def describe_samples(args: RecipeArguments) -> str:
    """What a card says of a dry run."""
    given = {name: getattr(args, name) for name in ("max_train_samples", "max_eval_samples")}
    flags = " ".join(f"--{name} {value}" for name, value in given.items() if value is not None)
    return f"**A dry run** on a part of the clips (`{flags}`): its figures say little." if flags else ""


def shown_command(words: Sequence[str]) -> str:
    """A command line. A card is read elsewhere: which recipe and data matter, not where they lay."""
    command = shlex.join(_shown(flag, argument) for flag, argument in zip(["", *words], words, strict=False))
    return f"python {command}" if words[0].endswith(".py") else command


def _shown(flag: str, argument: str) -> str:
    """An argument that follows a flag, without folders and secrets."""
    if flag.endswith(("_token", "-token")):
        return "SECRET"
    name, equals, _ = argument.partition("=")
    if equals and name.endswith(("_token", "-token")):
        return f"{name}=SECRET"
    name, equals, value = argument.rpartition("=")
    return f"{name}{equals}{Path(value).name}" if os.path.isabs(value) else argument


def write_model_card(task: TaskFacts, run: RunFacts) -> str:
    """The card as text: YAML metadata with a `model-index`, then Markdown."""
    finite = [name for name, value in run.metrics.items() if math.isfinite(value)]
    names = describe_metrics(finite, run.further, run.pooled)
    classes = ", ".join(code(label) for label in run.labels)
    sections = [
        f"---\n{_metadata(task, run, names).to_yaml()}\n---\n\n# {escape(task.title)}",
        *(["\n".join(f"- {sentence}" for sentence in run.summary)] if run.summary else []),
        task.hears,
        f"Classes: {classes}.",
        *([] if run.network is None or run.checkpoint is None else _use(run)),
        *_scores(run, names),
        *_data(task, run),
        *([] if run.network is None else _network(run.network)),
        *_training(run),
        "## Limits",
        "\n".join(f"- {limit}" for limit in [*task.limits, _rejection(run)]),
    ]
    return "\n\n".join(sections) + "\n"


NO_REJECTION = (
    "Every clip gets an answer: sounds that are nothing of what was learnt get one too, with a confidence that means "
    "nothing."
)
SPEECH_ONLY = (
    "Where nobody speaks, `hf_audio` answers \"no speech\" (by silero-vad: `pip install 'hf-audio[speech]'`); "
    "transformers alone, without it, hears the silence too and gives an answer that means nothing."
)

REJECTION = (
    f'"{NONE_OF_THESE}" is what it answers to sounds like the background it was trained with; sounds unlike both that '
    "and its classes may still get a class."
)

ONLY_NORMAL = (
    "It knows normal recordings alone: whatever is unlike these counts as an anomaly, another microphone, place or "
    "gain too."
)


def _rejection(run: RunFacts) -> str:
    if run.network is None:
        return REJECTION if NONE_OF_THESE in run.labels else NO_REJECTION
    config = run.network.config
    if getattr(config, "normal_centers", 0):
        return ONLY_NORMAL
    if rejects_background(config):
        return REJECTION
    return SPEECH_ONLY if getattr(config, "speech_only", False) else NO_REJECTION


def _metadata(task: TaskFacts, run: RunFacts, metrics: Mapping[str, MetricFacts]) -> ModelCardData:
    # A name by itself would be taken for an id on the Hub.
    dataset_type = next(iter(task.hub_datasets), f"{task.dataset_type} (not on the Hub)")
    # What is told apart here stands in no column together, wherever cards are compared.
    apart = ", with external knowledge" if is_external(run.origins) else ""
    results = [
        EvalResult(
            task_type="audio-classification",
            task_name=f"Audio classification{apart}",
            dataset_type=dataset_type,
            dataset_name=task.dataset_name,
            dataset_split=facts.split,
            metric_type=facts.type,
            metric_name=facts.label,
            metric_value=round(run.metrics[name], 5),
        )
        for name, facts in metrics.items()
    ]
    network = [] if run.network is None else [run.network.config.model_type]
    return ModelCardData(
        language=list(task.language) or None,
        license=settle_license(task.license, run.origins),
        library_name="transformers",
        pipeline_tag="audio-classification",
        base_model=run.base_model,
        datasets=task.hub_datasets or None,
        metrics=list(dict.fromkeys(facts.type for facts in metrics.values() if facts.split == TEST_SPLIT)) or None,
        tags=["audio-classification", *network, "hf_audio", *task.tags],
        model_name=task.title,
        eval_results=results,
    )


def _use(run: RunFacts) -> list[str]:
    assert run.network is not None
    config = run.network.config
    sections = [
        "## How to use it",
        f"""```python
import hf_audio  # any file, any sampling rate, stereo, long recordings
from transformers import pipeline

classifier = pipeline("audio-classification", model="{run.checkpoint}")
print(classifier({json.dumps(run.example, ensure_ascii=False)}))
```""",
    ]
    if not getattr(config, "num_digits", 0):  # transformers' own pipeline reads no numbers
        remote = ", trust_remote_code=True" if _is_own(config) else ""
        sections.append(
            f"Without `hf_audio`, transformers alone runs it on arrays at {config.sampling_rate} Hz:\n"
            f'`pipeline("audio-classification", model="{run.checkpoint}"{remote})`.'
        )
    return sections


def _scores(run: RunFacts, metrics: Mapping[str, MetricFacts]) -> list[str]:
    interval = {name: "{:.4f} to {:.4f}".format(*run.intervals[name]) for name in run.intervals}
    sections = [
        "## How good it is",
        f"On {run.n_test} held-out clips. {run.interval_note}",
        *([run.sampled] if run.sampled else []),
        write_table(
            ["Metric", "Value", "95 % interval"],
            [
                [escape(facts.label), f"{run.metrics[name]:.4f}", interval.get(name, "")]
                for name, facts in metrics.items()
            ],
        ),
        run.chosen,
    ]
    if run.folds:
        rows = [[f"{cell:.4f}" if isinstance(cell, float) else cell for cell in row.values()] for row in run.folds]
        sections.append(write_table(list(run.folds[0]), escape_rows(rows)))
    for table in run.tables:
        sections += [*([table.intro] if table.intro else []), write_table(table.header, escape_rows(table.rows))]
    return [
        *sections,
        *(f"![{picture.removesuffix('.png').replace('_', ' ')}]({picture})" for picture in run.pictures),
    ]


def _data(task: TaskFacts, run: RunFacts) -> list[str]:
    skipped = f" {run.n_skipped} files could not be used; `skipped.csv` lists them." if run.n_skipped else ""
    return [
        "## What it was trained on",
        task.data,
        f"{task.split} {run.n_train} clips were trained on.{skipped}",
        "\n".join(f"- {describe_origin(origin, code)}" for origin in run.origins) or FROM_SCRATCH,
    ]


def _network(network: NetworkFacts) -> list[str]:
    config = network.config
    return [
        "## What it is",
        write_table(
            ["", ""],
            [
                [
                    "Input",
                    f"mono waveform at {config.sampling_rate} Hz; "
                    + (
                        f"a number as a whole, of up to {config.clip_seconds:g} s"
                        if getattr(config, "num_digits", 0)
                        else f"longer audio in windows of {config.clip_seconds:g} s"
                    ),
                ],
                *_layers(config),
                ["Parameters", f"{network.parameters:,}"],
                ["Multiply-accumulates", f"{network.macs / 1e6:.1f} million for {config.clip_seconds:g} s"],
                ["Size", f"{network.weights_bytes / 1e6:.2f} MB (`model.safetensors`)"],
            ],
        ),
    ]


def _is_own(config: PreTrainedConfig) -> bool:
    return config.model_type in (
        AudioCNNConfig.model_type,
        AudioEncoderConfig.model_type,
        AudioEnsembleConfig.model_type,
    )


def _layers(config: PreTrainedConfig) -> list[list[str]]:
    if config.model_type == AudioEnsembleConfig.model_type:
        parts = zip(config.weights, config.member_configs, strict=True)
        return [
            [f"Member {number}", f"weight {weight:.2f}; {'; '.join(cell for _, cell in _layers(member))}"]
            for number, (weight, member) in enumerate(parts, start=1)
        ]
    if config.model_type == AudioEncoderConfig.model_type:
        return [["Network", f"`{config.encoder}`, {SOURCES[config.encoder].title}, trained on from a checkpoint"]]
    if not _is_own(config):
        return [["Network", f"`{config.model_type}` of transformers, trained on from a checkpoint"]]
    milliseconds = 1000 / config.sampling_rate
    return [
        [
            "Features",
            f"{config.n_features} {'MFCCs' if config.frontend == 'mfcc' else 'mel bands'}, frames of "
            f"{config.win_length * milliseconds:.1f} ms every {config.hop_length * milliseconds:.1f} ms, "
            "computed by the model itself",
        ],
        ["Network", f"`{config.backbone}` with {', '.join(map(str, config.hidden_sizes))} channels"],
    ]


def _training(run: RunFacts) -> list[str]:
    arguments = list(run.hyper_parameters.items())
    return [
        "## How it was trained",
        f"{code(run.command)}, {run.minutes:.1f} minutes on {machine()}.",
        *([write_table(["Argument", "Value"], escape_rows(arguments))] if arguments else []),
        f"PyTorch {torch.__version__}, transformers {transformers.__version__}. `training_args.json` holds every "
        "argument.",
    ]
