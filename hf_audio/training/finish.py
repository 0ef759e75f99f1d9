"""What a run leaves behind when it is over: checkpoint, results, pictures and card, moved into place together."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from ..arguments import RecipeArguments
from ..data.tables.text_tables import write_rows
from ..errors import ArgumentError
from ..files import write_text
from ..runs.answers import answer_tables, measure_answers
from ..runs.card import RunFacts, describe_metrics, describe_samples, hub_id, shown_command, write_model_card
from ..runs.comparison import RIVAL_NAME, compare_with_constant
from ..runs.folder.contents import SKIPPED_NAME, as_json, training_seconds
from ..runs.folder.finishing import finishing
from ..runs.folder.preparing import prepare_output_dir
from ..runs.markdown import Table
from ..runs.network import NetworkFacts, machine, save_network
from ..runs.origins import find_origins, origin_results
from ..runs.plots import CURVES_NAME, plot_curves
from ..runs.predictions.classes import Predictions
from ..runs.predictions.kinds import AnyPredictions
from ..runs.predictions.two_classes import TwoClassPredictions
from ..runs.rejection import PICTURE_NAME as REJECTION_NAME
from ..runs.rejection import TEST_PART
from ..runs.scores import Scores, write_scores
from ..runs.summary import describe_intervals, summary_of_card, tell_summary
from .class_balance import report_classes
from .heads.head import HeadTrainer, told_arguments
from .judgement.baseline import cache_statistics, fit_baseline
from .judgement.crossed import Crossed
from .judgement.judging import Judgement, add_columns
from .judgement.validated import Validated
from .parts import check_streamable
from .setup import divide_task
from .task import Task
from .trainer import AudioTrainer

logger = logging.getLogger(__name__)


def write_run(
    args: RecipeArguments,
    task: Task,
    results: dict[str, Any],
    judgement: Judgement,
    skipped: Sequence[Mapping[str, str]],
    trainer: AudioTrainer | None = None,
    held_out: Mapping[str, Scores | None] = MappingProxyType({}),
) -> None:
    """Card, results and pictures, and with a trainer the checkpoint; `results` gains what is computed here.

    held_out: what was predicted of clips that are not the test's, and were not trained on, by the names of the parts.
    """
    predictions, others = judgement.predictions, judgement.others
    further, pooled = list(task.further_tests), task.pooled_column
    measured = [name.removeprefix("eval_") for name in results]
    metrics = {name: results[f"eval_{name}"] for name in describe_metrics(measured, further, pooled)}
    intervals = predictions.intervals()
    for name, other in others.items():
        intervals |= {f"{metric}_{name}": interval for metric, interval in other.intervals().items()}
    results |= {f"eval_{name}_interval": list(interval) for name, interval in intervals.items()}
    origins = [] if trainer is None else find_origins(args, task.facts.dataset_name)
    results |= _describe_run(args, task, predictions) | origin_results(origins) | {"skipped_samples": len(skipped)}
    with finishing(Path(args.output_dir), results) as folder:
        _write_predictions(judgement, held_out, folder)
        if skipped:
            write_rows(folder / SKIPPED_NAME, skipped)
        network, pictures, tables = None, predictions.pictures, answer_tables(results, predictions)
        if trainer is not None:
            network = _save_network(trainer, folder)
            results |= {name: getattr(network, name) for name in ("parameters", "macs", "weights_bytes")}
            if trainer.state.log_history:  # a fitted head has none
                write_text(folder / CURVES_NAME, as_json(trainer.state.log_history))
                plot_curves(trainer.state.log_history, folder / "training_curves.png")
                pictures.append("training_curves.png")
        if task.plot is not None and trainer is not None:
            pictures += task.plot(predictions, folder)
        drawn, explained = _draw(judgement, folder)
        pictures, tables = [*pictures, *drawn], [*explained, *tables]
        run = RunFacts(
            metrics=metrics,
            intervals=intervals,
            summary=summary_of_card(results),
            interval_note=_describe_intervals(task, predictions),
            labels=predictions.names,
            tables=tables,
            n_train=str(results["train_samples"]),
            n_test=len(predictions.paths),
            n_skipped=len(skipped),
            hyper_parameters={} if network is None else told_arguments(args),
            chosen=results["chosen"],
            command=shown_command(args.command),
            sampled=describe_samples(args),
            minutes=training_seconds(results) / 60,
            example=Path(predictions.paths[0]).name,
            network=network,
            folds=[] if task.crossed is None else task.crossed.rows({"accuracy": "Accuracy"}),
            pictures=pictures,
            further=further,
            pooled=pooled,
            base_model=None if network is None else hub_id(args.model_name_or_path),
            origins=origins,
        )
        (folder / "README.md").write_text(write_model_card(task.facts, run), encoding="utf-8")
    tell_summary(Path(args.output_dir), results, brief=task.purpose != "result")


def _draw(judgement: Judgement, folder: Path) -> tuple[list[str], list[Table]]:
    """Pictures of the rejection and of the embeddings of the clips, and the tables that explain them."""
    pictures, tables = [], []
    if judgement.clip_map is not None:
        pictures.append(judgement.clip_map.write(folder))
        tables += judgement.clip_map.tables()
    if judgement.rejection is not None:
        judgement.rejection.plot(folder / REJECTION_NAME)
        pictures.append(REJECTION_NAME)
        tables.insert(0, judgement.rejection.table())
    return pictures, tables


def _describe_run(args: RecipeArguments, task: Task, predictions: AnyPredictions) -> dict[str, Any]:
    """The figures of the test clips and of the run that stand in the results beside the task's metrics."""
    return {
        "eval_samples": len(predictions.paths),
        "labels": list(predictions.names),
        "seed": args.seed,
        "machine": machine(),
        "task": asdict(task.facts),
        **measure_answers(predictions, task.group_column or task.pooled_column),
    }


