"""Recipes by name or file: found, loaded and run. Nothing is loaded to list them."""

import ast
import importlib.util
import inspect
import os
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, get_type_hints

from ..errors import ArgumentError
from ..flags import WIDEST, find_neighbour

if TYPE_CHECKING:
    from ..arguments import RecipeArguments
    from .task import Task

PACKAGE = Path(__file__).resolve().parents[1]
OWN_SOUNDS = "own_sounds"
ANNOTATION_SUFFIXES = (".txt", ".textgrid", ".eaf")  # of one recording, or of many; the last is told how to be read
TABLE_SUFFIXES = (".csv", ".tsv", ".tab", ".jsonl")
COMMAND = ("hf-audio", "train")


@dataclass(frozen=True)
class Recipe:
    """The parts of a recipe's module that are needed to run it."""

    make_task: "Callable[[Any], Task]"
    arguments_class: "type[RecipeArguments]"


def recipes_folder() -> Path:
    """The folder of the recipes: in the installed package, or beside it in a clone."""
    installed = PACKAGE / "recipes"
    return installed if installed.is_dir() else PACKAGE.parent / "recipes"


def list_recipes() -> dict[str, Path]:
    """Name -> file."""
    return {path.stem: path for path in sorted(recipes_folder().glob("*.py")) if not path.name.startswith("_")}


def describe_recipes() -> str:
    """The help of `hf-audio train`: the recipes, each with the first line of its docstring."""
    docstrings = {
        name: ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        for name, path in list_recipes().items()
    }
    return "\n".join(
        [
            "usage: hf-audio train RECIPE [flags]",
            "       hf-audio train SOUNDS [flags]\n",
            "Train a network by a recipe, a file of your own that is one, or, by own_sounds, on a folder or table of "
            "recordings.\n",
            "recipes:",
            *(_entry(name, text.partition("\n")[0]) for name, text in docstrings.items()),
            "  PATH.py         a recipe of your own: an arguments class and make_task(args), as these have them\n",
            "hf-audio train RECIPE --help shows a recipe's flags.",
        ]
    )


def _entry(name: str, text: str) -> str:
    return textwrap.fill(f"{name:<16}{text}", WIDEST, initial_indent="  ", subsequent_indent=" " * 18)


def find_recipe(recipe: str | os.PathLike[str]) -> tuple[Path, dict[str, str]]:
    """A recipe's file, and the flags that are implied.

    Args:
        recipe: a name, a .py file, or a folder or table of recordings, which `own_sounds` trains on.

    Raises:
        ArgumentError: it is none of these.
    """
    recipe, known = os.fspath(recipe), list_recipes()
    if recipe in known:
        return known[recipe], {}
    path = Path(recipe)
    if path.suffix == ".py" and path.is_file():
        return path, {}
    if path.is_dir() or (path.suffix.lower() in (*TABLE_SUFFIXES, *ANNOTATION_SUFFIXES) and path.is_file()):
        return known[OWN_SOUNDS], {"data_dir": recipe}
    near = find_neighbour(recipe, known)
    hint = f"you may mean {near}" if near else f"give one of {', '.join(known)}, a .py file, or a folder or a table"
    raise ArgumentError(f"{recipe} is neither a recipe nor a file or folder to train by: {hint}.")


def load_recipe(path: Path) -> Recipe:
    """Import a recipe's file, as Python imports a script: what lies beside it can be imported too.

    Raises:
        ArgumentError: it has no `make_task` whose parameter is annotated with its arguments class, or its name is that
            of another module.
    """
    from ..arguments import RecipeArguments  # loads torch

    module = _import(path.resolve())
    make_task = getattr(module, "make_task", None)
    if callable(make_task):
        hints = get_type_hints(make_task)
        first = next(iter(inspect.signature(make_task).parameters), "")
        arguments_class = hints.get(first)
        if isinstance(arguments_class, type) and issubclass(arguments_class, RecipeArguments):
            return Recipe(make_task, arguments_class)
    raise ArgumentError(f"{path} is no recipe: it needs make_task(args: YourArguments), which returns a Task.")


def _import(path: Path) -> ModuleType:
    name = path.stem
    other = sys.modules.get(name)
    if name in sys.stdlib_module_names or (other is not None and not hasattr(other, "make_task")):
        raise ArgumentError(f"{path} has the name of another module: call the file otherwise.")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))  # loader workers that are not forked find the module there
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def run_recipe_command(recipe: str, flags: Sequence[str]) -> None:
    """What `hf-audio train RECIPE FLAGS` does.

    Raises:
        ArgumentError: there is no such recipe.
        SystemExit: with 2, after a sentence on what the user can mend.
    """
    path, implied = find_recipe(recipe)
    if "data_dir" in implied and any(flag.partition("=")[0] in ("--data_dir", "--data-dir") for flag in flags):
        raise ArgumentError(f"{recipe} and --data_dir both say where the recordings are: give one of them.")
    from ..recipe_flags import as_flags
    from .start import run_recipe  # loads torch

    found = load_recipe(path)
    command = [*COMMAND, path.stem if implied else recipe]
    run_recipe(found.make_task, found.arguments_class, [*as_flags(implied), *flags], command)


def train_recipe(recipe: str | os.PathLike[str], flags: Mapping[str, Any]) -> Path:
    """What `hf_audio.train(recipe, **flags)` does.

    Returns:
        The folder of the run.

    Raises:
        Refusal: something that the user can mend.
    """
    path, implied = find_recipe(recipe)
    if implied and flags.get("data_dir") is not None:
        raise ArgumentError(f"{recipe} and data_dir both say where the recordings are: give one of them.")
    from ..recipe_flags import as_flags, parse_arguments
    from .start import train_task  # loads torch

    found = load_recipe(path)
    command = [*COMMAND, path.stem if implied else os.fspath(recipe)]
    args = parse_arguments(found.arguments_class, as_flags({**flags, **implied}), command)
    train_task(args, found.make_task(args))
    return Path(args.output_dir)
