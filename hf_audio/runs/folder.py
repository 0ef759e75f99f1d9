"""The folder a run leaves: never another's overwritten, never half-written, finished when it holds its results."""

import copy
import json
import logging
import math
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from transformers import PreTrainedConfig
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from ..arguments import RecipeArguments
from ..errors import ArgumentError
from ..files import write_text
from .agreement import check_same_program, gather, refuse_together

logger = logging.getLogger(__name__)

RESULTS_NAME = "all_results.json"  # written last: a folder that has it is finished
ARGUMENTS_NAME = "training_args.json"
SKIPPED_NAME = "skipped.csv"  # files that could not be used, and why
PARTS_NAME = ".unfinished"
CONTINUED_NAME = ".continued"  # in a finished folder whose run goes on: its results are those of before
# Values of `--resume_from_checkpoint` that stand for the newest checkpoint; with `AUTO`, there need not be one.
AUTO = "auto"
NEWEST = ("true", "last", AUTO)
# Seconds, in a run's results: of its own training, and of those that it took before.
RUNTIMES = ("train_runtime", "audit_runtime", "pretrain_runtime", "validated_runtime", "folds_runtime")
# What an unfinished run leaves, and an unfinished cross-validation; into other files nothing is mixed.
UNFINISHED_RUN = re.compile(r"training_args\.json|runs|checkpoint-\d+|tmp-checkpoint-\d+|\..*")
SEARCH_NAME = "search.db"
TRIALS_NAME = "trials.csv"
SEARCH_PICTURE = "search.png"
BEST_NAME = "best_arguments.yaml"
SEARCH = re.compile(r"training_args\.json|runs|search\.(db(-journal)?|png)|trials\.csv|best_arguments\.yaml|\..*")
UNFINISHED_FOLDS = re.compile(r"training_args\.json|fold_.+|\..*")
# Of a run's results: whether the network was trained on the test clips too, which others had judged before.
TRAINED_ON_ALL = "trained_on_all"
FILES = "files"  # of a run's results: what it has left in its folder
# By older versions, which did not note them.
WRITTEN_BEFORE = re.compile(
    r"README\.md|(predictions(_(?P<test>.+))?|per_class|skipped|trials)\.csv|scores\.npz"
    r"|(config|preprocessor_config|(all|train|eval|test)_results|training_args|training_curves|trainer_state)\.json"
    r"|(confusion_matrix|pitch_scores|rejection|roc_curve|search|training_curves)\.png"
    r"|model(-\d+-of-\d+)?\.safetensors|model\.safetensors\.index\.json"
    r"|(backbones|encoder_networks|frontends|number_grammar|one_class|(configuration|modeling|feature_extraction)_audio_\w+)\.py"
)
# What another run would choose for its own machine and folder is left to it.
NOT_SAVED = ("overwrite", "resume_from_checkpoint", "use_cpu", "hub_token", "push_to_hub_token")
# Of one machine, folder or run.
FREE_ARGUMENTS = {"output_dir", "run_name", "disable_tqdm", "report_to", "dataloader_num_workers", "search"}
# These, and others that change no weight and no result, may differ between the command that began a run and the one
# that goes on with it.
COMPARED_NOT = FREE_ARGUMENTS | {
    "dataloader_multiprocessing_context",
    "dataloader_persistent_workers",
    "dataloader_pin_memory",
    "dataloader_prefetch_factor",
    "do_eval",
    "do_predict",
    "do_train",
    "enable_jit_checkpoint",
    "hub_always_push",
    "hub_model_id",
    "hub_private_repo",
    "hub_revision",
    "hub_strategy",
    "local_rank",
    "log_level",
    "log_level_replica",
    "log_on_each_node",
    "logging_first_step",
    "logging_nan_inf_filter",
    "logging_steps",
    "logging_strategy",
    "per_device_eval_batch_size",
    "project",
    "push_to_hub",
    "save_on_each_node",
    "save_only_model",
    "save_steps",
    "save_strategy",
    "save_total_limit",
    "skip_memory_metrics",
    "strict",
    "trackio_bucket_id",
    "trackio_space_id",
    "trackio_static_space_id",
}
# Of one process of several. What the others do not share else, such as the steps to log at, has them wait for ever.
OF_A_PROCESS = FREE_ARGUMENTS | {
    "dataloader_multiprocessing_context",
    "dataloader_persistent_workers",
    "dataloader_pin_memory",
    "dataloader_prefetch_factor",
    "local_rank",
    "log_level",
    "log_level_replica",
}
# What a config tells of how it was saved.
NOT_OF_A_NETWORK = {
    "_name_or_path",
    "architectures",
    "auto_map",
    "dtype",
    "id2label",
    "label2id",
    "torch_dtype",
    "transformers_version",
    "use_cache",
}
OPTIMIZER_NAME = "optimizer.pt"
STATE_NAME = "trainer_state.json"  # which Trainer writes last

