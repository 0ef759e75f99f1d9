"""`fine_tune`: the only path from data to a finished checkpoint folder."""

import copy
import functools
import json
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from scipy.optimize import minimize_scalar
from threadpoolctl import threadpool_limits
from transformers import EvalPrediction, PreTrainedConfig, set_seed
from transformers.trainer_utils import IntervalStrategy, PredictionOutput

from .arguments import ERROR_RATES, ArgumentError, RecipeArguments
from .audio_cache import cache_audio, check_lengths
from .augmentation import Amortized
from .baseline import cache_statistics, fit_baseline
from .batches import ClipTransform, WindowCollator
from .data import BELIEVED_COLUMN, add_guessed, class_names, has_tags
from .encoders import build_model, is_encoder, load_extractor
from .hub import push, read_destination
from .model_card import (
    METRIC_NAMES,
    NetworkFacts,
    RunFacts,
    TaskFacts,
    machine,
    save_network,
    shown_arguments,
    shown_command,
    write_model_card,
)
from .models import AudioCNNConfig
from .models.modeling_audio_cnn import classification_loss, probabilities
from .plots import plot_curves
from .rejection import PICTURE_NAME as REJECTION_NAME
from .rejection import Background, Rejection, add_background, fit_margin, load_background, margins, sparing_margin
from .reports import (
    AnyPredictions,
    Predictions,
    Scores,
    TwoClassPredictions,
    predictions_class,
    relative_paths,
    write_scores,
)
from .run_folder import (
    check_same_arguments,
    finishing,
    prepare_output_dir,
    prepare_preceding,
    run_unless_finished,
)
from .search import SearchSpace, search_arguments
from .splits import split_held_out, split_validation
from .tables import write_rows
from .teacher import load_teacher
from .trainer import AudioTrainer, keep_freed_memory

logger = logging.getLogger(__name__)

AUGMENTED_NAME = ".augmented"
HARMONIC_METRICS = frozenset({"cer", "cer_corpus"})  # told as a mean over several test sets too


@dataclass
class Pretraining:
    """A finished run whose weights another one begins with."""

    folder: str
    seconds: float
    """That it took."""


def pretrain(args: RecipeArguments, run: Callable[[RecipeArguments], Any], **changes: Any) -> Pretraining:
    """Have a first network trained, in `OUTPUT_DIR-pretrained`; after a kill, the same command goes on.

    Args:
        args: of the command, whose output folder is looked at before any time is spent.
        run: trains, given the first run's arguments, and leaves its folder finished. It has clips of its own, no
            teacher, validates nothing and is not uploaded.
        changes: further arguments of the first run that are not the command's.

    Raises:
        ArgumentError: either folder cannot be used, or the first run had other arguments.
    """
    read_destination(args)
    folder = prepare_preceding(args, "pretrained")
    first = copy.copy(args)
    first.output_dir = folder
    first.push_to_hub, first.teacher, first.pseudo_labels, first.search = False, None, None, 0
    first.validation_fraction, first.early_stopping_patience, first.load_best_model_at_end = 0, 0, False
    first.eval_strategy = IntervalStrategy.NO
    for name, value in changes.items():
        setattr(first, name, value)
    check_same_arguments(first)
    results = run_unless_finished(first, Path(first.output_dir), run)
    return Pretraining(first.output_dir, results["train_runtime"])


