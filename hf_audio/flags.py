"""Flags of the command line: made from a function's signature, and refused by naming the one that is meant.

A command of `hf-audio` is a typed function. Its parameters that may be given by position are the command's positional
arguments, its keyword-only ones are flags, and its docstring is the help.
"""

import argparse
import difflib
import inspect
import re
import shutil
import types
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NoReturn, Union, get_args, get_origin

from .errors import ArgumentError

# Names by which other programs know an argument, transformers' run_audio_classification.py before all, and what does
# the same here, of which a command or a recipe has the one or the other.
FOREIGN: dict[str, tuple[str, ...]] = {
    "audio_column_name": ("audio_column", "path_column"),
    "label_column_name": ("label_column",),
    "dataset_config_name": ("dataset_config",),
    "train_file": ("data_dir",),
    "eval_file": ("data_dir",),
    "train_split_name": ("split_column",),
    "eval_split_name": ("split_column",),
    "max_length_seconds": ("excerpt_seconds", "clip_seconds"),
    "freeze_feature_encoder": ("freeze front",),
    "freeze_feature_extractor": ("freeze front",),
    "freeze_base_model": ("freeze encoder",),
    "feature_extractor_name": ("model_name_or_path",),
    "config_name": ("model_name_or_path",),
    "overwrite_output_dir": ("overwrite",),
    "evaluation_strategy": ("eval_strategy",),
    "no_cuda": ("use_cpu",),
    "epochs": ("num_train_epochs",),
    "num_epochs": ("num_train_epochs",),
    "batch_size": ("per_device_train_batch_size",),
    "lr": ("learning_rate",),
    "patience": ("early_stopping_patience",),
    "out": ("output", "output_dir"),
}
HELP_FLAGS = ("-h", "--help")
SECTIONS = re.compile(r"^(Args|Returns|Yields|Raises|Example):$", re.MULTILINE)  # of a docstring
WIDEST = 119  # columns of a help page
FLAG_COLUMNS = 36
METAVARS = {int: "N", float: "X"}


def find_neighbour(name: str, known: Iterable[str]) -> str | None:
    """The argument that is meant by a name that is none, by its spelling or by what other programs call it.

    Args:
        name: without dashes in front.
        known: names of all arguments.

    Returns:
        An argument's name, a value behind it where only that does the same; `None` where none is near.
    """
    plain = {_squeeze(each): each for each in known if not each.startswith("help")}
    if _squeeze(name) in plain:
        return plain[_squeeze(name)]
    if name in FOREIGN:
        return next((meant for meant in FOREIGN[name] if meant.split()[0] in plain.values()), None)
    begun = [each for each in plain if each.startswith(_squeeze(name))]
    if len(begun) == 1:
        return plain[begun[0]]
    close = difflib.get_close_matches(_squeeze(name), plain, n=1, cutoff=0.75)
    return plain[close[0]] if close else None