def _describe_intervals(task: Task, predictions: AnyPredictions) -> str:
    """Whose figures a card tells, where not the network's own, and how their intervals came about."""
    sentence = describe_intervals(task.group_column or task.pooled_column, predictions)
    return sentence if task.crossed is None else f"{task.crossed.note()} {sentence}"


def _write_predictions(judgement: Judgement, held_out: Mapping[str, Scores | None], folder: Path) -> None:
    """What was predicted of every test clip, and the scores of those and of others that were held out."""
    judgement.predictions.write(folder)
    if judgement.rival is not None:
        write_rows(folder / RIVAL_NAME, judgement.rival.rows())
    for name, other in judgement.others.items():
        write_rows(folder / f"predictions_{name}.csv", other.rows())
    if judgement.scores is not None:
        known = {**held_out, "test": judgement.scores, TEST_PART: judgement.background}
        write_scores(folder, {name: scores for name, scores in known.items() if scores is not None})


def train_baseline(args: RecipeArguments, task: Task) -> dict[str, Any]:
    """Fit scikit-learn's classifier to statistics of the training clips, and leave how good it is; the results.

    Raises:
        ArgumentError: the task has several answers a clip; and as `fine_tune`.
    """
    check_streamable(args, task)
    prepare_output_dir(args)
    config, _, parts = divide_task(args, task)
    report_classes(args, task, parts)
    names, test, sampling_rate = parts.names, parts.test, config.sampling_rate
    if names is None or parts.n_tags is not None:
        raise ArgumentError("--baseline judges one class a clip, and this task has several answers: leave it out.")
    start = time.perf_counter()
    with args.main_process_first(desc="statistics"):
        train_statistics = cache_statistics(parts.clips, sampling_rate)
        test_statistics = cache_statistics(test, sampling_rate)
    scores = fit_baseline(train_statistics, parts.clips["label"][:], test_statistics, len(names), args.seed)
    kind = TwoClassPredictions if len(names) == 2 else Predictions
    predictions = kind.from_probabilities(test["path"][:], names, test["label"][:], scores)
    add_columns(predictions, test, task)
    results: dict[str, Any] = {f"eval_{name}": value for name, value in predictions.metrics().items()}
    results |= {
        "train_samples": len(parts.clips),
        "train_runtime": time.perf_counter() - start,
        "chosen": "A baseline: scikit-learn's `MLPClassifier` with its defaults on statistics of each clip; the test "
        "clips chose nothing.",
    }
    if args.process_index == 0:
        results |= compare_with_constant(predictions, parts.class_counts())
        write_run(args, task, results, Judgement(results, predictions, {}, None, None), parts.skipped)
    return results


def _save_network(trainer: AudioTrainer, folder: Path) -> NetworkFacts:
    # As a contiguous float32 model on the CPU: how it was trained does not travel.
    model = trainer.accelerator.unwrap_model(trainer.model).cpu().to(memory_format=torch.contiguous_format)
    return save_network(model, trainer.processing_class, folder)


def describe_choice(
    trainer: AudioTrainer,
    validated: Validated | None = None,
    planned: int | None = None,
    crossed: Crossed | None = None,
) -> str:
    """What a card says of how the weights were chosen.

    Args:
        trainer: whose training is over.
        validated: as in `fit_answers`.
        planned: the steps of the training that was resumed, which may have been to be shorter.
        crossed: the cross-validation that has judged the training.
    """
    args = trainer.args
    if isinstance(trainer, HeadTrainer):
        return trainer.describe_head(crossed is not None)
    weights = "the average of the weights over the steps" if args.ema_decay else "the weights"
    longer = f" {trainer.length.why}" if trainer.length.why else ""
    if planned is not None and trainer.length.steps is None and planned != trainer.state.max_steps:
        longer = (
            f" Training was resumed to go on longer: its first part had the learning rates of {planned} steps, and "
            f"not of {trainer.state.max_steps}."
        )
    if crossed is not None:
        many = "at the end of the last epoch"
        if validated is not None:
            many = f"after {validated.epochs:g} epochs, in the mean what the folds have chosen by validation clips"
        return f"These are {weights} {many}, trained on all clips; what a fold held out chose nothing in it.{longer}"
    if validated is not None:
        return (
            f"These are {weights} after {validated.epochs:g} epochs on all training clips. A first network, trained "
            "without the validation clips, chose by them how many, and fitted the temperature; the test clips chose "
            f"nothing.{longer}"
        )
    if not args.load_best_model_at_end or not trainer.state.best_global_step:  # too short a run to validate
        return f"These are {weights} at the end of the last epoch; the test clips chose nothing.{longer}"
    return (
        f"These are {weights} at step {trainer.state.best_global_step}, the best by {args.metric_for_best_model} on "
        f"the validation split; the test clips chose nothing.{longer}"
    )