def fine_tune(
    args: RecipeArguments,
    config: AudioCNNConfig,
    dataset: Dataset,
    held_out: np.ndarray,
    task: TaskFacts,
    *,
    augmentation: Callable[..., np.ndarray] | None = None,
    slow_augmentation: Callable[..., np.ndarray] | None = None,
    group_column: str | None = None,
    validation_group_column: str | None = None,
    validation_rows: np.ndarray | None = None,
    held_out_too: Mapping[str, np.ndarray] | None = None,
    judged_together: str | None = None,
    illustrate: Callable[[AnyPredictions, Path], Sequence[str]] | None = None,
    crop_seconds: tuple[float, float] | None = None,
    pretraining: Pretraining | None = None,
    search_space: SearchSpace | None = None,
) -> dict[str, Any]:
    """Train a model and leave the finished folder `args.output_dir`; returns what `all_results.json` holds.

    Args:
        args: of the run.
        config: of the model; its labels are set from the data.
        dataset: rows of `path` and `label`, as the functions of `data.py` give them.
        held_out: which rows are test clips, (rows,) of bool; they are judged once, after training, and choose nothing.
        task: what the card says about the task.
        augmentation: an audiomentations transform for training clips, drawn anew in every epoch.
        slow_augmentation: another one, applied before it and drawn anew every `args.refresh_epochs` epochs.
        group_column: clips that share its value (recording, speaker) are never on two sides: those that share it with
            a held-out clip are not trained on, and a validation split keeps them together.
        validation_group_column: as `group_column`, for the validation split alone.
        validation_rows: which rows validate, (rows,) of bool, instead of a share of the training clips; so where
            `args.validation_fraction` is above 0.
        held_out_too: name -> rows, as `held_out`: further test clips, of other voices or places. Their metrics are
            told as `eval_<metric>_<name>`, and of error rates the harmonic mean with those of the first ones.
        judged_together: column (speaker) by whose values the test clips are judged as a whole too, by the mean of
            their probabilities. Those metrics are told as `eval_<metric>_<column>`.
        illustrate: draws further pictures of the test clips into a folder, and returns their names, for the card.
        crop_seconds: shortest and longest random crop of a training clip; every batch draws a length of its own
            between. By default, `config.clip_seconds`.
        pretraining: whose weights the model begins with, unless `args.model_name_or_path` says.
        search_space: from where `args.search` takes what it tries, instead of one training; then the folder is what
            `search_arguments` leaves, and what is returned too.

    Raises:
        ArgumentError: the output folder cannot be written or holds a run already.
        HubError: with `args.push_to_hub`, nobody may write there, or it does not take the folder, which is finished.
        DataError: the data cannot be trained on.
    """
    destination = read_destination(args)
    checkpoint = prepare_output_dir(args)
    args.push_to_hub = False  # Trainer would upload whatever the folder holds by then
    set_seed(args.seed)
    keep_freed_memory()
    begin_from = args.model_name_or_path
    if begin_from is None and pretraining is not None:
        begin_from = pretraining.folder
    extractor = load_extractor(begin_from, config)
    masks = {"": held_out, **(held_out_too or {})}
    if validation_rows is not None and args.validation_fraction > 0:
        masks["validation"] = validation_rows
    cached, masks, skipped = _decode(args, config, dataset, masks)
    train, *tests = split_held_out(cached, list(masks.values()), group_column)
    validation = tests.pop() if "validation" in masks else None
    test = tests[0]
    if args.baseline:
        return _judge_baseline(args, config.sampling_rate, train, test, task, skipped)
    names = class_names(cached)
    if args.balance != "none" and (names is None or has_tags(cached)):
        raise ArgumentError("--balance is of one class a clip, and this task has several answers: leave it out.")
    background = None
    if args.background is not None:
        background = _load_background(args, config, cached)
        names = background.names
    if names is not None:
        config.id2label = dict(enumerate(names))
        config.label2id = {name: number for number, name in enumerate(names)}
    if has_tags(cached):
        config.problem_type = "multi_label_classification"
    if args.load_best_model_at_end or args.search:
        args.metric_for_best_model = _choosing_metric(args, config)
    window: int | tuple[int, int] | None = config.clip_samples
    if crop_seconds is not None:
        shortest, longest = (round(seconds * config.sampling_rate) for seconds in crop_seconds)
        window = shortest, longest
    if config.num_digits:
        window = None  # half a number is another number
        check_lengths(cached, config.sampling_rate, config.clip_seconds)
        if args.tta:
            raise ArgumentError("--tta judges parts of clips, and a part of a number is another one: leave it out.")
    if args.validation_fraction > 0 and validation is None:
        train, validation = split_validation(
            train, args.validation_fraction, args.seed, validation_group_column or group_column
        )
    if background is not None:
        train = add_background(train, background.train)
    if args.teacher is not None and is_encoder(extractor):
        raise ArgumentError("--teacher hears waveforms, which an encoder of transformers does not read: leave it out.")
    teacher = None if args.teacher is None else load_teacher(args.teacher, config, test["path"][:])

    n_tags = len(names) if names is not None and has_tags(cached) else None
    amortized = None
    if slow_augmentation is not None:
        amortized = Amortized(slow_augmentation, args.refresh_epochs, Path(args.output_dir) / AUGMENTED_NAME)
        if checkpoint is None:
            with args.main_process_first(desc="augmented clips"):
                amortized.clear()  # of a run that was killed, and perhaps had another seed
    transform = ClipTransform(
        config.sampling_rate,
        augmentation=augmentation,
        amortized=amortized,
        clip_samples=window,
        n_tags=n_tags,
        unverified_weight=args.unverified_weight,
        seed=args.seed,
    )
    plain = ClipTransform(config.sampling_rate, n_tags=n_tags)
    collator = functools.partial(WindowCollator, extractor=extractor if is_encoder(extractor) else None)
    if is_encoder(extractor) and not getattr(extractor, "return_attention_mask", True):
        args.per_device_eval_batch_size = 1  # padding would change what it answers
    if BELIEVED_COLUMN in cached.column_names:
        # What is believed is trained on, and nothing is judged by it.
        tests = [clips.remove_columns(BELIEVED_COLUMN) for clips in tests]
        validation = None if validation is None else validation.remove_columns(BELIEVED_COLUMN)
    make_trainer = functools.partial(
        AudioTrainer,
        train_transform=transform,
        teacher=teacher,
        train_dataset=train.with_transform(transform),
        eval_dataset=None if validation is None else validation.with_transform(plain),
        data_collator=collator(None if window is None else config.clip_samples),
        processing_class=extractor,
        compute_metrics=functools.partial(compute_metrics, config=config),
    )
    if args.search:
        build = functools.partial(build_model, config, begin_from, extractor)
        found = search_arguments(args, search_space, functools.partial(make_trainer, None, model_init=build))
        if amortized is not None:
            amortized.clear()
        return found
    model = build_model(config, begin_from, extractor)
    trainer = make_trainer(model, args)
    # The threads of numpy's and scipy's BLAS spin for milliseconds after each product, on the cores of the model's.
    with threadpool_limits(1, user_api="blas"):
        trained = trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    trainer.keep_average()
    scores, seen = {}, None
    # What is fitted goes into the model itself, so that every runtime gives the same answers.
    heard = None if background is None else trainer.predict(background.fit.with_transform(plain))
    if validation is not None:
        seen = trainer.predict(validation.with_transform(plain))
        if not is_encoder(extractor):
            model.config.temperature = fit_temperature(*_with_background(seen, heard), config)
            seen = seen._replace(predictions=seen.predictions / model.config.temperature)
        scores["validation"] = _scores(config, validation, seen)
    if background is not None and heard is not None:
        if args.false_alarms_per_hour is not None:
            above = margins(heard.predictions) / model.config.temperature
            model.config.rejection_margin = fit_margin(above, args.false_alarms_per_hour, background.hours(above))
        elif seen is not None:
            model.config.rejection_margin = sparing_margin(seen.predictions, seen.label_ids)
    judged = [trainer.predict(clips.with_transform(plain), metric_key_prefix="eval") for clips in tests]
    results: dict[str, Any] = {**judged[0].metrics, **trained.metrics, "epoch": trainer.state.epoch}
    if args.tta > 0:
        trainer.data_collator = collator(config.clip_samples, crops=args.tta)
        shifted = trainer.predict(test.with_transform(plain)).metrics
        results |= {
            f"eval_{name}_tta": shifted[f"test_{name}"]
            for name in METRIC_NAMES
            if f"{name}_tta" in METRIC_NAMES and f"test_{name}" in shifted
        }
    results |= {"train_samples": len(train), "chosen": _chosen(trainer)}
    if pretraining is not None:
        results["pretrain_runtime"] = pretraining.seconds
    told = [_scores(config, *part) for part in zip(tests, judged, strict=True)]
    scores["test"] = told[0]
    predictions, *other_predictions = (
        predictions_class(config).from_probabilities(
            clips["path"][:], _names(config), part.references, part.probabilities
        )
        for clips, part in zip(tests, told, strict=True)
    )
    named = dict(zip(held_out_too or {}, other_predictions, strict=True))
    if judged_together is not None:
        whole = judge_together(told[0], test[judged_together][:])
        named[judged_together] = predictions_class(config).from_probabilities(
            whole.paths, _names(config), whole.references, whole.probabilities
        )
    for name, other in named.items():
        results |= _beside(results, other.metrics(), name)
    rejection = None
    if background is not None:
        heard = trainer.predict(background.test.with_transform(plain))
        clips, labels = judged[0].predictions, judged[0].label_ids
        rejection = Rejection(
            margins(clips),
            clips[:, :-1].argmax(1) == labels,
            margins(heard.predictions),
            background.hours(background.test),
            model.config.rejection_margin,
        )
        results |= {f"eval_{name}": value for name, value in rejection.metrics().items()}
    if trainer.is_world_process_zero():
        _write_folder(args, task, results, predictions, skipped, trainer, named, scores, illustrate, rejection)
        if amortized is not None:
            amortized.clear()
        if destination is not None:
            logger.info("%s", push(Path(args.output_dir), destination))
    trainer.accelerator.wait_for_everyone()
    return results