def _squeeze(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def refuse_unknown(names: Sequence[str], known: Iterable[str], help_command: str) -> NoReturn:
    """Say that there is no such argument, and which one may be meant.

    Args:
        names: as they were given; flags with their dashes.
        known: names of all arguments, without dashes.
        help_command: what tells of them.

    Raises:
        ArgumentError: always.
    """
    known = list(known)
    meant = [find_neighbour(name.lstrip("-"), known) for name in names]
    flags = " and ".join(dict.fromkeys(f"--{name}" for name in meant if name is not None))
    hint = f"you may mean {flags}; see" if flags else "see"
    raise ArgumentError(f"{', '.join(names)}: no such argument; {hint} {help_command}.")


def check_flags(parser: argparse.ArgumentParser, words: Sequence[str], help_command: str) -> None:
    """Refuse flags that a parser does not know, before it misses others.

    Raises:
        ArgumentError: there is one.
    """
    known = parser._option_string_actions
    flags = [word.partition("=")[0] for word in words if word.startswith("--") and word != "--"]
    unknown = [flag for flag in flags if flag not in known and not (parser.allow_abbrev and _begins(flag, known))]
    if unknown:
        refuse_unknown(unknown, _names(parser), help_command)


def _begins(flag: str, known: Iterable[str]) -> bool:
    return any(name.startswith(flag) for name in known)


def _names(parser: argparse.ArgumentParser) -> list[str]:
    return [action.dest.rstrip("_") for action in parser._actions if action.option_strings]


class FlagFormatter(argparse.HelpFormatter):
    """A flag a line, with what it does and its default, where that says anything."""

    def __init__(self, prog: str, **options: Any):
        width = min(shutil.get_terminal_size((WIDEST, 40)).columns, WIDEST)
        super().__init__(prog, max_help_position=FLAG_COLUMNS, width=width)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings:
            return super()._format_action_invocation(action)
        names = action.option_strings if action.dest == "help" else action.option_strings[:1]
        values = self._format_args(action, self._get_default_metavar_for_optional(action))
        return f"{', '.join(names)} {values}".rstrip()

    def _get_default_metavar_for_optional(self, action: argparse.Action) -> str:
        if isinstance(action.type, type) and action.type in METAVARS:
            return METAVARS[action.type]
        return "BOOL" if action.nargs == "?" else action.dest.rstrip("_").split("_")[-1].upper()

    def _get_help_string(self, action: argparse.Action) -> str | None:
        text = action.help
        if text is None or not action.option_strings or not _says_something(action.default):
            return text
        return f"{text} (default: {str(action.default).replace('%', '%%')})"


def _says_something(default: Any) -> bool:
    return default not in (None, False, "", argparse.SUPPRESS) and default != [] and default != ()


class FunctionParser(argparse.ArgumentParser):
    """Parses the arguments of a function.

    Args:
        prog: the command, as the user types it.
        function: typed; the first line of its docstring, the paragraphs behind it and its section `Args:` are the
            help. `bool` parameters are flags without a value, and `false` by default.
    """

    def __init__(self, prog: str, function: Callable[..., Any]):
        summary, description, descriptions = read_docstring(function)
        text = f"{summary}\n\n{description}" if description else summary
        super().__init__(prog=prog, description=text, formatter_class=_ParagraphFormatter)
        for parameter in inspect.signature(function).parameters.values():
            self._add(parameter, descriptions.get(parameter.name, "").replace("%", "%%"))

    def _add(self, parameter: inspect.Parameter, text: str) -> None:
        kind = _argparse_type(parameter.annotation)
        flag = f"--{parameter.name.rstrip('_')}"  # a word that Python keeps for itself has a line behind it
        required = parameter.default is inspect.Parameter.empty
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            name = parameter.name.upper()
            if kind.get("nargs") == "+":
                name = name.removesuffix("S")
            elif not required:
                kind |= {"nargs": "?", "default": parameter.default}
            self.add_argument(parameter.name, metavar=name, help=text, **kind)
        elif parameter.annotation is bool:
            self.add_argument(flag, action="store_true", help=text)
        else:
            default = {"required": True} if required else {"default": parameter.default}
            self.add_argument(flag, dest=parameter.name, help=text, **kind, **default)

    def read(self, words: Sequence[str]) -> dict[str, Any]:
        """Words of a command line -> the function's arguments.

        Raises:
            ArgumentError: they cannot be read.
            SystemExit: with 0, after help was asked for and printed.
        """
        check_flags(self, words, f"{self.prog} --help")
        values, left = self.parse_known_args(self._settle_switches(words))
        if left:
            refuse_unknown(left, _names(self), f"{self.prog} --help")
        return vars(values)

    def _settle_switches(self, words: Sequence[str]) -> list[str]:
        """Understand `--resume true` and `--resume=false` too, which recipes are used to."""
        switches = {f"--{action.dest}" for action in self._actions if isinstance(action.const, bool)}
        settled: list[str] = []
        for word in words:
            flag, equals, value = word.partition("=")
            if settled and settled[-1] in switches and word.lower() in ("true", "false"):
                flag, equals, value = settled.pop(), "=", word
            if flag in switches and equals and value.lower() in ("true", "false"):
                settled += [flag] if value.lower() == "true" else []
            else:
                settled.append(word)
        return settled

    def error(self, message: str) -> NoReturn:
        """Refuse in a sentence, without the usage above it."""
        raise ArgumentError(f"{message.removeprefix('argument ')}; see {self.prog} --help.")


class _ParagraphFormatter(FlagFormatter, argparse.RawDescriptionHelpFormatter):
    """Keeps the paragraphs of a description."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        paragraphs = text.split("\n\n")
        return "\n\n".join(argparse.HelpFormatter._fill_text(self, part, width, indent) for part in paragraphs)


def _argparse_type(annotation: Any) -> dict[str, Any]:
    """An annotation -> the keywords that tell `add_argument` of it."""
    union = get_origin(annotation) in (Union, types.UnionType)
    options = [option for option in (get_args(annotation) if union else [annotation]) if option is not type(None)]
    for option in options:
        if get_origin(option) is Sequence:
            return {"nargs": "+", **_argparse_type(get_args(option)[0])}
        if get_origin(option) is Literal:
            return {"choices": get_args(option)}
    return {"type": options[0]} if options[0] in METAVARS else {}


def read_docstring(function: Callable[..., Any]) -> tuple[str, str, dict[str, str]]:
    """A Google docstring -> its first line, the paragraphs behind it, and what it says of each argument."""
    head, *sections = SECTIONS.split(inspect.getdoc(function) or "")
    summary, _, description = head.strip().partition("\n\n")
    bodies = dict(zip(sections[::2], sections[1::2], strict=True))
    entries = re.split(r"^ {4}(\w+): ", bodies.get("Args", ""), flags=re.MULTILINE)[1:]
    descriptions = {name: " ".join(text.split()) for name, text in zip(entries[::2], entries[1::2], strict=True)}
    return summary.strip(), description.strip(), descriptions
