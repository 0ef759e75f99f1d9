"""Every fold held out once, each by a run of its own that can be resumed, and what they say together."""

import copy
import logging
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from ...arguments import RecipeArguments
from ...data.rows import has_tags
from ...data.tables.text_tables import write_rows
from ...errors import ArgumentError
from ...runs.answers import answer_tables, measure_answers
from ...runs.card import (
    MetricFacts,
    RunFacts,
    describe_metrics,
    describe_samples,
    hub_id,
    shown_command,
    write_model_card,
)
from ...runs.comparison import RIVAL_NAME, compare_folds
from ...runs.confidence import ALTERED, CALIBRATED, CONFIDENCE, CROSS_FITTED, average_confidence
from ...runs.folder.contents import RESULTS_NAME, SKIPPED_NAME, UNFINISHED_FOLDS, training_seconds
from ...runs.folder.finishing import finishing
from ...runs.folder.overwriting import make_way
from ...runs.folder.preceding import run_unless_finished
from ...runs.folder.preparing import open_output_dir
from ...runs.folder.sameness import check_same_arguments
from ...runs.metrics.calibration import calibration_error
from ...runs.network import machine
from ...runs.origins import find_origins, origin_results
from ...runs.predictions.classes import Predictions
from ...runs.predictions.columns import FOLD_COLUMN, PREDICTIONS_NAME
from ...runs.predictions.kinds import join_clips
from ...runs.predictions.tags import TagPredictions
from ...runs.summary import summary_of_card, tell_summary
from ..heads.head import told_arguments
from ..judgement.calibration import cross_fit
from ..judgement.crossed import Crossed
from ..judgement.validated import FITTED_NAME
from ..optimization.budget import share_time
from ..task import Task

logger = logging.getLogger(__name__)


def cross_validate(
    args: RecipeArguments, task: Task, train: Callable[[RecipeArguments, Task], dict[str, Any]]
) -> dict[str, Any]:
    """Hold out every fold of a task once and leave the report on all of them in `args.output_dir`.

    The run of a fold leaves its own finished folder, `fold_<name>`. After a kill, the same command goes on: finished
    folds are read, a fold that has begun is resumed from its last checkpoint.

    Args:
        args: of all runs; `output_dir` is the folder above theirs.
        task: with `folds`.
        train: trains and judges a task with one split, and leaves its folder finished.

    Returns:
        What `all_results.json` holds: of every metric the mean over folds as `eval_<metric>`, its standard deviation
        between folds as `eval_<metric>_std`, the 95 % interval of the mean as `eval_<metric>_interval`, and every
        fold's value as `eval_<metric>_fold_<name>`.

    Raises:
        ArgumentError: the output folder cannot be used, or holds folds of a run with other arguments.
    """
    assert task.folds is not None
    output_dir = Path(args.output_dir)
    if args.push_to_hub:
        raise ArgumentError(
            "--push_to_hub uploads one checkpoint, and a cross-validation has several: hold out one, or upload the "
            "finished folder by hf-audio push."
        )
    if args.search:
        raise ArgumentError("--search tries arguments on one split, and a cross-validation has several: hold out one.")
    make_way(args)
    if (output_dir / RESULTS_NAME).exists():
        raise ArgumentError(
            f"--output_dir {output_dir} already holds a finished run: choose another folder, or replace it by "
            "--overwrite true."
        )
    check_same_arguments(args)  # folds trained in different ways have no mean
    open_output_dir(args, UNFINISHED_FOLDS)
    results, is_retold = {}, task.is_retold
    for name, held_out in task.folds.items():
        folder = output_dir / f"fold_{name}"
        fold = replace(task, folds=None, held_out=held_out, purpose="fold", is_retold=is_retold)
        if (folder / RESULTS_NAME).exists():
            logger.info("Fold %s is finished already: %s.", name, folder)
        else:
            logger.info("Fold %s of %s is held out.", name, ", ".join(task.folds))
            is_retold = True
        left = sum(not (output_dir / f"fold_{other}" / RESULTS_NAME).exists() for other in task.folds)
        results[name] = run_unless_finished(
            share_time(args, left), folder, partial(_train_part, task=fold, train=train)
        )
    measured = [name.removeprefix("eval_") for name in next(iter(results.values()))]
    metrics = describe_metrics(measured, list(task.further_tests), task.pooled_column)
    summary = _summarise(results, metrics) | {"seed": args.seed, "machine": machine()}
    if args.process_index == 0:
        _write_report(args, task, results, metrics, summary)
        tell_summary(output_dir, summary, brief=task.purpose != "result")
    return summary


