"""README and docs/: links, command lines, Python blocks, calls of the service, the API page and the notebook."""

import ast
import contextlib
import json
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import soundfile
from helpers.commands import fork
from helpers.recordings import REPOSITORY, tone, write_tones

import hf_audio
from hf_audio.cli import COMMANDS
from hf_audio.flags import FunctionParser
from hf_audio.recipe_flags import as_flags, parse_arguments
from hf_audio.training.recipes import find_recipe, load_recipe

matplotlib.use("Agg")

DOCS = REPOSITORY / "docs"
PAGES = [REPOSITORY / "README.md", *sorted(DOCS.glob("*.md"))]
NOTEBOOK = DOCS / "own_sounds.ipynb"
README_LINES = 170
BRIEF = {"max_steps": 2, "refit": False}
ADDRESS = "127.0.0.1:8000"  # where the documentation says that the service is
NOT_RUN = re.compile(r"<!-- not run: (.+) -->")
FILE = re.compile(r"<!-- file: (\S+) -->")
RECIPE_COMMANDS = re.compile(r"^(?:python|accelerate launch .*?|torchrun .*?) (recipes/\w+\.py)(?: |$)")
BENCHMARKS = re.compile(r"^python (tests/benchmarks/\w+\.py)(?: |$)")
# Words in capital letters stand for files and folders of the reader's, but for these.
STAND_FOR = {"RECIPE": "esc50", "FILE.py": "recipes/esc50.py", "NAME": "george", "N": "2"}


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str
    text: str
    line: int
    not_run: str | None
    """Why no test runs it."""
    file: str | None
    """Under which name the reader is to save it."""


def read_blocks(page: Path) -> list[Block]:
    blocks, lines = [], page.read_text(encoding="utf-8").splitlines()
    opened = None
    for number, line in enumerate(lines):
        if opened is None and line.startswith("```"):
            opened = number
        elif opened is not None and line == "```":
            reason, file = (mark.fullmatch(lines[opened - 1]) for mark in (NOT_RUN, FILE))
            text = "\n".join(lines[opened + 1 : number])
            blocks.append(Block(lines[opened][3:], text, opened + 2, reason and reason[1], file and file[1]))
            opened = None
    assert opened is None, f"{page.name}: the block of line {opened} does not end"
    return blocks


def pages_with(text: str) -> list[Path]:
    return [page for page in PAGES if text in page.read_text(encoding="utf-8") and page.name != "api.md"]


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def code_spans(text: str) -> list[str]:
    return [span.replace("\\|", "|") for span in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)]


def slugs(text: str) -> list[str]:
    """The anchors that GitHub makes of headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.strip().casefold()).replace(" ", "-") for heading in headings]


def commands(text: str) -> Iterator[str]:
    """The single commands of a shell block, without comments and assignments."""
    lexer = shlex.shlex(text.replace("\\\n", " ") + "\n", posix=True, punctuation_chars=";&|\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t", True, ""
    words: list[str] = []
    comments = False
    for token in lexer:
        ends = set(token) <= set(";&|\n")
        comments = (comments or token.startswith("#")) and not ends
        if ends and words:
            yield shlex.join(words)
            words = []
        elif not ends and not comments and (words or not re.fullmatch(r"[A-Z_]+=\S*", token)):
            words.append(token)


def with_names(command: str) -> list[str]:
    """The words of a command, in the place of RECIPE and the like something that exists."""
    return [STAND_FOR.get(word, word) for word in shlex.split(command)]


def check_command(command: str) -> None:
    """Parse a command line by what it starts, without running it.

    Raises:
        AssertionError: it names what does not exist.
        ArgumentError, SystemExit: its arguments cannot be.
    """
    words = with_names(command)
    if recipe := RECIPE_COMMANDS.match(command):
        path = REPOSITORY / recipe[1]
        assert path.is_file(), f"{recipe[1]} does not exist"
        parse_arguments(load_recipe(path).arguments_class, words[words.index(recipe[1]) + 1 :])
    elif benchmark := BENCHMARKS.match(command):
        check_flags_of_benchmark(REPOSITORY / benchmark[1], words[2:])
    elif words[0] == "hf-audio" or "hf_audio.cli" in words:
        check_subcommand(words[words.index("hf_audio.cli") + 1 if "hf_audio.cli" in words else 1 :])
    elif words[:2] == ["pip", "install"]:
        extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        (wanted,) = re.findall(r"\.\[(.+)\]", command)
        assert set(wanted.split(",")) <= set(extras), f"no extra {wanted}"
    elif words[:2] == ["python", "docs/generate_api.py"]:
        assert (REPOSITORY / words[1]).is_file()
    elif words[:2] == ["python", "-c"]:
        check_imports(words[2])


def check_imports(code: str) -> None:
    """What `python -c` would run imports, of modules that have it."""
    for statement in ast.parse(code).body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            exec(ast.unparse(statement), {})


def check_flags_of_benchmark(script: Path, words: list[str]) -> None:
    """Benchmarks hand unknown flags on to a recipe; so a flag must stand in the script or be a recipe's."""
    assert script.is_file(), f"{script.name} does not exist"
    recipe = next((word for word in words if (REPOSITORY / "recipes" / f"{word}.py").is_file()), "esc50")
    known = load_recipe(REPOSITORY / "recipes" / f"{recipe}.py").arguments_class.__dataclass_fields__
    for word in words:
        if word.startswith("--"):
            assert f'"{word}"' in script.read_text() or word[2:] in known, f"{script.name} has no {word}"