# Of `OUTPUT_DIR-name`: what a command trains before its own run.
PRECEDING = ("audit", "pretrained", "validated", "folds")
# Arguments that may name something in the output folder and read nothing from there.
WRITTEN = ("output_dir", "logging_dir", "run_name", "hub_model_id")


def prepare_output_dir(args: RecipeArguments) -> Path | None:
    """Refuse a folder that is taken, else make it and note the arguments; returns the checkpoint to resume from.

    Raises:
        ArgumentError: the folder cannot be written, holds a run or other files, or has nothing to resume from; or it
            holds a search with other arguments.
    """
    output_dir = Path(args.output_dir)
    makes_way = any(gather(args, refuse_together(args, partial(make_way, args))))
    own = re.compile(".*") if makes_way else UNFINISHED_RUN
    if args.search:
        check_same_arguments(args)
        open_output_dir(args, SEARCH)
        return None
    checkpoint, newest = None, _newest_of_all(args)
    finished = any(gather(args, (output_dir / RESULTS_NAME).exists()))
    if wants_resume(args):
        resume = str(args.resume_from_checkpoint)
        checkpoint = newest if resume.lower() in NEWEST else Path(resume)
        if checkpoint is not None or not goes_on_or_begins(args):
            refuse_together(args, partial(_check_resumable, args, checkpoint))
    elif finished or newest is not None:
        raise ArgumentError(
            f"--output_dir {output_dir} already holds {'a finished' if finished else 'an unfinished'} run: choose "
            f"another folder{'' if finished else ', go on with --resume_from_checkpoint last'}, or replace it by "
            "--overwrite true."
        )
    resumed_here = checkpoint is not None and checkpoint.parent == output_dir
    refuse_together(args, partial(open_output_dir, args, re.compile(".*") if resumed_here else own))
    if checkpoint is None:
        _check_other_folders(args)
    return checkpoint


def read_finished(args: RecipeArguments) -> dict[str, Any] | None:
    """With `--resume_from_checkpoint auto`, the results of the run that the output folder holds finished.

    So a command that is started again, by a launcher or a scheduler, ends well where there is nothing left to do.

    Raises:
        ArgumentError: that run had other arguments.
    """
    if not goes_on_or_begins(args):
        return None
    output_dir = Path(args.output_dir)
    results = next((each for each in gather(args, _read_results(output_dir)) if each is not None), None)
    if results is not None:
        refuse_together(args, partial(check_same_arguments, args))
        pushed = f"; hf-audio push {output_dir} uploads it, if that is missing" if args.push_to_hub else ""
        logger.info("%s holds this run already, finished: there is nothing to go on with%s.", output_dir, pushed)
    return results


def check_same_command(args: RecipeArguments) -> None:
    """Refuse to train by processes with other versions of packages, or with other arguments.

    Raises:
        ArgumentError: a version or an argument differs.
    """
    check_same_program(args, {name: value for name, value in args.to_dict().items() if name not in OF_A_PROCESS})


def prepare_preceding(args: RecipeArguments, name: str) -> str:
    """The folder `OUTPUT_DIR-name` of runs that precede the command's own, whose folder is prepared first.

    Before any time is spent: a folder that cannot be used is found at once. Of a command that was killed in the runs
    before its own, there is nothing to resume yet.

    Raises:
        ArgumentError: as `prepare_output_dir`.
    """
    folder = preceding_folder(args, name)
    if wants_resume(args) and Path(folder).exists() and last_checkpoint(args.output_dir) is None:
        args.resume_from_checkpoint = None
    prepare_output_dir(args)
    return folder


def preceding_folder(args: RecipeArguments, name: str) -> str:
    """The folder of runs that precede a command's own; name: one of `PRECEDING`."""
    return f"{args.output_dir.rstrip('/')}-{name}"


