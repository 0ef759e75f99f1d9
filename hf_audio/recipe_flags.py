"""Flags of a recipe: made from the fields of its arguments class, read from the command line and a file, and shown."""

import argparse
import copy
import dataclasses
import json
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar, get_type_hints

import yaml
from transformers import HfArgumentParser

from .arguments import Group, RecipeArguments
from .errors import ArgumentError
from .flags import HELP_FLAGS, FlagFormatter, check_flags, find_neighbour, refuse_unknown
from .trainer_flags import ALWAYS

HELP_ALL = "--help_all"
Arguments = TypeVar("Arguments", bound=RecipeArguments)


def parse_arguments(
    arguments_class: type[Arguments], argv: Sequence[str] | None = None, command: Sequence[str] | None = None
) -> Arguments:
    """Flags of the command line, and before them those of `--config FILE.yaml`, to an instance of `arguments_class`.

    Args:
        arguments_class: of a recipe.
        argv: the flags, by default those of this process.
        command: the words before them, by default this process's program.

    Raises:
        ArgumentError: the file is missing or is not a table of values, or an argument does not exist or cannot be.
        SystemExit: with 0, after help was asked for and printed.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    command = sys.argv[:1] if command is None else list(command)
    parser = RecipeParser(arguments_class, shlex.join(command))
    if {*HELP_FLAGS, HELP_ALL} & set(argv):
        parser.exit(message=parser.help_page(everything=HELP_ALL in argv))
    file = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    file.add_argument("--config", action="append", default=[])
    found, flags = file.parse_known_args(argv)
    if len(found.config) > 1:
        raise ArgumentError(f"--config is given {len(found.config)} times: give one file.")
    # Values become text on the command line, so that `1e-3`, a string to YAML, is the number it was meant to be.
    given = [*(_read_config(Path(found.config[0]), parser) if found.config else []), *flags]
    check_flags(parser, given, parser.help_command)
    try:
        arguments, *_, unknown = parser.parse_args_into_dataclasses(given, return_remaining_strings=True)
    except ArgumentError:
        raise
    except (ValueError, TypeError, ImportError, OSError, RuntimeError) as error:  # TrainingArguments' own checks
        reason = " ".join(str(error).split())
        if isinstance(error, RuntimeError) and os.environ.get("WORLD_SIZE", "1") != "1":
            raise ArgumentError(
                f"The {os.environ['WORLD_SIZE']} processes of this training do not find one another ({reason}): start "
                "all of them, and give an address and ports of the first machine that the others reach."
            ) from error
        raise ArgumentError(reason) from error
    if unknown:
        refuse_unknown(unknown, parser.names, parser.help_command)
    arguments.command = [*command, *argv]
    return arguments


def as_flags(values: Mapping[str, Any]) -> list[str]:
    """Arguments by their names -> words of a command line; what is `None` or an empty list is left out."""
    flags: list[str] = []
    for name, value in values.items():
        if name == "report_to" and value == []:
            value = "none"
        if name.endswith("_strategy") and value is False:
            value = "no"  # which YAML reads as false
        if value is not None and value != []:
            several = isinstance(value, list | tuple)
            flags += [f"--{name}", *(map(str, value) if several else [_as_text(value)])]
    return flags


class RecipeParser(HfArgumentParser):
    """Parses a recipe's flags, and shows them by what they are for.

    Args:
        arguments_class: of the recipe.
        prog: the command, as the user types it.
    """

    def __init__(self, arguments_class: type[RecipeArguments], prog: str):
        self.arguments_class = arguments_class
        super().__init__(arguments_class, prog=prog, add_help=False, allow_abbrev=False, formatter_class=FlagFormatter)
        self.add_argument("--config", metavar="YAML", help="Arguments from a file; flags take precedence over it.")
        self.add_argument(*HELP_FLAGS, action="store_true", help="Show these flags.")
        self.add_argument(HELP_ALL, action="store_true", help="Show all flags, transformers' among them.")

    @property
    def names(self) -> list[str]:
        """Names of all arguments."""
        return [action.dest for action in self._actions]

    @property
    def help_command(self) -> str:
        """What shows the flags."""
        return f"{self.prog} --help"

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Print what was asked for, on the standard output, and end."""
        self._print_message(message or "", sys.stdout)
        sys.exit(status)

    def error(self, message: str) -> NoReturn:
        """Refuse in a sentence; argparse would print a page of usage above it."""
        raise ArgumentError(f"{message.removeprefix('argument ')}; see {self.help_command}.")

    def _add_dataclass_arguments(self, dtype: type[RecipeArguments]) -> None:
        hints = get_type_hints(dtype)
        for declared in dataclasses.fields(dtype):
            if declared.init:
                plain = copy.copy(declared)  # whose type and metadata the parser is to read as it expects them
                plain.type = hints[declared.name]
                plain.metadata = MappingProxyType({k: v for k, v in declared.metadata.items() if k != "group"})
                self._parse_dataclass_field(self, plain)

    def help_page(self, everything: bool = False) -> str:
        """The recipe's flags in groups, each with a sentence; with `everything`, all flags with all that is known."""
        formatter = self._get_formatter()
        formatter.add_usage(f"{self.prog} [flags]", [], [])
        module = sys.modules[self.arguments_class.__module__]
        formatter.add_text((module.__doc__ or "").partition("\n\n")[0])
        groups = self._group_actions()
        shown: list[str | None] = [*Group, *([None] if everything else [])]
        for group in shown:
            actions = groups.get(group, [])
            formatter.start_section(group or "transformers' TrainingArguments")
            formatter.add_arguments(actions if everything else [_in_short(action) for action in actions])
            formatter.end_section()
        formatter.start_section("further")
        formatter.add_arguments([action for action in self._actions if action.dest in ("config", "help", "help_all")])
        formatter.end_section()
        return formatter.format_help()

    def _group_actions(self) -> dict[str | None, list[argparse.Action]]:
        """The flags of each group, in the order in which our own classes declare them."""
        ours = [each for each in reversed(self.arguments_class.__mro__) if issubclass(each, RecipeArguments)]
        order = list(dict.fromkeys(name for each in ours for name in each.__dict__.get("__annotations__", {})))
        actions = {action.dest: action for action in reversed(self._actions)}  # of two, the one without `no_`
        names = [field.name for field in dataclasses.fields(self.arguments_class) if field.init]
        groups: dict[str | None, list[argparse.Action]] = {}
        for name in sorted(names, key=lambda name: order.index(name) if name in order else len(order)):
            groups.setdefault(find_group(self.arguments_class, name), []).append(actions[name])
        return groups


