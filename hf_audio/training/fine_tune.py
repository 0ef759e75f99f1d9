"""`fine_tune`: one training, from a task and arguments to a finished checkpoint folder."""

import copy
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset
from threadpoolctl import threadpool_limits

from ..arguments import RecipeArguments
from ..augmentation.altered import alterations, choose_clips
from ..errors import HubError
from ..runs.agreement import each_for_itself
from ..runs.confidence import CALIBRATED, TEMPERATURE
from ..runs.folder.checkpoints import planned_steps
from ..runs.folder.contents import TRAINED_ON_ALL
from ..runs.folder.holding import let_go_after
from ..runs.folder.preparing import prepare_output_dir
from ..runs.hub import Destination, check_learnt, push, read_destination
from ..runs.origins import describe_origin, find_origins, warn_of_licenses
from ..runs.rejection import FIT_PART
from .batching.shard_loader import ClipStream
from .class_balance import report_classes
from .finish import describe_choice, write_run
from .heads.head import HeadTrainer
from .judgement.calibration import FITTED_BY, fit_answers, fitting_clips
from .judgement.clip_map import map_test_clips
from .judgement.judging import judge, judge_by_folds, judge_crops
from .judgement.rival import compare
from .judgement.validated import describe_fit
from .optimization.budget import Clock, judging_seconds
from .parts import check_streamable
from .setup import TrainingSetup, clear_working_files, count_trained, set_up
from .stopping import LEAST_HELD, Stopping, hold_back
from .task import Task
from .trained_clips import check_same_clips, share_skipped
from .trainer import AudioTrainer

logger = logging.getLogger(__name__)


@let_go_after()
def fine_tune(args: RecipeArguments, task: Task) -> dict[str, Any]:
    """Train one network and leave the finished folder `args.output_dir`; returns what `all_results.json` holds.

    What goes before and above one training (pretraining, cross-validation, `--search`, `--refit`, `--baseline`) is
    `start.train_task`'s.

    Raises:
        ArgumentError: the output folder cannot be written or holds a run already, or an argument does not go with the
            task.
        HubError: with `args.push_to_hub`, nobody may write there, or it does not take the folder, which is finished.
        DataError: the data cannot be trained on.
    """
    check_streamable(args, task)
    _tell_origins(args, task)
    destination = read_destination(args)
    checkpoint = prepare_output_dir(args)
    args = copy.copy(args) if task.validated is None else task.validated.arguments(args)
    args.push_to_hub = False  # Trainer would upload whatever the folder holds by then
    setup = set_up(args, task, checkpoint)
    report_classes(args, task, setup.parts)
    trainer = setup.make_trainer(setup.model, args)
    check_same_clips(args, setup.parts.names, setup.trained_clips)
    if not isinstance(trainer, HeadTrainer):  # which makes no steps
        _plan_length(trainer, setup, task)
    planned = None if checkpoint is None else planned_steps(checkpoint)
    # The threads of numpy's and scipy's BLAS spin for milliseconds after each product, on the cores of the model's.
    with threadpool_limits(1, user_api="blas"), each_for_itself():
        trained = trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    trainer.keep_average()
    with each_for_itself():
        results = _judge_and_write(trainer, setup, task, trained.metrics, planned)
    trainer.accelerator.wait_for_everyone()  # until the first has read what all have noted, and written the results
    clear_working_files(args)
    if trainer.is_world_process_zero() and destination is not None:
        _push(Path(args.output_dir), destination, results)
    return results


def _tell_origins(args: RecipeArguments, task: Task) -> None:
    """Say what the network will know from elsewhere, and what licences forbid, before any time is spent."""
    if task.is_retold:
        return
    origins = find_origins(args, task.facts.dataset_name)
    for origin in origins:
        logger.info("%s", describe_origin(origin, repr))
    for sentence in warn_of_licenses(origins, task.facts.license):
        logger.warning("%s", sentence)


def _push(folder: Path, destination: Destination, results: Mapping[str, Any]) -> None:
    """Upload a finished folder, unless nothing was learnt."""
    try:
        check_learnt(folder, results)
    except HubError as error:  # the training is over and its folder whole: that is no failure
        logger.warning("%s", error)
    else:
        logger.info("%s", push(folder, destination))