def _decode(
    args: RecipeArguments, config: AudioCNNConfig, dataset: Dataset, masks: Mapping[str, np.ndarray]
) -> tuple[Dataset, dict[str, np.ndarray], list[dict[str, str]]]:
    """The data set, pseudo-labelled clips behind it, decoded; which of its rows each mask means; and what is left out.

    masks: (rows,) of bool, and so what is returned.
    """
    if args.pseudo_labels is not None:
        labelled, dataset = len(dataset), add_guessed(dataset, args.pseudo_labels)
        masks = {name: np.pad(rows, (0, len(dataset) - labelled)) for name, rows in masks.items()}
    with args.main_process_first(desc="decoding"):
        # All rows together: every fold of a cross-validation then finds them decoded.
        cached, skipped = cache_audio(
            dataset, config.sampling_rate, strict=args.strict, speech_only=config.speech_only
        )
    for row in skipped:
        logger.warning("Left out: %s", row["reason"])
    kept = np.asarray(cached["index"], dtype=int)
    return cached, {name: np.asarray(rows, dtype=bool)[kept] for name, rows in masks.items()}, skipped


def _load_background(args: RecipeArguments, config: AudioCNNConfig, cached: Dataset) -> Background:
    names = class_names(cached)
    if names is None or has_tags(cached):
        raise ArgumentError("--background is of one class a clip, and this task has several answers: leave it out.")
    if config.speech_only:
        raise ArgumentError("--background is not for a model of speech alone, which waits for speech: leave it out.")
    if BELIEVED_COLUMN in cached.column_names:
        raise ArgumentError("--background does not go with --label_rounds: leave one of them out.")
    assert args.background is not None
    with args.main_process_first(desc="background"):
        return load_background(args.background, config.sampling_rate, config.clip_seconds, names, args.seed)


