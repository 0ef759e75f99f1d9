"""`--search N`: training arguments that optuna chooses, trial by trial, by what the validation clips say of them."""

import copy
import functools
import gc
import json
import logging
import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import yaml
from threadpoolctl import threadpool_limits
from transformers.trainer_utils import SaveStrategy

from ...arguments import ERROR_RATES, RecipeArguments
from ...data.tables.text_tables import write_rows
from ...errors import ArgumentError
from ...files import write_text
from ...runs.folder.contents import ARGUMENTS_NAME, BEST_NAME, SEARCH_NAME, SEARCH_PICTURE, TRIALS_NAME
from ...runs.folder.preparing import prepare_output_dir
from ...runs.folder.sameness import FREE_ARGUMENTS
from ...runs.plots import plot_search
from ..class_balance import report_classes
from ..parts import check_streamable
from ..setup import clear_working_files, set_up
from ..task import Task
from ..trainer import AudioTrainer

if TYPE_CHECKING:
    import optuna

logger = logging.getLogger(__name__)

Direction = Literal["minimize", "maximize"]

# What the trainer reads while it trains. Other arguments are read before, once for all trials, and of another batch
# size the scores after as many steps could not be compared.
SEARCHABLE = frozenset(
    {
        "ema_decay",
        "label_smoothing_factor",
        "learning_rate",
        "loss_robustness",
        "max_grad_norm",
        "mixup_alpha",
        "warmup_steps",
        "weight_decay",
    }
)
STUDY = "search"
DIGITS = 3  # that count: more would look like knowledge
# Median pruning begins after so many whole trials, and in each after such a share of its steps: the learning rates
# that are best in the end seldom are at first.
WHOLE_TRIALS = 5
WHOLE_SHARE = 1 / 3
# Follow from other arguments and the machine.
DERIVED = frozenset({"accelerator_config", "dataloader_pin_memory", "do_eval", "eval_strategy", "greater_is_better"})


