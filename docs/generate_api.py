"""Write `api.md`: every public name of hf_audio with its signature and the first sentence of its docstring.

    python docs/generate_api.py

`tests/test_docs.py` fails where the page does not say what the code says.
"""

import dataclasses
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hf_audio

PAGE = Path(__file__).with_name("api.md")
INTRO = """# API

The public names of `hf_audio`, with the first sentence of each docstring; `help(hf_audio.NAME)` shows the rest. They
are loaded on first use. Names below the packages of `hf_audio` may move from one version to the next. This page is
written by `python docs/generate_api.py`.
"""
LONGEST_LINE = 100


def write_page() -> str:
    """The page, as Markdown."""
    functions, classes, refusals = [], [], []
    for name in sorted(hf_audio.__all__, key=str.casefold):
        value = getattr(hf_audio, name)
        if inspect.isclass(value) and issubclass(value, Exception):
            refusals.append(f"- `hf_audio.{name}`, a `{value.__base__.__name__}`: {_first_sentence(value)}")
        elif inspect.isclass(value):
            classes.append("\n".join(_tell_class(name, value)))
        elif callable(value):
            functions.append("\n".join(_tell_function(name, value)))
    parts = [INTRO, "## Functions\n", *functions, "## Classes\n", *classes, "## Errors\n", *refusals]
    return "\n".join(parts).rstrip() + "\n"


def _tell_function(name: str, function: Any) -> Iterator[str]:
    yield f"### {name}\n"
    yield _code(f"hf_audio.{name}", function)
    yield f"{_first_sentence(function)}\n"


def _tell_class(name: str, cls: type) -> Iterator[str]:
    yield f"### {name}\n"
    yield _code(f"hf_audio.{name}", cls)
    yield f"{_first_sentence(cls)}\n"
    members = [f"- `{call}`: {_first_sentence(member)}" for call, member in _members(cls)]
    if members:
        yield "\n".join(members) + "\n"


def _members(cls: type) -> Iterator[tuple[str, Any]]:
    """The methods and properties that hf_audio adds to what the class inherits, with how they are called."""
    found: dict[str, Any] = {}
    inherited: set[str] = set()
    for ancestor in reversed(cls.__mro__):
        if _is_ours(ancestor):
            found.update(vars(ancestor))
        elif ancestor is not object:
            inherited.update(vars(ancestor))
    for name, member in found.items():
        if name in inherited or (name.startswith("_") and name != "__call__"):
            continue
        function = (
            getattr(member, "fget", None) or getattr(member, "func", None) or getattr(member, "__func__", member)
        )
        if not inspect.isfunction(function) or not inspect.getdoc(function):
            continue
        called = (
            "" if function is not member and not isinstance(member, (classmethod, staticmethod)) else _names(function)
        )
        yield f"{'' if name == '__call__' else name}{called}", function


def _is_ours(cls: type) -> bool:
    return cls.__module__.startswith("hf_audio.")


def _names(function: Any) -> str:
    """The parameters' names and defaults."""
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name not in ("self", "cls")
    ]
    return str(inspect.Signature(parameters))


def _code(name: str, value: Any) -> str:
    told = [*_parameters(value)]
    returned = "" if inspect.isclass(value) else _annotation(inspect.signature(value).return_annotation, " -> ")
    line = f"{name}({', '.join(told)}){returned}"
    if len(line) > LONGEST_LINE:
        line = f"{name}(\n" + "".join(f"    {parameter},\n" for parameter in told) + f"){returned}"
    return f"```python\n{line}\n```\n"


def _parameters(value: Any) -> Iterator[str]:
    """As they stand in a signature; what transformers' own classes bring, which its releases change, as `**kwargs`."""
    parameters = [p for p in inspect.signature(value).parameters.values() if p.name != "self"]
    ours = _own_fields(value)
    starred = False
    for parameter in parameters:
        if ours is not None and parameter.name not in ours:
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            yield "*"
        starred = starred or parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL)
        stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        annotation = _annotation(parameter.annotation, ": ")
        default = "" if parameter.default is parameter.empty else _default(parameter.default, bool(annotation))
        yield f"{stars}{parameter.name}{annotation}{default}"
    if ours is not None:
        yield "**kwargs"


def _own_fields(value: Any) -> set[str] | None:
    """Fields of a dataclass that hf_audio declares, where it inherits others; None: all are ours."""
    if not dataclasses.is_dataclass(value) or all(_is_ours(cls) for cls in value.__mro__[:-1]):
        return None
    return {name for cls in value.__mro__ if _is_ours(cls) for name in inspect.get_annotations(cls)}


def _annotation(annotation: Any, before: str) -> str:
    if annotation in (inspect.Parameter.empty, None, "None"):
        return ""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return before + re.sub(r"\b(?:[A-Za-z_]\w*\.)+(?=[A-Za-z_])", "", text)


def _default(default: Any, annotated: bool) -> str:
    told = repr(default)
    if "<" in told:  # places in memory, which are others in every process
        told = "..."
    return f" = {told}" if annotated else f"={told}"


def _first_sentence(value: Any) -> str:
    paragraph = (inspect.getdoc(value) or "").split("\n\n")[0]
    text = " ".join(paragraph.split())
    return re.split(r"(?<=[.!?])\s+(?=[A-Z`])", text)[0]


if __name__ == "__main__":
    PAGE.write_text(write_page(), encoding="utf-8")