def _with_background(seen: PredictionOutput, heard: PredictionOutput | None) -> tuple[np.ndarray, np.ndarray]:
    """Logits and labels of validation clips, and of background as many, that hours of it do not decide alone."""
    if heard is None:
        return seen.predictions, seen.label_ids
    rows = np.linspace(0, len(heard.label_ids) - 1, min(len(heard.label_ids), len(seen.label_ids))).astype(int)
    return (
        np.concatenate([seen.predictions, heard.predictions[rows]]),
        np.concatenate([seen.label_ids, heard.label_ids[rows]]),
    )


def _choosing_metric(args: RecipeArguments, config: AudioCNNConfig) -> str:
    """The metric that the user or the recipe wants to choose the epoch by, or the task's first, where that is none."""
    wanted = str(args.metric_for_best_model).removeprefix("eval_")
    told = predictions_class(config).metric_names(config.num_labels)
    if wanted in ("loss", *told):
        return wanted
    logger.warning("--metric_for_best_model %s is not told of such clips: %s chooses the epoch.", wanted, told[0])
    args.greater_is_better = told[0] not in ERROR_RATES
    return told[0]


def _judge_baseline(
    args: RecipeArguments,
    sampling_rate: int,
    train: Dataset,
    test: Dataset,
    task: TaskFacts,
    skipped: Sequence[Mapping[str, str]],
) -> dict[str, Any]:
    names = class_names(test)
    if names is None or has_tags(test):
        raise ArgumentError("--baseline judges one class a clip, and this task has several answers: leave it out.")
    start = time.perf_counter()
    with args.main_process_first(desc="statistics"):
        heard, judged_on = cache_statistics(train, sampling_rate), cache_statistics(test, sampling_rate)
    scores = fit_baseline(heard, train["label"][:], judged_on, len(names), args.seed)
    kind = TwoClassPredictions if len(names) == 2 else Predictions
    predictions = kind.from_probabilities(test["path"][:], names, test["label"][:], scores)
    results: dict[str, Any] = {f"eval_{name}": value for name, value in predictions.metrics().items()}
    results |= {
        "train_samples": len(train),
        "train_runtime": time.perf_counter() - start,
        "chosen": "A baseline: scikit-learn's `MLPClassifier` with its defaults on statistics of each clip; the test "
        "clips chose nothing.",
    }
    if args.process_index == 0:
        _write_folder(args, task, results, predictions, skipped)
    return results