@dataclass(frozen=True)
class Uniform:
    """Any number between two."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ArgumentError(
                f"{self} is no range: give a low end{' above 0' if self.log else ''} and a higher one."
            )


LogUniform = functools.partial(Uniform, log=True)
"""Any number between two above zero, each order of magnitude as often."""

SearchSpace = Mapping[str, Uniform]
"""Names of training arguments, of `SEARCHABLE`, and from where their values are taken."""


def search_arguments(args: RecipeArguments, task: Task) -> dict[str, Any]:
    """Try arguments until `args.search` trials are finished, and leave what was found in the output folder.

    The first trial has the arguments of the command. After every trial the folder holds the trials (`search.db`,
    `trials.csv`, `search.png`) and the best one's arguments (`best_arguments.yaml`, for `--config`); no model is kept.
    After a kill, the same command goes on: every trial is drawn from the seed and the trials finished before it, so
    one that was interrupted is repeated, and the end is the same. Every trial has a trainer of its own, so that
    nothing of another is left in it: weights, their average, patience.

    Args:
        args: of the command; `metric_for_best_model` of the validation clips is what is searched for.
        task: with the `search_space`.

    Returns:
        The best trial's arguments, of those that were searched.

    Raises:
        ArgumentError: there is no space, or it is not the one of the trials in the folder, or they suffice already.
    """
    space = task.search_space
    if space is None:
        raise ArgumentError("--search: this recipe declares no SEARCH_SPACE, so leave it out.")
    check_space(space)
    check_streamable(args, task)
    prepare_output_dir(args)
    args = copy.copy(args)
    setup = set_up(args, task)
    report_classes(args, task, setup.parts)
    study = Study(args, space)
    while study.n_finished < args.search:
        make_trainer = functools.partial(setup.make_trainer, None, model_init=setup.make_model)
        study.try_once(make_trainer)
    clear_working_files(args)
    return study.tell_best()


class Study:
    """The trials of a search, in its folder.

    Args:
        args: of the command.
        space: of the recipe.

    Raises:
        ArgumentError: the folder holds the trials of another space, or enough of them.
    """

    def __init__(self, args: RecipeArguments, space: SearchSpace):
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.args, self.space = args, space
        self.metric = str(args.metric_for_best_model).removeprefix("eval_")
        least_is_best = self.metric == "loss" or self.metric in ERROR_RATES
        self.direction: Direction = "minimize" if least_is_best else "maximize"
        self.folder = Path(args.output_dir)
        self._stored: dict[str, Any] = {
            "storage": optuna.storages.RDBStorage(_sqlite_url(self.folder / SEARCH_NAME)),
            "study_name": STUDY,
            "load_if_exists": True,
        }
        self._study = optuna.create_study(direction=self.direction, **self._stored)
        _open_study(self._study, args, space, self.metric)

    @property
    def n_finished(self) -> int:
        """How many trials are finished."""
        return len(_finished(self._study))

    def try_once(self, make_trainer: Callable[..., AudioTrainer]) -> None:
        """Run one more trial and write what is known by then.

        make_trainer: of some arguments; it makes its model when it trains.
        """
        import optuna
        from optuna.trial import TrialState

        args, space, n_finished = self.args, self.space, self.n_finished
        given = {name: getattr(args, name) for name, values in space.items() if _contains(values, getattr(args, name))}
        if n_finished == 0 and given and not self._study.get_trials(states=(TrialState.WAITING,)):
            self._study.enqueue_trial(given)
        trainer = make_trainer(args=_trial_arguments(args, space, self.direction))
        trainer.objective_where_it_diverges = -math.inf if self.direction == "maximize" else math.inf
        seed = int(np.random.SeedSequence((args.seed, n_finished)).generate_state(1)[0])
        with threadpool_limits(1, user_api="blas"):  # as `fine_tune`
            trainer.hyperparameter_search(
                hp_space=functools.partial(draw, space),
                compute_objective=functools.partial(_objective, trainer, self.metric, self.direction),
                n_trials=1,
                direction=self.direction,
                backend="optuna",
                hp_name=lambda trial: f"trial-{trial.number}",
                sampler=optuna.samplers.TPESampler(seed=seed),
                pruner=optuna.pruners.MedianPruner(WHOLE_TRIALS, round(WHOLE_SHARE * _count_steps(trainer))),
                **self._stored,
            )
        del trainer
        gc.collect()  # and with it its loader workers
        trials = _finished(self._study)
        _report(self.folder, args, space, self.metric, trials, self._study.best_trial)
        row = json.dumps(_row(space, self.metric, trials[-1]))
        logger.info("Trial %d of %d: %s", len(trials), args.search, row)

    def tell_best(self) -> dict[str, Any]:
        """The best trial's arguments, which are logged with how good they were."""
        best = read_values(self.space, self._study.best_trial.params)
        logger.info(
            "The best of %d trials has %s %.4f on the validation clips, with %s.",
            *(self.n_finished, self.metric, self._study.best_value),
            ", ".join(f"{name} {value:g}" for name, value in best.items()),
        )
        words = takewhile(lambda word: not word.startswith("-"), self.args.command)
        again = shlex.join([*words, "--config", str(self.folder / BEST_NAME), "--output_dir", "NEW"])
        logger.info("All trials: %s", self.folder / TRIALS_NAME)
        logger.info("Next: %s%s", "python " if again.partition(" ")[0].endswith(".py") else "", again)
        return best


def check_space(space: SearchSpace) -> None:
    """Refuse names that a trial could not change.

    Raises:
        ArgumentError: a name is not of `SEARCHABLE`.
    """
    for name in space:
        if name not in SEARCHABLE:
            raise ArgumentError(f"{name} cannot be searched: of a SEARCH_SPACE are {', '.join(sorted(SEARCHABLE))}.")


def draw(space: SearchSpace, trial: "optuna.Trial") -> dict[str, float]:
    """A trial's arguments, rounded to three digits that count."""
    return read_values(
        space,
        {name: trial.suggest_float(name, values.low, values.high, log=values.log) for name, values in space.items()},
    )


def read_values(space: SearchSpace, drawn: Mapping[str, float]) -> dict[str, float]:
    """The values of a trial as it uses them: those that were drawn, rounded to three digits, within their ranges."""
    return {
        name: min(max(float(f"{drawn[name]:.{DIGITS}g}"), values.low), values.high) for name, values in space.items()
    }


def _contains(values: Uniform, value: float) -> bool:
    return values.low <= value <= values.high