def _plan_length(trainer: AudioTrainer, setup: TrainingSetup, task: Task) -> None:
    """Have a training tell how long it takes, fit into its time, and end where nothing more is gained."""
    args, parts, length = setup.args, setup.parts, trainer.length
    if task.stop_when_settled and task.validated is None and args.max_steps <= 0 and not args.load_best_model_at_end:
        watched = parts.validation
        if watched is None and isinstance(parts.train, Dataset):
            length.held = hold_back(parts.train, args.seed, task.validation_group_column or task.group_column)
            if length.held is not None:
                watched = parts.train.select(np.flatnonzero(length.held.rows))
        if watched is not None and len(watched) >= LEAST_HELD:
            length.open_ended = True
            trainer.add_callback(Stopping(trainer, length, watched.with_transform(setup.plain)))
    trainer.add_callback(Clock(trainer, length, lambda: judging_seconds(trainer, _judged(setup, task))))


def _judged(setup: TrainingSetup, task: Task) -> list[Dataset]:
    """All that will be judged once the training is over, each set as often as it will be."""
    parts, config = setup.parts, setup.config
    rate, n_parameters = config.sampling_rate, setup.model.num_parameters()
    judged = list(parts.tests.values()) * (1 + setup.args.tta)
    fitted = fitting_clips(parts, config, task, n_parameters)
    judged += [] if fitted is None else [fitted] * len(FITTED_BY)
    altered = choose_clips(parts.test, rate, n_parameters) if parts.tests and task.purpose != "preparation" else None
    judged += [] if altered is None else [altered] * len(alterations(rate))
    return [clips.with_transform(setup.plain) for clips in judged]


def _judge_and_write(
    trainer: AudioTrainer, setup: TrainingSetup, task: Task, trained: dict[str, float], planned: int | None
) -> dict[str, Any]:
    """Have the trained network fitted, judged on the test clips and written; returns the results.

    Args:
        trainer: whose training is over.
        setup: of the training.
        task: that was trained.
        trained: what the trainer has measured of the training.
        planned: the steps of the training that was resumed.
    """
    args, config, parts = setup.args, setup.config, setup.parts
    fit = fit_answers(trainer, parts, setup.plain, config, task)
    results: dict[str, Any] = {TEMPERATURE: fit.temperature, CALIBRATED: fit.describe()}
    if task.crossed is None:
        judgement = judge(trainer, parts, setup.plain, config, fit.rejection_margin, task)
    else:
        judgement = judge_by_folds(task.crossed, config, task)
        results |= {TRAINED_ON_ALL: True, "judging_folds": task.crossed.names}
    results |= {**judgement.metrics, **trained, "epoch": trainer.state.epoch}
    if args.tta > 0 and task.crossed is None:
        crops = setup.make_collator(config.clip_samples, crops=args.tta)
        results |= judge_crops(trainer, crops, parts.test, setup.plain)
    skipped = [*parts.skipped]
    if isinstance(setup.trained_clips, ClipStream):
        share_skipped(args, setup.trained_clips)
        skipped += setup.trained_clips.describe_skipped()
    results |= {
        "train_samples": count_trained(setup.trained_clips),
        "chosen": describe_choice(trainer, task.validated, planned, task.crossed),
    }
    if parts.validation is not None:
        results |= describe_fit(trainer, fit.fitted)
    results |= task.preceding_seconds
    if trainer.is_world_process_zero():
        results |= compare(judgement, parts, task) if task.crossed is None else task.crossed.compared()
        if task.crossed is None and task.purpose == "result":
            model, extractor = trainer.accelerator.unwrap_model(trainer.model), trainer.processing_class
            is_kept = isinstance(trainer, HeadTrainer)
            judgement.clip_map = map_test_clips(model, extractor, parts.test, judgement.predictions, is_kept)
        validation = fit.validation if task.crossed is None else None  # which another network had
        held_out = {"validation": validation, FIT_PART: fit.background}
        write_run(args, task, results, judgement, skipped, trainer, held_out)
    return results