def _train_part(args: RecipeArguments, task: Task, train: Callable[[RecipeArguments, Task], Any]) -> None:
    train(args, task)


def _summarise(results: Mapping[str, Mapping[str, Any]], metrics: Iterable[str]) -> dict[str, Any]:
    first = next(iter(results.values()))
    summary: dict[str, Any] = {"folds": list(results), "labels": first["labels"]}
    for metric in metrics:
        found = [fold.get(f"eval_{metric}") for fold in results.values()]
        if None in found:  # of folds without clips of two classes, say
            continue
        values = np.array(found)
        spread = values.std(ddof=1)
        # Student's: a handful of folds, whose clips share recordings within a fold and none between folds.
        half = stats.t.ppf(0.975, len(values) - 1) * spread / np.sqrt(len(values))
        summary[f"eval_{metric}"] = values.mean()
        summary[f"eval_{metric}_std"] = spread
        most = np.inf if metric == "false_alarms_per_hour" else 1.0
        if not metric.startswith("calibration_error"):  # the fewer the clips of a fold, the greater its mean
            summary[f"eval_{metric}_interval"] = [max(values.mean() - half, 0.0), min(values.mean() + half, most)]
        summary |= {f"eval_{metric}_fold_{name}": value for name, value in zip(results, values, strict=True)}
    for key in ("parameters", "macs", "weights_bytes"):
        if key in first:
            summary[key] = first[key]
    summary["eval_samples"] = sum(fold["eval_samples"] for fold in results.values())
    summary["train_runtime"] = sum(training_seconds(fold) for fold in results.values())
    return {key: float(value) if isinstance(value, np.floating) else value for key, value in summary.items()}