def find_group(arguments_class: type[RecipeArguments], name: str) -> Group | None:
    """What a flag is for, by the nearest class that says so; the task, where a recipe has added it; else `None`."""
    for each in arguments_class.__mro__:
        own = getattr(each, "__dataclass_fields__", {}).get(name)
        if own is not None and "group" in own.metadata:
            return Group(own.metadata["group"])
    return None if name in RecipeArguments.__dataclass_fields__ else Group.TASK


def _in_short(action: argparse.Action) -> argparse.Action:
    """A flag with the first sentence of its help."""
    short = copy.copy(action)
    short.help = (action.help or "").partition(". ")[0].removesuffix(".") + "."
    return short


def _read_config(path: Path, parser: RecipeParser) -> list[str]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ArgumentError(f"--config {path} cannot be read ({error.strerror}): check the path.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ArgumentError(f"--config {path} is not YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(values, dict):
        raise ArgumentError(f"--config {path} must hold lines of the form `name: value`.")
    for name in values:
        if name not in parser.names:
            meant = find_neighbour(str(name), parser.names)
            hint = "" if meant is None else f"you may mean {meant}; "
            raise ArgumentError(
                f"--config {path} names {name!r}, which is no argument: {hint}see {parser.help_command}."
            )
    if values.get("do_train") is False and values.get("do_predict") is False:
        # Earlier versions saved so of every run, which trained and was judged all the same.
        values = {name: value for name, value in values.items() if name not in ALWAYS}
    return as_flags(values)


def _as_text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, dict) else str(value)