def _sqlite_url(path: Path) -> str:
    from sqlalchemy import URL

    return URL.create("sqlite", database=str(path.absolute())).render_as_string()


def _open_study(study: "optuna.Study", args: RecipeArguments, space: SearchSpace, metric: str) -> None:
    """Note what is searched, or refuse to go on with another search; interrupted trials count for nothing."""
    from optuna.trial import TrialState

    sought = {"space": {name: repr(values) for name, values in space.items()}, "metric": metric}
    if study.user_attrs.get("sought", sought) != sought:
        raise ArgumentError(
            f"--output_dir {args.output_dir} holds a search of other arguments or by another metric: choose a new one."
        )
    study.set_user_attr("sought", sought)
    if len(_finished(study)) >= args.search:
        raise ArgumentError(
            f"--output_dir {args.output_dir} holds {len(_finished(study))} finished trials already: raise --search "
            "to go on."
        )
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)


def _finished(study: "optuna.Study") -> list["optuna.trial.FrozenTrial"]:
    from optuna.trial import TrialState

    return study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))


def _trial_arguments(args: RecipeArguments, space: SearchSpace, direction: str) -> RecipeArguments:
    trial = copy.copy(args)
    trial.save_strategy = SaveStrategy.NO
    trial.greater_is_better = direction == "maximize"
    for name, values in space.items():
        setattr(trial, name, values.low)  # until the trial has its own: a trainer is made differently for a zero
    return trial


def _objective(trainer: AudioTrainer, metric: str, direction: str, metrics: Mapping[str, float]) -> float:
    """The best epoch's value so far where the best epoch is kept, or else the last one's; of NaN, the worst."""
    better, worst = (max, -math.inf) if direction == "maximize" else (min, math.inf)
    value = metrics[f"eval_{metric}"]
    value = worst if math.isnan(value) else value
    if trainer.args.load_best_model_at_end and trainer.state.best_metric is not None:
        value = better(value, trainer.state.best_metric)
    return float(value)


def _count_steps(trainer: AudioTrainer) -> int:
    args = trainer.args
    if args.max_steps > 0:
        return args.max_steps
    return math.ceil(args.num_train_epochs * len(trainer.get_train_dataloader()) / args.gradient_accumulation_steps)


def _row(space: SearchSpace, metric: str, trial: "optuna.trial.FrozenTrial") -> dict[str, Any]:
    assert trial.datetime_start is not None
    assert trial.datetime_complete is not None
    return {
        "trial": trial.number,
        metric: trial.value,
        "seconds": round((trial.datetime_complete - trial.datetime_start).total_seconds(), 1),
        "stopped_early": trial.state.name == "PRUNED",
        **read_values(space, trial.params),
    }


def _report(
    output_dir: Path,
    args: RecipeArguments,
    space: SearchSpace,
    metric: str,
    trials: Sequence["optuna.trial.FrozenTrial"],
    best: "optuna.trial.FrozenTrial",
) -> None:
    rows = [_row(space, metric, trial) for trial in trials]
    write_rows(output_dir / TRIALS_NAME, rows)
    scales = {name: "log" if values.log else "linear" for name, values in space.items()}
    plot_search(rows, metric, scales, output_dir / SEARCH_PICTURE)
    arguments = {**_given_arguments(args), **read_values(space, best.params)}
    write_text(
        output_dir / BEST_NAME,
        f"# The best of {len(trials)} trials: {metric} {best.value:.4f} on the validation clips.\n"
        + yaml.safe_dump(arguments, sort_keys=False),
    )


def _given_arguments(args: RecipeArguments) -> dict[str, Any]:
    """What the command has changed of the recipe's defaults, and is not of one machine or folder."""
    defaults = {
        entry.name: entry.default_factory() if entry.default_factory is not MISSING else entry.default
        for entry in fields(args)
    }
    given = json.loads((Path(args.output_dir) / ARGUMENTS_NAME).read_text(encoding="utf-8"))
    changed = {name: value for name, value in given.items() if value != defaults.get(name)}
    unset = {name for name, value in changed.items() if not value and not defaults.get(name)}  # False for None, say
    return {name: value for name, value in changed.items() if name not in FREE_ARGUMENTS | DERIVED | unset}