def _measure_together(
    judged: Predictions | TagPredictions, task: Task, folds: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Confidence and groups of all folds' clips; the means of the folds' altered copies, where all have them.

    Of a few clips the calibration error is too great, so that of all together is told, and not the folds' mean.
    """
    measured = measure_answers(judged, task.group_column or task.pooled_column)
    error = measured[CONFIDENCE]["calibration_error"]
    names = [name for name in folds[0].get(ALTERED, {}) if all(name in fold.get(ALTERED, {}) for fold in folds)]
    altered = {name: average_confidence([fold[ALTERED][name] for fold in folds]) for name in names}
    return {**measured, "eval_calibration_error": error, **({ALTERED: altered} if altered else {})}


def _describe_temperature(
    output_dir: Path, task: Task, folds: Sequence[Mapping[str, Any]], judged: Predictions | TagPredictions
) -> dict[str, Any]:
    """What a temperature would do that the folds fit for one another, where they have fitted none."""
    if CALIBRATED not in folds[0]:  # no networks, or of an older version
        return {}
    if FITTED_NAME in folds[0]:
        return {CALIBRATED: "Each fold's network has a temperature of its own, fitted to validation clips."}
    assert task.folds is not None
    config = copy.copy(task.config)
    if isinstance(judged, TagPredictions):
        config.problem_type = "multi_label_classification"
    temperature, scores = cross_fit(Crossed.read(output_dir, task.dataset, task.folds, None), config)
    cooled = type(judged).from_probabilities(scores.paths, judged.names, scores.references, scores.probabilities)
    error = calibration_error(cooled.confidence, cooled.right)
    sentence = (
        "The folds' networks have temperatures that are fitted to training clips, see their cards. Fitted instead to "
        f"what was answered to the clips of the other folds ({temperature:.3g} for all together), these would leave a "
        f"calibration error of {error:.3f}."
    )
    return {CALIBRATED: sentence, CROSS_FITTED: {"temperature": temperature, "calibration_error": error}}


def _read_rival(folder: Path, names: Sequence[str]) -> Predictions | None:
    """The answers of a fold's rival; nothing where there was none."""
    file = folder / RIVAL_NAME
    return Predictions.read(file, names) if file.is_file() else None


def _answers_class(task: Task) -> type[Predictions] | type[TagPredictions]:
    return TagPredictions if has_tags(task.dataset) else Predictions


def _write_report(
    args: RecipeArguments,
    task: Task,
    results: Mapping[str, Mapping[str, Any]],
    metrics: Mapping[str, MetricFacts],
    summary: dict[str, Any],
) -> None:
    output_dir = Path(args.output_dir)
    folders = {name: output_dir / f"fold_{name}" for name in results}
    names = next(iter(results.values()))["labels"]
    parts = {name: _answers_class(task).read(folder / PREDICTIONS_NAME, names) for name, folder in folders.items()}
    judged = join_clips(list(parts.values()))
    origins = [] if args.baseline else find_origins(args, task.facts.dataset_name)
    summary |= _measure_together(judged, task, list(results.values())) | origin_results(origins)
    summary |= _describe_temperature(output_dir, task, list(results.values()), judged)
    rivals = {name: _read_rival(folder, names) for name, folder in folders.items()}
    summary |= compare_folds([(results[name], parts[name], rivals[name]) for name in results])
    metrics = {name: facts for name, facts in metrics.items() if f"eval_{name}" in summary}
    for name, (low, high) in judged.intervals().items():  # folds may agree by chance, and flawless ones always do
        if name in metrics:
            interval = summary[f"eval_{name}_interval"]
            summary[f"eval_{name}_interval"] = [min(interval[0], low), max(interval[1], high)]
    with finishing(output_dir, summary) as folder:
        judged.write(folder)
        skipped = next(iter(folders.values())) / SKIPPED_NAME  # of the whole table, the same in every fold
        if skipped.exists():
            shutil.copy(skipped, folder)
        fold_column = [name for name, part in parts.items() for _ in part.paths]
        rows = [{**row, FOLD_COLUMN: fold} for row, fold in zip(judged.rows(), fold_column, strict=True)]
        write_rows(folder / PREDICTIONS_NAME, rows)
        card = write_model_card(
            task.facts,
            RunFacts(
                metrics={metric: summary[f"eval_{metric}"] for metric in metrics},
                intervals={
                    metric: tuple(summary[f"eval_{metric}_interval"])
                    for metric in metrics
                    if f"eval_{metric}_interval" in summary
                },
                interval_note=f"Means over {len(results)} folds, each held out from a run of its own, in `fold_NAME`; "
                "the intervals are Student's, of the mean, from the differences between folds, and no narrower than "
                "those of all clips together.",
                summary=summary_of_card(summary),
                labels=judged.names,
                tables=answer_tables(summary, judged),
                n_train=" / ".join(str(fold["train_samples"]) for fold in results.values()),
                n_test=len(judged.paths),
                n_skipped=next(iter(results.values()))["skipped_samples"],
                hyper_parameters=told_arguments(args),
                chosen=next(iter(results.values()))["chosen"],
                command=shown_command(args.command),
                sampled=describe_samples(args),
                minutes=summary["train_runtime"] / 60,
                example=Path(judged.paths[0]).name,
                folds=[
                    {"Fold": name, **{facts.label: fold[f"eval_{metric}"] for metric, facts in metrics.items()}}
                    for name, fold in results.items()
                ],
                checkpoint=None,
                pictures=judged.pictures,
                further=list(task.further_tests),
                pooled=task.pooled_column,
                base_model=hub_id(args.model_name_or_path),
                origins=origins,
            ),
        )
        (folder / "README.md").write_text(card, encoding="utf-8")