def make_way(args: RecipeArguments) -> bool:
    """Where `--overwrite` asks for it, delete the run in the output folder and those that preceded it.

    What the runs have not written themselves stays; of a folder that holds no run, nothing is deleted.

    Returns:
        Whether there was a run in the output folder.

    Raises:
        ArgumentError: the new run reads something that would be deleted, or it cannot be deleted.
    """
    if not args.overwrite or wants_resume(args):
        return False
    output_dir = Path(args.output_dir)
    with args.main_process_first(desc="overwriting"):
        finished = (output_dir / RESULTS_NAME).exists()
        begun = not args.search and last_checkpoint(output_dir) is not None
        if args.process_index > 0 or not (finished or begun):
            return finished or begun
        preceding = [Path(preceding_folder(args, name)) for name in PRECEDING]
        folders = [output_dir, *(folder for folder in preceding if (folder / ARGUMENTS_NAME).is_file())]
        _check_spared(args, folders)
        logger.warning("--overwrite: deleting the run in %s.", " and ".join(map(str, folders)))
        try:
            for folder in folders:
                discard_moved(folder)
                _delete_run(folder)
            for folder in folders[1:]:
                if not any(folder.iterdir()):
                    folder.rmdir()
        except OSError as error:
            raise ArgumentError(
                f"--output_dir {output_dir} cannot be emptied ({error.strerror}): choose another folder."
            ) from error
    return True


def written_files(folder: Path) -> set[str]:
    """Names of the files that a finished run has left in its folder; what else lies there is the user's."""
    results: dict[str, Any] = {}
    with suppress(OSError, ValueError, KeyError):
        results = json.loads((folder / RESULTS_NAME).read_text(encoding="utf-8"))
        return {*results[FILES], RESULTS_NAME, ARGUMENTS_NAME}
    matches = filter(None, (WRITTEN_BEFORE.fullmatch(path.name) for path in folder.iterdir()))
    # Of further tests, each has its figures.
    return {match[0] for match in matches if match["test"] is None or any(match["test"] in name for name in results)}


def is_trained_on_all(folder: Path) -> bool:
    """Whether a finished run has left a network that was trained on its test clips too, and judged by others."""
    with suppress(OSError, ValueError, AttributeError):
        return bool(json.loads((folder / RESULTS_NAME).read_text(encoding="utf-8")).get(TRAINED_ON_ALL))
    return False


def _delete_run(folder: Path) -> None:
    own = written_files(folder) if (folder / RESULTS_NAME).exists() else set()
    unfinished = UNFINISHED_FOLDS if any(folder.glob("fold_*")) else UNFINISHED_RUN
    for entry in folder.iterdir():
        if entry.name not in own and not unfinished.fullmatch(entry.name) and not SEARCH.fullmatch(entry.name):
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _check_spared(args: RecipeArguments, folders: Sequence[Path]) -> None:
    for name, value in args.to_dict().items():
        if name in WRITTEN or not isinstance(value, str) or not value or not os.path.exists(value):
            continue
        if any(Path(value).resolve().is_relative_to(folder.resolve()) for folder in folders):
            raise ArgumentError(
                f"--{name} {value} lies in what --overwrite would delete: choose another --output_dir."
            )


def wants_resume(args: RecipeArguments) -> bool:
    """Whether `--resume_from_checkpoint` is given."""
    return args.resume_from_checkpoint is not None and str(args.resume_from_checkpoint).lower() != "false"


def goes_on_or_begins(args: RecipeArguments) -> bool:
    """Whether `--resume_from_checkpoint auto` is given."""
    return str(args.resume_from_checkpoint).lower() == AUTO


def open_output_dir(args: RecipeArguments, own: re.Pattern) -> None:
    """Make the folder and note the arguments in it; it may hold nothing but files whose names are `own` ones.

    Raises:
        ArgumentError: the folder cannot be written or holds other files.
    """
    output_dir = Path(args.output_dir)
    with args.main_process_first(local=False, desc="output folder"):  # which may be one for all machines
        try:
            output_dir.mkdir(parents=True, exist_ok=True)
            if args.process_index == 0:
                discard_moved(output_dir)
            names = sorted(entry.name for entry in output_dir.iterdir())
            foreign = [name for name in names if not own.fullmatch(name)]
            if foreign:
                raise ArgumentError(
                    f"--output_dir {output_dir} already holds other files, {foreign[0]} for one: choose a new folder."
                )
            if args.process_index == 0:
                if (output_dir / RESULTS_NAME).exists():
                    (output_dir / CONTINUED_NAME).touch()
                write_text(output_dir / ARGUMENTS_NAME, json.dumps(saved_arguments(args), indent=2) + "\n")
        except OSError as error:
            raise ArgumentError(
                f"--output_dir {output_dir} cannot be written ({error.strerror}): choose another folder."
            ) from error


def saved_arguments(args: RecipeArguments) -> dict[str, Any]:
    """The arguments that repeat a run."""
    return {name: value for name, value in args.to_dict().items() if name not in NOT_SAVED}


