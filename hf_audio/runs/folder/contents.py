"""What lies in the folder of a run, by its name; what of that a run has written; and its results."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...arguments import RecipeArguments

RESULTS_NAME = "all_results.json"  # written last: a folder that has it is finished
ARGUMENTS_NAME = "training_args.json"
SKIPPED_NAME = "skipped.csv"  # files that could not be used, and why
CONTINUED_NAME = ".continued"  # in a finished folder whose run goes on: its results are those of before
SEARCH_NAME = "search.db"
TRIALS_NAME = "trials.csv"
SEARCH_PICTURE = "search.png"
BEST_NAME = "best_arguments.yaml"
# Seconds, in a run's results: of its own training, and of those that it took before.
RUNTIMES = ("train_runtime", "audit_runtime", "pretrain_runtime", "validated_runtime", "folds_runtime")
# What an unfinished run leaves, and an unfinished cross-validation; into other files nothing is mixed.
UNFINISHED_RUN = re.compile(r"training_args\.json|runs|checkpoint-\d+|tmp-checkpoint-\d+|\..*")
UNFINISHED_FOLDS = re.compile(r"training_args\.json|fold_.+|\..*")
SEARCH = re.compile(r"training_args\.json|runs|search\.(db(-journal)?|png)|trials\.csv|best_arguments\.yaml|\..*")
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
# Of `OUTPUT_DIR-name`: what a command trains before its own run.
PRECEDING = ("audit", "pretrained", "validated", "folds")


def preceding_folder(args: RecipeArguments, name: str) -> str:
    """The folder of runs that precede a command's own; name: one of `PRECEDING`."""
    return f"{args.output_dir.rstrip('/')}-{name}"


def written_files(folder: Path) -> set[str]:
    """Names of the files that a finished run has left in its folder; what else lies there is the user's."""
    results = read_results(folder)
    if FILES in results:
        return {*results[FILES], RESULTS_NAME, ARGUMENTS_NAME}
    matches = filter(None, (WRITTEN_BEFORE.fullmatch(path.name) for path in folder.iterdir()))
    # Of further tests, each has its figures.
    return {match[0] for match in matches if match["test"] is None or any(match["test"] in name for name in results)}


def is_trained_on_all(folder: Path) -> bool:
    """Whether the network of a finished run was trained on its test clips too, so that other networks were tested."""
    return bool(read_results(folder).get(TRAINED_ON_ALL))


def read_arguments(folder: Path) -> dict[str, Any]:
    """The arguments that a run was given, by their names; of a folder that does not tell them, none."""
    return _read_object(folder / ARGUMENTS_NAME)


def read_members(folder: Path) -> list[str]:
    """The folders, or ids, of the members that an ensemble was made of; of another checkpoint none."""
    members = _read_object(folder / "config.json").get("members")
    names = [member.get("_name_or_path") for member in members] if isinstance(members, list) else []
    return [name for name in names if isinstance(name, str) and name]


def read_finished_results(folder: Path) -> dict[str, Any] | None:
    """The results of a finished run; `None` of any other folder, and of a run that goes on."""
    return None if (folder / CONTINUED_NAME).exists() else read_results(folder) or None


def read_results(folder: Path) -> dict[str, Any]:
    """What `all_results.json` in a folder holds; nothing where there is none, or none that can be read."""
    return _read_object(folder / RESULTS_NAME)


def _read_object(file: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        found = json.loads(file.read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    return {}


def training_seconds(results: Mapping[str, Any]) -> float:
    """Seconds of all trainings that a finished run took, including those before its own."""
    return sum(results.get(name, 0.0) for name in RUNTIMES)


def as_json(values: Mapping[str, Any] | Sequence[Any]) -> str:
    """Values as a JSON file, which has no word for numbers that are not finite: they become null."""
    return json.dumps(_without_nan(values), indent=2, allow_nan=False) + "\n"


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