def _write_folder(
    args: RecipeArguments,
    task: TaskFacts,
    results: dict[str, Any],
    predictions: AnyPredictions,
    skipped: Sequence[Mapping[str, str]],
    trainer: AudioTrainer | None = None,
    other_predictions: Mapping[str, AnyPredictions] | None = None,
    scores: Mapping[str, Scores] | None = None,
    illustrate: Callable[[AnyPredictions, Path], Sequence[str]] | None = None,
    rejection: Rejection | None = None,
) -> None:
    """Card, results and pictures, and of a network the checkpoint; `results` gains what is computed here."""
    metrics = {name: results[f"eval_{name}"] for name in METRIC_NAMES if f"eval_{name}" in results}
    intervals = predictions.intervals()
    for name, others in (other_predictions or {}).items():
        intervals |= {f"{metric}_{name}": interval for metric, interval in others.intervals().items()}
    results |= {f"eval_{name}_interval": list(interval) for name, interval in intervals.items()}
    results |= {
        "eval_samples": len(predictions.paths),
        "skipped_samples": len(skipped),
        "labels": list(predictions.names),
        "seed": args.seed,
        "machine": machine(),
        "task": asdict(task),
    }
    with finishing(Path(args.output_dir), results) as folder:
        predictions.write(folder)
        for name, others in (other_predictions or {}).items():
            write_rows(folder / f"predictions_{name}.csv", others.rows())
        if skipped:
            write_rows(folder / "skipped.csv", skipped)
        network, pictures, tables = None, predictions.pictures, predictions.tables()
        if scores is not None:
            write_scores(folder, scores)
        if trainer is not None:
            network = _save_network(trainer, folder)
            results |= {name: getattr(network, name) for name in ("parameters", "macs", "weights_bytes")}
            plot_curves(trainer.state.log_history, folder / "training_curves.png")
            pictures.append("training_curves.png")
        if illustrate is not None:
            pictures += illustrate(predictions, folder)
        if rejection is not None:
            rejection.plot(folder / REJECTION_NAME)
            pictures.append(REJECTION_NAME)
            tables.insert(0, rejection.table())
        run = RunFacts(
            metrics=metrics,
            intervals=intervals,
            interval_note="The intervals are what 1000 resamplings of those clips give.",
            labels=predictions.names,
            tables=tables,
            n_train=str(results["train_samples"]),
            n_test=len(predictions.paths),
            n_skipped=len(skipped),
            hyper_parameters={} if network is None else shown_arguments(args),
            chosen=results["chosen"],
            command=shown_command(),
            minutes=(results["train_runtime"] + results.get("pretrain_runtime", 0)) / 60,
            example=Path(predictions.paths[0]).name,
            network=network,
            pictures=pictures,
        )
        (folder / "README.md").write_text(write_model_card(task, run), encoding="utf-8")
    shown = {key: value for key, value in results.items() if key.startswith("eval_") and "_per_" not in key}
    logger.info("Finished in %s: %s", args.output_dir, json.dumps(shown))