def check_same_arguments(args: RecipeArguments, folder: Path | None = None, may_grow: Sequence[str] = ()) -> None:
    """Refuse to go on in a folder whose run had other arguments.

    Args:
        args: of the command.
        folder: of the run; by default the command's.
        may_grow: numbers that may be greater than they were.

    Raises:
        ArgumentError: the folder's arguments are other ones.
    """
    folder = Path(args.output_dir) if folder is None else folder
    try:
        before = json.loads((folder / ARGUMENTS_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    now = json.loads(json.dumps(saved_arguments(args)))
    for name in sorted(set(before) & set(now) - COMPARED_NOT):
        if name in may_grow and 0 < before[name] < now[name]:
            continue
        if before[name] != now[name] and not _one_place(before[name], now[name]):
            raise ArgumentError(
                f"--output_dir {folder} holds what was trained with --{name} {before[name]}, not {now[name]}: give "
                "the same arguments to go on, or choose another folder."
            )


def _one_place(before: Any, now: Any) -> bool:
    """Whether two texts name one file or folder."""
    try:
        return isinstance(before, str) and isinstance(now, str) and os.path.samefile(before, now)
    except (OSError, ValueError):
        return False


def _check_resumable(args: RecipeArguments, checkpoint: Path | None) -> None:
    """Refuse to go on from a checkpoint in another way than it was begun; a longer training may follow.

    Raises:
        ArgumentError: there is none, the run had other arguments, or the checkpoint holds weights alone.
    """
    if checkpoint is None or not (checkpoint / STATE_NAME).is_file():
        raise ArgumentError(
            f"--resume_from_checkpoint {args.resume_from_checkpoint}: {checkpoint or args.output_dir} holds no "
            "complete checkpoint; start without the flag."
        )
    if not (checkpoint / OPTIMIZER_NAME).is_file():
        raise ArgumentError(
            f"--resume_from_checkpoint: {checkpoint} holds weights without their optimiser (--save_only_model), so "
            "nothing goes on from there: begin with them, by --model_name_or_path."
        )
    check_same_arguments(args, checkpoint.parent, may_grow=("max_steps", "num_train_epochs"))


def planned_steps(checkpoint: Path) -> int:
    """How many steps the training was to have that has left a checkpoint."""
    return int(json.loads((checkpoint / STATE_NAME).read_text(encoding="utf-8"))["max_steps"])


def check_same_network(config: PreTrainedConfig, checkpoint: Path) -> None:
    """Refuse to go on from a checkpoint of other classes or another network.

    config: of the network that is to go on.

    Raises:
        ArgumentError: they differ; the message names what.
    """
    before = type(config).from_pretrained(checkpoint)
    classes, now = (list((each.id2label or {}).values()) for each in (before, config))
    if classes != now:
        place = next((k for k, pair in enumerate(zip(classes, now, strict=False)) if pair[0] != pair[1]), None)
        told = f"{len(classes)} classes, and the recordings {len(now)}"
        if place is not None:
            told = f"{classes[place]!r} as class {place + 1}, and the recordings {now[place]!r}"
        raise ArgumentError(
            f"--resume_from_checkpoint: {checkpoint} has {told}: put the recordings back as they were, or begin in "
            "another folder."
        )
    saved, wanted = (json.loads(each.to_json_string(use_diff=False)) for each in (before, config))
    for name in sorted(set(saved) & set(wanted) - NOT_OF_A_NETWORK):
        if saved[name] != wanted[name]:
            raise ArgumentError(
                f"--resume_from_checkpoint: {checkpoint} is of a network with {name} {saved[name]}, and now it would "
                f"be {wanted[name]}: begin in another folder."
            )


def run_unless_finished(args: RecipeArguments, folder: Path, run: Callable[[RecipeArguments], Any]) -> dict[str, Any]:
    """One of several runs of a command: read where it is finished, resumed where it has begun; returns its results.

    Args:
        args: of the command.
        folder: of this run.
        run: trains, given `args` with that folder, and leaves it finished.
    """
    # The first process says so for all: another machine may see later what it has written.
    results = gather(args, _read_results(folder))[0]
    if results is None:
        part = copy.copy(args)
        part.output_dir = str(folder)
        part.resume_from_checkpoint = AUTO
        run(part)
        results = gather(args, _read_results(folder))[0]
        assert results is not None, f"{folder} is finished"
    return results


def _read_results(folder: Path) -> dict[str, Any] | None:
    """The results of a finished run; of any other folder, nothing."""
    if (folder / CONTINUED_NAME).exists():
        return None
    with suppress(OSError, ValueError):
        return json.loads((folder / RESULTS_NAME).read_text(encoding="utf-8"))
    return None


@contextmanager
def finishing(output_dir: Path, results: Mapping[str, Any]) -> Iterator[Path]:
    """A folder to write a run's files into; they are moved to `output_dir` together, the results last.

    From the first move to the last, the results wait in that folder and name the files: so `discard_moved` knows
    which of them a kill has left.
    """
    parts = output_dir / PARTS_NAME
    shutil.rmtree(parts, ignore_errors=True)
    parts.mkdir()
    yield parts
    names = sorted(file.name for file in parts.iterdir())
    for name in names:
        _share(parts / name)
    write_text(parts / RESULTS_NAME, as_json({**results, FILES: names}))
    (output_dir / RESULTS_NAME).unlink(missing_ok=True)  # of a run that is resumed: until its end it is unfinished
    (output_dir / CONTINUED_NAME).unlink(missing_ok=True)
    for name in [*names, RESULTS_NAME]:
        os.replace(parts / name, output_dir / name)
    shutil.rmtree(parts, ignore_errors=True)


def discard_moved(output_dir: Path) -> None:
    """Delete what a kill has left of the files of a run that was about to be finished."""
    parts = output_dir / PARTS_NAME
    with suppress(OSError, ValueError, KeyError):
        for name in json.loads((parts / RESULTS_NAME).read_text(encoding="utf-8"))[FILES]:
            (output_dir / name).unlink(missing_ok=True)
    shutil.rmtree(parts, ignore_errors=True)


def as_json(values: Mapping[str, Any] | Sequence[Any]) -> str:
    """Values as a JSON file, which has no word for numbers that are not finite: they become null."""
    return json.dumps(_without_nan(values), indent=2, allow_nan=False) + "\n"


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _share(path: Path) -> None:
    """Give a file the rights of any new one: safetensors keeps its own to the owner."""
    if os.name == "posix" and path.is_file():
        mask = os.umask(0)
        os.umask(mask)
        path.chmod(0o666 & ~mask)


def training_seconds(results: Mapping[str, Any]) -> float:
    """Of all the trainings that a finished run took, those before its own among them."""
    return sum(results.get(name, 0.0) for name in RUNTIMES)


def last_checkpoint(output_dir: str | os.PathLike) -> Path | None:
    """The newest complete `checkpoint-N` in a folder; one that a kill cut off in the middle does not count."""
    steps = _complete_checkpoints(output_dir)
    return Path(output_dir) / max(steps, key=steps.__getitem__) if steps else None


def _complete_checkpoints(output_dir: str | os.PathLike) -> dict[str, int]:
    """The names of complete checkpoints, with their steps."""
    steps = {}
    for folder in Path(output_dir).glob(f"{PREFIX_CHECKPOINT_DIR}-*"):
        with suppress(OSError, ValueError, KeyError):
            steps[folder.name] = json.loads((folder / STATE_NAME).read_text())["global_step"]
    return steps


def _newest_of_all(args: RecipeArguments) -> Path | None:
    """The newest checkpoint in the output folder that is complete for every process, wherever its disk is.

    Raises:
        ArgumentError: there are complete ones, and none that all processes see.
    """
    seen = gather(args, _complete_checkpoints(args.output_dir))
    steps = {name: step for each in seen for name, step in each.items()}
    common = set(steps).intersection(*seen)
    if steps and not common:
        newest = max(steps, key=steps.__getitem__)
        raise ArgumentError(
            f"Process {next(n for n, each in enumerate(seen) if newest not in each)} does not see "
            f"{Path(args.output_dir) / newest}, from which others could go on: give an --output_dir on a disk that "
            "all machines see, or train with --save_on_each_node true, in a new folder."
        )
    return Path(args.output_dir) / max(common, key=steps.__getitem__) if common else None


def _check_other_folders(args: RecipeArguments) -> None:
    """Say at the beginning that nothing will be able to go on, where the first process alone sees checkpoints.

    Raises:
        ArgumentError: the best checkpoint is wanted, which the others would miss: they keep their last weights then,
            and what all judge together is of two networks.
    """
    seen = gather(args, (Path(args.output_dir) / ARGUMENTS_NAME).is_file())
    if all(seen) or args.save_on_each_node:
        return
    unseen = f"Process {seen.index(False)} does not see what process 0 writes to --output_dir {args.output_dir}"
    remedy = "give a folder on a disk that all machines see, or --save_on_each_node true."
    if args.load_best_model_at_end:
        raise ArgumentError(f"{unseen}, and would miss the best epoch: {remedy}")
    logger.warning("%s: to go on after a restart, %s", unseen, remedy)