def check_subcommand(words: list[str]) -> None:
    name, *arguments = words
    try:
        if name == "train":
            path, implied = find_recipe(arguments[0])
            flags = [*as_flags(implied), *arguments[1:]]
            parse_arguments(load_recipe(path).arguments_class, flags, ("hf-audio", "train", arguments[0]))
        else:
            assert name in COMMANDS, f"hf-audio has no {name}"
            FunctionParser(name, COMMANDS[name][0]).read(arguments)
    except SystemExit as end:
        assert not end.code  # --help was asked for


@pytest.fixture
def reader_folder(tmp_path, monkeypatch):
    """What the words in capital letters stand for: the current folder has whatever commands are to read."""
    for name in ("DIR", "OUT", "SOUNDS", "PLACE", "SHARDS", "FSDD", "LANGUAGE_FOLDER", "ESC50", "CLIPS", "site"):
        (tmp_path / name).mkdir()
    (tmp_path / "site" / "index.html").touch()
    (tmp_path / "FILE.yaml").write_text("seed: 1\n")
    (tmp_path / "OUT" / "best_arguments.yaml").write_text("learning_rate: 0.001\n")
    (tmp_path / "OUT" / "training_args.json").write_text('{"seed": 1}')
    (tmp_path / "clips.csv").write_text("path,species\n")
    for block in read_blocks(DOCS / "training.md"):
        if block.file:
            (tmp_path / block.file).write_text(block.text)
    (tmp_path / "recipes").symlink_to(REPOSITORY / "recipes")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_readme_is_short():
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()) <= README_LINES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_anchors_resolve(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{target} does not exist"
        if anchor:
            assert anchor in slugs(prose(linked)), f"{target}: no such heading, only {slugs(prose(linked))}"


def test_every_page_is_linked_from_the_readme():
    linked = set(re.findall(r"\]\((docs/[^)#\s]+)", prose(PAGES[0])))
    assert linked == {f"docs/{path.name}" for path in (*PAGES[1:], NOTEBOOK)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_command_lines_parse(page, reader_folder):
    for block in read_blocks(page):
        if block.language in ("bash", "sh", "shell"):
            for command in commands(block.text):
                with told(f"{page.name}:{block.line}: {command}"):
                    check_command(command)
    for span in code_spans(prose(page)):
        if RECIPE_COMMANDS.match(span) or BENCHMARKS.match(span) or re.match(r"(hf-audio|pip install) \S+ \S", span):
            with told(f"{page.name}: {span}"):
                check_command(span)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_flags_of_tables_parse(page, reader_folder):
    """In a table whose head has a recipe's command, flags of its rows are added to it; others are those of esc50."""
    base = "python recipes/esc50.py"
    for line in prose(page).splitlines():
        if not line.startswith("|"):
            base = "python recipes/esc50.py" if page.name == "training.md" else ""
            continue
        spans = code_spans(line)
        base = next((span for span in spans if RECIPE_COMMANDS.match(span)), base)
        for flags in (span for span in spans if span.startswith("--") and " " in span):
            if base:
                with told(f"{page.name}: {base} {flags}"):
                    check_command(f"{base} {flags}")


def test_the_table_of_packages_is_that_of_the_tests():
    tests = ast.parse((REPOSITORY / "tests" / "test_architecture.py").read_text(encoding="utf-8"))
    (below,) = [
        ast.literal_eval(node.value)
        for node in tests.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "BELOW"
    ]
    packages = {name for name in below if (REPOSITORY / "hf_audio" / name).is_dir()}
    rows = re.findall(r"^\| `(\w+)/` \|.*\|(.*)\|$", prose(DOCS / "architecture.md"), re.MULTILINE)
    assert {name: set(re.findall(r"`(\w+)/`", said)) for name, said in rows} == {
        name: packages & set(below[name]) for name in packages
    }


def test_figures_of_the_readme_stand_in_the_results():
    results = (DOCS / "results.md").read_text(encoding="utf-8")
    sections = {next(iter(slugs(section))): section for section in re.split(r"^(?=## )", results, flags=re.MULTILINE)}
    rows = re.findall(
        r"^\| `\w+` \|.*?\| (.*) \| \[results\]\(docs/results\.md#(.+)\) \|$", prose(PAGES[0]), re.MULTILINE
    )
    assert len(rows) == len(list((REPOSITORY / "recipes").glob("*.py")))
    for told, section in rows:
        for figure in re.findall(r"\d+\.\d+|\d{2,}", told):
            assert figure in sections[section], f"{figure} is not in {section}"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with what the Python blocks read: class folders, a finished run, recordings and an ONNX file."""
    folder = tmp_path_factory.mktemp("reader")
    write_tones(folder / "SOUNDS")
    out = str(folder / "OUT")
    hf_audio.train("own_sounds", data_dir=str(folder / "SOUNDS"), output_dir=out, model="micro", **BRIEF)
    shutil.copytree(folder / "OUT", folder / "digits")
    for name in ("memo.mp3", "a.wav", "b.flac", "c.ogg", "one_hour.wav", "dog.wav", "new.wav", "clip.wav"):
        soundfile.write(folder / name, tone(440, 3, 16000), 16000)
    (folder / "archive").mkdir()
    shutil.copy(folder / "a.wav", folder / "archive")
    hf_audio.export_onnx(folder / "OUT", folder / "sounds.onnx")
    (folder / "site").mkdir()
    (folder / "site" / "index.html").write_text("<!doctype html>")
    return folder


@pytest.fixture(scope="module")
def address(finished):
    """HOST:PORT of a running `hf-audio serve`, of the two models that the documentation serves."""
    command = [sys.executable, "-m", "hf_audio.cli", "serve", "digits=OUT", "sounds=OUT", "--port", "0"]
    server = subprocess.Popen([*command, "--site", "site"], cwd=finished, stdout=subprocess.PIPE, text=True)
    try:
        address = server.stdout.readline().split()[-1].removeprefix("http://").rstrip("/")
        wait_until_ready(address)
        yield address
    finally:
        server.terminate()
        server.wait()


def wait_until_ready(address: str) -> None:
    for _ in range(300):
        with contextlib.suppress(urllib.error.HTTPError):  # 503: the models are being loaded
            urllib.request.urlopen(f"http://{address}/ready").close()
            return
        time.sleep(0.1)
    raise TimeoutError(address)


@pytest.mark.slow
@pytest.mark.parametrize("page", pages_with("```python"), ids=lambda page: page.name)
def test_python_blocks_run(page, finished, tmp_path, monkeypatch, request):
    """In their order, in one namespace; trainings take two steps, and few recordings one training instead of six."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "huggingface_hub.constants.HF_HUB_OFFLINE", False
    )  # or its client asks nobody, this machine neither
    monkeypatch.setattr(hf_audio, "train", partial(hf_audio.train, **BRIEF))
    wave = tone(440, 1.0, 44100)
    namespace = {
        "samples": wave,
        "blocks": np.split(wave, 10),
        "pcm": (tone(440, 1.0, 16000) * 32767).astype("<i2").tobytes(),
    }
    for block in read_blocks(page):
        if block.language != "python" or block.not_run:
            continue
        if block.file:
            (tmp_path / block.file).write_text(block.text)
            hf_audio.train(block.file, data_dir="SOUNDS", output_dir=f"{block.file}.out")
            continue
        code = block.text
        if ADDRESS in code:
            code = code.replace(ADDRESS, request.getfixturevalue("address"))
        exec(compile("\n" * (block.line - 1) + code, page, "exec"), namespace)  # so that errors tell the page's line
    plt.close("all")


@pytest.mark.parametrize("page", pages_with("\ncurl "), ids=lambda page: page.name)
def test_calls_of_the_service_are_answered(page, finished, request):
    calls = [
        command
        for block in read_blocks(page)
        if block.language == "bash"
        for command in commands(block.text)
        if command.startswith("curl ")
    ]
    for call in calls:
        words = shlex.split(call.replace(ADDRESS, request.getfixturevalue("address")))
        done = subprocess.run(
            [*words, "--silent", "--fail"], cwd=finished, capture_output=True, timeout=300, check=False
        )
        assert done.returncode == 0, f"{call}: {done.stdout.decode()}"
        assert json.loads(done.stdout), call


def test_routes_of_the_service_exist(address):
    with urllib.request.urlopen(f"http://{address}/openapi.json") as answer:
        known = {path.replace("{name}", "NAME") for path in json.load(answer)["paths"]}
    routes = re.findall(r"`(?:GET|POST) (/\S*?)`", prose(DOCS / "serving.md"))
    assert routes
    assert set(routes) <= known | {"/openapi.json"}


def test_the_api_page_says_what_the_code_says():
    written = runpy.run_path(str(DOCS / "generate_api.py"))["write_page"]()
    assert (DOCS / "api.md").read_text(encoding="utf-8") == written, "run: python docs/generate_api.py"


@pytest.mark.slow
def test_the_notebook_runs_from_its_first_cell_to_its_last(finished, tmp_path, monkeypatch):
    cells = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in cells), "clear the outputs"
    sources = ["".join(cell["source"]) for cell in cells]
    (place,) = [n for n, cell in enumerate(cells) if "parameters" in cell["metadata"].get("tags", [])]
    flags = {**BRIEF, "model": "micro", "bf16": False}
    sources.insert(place + 1, f"SOUNDS, OUT, FLAGS = {str(finished / 'SOUNDS')!r}, 'RUN', {flags!r}")
    # Alone in a process, as in a kernel. The server looks for no browser's page here: it takes a while.
    script = tmp_path / "notebook.py"
    script.write_text(
        "import matplotlib\nmatplotlib.use('Agg')\n" + "\n".join(sources) + "\nprint('ANSWER', answer)\n"
    )
    monkeypatch.chdir(tmp_path)
    process = fork(partial(runpy.run_path, str(script)), {}, tmp_path / "printed.txt")
    process.join(300)
    process.kill()
    printed = (tmp_path / "printed.txt").read_text()
    assert process.exitcode == 0, printed
    (answer,) = [line for line in printed.splitlines() if line.startswith("ANSWER")]
    assert answer.startswith("ANSWER [{")
    assert {label for label in ("low", "mid", "high") if label in answer} == {"low", "mid", "high"}


@contextlib.contextmanager
def told(place: str) -> Iterator[None]:
    """Where an error is."""
    try:
        yield
    except (Exception, SystemExit) as error:
        raise AssertionError(f"{place}\n{type(error).__name__}: {error}") from error
