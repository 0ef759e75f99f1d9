"""What `import hf_audio` offers, and what it loads."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import hf_audio
from hf_audio import cli


def test_every_public_name_is_there_and_known_to_type_checkers():
    tree = ast.parse(Path(hf_audio.__file__).read_text())
    typed = {
        name
        for block in tree.body
        if isinstance(block, ast.If) and getattr(block.test, "id", "") == "TYPE_CHECKING"
        for statement in block.body
        for alias in statement.names
        for name in (hf_audio.commands.__all__ if alias.name == "*" else [alias.name])
    }
    assert typed | {"__version__"} == set(hf_audio.__all__) <= set(dir(hf_audio))
    for name in hf_audio.__all__:
        assert getattr(hf_audio, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        hf_audio.nothing  # noqa: B018
    assert (Path(hf_audio.__file__).parent / "py.typed").is_file()


def test_all_commands_are_handed_on_but_those_beside_a_package_of_that_name():
    functions = {name for name, value in vars(hf_audio.commands).items() if inspect.isfunction(value)}
    assert functions - set(hf_audio.commands.__all__) == {"encoder", "export"}
    assert functions == {function.__name__ for function, _ in cli.COMMANDS.values()} | {"train"}


def test_importing_loads_nothing_heavy():
    code = "import sys, hf_audio; dir(hf_audio); hf_audio.predict, hf_audio.train; "
    code += "assert not {'numpy', 'torch', 'transformers', 'pandas'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