def _save_network(trainer: AudioTrainer, folder: Path) -> NetworkFacts:
    # As a contiguous float32 model on the CPU: how it was trained does not travel.
    model = trainer.accelerator.unwrap_model(trainer.model).cpu().to(memory_format=torch.contiguous_format)
    return save_network(model, trainer.processing_class, folder)


def _chosen(trainer: AudioTrainer) -> str:
    args = trainer.args
    weights = "the average of the weights over the steps" if args.ema_decay else "the weights"
    if not args.load_best_model_at_end or not trainer.state.best_global_step:  # too short a run to validate
        return f"These are {weights} at the end of the last epoch; the test clips chose nothing."
    return (
        f"These are {weights} at step {trainer.state.best_global_step}, the best by {args.metric_for_best_model} on "
        "the validation split; the test clips chose nothing."
    )


def compute_metrics(prediction: EvalPrediction, config: PreTrainedConfig) -> dict[str, float]:
    """The task's metrics. predictions: (clips, labels) logits; label_ids: (clips,) classes or (clips, digits)."""
    scores = probabilities(torch.from_numpy(prediction.predictions), config).numpy()
    paths = [""] * len(scores)
    report = predictions_class(config).from_probabilities(paths, _names(config), prediction.label_ids, scores)
    return report.metrics()


def fit_temperature(logits: np.ndarray, labels: np.ndarray, config: PreTrainedConfig) -> float:
    """What logits must be divided by for the least loss on clips that were not trained on.

    logits: (clips, labels); labels: (clips,) or (clips, digits). Source: Guo et al. 2017,
    https://arxiv.org/abs/1706.04599.
    """
    scores, targets = torch.from_numpy(logits), torch.from_numpy(labels)

    def loss(log_temperature: float) -> float:
        return float(classification_loss(scores / math.exp(log_temperature), targets, config))

    # Few clips, all judged right, would ask for a temperature of zero.
    return math.exp(minimize_scalar(loss, bounds=(math.log(0.1), math.log(10)), method="bounded").x)


def judge_together(scores: Scores, groups: Sequence[str]) -> Scores:
    """The mean of the probabilities of clips of one group (speaker), whose name takes the place of a path.

    groups: (clips,), each of one label.
    """
    names, first, members = np.unique(np.asarray(groups), return_index=True, return_inverse=True)
    means = np.stack([scores.probabilities[members == group].mean(0) for group in range(len(names))])
    return Scores(names.tolist(), scores.references[first], means)


def _scores(config: PreTrainedConfig, clips: Dataset, judged: PredictionOutput) -> Scores:
    told = probabilities(torch.from_numpy(judged.predictions), config).numpy()
    return Scores(relative_paths(clips["path"][:]), judged.label_ids, told)


def _names(config: PreTrainedConfig) -> list[str]:
    return [config.id2label[number] for number in range(config.num_labels)]


def _beside(results: Mapping[str, Any], metrics: Mapping[str, float], name: str) -> dict[str, float]:
    """Metrics of further test clips under their names, and the harmonic means of error rates with the first ones'."""
    told = {f"eval_{metric}_{name}": value for metric, value in metrics.items()}
    for metric in HARMONIC_METRICS & set(metrics):
        rates = results[f"eval_{metric}"], metrics[metric]
        # Of a rate of zero the harmonic mean is zero, whatever the other one.
        told[f"eval_{metric}_harmonic"] = 0.0 if min(rates) == 0 else 2 / sum(1 / rate for rate in rates)
    return told
